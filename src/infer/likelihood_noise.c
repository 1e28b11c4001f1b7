/* The noise of the data, from options. */
#include "fathom/likelihood.h"
#include "fathom/store.h"
#include <math.h>

static int64_t count_of(int ndim, const int64_t *shape) {
  int64_t count = ndim ? 1 : 0;

  for (int k = 0; k < ndim; k++) count *= shape[k];
  return count;
}

static PetscErrorCode check_noise(MPI_Comm comm, int64_t n, const double *sigma, int64_t m) {
  PetscFunctionBegin;
  fm_check(n, comm, PETSC_ERR_USER,
           "the likelihood needs -noise_std: a number, a list or FILE:/dataset");
  fm_check(n == 1 || n == m, comm, PETSC_ERR_USER,
           "-noise_std has %lld numbers: one, or one for each of the %lld data, is needed",
           (long long)n, (long long)m);
  for (int64_t i = 0; i < n; i++)
    fm_check(sigma[i] > 0 && isfinite(sigma[i]), comm, PETSC_ERR_USER,
             "-noise_std must be positive: got %.6g at entry %lld of %lld", sigma[i],
             (long long)i, (long long)n);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_likelihood_noise_std(MPI_Comm comm, int64_t m, double *sigma) {
  int64_t shape[FM_STORE_NDIM], n;
  PetscErrorCode code;
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, "noise_std", &ndim, shape, &given));
  n = count_of(ndim, shape);
  code = check_noise(comm, n, given, m);
  for (int64_t i = 0; i < m && !code; i++) sigma[i] = given[n == 1 ? 0 : i];
  PetscCall(PetscFree(given));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* P e has independent coordinates in the subspace where e has one std. */
static PetscErrorCode check_one_noise(MPI_Comm comm, const fm_operator *op, int64_t m,
                                      const double *sigma) {
  const int64_t rank = fm_operator_rank(op);

  PetscFunctionBegin;
  for (int64_t i = 0; i < m && rank < m; i++)
    fm_check(
        sigma[i] == sigma[0], comm, PETSC_ERR_USER,
        "-noise_std is %.6g at datum %lld and %.6g at datum 0: the data of this operator lie "
        "in a subspace of %lld dimensions, for which it must be one number",
        sigma[i], (long long)i, sigma[0], (long long)rank);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_likelihood_noise_of(MPI_Comm comm, fm_operator *op, double *sigma) {
  int64_t n, m;

  PetscFunctionBegin;
  PetscCall(fm_operator_sizes(op, &n, &m));
  PetscCall(fm_likelihood_noise_std(comm, m, sigma));
  PetscCall(check_one_noise(comm, op, m, sigma));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_mask(MPI_Comm comm, int64_t n, const double *mask, int64_t m) {
  int64_t ones = 0;

  PetscFunctionBegin;
  fm_check(n == m, comm, PETSC_ERR_USER,
           "-data_mask has %lld entries: one for each of the %lld data is needed", (long long)n,
           (long long)m);
  for (int64_t i = 0; i < n; i++) {
    fm_check(mask[i] == 0 || mask[i] == 1, comm, PETSC_ERR_USER,
             "-data_mask takes 0 and 1: got %.6g at entry %lld", mask[i], (long long)i);
    ones += mask[i] == 1;
  }
  fm_check(ones, comm, PETSC_ERR_USER, "-data_mask leaves out every one of the %lld data",
           (long long)m);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_likelihood_mask(MPI_Comm comm, int64_t m, PetscBool *counts) {
  PetscErrorCode code = 0;
  int64_t shape[FM_STORE_NDIM];
  double *mask;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, "data_mask", &ndim, shape, &mask));
  if (ndim) code = check_mask(comm, count_of(ndim, shape), mask, m);
  for (int64_t i = 0; i < m && !code; i++)
    counts[i] = (!ndim || mask[i] == 1) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(mask));
  PetscCall(code);
  PetscFunctionReturn(0);
}
