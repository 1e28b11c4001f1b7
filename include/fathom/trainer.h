/* fm_trainer - one training run: theta, its optimizer, the objective, and what a checkpoint
   must hold to go on. */
#ifndef FATHOM_TRAINER_H
#define FATHOM_TRAINER_H

#include "fathom/history.h"
#include "fathom/objective.h"
#include "fathom/optimizer.h"

/* Named inputs; all borrowed. */
typedef struct fm_trainer_inputs {
  const fm_comm *comm;
  fm_transport *transport;
  fm_objective *objective;
  fm_schedule schedule;
  int64_t micro_batch;
  double clip, average_power, max_failed_fraction;
  uint64_t seed;
  const char *command, *settings, *operator_text;
} fm_trainer_inputs;

typedef struct fm_trainer {
  fm_trainer_inputs in;
  const fm_layout *layout;
  fm_real *theta, *average, *best, *grad; /* owned, [layout->size]; best NULL: no validation */
  fm_optimizer *optimizer;
  fm_share *share;
  fm_history *history, *timing;
  int64_t step;      /* steps made */
  int window;        /* of the exact sum */
  double best_value; /* of the validation, at `best` */
  double
      best_objective; /* least mean of an interval, at the checkpoint that is kept as the best
                         */
  /* words of this rank that go along with the next step, and what all ranks said in the last */
  struct {
    double
        needed; /* seconds that the job must still have after the step, or it wishes to end */
    PetscBool save, trouble;
  } mine;
  struct {
    PetscBool stop, save, trouble;
  } all;
  int64_t ledger[6]; /* useful F J J^T, diagnostic F J J^T: the whole run, all ranks */
  int64_t noted; /* first step whose solves ledger_spent does not hold yet, in a resumed run */
  int64_t ledger_spent[3]; /* repeats after a kill included */
} fm_trainer;

PetscErrorCode fm_trainer_create(const fm_trainer_inputs *inputs, fm_trainer **trainer);
PetscErrorCode fm_trainer_destroy(fm_trainer **trainer);

/* fm_trainer_step - one step on all ranks: shares, energies, backward passes, one exact
   Allreduce, optimizer, average.
   theta is the same bytes afterwards on any number of sample ranks. Collective on world.
   Fails when the gradient is not finite, or more than max_failed_fraction of the samples
   failed. */
PetscErrorCode fm_trainer_step(fm_trainer *trainer);

/* fm_trainer_replicas_agree - compare a checksum of theta over all ranks. Collective on world;
   fails where they differ. */
PetscErrorCode fm_trainer_replicas_agree(const fm_trainer *trainer);

#endif
