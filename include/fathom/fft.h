/* fm_fft - discrete Fourier transforms of real arrays of one or two dimensions, in double.

       forward    spectrum_k = sum_j real_j exp(-2 pi i (k0 j0/n0 + k1 j1/n1))
       backward   real_j = 1/(n0 n1) sum_k spectrum_k exp(+2 pi i (k0 j0/n0 + k1 j1/n1))

   A real array has spectrum_-k = conj(spectrum_k): of the last dimension n only the modes
   0..n/2 are kept, [n0][n1/2 + 1] complex numbers. Plans are estimated, not timed, and use one
   thread: the bits of a result depend on library and processor alone. Not collective.
   Library: FFTW 3 (Frigo and Johnson, Proceedings of the IEEE 93, 2005). */
#ifndef FATHOM_FFT_H
#define FATHOM_FFT_H

#include "fathom/types.h"

typedef struct fm_fft {
  int64_t size, modes;   /* real numbers; complex numbers that are kept */
  double *real;          /* [n0][n1] */
  double (*spectrum)[2]; /* [n0][n1/2 + 1] real and imaginary part */
  struct fm_fft_plans *plans;
} fm_fft;

/* fm_fft_create - for arrays of shape[ndim], ndim 1 or 2. The caller fills and reads
   fft->real and fft->spectrum, which belong to fft; both begin as 0. */
PetscErrorCode fm_fft_create(int ndim, const int64_t *shape, fm_fft **fft);
PetscErrorCode fm_fft_destroy(fm_fft **fft);

/* fm_fft_forward - spectrum from real. fm_fft_backward - real from spectrum, whose imaginary
   parts where k = -k do not count. Either leaves its input undefined.
   Cost: O(size log size). */
void fm_fft_forward(fm_fft *fft);
void fm_fft_backward(fm_fft *fft);

#endif
