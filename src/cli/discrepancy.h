/* The discrepancy between a fine and a coarse operator as a part of the noise of pairs that the
   coarse one makes: of K models x_k, delta_k = F_fine(x_k) - F_coarse(x_k), and each pair gets

       mean(delta) + 1/sqrt(K - 1) sum_k xi_k (delta_k - mean(delta)),   xi ~ N(0, I_K)

   a Gaussian with the mean and the covariance of the deltas. Source: J. Kaipio, E. Somersalo,
   "Statistical inverse problems: discretization, model reduction and inverse crimes", J.
   Comput. Appl. Math. 198 (2007), the enhanced error model. */
#ifndef FM_CLI_DISCREPANCY_H
#define FM_CLI_DISCREPANCY_H

#include "fathom/command.h"

typedef struct fm_discrepancy fm_discrepancy;

/* fm_discrepancy_create - -pairs_noise_inflation FINE.h5:/y,COARSE.h5:/y for data of m numbers;
   *out NULL where it is not given. Says its size beside that of the noise, sigma [m].
   Collective on world. Fails (user error) on fewer than 20 models, other shapes than [K][m] and
   numbers that are not finite. Memory: K m fm_real a rank. */
PetscErrorCode fm_discrepancy_create(fm_run *run, int64_t m, const double *sigma,
                                     fm_discrepancy **out);
PetscErrorCode fm_discrepancy_destroy(fm_discrepancy **out);

/* fm_discrepancy_add - a draw of it, named (seed, index), to noise [m]; NULL: nothing. */
void fm_discrepancy_add(const fm_discrepancy *d, uint64_t seed, int64_t index, double *noise);

#endif
