/* An operator that is a toy of SHOTS parts with two data each,
       d_k = sin(p + k + 1) x_k^2 + (p + 1) x_0 x_2,
   and 0.1 more where p is even; it encodes shots, and fails at part `fails` (-1: nowhere). */
#ifndef FATHOM_TESTS_SHOTS_TOY_H
#define FATHOM_TESTS_SHOTS_TOY_H

#include "fathom/operator_impl.h"
#include "fm_test.h"

#define SHOTS 6

typedef struct toy {
  double x[3], sign[SHOTS];
  PetscBool encoded;
  int fails;
} toy;

static double datum(const double *x, PetscInt p, int k) {
  return sin(p + k + 1) * x[k] * x[k] + (p + 1) * x[0] * x[2] + (p % 2 ? 0 : 0.1);
}

static double weight(const toy *t, PetscInt p, PetscInt part) {
  return t->encoded ? t->sign[p] : p == part;
}

static PetscErrorCode toy_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                    PetscBool *ok) {
  toy *t = (toy *)op->data;
  const double *in;
  double *out;

  fm_ok(VecGetArrayRead(x, &in));
  fm_ok(VecGetArray(d, &out));
  memcpy(t->x, in, sizeof(t->x));
  for (int k = 0; k < 2; k++) {
    out[k] = 0;
    for (PetscInt p = 0; p < SHOTS; p++) out[k] += weight(t, p, part) * datum(in, p, k);
  }
  fm_ok(VecRestoreArray(d, &out));
  fm_ok(VecRestoreArrayRead(x, &in));
  *ok = part == t->fails ? PETSC_FALSE : PETSC_TRUE;
  if (!*ok) strcpy(op->reason, "the toy was told to fail");
  return 0;
}

static PetscErrorCode toy_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  const toy *t = (const toy *)op->data;
  const double *in;
  double *out;

  fm_ok(VecZeroEntries(gx));
  fm_ok(VecGetArrayRead(dd, &in));
  fm_ok(VecGetArray(gx, &out));
  for (int k = 0; k < 2; k++)
    for (PetscInt p = 0; p < SHOTS; p++) {
      out[k] += weight(t, p, part) * in[k] * 2 * sin(p + k + 1) * t->x[k];
      out[0] += weight(t, p, part) * in[k] * (p + 1) * t->x[2];
      out[2] += weight(t, p, part) * in[k] * (p + 1) * t->x[0];
    }
  fm_ok(VecRestoreArray(gx, &out));
  fm_ok(VecRestoreArrayRead(dd, &in));
  return 0;
}

static PetscErrorCode toy_vecs(fm_operator *op, PetscInt p, Vec *x, Vec *d) {
  fm_ok(VecCreateSeq(PETSC_COMM_SELF, 3, x));
  fm_ok(VecCreateSeq(PETSC_COMM_SELF, 2, d));
  return 0;
}

static PetscErrorCode toy_range(fm_operator *op, PetscInt p, int64_t *first, int64_t *count) {
  *first = 2 * p;
  *count = 2;
  return 0;
}

static PetscErrorCode toy_encode(fm_operator *op, const double *sign) {
  toy *t = (toy *)op->data;

  t->encoded = sign ? PETSC_TRUE : PETSC_FALSE;
  if (sign) memcpy(t->sign, sign, sizeof(t->sign));
  return 0;
}

static const fm_operator_ops toy_ops = {.linearize = toy_linearize,
                                        .vjp = toy_vjp,
                                        .create_vecs = toy_vecs,
                                        .part_range = toy_range,
                                        .encode = toy_encode};

/* Its parts are made by single ranks of `space`; it fails nowhere. */
static inline fm_operator toy_operator(toy *t, MPI_Comm space) {
  t->fails = -1;
  return (fm_operator){.ops = &toy_ops,
                       .data = t,
                       .space = space,
                       .group = PETSC_COMM_SELF,
                       .x_size = 3,
                       .d_size = 2 * SHOTS,
                       .nparts = SHOTS,
                       .name = "toy",
                       .linearized = -1};
}

#endif
