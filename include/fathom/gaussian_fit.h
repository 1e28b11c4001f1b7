/* fm_gaussian_fit - the Gaussian that rows x [count][n] are like, to hold a flow's density of
   the same kind of rows against:

       x ~ N(mean, diag(std) R_a diag(std)),   R_a = (1 - a) R + a I

   with mean, std and correlations R of the rows. The share a, which gives n unknowns a density
   from fewer rows than n, is that of 16 from .005 to 1 which makes the last fifth of the rows
   most likely under a fit to the others. Of more than FM_GAUSSIAN_FIT_MOST unknowns a is 1: no
   correlations.
   Source: shrinkage with a target of uncorrelated unknowns, Schaefer and Strimmer, Stat. Appl.
   Genet. Mol. Biol. 4 (2005). */
#ifndef FATHOM_GAUSSIAN_FIT_H
#define FATHOM_GAUSSIAN_FIT_H

#include "fathom/types.h"

#define FM_GAUSSIAN_FIT_MOST 4096

typedef struct fm_gaussian_fit {
  int64_t n;
  double *mean, *std; /* [n]; std 1 where nothing varies */
  double *factor;     /* [n][n] Cholesky's of R_a, columns first; NULL: a = 1 */
  double share;       /* a */
  double constant;    /* n/2 log 2 pi + sum log std + 1/2 log det R_a */
  double *work;       /* [n] */
} fm_gaussian_fit;

/* fm_gaussian_fit_create - of at least 10 rows. share < 0: chosen as above; else a. Not
   collective. Cost: 17 Cholesky factors of n, and count n^2 operations twice. */
PetscErrorCode fm_gaussian_fit_create(int64_t count, int64_t n, const double *x, double share,
                                      fm_gaussian_fit **fit);
PetscErrorCode fm_gaussian_fit_destroy(fm_gaussian_fit **fit);

/* fm_gaussian_fit_nll - -log density of one row. Cost: n^2. */
double fm_gaussian_fit_nll(fm_gaussian_fit *fit, const double *x);

#endif
