/* What `refine` sets up before its first step, and `check` again. */
#ifndef FATHOM_REFINEMENT_H
#define FATHOM_REFINEMENT_H

#include "fathom/command.h"

typedef struct fm_refinement {
  fm_run *run; /* borrowed; the rest is owned */
  fm_target *target;
  fm_transport *transport;
  fm_real *start; /* theta to begin with: weights, or a latent correction */
  fm_trained train;
  fm_objective *objective;
  fm_trainer *trainer;
  PetscBool warm;
} fm_refinement;

/* fm_refinement_problem - target, flow and weights, from -warm_start or at random; no objective
   and no trainer. Collective on world. */
PetscErrorCode fm_refinement_problem(fm_run *run, fm_refinement *r);
/* fm_refinement_create - target, flow, weights, objective and trainer from the options; step 0
   is not prepared yet. Collective on world. */
PetscErrorCode fm_refinement_create(fm_run *run, fm_refinement *r);
PetscErrorCode fm_refinement_clear(fm_refinement *r);

/* fm_refinement_observe - condition on the observed data and say what is trained. */
PetscErrorCode fm_refinement_observe(fm_refinement *r);
/* fm_refinement_journal - run->journal, in OUT/journal, from the options; with -resume that of
   the jobs before, as far as the trainer's checkpoint has not gone. After fm_train_resume.
   fm_refinement_journal_end - all is in a checkpoint: the journal goes. Collective on world. */
PetscErrorCode fm_refinement_journal(fm_refinement *r);
PetscErrorCode fm_refinement_journal_end(fm_refinement *r);
/* fm_refinement_begin - the trainer's weights before step 0. */
PetscErrorCode fm_refinement_begin(fm_refinement *r);

#endif
