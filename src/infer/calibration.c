#include "fathom/calibration.h"
#include "fathom/rng.h"
#include <math.h>
#include <stdlib.h>

#define NO_SPREAD 1e-6
#define CORRELATED 0.25
#define LOOKED_AT 512 /* unknowns, for the thinned ones */
#define BOOTSTRAPS 4000

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

double fm_crps_ensemble(int64_t count, const double *sorted, double truth) {
  const double s = (double)count;
  double error = 0, spread = 0;

  for (int64_t k = 0; k < count; k++) {
    error += fabs(sorted[k] - truth) / s;
    spread += (2. * (double)k - s + 1.) * (sorted[k] - sorted[0]); /* sum of pairs k < l */
  }
  return error - spread / (s * (s - 1.));
}

double fm_crps_gaussian(double mean, double std, double truth) {
  const double w = (truth - mean) / std, phi = exp(-w * w / 2) / sqrt(2 * PETSC_PI);

  return std * (w * erf(w / sqrt(2.)) + 2 * phi - 1 / sqrt(PETSC_PI));
}

double fm_rank_coverage(double rank, int64_t count, double p) {
  const double low = rank / ((double)count + 1.), high = (rank + 1.) / ((double)count + 1.);
  const double inside = fmin(high, (1 + p) / 2) - fmax(low, (1 - p) / 2);

  return fmax(0., inside) / (high - low);
}

/* Q_{k+2}(x) = Q_k(x) + (x/2)^{k/2} e^{-x/2} / Gamma(k/2 + 1), from Q_1 or Q_2. */
double fm_chi2_survival(double x, int64_t dof) {
  double q = dof % 2 ? erfc(sqrt(x / 2)) : exp(-x / 2);

  if (!(x > 0)) return 1;
  for (int64_t k = dof % 2 ? 1 : 2; k < dof; k += 2)
    q += exp((double)k / 2 * log(x / 2) - x / 2 - lgamma((double)k / 2 + 1));
  return q;
}

/* ---- one model ---- */

static void column(int64_t count, int64_t n, const double *x, double *v) {
  for (int64_t s = 0; s < count; s++) v[s] = x[s * n];
}

static double rank_of(int64_t count, const double *v, double truth) {
  double rank = 0;

  for (int64_t s = 0; s < count; s++) rank += v[s] < truth ? 1 : v[s] == truth ? 0.5 : 0;
  return rank;
}

static void moments(int64_t count, const double *v, double *mean, double *std) {
  double square = 0;

  *mean = 0;
  for (int64_t s = 0; s < count; s++) *mean += v[s] / (double)count;
  for (int64_t s = 0; s < count; s++) square += (v[s] - *mean) * (v[s] - *mean);
  *std = sqrt(square / ((double)count - 1.));
}

static double prior_crps(const fm_prior_samples *p, int64_t n, int64_t i, double truth,
                         double *v) {
  if (!p->count) return fm_crps_gaussian(p->mean, p->std, truth);
  column(p->count, n, p->x + i, v);
  qsort(v, (size_t)p->count, sizeof(*v), ascending);
  return fm_crps_ensemble(p->count, v, truth);
}

/* v: scratch. */
static void one_unknown(int64_t count, int64_t n, int64_t i, const double *x, double truth,
                        const fm_prior_samples *prior, double *v, double *z, double *rank,
                        fm_calibrated *c) {
  double mean, std;

  column(count, n, x + i, v);
  moments(count, v, &mean, &std);
  *z = *rank = (double)NAN;
  if (!(std > NO_SPREAD * fabs(mean))) return;
  *z = (truth - mean) / std;
  *rank = rank_of(count, v, truth);
  qsort(v, (size_t)count, sizeof(*v), ascending);
  c->used++;
  c->square_z += *z * *z;
  c->coverage_50 += fm_rank_coverage(*rank, count, 0.5);
  c->coverage_95 += fm_rank_coverage(*rank, count, 0.95);
  c->crps += fm_crps_ensemble(count, v, truth);
  c->crps_prior += prior_crps(prior, n, i, truth, v);
}

PetscErrorCode fm_calibrate_model(int64_t count, int64_t n, const double *x,
                                  const double *truth, const fm_prior_samples *prior, double *z,
                                  double *rank, fm_calibrated *c) {
  double *v, used;

  PetscFunctionBegin;
  *c = (fm_calibrated){0};
  PetscCall(PetscMalloc1((size_t)PetscMax(count, prior->count), &v));
  for (int64_t i = 0; i < n; i++)
    one_unknown(count, n, i, x, truth[i], prior, v, &z[i], &rank[i], c);
  PetscCall(PetscFree(v));
  used = (double)c->used;
  c->square_z /= used;
  c->coverage_50 /= used;
  c->coverage_95 /= used;
  c->crps /= used;
  c->crps_prior /= used;
  PetscFunctionReturn(0);
}

/* ---- nearly independent unknowns ---- */

/* Samples of unknown i less their mean, of length 1; false: no spread. */
static PetscBool normalized(int64_t count, int64_t n, int64_t i, const double *x, double *v) {
  double mean, std;

  column(count, n, x + i, v);
  moments(count, v, &mean, &std);
  if (!(std > NO_SPREAD * fabs(mean))) return PETSC_FALSE;
  for (int64_t s = 0; s < count; s++) v[s] = (v[s] - mean) / (std * sqrt((double)count - 1.));
  return PETSC_TRUE;
}

static PetscBool alone(int64_t count, int64_t found, const double *taken, const double *v) {
  for (int64_t k = 0; k < found; k++) {
    double correlation = 0;

    for (int64_t s = 0; s < count; s++) correlation += taken[k * count + s] * v[s];
    if (!(fabs(correlation) < CORRELATED)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode fm_calibrate_thin(int64_t count, int64_t n, const double *x, uint64_t seed,
                                 uint64_t model, int64_t most, int64_t *found, int64_t *index) {
  int64_t *order;
  double *taken;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &order, (most + 1) * count, &taken));
  fm_rng_permutation((fm_rng){seed, FM_STREAM_BOOTSTRAP}, 1 + model, n, order);
  *found = 0;
  for (int64_t k = 0; k < PetscMin(n, LOOKED_AT) && *found < most; k++) {
    double *v = taken + *found * count;

    if (normalized(count, n, order[k], x, v) && alone(count, *found, taken, v))
      index[(*found)++] = order[k];
  }
  PetscCall(PetscFree2(order, taken));
  PetscFunctionReturn(0);
}

/* ---- over models ---- */

PetscErrorCode fm_bootstrap_ratio(int64_t count, const double *top, const double *bottom,
                                  uint64_t seed, double *low, double *high) {
  double *ratio, *u;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(BOOTSTRAPS, &ratio, count, &u));
  for (int64_t b = 0; b < BOOTSTRAPS; b++) {
    double above = 0, below = 0;

    fm_rng_uniform((fm_rng){seed, FM_STREAM_BOOTSTRAP}, 0, (uint64_t)b, (size_t)count, u);
    for (int64_t k = 0; k < count; k++) {
      const int64_t model = PetscMin(count - 1, (int64_t)(u[k] * (double)count));

      above += top[model];
      below += bottom ? bottom[model] : 1.;
    }
    ratio[b] = above / below;
  }
  qsort(ratio, BOOTSTRAPS, sizeof(*ratio), ascending);
  *low = ratio[BOOTSTRAPS / 40];
  *high = ratio[BOOTSTRAPS - 1 - BOOTSTRAPS / 40];
  PetscCall(PetscFree2(ratio, u));
  PetscFunctionReturn(0);
}
