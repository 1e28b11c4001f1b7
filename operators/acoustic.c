/* acoustic - d = u at receivers, (1/c^2) u_tt - lap u = f(t) delta(x - x_s): a part is a shot.

       x (the unknown, velocity.h) -> c -> time loop (wave2d.h) -> transforms of the traces
       (dispersion.h) -> d [receiver][time]

   jvp and vjp are the exact derivative of that chain and its exact transpose: layers,
   interpolation and transforms included. A point source of strength 1 has 1/(dz dx) in it.
   A solve fails, with op->reason, where the model is not positive or not finite, where dt is
   beyond the model's stability limit, and where the traces are not finite. */
#include "acoustic.h"
#include <math.h>

/* The power of two that brings the largest of values[n] to [1/2, 1). */
static double unit_of(int64_t n, const double *values) {
  double most = 0;
  int exponent;

  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(values[i]));
  if (!(most > 0 && most < INFINITY)) return 1;
  frexp(most, &exponent);
  return ldexp(1, exponent);
}

static void shot_of(const fm_acoustic *a, PetscInt part, fm_wave2d_shot *shot) {
  fm_survey_shot(a->survey, part, &a->amplitude, a->wavelet, shot);
  if (!a->sign) return;
  shot->nsource = a->survey->nshot;
  shot->source = a->survey->source_point;
  shot->amplitude = a->sign;
}

PetscErrorCode fm_acoustic_encode(fm_operator *op, const double *sign) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  const double strength = a->amplitude;

  PetscFunctionBegin;
  fm_check(!a->survey->moving, op->space, PETSC_ERR_USER,
           "-shots_encode: the receivers differ between the shots of -acoustic_receivers; "
           "encoded shots need the same, or take -shots_per_sample");
  a->adjoint_part = -1;
  PetscCall(PetscFree(a->sign));
  if (!sign) PetscFunctionReturn(0);
  PetscCall(fm_calloc(op->nparts, &a->sign));
  for (PetscInt p = 0; p < op->nparts; p++) a->sign[p] = strength * sign[p];
  PetscFunctionReturn(0);
}

/* ---- between traces and data ---- */

/* v = scale times the recorded traces, [receiver][time]; the finite verdict is that of all. */
static PetscErrorCode write_data(fm_acoustic *a, double scale, Vec v, PetscBool *finite) {
  const int64_t nr = a->survey->nreceiver;
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  fm_dispersion_record(a->dispersion, nr, a->trace, a->data);
  *finite = PETSC_TRUE;
  for (int64_t i = 0; i < a->samples * nr; i++)
    if (!isfinite(a->data[i])) *finite = PETSC_FALSE;
  PetscCall(VecGetOwnershipRange(v, &low, &high));
  PetscCall(VecGetArrayWrite(v, &mine));
  for (int64_t i = low, r = low / a->samples, t = low % a->samples; i < high; i++) {
    mine[i - low] = scale * (double)a->data[t * nr + r];
    if (++t == a->samples) t = 0, r++;
  }
  PetscCall(VecRestoreArrayWrite(v, &mine));
  PetscFunctionReturn(0);
}

/* The transpose: the traces of a cotangent, which is divided by *unit. */
static PetscErrorCode read_data(fm_acoustic *a, Vec v, double *unit) {
  const int64_t nr = a->survey->nreceiver;
  const double *all;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(a->of_d, v, &all));
  *unit = unit_of(a->samples * nr, all);
  for (int64_t r = 0; r < nr; r++)
    for (int64_t t = 0; t < a->samples; t++)
      a->data[t * nr + r] = (fm_real)(all[r * a->samples + t] / *unit);
  fm_dispersion_adjoint(a->dispersion, nr, a->data, a->trace);
  PetscFunctionReturn(0);
}

/* ---- solves ---- */

PetscErrorCode fm_acoustic_forward(fm_operator *op, PetscInt part, Vec d, PetscBool *ok) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  fm_wave2d_shot shot;

  PetscFunctionBegin;
  shot_of(a, part, &shot);
  PetscCall(fm_wave2d_forward(a->wave, &shot, op->taped, a->trace));
  PetscCall(write_data(a, a->unit, d, ok));
  if (!*ok)
    PetscCall(PetscSNPrintf(op->reason, sizeof(op->reason),
                            "the traces of shot %" PetscInt_FMT " are not finite", part));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  const int64_t nodes = a->nz * a->nx;
  const double *all;
  fm_wave2d_shot shot;
  double unit;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(a->of_x, dx, &all));
  PetscCall(fm_coordinates_map(a->coordinates, all, a->field));
  for (int64_t i = 0; i < nodes; i++) a->node[i] = a->slope[i] * a->field[i];
  unit = unit_of(nodes, a->node);
  for (int64_t i = 0; i < nodes; i++) a->node[i] /= unit;
  shot_of(a, part, &shot);
  PetscCall(fm_wave2d_born(a->wave, &shot, fm_acoustic_to_grid(a, a->node), a->trace));
  PetscCall(write_data(a, a->unit * unit, dd, &(PetscBool){0}));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  fm_wave2d_shot shot;
  PetscInt low, high;
  double *mine, unit;
  const double *g;

  PetscFunctionBegin;
  PetscCall(read_data(a, dd, &unit));
  shot_of(a, part, &shot);
  PetscCall(fm_wave2d_adjoint(a->wave, &shot, a->trace, a->grid));
  g = fm_acoustic_from_grid(a, a->grid);
  for (int64_t i = 0; i < a->nz * a->nx; i++)
    a->field[i] = a->slope[i] * g[i] * (a->unit * unit);
  PetscCall(fm_coordinates_transpose(a->coordinates, a->field, a->unknown));
  PetscCall(VecGetOwnershipRange(gx, &low, &high));
  PetscCall(VecGetArrayWrite(gx, &mine));
  for (PetscInt i = low; i < high; i++) mine[i - low] = a->unknown[i];
  PetscCall(VecRestoreArrayWrite(gx, &mine));
  PetscFunctionReturn(0);
}

/* The model of the following solves; *ok false, with a reason, where it cannot be solved with.
   Every rank of the group has all of it and comes to the same verdict. */
static PetscErrorCode set_model(fm_operator *op, Vec x, PetscBool *ok) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  PetscBool same;
  const double *all;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(a->of_x, x, &all));
  PetscCall(fm_coordinates_map(a->coordinates, all, a->field));
  fm_velocity_map(a->velocity, a->field, a->next, a->slope);
  *ok = !fm_acoustic_model_fault(a, a->next, op->reason, sizeof(op->reason));
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(PetscMemcmp(a->c, a->next, (size_t)(a->nz * a->nx) * sizeof(double), &same));
  if (same) PetscFunctionReturn(0);
  PetscCall(PetscArraycpy(a->c, a->next, (size_t)(a->nz * a->nx)));
  PetscCall(fm_acoustic_set_velocity(a));
  PetscFunctionReturn(0);
}

static PetscErrorCode acoustic_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                         PetscBool *ok) {
  PetscFunctionBegin;
  op->reason[0] = 0;
  PetscCall(set_model(op, x, ok));
  if (*ok)
    PetscCall(fm_acoustic_forward(op, part, d, ok));
  else
    PetscCall(VecSet(d, NAN));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_model(fm_operator *op, const double *x, double *model) {
  fm_acoustic *a = (fm_acoustic *)op->data;

  PetscFunctionBegin;
  PetscCall(fm_coordinates_map(a->coordinates, x, a->field));
  fm_velocity_map(a->velocity, a->field, model, a->node);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_unknown(fm_operator *op, const double *model, double *x) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  const fm_velocity *v = a->velocity;
  const PetscBool bounded = v->unknown == FM_UNKNOWN_BOUNDED ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  for (int64_t i = 0; i < a->nz * a->nx; i++)
    fm_check(model[i] > (bounded ? v->low : 0) && model[i] < (bounded ? v->high : INFINITY),
             PETSC_COMM_SELF, PETSC_ERR_USER,
             "a model has %.6g m/s at node [%lld][%lld], which no unknown has: %s", model[i],
             (long long)(i / a->nx), (long long)(i % a->nx),
             bounded ? "widen -acoustic_velocity_min and -acoustic_velocity_max"
                     : "velocities must be positive");
  fm_velocity_unknown(v, model, a->field);
  PetscCall(fm_coordinates_inverse(a->coordinates, a->field, x));
  PetscFunctionReturn(0);
}

static const fm_operator_ops acoustic_ops = {.linearize = acoustic_linearize,
                                             .jvp = fm_acoustic_jvp,
                                             .vjp = fm_acoustic_vjp,
                                             .create_vecs = fm_acoustic_create_vecs,
                                             .part_range = fm_acoustic_part_range,
                                             .encode = fm_acoustic_encode,
                                             .model = fm_acoustic_model,
                                             .unknown = fm_acoustic_unknown,
                                             .model_density = fm_acoustic_model_density,
                                             .destroy = fm_acoustic_destroy};

PetscErrorCode fm_acoustic_create(fm_operator *op) {
  PetscFunctionBegin;
  op->ops = &acoustic_ops;
  PetscCall(fm_acoustic_setup(op));
  PetscFunctionReturn(0);
}
