/* Between the files of the command reference. */
#ifndef FM_CLI_REFERENCE_H
#define FM_CLI_REFERENCE_H

#include "fathom/command.h"
#include "fathom/sampler.h"

/* fm_reference_report - convergence of every unknown, the file OUT/reference.h5 and the result
   lines. Collective on world.
   exponential  also of exp(x) */
PetscErrorCode fm_reference_report(fm_run *run, fm_sampler *sampler, PetscBool exponential);

/* What is said of a quantity; quantiles of 5, 50 and 95 %. */
enum {
  FM_MEAN,
  FM_STD,
  FM_MCSE,
  FM_RHAT,
  FM_ESS_BULK,
  FM_ESS_TAIL,
  FM_BETWEEN, /* standard error of the mean, from the chains' own means alone */
  FM_QUANTILES,
  FM_SERIES = FM_QUANTILES + 3
};

/* fm_describe - of the draws v [nchain][ndraw] with weights of mean 1 (NULL: equal), into
   of [FM_SERIES]. Where there are weights, standard error, R-hat and sample sizes are those of
   the terms w (v - mean), whose mean is the error of the weighted mean to first order.
   Rank-local. */
PetscErrorCode fm_describe(int64_t nchain, int64_t ndraw, const double *weight, const double *v,
                           double *of);
/* fm_describe_exp - the same of exp(v); v is overwritten. */
PetscErrorCode fm_describe_exp(int64_t nchain, int64_t ndraw, const double *weight, double *v,
                               double *of);

#endif
