/* born - the acoustic operator linearised at the velocity -acoustic_background, which is x0 in
   the unknown of -acoustic_unknown:

       perturbation   d = F'(x0) x                     linear; x is a perturbation
       total          d = F(x0) + F'(x0) (x - x0)      x and d are those of `acoustic`

   by -born_data. Derivatives and their transposes are those of `acoustic` at x0. The options
   are acoustic's. As a twin of `acoustic` take `total`: pairs, observation and unknowns are
   then of one kind. It keeps F(x0) of each shot, one forward solve at its first use, which the
   ledger does not count. */
#include "acoustic.h"

const fm_option fm_born_options[] = {
    {"born_data", FM_OPTION_TEXT, "perturbation", FM_COMMANDS_PHYSICS,
     "born of a perturbation x of the background, F'(x0) x, or as a twin of acoustic with its "
     "unknown and its data, F(x0) + F'(x0) (x - x0): perturbation|total"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* ---- total ---- */

/* born_base[part] = F(x0), once. */
static PetscErrorCode make_base(fm_operator *op, PetscInt part, Vec d, PetscBool *ok) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  const PetscBool taped = op->taped;

  PetscFunctionBegin;
  if (a->born_base[part]) PetscFunctionReturn(0);
  op->taped = PETSC_FALSE;
  a->adjoint_part = -1;
  PetscCall(fm_acoustic_forward(op, part, d, ok));
  op->taped = taped;
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(VecDuplicate(d, &a->born_base[part]));
  PetscCall(VecCopy(d, a->born_base[part]));
  PetscFunctionReturn(0);
}

static PetscErrorCode subtract_centre(fm_acoustic *a, Vec x) {
  PetscInt low, high;
  const double *in;
  double *out;

  PetscFunctionBegin;
  PetscCall(VecGetOwnershipRange(x, &low, &high));
  PetscCall(VecGetArrayRead(x, &in));
  PetscCall(VecGetArrayWrite(a->born_step, &out));
  for (PetscInt i = low; i < high; i++) out[i - low] = in[i - low] - a->born_centre[i];
  PetscCall(VecRestoreArrayWrite(a->born_step, &out));
  PetscCall(VecRestoreArrayRead(x, &in));
  PetscFunctionReturn(0);
}

static PetscErrorCode total(fm_operator *op, PetscInt part, Vec x, Vec d, PetscBool *ok) {
  fm_acoustic *a = (fm_acoustic *)op->data;

  PetscFunctionBegin;
  PetscCall(make_base(op, part, d, ok));
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(subtract_centre(a, x));
  PetscCall(fm_acoustic_jvp(op, part, a->born_step, d));
  PetscCall(VecAXPY(d, 1, a->born_base[part]));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_total(fm_operator *op, fm_acoustic *a) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(op->x_size, &a->born_centre));
  fm_velocity_unknown(a->velocity, a->velocity->background, a->field);
  PetscCall(fm_coordinates_inverse(a->coordinates, a->field, a->born_centre));
  PetscCall(PetscCalloc1(op->nparts, &a->born_base));
  PetscCall(fm_operator_create_vecs(op, 0, &a->born_step, NULL));
  PetscCall(PetscStrlcat(op->description, ", total", sizeof(op->description)));
  PetscFunctionReturn(0);
}

/* ---- solves ---- */

static PetscErrorCode born_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                     PetscBool *ok) {
  const fm_acoustic *a = (const fm_acoustic *)op->data;

  PetscFunctionBegin;
  op->reason[0] = 0;
  if (a->born_centre)
    PetscCall(total(op, part, x, d, ok));
  else
    PetscCall(fm_acoustic_jvp(op, part, x, d));
  PetscFunctionReturn(0);
}

/* F(x0) of the shots as they were is no longer that of a part. */
static PetscErrorCode born_encode(fm_operator *op, const double *sign) {
  fm_acoustic *a = (fm_acoustic *)op->data;

  PetscFunctionBegin;
  PetscCall(fm_acoustic_encode(op, sign));
  for (PetscInt p = 0; a->born_base && p < op->nparts; p++)
    PetscCall(VecDestroy(&a->born_base[p]));
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
                                         .encode = born_encode,
                                         .model = fm_acoustic_model,
                                         .unknown = fm_acoustic_unknown,
                                         .model_density = fm_acoustic_model_density,
                                         .destroy = fm_acoustic_destroy};

/* ---- set-up ---- */

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
  int data;

  PetscFunctionBegin;
  op->ops = &born_ops;
  PetscCall(fm_option_choice("born_data", "perturbation|total", &data));
  PetscCall(fm_acoustic_setup(op));
  a = (fm_acoustic *)op->data;
  PetscCall(check_background(op, a));
  a->adjoint_part = -1;
  PetscCall(PetscArraycpy(a->c, a->velocity->background, (size_t)(a->nz * a->nx)));
  fm_velocity_slope(a->velocity, a->c, a->slope);
  PetscCall(fm_acoustic_set_velocity(a));
  if (data) PetscCall(create_total(op, a));
  PetscFunctionReturn(0);
}
