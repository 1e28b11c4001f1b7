#include "fathom/tilt.h"
#include <math.h>

#define PLAIN 0.4 /* of each level's share: the copy without a tilt */
#define POWER 1.5 /* of exp(q_k) in the others */
#define LEVELS 5
static const double level[LEVELS] = {1., 0.75, 0.55, 0.4, 0.28};
static const double share[LEVELS] = {0.5, 0.125, 0.125, 0.125, 0.125};

static void add(fm_tilt *t, int64_t j, double cold, double power, int64_t unknown,
                double of_all) {
  t->cold[j] = cold;
  t->power[j] = power;
  t->unknown[j] = unknown;
  t->share[j] = of_all;
  t->log_share[j] = log(of_all);
}

PetscErrorCode fm_tilt_create(int64_t n, fm_tilt **tilt) {
  int64_t j = 0;
  fm_tilt *t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  t->n = n;
  t->count = LEVELS * (1 + n);
  PetscCall(fm_calloc(t->count, &t->cold));
  PetscCall(fm_calloc(t->count, &t->power));
  PetscCall(fm_calloc(t->count, &t->unknown));
  PetscCall(fm_calloc(t->count, &t->share));
  PetscCall(fm_calloc(t->count, &t->log_share));
  PetscCall(fm_calloc(t->count, &t->log_c));
  for (int l = 0; l < LEVELS; l++) {
    add(t, j++, level[l], 0., 0, PLAIN * share[l]);
    for (int64_t k = 0; k < n; k++)
      add(t, j++, level[l], level[l] * POWER, k, (1. - PLAIN) * share[l] / (double)n);
  }
  *tilt = t;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tilt_destroy(fm_tilt **tilt) {
  fm_tilt *t = *tilt;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(PetscFree(t->cold));
  PetscCall(PetscFree(t->power));
  PetscCall(PetscFree(t->unknown));
  PetscCall(PetscFree(t->share));
  PetscCall(PetscFree(t->log_share));
  PetscCall(PetscFree(t->log_c));
  PetscCall(PetscFree(*tilt));
  PetscFunctionReturn(0);
}

static double exponent(const fm_tilt *t, int64_t j, double value, const double *q) {
  return (1. - t->cold[j]) * value + t->power[j] * q[t->unknown[j]];
}

/* Of the sum t, its logarithm. */
static double term(const fm_tilt *t, int64_t j, double value, const double *q) {
  return t->log_share[j] + exponent(t, j, value, q) - t->log_c[j];
}

double fm_tilt_log(const fm_tilt *t, double value, const double *q, double *gradient) {
  double top = -INFINITY, sum = 0., of_value = 1.;

  for (int64_t j = 0; j < t->count; j++) top = PetscMax(top, term(t, j, value, q));
  for (int64_t j = 0; j < t->count; j++) sum += exp(term(t, j, value, q) - top);
  for (int64_t j = 0; gradient && j < t->count; j++)
    of_value -= (1. - t->cold[j]) * exp(term(t, j, value, q) - top) / sum;
  for (int64_t k = 0; gradient && k < t->n; k++) gradient[k] *= of_value;
  for (int64_t j = 0; gradient && j < t->count; j++)
    gradient[t->unknown[j]] -= t->power[j] * exp(term(t, j, value, q) - top) / sum;
  return top + log(sum);
}

void fm_tilt_average(const fm_tilt *t, double log_weight, double value, const double *q,
                     PetscBool first, double *log_sum) {
  for (int64_t j = 0; j < t->count; j++) {
    const double e = log_weight + exponent(t, j, value, q), high = PetscMax(e, log_sum[j]);

    log_sum[j] = first ? e : high + log1p(exp(PetscMin(e, log_sum[j]) - high));
  }
}

void fm_tilt_learn(const fm_tilt *t, double rate, double value, const double *q, double *rise) {
  const double log_t = fm_tilt_log(t, value, q, NULL);

  for (int64_t j = 1; j < t->count; j++)
    rise[j] += rate * (exp(term(t, j, value, q) - log_t) - t->share[j]);
}
