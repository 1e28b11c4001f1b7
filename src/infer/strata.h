/* strata - what generated geologies share: folds and the boundaries of layers, from uniform
   numbers. Lengths are in any one unit. */
#ifndef FM_STRATA_H
#define FM_STRATA_H

#include "fathom/types.h"

#define FM_FOLDS 4
#define FM_FOLD_NUMBERS (1 + 4 * FM_FOLDS) /* uniform numbers that fm_fold_read takes */

typedef struct fm_fold_law {
  double dip;                 /* uniform in +- this */
  double fold;                /* a_j uniform in [0, this] */
  double wave_low, wave_high; /* lateral wavelengths 1 / k_j */
  double shear;               /* |l_j| at most */
} fm_fold_law;

typedef struct fm_fold {
  double dip, a[FM_FOLDS], k[FM_FOLDS], l[FM_FOLDS], phase[FM_FOLDS];
} fm_fold;

double fm_between(double u, double low, double high); /* low + u (high - low) */

/* fm_fold_read - from u[FM_FOLD_NUMBERS]; returns what follows them. */
const double *fm_fold_read(const fm_fold_law *law, const double *u, fm_fold *f);
/* fm_fold_at - depth + dip across + sum_j a_j sin(2 pi (k_j across + l_j depth + phase_j)) */
double fm_fold_at(const fm_fold *f, double depth, double across);

/* Boundaries of layers are a stationary renewal process whose gaps are `thinnest` + an
   exponential, `thickness` on average. fm_strata_first: of two numbers, what is left of the gap
   that a fixed depth falls into; fm_strata_gap: of one, a gap. */
double fm_strata_first(double thickness, double thinnest, const double u[2]);
double fm_strata_gap(double thickness, double thinnest, double u);

#endif
