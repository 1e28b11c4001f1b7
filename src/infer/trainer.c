#include "fathom/trainer.h"
#include "fathom/timing.h"
#include "fathom/stop.h"
#include <math.h>
#include <zlib.h>

PetscErrorCode fm_trainer_create(const fm_trainer_inputs *inputs, fm_trainer **trainer) {
  fm_trainer *t;
  int64_t n;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  t->in = *inputs;
  t->layout = fm_transport_layout(inputs->transport);
  n = t->layout->size;
  t->window = FM_SHARE_WINDOW;
  t->best_value = t->best_objective = INFINITY;
  PetscCall(fm_calloc(n, &t->theta));
  PetscCall(fm_calloc(n, &t->average));
  PetscCall(fm_calloc(n, &t->grad));
  PetscCall(fm_optimizer_create(n, inputs->clip, &t->optimizer));
  PetscCall(fm_share_create(n, &t->share));
  PetscCall(fm_history_create(&t->history));
  PetscCall(fm_history_create(&t->timing));
  *trainer = t;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trainer_destroy(fm_trainer **trainer) {
  fm_trainer *t = *trainer;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(PetscFree(t->theta));
  PetscCall(PetscFree(t->average));
  PetscCall(PetscFree(t->best));
  PetscCall(PetscFree(t->grad));
  PetscCall(fm_optimizer_destroy(&t->optimizer));
  PetscCall(fm_share_destroy(&t->share));
  PetscCall(fm_history_destroy(&t->history));
  PetscCall(fm_history_destroy(&t->timing));
  PetscCall(PetscFree(*trainer));
  PetscFunctionReturn(0);
}

/* What this rank wishes, for the sum over the ranks. Those of one space go different ways in
   it,
   and need one word. */
static PetscErrorCode add_wishes(fm_trainer *t) {
  int wish[] = {fm_stop_wanted(t->mine.needed), t->mine.save, t->mine.trouble};
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(t->in.comm->space, &size));
  if (size > 1)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, wish, 3, MPI_INT, MPI_MAX, t->in.comm->space));
  for (int k = 0; k < 3; k++) fm_share_add_count(t->share, FM_COUNT_STOP + k, wish[k]);
  PetscFunctionReturn(0);
}

static PetscBool said(const fm_trainer *t, int count) {
  return fm_share_count(t->share, count) ? PETSC_TRUE : PETSC_FALSE;
}

/* My micro-batches of this step into the share, then everybody's verdict on them, the same on
   every rank. */
static PetscErrorCode gather(fm_trainer *t) {
  const int64_t batch = fm_objective_batch(t->in.objective, t->step), micro = t->in.micro_batch;
  double begin = MPI_Wtime();
  int64_t first, count;

  PetscFunctionBegin;
  fm_share_begin(t->share, t->window);
  PetscCall(fm_comm_share(t->in.comm, (batch + micro - 1) / micro, &first, &count));
  for (int64_t i = first; i < first + count; i++)
    PetscCall(fm_objective_add(t->in.objective, t->theta, t->step, i * micro,
                               PetscMin(micro, batch - i * micro), t->share));
  PetscCall(add_wishes(t));
  fm_time_add(FM_TIME_STEP, begin);
  begin = MPI_Wtime();
  PetscCallMPI(MPI_Barrier(t->in.comm->sample));
  fm_time_add(FM_TIME_IDLE, begin);
  begin = MPI_Wtime();
  PetscCall(fm_share_reduce(t->share, t->in.comm->sample));
  fm_time_add(FM_TIME_REDUCTION, begin);
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    t->ledger_spent[k] += fm_share_count(t->share, FM_COUNT_SOLVES + k);
  PetscFunctionReturn(0);
}

/* What to do about failed samples: where the flow itself makes no model, units are not to
   blame. */
static const char *advice(const fm_trainer *t) {
  if (fm_share_count(t->share, FM_COUNT_NO_MODEL) && !t->step)
    return "the flow's model is not finite before any solve: are the weights that it starts "
           "from right (-warm_start), and is -flow_depth too large?";
  if (fm_share_count(t->share, FM_COUNT_NO_MODEL))
    return "the flow's model is not finite before any solve: lower -learning_rate or set "
           "-clip_norm";
  return t->step ? "lower -learning_rate or check the operator (fathom check)"
                 : "are model, data and prior in the same units? (fathom check)";
}

/* Refuse what must not reach theta. */
static PetscErrorCode check(const fm_trainer *t) {
  const int64_t kept = fm_share_count(t->share, FM_COUNT_KEPT);
  const int64_t failed = fm_share_count(t->share, FM_COUNT_FAILED);

  PetscFunctionBegin;
  fm_check(kept > 0 && (double)failed <= t->in.max_failed_fraction * (double)(kept + failed),
           t->in.comm->world, PETSC_ERR_USER,
           "step %lld: %lld of %lld samples failed or are not finite, more "
           "than -max_failed_fraction %.6g; "
           "%s",
           (long long)t->step, (long long)failed, (long long)(kept + failed),
           t->in.max_failed_fraction, advice(t));
  fm_check(fm_share_verdict(t->share) == FM_SHARE_GOOD, t->in.comm->world, PETSC_ERR_USER,
           "step %lld: the gradient is not finite; lower -learning_rate or set -clip_norm",
           (long long)t->step);
  PetscFunctionReturn(0);
}

static PetscErrorCode record(fm_trainer *t, double rate, double norm) {
  const double kept = (double)fm_share_count(t->share, FM_COUNT_KEPT);
  const PetscBool posterior = !strcmp(fm_objective_name(t->in.objective), "posterior");
  static const char *const part[] = {"likelihood", "prior", "energy_2", "energy_3"};

  PetscFunctionBegin;
  PetscCall(fm_history_append(t->history, "objective",
                              fm_share_term(t->share, FM_TERM_OBJECTIVE) / kept));
  PetscCall(fm_history_append(t->history, "learning_rate", rate));
  PetscCall(fm_history_append(t->history, "gradient_norm", norm));
  PetscCall(fm_history_append(t->history, "failed",
                              (double)fm_share_count(t->share, FM_COUNT_FAILED)));
  if (!posterior) PetscFunctionReturn(0);
  if (t->in.objective->tempering.first > 1)
    PetscCall(fm_history_append(t->history, "temperature",
                                fm_objective_temperature(t->in.objective, t->step)));
  PetscCall(
      fm_history_append(t->history, "minus_elbo", fm_share_term(t->share, FM_TERM_KL) / kept));
  for (int e = 0; e < 2; e++)
    PetscCall(fm_history_append(t->history, part[e],
                                fm_share_term(t->share, FM_TERM_PART + e) / kept));
  PetscCall(fm_history_append(t->history, "solves_F", (double)t->ledger[FM_SOLVE_F]));
  PetscFunctionReturn(0);
}

/* Steps between tries of a finer window after a spike of the gradient: where it was too early,
   one step is done twice. */
enum { RECOVER = 16 };

static PetscErrorCode recover(fm_trainer *t) {
  PetscBool spare;

  PetscFunctionBegin;
  if (t->window >= FM_SHARE_WINDOW || t->step % RECOVER) PetscFunctionReturn(0);
  PetscCall(fm_share_spare(t->share, &spare));
  if (spare) t->window += 20;
  PetscFunctionReturn(0);
}

/* Solves of this kind that a job which was killed had made. */
static int64_t recalled(const fm_trainer *t, int kind) {
  return kind == FM_SOLVE_J ? 0 : fm_share_count(t->share, FM_COUNT_RECALLED);
}

PetscErrorCode fm_trainer_step(fm_trainer *t) {
  const double rate = fm_schedule_rate(&t->in.schedule, t->step);
  double norm;

  PetscFunctionBegin;
  PetscCall(gather(t));
  while (fm_share_verdict(t->share) == FM_SHARE_OUTSIDE && t->window > -900) {
    t->window -= 20;
    PetscCall(gather(t));
  }
  PetscCall(check(t));
  PetscCall(fm_share_gradient(t->share, 1. / (double)fm_share_count(t->share, FM_COUNT_KEPT),
                              t->grad));
  PetscCall(fm_optimizer_step(t->optimizer, t->step, rate, t->grad, t->theta, &norm));
  fm_average_update(t->layout->size, t->step, t->in.average_power, t->theta, t->average);
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    t->ledger[k] += fm_share_count(t->share, FM_COUNT_SOLVES + k) + recalled(t, k);
  for (int k = 0; k < FM_SOLVE_KINDS && t->step >= t->noted; k++)
    t->ledger_spent[k] += recalled(t, k);
  PetscCall(record(t, rate, norm));
  t->step++;
  t->all.stop = said(t, FM_COUNT_STOP);
  t->all.save = said(t, FM_COUNT_SAVE);
  t->all.trouble = said(t, FM_COUNT_TROUBLE);
  PetscCall(recover(t));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trainer_replicas_agree(const fm_trainer *t) {
  const size_t bytes = (size_t)t->layout->size * sizeof(fm_real);
  int64_t pair[2], worst[2];

  PetscFunctionBegin;
  pair[0] = (int64_t)crc32_z(0, (const unsigned char *)t->theta, bytes);
  pair[1] = -pair[0];
  PetscCallMPI(MPI_Allreduce(pair, worst, 2, MPI_INT64_T, MPI_MAX, t->in.comm->world));
  fm_check(worst[0] == -worst[1], t->in.comm->world, PETSC_ERR_PLIB,
           "step %lld: the ranks hold different weights: mixed binaries or CPU types?",
           (long long)t->step);
  PetscFunctionReturn(0);
}
