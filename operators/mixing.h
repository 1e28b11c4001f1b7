/* mixing - the random convolution of n numbers,

       M v = sgn . ifft(phase . fft(v)),

   with random signs sgn and a random phase of modulus 1, phase_-k = conj(phase_k) (+-1 where
   k = -k): M is real and orthogonal.
   Source: J. Romberg, "Compressive sensing by random convolution", SIAM Journal on Imaging
   Sciences 2 (2009). */
#ifndef FATHOM_MIXING_H
#define FATHOM_MIXING_H

#include "fathom/fft.h"

#define FM_MIXING_STEPS 2 /* of FM_STREAM_ROMBERG that M is drawn from; others are free */

typedef struct fm_mixing {
  int64_t n;
  fm_fft *fft;        /* of [n] */
  double (*phase)[2]; /* [n/2 + 1] real and imaginary part */
  double *sign;       /* [n] +-1 */
} fm_mixing;

/* fm_mixing_create - M named by its seed: the same on every rank. Not collective. */
PetscErrorCode fm_mixing_create(int64_t n, uint64_t seed, fm_mixing *m);
PetscErrorCode fm_mixing_clear(fm_mixing *m);

/* v = M v; v = M^T v. Cost: two transforms of n numbers. */
void fm_mixing_apply(const fm_mixing *m, double *v);
void fm_mixing_transpose(const fm_mixing *m, double *v);

#endif
