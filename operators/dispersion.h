/* dispersion - between the samples that a user sees and those of the time loop.

   The second-order scheme u^{n+1} - 2 u^n + u^{n-1} = dt^2 (A u^n + s^n) moves at the angular
   frequency w' as the exact equation does at

       w = (2/dt) sin(w' dt/2),

   whatever A is. So the loop is given the wavelet whose spectrum at w' is that of the true one
   at w(w'), and the true spectrum of a trace at w is that of the loop's trace at w'(w). Both
   are linear: a sample is a short weighted sum of samples of the other kind, near those of the
   same phase, n cos(w' dt/2). The weights of each row are the least-squares fit of exp(i w t)
   by exp(i w' t') over 0 <= w <= 1.5 times the maximum frequency, less the identity, with a
   small weight on their size, so that what is beyond that band passes nearly as it is. Traces
   need a few samples more than the user sees: the time loop runs on.

   Source: C. Stork, "Eliminating nearly all dispersion error from FD modeling and RTM with
   minimal cost increase", 75th EAGE Conference (2013); E. F. M. Koene, J. O. A. Robertsson,
   F. Broggini and F. Andersson, "Eliminating time dispersion from seismic wave modeling",
   Geophysical Journal International 213 (2018), 169-180. The fit is our own. */
#ifndef FATHOM_DISPERSION_H
#define FATHOM_DISPERSION_H

#include "fathom/types.h"

typedef struct fm_dispersion fm_dispersion;

typedef struct fm_dispersion_spec {
  PetscBool transform;      /* false: wavelet and traces stay as they are */
  int64_t steps;            /* samples of the wavelet, t = 0 included */
  int64_t every;            /* sample 0, every, 2 every, ... becomes a datum */
  double dt, max_frequency; /* s, Hz */
} fm_dispersion_spec;

/* fm_dispersion_create - the weights. Fails (user error) where the transform would reach over
   more than 2048 samples: a large dt and a long record. Not collective.
   Cost: steps times the square of that reach, once. */
PetscErrorCode fm_dispersion_create(const fm_dispersion_spec *spec, fm_dispersion **d);
PetscErrorCode fm_dispersion_destroy(fm_dispersion **d);

int64_t fm_dispersion_steps(const fm_dispersion *d);   /* of the time loop, >= spec's */
int64_t fm_dispersion_samples(const fm_dispersion *d); /* of a recorded trace */

/* fm_dispersion_wavelet - out[steps of the loop] from wavelet[steps]. */
void fm_dispersion_wavelet(const fm_dispersion *d, const double *wavelet, double *out);

/* fm_dispersion_record - data[samples][nr] = Q trace, trace [steps of the loop][nr]. The
   numbers of a receiver do not depend on the others. Cost: samples times nr times the reach. */
void fm_dispersion_record(const fm_dispersion *d, int64_t nr, const fm_real *trace,
                          fm_real *data);
/* fm_dispersion_adjoint - trace = Q^T data, with the same weights; trace is overwritten. */
void fm_dispersion_adjoint(const fm_dispersion *d, int64_t nr, const fm_real *data,
                           fm_real *trace);

#endif
