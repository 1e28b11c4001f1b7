#include "infer/rebuilt.h"
#include "fathom/log.h"
#include <math.h>

#define LINES 5 /* a rank's warnings */

static PetscBool watched(const fm_transport *t, int64_t step) {
  return !t->store && step % FM_REBUILT_EVERY == 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fm_rebuilt_begin(fm_rebuilt *r, const fm_transport *t, int64_t step, int64_t nb,
                                const fm_real *v) {
  PetscFunctionBegin;
  if (!watched(t, step)) PetscFunctionReturn(0);
  if (nb > r->capacity) {
    PetscCall(PetscFree(r->was));
    PetscCall(fm_calloc(nb * t->n, &r->was));
    r->capacity = nb;
  }
  PetscCall(PetscArraycpy(r->was, v, nb * t->n));
  PetscFunctionReturn(0);
}

/* |now - was| / |was| */
static double relative(int64_t n, const fm_real *was, const fm_real *now) {
  double difference = 0, norm = 0;

  for (int64_t i = 0; i < n; i++) {
    const double d = (double)now[i] - (double)was[i];

    difference += d * d;
    norm += (double)was[i] * (double)was[i];
  }
  return norm > 0 ? sqrt(difference / norm) : 0;
}

void fm_rebuilt_end(fm_rebuilt *r, const fm_transport *t, int64_t step, int64_t nb,
                    const fm_real *v, const PetscBool *ok) {
  double worst = 0;

  if (!watched(t, step)) return;
  for (int64_t s = 0; s < nb; s++)
    if (!ok || ok[s]) worst = fmax(worst, relative(t->n, r->was + s * t->n, v + s * t->n));
  if (worst > FM_REBUILT_LIMIT)
    fm_warn_anywhere(LINES,
                     "step %lld: the backward pass rebuilt its input with a relative error of "
                     "%.2g, more than %g: gradients suffer (-flow_memory store keeps it exact)",
                     (long long)step, worst, FM_REBUILT_LIMIT);
}
