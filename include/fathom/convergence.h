/* Have chains converged, and how exact are their means? On the draws of one quantity,
   [nchain][ndraw] in double. Source: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C.
   Buerkner, "Rank-normalization, folding, and localization: an improved R-hat", Bayesian
   Analysis 16 (2021). Rank-local. */
#ifndef FATHOM_CONVERGENCE_H
#define FATHOM_CONVERGENCE_H

#include "fathom/types.h"

typedef struct fm_convergence {
  double mean, std; /* std with count - 1 */
  double rhat; /* the larger of the bulk's and the tails' (folded), rank-normalised, split */
  double ess_bulk; /* of the rank-normalised draws */
  double ess_tail; /* the smaller of those of the 5 and 95 % quantiles */
  double ess_mean; /* of the draws themselves */
  double mcse;     /* standard error of the mean, std / sqrt(ess_mean) */
} fm_convergence;

/* fm_convergence_of - all of them. A quantity that never moves, and fewer than 4 draws a chain,
   give NaN, but for mean and std.
   Cost: O(N log N) of all N draws: sorting, and a Fourier transform for the autocovariance. */
PetscErrorCode fm_convergence_of(int64_t nchain, int64_t ndraw, const double *x,
                                 fm_convergence *convergence);

/* fm_chains_ess - effective sample size nchain ndraw / tau of the mean, by Geyer's initial
   monotone sequence over all chains; the chains are not split here. */
PetscErrorCode fm_chains_ess(int64_t nchain, int64_t ndraw, const double *x, double *ess);
/* fm_chains_rhat - sqrt of the pooled over the within-chain variance; the chains are not split
   here. */
double fm_chains_rhat(int64_t nchain, int64_t ndraw, const double *x);

#endif
