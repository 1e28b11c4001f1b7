/* refine - reverse KL at one observation with the operator in the loop: eq. (6) from pretrained
   weights, eq. (2) from scratch. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

typedef struct {
  fm_run *run;
  fm_target *target;
  fm_transport *transport;
  fm_real *start; /* weights to begin with */
  fm_objective *objective;
  fm_trainer *trainer;
  PetscBool warm;
  double log_evidence;
  int64_t latents; /* of an evaluation */
} refinement;

/* ---- from a checkpoint ---- */

/* The network that the options describe where they differ from the checkpoint's: its weights
   must fit by name and shape. */
static PetscErrorCode respecify(refinement *r, const char *path, fm_weights weights) {
  fm_flow_spec spec = *fm_flow_get_spec(r->transport->flow);
  fm_transport *old = r->transport, *made;

  PetscFunctionBegin;
  PetscCall(fm_run_flow_spec(spec.x, spec.y, PETSC_TRUE, &spec));
  if (!memcmp(&spec, fm_flow_get_spec(old->flow), sizeof(spec))) PetscFunctionReturn(0);
  PetscCall(fm_transport_create(&spec, &made));
  PetscCall(fm_transport_whiten(made, old->x_mean, old->x_std, old->y_mean, old->y_std));
  PetscCall(PetscFree(r->start));
  PetscCall(fm_calloc(fm_flow_layout(made->flow)->size, &r->start));
  PetscCall(fm_checkpoint_warm_start(r->run->comm.world, path, weights,
                                     fm_flow_layout(made->flow), r->start));
  PetscCall(fm_transport_destroy(&old));
  r->transport = made;
  PetscFunctionReturn(0);
}

static PetscErrorCode from_checkpoint(refinement *r, const char *path) {
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("weights", FM_WEIGHTS_CHOICES, &weights));
  PetscCall(fm_checkpoint_load(r->run->comm.world, path, (fm_weights)weights, &r->transport,
                               &r->start));
  PetscCall(respecify(r, path, (fm_weights)weights));
  PetscCall(
      fm_target_create(&r->run->comm, r->transport->n, r->transport->m, NULL, &r->target));
  fm_log("warm start from '%s'", path);
  PetscFunctionReturn(0);
}

/* ---- from scratch ---- */

static PetscErrorCode from_scratch(refinement *r) {
  fm_flow_spec spec;

  PetscFunctionBegin;
  PetscCall(fm_target_create(&r->run->comm, 0, 0, NULL, &r->target));
  PetscCall(PetscMemzero(&spec, sizeof(spec)));
  PetscCall(fm_run_flow_spec(fm_shape_vector(r->target->n), fm_shape_vector(r->target->m),
                             PETSC_FALSE, &spec));
  PetscCall(fm_transport_create(&spec, &r->transport));
  PetscCall(fm_run_whiten(r->target, r->transport));
  PetscCall(fm_calloc(fm_flow_layout(r->transport->flow)->size, &r->start));
  PetscCall(fm_flow_initialize(r->transport->flow, (fm_rng){r->run->seed, FM_STREAM_INITIAL},
                               r->start));
  fm_log("from scratch: random weights");
  PetscFunctionReturn(0);
}

/* ---- objective ---- */

static PetscErrorCode build_objective(refinement *r) {
  fm_posterior_inputs in = {r->transport, r->target, FM_ESTIMATOR_TOTAL, 0, r->run->seed, 0, 0};
  int estimator;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("estimator", "total|path", &estimator));
  in.estimator = (fm_estimator)estimator;
  PetscCall(fm_option_integer_in("latents", 0, INT64_MAX / 2, &in.latents));
  PetscCall(fm_option_integer_in("batch_size", 1, 1 << 24, &in.batch));
  PetscCall(fm_option_integer_in("steps_per_epoch", 1, INT64_MAX / 2, &in.steps_per_epoch));
  PetscCall(fm_posterior_create(&in, &r->objective));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(refinement *r) {
  fm_trainer *t = r->trainer;
  PetscBool resumed;
  int train;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("train", "xlane|all", &train));
  if (!fm_transport_sees(r->transport, r->target->y))
    PetscCall(fm_transport_observe(r->transport, r->start, r->target->y));
  r->transport->train = (fm_trained)train;
  PetscCall(fm_train_resume(r->run, t, &resumed));
  if (resumed) PetscFunctionReturn(0);
  if (!r->warm) PetscCall(fm_objective_start(r->objective, r->start));
  PetscCall(PetscArraycpy(t->theta, r->start, t->layout->size));
  PetscCall(PetscArraycpy(t->average, r->start, t->layout->size));
  PetscFunctionReturn(0);
}

/* ---- KL along the way ---- */

static PetscErrorCode diagnose(refinement *r, const fm_real *theta, fm_diagnosis *d) {
  PetscFunctionBegin;
  if (r->trainer->step) PetscCall(fm_transport_refresh(r->transport, theta));
  PetscCall(fm_diagnose(r->target, r->transport, theta, r->run->seed, FM_STREAM_EVALUATE,
                        r->latents, isnan(r->log_evidence) ? 0. : r->log_evidence, PETSC_FALSE,
                        d));
  r->trainer->ledger[3 + FM_SOLVE_F] += r->latents;
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(fm_trainer *t, void *context) {
  refinement *r = (refinement *)context;
  fm_diagnosis last, average;

  PetscFunctionBegin;
  PetscCall(diagnose(r, t->theta, &last));
  PetscCall(diagnose(r, t->average, &average));
  if (t->step) PetscCall(fm_transport_refresh(r->transport, t->theta));
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
  const fm_series *kl = fm_history_find(r->trainer->history, series);
  const fm_series *solves = fm_history_find(r->trainer->history, "evaluation_F");
  double level, first, stay;
  char name[64];

  PetscFunctionBegin;
  if (!kl || kl->n < 3) PetscFunctionReturn(0); /* no curve was asked for */
  PetscCall(fm_option_real("kl_target", &level));
  fm_solves_to_reach(kl->n, solves->value, kl->value, level, 1000., &first, &stay);
  PetscCall(PetscSNPrintf(name, sizeof(name), "solves_to_kl_first%s", suffix));
  PetscCall(fm_result(r->run->results, name, first, "F"));
  PetscCall(PetscSNPrintf(name, sizeof(name), "solves_to_kl_stay%s", suffix));
  PetscCall(fm_result(r->run->results, name, stay, "F"));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(refinement *r) {
  static const char *const names[] = {"solves_F", "solves_J", "solves_JT", "diagnostic_F"};
  const fm_history *h = r->trainer->history;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++)
    PetscCall(fm_result(r->run->results, names[k], (double)r->trainer->ledger[k], "solves"));
  PetscCall(
      fm_result(r->run->results, "spent_F", (double)r->trainer->ledger_spent[0], "solves"));
  if (isnan(r->log_evidence)) {
    PetscCall(fm_result(r->run->results, "minus_elbo", fm_history_last(h, "kl"), "nats"));
  } else {
    PetscCall(
        fm_result(r->run->results, "kl_start", fm_history_find(h, "kl")->value[0], "nats"));
    PetscCall(fm_result(r->run->results, "kl", fm_history_last(h, "kl"), "nats"));
    PetscCall(
        fm_result(r->run->results, "kl_last_weights", fm_history_last(h, "kl_last"), "nats"));
    PetscCall(report_reached(r, "kl", ""));
    PetscCall(report_reached(r, "kl_last", "_last_weights"));
  }
  PetscCall(fm_result(r->run->results, "kl_se", fm_history_last(h, "kl_se"), "nats"));
  PetscCall(
      fm_result(r->run->results, "ess_fraction", fm_history_last(h, "ess_fraction"), "1"));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(refinement *r) {
  fm_watch watch = {0, evaluate, r};
  fm_trainer_inputs inputs;

  PetscFunctionBegin;
  PetscCall(fm_run_log_evidence(&r->log_evidence));
  PetscCall(fm_option_integer_in("evaluation_latents", 2, 1 << 30, &r->latents));
  PetscCall(fm_option_integer_in("evaluate_every", 0, INT64_MAX, &watch.every));
  PetscCall(build_objective(r));
  PetscCall(fm_run_trainer_inputs(r->run, r->transport, r->objective,
                                  fm_operator_describe(r->target->op), &inputs));
  PetscCall(fm_trainer_create(&inputs, &r->trainer));
  PetscCall(begin(r));
  PetscCall(fm_train(r->run, r->trainer, &watch));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_refine(fm_run *run) {
  refinement r;
  const char *path;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&r, sizeof(r)));
  r.run = run;
  PetscCall(fm_option_text("warm_start", &path));
  r.warm = path[0] ? PETSC_TRUE : PETSC_FALSE;
  if (r.warm)
    PetscCall(from_checkpoint(&r, path));
  else
    PetscCall(from_scratch(&r));
  PetscCall(train(&r));
  PetscCall(report(&r));
  PetscCall(fm_trainer_destroy(&r.trainer));
  PetscCall(fm_objective_destroy(&r.objective));
  PetscCall(PetscFree(r.start));
  PetscCall(fm_transport_destroy(&r.transport));
  PetscCall(fm_target_destroy(&r.target));
  PetscFunctionReturn(0);
}
