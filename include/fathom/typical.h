/* fm_typical - whether an observation is of the kind that a flow was trained on. A flow maps
   its
   pairs to latents with |z|^2 / n near 1; an observation whose z_y lies far from what they had
   is outside the range of the pretraining, and amortised samples at it are an extrapolation. */
#ifndef FATHOM_TYPICAL_H
#define FATHOM_TYPICAL_H

#include "fathom/comm.h"
#include "fathom/dataset.h"
#include "fathom/transport.h"

/* fm_typical_of_pairs - set transport->typical: mean and standard deviation of |z|^2 / n of
   either lane over the first rows (64 at most). Shared over the sample communicator, collective
   on it; the same numbers on any number of ranks. Cost: one pass of the flow a row. */
PetscErrorCode fm_typical_of_pairs(const fm_comm *comm, fm_transport *transport,
                                   const fm_real *theta, fm_dataset *data, int64_t nrow,
                                   const int64_t *row);

/* fm_typical_surprise - how many standard deviations of the pairs the conditioned observation's
   |z_y|^2 / m lies above their mean; 0 where either is not known. */
double fm_typical_surprise(const fm_transport *transport);

#endif
