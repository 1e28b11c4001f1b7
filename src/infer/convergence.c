#include "fathom/convergence.h"
#include "fathom/diagnostics.h"
#include <math.h>
#include <stdlib.h>

/* ---- Fourier transform: autocovariance of long chains ---- */

/* z_f = sum_k z_k exp(-2 pi i f k / n), in place; n a power of two. `turn` holds the n/2 roots
   exp(-2 pi i k / n). Entries are (re, im). */
static void transform(int64_t n, const double *turn, double *z) {
  for (int64_t i = 1, j = 0; i < n; i++) {
    int64_t bit = n >> 1;

    for (; j & bit; bit >>= 1) j ^= bit;
    j |= bit;
    if (i < j)
      for (int c = 0; c < 2; c++) {
        const double swap = z[2 * i + c];

        z[2 * i + c] = z[2 * j + c];
        z[2 * j + c] = swap;
      }
  }
  for (int64_t half = 1; half < n; half *= 2)
    for (int64_t begin = 0; begin < n; begin += 2 * half)
      for (int64_t k = 0; k < half; k++) {
        const double *w = turn + 2 * k * (n / (2 * half));
        double *a = z + 2 * (begin + k), *b = a + 2 * half;
        const double re = w[0] * b[0] - w[1] * b[1], im = w[0] * b[1] + w[1] * b[0];

        b[0] = a[0] - re;
        b[1] = a[1] - im;
        a[0] += re;
        a[1] += im;
      }
}

/* Two chains at once, less their means, as the parts of complex numbers; zeros behind them. */
static void pack_pair(int64_t nchain, int64_t ndraw, const double *x, int64_t c, int64_t n,
                      double *z) {
  memset(z, 0, 2 * (size_t)n * sizeof(*z));
  for (int64_t part = 0; part < 2 && c + part < nchain; part++) {
    const double *of = x + (c + part) * ndraw;
    double mean = 0.;

    for (int64_t k = 0; k < ndraw; k++) mean += of[k] / (double)ndraw;
    for (int64_t k = 0; k < ndraw; k++) z[2 * k + part] = of[k] - mean;
  }
}

/* covariance[t] = mean over chains of 1/ndraw sum_k (x_k - mean)(x_{k+t} - mean). */
static PetscErrorCode autocovariance(int64_t nchain, int64_t ndraw, const double *x,
                                     double *covariance) {
  double *turn, *z, *power;
  int64_t n = 2;

  PetscFunctionBegin;
  while (n < 2 * ndraw) n *= 2;
  PetscCall(PetscCalloc3(n, &turn, 2 * n, &z, 2 * n, &power));
  for (int64_t k = 0; k < n / 2; k++) {
    turn[2 * k] = cos(2. * PETSC_PI * (double)k / (double)n);
    turn[2 * k + 1] = -sin(2. * PETSC_PI * (double)k / (double)n);
  }
  for (int64_t c = 0; c < nchain; c += 2) {
    pack_pair(nchain, ndraw, x, c, n, z);
    transform(n, turn, z);
    for (int64_t f = 0; f < n; f++) {
      const double *a = z + 2 * f, *b = z + 2 * ((n - f) % n);

      power[2 * f] += (a[0] * a[0] + a[1] * a[1] + b[0] * b[0] + b[1] * b[1]) / 2.;
    }
  }
  transform(n, turn, power); /* real and even: its own inverse but for 1/n */
  for (int64_t t = 0; t < ndraw; t++)
    covariance[t] = power[2 * t] / ((double)n * (double)ndraw * (double)nchain);
  PetscCall(PetscFree3(turn, z, power));
  PetscFunctionReturn(0);
}

/* ---- R-hat and effective sample size ---- */

/* Mean of the within-chain variances, and the pooled estimate of the variance. */
static void variances(int64_t nchain, int64_t ndraw, const double *x, double *within,
                      double *pooled) {
  const double m = (double)nchain, n = (double)ndraw;
  double grand = 0., between = 0.;

  *within = 0.;
  for (int64_t c = 0; c < nchain; c++)
    for (int64_t k = 0; k < ndraw; k++) grand += x[c * ndraw + k] / (m * n);
  for (int64_t c = 0; c < nchain; c++) {
    const double *of = x + c * ndraw;
    double mean = 0., square = 0.;

    for (int64_t k = 0; k < ndraw; k++) mean += of[k] / n;
    for (int64_t k = 0; k < ndraw; k++) square += (of[k] - mean) * (of[k] - mean);
    *within += square / (n - 1.) / m;
    between += (mean - grand) * (mean - grand);
  }
  *pooled = (n - 1.) / n * *within + (nchain > 1 ? between / (m - 1.) : 0.);
}

double fm_chains_rhat(int64_t nchain, int64_t ndraw, const double *x) {
  double within, pooled;

  variances(nchain, ndraw, x, &within, &pooled);
  return sqrt(pooled / within);
}

/* Integrated autocorrelation time from the pairs rho_2k + rho_2k+1, which for a reversible
   chain are positive and fall: they end at the first that is not positive, of which the even
   part may still count once, and are made to fall. */
static double autocorrelation_time(int64_t ndraw, const double *covariance, double within,
                                   double pooled) {
  const int64_t end = (ndraw - 3) / 2 * 2;
  double sum = 0., least = INFINITY;
  int64_t t = 0;

#define rho(lag) ((lag) ? 1. - (within - covariance[lag]) / pooled : 1.)
  for (; t < end; t += 2) {
    const double pair = rho(t) + rho(t + 1);

    if (pair <= 0.) break;
    least = PetscMin(least, pair);
    sum += least;
  }
  return 2. * sum - 1. + PetscMax(0., rho(t));
#undef rho
}

PetscErrorCode fm_chains_ess(int64_t nchain, int64_t ndraw, const double *x, double *ess) {
  const double total = (double)nchain * (double)ndraw;
  double *covariance, within, pooled, time;

  PetscFunctionBegin;
  *ess = (double)NAN;
  if (ndraw < 4) PetscFunctionReturn(0);
  variances(nchain, ndraw, x, &within, &pooled);
  if (!(within > 0.) || !isfinite(pooled)) PetscFunctionReturn(0);
  PetscCall(fm_calloc(ndraw, &covariance));
  PetscCall(autocovariance(nchain, ndraw, x, covariance));
  time = autocorrelation_time(ndraw, covariance, within, pooled);
  *ess = total / PetscMax(time, 1. / log10(total));
  PetscCall(PetscFree(covariance));
  PetscFunctionReturn(0);
}

/* ---- ranks ---- */

typedef struct {
  double value;
  int64_t at;
} ranked;

static int by_value(const void *a, const void *b) {
  const double left = ((const ranked *)a)->value, right = ((const ranked *)b)->value;

  return (left > right) - (left < right);
}

/* The quantile of N(0, 1): Abramowitz and Stegun 26.2.23, made exact by Halley's method. */
static double normal_quantile(double p) {
  const double tail = PetscMin(p, 1. - p), t = sqrt(-2. * log(tail));
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                 (1. + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
             t;

  for (int k = 0; k < 2; k++) {
    const double error = 0.5 * erfc(-x / sqrt(2.)) - tail;
    const double u = error * sqrt(2. * PETSC_PI) * exp(x * x / 2.);

    x -= u / (1. + x * u / 2.);
  }
  return p < 0.5 ? x : -x;
}

/* z_i = Phi^-1((rank_i - 3/8) / (N + 1/4)); equal values share their mean rank. */
static PetscErrorCode normal_scores(int64_t n, const double *x, double *z) {
  ranked *r;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &r));
  for (int64_t i = 0; i < n; i++) r[i] = (ranked){x[i], i};
  qsort(r, (size_t)n, sizeof(*r), by_value);
  for (int64_t i = 0, end; i < n; i = end) {
    double score;

    for (end = i + 1; end < n && r[end].value == r[i].value;) end++;
    score = normal_quantile(((double)(i + 1 + end) / 2. - 0.375) / ((double)n + 0.25));
    for (int64_t k = i; k < end; k++) z[r[k].at] = score;
  }
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

/* ---- all of them ---- */

/* Each chain as two, [2 nchain][ndraw/2]; of an odd number the middle draw is left out. */
static void split(int64_t nchain, int64_t ndraw, const double *x, double *halves) {
  const int64_t half = ndraw / 2;

  for (int64_t c = 0; c < nchain; c++) {
    memcpy(halves + 2 * c * half, x + c * ndraw, (size_t)half * sizeof(*x));
    memcpy(halves + (2 * c + 1) * half, x + (c + 1) * ndraw - half, (size_t)half * sizeof(*x));
  }
}

static void moments(int64_t n, const double *x, double *mean, double *std) {
  double square = 0.;

  *mean = 0.;
  for (int64_t i = 0; i < n; i++) *mean += x[i] / (double)n;
  for (int64_t i = 0; i < n; i++) square += (x[i] - *mean) * (x[i] - *mean);
  *std = sqrt(square / ((double)n - 1.));
}

static PetscErrorCode ess_of_tails(int64_t nchain, int64_t ndraw, const double *x,
                                   const double *halves, double *work, double *ess) {
  const double p[] = {0.05, 0.95};
  double quantile[2], each[2];

  PetscFunctionBegin;
  PetscCall(fm_samples_quantiles(nchain * ndraw, 1, x, 0, 2, p, quantile));
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < 2 * nchain * (ndraw / 2); i++) work[i] = halves[i] <= quantile[k];
    PetscCall(fm_chains_ess(2 * nchain, ndraw / 2, work, &each[k]));
  }
  *ess = PetscMin(each[0], each[1]);
  PetscFunctionReturn(0);
}

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

/* R-hat of the distances to the median, rank-normalised: sees chains that differ in spread. The
   median of an even number of draws is the mean of two, so that these two tie. */
static PetscErrorCode rhat_of_tails(int64_t nchain, int64_t half, const double *halves,
                                    double *work, double *rhat) {
  const int64_t n = nchain * half;
  double median;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(work, halves, n));
  qsort(work, (size_t)n, sizeof(*work), ascending);
  median = (work[(n - 1) / 2] + work[n / 2]) / 2.;
  for (int64_t i = 0; i < n; i++) work[i] = fabs(halves[i] - median);
  PetscCall(normal_scores(n, work, work));
  *rhat = fm_chains_rhat(nchain, half, work);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_convergence_of(int64_t nchain, int64_t ndraw, const double *x,
                                 fm_convergence *c) {
  const int64_t half = ndraw / 2, n = 2 * nchain * half;
  double *halves, *work, tails;

  PetscFunctionBegin;
  moments(nchain * ndraw, x, &c->mean, &c->std);
  c->rhat = c->ess_bulk = c->ess_tail = c->ess_mean = c->mcse = (double)NAN;
  if (ndraw < 4 || !(c->std > 0.)) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(n, &halves, n, &work));
  split(nchain, ndraw, x, halves);
  PetscCall(fm_chains_ess(2 * nchain, half, halves, &c->ess_mean));
  c->mcse = c->std / sqrt(c->ess_mean);
  PetscCall(ess_of_tails(nchain, ndraw, x, halves, work, &c->ess_tail));
  PetscCall(rhat_of_tails(2 * nchain, half, halves, work, &tails));
  PetscCall(normal_scores(n, halves, work));
  PetscCall(fm_chains_ess(2 * nchain, half, work, &c->ess_bulk));
  c->rhat = PetscMax(fm_chains_rhat(2 * nchain, half, work), tails);
  PetscCall(PetscFree2(halves, work));
  PetscFunctionReturn(0);
}
