/* The loop of pretrain and refine: evaluate, step, report, checkpoint. */
#include "cli/saver.h"
#include "cli/times.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include "fathom/timing.h"
#include <math.h>
#include <stdlib.h>

enum { STALLS = 3 };

typedef struct {
  const fm_watch *watch;
  int64_t first, last, stop, checkpoint_every; /* steps: begin, end, leave after, interval */
  double report, begin, *seconds;              /* wall time a step */
  double evaluating, evaluation; /* wall time of the evaluations so far; of one to come */
  PetscBool saved;               /* checkpoint.h5 holds the last step, without its evaluation */
  PetscBool moved;               /* a step or an evaluation was done */
  fm_saver saver;
  fm_times times;
} loop;

PetscErrorCode fm_train_resume(fm_run *run, fm_trainer *trainer, PetscBool *resumed) {
  char path[PETSC_MAX_PATH_LEN], found[PETSC_MAX_PATH_LEN] = "";
  PetscBool wanted;
  int64_t noted[6];

  PetscFunctionBegin;
  *resumed = PETSC_FALSE;
  PetscCall(fm_option_flag("resume", &wanted));
  if (!wanted) PetscFunctionReturn(0);
  PetscCall(fm_run_path(run, "checkpoint.h5", path));
  PetscCall(fm_store_newest(run->comm.world, path, found));
  if (!found[0]) {
    fm_log("-resume: no checkpoint '%s': starting fresh", path);
    PetscFunctionReturn(0);
  }
  PetscCall(fm_run_resume_fits(run, trainer, found));
  PetscCall(fm_checkpoint_resume(trainer, found));
  PetscCall(fm_lock_noted(run->lock, noted));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    trainer->ledger_spent[k] = PetscMax(trainer->ledger_spent[k], noted[k]);
  trainer->noted = noted[3];
  fm_log("resumed '%s' at step %lld", found, (long long)trainer->step);
  *resumed = run->resumed = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare(const fm_run *run, const fm_trainer *t, const fm_watch *watch,
                              loop *l) {
  PetscFunctionBegin;
  *l = (loop){.watch = watch, .first = t->step, .last = t->in.schedule.steps};
  PetscCall(fm_option_integer_in("stop_after", 0, INT64_MAX, &l->stop));
  PetscCall(fm_option_integer_in("checkpoint_every", 1, INT64_MAX, &l->checkpoint_every));
  PetscCall(fm_option_real_in("report_seconds", 0., 1e9, &l->report));
  PetscCall(fm_saver_prepare(run, &l->saver));
  PetscCall(fm_run_time(run));
  fm_stop_set_spare(fm_saver_cost(&l->saver));
  if (l->stop) l->last = PetscMin(l->last, l->first + l->stop);
  l->saved = t->step && t->step == l->last ? PETSC_TRUE : PETSC_FALSE;
  l->begin = MPI_Wtime();
  PetscCall(fm_calloc(PetscMax(0, l->last - l->first), &l->seconds));
  PetscFunctionReturn(0);
}

/* Samples dropped so far: what is left conditions the objective on success. */
static int64_t dropped(const fm_trainer *t) {
  const fm_series *failed = fm_history_find(t->history, "failed");
  double sum = 0.;

  for (int64_t i = 0; failed && i < failed->n; i++) sum += failed->value[i];
  return (int64_t)sum;
}

/* ---- evaluations ---- */

static PetscBool evaluation_due(const fm_trainer *t, const fm_watch *watch) {
  const PetscBool end = t->step == t->in.schedule.steps ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool due = !t->step || (watch->every && t->step % watch->every == 0);

  if (!watch->evaluate || !(end || due)) return PETSC_FALSE;
  return (int64_t)fm_history_last(t->history, "evaluation_step") == t->step &&
                 fm_history_find(t->history, "evaluation_step")
             ? PETSC_FALSE /* a resumed run that had made it */
             : PETSC_TRUE;
}

static PetscErrorCode evaluate_due(fm_trainer *t, loop *l) {
  const double begin = MPI_Wtime();
  double seconds;

  PetscFunctionBegin;
  if (!evaluation_due(t, l->watch)) PetscFunctionReturn(0);
  PetscCall(l->watch->evaluate(t, l->watch->context));
  if (!t->all.stop)
    PetscCall(fm_history_append(t->history, "evaluation_step", (double)t->step));
  l->moved = l->moved || !t->all.stop ? PETSC_TRUE : PETSC_FALSE;
  seconds = MPI_Wtime() - begin;
  fm_time_add(FM_TIME_EVALUATION, begin);
  l->evaluating += seconds;
  l->evaluation = seconds / (!t->step && l->watch->first > 0. ? l->watch->first : 1.);
  PetscFunctionReturn(0);
}

/* Those that this job has still to make. */
static int64_t evaluations_left(const fm_trainer *t, const loop *l) {
  const int64_t every = l->watch->every;
  int64_t count = every ? l->last / every - t->step / every : 0;

  if (!l->watch->evaluate) return 0;
  if (l->last == t->in.schedule.steps && (!every || l->last % every)) count++;
  return count;
}

/* Steps a second are of the steps alone; the time left is also that of evaluations. */
static void report(const fm_trainer *t, const loop *l, PetscBool last) {
  const double spent = MPI_Wtime() - l->begin - l->evaluating;
  const double rate = (double)(t->step - l->first) / PetscMax(spent, 1e-9);
  const double left =
      (double)(l->last - t->step) / rate + (double)evaluations_left(t, l) * l->evaluation;
  const double temperature = fm_objective_temperature(t->in.objective, t->step - 1);
  char solves[64] = "", failed[64] = "", tempered[48] = "";

  if (t->ledger[FM_SOLVE_F])
    snprintf(solves, sizeof(solves), ", %lld F solves", (long long)t->ledger[FM_SOLVE_F]);
  if (dropped(t))
    snprintf(failed, sizeof(failed), ", conditional: %lld dropped", (long long)dropped(t));
  if (temperature != 1.)
    snprintf(tempered, sizeof(tempered), " at temperature %.3g", temperature);
  fm_progress(l->report, last,
              "step %lld/%lld  objective %.5f%s  %.1f steps/s, %.0f s left%s%s",
              (long long)t->step, (long long)t->in.schedule.steps,
              fm_history_last(t->history, "objective"), tempered, rate, last ? 0. : left,
              solves, failed);
}

/* ---- the loop ---- */

static PetscErrorCode save(fm_run *run, fm_trainer *t, PetscBool again, loop *l) {
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  PetscCall(fm_saver_begin(run, t, again, &l->saver));
  fm_time_add(FM_TIME_FILES, begin);
  PetscFunctionReturn(0);
}

/* Before a long evaluation what is trained is put away. */
static PetscErrorCode evaluate_and_save(fm_run *run, fm_trainer *t, loop *l) {
  PetscFunctionBegin;
  if (t->step == l->last && !l->saved && evaluation_due(t, l->watch)) {
    PetscCall(save(run, t, PETSC_FALSE, l));
    l->saved = PETSC_TRUE;
  }
  PetscCall(evaluate_due(t, l));
  PetscFunctionReturn(0);
}

/* The longest of the last steps: what one more may take. */
static double step_cost(const fm_trainer *t, const loop *l) {
  double longest = 0.;

  for (int64_t i = PetscMax(l->first, t->step - 8); i < t->step; i++)
    longest = PetscMax(longest, l->seconds[i - l->first]);
  if (t->step == l->first && t->timing->nseries) /* of the job before */
    longest = PetscMax(0., fm_history_last(t->timing, "step_seconds"));
  return longest;
}

static PetscErrorCode one_step(fm_run *run, fm_trainer *t, loop *l) {
  const double begin = MPI_Wtime();
  int64_t noted[6] = {0};

  PetscFunctionBegin;
  t->mine.needed = step_cost(t, l);
  t->mine.save = fm_saver_due(&l->saver);
  t->mine.trouble = fm_writer_failed(l->saver.writer) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fm_trainer_step(t));
  l->moved = PETSC_TRUE;
  l->seconds[t->step - 1 - l->first] = MPI_Wtime() - begin;
  PetscCall(fm_history_append(t->timing, "step_seconds", l->seconds[t->step - 1 - l->first]));
  for (int k = 0; k < FM_SOLVE_KINDS; k++) noted[k] = t->ledger_spent[k];
  noted[3] = t->step;
  if (noted[0]) PetscCall(fm_lock_note(run->lock, noted));
  report(t, l, PETSC_FALSE);
  if (t->all.trouble) PetscCall(fm_saver_finish(&l->saver));
  if ((t->step % l->checkpoint_every == 0 || t->all.save) && t->step < l->last && !t->all.stop)
    PetscCall(save(run, t, PETSC_FALSE, l));
  PetscFunctionReturn(0);
}

/* The last checkpoint: with the evaluation in the place of the one without, so that the one
   before stays that of an earlier step. */
static PetscErrorCode last_save(fm_run *run, fm_trainer *t, loop *l) {
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  PetscCall(fm_saver_begin(run, t, l->saved, &l->saver));
  PetscCall(fm_saver_finish(&l->saver));
  fm_time_add(FM_TIME_FILES, begin);
  PetscFunctionReturn(0);
}

/* Jobs that end before anything is done would be requeued for ever. */
static PetscErrorCode check_progress(fm_run *run, const fm_trainer *t, const loop *l) {
  int64_t noted[6];

  PetscFunctionBegin;
  PetscCall(fm_lock_noted(run->lock, noted));
  for (int k = 0; k < FM_SOLVE_KINDS; k++) noted[k] = PetscMax(noted[k], t->ledger_spent[k]);
  noted[3] = t->step;
  noted[4] = l->moved ? 0 : noted[4] + 1;
  PetscCall(fm_lock_note(run->lock, noted));
  fm_check(
      noted[4] < STALLS, run->comm.world, PETSC_ERR_USER,
      "%d jobs in a row ended (%s) at step %lld before a step or an evaluation was done: give "
      "a job more time, or lower -evaluation_latents",
      STALLS, fm_stop_reason(), (long long)t->step);
  PetscFunctionReturn(0);
}

static void say_stopped(const fm_trainer *t) {
  char age[64] = "";

  if (fm_stop_age() > 0.)
    snprintf(age, sizeof(age), ", %.2f s after the signal", fm_stop_age());
  fm_log("stopped by %s at step %lld of %lld with a checkpoint%s: continue with -resume",
         fm_stop_reason(), (long long)t->step, (long long)t->in.schedule.steps, age);
}

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

/* The failed fraction stands beside every result. */
static PetscErrorCode report_dropped(fm_run *run, const fm_trainer *t) {
  const int64_t failed = dropped(t);
  int64_t samples = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < t->step; i++) samples += fm_objective_batch(t->in.objective, i);
  PetscCall(fm_result(run->results, "failed_fraction",
                      (double)failed / PetscMax(1., (double)samples), "1"));
  if (failed)
    fm_warn("%lld of %lld samples were dropped: objective and flow are conditional on models "
            "whose solve succeeds",
            (long long)failed, (long long)samples);
  PetscFunctionReturn(0);
}

static PetscErrorCode results(fm_run *run, const fm_trainer *t, loop *l) {
  const int64_t made = t->step - l->first;

  PetscFunctionBegin;
  PetscCall(fm_result(run->results, "parameters", (double)t->layout->size, "1"));
  PetscCall(fm_result(run->results, "steps", (double)t->step, "1"));
  if (t->step)
    PetscCall(
        fm_result(run->results, "objective", fm_history_last(t->history, "objective"), "nats"));
  PetscCall(report_dropped(run, t));
  if (made > 0) {
    qsort(l->seconds, (size_t)made, sizeof(double), ascending);
    PetscCall(fm_result(run->results, "step_seconds", l->seconds[made / 2], "s"));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_train(fm_run *run, fm_trainer *t, const fm_watch *watch) {
  loop l;

  PetscFunctionBegin;
  PetscCall(prepare(run, t, watch, &l));
  l.times = fm_times_now();
  PetscCall(evaluate_due(t, &l));
  while (t->step < l.last && !t->all.stop) {
    PetscCall(one_step(run, t, &l));
    if (!t->all.stop) PetscCall(evaluate_and_save(run, t, &l));
  }
  if (t->step > l.first) report(t, &l, PETSC_TRUE);
  PetscCall(last_save(run, t, &l));
  run->stopped = t->all.stop;
  if (run->stopped || l.moved) PetscCall(check_progress(run, t, &l));
  if (run->stopped)
    say_stopped(t);
  else if (t->step < t->in.schedule.steps)
    fm_log("stopped at step %lld of %lld: continue with -resume", (long long)t->step,
           (long long)t->in.schedule.steps);
  fm_stop_over(run->stopped);
  PetscCall(results(run, t, &l));
  PetscCall(fm_times_report(run, &l.times));
  PetscCall(PetscFree(l.seconds));
  PetscFunctionReturn(0);
}
