/* The checkpoints of a training run as it goes. */
#ifndef FM_CLI_SAVER_H
#define FM_CLI_SAVER_H

#include "fathom/command.h"

typedef struct fm_saver {
  fm_writer *writer;   /* of the last checkpoint, while it may be under way; else NULL */
  PetscBool fresh;     /* what lies there is another run's */
  int64_t keep, every; /* files; steps of an interval, for the mean of the objective */
  double minutes, last,
      building;   /* interval; when the last one was begun; seconds to build it */
  double writing; /* seconds that the last write took */
  int64_t step;   /* of the checkpoint under way */
} fm_saver;

/* fm_saver_prepare - options, and a word where another run's checkpoint is in the way. */
PetscErrorCode fm_saver_prepare(const fm_run *run, fm_saver *saver);
/* fm_saver_due - whether this rank (0) finds that the minutes are over. Not collective. */
PetscBool fm_saver_due(const fm_saver *saver);
/* fm_saver_begin - wait for the write before, then begin one of this step; `again`: in the
   place of the last one. Collective on world; fails where the one before did. */
PetscErrorCode fm_saver_begin(fm_run *run, fm_trainer *trainer, PetscBool again,
                              fm_saver *saver);
/* fm_saver_finish - wait for the write that is under way. Collective on world; fails where it
   did.
 */
PetscErrorCode fm_saver_finish(fm_saver *saver);
/* fm_saver_cost - seconds that a checkpoint may take, by the last one. */
double fm_saver_cost(const fm_saver *saver);

#endif
