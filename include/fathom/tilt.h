/* fm_tilt - a mixture that sends chains to what makes E exp(x_k): they sample p(q) t(q) instead
   of p(q), and their draws have weights 1/t(q) <= 5,

       t = sum_j s_j exp((1 - b_j) U(q) + b_j a_j q_k(j)) / C_j,    U = -log p up to a constant,

   so that p t = sum_j s_j (p exp(a_j q_k(j)))^b_j / C_j: at each of five temperatures 1/b a
   copy of the posterior itself (a = 0, 2/5 of its shares s), and for every unknown k one tilted
   to large q_k by a = 3/2, between the best density for E exp(q_k), a = 1, and what holds a
   chain in a mode of small mass there. Half of the shares are of b = 1; the hot ones lead from
   mode to mode. C_j is learnt such that each component has its share of the draws,
   E_p of exp((1 - b) U + b a q_k), that of p itself being 1. Any C gives the same means.
   Sources: A. Owen and Y. Zhou, "Safe and effective importance sampling", JASA 95 (2000);
   C. Geyer and E. Thompson, "Annealing Markov chain Monte Carlo", JASA 90 (1995), whose
   temperatures are here summed over; Z. Tan, "Optimally adjusted mixture sampling and locally
   weighted histogram analysis", J. Comput. Graph. Stat. 26 (2017): C.
   Rank-local. */
#ifndef FATHOM_TILT_H
#define FATHOM_TILT_H

#include "fathom/types.h"

/* All owned, [count]; the component of p itself is the first. */
typedef struct fm_tilt {
  int64_t n, count;  /* unknowns; components, 5 (n + 1) */
  double *cold;      /* b */
  double *power;     /* a b; 0: a copy without a tilt */
  int64_t *unknown;  /* k, 0 without a tilt */
  double *share;     /* s, of sum 1 */
  double *log_share; /* log s */
  double *log_c;     /* log C */
} fm_tilt;

/* fm_tilt_create - with C = 1. */
PetscErrorCode fm_tilt_create(int64_t n, fm_tilt **tilt);
PetscErrorCode fm_tilt_destroy(fm_tilt **tilt);

/* fm_tilt_log - log t at q [n], where U is `value`. `gradient` [n], NULL: not wanted, is grad U
   and becomes grad(U - log t). Cost: up to three exponentials a component. */
double fm_tilt_log(const fm_tilt *tilt, double value, const double *q, double *gradient);

/* fm_tilt_average - towards C: log_sum [count] becomes the logarithm of the sum of C_j's
   integrand times exp(log_weight) over draws; `first`: this is the first one. That of j = 0 is
   the sum of the weights: log C_j = log_sum[j] - log_sum[0]. */
void fm_tilt_average(const fm_tilt *tilt, double log_weight, double value, const double *q,
                     PetscBool first, double *log_sum);
/* fm_tilt_learn - to rise [count] is added, from a draw of p t, what log C_j shall rise by:
   `rate` times what component j has of t there, less its share. */
void fm_tilt_learn(const fm_tilt *tilt, double rate, double value, const double *q,
                   double *rise);

#endif
