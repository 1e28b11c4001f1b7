/* Words about an observation or a posterior that the training has not seen the like of. */
#ifndef FATHOM_MISMATCH_H
#define FATHOM_MISMATCH_H

#include "fathom/command.h"
#include "fathom/target.h"

/* fm_judge_data - a warning where the observation that `transport` is conditioned on is unlike
   its pairs (fm_typical_surprise); result data_surprise. */
PetscErrorCode fm_judge_data(fm_run *run, const fm_transport *transport);

/* fm_judge_prior - results prior_energy (mean of -log p_prior over 64 posterior samples),
   prior_energy_typical and prior_energy_std (of a flow's training pairs, of other priors' own
   draws), and a warning where the first is far above: the posterior then lies where the prior
   has next to nothing, because the
   truth is of another kind than what the prior was made of. Nothing where the prior cannot be
   drawn from. Makes no solve. Collective on world. */
PetscErrorCode fm_judge_prior(fm_run *run, fm_target *target, fm_transport *transport,
                              const fm_real *theta);

#endif
