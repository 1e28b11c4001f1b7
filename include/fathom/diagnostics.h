/* How good is q: KL, importance weights, moments and quantiles, on latents that were never
   trained on. */
#ifndef FATHOM_DIAGNOSTICS_H
#define FATHOM_DIAGNOSTICS_H

#include "fathom/target.h"
#include "fathom/transport.h"

typedef struct fm_diagnosis {
  int64_t count, failed; /* samples kept, samples whose solve failed */
  double objective;      /* J, nats */
  double objective_se;
  double kl, kl_se;       /* needs log_evidence; else minus the evidence lower bound */
  double ess_fraction;    /* (sum w)^2 / (N sum w^2) */
  double log_evidence;    /* log mean w */
  double k_hat;           /* Pareto shape of the tail of w: above .7 no weighted mean is to be
                             trusted */
  PetscBool stopped;      /* it was left early (stop.h), and none of this is to be used */
  double *x, *log_weight; /* rank 0: [count][n] and [count] in sample order, kept when asked
                              for; PetscFree */
} fm_diagnosis;

/* fm_diagnose - with z ~ N(0, I) named (seed, stream, 0, sample):
       KL = mean[ log N(z) - log|det dT/dz| - log p(x, y) ] + log p(y)
   Counted as diagnostic solves. Samples are shared over ranks; numbers do not depend on how.
   Collective on world. */
PetscErrorCode fm_diagnose(fm_target *target, fm_transport *transport, const fm_real *theta,
                           uint64_t seed, fm_stream stream, int64_t count, double log_evidence,
                           PetscBool keep, fm_diagnosis *diagnosis);
PetscErrorCode fm_diagnosis_clear(fm_diagnosis *diagnosis);

/* Summaries of [count][n] samples, optionally weighted by w [count] (NULL: equal): mean [n],
   covariance [n][n] and its diagonal's roots [n], and the
   p-quantile of unknown i (linear interpolation between order statistics). Rank-local. */
void fm_samples_mean(int64_t count, int64_t n, const double *x, const double *w, double *mean);
void fm_samples_covariance(int64_t count, int64_t n, const double *x, const double *w,
                           const double *mean, double *cov);
void fm_samples_std(int64_t count, int64_t n, const double *x, const double *w,
                    const double *mean, double *std);
PetscErrorCode fm_samples_quantiles(int64_t count, int64_t n, const double *x, int64_t i,
                                    int np, const double *p, double *quantile);

/* fm_mean_of - the mean of count numbers, `stride` apart; *se: its standard error, NaN of one
   number; NULL: not wanted. */
double fm_mean_of(int64_t count, const double *v, int64_t stride, double *se);

/* fm_solves_to_reach - method.md section 2: solves (of n evaluations with `solves` and `kl`)
   until
   KL <= level, by the first crossing (*first) and by the first evaluation from which on the
   mean
   over the last `window` solves stays at or below it (*stay). NaN: not reached. */
void fm_solves_to_reach(int64_t n, const double *solves, const double *kl, double level,
                        double window, double *first, double *stay);

#endif
