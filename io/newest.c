/* Of a file and the ones before it: the newest that is whole. */
#include "fathom/log.h"
#include "file.h"
#include "h5.h"
#include <stdio.h>
#include <unistd.h>

/* The sentence of why `path` cannot be used goes into v. */
static PetscBool is_whole(const char *path, fm_verdict *v) {
  fm_store probe = {.path = (char *)path, .file = H5I_INVALID_HID};

  fm_store_open_on_root(&probe, v);
  if (probe.file >= 0) H5Fclose(probe.file);
  return v->code ? PETSC_FALSE : PETSC_TRUE;
}

/* What is damaged leaves the row, so that it is not kept in the place of a whole one. */
static void leave_row(const char *name) {
  char damaged[PETSC_MAX_PATH_LEN];

  fm_file_variant(name, "damaged", damaged);
  if (!rename(name, damaged)) fm_warn("it is now '%s'", damaged);
}

static void search(const char *path, char found[PETSC_MAX_PATH_LEN], fm_verdict *v) {
  char name[PETSC_MAX_PATH_LEN], best[PETSC_MAX_PATH_LEN];
  PetscBool damaged[FM_FILE_KEPT] = {PETSC_FALSE};
  fm_verdict first = {0};

  found[0] = 0;
  for (int k = 0; k < FM_FILE_KEPT && !found[0]; k++) {
    fm_verdict fault = {0};

    fm_file_previous(path, k, name);
    if (access(name, F_OK)) continue;
    if (is_whole(name, &fault)) {
      snprintf(found, PETSC_MAX_PATH_LEN, "%s", name);
    } else {
      fm_warn("skipped: %s", fault.text);
      damaged[k] = PETSC_TRUE;
      if (!first.code) first = fault;
    }
  }
  for (int k = 0; k < FM_FILE_KEPT && found[0]; k++) {
    fm_file_previous(path, k, name);
    if (damaged[k]) leave_row(name);
  }
  if (found[0] || !first.code) return;
  fm_file_variant(path, "best", best);
  fm_fail(v, first.code, "%.900s; no file before it is whole: begin anew without -resume%s%s%s",
          first.text, access(best, F_OK) ? "" : ", perhaps with -warm_start '",
          access(best, F_OK) ? "" : best, access(best, F_OK) ? "" : "'");
}

PetscErrorCode fm_store_newest(MPI_Comm comm, const char *path,
                               char found[PETSC_MAX_PATH_LEN]) {
  fm_verdict v = {0};
  PetscMPIInt rank;

  PetscFunctionBegin;
  fm_h5_quiet();
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) search(path, found, &v);
  PetscCall(fm_verdict_share(comm, &v, PETSC_MAX_PATH_LEN, found));
  PetscFunctionReturn(0);
}
