/* What is said of one quantity. */
#include "reference.h"
#include "fathom/convergence.h"
#include <math.h>
#include <stdlib.h>

static const double levels[] = {0.05, 0.5, 0.95};

static void take(const fm_convergence *c, double *of) {
  of[FM_MEAN] = c->mean;
  of[FM_STD] = c->std;
  of[FM_MCSE] = c->mcse;
  of[FM_RHAT] = c->rhat;
  of[FM_ESS_BULK] = c->ess_bulk;
  of[FM_ESS_TAIL] = c->ess_tail;
}

/* The standard error of the mean as the chains' means have it, whatever goes on inside: NaN of
   one chain. */
static double between(int64_t nchain, int64_t ndraw, const double *v) {
  double sum = 0., square = 0., first = 0.;

  for (int64_t c = 0; c < nchain; c++) {
    double mean = 0.;

    for (int64_t k = 0; k < ndraw; k++) mean += v[c * ndraw + k] / (double)ndraw;
    if (!c) first = mean;
    sum += (mean - first) / (double)nchain;
    square += (mean - first) * (mean - first) / (double)nchain;
  }
  return sqrt(PetscMax(0., square - sum * sum) / (double)(nchain - 1));
}

/* ---- weighted draws ---- */

typedef struct {
  double value, weight;
} weighted;

static int by_value(const void *a, const void *b) {
  const double left = ((const weighted *)a)->value, right = ((const weighted *)b)->value;

  return (left > right) - (left < right);
}

/* The smallest values below which lies at least that share of the weight. */
static PetscErrorCode weighted_quantiles(int64_t count, const double *weight, const double *v,
                                         double *quantile) {
  weighted *r;
  double sum = 0.;
  int64_t at = 0;

  PetscFunctionBegin;
  PetscCall(fm_calloc(count, &r));
  for (int64_t i = 0; i < count; i++) r[i] = (weighted){v[i], weight[i]};
  qsort(r, (size_t)count, sizeof(*r), by_value);
  for (int k = 0; k < 3; k++) {
    while (at < count - 1 && sum + r[at].weight < levels[k] * (double)count)
      sum += r[at++].weight;
    quantile[k] = r[at].value;
  }
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

static PetscErrorCode describe_weighted(int64_t nchain, int64_t ndraw, const double *weight,
                                        const double *v, double *of) {
  const int64_t count = nchain * ndraw;
  double mean, variance, *term;
  fm_convergence c;

  PetscFunctionBegin;
  PetscCall(fm_calloc(count, &term));
  fm_samples_mean(count, 1, v, weight, &mean);
  fm_samples_covariance(count, 1, v, weight, &mean, &variance);
  for (int64_t i = 0; i < count; i++) term[i] = weight[i] * (v[i] - mean);
  PetscCall(fm_convergence_of(nchain, ndraw, term, &c));
  take(&c, of);
  of[FM_BETWEEN] = between(nchain, ndraw, term);
  of[FM_MEAN] = mean;
  of[FM_STD] = sqrt(variance);
  PetscCall(weighted_quantiles(count, weight, v, of + FM_QUANTILES));
  PetscCall(PetscFree(term));
  PetscFunctionReturn(0);
}

/* ---- all ---- */

PetscErrorCode fm_describe(int64_t nchain, int64_t ndraw, const double *weight, const double *v,
                           double *of) {
  fm_convergence c;

  PetscFunctionBegin;
  if (weight) {
    PetscCall(describe_weighted(nchain, ndraw, weight, v, of));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_convergence_of(nchain, ndraw, v, &c));
  take(&c, of);
  of[FM_BETWEEN] = between(nchain, ndraw, v);
  PetscCall(fm_samples_quantiles(nchain * ndraw, 1, v, 0, 3, levels, of + FM_QUANTILES));
  PetscFunctionReturn(0);
}

/* Relative to the largest: nothing overflows on the way. */
PetscErrorCode fm_describe_exp(int64_t nchain, int64_t ndraw, const double *weight, double *v,
                               double *of) {
  double top = v[0];

  PetscFunctionBegin;
  for (int64_t i = 0; i < nchain * ndraw; i++) top = PetscMax(top, v[i]);
  for (int64_t i = 0; i < nchain * ndraw; i++) v[i] = exp(v[i] - top);
  PetscCall(fm_describe(nchain, ndraw, weight, v, of));
  for (int k = 0; k < FM_SERIES; k++)
    if (k != FM_RHAT && k != FM_ESS_BULK && k != FM_ESS_TAIL) of[k] *= exp(top);
  PetscFunctionReturn(0);
}
