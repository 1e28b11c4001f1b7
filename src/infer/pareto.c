#include "fathom/pareto.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* ---- the fit ---- */

/* k(b) = mean log(1 - b x): the shape where b = -k / sigma. */
static double shape_at(int64_t n, const double *x, double b) {
  double sum = 0.;

  for (int64_t i = 0; i < n; i++) sum += log1p(-b * x[i]);
  return sum / (double)n;
}

/* The posterior mean of b over `count` points, at which the prior's quantiles lie; `b` and
   `likelihood` are scratch [count]. */
static double mean_of_b(int64_t n, const double *x, int64_t count, double *b,
                        double *likelihood) {
  const double quarter = x[(int64_t)floor((double)n / 4. + 0.5) - 1];
  double top = -INFINITY, sum = 0., mean = 0.;

  for (int64_t j = 0; j < count; j++) {
    double k;

    b[j] = 1. / x[n - 1] + (1. - sqrt((double)count / ((double)j + 0.5))) / (3. * quarter);
    k = shape_at(n, x, b[j]);
    likelihood[j] = (double)n * (log(-b[j] / k) - k - 1.);
    top = PetscMax(top, likelihood[j]);
  }
  for (int64_t j = 0; j < count; j++) {
    const double weight = exp(likelihood[j] - top);

    sum += weight;
    mean += weight * b[j];
  }
  return mean / sum;
}

PetscErrorCode fm_pareto_fit(int64_t n, const double *x, double *k, double *sigma) {
  const int64_t count = 30 + (int64_t)sqrt((double)n);
  double *b, *likelihood, mean;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(count, &b, count, &likelihood));
  mean = mean_of_b(n, x, count, b, likelihood);
  *k = shape_at(n, x, mean);
  *sigma = -*k / mean;
  *k = ((double)n * *k + 10. * 0.5) / ((double)n + 10.);
  PetscCall(PetscFree2(b, likelihood));
  PetscFunctionReturn(0);
}

/* x(p): the quantile. */
static double quantile(double k, double sigma, double p) {
  if (fabs(k) < DBL_EPSILON) return -sigma * log1p(-p);
  return sigma * expm1(-k * log1p(-p)) / k;
}

/* ---- smoothing ---- */

typedef struct {
  double value;
  int64_t at;
} ranked;

static int by_value(const void *a, const void *b) {
  const double left = ((const ranked *)a)->value, right = ((const ranked *)b)->value;

  return (left > right) - (left < right);
}

/* The tail above `cut` (a log weight, the largest being 0): ranks [first, n). */
static PetscErrorCode smooth_tail(int64_t n, const ranked *r, int64_t first, double cut,
                                  double *log_weight, double *k_hat) {
  const int64_t count = n - first;
  const double base = exp(cut);
  double *x, sigma;

  PetscFunctionBegin;
  PetscCall(fm_calloc(count, &x));
  for (int64_t i = 0; i < count; i++) x[i] = exp(r[first + i].value) - base;
  PetscCall(fm_pareto_fit(count, x, k_hat, &sigma));
  for (int64_t i = 0; i < count && isfinite(*k_hat); i++) {
    const double p = ((double)i + 0.5) / (double)count;

    log_weight[r[first + i].at] = PetscMin(0., log(base + quantile(*k_hat, sigma, p)));
  }
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

static void normalize(int64_t n, double *log_weight) {
  double sum = 0.;

  for (int64_t i = 0; i < n; i++) sum += exp(log_weight[i]); /* the largest is at most 0 */
  for (int64_t i = 0; i < n; i++) log_weight[i] -= log(sum);
}

PetscErrorCode fm_pareto_smooth(int64_t n, double *log_weight, double *k_hat) {
  const double length = ceil(PetscMin((double)n / 5., 3. * sqrt((double)n)));
  int64_t first = PetscMax(0, n - (int64_t)length - 1);
  double top = -INFINITY, cut;
  ranked *r;

  PetscFunctionBegin;
  *k_hat = INFINITY;
  for (int64_t i = 0; i < n; i++) top = PetscMax(top, log_weight[i]);
  PetscCall(fm_calloc(n, &r));
  for (int64_t i = 0; i < n; i++) r[i] = (ranked){log_weight[i] -= top, i};
  qsort(r, (size_t)n, sizeof(*r), by_value);
  cut = PetscMax(r[first].value, log(DBL_MIN));
  while (first < n && r[first].value <= cut) first++;
  if (n - first > 4) PetscCall(smooth_tail(n, r, first, cut, log_weight, k_hat));
  normalize(n, log_weight);
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

void fm_weighted_mean(int64_t n, const double *log_weight, int64_t stride, const double *x,
                      double *mean, double *se) {
  double square = 0.;

  *mean = 0.;
  for (int64_t s = 0; s < n; s++) *mean += exp(log_weight[s]) * x[s * stride];
  for (int64_t s = 0; s < n; s++) {
    const double d = exp(log_weight[s]) * (x[s * stride] - *mean);

    square += d * d;
  }
  *se = sqrt(square);
}
