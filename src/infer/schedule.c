#include "fathom/optimizer.h"
#include <math.h>

static double decayed(const fm_schedule *s, int64_t step) {
  const int64_t epoch = step / PetscMax(1, s->steps_per_epoch);
  const double done = s->steps > 0 ? PetscMin(1., (double)step / (double)s->steps) : 0.;

  if (s->decay == FM_DECAY_EXPONENTIAL) return s->rate * pow(s->factor, (double)epoch);
  if (s->decay == FM_DECAY_COSINE)
    return s->rate * (s->last + (1. - s->last) * 0.5 * (1. + cos(PETSC_PI * done)));
  return s->rate;
}

double fm_schedule_rate(const fm_schedule *s, int64_t step) {
  const double rise = s->warmup > 0 ? ((double)step + 1.) / (double)s->warmup : 1.;

  return decayed(s, step) * PetscMin(1., rise);
}

void fm_average_update(int64_t n, int64_t step, double power, const fm_real *restrict theta,
                       fm_real *restrict average) {
  const fm_real w = (fm_real)((power + 1.) / ((double)step + 1. + power));

  for (int64_t i = 0; i < n; i++) average[i] += w * (theta[i] - average[i]);
}
