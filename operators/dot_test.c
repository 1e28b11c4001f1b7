/* Is the adjoint the transpose of the Jacobian? For users who just wrote an operator. */
#include "fathom/gather.h"
#include "fathom/operator_impl.h"
#include "fathom/rng.h"

/* Entries by their global number, so that the test does not depend on the ranks. */
static PetscErrorCode fill(uint64_t seed, uint64_t index, Vec v) {
  PetscInt n, low, high;
  PetscScalar *a;
  fm_real *all;

  PetscFunctionBegin;
  PetscCall(VecGetSize(v, &n));
  PetscCall(VecGetOwnershipRange(v, &low, &high));
  PetscCall(fm_calloc(n, &all));
  fm_rng_normal((fm_rng){seed, FM_STREAM_CHECK}, 1, index, (size_t)n, all);
  PetscCall(VecGetArray(v, &a));
  for (PetscInt i = low; i < high; i++) a[i - low] = (double)all[i];
  PetscCall(VecRestoreArray(v, &a));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode linearize(fm_operator *op, PetscInt part, const fm_real *model, Vec x,
                                Vec d) {
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(fm_vec_set(x, model));
  PetscCall(fm_operator_linearize(op, part, x, d, &ok));
  fm_check(ok, PetscObjectComm((PetscObject)x), PETSC_ERR_USER,
           "dot test: the operator's solve failed at the test model%s%s",
           op->reason[0] ? ": " : "", op->reason);
  PetscFunctionReturn(0);
}

/* Where the ranks form groups, each makes the same test. */
PetscErrorCode fm_operator_dot_test(fm_operator *op, PetscInt part, const fm_real *model,
                                    uint64_t seed, double *error) {
  Vec x, d, dx, gx, dd, jdx;
  PetscReal norm_j, norm_d;
  PetscScalar left, right;

  PetscFunctionBegin;
  PetscCall(fm_operator_create_vecs(op, part, &x, &d));
  PetscCall(VecDuplicate(x, &dx));
  PetscCall(VecDuplicate(x, &gx));
  PetscCall(VecDuplicate(d, &dd));
  PetscCall(VecDuplicate(d, &jdx));
  PetscCall(linearize(op, part, model, x, d));
  PetscCall(fill(seed, 1, dx));
  PetscCall(fill(seed, 2, dd));
  PetscCall(fm_operator_jvp(op, part, dx, jdx));
  PetscCall(fm_operator_vjp(op, part, dd, gx));
  PetscCall(VecDot(jdx, dd, &left));
  PetscCall(VecDot(dx, gx, &right));
  PetscCall(VecNorm(jdx, NORM_2, &norm_j));
  PetscCall(VecNorm(dd, NORM_2, &norm_d));
  *error = PetscAbsReal(left - right) / PetscMax(norm_j * norm_d, 1e-300);
  for (Vec *all[] = {&x, &d, &dx, &gx, &dd, &jdx}, **v = all; v < all + 6; v++)
    PetscCall(VecDestroy(*v));
  PetscFunctionReturn(0);
}
