/* Adam, learning-rate schedules, gradient clipping and Polyak averaging: arithmetic that every
   rank repeats identically. */
#ifndef FATHOM_OPTIMIZER_H
#define FATHOM_OPTIMIZER_H

#include "fathom/types.h"

typedef enum fm_decay {
  FM_DECAY_CONSTANT = 0,
  FM_DECAY_EXPONENTIAL = 1,
  FM_DECAY_COSINE = 2
} fm_decay;
#define FM_DECAY_CHOICES "constant|exponential|cosine"

typedef struct fm_schedule {
  fm_decay decay;
  double rate;   /* at step 0 */
  double factor; /* exponential: multiplies the rate after each epoch */
  double last;   /* cosine: the rate at the last step, as a fraction of `rate` */
  int64_t steps, steps_per_epoch;
  int64_t warmup; /* steps over which the rate rises linearly to what the decay says; 0: none */
} fm_schedule;

/* fm_schedule_rate - constant: r; exponential: r factor^floor(step / steps_per_epoch);
   cosine: r (last + (1 - last) (1 + cos(pi step / steps)) / 2).
   all times min(1, (step + 1) / warmup). */
double fm_schedule_rate(const fm_schedule *schedule, int64_t step);

/* Adam (Kingma and Ba 2015): m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
   theta -= rate m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps), t = step + 1. */
typedef struct fm_optimizer {
  int64_t n;
  double beta1, beta2, epsilon, clip; /* clip: largest global norm of the gradient, 0: none */
  fm_real *m, *v;                     /* owned, [n] */
} fm_optimizer;

PetscErrorCode fm_optimizer_create(int64_t n, double clip, fm_optimizer **optimizer);
PetscErrorCode fm_optimizer_destroy(fm_optimizer **optimizer);
/* fm_optimizer_step - clips grad in place, then updates theta; *norm is the norm before
   clipping. Not collective. */
PetscErrorCode fm_optimizer_step(fm_optimizer *optimizer, int64_t step, double rate,
                                 fm_real *grad, fm_real *theta, double *norm);

/* fm_average_update - polynomial-decay averaging (Shamir and Zhang 2013):
   average += w (theta - average), w = (power + 1)/(step + 1 + power): step 0 sets it; the last
   1/(power+1) of the steps dominate. */
void fm_average_update(int64_t n, int64_t step, double power, const fm_real *theta,
                       fm_real *average);

#endif
