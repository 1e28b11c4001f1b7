#include "fathom/objective.h"
#include <math.h>

int64_t fm_objective_steps_per_epoch(const fm_objective *o) { return o->steps_per_epoch; }
const char *fm_objective_name(const fm_objective *o) { return o->ops->name; }

int64_t fm_objective_batch(const fm_objective *o, int64_t step) {
  const int64_t first = (step % o->steps_per_epoch) * o->batch;

  return o->total ? PetscMin(o->batch, o->total - first) : o->batch;
}

double fm_objective_temperature(const fm_objective *o, int64_t step) {
  const fm_tempering *t = &o->tempering;

  if (!(t->first > 1) || step >= t->steps) return 1.;
  return exp(log(t->first) * (1. - (double)step / (double)t->steps));
}

PetscErrorCode fm_objective_items(fm_objective *o, int64_t step, int64_t first, int64_t count,
                                  int64_t *item) {
  const int64_t epoch = step / o->steps_per_epoch, in_epoch = step % o->steps_per_epoch;

  PetscFunctionBegin;
  if (!o->order) PetscCall(fm_calloc(o->total, &o->order));
  if (o->order_epoch != epoch)
    fm_rng_permutation(o->shuffle, (uint64_t)epoch, o->total, o->order);
  o->order_epoch = epoch;
  PetscCall(PetscArraycpy(item, o->order + in_epoch * o->batch + first, count));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_objective_start(fm_objective *o, fm_real *theta) {
  PetscFunctionBegin;
  PetscCall(o->ops->start(o, theta));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_objective_add(fm_objective *o, const fm_real *theta, int64_t step,
                                int64_t first, int64_t count, fm_share *share) {
  PetscFunctionBegin;
  PetscCall(o->ops->add(o, theta, step, first, count, share));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_objective_destroy(fm_objective **objective) {
  fm_objective *o = *objective;

  PetscFunctionBegin;
  if (!o) PetscFunctionReturn(0);
  PetscCall(o->ops->destroy(o));
  PetscCall(PetscFree(o->order));
  PetscCall(PetscFree(*objective));
  PetscFunctionReturn(0);
}
