/* born - the linearised acoustic operator at a background: d = F'(background) x, where x is a
   perturbation of the unknown that -acoustic_unknown declares. It takes acoustic's options; the
   background is -acoustic_background. Linear, and its transpose is that of `acoustic`: a
   low-fidelity twin. */
#include "acoustic.h"

const fm_option fm_born_options[] = {{NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static PetscErrorCode born_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                     PetscBool *ok) {
  PetscFunctionBegin;
  op->reason[0] = 0;
  PetscCall(fm_acoustic_jvp(op, part, x, d));
  PetscFunctionReturn(0);
}

/* The time loop remembers the wave field of a shot for the next adjoint: not that of another
   shot. */
static PetscErrorCode born_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  fm_acoustic *a = (fm_acoustic *)op->data;

  PetscFunctionBegin;
  if (a->adjoint_part != part) PetscCall(fm_acoustic_set_velocity(a));
  a->adjoint_part = part;
  PetscCall(fm_acoustic_vjp(op, part, dd, gx));
  PetscFunctionReturn(0);
}

static const fm_operator_ops born_ops = {.linearize = born_linearize,
                                         .jvp = fm_acoustic_jvp,
                                         .vjp = born_vjp,
                                         .create_vecs = fm_acoustic_create_vecs,
                                         .part_range = fm_acoustic_part_range,
                                         .encode = fm_acoustic_encode,
                                         .destroy = fm_acoustic_destroy};

/* A background that a model of `acoustic` could be. */
static PetscErrorCode check_background(fm_operator *op, const fm_acoustic *a) {
  const fm_velocity *v = a->velocity;
  double low, high;
  int64_t place;

  PetscFunctionBegin;
  fm_check(v->background, op->space, PETSC_ERR_USER,
           "the operator born needs -acoustic_background: a velocity in m/s or FILE:/dataset");
  fm_check(!fm_acoustic_model_fault(a, v->background, op->reason, sizeof(op->reason)),
           op->space, PETSC_ERR_USER, "-acoustic_background: %s", op->reason);
  fm_velocity_extremes(v, v->background, &low, &high, &place);
  fm_check(v->unknown != FM_UNKNOWN_BOUNDED || (low > v->low && high < v->high), op->space,
           PETSC_ERR_USER,
           "-acoustic_background is %.6g to %.6g m/s, not between -acoustic_velocity_min %.6g "
           "and -acoustic_velocity_max %.6g",
           low, high, v->low, v->high);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_born_create(fm_operator *op) {
  fm_acoustic *a;

  PetscFunctionBegin;
  op->ops = &born_ops;
  PetscCall(fm_acoustic_setup(op));
  a = (fm_acoustic *)op->data;
  PetscCall(check_background(op, a));
  a->adjoint_part = -1;
  PetscCall(PetscArraycpy(a->c, a->velocity->background, (size_t)op->x_size));
  fm_velocity_slope(a->velocity, a->c, a->slope);
  PetscCall(fm_acoustic_set_velocity(a));
  PetscFunctionReturn(0);
}
