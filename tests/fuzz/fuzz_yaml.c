/* The options file: what fm_yaml_check lets pass PETSc must survive, and then the readers of
   the options. */
#include "readers.h"
#include "cli/arguments.h"
#include <petscsys.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_begin();
  fuzz_ok(fm_cli_declare());
  return 0;
}

/* PETSc leaves its parser where it fails. */
static PetscErrorCode insert(const char *path) {
  PetscErrorCode code;

  __lsan_disable();
  code = PetscOptionsInsertFileYAML(PETSC_COMM_SELF, NULL, path, PETSC_TRUE);
  __lsan_enable();
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);

  if (fm_yaml_check(path)) return 0;
  if (!insert(path)) read_options();
  fuzz_ok(PetscOptionsClear(NULL));
  return 0;
}
