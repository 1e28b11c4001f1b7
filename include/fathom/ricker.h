/* ricker - the standard wavelet, and what a wavelet's spectrum says. */
#ifndef FATHOM_RICKER_H
#define FATHOM_RICKER_H

#include "fathom/types.h"

/* The maximum frequency of a Ricker wavelet is 2.5 times its peak: there its amplitude
   spectrum, q^2 exp(1 - q^2) with q = f / peak, has fallen to 1/30 of its maximum. */
#define FM_RICKER_MAXIMUM 2.5
#define FM_RICKER_DELAY 1.5 /* periods of the peak frequency before the peak, by default */

/* fm_ricker - out[n] = (1 - 2 a) exp(-a), a = (pi frequency (n dt - delay))^2.
   frequency [Hz] of the spectrum's peak; delay, dt [s].
   Source: N. Ricker, "The form and laws of propagation of seismic wavelets", Geophysics 18
   (1953), 10-40. */
void fm_ricker(double frequency, double delay, double dt, int64_t steps, double *out);

/* fm_wavelet_maximum - the frequency [Hz] above which the amplitude spectrum of wavelet[steps]
   stays below 1/30 of its maximum, found on 2048 lines up to Nyquist; 0 for a wavelet of zeros.
   Cost: 2048 steps. */
double fm_wavelet_maximum(double dt, int64_t steps, const double *wavelet);

#endif
