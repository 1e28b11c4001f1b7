/* fm_typical - whether an observation is of the kind that a flow was trained on. A flow maps
   its pairs to latents with |z|^2 / n near 1; an observation whose |z_y|^2 / m lies outside the
   range that pairs have which were held out is outside the range of the pretraining, and
   amortised samples at it are an extrapolation.

   The range [low, high] is that which one more pair of the kind leaves with probability 0.1 %
   on either side, of N held-out values:
       N >= 2,000   order statistics, interpolated at (N + 1) p: distribution free
       8 <= N       there is no such order statistic: a fit. Squares |z|^2 / n by Wilson and
                    Hilferty: their cube roots are nearly normal for a gamma distribution of any
                    shape, chi^2 (a flow that is exact) one of them. Other numbers (-log q)
                    by their mean, std and skewness as Pearson III. Both with Student's t and
                    sqrt(1 + 1/N), so that mean and std, estimated, count as such
       N < 8        none: low = high
   Against chi^2 / n the upper end of the formula is 2.3 % too high at n = 2, 0.7 % at 8, 0.4 %
   at 16, the lower one 11 % too low at n = 8, 2 % at 16, 0.1 % at 128: it warns later, not
   sooner.
   Sources: E. B. Wilson, M. M. Hilferty, PNAS 17 (1931); W. Kirby, Water Resour. Res. 8 (1972);
   Abramowitz and Stegun 26.7.5. */
#ifndef FATHOM_TYPICAL_H
#define FATHOM_TYPICAL_H

#include "fathom/comm.h"
#include "fathom/dataset.h"
#include "fathom/store.h"
#include "fathom/transport.h"

#define FM_TYPICAL_EMPIRICAL 2000 /* values from which on the range is read off */

/* fm_typical_of_pairs - set transport->typical: mean, standard deviation and range of |z|^2 / n
   of either lane and of -log q(x | y) / n over the first rows (4,096 at most); held_out:
   whether none of them was trained on. Shared over the sample communicator, collective on it;
   the same numbers on any number of ranks. Cost: one pass of the flow a row. */
PetscErrorCode fm_typical_of_pairs(const fm_comm *comm, fm_transport *transport,
                                   const fm_real *theta, fm_dataset *data, int64_t nrow,
                                   const int64_t *row, PetscBool held_out);

/* fm_typical_of_squares, fm_typical_of_values - mean, std and range of `count` values, which
   are sorted; the first of non-negative numbers like |z|^2 / n. Not collective. */
void fm_typical_of_squares(int64_t count, double *values, fm_typical *typical);
void fm_typical_of_values(int64_t count, double *values, fm_typical *typical);

/* fm_typical_side - -1 below the range, 1 above, 0 inside or where there is no range. */
int fm_typical_side(const fm_typical *typical, double value);
PetscBool fm_typical_has_range(const fm_typical *typical);

/* fm_typical_observed - |z_y|^2 / m of the observation that the transport is conditioned on;
   NaN: it is on none. */
double fm_typical_observed(const fm_transport *transport);

/* fm_typical_write, fm_typical_read - in a checkpoint: /whitening/typical [3][2], mean and std,
   and /whitening/typical_range [3][2] with the attributes pairs and held_out. Of a checkpoint
   without them what there is. Collective on the store's communicator. */
PetscErrorCode fm_typical_write(const fm_transport *transport, fm_store *store);
PetscErrorCode fm_typical_read(fm_store *store, fm_transport *transport);

#endif
