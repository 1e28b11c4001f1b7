/* Pareto smoothed importance sampling. Source: A. Vehtari, D. Simpson, A. Gelman, Y. Yao,
   J. Gabry, "Pareto smoothed importance sampling", JMLR 25 (2024); the fit: J. Zhang and
   M. Stephens, "A new and efficient estimation method for the generalized Pareto distribution",
   Technometrics 51 (2009). Rank-local. */
#ifndef FATHOM_PARETO_H
#define FATHOM_PARETO_H

#include "fathom/types.h"

/* fm_pareto_fit - shape k and scale sigma of the density
   (1 + k x / sigma)^(-1/k - 1) / sigma, x >= 0, by the posterior mean of Zhang and Stephens; k
   is drawn to 1/2 as by ten more samples, which steadies it for short tails.
   x   in   [n], ascending, > 0 at least from the quarter on; n >= 1
   Cost: n sqrt(n) logarithms. */
PetscErrorCode fm_pareto_fit(int64_t n, const double *x, double *k, double *sigma);

/* fm_pareto_smooth - the largest min(n/5, 3 sqrt n) of the weights exp(log_weight) become the
   quantiles of the Pareto distribution that fits them, at most the largest weight; then
   sum exp(log_weight) = 1.

   log_weight  inout  [n], finite or -infinity
   k_hat       out    the shape: below .5 weighted means have a normal law, above .7 they are
                      not to be trusted; infinite where the tail has fewer than 5 weights that
                      differ from its end, and then nothing is smoothed */
PetscErrorCode fm_pareto_smooth(int64_t n, double *log_weight, double *k_hat);

/* fm_weighted_mean - sum_s w_s v_s and its standard error sqrt(sum_s w_s^2 (v_s - mean)^2), for
   independent draws with weights w = exp(log_weight) of sum 1; v_s = x[s * stride]. */
void fm_weighted_mean(int64_t n, const double *log_weight, int64_t stride, const double *x,
                      double *mean, double *se);

#endif
