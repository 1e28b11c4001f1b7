/* Cycle skipping: where a predicted trace lies more than half a period beside the observed one,
   the misfit has its minimum at the wrong cycle and its gradient points there.

   A lag is that of the largest correlation of the whole traces within a period of the wavelet's
   dominant frequency f: sum_t p(t + lag) o(t) over the overlap, its peak refined by a parabola.
   Source: J. Virieux, S. Operto, "An overview of full-waveform inversion", Geophysics 74
   (2009), WCC1: no skipping where the lag is below half a period. */
#ifndef FATHOM_CYCLES_H
#define FATHOM_CYCLES_H

#include "fathom/target.h"

/* fm_trace_lag - by how many samples `predicted` is late, in [-most, most]; NaN where their
   correlation is nowhere positive. Not collective. Cost: (2 most + 1) n. */
double fm_trace_lag(int64_t n, const double *observed, const double *predicted, int64_t most);

/* Traces judged are those whose observed energy, of the data that count, is more than twice
   what noise alone has, and where something is predicted. */
typedef struct fm_cycles {
  int64_t traces, judged, skipped;
  double share; /* skipped / judged; NaN: no traces, none judged, or the solve failed */
} fm_cycles;

/* fm_cycles_known - whether the operator's data are traces of a known frequency. */
PetscBool fm_cycles_known(const fm_target *target);
/* fm_cycles_measure - of the model x [n], the same on all ranks, against target->y. Collective
   on world. Cost: one diagnostic F a part, which the first rank of `sample` makes. */
PetscErrorCode fm_cycles_measure(fm_target *target, const fm_real *x, fm_cycles *cycles);

#endif
