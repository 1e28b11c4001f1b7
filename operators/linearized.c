#include "fathom/linearized.h"
#include "fathom/gather.h"
#include "fathom/operator_impl.h"

struct fm_linearized {
  fm_operator *op; /* borrowed */
  int64_t n, m;
  PetscInt nparts, groups, group;
  fm_real *x0;   /* [n] */
  double *base;  /* [m] F(x0) */
  Vec x, dx, gx; /* of the operator */
  fm_gather *of_x;
  double *product; /* [n] of one part */
};

static PetscErrorCode multiply(Vec v, const double *weight) {
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(VecGetOwnershipRange(v, &low, &high));
  PetscCall(VecGetArray(v, &mine));
  for (PetscInt i = low; i < high; i++) mine[i - low] *= weight[i];
  PetscCall(VecRestoreArray(v, &mine));
  PetscFunctionReturn(0);
}

/* What is multiplied: dd [nb][m], or weight [m] and dx [nb][n]. */
typedef struct {
  const double *dd, *weight, *dx;
} factor;

/* product = J_part^T (dd of item b), or J_part^T weight J_part dx, at the last linearize. */
static PetscErrorCode one_product(fm_linearized *lin, PetscInt part, int64_t b, const factor *f,
                                  Vec d) {
  int64_t first, count;
  const double *values;

  PetscFunctionBegin;
  PetscCall(fm_operator_part_range(lin->op, part, &first, &count));
  if (f->dd)
    PetscCall(fm_vec_set_doubles(d, f->dd + b * lin->m + first));
  else {
    PetscCall(fm_vec_set_doubles(lin->dx, f->dx + b * lin->n));
    PetscCall(fm_operator_jvp(lin->op, part, lin->dx, d));
    PetscCall(multiply(d, f->weight + first));
  }
  PetscCall(fm_operator_vjp(lin->op, part, d, lin->gx));
  PetscCall(fm_gather_read(lin->of_x, lin->gx, &values));
  PetscCall(PetscArraycpy(lin->product, values, (size_t)lin->n));
  PetscFunctionReturn(0);
}

static PetscErrorCode linearize(fm_linearized *lin, PetscInt part, Vec *d) {
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(fm_operator_create_vecs(lin->op, part, NULL, d));
  PetscCall(fm_operator_linearize(lin->op, part, lin->x, *d, &ok));
  fm_check(ok, PetscObjectComm((PetscObject)*d), PETSC_ERR_USER,
           "the operator cannot be linearised: %s", fm_operator_reason(lin->op));
  PetscFunctionReturn(0);
}

/* gx += the groups' products of the round of parts that begins at `first`, in their order. */
static PetscErrorCode add_round(fm_linearized *lin, PetscInt first, double *gx) {
  PetscMPIInt n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)lin->n, &n));
  for (PetscMPIInt g = 0; g < lin->groups && first + g < lin->nparts; g++) {
    double *from = lin->product;

    if (lin->groups > 1) {
      from = g == lin->group ? lin->product : lin->product + lin->n;
      PetscCallMPI(MPI_Bcast(from, n, MPI_DOUBLE, g, lin->op->space));
    }
    for (int64_t i = 0; i < lin->n; i++) gx[i] += from[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode products(fm_linearized *lin, int64_t nb, const factor *f, double *gx) {
  PetscFunctionBegin;
  PetscCall(PetscArrayzero(gx, (size_t)(nb * lin->n)));
  for (PetscInt first = 0; first < lin->nparts; first += lin->groups) {
    const PetscInt part = first + lin->group;
    Vec d = NULL;

    if (part < lin->nparts) PetscCall(linearize(lin, part, &d));
    for (int64_t b = 0; b < nb; b++) {
      if (d) PetscCall(one_product(lin, part, b, f, d));
      PetscCall(add_round(lin, first, gx + b * lin->n));
    }
    PetscCall(VecDestroy(&d));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_linearized_vjp(fm_linearized *lin, int64_t nb, const double *dd, double *gx) {
  PetscFunctionBegin;
  PetscCall(products(lin, nb, &(factor){.dd = dd}, gx));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_linearized_normal(fm_linearized *lin, const double *weight, int64_t nb,
                                    const double *dx, double *gx) {
  PetscFunctionBegin;
  PetscCall(products(lin, nb, &(factor){.weight = weight, .dx = dx}, gx));
  PetscFunctionReturn(0);
}

const double *fm_linearized_base(const fm_linearized *lin) { return lin->base; }

PetscErrorCode fm_linearized_create(fm_operator *op, const fm_real *x0, fm_linearized **out) {
  fm_linearized *lin;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(PetscNew(&lin));
  *out = lin;
  lin->op = op;
  PetscCall(fm_operator_sizes(op, &lin->n, &lin->m));
  PetscCall(fm_operator_parts(op, &lin->nparts));
  PetscCall(fm_operator_groups(op, &lin->groups, &lin->group));
  PetscCall(PetscMalloc3(lin->n, &lin->x0, lin->m, &lin->base, 2 * lin->n, &lin->product));
  PetscCall(PetscArraycpy(lin->x0, x0, (size_t)lin->n));
  PetscCall(fm_operator_forward(op, x0, lin->base, &ok));
  fm_check(ok, op->space, PETSC_ERR_USER, "the operator cannot be linearised: %s",
           fm_operator_reason(op));
  PetscCall(fm_operator_create_vecs(op, 0, &lin->x, NULL));
  PetscCall(VecDuplicate(lin->x, &lin->dx));
  PetscCall(VecDuplicate(lin->x, &lin->gx));
  PetscCall(fm_gather_create(lin->gx, &lin->of_x));
  PetscCall(fm_vec_set(lin->x, x0));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_linearized_destroy(fm_linearized **out) {
  fm_linearized *lin = *out;

  PetscFunctionBegin;
  if (!lin) PetscFunctionReturn(0);
  PetscCall(fm_gather_destroy(&lin->of_x));
  PetscCall(VecDestroy(&lin->x));
  PetscCall(VecDestroy(&lin->dx));
  PetscCall(VecDestroy(&lin->gx));
  PetscCall(PetscFree3(lin->x0, lin->base, lin->product));
  PetscCall(PetscFree(*out));
  PetscFunctionReturn(0);
}
