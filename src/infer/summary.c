#include "fathom/diagnostics.h"
#include <math.h>
#include <stdlib.h>

void fm_samples_mean(int64_t count, int64_t n, const double *x, const double *w, double *mean) {
  double total = 0.;

  for (int64_t i = 0; i < n; i++) mean[i] = 0.;
  for (int64_t s = 0; s < count; s++) {
    const double weight = w ? w[s] : 1.;

    total += weight;
    for (int64_t i = 0; i < n; i++) mean[i] += weight * x[s * n + i];
  }
  for (int64_t i = 0; i < n; i++) mean[i] /= total;
}

void fm_samples_covariance(int64_t count, int64_t n, const double *x, const double *w,
                           const double *mean, double *cov) {
  double total = 0.;

  for (int64_t k = 0; k < n * n; k++) cov[k] = 0.;
  for (int64_t s = 0; s < count; s++) {
    const double weight = w ? w[s] : 1.;

    total += weight;
    for (int64_t i = 0; i < n; i++)
      for (int64_t k = 0; k < n; k++)
        cov[i * n + k] += weight * (x[s * n + i] - mean[i]) * (x[s * n + k] - mean[k]);
  }
  for (int64_t k = 0; k < n * n; k++) cov[k] /= total;
}

void fm_samples_std(int64_t count, int64_t n, const double *x, const double *w,
                    const double *mean, double *std) {
  double total = 0.;

  for (int64_t i = 0; i < n; i++) std[i] = 0.;
  for (int64_t s = 0; s < count; s++) {
    const double weight = w ? w[s] : 1.;

    total += weight;
    for (int64_t i = 0; i < n; i++)
      std[i] += weight * (x[s * n + i] - mean[i]) * (x[s * n + i] - mean[i]);
  }
  for (int64_t i = 0; i < n; i++) std[i] = sqrt(std[i] / total);
}

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

PetscErrorCode fm_samples_quantiles(int64_t count, int64_t n, const double *x, int64_t i,
                                    int np, const double *p, double *quantile) {
  double *sorted;

  PetscFunctionBegin;
  fm_check(count >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "quantiles of no samples");
  PetscCall(fm_calloc(count, &sorted));
  for (int64_t s = 0; s < count; s++) sorted[s] = x[s * n + i];
  qsort(sorted, (size_t)count, sizeof(*sorted), ascending);
  for (int k = 0; k < np; k++) {
    const double place = p[k] * ((double)count - 1.);
    const int64_t below = (int64_t)place, above = PetscMin(below + 1, count - 1);

    quantile[k] = sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
  }
  PetscCall(PetscFree(sorted));
  PetscFunctionReturn(0);
}
