/* fm_umbrella - a bias that sends chains to what is rare in each unknown: they sample
   p(q) t(q) instead of p(q), and their draws have weights 1/t(q) <= 5,

       t(q) = 1/5 + 4/(5 n) sum_k exp(max V_k - V_k(q_k)).

   V_k is linear between nodes centre_k + spacing_k (j - 20), j = 0..40, and constant beyond. It
   is learnt such that the term of each unknown spreads over all its range: the rare is visited,
   and the way there too, however unlikely. Any V gives the same weighted means.
   Source: J. Pfaendtner and M. Bonomi, "Efficient sampling of high-dimensional free-energy
   landscapes with parallel bias metadynamics", J. Chem. Theory Comput. 11 (2015); rates: A.
   Barducci, G. Bussi, M. Parrinello, "Well-tempered metadynamics", Phys. Rev. Lett. 100 (2008).
   Rank-local. */
#ifndef FATHOM_UMBRELLA_H
#define FATHOM_UMBRELLA_H

#include "fathom/types.h"

#define FM_UMBRELLA_NODES 41

typedef struct fm_umbrella {
  int64_t n;
  double *centre, *spacing; /* owned, [n] */
  double *v;                /* owned, [FM_UMBRELLA_NODES][n] */
} fm_umbrella;

/* fm_umbrella_create - V = 0, nodes within five `scale` [n] of `centre` [n]; both copied. */
PetscErrorCode fm_umbrella_create(int64_t n, const double *centre, const double *scale,
                                  fm_umbrella **umbrella);
PetscErrorCode fm_umbrella_destroy(fm_umbrella **umbrella);

/* fm_umbrella_log - log t(q); its gradient is subtracted from `gradient` [n] (NULL: not
   wanted). Cost: 2 n exponentials. */
double fm_umbrella_log(const fm_umbrella *umbrella, const double *q, double *gradient);

/* fm_umbrella_learn - rise [FM_UMBRELLA_NODES][n] is added to: at q_k by `rate` times the share
   of unknown k in t(q), the less the higher V_k is there already. */
void fm_umbrella_learn(const fm_umbrella *umbrella, double rate, const double *q, double *rise);

#endif
