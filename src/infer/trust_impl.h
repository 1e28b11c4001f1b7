/* Between the files of trust: what is measured at a sample, and the weights in the modes. */
#ifndef FM_TRUST_IMPL_H
#define FM_TRUST_IMPL_H

#include "fathom/trust.h"

/* Rows of samples in sample order; on rank 0 all of them, elsewhere NULL. Whitened units. */
typedef struct fm_trust_rows {
  int64_t count;  /* rows kept: those of good samples */
  int64_t width;  /* numbers of a row of `scalar` */
  double *scalar; /* [count][width] 1/2 |J^T d|^2, misfits of the parts; NaN: failed */
  fm_real *z;     /* [count][n] latents */
  fm_real *x;     /* [count][n] models less their constant mean */
  fm_real *d;     /* [count][n] grad log q - grad log p */
  fm_real *p;     /* [count][n] -grad log p */
  fm_real *g;     /* [count][n] J^T grad misfit */
} fm_trust_rows;

PetscErrorCode fm_trust_rows_measure(fm_target *target, fm_transport *transport,
                                     const fm_real *theta, const fm_trust_inputs *inputs,
                                     fm_trust_rows *rows);
PetscErrorCode fm_trust_rows_clear(fm_trust_rows *rows);

/* fm_trust_modes - the modes of rows->g, whose mean is already off, and the weights in them:
   fields modes to informed of *trust. Collective on world. */
PetscErrorCode fm_trust_modes(fm_target *target, fm_transport *transport, const fm_real *theta,
                              const fm_trust_inputs *inputs, const fm_trust_rows *rows,
                              fm_trust *trust);

#endif
