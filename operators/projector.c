#include "projector.h"

PetscErrorCode fm_projector_apply(fm_operator *op, PetscInt part, Vec in, Vec out) {
  fm_projector *p = (fm_projector *)op->data;
  const double *all;
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(p->gather, in, &all));
  PetscCall(PetscArraycpy(p->v, all, (size_t)op->x_size));
  p->apply(p, p->v);
  PetscCall(VecGetOwnershipRange(out, &low, &high));
  PetscCall(VecGetArrayWrite(out, &mine));
  PetscCall(PetscArraycpy(mine, p->v + low, (size_t)(high - low)));
  PetscCall(VecRestoreArrayWrite(out, &mine));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                      PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(fm_projector_apply(op, part, x, d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d) {
  PetscFunctionBegin;
  PetscCall(VecCreateMPI(op->space, PETSC_DECIDE, (PetscInt)op->x_size, x));
  PetscCall(VecDuplicate(*x, d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_restrict(fm_operator *op, double *d) {
  fm_projector *p = (fm_projector *)op->data;

  PetscFunctionBegin;
  p->apply(p, d);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_shape(fm_operator *op, const char *option, const int64_t shape[2]) {
  PetscFunctionBegin;
  fm_check(shape[0] >= 1 && shape[1] >= 1 && shape[0] <= PETSC_MAX_INT / shape[1], op->space,
           PETSC_ERR_USER,
           "-%s %lldx%lld: at least 1x1 and fewer than 2^31 pixels are possible", option,
           (long long)shape[0], (long long)shape[1]);
  op->x_rows = op->d_rows = shape[0];
  op->x_columns = op->d_columns = shape[1];
  op->x_size = op->d_size = shape[0] * shape[1];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_setup(fm_operator *op, int64_t rank, fm_projection apply) {
  fm_projector *p = (fm_projector *)op->data;
  Vec x, d;

  PetscFunctionBegin;
  op->rank = rank;
  p->apply = apply;
  PetscCall(fm_calloc(op->x_size, &p->v));
  PetscCall(fm_projector_create_vecs(op, 0, &x, &d));
  PetscCall(fm_gather_create(x, &p->gather));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_projector_clear(fm_projector *p) {
  PetscFunctionBegin;
  PetscCall(fm_gather_destroy(&p->gather));
  PetscCall(PetscFree(p->v));
  PetscFunctionReturn(0);
}
