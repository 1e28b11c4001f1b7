/* Words about an observation or a posterior that the training has not seen the like of. */
#ifndef FATHOM_MISMATCH_H
#define FATHOM_MISMATCH_H

#include "fathom/command.h"
#include "fathom/target.h"

/* fm_judge_data - a warning where |z_y|^2 / m of the observation that `transport` is
   conditioned on lies outside the range of held-out pairs (typical.h), on either side; of a
   checkpoint that keeps no range, more than 5 standard deviations off, which is said. Below is
   no warning where the operator is linearised at another model than the prior's (target, which
   may be NULL). Results data_latent, data_latent_low, data_latent_high, data_surprise (in
   standard deviations). */
PetscErrorCode fm_judge_data(fm_run *run, const fm_target *target,
                             const fm_transport *transport);

/* fm_judge_prior - results prior_energy (mean of -log p_prior over 64 posterior samples), and
   of a flow's held-out pairs, of other priors' own 256 draws, prior_energy_typical,
   prior_energy_std, prior_energy_low and prior_energy_high (0.1 and 99.9 %, typical.h) and
   prior_energy_percentile; a warning where the first lies outside. Above, the posterior lies
   where the prior has next to nothing, because the truth is of another kind than what the prior
   was made of. Given the data truth and sample have one distribution, so that the mean over the
   posterior of a truth that the prior drew spreads less than the prior's own draws do. Nothing
   where the prior cannot be drawn from. Makes no solve. Collective on world. */
PetscErrorCode fm_judge_prior(fm_run *run, fm_target *target, fm_transport *transport,
                              const fm_real *theta);
/* fm_judge_prior_by - the same, and by how many standard deviations it is above; NaN: the prior
   cannot be drawn from. */
PetscErrorCode fm_judge_prior_by(fm_run *run, fm_target *target, fm_transport *transport,
                                 const fm_real *theta, double *above);

#endif
