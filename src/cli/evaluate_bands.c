/* chi^2 of traces by octaves: noise that is not as white as -noise_std says it is, and signal
   that the model leaves in the residual, show here when the sum over all frequencies is right.

   Given the data, the residual of one posterior sample is distributed as the noise: white
   after the division by sigma. Of a trace of nt samples, of which `counted` are not masked out,
   |R_k|^2 has the mean `counted`, so that over a band

       chi^2 = sum c_k |R_k|^2 / sum c_k counted,   c_k = 1 for k = 0 and nt/2, else 2,

   is 1 +- sqrt(2 / data), data = sum c_k counted / nt. */
#include "evaluate.h"
#include "fathom/fft.h"
#include "fathom/likelihood.h"
#include <math.h>

/* Sums of one residual over the bands of f; r [m], 0 where masked out. */
static PetscErrorCode add_traces(fm_bands *b, int64_t m, const double *r,
                                 const PetscBool *counts, double power[FM_BANDS]) {
  fm_fft *fft;

  PetscFunctionBegin;
  PetscCall(fm_fft_create(1, &b->samples, &fft));
  for (int64_t at = 0; at + b->samples <= m; at += b->samples) {
    double counted = 0;

    for (int64_t k = 0; k < b->samples; k++) {
      fft->real[k] = r[at + k];
      counted += counts[at + k] ? 1 : 0;
    }
    fm_fft_forward(fft);
    for (int64_t k = 0; k < fft->modes; k++) {
      const double c = k == 0 || 2 * k == b->samples ? 1 : 2;
      const double *s = fft->spectrum[k];
      int band = b->bands - 1; /* the last reaches up to Nyquist's, each below half as far */

      for (int64_t top = b->samples / 2; band && 2 * k <= top; top /= 2) band--;
      power[band] += c * (s[0] * s[0] + s[1] * s[1]) / (double)b->samples;
      b->data[band] += c * counted / (double)b->samples;
    }
  }
  PetscCall(fm_fft_destroy(&fft));
  PetscFunctionReturn(0);
}

/* As many octaves as leave 8 modes or more in the lowest. */
static void set_bands(fm_bands *b, int64_t samples, double dt) {
  *b = (fm_bands){.samples = samples, .bands = 1};
  while (b->bands < FM_BANDS && samples >> (b->bands + 4)) b->bands++;
  for (int k = 0; k < b->bands; k++)
    b->top[k] = 0.5 / dt / (double)((int64_t)1 << (b->bands - 1 - k));
}

PetscErrorCode fm_bands_measure(fm_evaluation *e, const double *d, const double *sigma,
                                const PetscBool *counts) {
  double power[FM_BANDS] = {0}, dt, *r;
  const int64_t m = e->target->m;
  int64_t samples;

  PetscFunctionBegin;
  fm_operator_traces(e->target->op, &samples, &dt);
  if (samples < 2) PetscFunctionReturn(0);
  set_bands(&e->fit.octaves, samples, dt);
  PetscCall(PetscMalloc1((size_t)m, &r));
  for (int64_t k = 0; k < m; k++) r[k] = counts[k] ? (d[k] - e->target->y[k]) / sigma[k] : 0;
  PetscCall(add_traces(&e->fit.octaves, m, r, counts, power));
  for (int k = 0; k < e->fit.octaves.bands; k++)
    e->fit.octaves.chi2[k] = power[k] / e->fit.octaves.data[k];
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}
