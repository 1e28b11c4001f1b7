/* fm_calibration - do posterior samples of held-out models, whose truth is known, spread as far
   as they are wrong?

   Of one model with S samples x of an unknown and its truth t:
       z         (t - mean) / std, std with S - 1
       rank      number of samples below t, ties counting half: uniform on 0 ... S where t is
                 one more draw of the posterior
       coverage  share of the central interval: a rank r stands for [r, r + 1] / (S + 1), and
                 what of it lies in [(1 - p) / 2, (1 + p) / 2] counts, so that uniform ranks
                 give exactly p whatever S
       CRPS      mean |x - t| - 1/2 mean |x - x'| over pairs of different samples (fair: its
                 mean does not depend on S)
   Sources: Talts et al., "Validating Bayesian inference algorithms with simulation-based
   calibration" (2018); Gneiting and Raftery, JASA 102 (2007); Ferro, QJRMS 140 (2014). */
#ifndef FATHOM_CALIBRATION_H
#define FATHOM_CALIBRATION_H

#include "fathom/types.h"

/* fm_crps_ensemble - of `count` >= 2 sorted samples. fm_crps_gaussian - of N(mean, std^2):
   std (w (2 Phi(w) - 1) + 2 phi(w) - 1 / sqrt(pi)), w = (truth - mean) / std. */
double fm_crps_ensemble(int64_t count, const double *sorted, double truth);
double fm_crps_gaussian(double mean, double std, double truth);

/* fm_rank_coverage - what a rank among `count` samples counts for the central interval p. */
double fm_rank_coverage(double rank, int64_t count, double p);

/* fm_chi2_survival - P(chi^2 with `dof` degrees of freedom > x). */
double fm_chi2_survival(double x, int64_t dof);

/* What the truth is compared with besides: samples [count][n], or count 0 and N(mean, std^2) in
   every unknown. */
typedef struct fm_prior_samples {
  int64_t count;
  const double *x;
  double mean, std;
} fm_prior_samples;

/* Means over the unknowns of one model. */
typedef struct fm_calibrated {
  int64_t used; /* unknowns with a spread; others are left out */
  double square_z, coverage_50, coverage_95, crps, crps_prior;
} fm_calibrated;

/* fm_calibrate_model - of samples x [count][n], count >= 2, and truth [n].
   z, rank  out  [n], NaN for unknowns without a spread (std below 1e-6 of |mean|)
   Not collective. Cost: sorts every unknown's samples. */
PetscErrorCode fm_calibrate_model(int64_t count, int64_t n, const double *x,
                                  const double *truth, const fm_prior_samples *prior, double *z,
                                  double *rank, fm_calibrated *calibrated);

/* fm_calibrate_thin - unknowns of a model that are nearly independent: in an order named by
   (seed, model), each whose samples correlate with those of every one taken before by less than
   0.25; at most `most`. *found of them in index[most]. */
PetscErrorCode fm_calibrate_thin(int64_t count, int64_t n, const double *x, uint64_t seed,
                                 uint64_t model, int64_t most, int64_t *found, int64_t *index);

/* fm_bootstrap_ratio - 95 % interval (percentiles) of sum top / sum bottom over `count` models
   drawn with repetition, 4,000 times, by names of `seed`; bottom NULL: of ones. */
PetscErrorCode fm_bootstrap_ratio(int64_t count, const double *top, const double *bottom,
                                  uint64_t seed, double *low, double *high);

#endif
