/* refine - reverse KL at one observation with the operator in the loop: eq. (6) from pretrained
   weights, eq. (2) from scratch. */
#include "cli/mismatch.h"
#include "cli/refinement.h"
#include "cli/skipping.h"
#include "cli/solves.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <math.h>

typedef struct {
  fm_refinement set;
  double log_evidence;
  int64_t latents;  /* of an evaluation */
  double last_took; /* seconds of the last one */
} refinement;

#define MANY 2000   /* solves that are announced */
#define PATIENCE 5. /* seconds after which the next evaluation is announced, too */

/* ---- KL along the way ---- */

static PetscErrorCode diagnose(refinement *r, const fm_real *theta, fm_diagnosis *d) {
  PetscFunctionBegin;
  if (r->set.trainer->step) PetscCall(fm_transport_refresh(r->set.transport, theta));
  PetscCall(fm_diagnose(r->set.target, r->set.transport, theta, r->set.run->seed,
                        FM_STREAM_EVALUATE, r->latents,
                        isnan(r->log_evidence) ? 0. : r->log_evidence, PETSC_FALSE, d));
  PetscFunctionReturn(0);
}

/* Before the first step both sets of weights are the start's. The averaged weights' traces are
   looked at, too. */
static PetscErrorCode diagnose_both(refinement *r, fm_diagnosis *last, fm_diagnosis *average) {
  fm_trainer *t = r->set.trainer;
  fm_ledger before, after;

  PetscFunctionBegin;
  PetscCall(fm_run_solves(r->set.run, r->set.target->op, &before));
  PetscCall(diagnose(r, t->theta, last));
  *average = *last;
  if (t->step && !last->stopped) PetscCall(diagnose(r, t->average, average));
  if (!last->stopped && !average->stopped)
    PetscCall(fm_skipping_note(r->set.target, r->set.transport, t->average, r->set.run->seed,
                               t->step ? PETSC_FALSE : PETSC_TRUE, t->history));
  if (t->step) PetscCall(fm_transport_refresh(r->set.transport, t->theta));
  PetscCall(fm_run_solves(r->set.run, r->set.target->op, &after));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    t->ledger[3 + k] += after.count[FM_DIAGNOSTIC][k] - before.count[FM_DIAGNOSTIC][k];
  PetscFunctionReturn(0);
}

/* Where it may take long, say so beforehand: the first time, and after one that did. */
static PetscErrorCode announce(const refinement *r) {
  const int64_t sets = r->set.trainer->step ? 2 : 1;
  PetscInt parts;
  int64_t solves;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(r->set.target->op, &parts));
  solves = sets * r->latents * parts;
  if (solves < MANY || r->last_took < PATIENCE) PetscFunctionReturn(0);
  fm_log("evaluating: %lld latents x %d part%s%s = %lld solves (-evaluation_latents)",
         (long long)r->latents, (int)parts, parts == 1 ? "" : "s",
         sets == 2 ? " x last and averaged weights" : "", (long long)solves);
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(fm_trainer *t, void *context) {
  refinement *r = (refinement *)context;
  const double begin = MPI_Wtime();
  fm_diagnosis last, average;

  PetscFunctionBegin;
  PetscCall(announce(r));
  PetscCall(diagnose_both(r, &last, &average));
  if (last.stopped || average.stopped) t->all.stop = PETSC_TRUE;
  if (t->all.stop) PetscFunctionReturn(0);
  r->last_took = MPI_Wtime() - begin;
  PetscCall(fm_history_append(t->history, "evaluation_F", (double)t->ledger[FM_SOLVE_F]));
  PetscCall(fm_history_append(t->history, "evaluation_failed", (double)average.failed));
  PetscCall(fm_history_append(t->history, "kl", average.kl));
  PetscCall(fm_history_append(t->history, "kl_se", average.kl_se));
  PetscCall(fm_history_append(t->history, "kl_last", last.kl));
  PetscCall(fm_history_append(t->history, "kl_last_se", last.kl_se));
  PetscCall(fm_history_append(t->history, "ess_fraction", average.ess_fraction));
  PetscFunctionReturn(0);
}

/* ---- results ---- */

static PetscErrorCode report_reached(refinement *r, const char *series, const char *suffix) {
  const fm_series *kl = fm_history_find(r->set.trainer->history, series);
  const fm_series *solves = fm_history_find(r->set.trainer->history, "evaluation_F");
  double level, first, stay;
  char name[64];

  PetscFunctionBegin;
  if (!kl || kl->n < 3) PetscFunctionReturn(0); /* no curve was asked for */
  PetscCall(fm_option_real("kl_target", &level));
  fm_solves_to_reach(kl->n, solves->value, kl->value, level, 1000., &first, &stay);
  PetscCall(PetscSNPrintf(name, sizeof(name), "solves_to_kl_first%s", suffix));
  PetscCall(fm_result(r->set.run->results, name, first, "F"));
  PetscCall(PetscSNPrintf(name, sizeof(name), "solves_to_kl_stay%s", suffix));
  PetscCall(fm_result(r->set.run->results, name, stay, "F"));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(refinement *r) {
  static const char *const names[] = {"solves_F", "solves_J", "solves_JT", "diagnostic_F"};
  const fm_history *h = r->set.trainer->history;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++)
    PetscCall(
        fm_result(r->set.run->results, names[k], (double)r->set.trainer->ledger[k], "solves"));
  PetscCall(fm_result(r->set.run->results, "spent_F", (double)r->set.trainer->ledger_spent[0],
                      "solves"));
  if (isnan(r->log_evidence)) {
    PetscCall(fm_result(r->set.run->results, "minus_elbo", fm_history_last(h, "kl"), "nats"));
    PetscCall(
        fm_result(r->set.run->results, "minus_elbo_se", fm_history_last(h, "kl_se"), "nats"));
  } else {
    PetscCall(
        fm_result(r->set.run->results, "kl_start", fm_history_find(h, "kl")->value[0], "nats"));
    PetscCall(fm_result(r->set.run->results, "kl", fm_history_last(h, "kl"), "nats"));
    PetscCall(fm_result(r->set.run->results, "kl_last_weights", fm_history_last(h, "kl_last"),
                        "nats"));
    PetscCall(report_reached(r, "kl", ""));
    PetscCall(report_reached(r, "kl_last", "_last_weights"));
  }
  PetscCall(fm_result(r->set.run->results, "kl_se", fm_history_last(h, "kl_se"), "nats"));
  PetscCall(
      fm_result(r->set.run->results, "ess_fraction", fm_history_last(h, "ess_fraction"), "1"));
  PetscCall(fm_skipping_report(r->set.run->results, h));
  PetscFunctionReturn(0);
}

/* Is this what the flow was pretrained on, and does the prior know such models? */
static PetscErrorCode judge(refinement *r) {
  fm_trainer *t = r->set.trainer;

  PetscFunctionBegin;
  PetscCall(fm_judge_data(r->set.run, r->set.target, r->set.transport));
  PetscCall(fm_transport_refresh(r->set.transport, t->average));
  PetscCall(fm_judge_prior(r->set.run, r->set.target, r->set.transport, t->average));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(refinement *r) {
  fm_watch watch = {0, evaluate, r, 0.5};
  PetscBool resumed;

  PetscFunctionBegin;
  PetscCall(fm_run_log_evidence(&r->log_evidence));
  PetscCall(fm_option_integer_in("evaluation_latents", 2, 1 << 30, &r->latents));
  PetscCall(fm_option_integer_in("evaluate_every", 0, INT64_MAX, &watch.every));
  PetscCall(fm_refinement_observe(&r->set));
  PetscCall(fm_train_resume(r->set.run, r->set.trainer, &resumed));
  PetscCall(fm_refinement_journal(&r->set));
  if (!resumed) PetscCall(fm_refinement_begin(&r->set));
  if (!resumed && !r->set.warm) fm_log("from scratch: random weights");
  PetscCall(fm_train(r->set.run, r->set.trainer, &watch));
  PetscCall(fm_refinement_journal_end(&r->set));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_refine(fm_run *run) {
  refinement r = {.last_took = INFINITY};

  PetscFunctionBegin;
  fm_stop_watch();
  PetscCall(fm_run_not_over(run, "checkpoint.h5", "warm_start"));
  PetscCall(fm_run_not_over(run, "checkpoint.best.h5", "warm_start"));
  PetscCall(fm_run_not_over(run, "checkpoint.h5", "prior_flow"));
  PetscCall(fm_refinement_create(run, &r.set));
  PetscCall(train(&r));
  if (!run->stopped) PetscCall(report(&r));
  if (!run->stopped) PetscCall(judge(&r));
  PetscCall(fm_refinement_clear(&r.set));
  PetscFunctionReturn(0);
}
