#include "fathom/gather.h"
#include <math.h>

struct fm_gather {
  VecScatter scatter;
  Vec all; /* sequential, on every rank */
};

PetscErrorCode fm_gather_create(Vec like, fm_gather **out) {
  fm_gather *gather;

  PetscFunctionBegin;
  PetscCall(PetscNew(&gather));
  PetscCall(VecScatterCreateToAll(like, &gather->scatter, &gather->all));
  *out = gather;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_gather_destroy(fm_gather **gather) {
  PetscFunctionBegin;
  if (!*gather) PetscFunctionReturn(0);
  PetscCall(VecScatterDestroy(&(*gather)->scatter));
  PetscCall(VecDestroy(&(*gather)->all));
  PetscCall(PetscFree(*gather));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_gather_read(fm_gather *gather, Vec v, const double **values) {
  VecScatter scatter = gather->scatter;

  PetscFunctionBegin;
  PetscCall(VecScatterBegin(scatter, v, gather->all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, v, gather->all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetArrayRead(gather->all, values));
  const double *borrowed = *values; /* stays where it is: the Vec keeps its array */
  PetscCall(VecRestoreArrayRead(gather->all, &borrowed));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_vec_set(Vec v, const fm_real *values) {
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(VecGetOwnershipRange(v, &low, &high));
  PetscCall(VecGetArrayWrite(v, &mine));
  for (PetscInt i = low; i < high; i++) mine[i - low] = (double)values[i];
  PetscCall(VecRestoreArrayWrite(v, &mine));
  PetscFunctionReturn(0);
}

/* d[count] = F(x) of one part. */
static PetscErrorCode forward_part(fm_operator *op, PetscInt part, const fm_real *x,
                                   int64_t count, double *d, PetscBool *ok) {
  fm_gather *gather = NULL;
  const double *values;
  Vec xv, dv;

  PetscFunctionBegin;
  PetscCall(fm_operator_create_vecs(op, part, &xv, &dv));
  PetscCall(fm_vec_set(xv, x));
  PetscCall(fm_operator_linearize(op, part, xv, dv, ok));
  if (*ok) {
    PetscCall(fm_gather_create(dv, &gather));
    PetscCall(fm_gather_read(gather, dv, &values));
    PetscCall(PetscArraycpy(d, values, (size_t)count));
    PetscCall(fm_gather_destroy(&gather));
  }
  PetscCall(VecDestroy(&xv));
  PetscCall(VecDestroy(&dv));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_forward(fm_operator *op, const fm_real *x, double *d,
                                   PetscBool *ok) {
  int64_t x_size, d_size, first, count;
  PetscInt nparts;

  PetscFunctionBegin;
  PetscCall(fm_operator_sizes(op, &x_size, &d_size));
  PetscCall(fm_operator_parts(op, &nparts));
  for (int64_t i = 0; i < d_size; i++) d[i] = NAN;
  *ok = PETSC_TRUE;
  for (PetscInt part = 0; part < nparts && *ok; part++) {
    PetscCall(fm_operator_part_range(op, part, &first, &count));
    PetscCall(forward_part(op, part, x, count, d + first, ok));
  }
  PetscFunctionReturn(0);
}
