#include "fathom/informed.h"
#include "fathom/options.h"
#include "fathom/rng.h"
#include "fathom/store.h"
#include <math.h>

#define ORTHONORMAL 1e-6 /* what V^T V may miss of I */
#define PROBES 4

void fm_informed_power(const fm_informed *in, double power, const double *x, double *out) {
  const int64_t n = in->n;

  for (int64_t k = 0; k < in->rank; k++) {
    const double *v = in->vector + k * n;
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += v[i] * x[i];
    in->weight[k] = sum * (pow(1 + in->value[k], power) - 1);
  }
  if (out != x) memcpy(out, x, (size_t)n * sizeof(*out));
  for (int64_t k = 0; k < in->rank; k++) {
    const double *v = in->vector + k * n, weight = in->weight[k];

    for (int64_t i = 0; i < n; i++) out[i] += weight * v[i];
  }
}

double fm_informed_log_det(const fm_informed *in) {
  double sum = 0;

  for (int64_t k = 0; k < in->rank; k++) sum += log1p(in->value[k]);
  return sum;
}

/* ---- from a file ---- */

static PetscErrorCode read_sizes(MPI_Comm comm, const char *file, fm_store *store, int64_t n,
                                 fm_informed *in) {
  static const char *const names[] = {"/vectors", "/values", "/center"};
  int64_t shape[FM_STORE_NDIM];
  PetscBool has;
  int ndim;

  PetscFunctionBegin;
  for (int k = 0; k < 3; k++) {
    PetscCall(fm_store_has(store, names[k], &has));
    fm_check(has, comm, PETSC_ERR_USER,
             "'%s' has no %s: is it a file of `fathom informed` (OUT/informed.h5)?", file,
             names[k]);
  }
  PetscCall(fm_store_shape(store, "/vectors", &ndim, shape));
  fm_check(ndim == 2, comm, PETSC_ERR_USER, "/vectors of '%s' has %d dimensions, not 2", file,
           ndim);
  in->rank = shape[0];
  in->n = shape[1];
  fm_check(!n || in->n == n, comm, PETSC_ERR_USER,
           "'%s' is for %lld unknowns, but there are %lld: make it with the same "
           "-acoustic_coordinates and shape",
           file, (long long)in->n, (long long)n);
  PetscFunctionReturn(0);
}

/* What V^T V misses of I in any entry: all of E = V^T V - I would take rank^2 n operations, so
   that random signs c are asked, E c = V^T (V c) - c. */
static PetscErrorCode deviation(const fm_informed *in, double *most) {
  double *c, *sum;

  PetscFunctionBegin;
  *most = 0;
  PetscCall(PetscMalloc2(in->rank, &c, in->n, &sum));
  for (uint64_t probe = 0; probe < PROBES; probe++) {
    fm_rng_uniform((fm_rng){0, FM_STREAM_CHECK}, 0, probe, (size_t)in->rank, c);
    PetscCall(PetscArrayzero(sum, (size_t)in->n));
    for (int64_t k = 0; k < in->rank; k++) {
      c[k] = c[k] < 0.5 ? -1 : 1;
      for (int64_t i = 0; i < in->n; i++) sum[i] += c[k] * in->vector[k * in->n + i];
    }
    for (int64_t k = 0; k < in->rank; k++) {
      double miss = -c[k];

      for (int64_t i = 0; i < in->n; i++) miss += in->vector[k * in->n + i] * sum[i];
      *most = isfinite(miss) ? fmax(*most, fabs(miss)) : (double)INFINITY;
    }
  }
  PetscCall(PetscFree2(c, sum));
  PetscFunctionReturn(0);
}

/* V^T V = I, no value is negative, and the center is a model. */
static PetscErrorCode check(MPI_Comm comm, const char *file, const fm_informed *in) {
  double most;

  PetscFunctionBegin;
  for (int64_t k = 0; k < in->rank; k++)
    fm_check(in->value[k] >= 0 && isfinite(in->value[k]), comm, PETSC_ERR_USER,
             "/values of '%s': number %lld is %.6g, not 0 or more", file, (long long)k,
             in->value[k]);
  for (int64_t i = 0; i < in->n; i++)
    fm_check(isfinite(in->center[i]), comm, PETSC_ERR_USER,
             "/center of '%s': number %lld is %g", file, (long long)i, in->center[i]);
  PetscCall(deviation(in, &most));
  fm_check(most < ORTHONORMAL, comm, PETSC_ERR_USER,
           "/vectors of '%s' are not orthonormal: V^T V differs from I by about %.3g", file,
           most);
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, const char *file, fm_store *store, int64_t n,
                           fm_informed *in) {
  PetscFunctionBegin;
  PetscCall(read_sizes(comm, file, store, n, in));
  PetscCall(fm_calloc(in->rank * in->n, &in->vector));
  PetscCall(fm_calloc(in->rank, &in->value));
  PetscCall(fm_calloc(in->rank, &in->weight));
  PetscCall(fm_calloc(in->n, &in->center));
  PetscCall(fm_store_read(store, "/vectors", FM_FLOAT64, in->rank * in->n, in->vector));
  PetscCall(fm_store_read(store, "/values", FM_FLOAT64, in->rank, in->value));
  PetscCall(fm_store_read(store, "/center", FM_FLOAT64, in->n, in->center));
  PetscCall(check(comm, file, in));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_informed_load(MPI_Comm comm, const char *file, int64_t n,
                                fm_informed **informed) {
  PetscErrorCode code;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(PetscNew(informed));
  PetscCall(fm_store_open(comm, file, &store));
  code = fill(comm, file, store, n, *informed);
  PetscCall(fm_store_close(&store));
  if (code) PetscCall(fm_informed_destroy(informed));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_informed_destroy(fm_informed **informed) {
  fm_informed *in = *informed;

  PetscFunctionBegin;
  if (!in) PetscFunctionReturn(0);
  PetscCall(PetscFree(in->vector));
  PetscCall(PetscFree(in->value));
  PetscCall(PetscFree(in->center));
  PetscCall(PetscFree(in->weight));
  PetscCall(PetscFree(*informed));
  PetscFunctionReturn(0);
}
