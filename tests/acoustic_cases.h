/* What the tests of the operators acoustic and born share: making them under options of their
   own, numbers in and out. */
#ifndef ACOUSTIC_CASES_H
#define ACOUSTIC_CASES_H

#include "fathom/gather.h"
#include "fathom/operator.h"
#include "fathom/rng.h"
#include "fathom/store.h"
#include "fm_test.h"

/* Call `make` under options "-name value ..." alone. */
#define UNDER_OPTIONS(text, make)                                                              \
  do {                                                                                         \
    PetscOptions own_;                                                                         \
    fm_ok(fm_operators_declare_options());                                                     \
    fm_ok(PetscOptionsCreate(&own_));                                                          \
    fm_ok(PetscOptionsInsertString(own_, text));                                               \
    fm_ok(PetscOptionsPush(own_));                                                             \
    make;                                                                                      \
    fm_ok(PetscOptionsPop());                                                                  \
    fm_ok(PetscOptionsDestroy(&own_));                                                         \
  } while (0)

/* fm_operator_create under options of its own; what it says of itself is muted. */
static inline PetscErrorCode acoustic_try(MPI_Comm space, const char *name, const char *options,
                                          fm_operator **op) {
  PetscErrorCode code = 0;
  const int kept = fm_test_mute(stdout);

  UNDER_OPTIONS(options, code = fm_operator_create(space, name, op));
  fm_test_unmute(stdout, kept);
  return code;
}

static inline fm_operator *acoustic_make(MPI_Comm space, const char *name, const char *format,
                                         ...) __attribute__((format(printf, 3, 4)));
static inline fm_operator *acoustic_make(MPI_Comm space, const char *name, const char *format,
                                         ...) {
  char options[4096];
  fm_operator *op;
  va_list words;

  va_start(words, format);
  vsnprintf(options, sizeof(options), format, words);
  va_end(words);
  fm_ok(acoustic_try(space, name, options, &op));
  return op;
}

/* An array [shape] in FILE:/name, made by rank 0 of comm. */
static inline void acoustic_file(MPI_Comm comm, const char *file, const char *name, int ndim,
                                 const int64_t *shape, const double *data) {
  fm_store *store;

  fm_ok(fm_store_create(comm, file, &store));
  fm_ok(fm_store_write(store, name, FM_FLOAT64, ndim, shape, data));
  fm_ok(fm_store_commit(&store, NULL));
}

/* v = centre + scale N(0, 1), named */
static inline void acoustic_fill(Vec v, uint64_t name, double centre, double scale) {
  PetscInt n, low, high;
  fm_real *all;
  double *mine;

  fm_ok(VecGetSize(v, &n));
  fm_ok(VecGetOwnershipRange(v, &low, &high));
  fm_ok(PetscMalloc1(n, &all));
  fm_rng_normal((fm_rng){9, FM_STREAM_CHECK}, 0, name, (size_t)n, all);
  fm_ok(VecGetArrayWrite(v, &mine));
  for (PetscInt i = low; i < high; i++) mine[i - low] = centre + scale * (double)all[i];
  fm_ok(VecRestoreArrayWrite(v, &mine));
  fm_ok(PetscFree(all));
}

#endif
