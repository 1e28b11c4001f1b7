/* What the tests of the operator laplace share: making it under options, and numbers in and out
   on one rank. */
#ifndef LAPLACE_CASES_H
#define LAPLACE_CASES_H

#include "fathom/gather.h"
#include "fathom/operator.h"
#include "fathom/rng.h"
#include "fm_test.h"

/* The operator on one rank under options "-name value ...", and Vecs of its own. */
typedef struct fixture {
  fm_operator *op;
  Vec x, dx, gx, d, dd, w;
  int64_t n, m;
} fixture;

/* fm_operator_create under options "-name value ..." of its own. */
static inline PetscErrorCode laplace_try(MPI_Comm space, const char *options,
                                         fm_operator **op) {
  PetscErrorCode code;
  PetscOptions own;

  fm_ok(fm_operators_declare_options());
  fm_ok(PetscOptionsCreate(&own));
  fm_ok(PetscOptionsInsertString(own, options));
  fm_ok(PetscOptionsPush(own));
  code = fm_operator_create(space, "laplace", op);
  fm_ok(PetscOptionsPop());
  fm_ok(PetscOptionsDestroy(&own));
  return code;
}

static inline fm_operator *laplace_create(MPI_Comm space, const char *options) {
  fm_operator *op;

  fm_ok(laplace_try(space, options, &op));
  return op;
}

static inline void begin(fixture *f, const char *options) {
  f->op = laplace_create(PETSC_COMM_WORLD, options);
  fm_ok(fm_operator_sizes(f->op, &f->n, &f->m));
  fm_ok(fm_operator_create_vecs(f->op, 0, &f->x, &f->d));
  fm_ok(VecDuplicate(f->x, &f->dx));
  fm_ok(VecDuplicate(f->x, &f->gx));
  fm_ok(VecDuplicate(f->d, &f->dd));
  fm_ok(VecDuplicate(f->d, &f->w));
}

static inline void end(fixture *f) {
  Vec *all[] = {&f->x, &f->dx, &f->gx, &f->d, &f->dd, &f->w};

  for (int k = 0; k < 6; k++) fm_ok(VecDestroy(all[k]));
  fm_ok(fm_operator_destroy(&f->op));
}

static inline void set(Vec v, const double *values) {
  PetscInt n;
  double *a;

  fm_ok(VecGetLocalSize(v, &n));
  fm_ok(VecGetArrayWrite(v, &a));
  memcpy(a, values, (size_t)n * sizeof(double));
  fm_ok(VecRestoreArrayWrite(v, &a));
}

/* d = F(x); returns ok. */
static inline PetscBool forward(fixture *f, const double *x, double *d) {
  const double *a;
  PetscBool ok;

  set(f->x, x);
  fm_ok(fm_operator_linearize(f->op, 0, f->x, f->d, &ok));
  fm_ok(VecGetArrayRead(f->d, &a));
  memcpy(d, a, (size_t)f->m * sizeof(double));
  fm_ok(VecRestoreArrayRead(f->d, &a));
  return ok;
}

/* max |a - b| / max |b| */
static inline double difference(int64_t n, const double *a, const double *b) {
  double most = 0, scale = 0;

  for (int64_t i = 0; i < n; i++) {
    if (isnan(a[i]) || isnan(b[i])) return INFINITY;
    most = fmax(most, fabs(a[i] - b[i]));
    scale = fmax(scale, fabs(b[i]));
  }
  return most / scale;
}

static inline void normal(uint64_t name, int64_t n, double centre, double *out) {
  fm_real all[256];

  fm_rng_normal((fm_rng){11, FM_STREAM_CHECK}, 0, name, (size_t)n, all);
  for (int64_t i = 0; i < n; i++) out[i] = centre + (double)all[i];
}

#endif
