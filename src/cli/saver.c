#include "cli/saver.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <math.h>

#define SPARE 2. /* seconds for all else between a last step and the exit */

/* The newest checkpoint of another run, and whether one was replaced before. */
static PetscErrorCode find_other(const fm_run *run, char path[PETSC_MAX_PATH_LEN],
                                 PetscBool *exists, PetscBool *replaced) {
  static const char *const names[] = {"checkpoint.replaced.h5", "checkpoint.h5",
                                      "checkpoint.previous.h5"};

  PetscFunctionBegin;
  for (int k = 0; k < 3; k++) {
    PetscCall(fm_run_path(run, names[k], path));
    PetscCall(fm_checkpoint_exists(run->comm.world, path, exists));
    if (k == 0)
      *replaced = *exists;
    else if (*exists)
      break;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_saver_prepare(const fm_run *run, fm_saver *s) {
  char path[PETSC_MAX_PATH_LEN];
  PetscBool exists, replaced;

  PetscFunctionBegin;
  *s = (fm_saver){.fresh = run->resumed ? PETSC_FALSE : PETSC_TRUE, .last = MPI_Wtime()};
  PetscCall(fm_option_integer_in("checkpoint_every", 1, INT64_MAX, &s->every));
  PetscCall(fm_option_integer_in("checkpoint_keep", 1, 99, &s->keep));
  PetscCall(fm_option_real_in("checkpoint_minutes", 0., 1e6, &s->minutes));
  if (!s->fresh) PetscFunctionReturn(0);
  PetscCall(find_other(run, path, &exists, &replaced));
  if (exists)
    fm_warn("'%s' is of an earlier run, which -resume would continue: it will be kept as "
            "'%s/checkpoint.replaced.h5'%s",
            path, run->out, replaced ? ", and what has that name will be gone" : "");
  PetscFunctionReturn(0);
}

PetscBool fm_saver_due(const fm_saver *s) {
  PetscMPIInt rank;

  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return !rank && s->minutes > 0. && MPI_Wtime() - s->last > 60. * s->minutes ? PETSC_TRUE
                                                                              : PETSC_FALSE;
}

double fm_saver_cost(const fm_saver *s) { return 1.5 * (s->building + s->writing) + SPARE; }

/* Of the last interval's steps: lower than at any checkpoint before? Where there is a
   validation, that has its own best weights in every checkpoint. A tempered objective is
   another one. */
static PetscBool is_best(const fm_saver *s, fm_trainer *t) {
  const fm_series *objective = fm_history_find(t->history, "objective");
  const int64_t n = objective ? PetscMin(objective->n, s->every) : 0;
  double mean = 0.;

  if (t->best || n == 0) return PETSC_FALSE;
  if (fm_objective_temperature(t->in.objective, t->step - n) != 1.) return PETSC_FALSE;
  for (int64_t i = objective->n - n; i < objective->n; i++)
    mean += objective->value[i] / (double)n;
  if (!(mean < t->best_objective)) return PETSC_FALSE;
  t->best_objective = mean;
  return PETSC_TRUE;
}

PetscErrorCode fm_saver_finish(fm_saver *s) {
  PetscFunctionBegin;
  if (!s->writer) PetscFunctionReturn(0);
  PetscCall(fm_writer_finish(&s->writer, &s->writing));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_saver_begin(fm_run *run, fm_trainer *t, PetscBool again, fm_saver *s) {
  char path[PETSC_MAX_PATH_LEN], best[PETSC_MAX_PATH_LEN], aside[PETSC_MAX_PATH_LEN];
  fm_keep keep = {.files = again ? 0 : s->keep};

  PetscFunctionBegin;
  PetscCall(fm_saver_finish(s));
  PetscCall(fm_journal_forget(run->journal, s->step));
  PetscCall(fm_trainer_replicas_agree(t));
  s->last = MPI_Wtime();
  PetscCall(fm_run_path(run, "checkpoint.h5", path));
  PetscCall(fm_run_path(run, "checkpoint.best.h5", best));
  PetscCall(fm_run_path(run, "checkpoint.replaced.h5", aside));
  if (!again && is_best(s, t)) keep.best = best;
  if (s->fresh) keep.aside = aside;
  s->fresh = PETSC_FALSE;
  PetscCall(fm_checkpoint_begin(t, path, &keep, &s->writer));
  s->building = MPI_Wtime() - s->last;
  s->step = t->step;
  fm_stop_set_spare(fm_saver_cost(s));
  PetscFunctionReturn(0);
}
