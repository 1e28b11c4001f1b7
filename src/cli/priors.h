/* Which prior the models of pairs are of: in pairs.h5 the attributes `prior`, a line for
   people, and `prior_print`; in a checkpoint pairs_prior and pairs_prior_print.

   The print knows a prior again, whatever it is called. Of one that was drawn from: for two
   draws of fixed names the root mean square and a projection, which are those of no other
   prior. Of models of a file: how many there are, and the crc32 of the first and the last.
   After either comes the grid of the operator's models, where it has one. */
#ifndef FM_CLI_PRIORS_H
#define FM_CLI_PRIORS_H

#include "fathom/command.h"

/* fm_prior_note - into pairs: that they are drawn from `prior`, or, where that is NULL, are the
   rows of dataset `name` of `models`; and what grid op has. Collective on the communicators
   of both stores. */
PetscErrorCode fm_prior_note(fm_store *pairs, fm_energy *prior, fm_store *models,
                             const char *name, fm_operator *op);
/* fm_prior_of_pairs - what the pairs of a file say, into transport->prior and prior_print; a
   file that says nothing is itself the models. Collective on comm. */
PetscErrorCode fm_prior_of_pairs(MPI_Comm comm, const char *path, fm_transport *transport);

/* fm_prior_no_pairs - of a flow from random weights. */
void fm_prior_no_pairs(fm_transport *transport);

/* fm_prior_judge - refuse (user error) to refine with another prior than the pairs' without
   -prior_mismatch_ok, with it note that in transport->prior_mismatch; and on another grid than
   that of the pairs' models, with nodes as far apart as here, always. A flow that was trained
   on the same pairs or models is that prior. Where that is not known, as of checkpoints of
   before: a warning. Collective on world. */
PetscErrorCode fm_prior_judge(const fm_run *run, fm_target *target, fm_transport *transport);

#endif
