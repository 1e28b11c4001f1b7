#include "fathom/gaussian_fit.h"
#include <math.h>
#include <petscblaslapack.h>

#define TRIALS 16
#define LEAST_SHARE 0.005
#define HELD 5 /* one of so many rows is left out of the fits that choose the share */

/* Mean and std of the rows, std 1 where nothing varies: what differs from the first row is then
   0 to the last bit. */
static void moments(int64_t count, int64_t n, const double *x, double *mean, double *std) {
  for (int64_t k = 0; k < n; k++) std[k] = 0;
  for (int64_t k = 0; k < n; k++) mean[k] = x[k];
  for (int64_t i = 0; i < count; i++)
    for (int64_t k = 0; k < n; k++) mean[k] += (x[i * n + k] - x[k]) / (double)count;
  for (int64_t i = 0; i < count; i++)
    for (int64_t k = 0; k < n; k++) {
      const double d = x[i * n + k] - mean[k];

      std[k] += d * d / (double)count;
    }
  for (int64_t k = 0; k < n; k++) std[k] = std[k] > 0 ? sqrt(std[k]) : 1;
}

/* R [n][n], its lower triangle with columns first, of standardised rows. */
static PetscErrorCode correlations(int64_t count, const double *x, const fm_gaussian_fit *f,
                                   double *r) {
  const double one = 1. / (double)count, zero = 0;
  PetscBLASInt n, rows;
  double *w;

  PetscFunctionBegin;
  PetscCall(PetscBLASIntCast((PetscInt)f->n, &n));
  PetscCall(PetscBLASIntCast((PetscInt)count, &rows));
  PetscCall(PetscMalloc1(count * f->n, &w));
  for (int64_t i = 0; i < count * f->n; i++)
    w[i] = (x[i] - f->mean[i % f->n]) / f->std[i % f->n];
  BLASsyrk_("L", "N", &n, &rows, &one, w, &n, &zero, r, &n);
  PetscCall(PetscFree(w));
  PetscFunctionReturn(0);
}

/* The factor and the constant for one share, of R. */
static PetscErrorCode factorise(fm_gaussian_fit *f, const double *r, double share) {
  const int64_t n = f->n;
  PetscBLASInt size, info;

  PetscFunctionBegin;
  f->share = share;
  f->constant = 0.5 * (double)n * log(2 * PETSC_PI);
  for (int64_t k = 0; k < n; k++) f->constant += log(f->std[k]);
  if (share >= 1) PetscCall(PetscFree(f->factor));
  if (share >= 1) PetscFunctionReturn(0);
  if (!f->factor) PetscCall(PetscMalloc1(n * n, &f->factor));
  for (int64_t i = 0; i < n * n; i++) f->factor[i] = (1 - share) * r[i];
  for (int64_t k = 0; k < n; k++) f->factor[k * n + k] = 1; /* where nothing varies, too */
  PetscCall(PetscBLASIntCast((PetscInt)n, &size));
  LAPACKpotrf_("L", &size, f->factor, &size, &info);
  PetscCheck(info == 0, PETSC_COMM_SELF, PETSC_ERR_LIB, "LAPACK's potrf returned %d",
             (int)info);
  for (int64_t k = 0; k < n; k++) f->constant += log(f->factor[k * n + k]);
  PetscFunctionReturn(0);
}

double fm_gaussian_fit_nll(fm_gaussian_fit *f, const double *x) {
  const int64_t n = f->n;
  double sum = 0;

  for (int64_t k = 0; k < n; k++) f->work[k] = (x[k] - f->mean[k]) / f->std[k];
  for (int64_t k = 0; k < n; k++) {
    const double *column = f->factor + k * n; /* forward substitution */

    if (f->factor) f->work[k] /= column[k];
    for (int64_t i = k + 1; f->factor && i < n; i++) f->work[i] -= column[i] * f->work[k];
    sum += f->work[k] * f->work[k];
  }
  return f->constant + 0.5 * sum;
}

/* The share that makes rows most likely which a fit to the others has not seen. */
static PetscErrorCode choose(int64_t count, const double *x, fm_gaussian_fit *f, double *r,
                             double *share) {
  const int64_t seen = count - count / HELD;
  double best = (double)INFINITY;

  PetscFunctionBegin;
  *share = 1;
  moments(seen, f->n, x, f->mean, f->std);
  PetscCall(correlations(seen, x, f, r));
  for (int t = 0; t < TRIALS; t++) {
    const double trial = pow(LEAST_SHARE, 1 - (double)t / (TRIALS - 1));
    double nll = 0;

    PetscCall(factorise(f, r, trial));
    for (int64_t i = seen; i < count; i++) nll += fm_gaussian_fit_nll(f, x + i * f->n);
    if (nll < best) *share = trial;
    if (nll < best) best = nll;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(int64_t count, const double *x, double share, fm_gaussian_fit *f) {
  const int64_t n = f->n;
  double *r = NULL;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &f->mean, n, &f->std, n, &f->work));
  if (n > FM_GAUSSIAN_FIT_MOST) share = 1;
  if (share < 1) PetscCall(PetscMalloc1(n * n, &r));
  if (share < 0) PetscCall(choose(count, x, f, r, &share));
  moments(count, n, x, f->mean, f->std);
  if (share < 1) PetscCall(correlations(count, x, f, r));
  PetscCall(factorise(f, r, share));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_gaussian_fit_create(int64_t count, int64_t n, const double *x, double share,
                                      fm_gaussian_fit **fit) {
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCheck(count >= 2 * HELD, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
             "a Gaussian is fitted to %d rows or more, not %lld", 2 * HELD, (long long)count);
  PetscCall(PetscNew(fit));
  (*fit)->n = n;
  code = fill(count, x, share, *fit);
  if (code) PetscCall(fm_gaussian_fit_destroy(fit));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_gaussian_fit_destroy(fm_gaussian_fit **fit) {
  PetscFunctionBegin;
  if (!*fit) PetscFunctionReturn(0);
  PetscCall(PetscFree3((*fit)->mean, (*fit)->std, (*fit)->work));
  PetscCall(PetscFree((*fit)->factor));
  PetscCall(PetscFree(*fit));
  PetscFunctionReturn(0);
}
