/* The command line: an input is its words, a line each. They go to fm_arguments_read, what is
   left of them to PETSc, and then the options are read. */
#include "readers.h"
#include "cli/arguments.h"

#define WORDS 64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_begin();
  fuzz_ok(fm_cli_declare());
  return 0;
}

/* Options that make PETSc read other files are not for a fuzzer. */
static int reads_a_file(int argc, char **argv) {
  for (int i = 0; i < argc; i++)
    if (!strncasecmp(argv[i], "-options_", 9)) return 1;
  return 0;
}

static void run(int argc, char **argv) {
  const char *sentence;
  fm_arguments a;

  if (!fm_arguments_read(argc, argv, &a, &sentence) && !reads_a_file(a.argc, a.argv))
    if (!PetscOptionsInsertArgs(NULL, a.argc - 1, a.argv + 1)) read_options();
  fm_arguments_free(&a);
  fuzz_ok(PetscOptionsClear(NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1), *words[WORDS + 2] = {(char[]){"fathom"}}, *at = text;
  int n = 1;

  memcpy(text, data, size);
  text[size] = 0;
  while (at && n <= WORDS) {
    words[n++] = at;
    at = strchr(at, '\n');
    if (at) *at++ = 0;
    if (at && !*at) at = NULL; /* the last newline */
  }
  run(n, words);
  free(text);
  return 0;
}
