#include "fathom/fft.h"
#define FFTW_NO_Complex /* fftw_complex is double[2], although PETSc knows complex.h */
#include <fftw3.h>

struct fm_fft_plans {
  fftw_plan forward, backward;
};

PetscErrorCode fm_fft_create(int ndim, const int64_t *shape, fm_fft **out) {
  int n[2] = {1, 1};
  fm_fft *fft;

  PetscFunctionBegin;
  PetscAssert(ndim == 1 || ndim == 2, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%d dimensions", ndim);
  for (int d = 0; d < ndim; d++) PetscCall(PetscMPIIntCast((PetscInt)shape[d], &n[d]));
  PetscCall(PetscNew(&fft));
  PetscCall(PetscNew(&fft->plans));
  fft->size = (int64_t)n[0] * n[1];
  fft->modes = fft->size / n[ndim - 1] * (n[ndim - 1] / 2 + 1);
  fft->real = fftw_alloc_real((size_t)fft->size); /* aligned as FFTW likes it, always alike */
  fft->spectrum = fftw_alloc_complex((size_t)fft->modes);
  PetscCheck(fft->real && fft->spectrum, PETSC_COMM_SELF, PETSC_ERR_MEM,
             "no memory for a transform of %lld numbers", (long long)fft->size);
  fft->plans->forward = fftw_plan_dft_r2c(ndim, n, fft->real, fft->spectrum, FFTW_ESTIMATE);
  fft->plans->backward = fftw_plan_dft_c2r(ndim, n, fft->spectrum, fft->real, FFTW_ESTIMATE);
  PetscCheck(fft->plans->forward && fft->plans->backward, PETSC_COMM_SELF, PETSC_ERR_LIB,
             "FFTW has no plan for %d x %d numbers", n[0], n[1]);
  PetscCall(PetscArrayzero(fft->real, (size_t)fft->size));
  PetscCall(PetscArrayzero(fft->spectrum, (size_t)fft->modes));
  *out = fft;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_fft_destroy(fm_fft **fft) {
  PetscFunctionBegin;
  if (!*fft) PetscFunctionReturn(0);
  fftw_destroy_plan((*fft)->plans->forward);
  fftw_destroy_plan((*fft)->plans->backward);
  fftw_free((*fft)->real);
  fftw_free((*fft)->spectrum);
  PetscCall(PetscFree((*fft)->plans));
  PetscCall(PetscFree(*fft));
  PetscFunctionReturn(0);
}

void fm_fft_forward(fm_fft *fft) { fftw_execute(fft->plans->forward); }

void fm_fft_backward(fm_fft *fft) {
  const double scale = 1 / (double)fft->size;

  fftw_execute(fft->plans->backward);
  for (int64_t i = 0; i < fft->size; i++) fft->real[i] *= scale;
}
