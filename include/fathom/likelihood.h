/* The noise model that `likelihood` and `simulate` share:
   y = F(x) + e, e_i ~ N(0, sigma_i^2) independent; y = F(x) + P e where the data lie in a
   subspace (P of fm_operator_restrict). */
#ifndef FATHOM_LIKELIHOOD_H
#define FATHOM_LIKELIHOOD_H

#include "fathom/energy.h"
#include "fathom/journal.h"

/* fm_likelihood_noise_std - -noise_std as one number a datum, [m]; unit of the data.
   Collective on comm. Fails (user error) where it is missing, has neither 1 nor m entries, or
   is not positive. */
PetscErrorCode fm_likelihood_noise_std(MPI_Comm comm, int64_t m, double *sigma);

/* fm_likelihood_noise_of - the same for the data of an operator, [d_size]. Where these lie in a
   subspace (fm_operator_restrict) the noise is P e, and -noise_std must be one number: another
   is a user error. */
PetscErrorCode fm_likelihood_noise_of(MPI_Comm comm, fm_operator *op, double *sigma);

/* fm_likelihood_mask - -data_mask, [m]: which data count; all where it is not given.
   Collective on comm. Fails (user error) where it has not m entries, one is neither 0 nor 1, or
   none is 1. */
PetscErrorCode fm_likelihood_mask(MPI_Comm comm, int64_t m, PetscBool *counts);

/* fm_likelihood_normaliser - what the likelihood adds to the misfit 1/2 sum r^2 / sigma^2:
   1/2 sum log(2 pi sigma^2) over the data that count, those of the subspace where there is
   one. */
double fm_likelihood_normaliser(const fm_energy *likelihood);

/* fm_likelihood_reason - why sample `s` of the last evaluation of a likelihood was not solved,
   one clause; "" where it was, or where nobody on this rank knows. Borrowed, until the next. */
const char *fm_likelihood_reason(const fm_energy *likelihood, int64_t s);

/* fm_likelihood_split - from now on (until split is false) an evaluation keeps the misfit
   1/2 sum r^2 / sigma^2 of each part; no solve more. fm_likelihood_misfits: of sample s of the
   last evaluation, [parts], the same on all ranks of space, NaN where the sample was not
   solved; NULL where they are not kept. Borrowed, until the next. Of use where the parts are
   not estimated: fm_key without a seed. */
PetscErrorCode fm_likelihood_split(fm_energy *likelihood, PetscBool split);
const double *fm_likelihood_misfits(const fm_energy *likelihood, int64_t s);

/* fm_likelihood_attach - from now on a solve of a step of training (fm_key with a seed,
   gradient wanted) is taken from the journal where it has it, and kept in it otherwise: the
   numbers are the same bits either way. The journal is borrowed; NULL: none again. A solve that
   failed is not kept. Cost a solve: at most two messages in its group and one write.
   Collective on the space communicator, with the options that it was created with. */
PetscErrorCode fm_likelihood_attach(fm_energy *likelihood, fm_journal *journal);

/* fm_likelihood_recalled - solves, of F and the adjoint each, that the journal had since the
   last call: useful, but not in the operator's ledger. Collective on the space communicator. */
PetscErrorCode fm_likelihood_recalled(fm_energy *likelihood, int64_t *solves);

#endif
