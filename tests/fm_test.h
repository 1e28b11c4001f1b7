/* What every test program needs: cmocka under PETSc and MPI, ranks > 0 muted, one verdict for
   all ranks.

       FM_TEST_MAIN(cmocka_unit_test(test_a), cmocka_unit_test(test_b))

   Every test is a leak test: CTest sets -malloc_debug -malloc_dump and fails on leaked bytes.
   */
#ifndef FM_TEST_H
#define FM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fathom/types.h"

#define fm_ok(call) assert_int_equal((int)(call), 0)

/* |a - b| <= tolerance * max(1, |a|, |b|), with the numbers in the failure's message. */
#define fm_near(a, b, tolerance)                                                               \
  do {                                                                                         \
    double a_ = (double)(a), b_ = (double)(b), t_ = (double)(tolerance);                       \
    if (!(fabs(a_ - b_) <= t_ * fmax(1., fmax(fabs(a_), fabs(b_)))))                           \
      fail_msg("%s = %.17g, %s = %.17g, difference %.3g above %.3g", #a, a_, #b, b_,           \
               fabs(a_ - b_), t_);                                                             \
  } while (0)

/* A user error is expected: PETSc's message is kept instead of printed; fm_expect_error checks
   code and a word of the sentence. */
static char fm_test_message[4096];
static inline PetscErrorCode fm_test_keep(MPI_Comm comm, int line, const char *function,
                                          const char *file, PetscErrorCode code,
                                          PetscErrorType type, const char *message,
                                          void *context) {
  if (type == PETSC_ERROR_INITIAL)
    snprintf(fm_test_message, sizeof(fm_test_message), "%s", message ? message : "");
  return code;
}
#define fm_expect_error(call, word)                                                            \
  do {                                                                                         \
    fm_test_message[0] = 0;                                                                    \
    PetscPushErrorHandler(fm_test_keep, NULL);                                                 \
    int code_ = (int)(call);                                                                   \
    PetscPopErrorHandler();                                                                    \
    if (!code_) fail_msg("%s succeeded; an error with '%s' was expected", #call, word);        \
    if (!strstr(fm_test_message, word))                                                        \
      fail_msg("message '%s' lacks '%s'", fm_test_message, word);                              \
  } while (0)

/* Send a stream to nowhere; returns what fm_test_unmute needs to bring it back. */
static inline int fm_test_mute(FILE *stream) {
  int kept = dup(fileno(stream)), nowhere = open("/dev/null", O_WRONLY);
  fflush(stream);
  dup2(nowhere, fileno(stream));
  close(nowhere);
  return kept;
}
static inline void fm_test_unmute(FILE *stream, int kept) {
  if (kept < 0) return;
  fflush(stream);
  dup2(kept, fileno(stream));
  close(kept);
}

static inline int fm_test_run(int argc, char **argv, const struct CMUnitTest *tests,
                              size_t count) {
  int failed = 1, worst = 1, out = -1, err = -1;
  PetscMPIInt rank;
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  if (rank) { /* cmocka prints from every rank otherwise */
    out = fm_test_mute(stdout);
    err = getenv("FM_TEST_LOUD") ? -1 : fm_test_mute(stderr);
  }
  failed = _cmocka_run_group_tests("fathom " FM_PRECISION, tests, count, NULL, NULL);
  MPI_Allreduce(&failed, &worst, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  if (rank) { /* PetscFinalize lists leaked bytes: those of every rank shall be seen */
    fm_test_unmute(stdout, out);
    fm_test_unmute(stderr, err);
  }
  if (PetscFinalize()) return 1;
  return worst ? 1 : 0;
}

#define FM_TEST_MAIN(...)                                                                      \
  int main(int argc, char **argv) {                                                            \
    const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
    return fm_test_run(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));                   \
  }

#endif
