#include "fathom/gather.h"
#include "fathom/operator_impl.h"
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

/* v = values, or doubles where those are NULL. */
static PetscErrorCode set(Vec v, const fm_real *values, const double *doubles) {
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(VecGetOwnershipRange(v, &low, &high));
  PetscCall(VecGetArrayWrite(v, &mine));
  for (PetscInt i = low; i < high; i++) mine[i - low] = values ? (double)values[i] : doubles[i];
  PetscCall(VecRestoreArrayWrite(v, &mine));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_vec_set(Vec v, const fm_real *values) {
  PetscFunctionBegin;
  PetscCall(set(v, values, NULL));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_vec_set_doubles(Vec v, const double *values) {
  PetscFunctionBegin;
  PetscCall(set(v, NULL, values));
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

/* The parts that this rank's group makes, until one fails: *failed, or nparts. */
static PetscErrorCode forward_mine(fm_operator *op, const fm_real *x, double *d,
                                   PetscInt *failed) {
  int64_t first, count;
  PetscInt nparts, groups, part;
  PetscBool ok = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(op, &nparts));
  PetscCall(fm_operator_groups(op, &groups, &part));
  for (*failed = nparts; part < nparts && ok; part += groups) {
    PetscCall(fm_operator_part_range(op, part, &first, &count));
    PetscCall(forward_part(op, part, x, count, d + first, &ok));
    if (!ok) *failed = part;
  }
  PetscFunctionReturn(0);
}

/* The groups' parts on every rank, and the reason of the first that failed. */
static PetscErrorCode share_parts(fm_operator *op, PetscInt failed, double *d) {
  PetscInt groups, mine, nparts;
  int64_t first, count;

  PetscFunctionBegin;
  PetscCall(fm_operator_groups(op, &groups, &mine));
  if (groups == 1) PetscFunctionReturn(0);
  PetscCall(fm_operator_parts(op, &nparts));
  for (PetscInt part = 0; part < failed; part++) {
    PetscMPIInt n;

    PetscCall(fm_operator_part_range(op, part, &first, &count));
    PetscCall(PetscMPIIntCast((PetscInt)count, &n));
    PetscCallMPI(MPI_Bcast(d + first, n, MPI_DOUBLE, (PetscMPIInt)(part % groups), op->space));
  }
  if (failed < nparts)
    PetscCallMPI(MPI_Bcast(op->reason, (PetscMPIInt)sizeof(op->reason), MPI_CHAR,
                           (PetscMPIInt)(failed % groups), op->space));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_forward(fm_operator *op, const fm_real *x, double *d,
                                   PetscBool *ok) {
  const PetscBool taped = op->taped;
  int64_t first, count;
  PetscInt nparts, failed;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(op, &nparts));
  fm_operator_set_taped(op, PETSC_FALSE);
  PetscCall(forward_mine(op, x, d, &failed));
  fm_operator_set_taped(op, taped);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPIU_INT, MPI_MIN, op->space));
  PetscCall(share_parts(op, failed, d));
  *ok = failed == nparts ? PETSC_TRUE : PETSC_FALSE;
  if (*ok) PetscFunctionReturn(0);
  PetscCall(fm_operator_part_range(op, failed, &first, &count));
  for (int64_t i = first; i < op->d_size; i++) d[i] = NAN;
  PetscFunctionReturn(0);
}
