/* fm_filter - zero-phase band filters and resampling of traces, in double.

       out_k = sum_j in_j dt_in h(start_out + k dt_out - start_in - j dt_in)

   h is the impulse response of a gain over frequency: 1 within a band, cosine tapers beside it,
   0 beyond (Ormsby's corners). A trace is zero before its first and after its last sample: near
   either end, within fm_band_length, what comes out knows nothing of what was not recorded.
   Not collective. */
#ifndef FATHOM_FILTER_H
#define FATHOM_FILTER_H

#include "fathom/types.h"

/* Hz, in order: the gain is 0 up to f[0], 1 from f[1] to f[2], 0 from f[3] on. f[0] = f[1] = 0:
   no low cut; f[2] = f[3] = INFINITY: no high cut. */
typedef struct fm_band {
  double f[4];
} fm_band;

#define FM_BAND_ALL                                                                            \
  (fm_band) {                                                                                  \
    { 0, 0, INFINITY, INFINITY }                                                               \
  }

/* fm_band_gain - sin^2(pi/2 (f - f0)/(f1 - f0)) on the low taper, cos^2(pi/2 (f - f2)/(f3 -
   f2)) on the high one. */
double fm_band_gain(const fm_band *band, double frequency);
/* fm_band_limited - PETSC_FALSE: the gain is 1 everywhere. */
PetscBool fm_band_limited(const fm_band *band);
/* fm_band_below - the band with corners of at most 0.8 and 1.0 Nyquist: what traces may keep
   that are sampled at or come from this Nyquist frequency [Hz]. */
fm_band fm_band_below(fm_band band, double nyquist);
/* fm_band_noise - what the filter leaves of the std of white noise whose Nyquist frequency is
   given: sqrt(int_0^nyquist gain^2 df / nyquist), in closed form; f[3] <= nyquist. */
double fm_band_noise(const fm_band *band, double nyquist);
/* fm_band_length - the time [s] beyond which, on either side, the impulse response has 1 % of
   int |h| dt; 0 for a band without limits. Cost: a transform of 16 tapers' lengths. */
PetscErrorCode fm_band_length(const fm_band *band, double *length);

typedef struct fm_filter_spec {
  int64_t n_in, n_out;
  double dt_in, dt_out;       /* s */
  double start_in, start_out; /* s, time of the first sample */
  fm_band band;               /* f[3] at most 1/(2 dt_in) */
} fm_filter_spec;

typedef struct fm_filter fm_filter;

/* fm_filter_create - for any number of traces of one kind. Where the band has no limits and
   every output sample is an input sample, samples are copied. Else by transforms of at least
   twice the trace and the filter's length, and from four times the rate by a Kaiser-windowed
   sinc of half-width 12 (error below 1e-9 of the largest sample). */
PetscErrorCode fm_filter_create(const fm_filter_spec *spec, fm_filter **filter);
PetscErrorCode fm_filter_destroy(fm_filter **filter);

/* fm_filter_apply - in [n_in], out [n_out], overwritten. Cost: O(N log N). */
void fm_filter_apply(fm_filter *filter, const double *in, double *out);

#endif
