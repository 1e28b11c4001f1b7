#include "cli/refinement.h"
#include "cli/priors.h"
#include "fathom/likelihood.h"
#include "fathom/log.h"
#include "fathom/options.h"

/* ---- from a checkpoint ---- */

/* The network that the options describe where they differ from the checkpoint's: its weights
   must fit by name and shape. */
static PetscErrorCode respecify(fm_refinement *r, const char *path, fm_weights weights) {
  fm_flow_spec spec = *fm_flow_get_spec(r->transport->flow);
  fm_transport *old = r->transport, *made;

  PetscFunctionBegin;
  PetscCall(fm_run_flow_spec(spec.x, spec.y, PETSC_TRUE, &spec));
  if (!memcmp(&spec, fm_flow_get_spec(old->flow), sizeof(spec))) PetscFunctionReturn(0);
  PetscCall(fm_run_network_fits(r->run, path, fm_flow_get_spec(old->flow), &spec));
  PetscCall(fm_transport_create(&spec, &made));
  PetscCall(fm_transport_whiten(made, old->x_mean, old->x_std, old->y_mean, old->y_std));
  PetscCall(PetscArraycpy(made->typical, old->typical, FM_TYPICALS));
  made->scale = old->scale;
  PetscCall(PetscStrncpy(made->prior, old->prior, sizeof(made->prior)));
  PetscCall(PetscStrncpy(made->prior_print, old->prior_print, sizeof(made->prior_print)));
  PetscCall(PetscFree(r->start));
  PetscCall(fm_calloc(fm_flow_layout(made->flow)->size, &r->start));
  PetscCall(fm_checkpoint_warm_start(r->run->comm.world, path, weights,
                                     fm_flow_layout(made->flow), r->start));
  PetscCall(fm_transport_destroy(&old));
  r->transport = made;
  PetscFunctionReturn(0);
}

static PetscErrorCode from_checkpoint(fm_refinement *r, const char *path) {
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("weights", FM_WEIGHTS_CHOICES, &weights));
  PetscCall(fm_checkpoint_load(r->run->comm.world, path, (fm_weights)weights, &r->transport,
                               &r->start));
  PetscCall(respecify(r, path, (fm_weights)weights));
  PetscCall(
      fm_target_create(&r->run->comm, r->transport->n, r->transport->m, NULL, &r->target));
  PetscCall(fm_run_target_fits(r->run, r->transport, r->target));
  PetscCall(fm_run_prior_fits(r->run, r->transport));
  PetscCall(fm_prior_judge(r->run, r->target, r->transport));
  fm_log("warm start from '%s'", path);
  PetscFunctionReturn(0);
}

/* ---- from scratch ---- */

static PetscErrorCode from_scratch(fm_refinement *r) {
  fm_flow_spec spec;
  double scale;

  PetscFunctionBegin;
  PetscCall(fm_target_create(&r->run->comm, 0, 0, NULL, &r->target));
  PetscCall(fm_run_target_spec(r->target, &spec));
  PetscCall(fm_transport_create(&spec, &r->transport));
  PetscCall(fm_run_whiten(r->target, r->transport));
  fm_prior_no_pairs(r->transport);
  PetscCall(fm_run_prior_divisor(r->run, &scale));
  if (scale > 0) r->transport->scale = scale;
  PetscCall(fm_calloc(fm_flow_layout(r->transport->flow)->size, &r->start));
  PetscCall(fm_flow_initialize(r->transport->flow, (fm_rng){r->run->seed, FM_STREAM_INITIAL},
                               r->start));
  PetscFunctionReturn(0);
}

/* ---- objective ---- */

/* -tempering_first to 1 over -tempering_epochs. */
static PetscErrorCode read_tempering(int64_t steps_per_epoch, fm_tempering *t) {
  int64_t epochs, all;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("tempering_first", 1., 1e12, &t->first));
  PetscCall(fm_option_integer_in("tempering_epochs", 0, INT64_MAX / (1 << 20), &epochs));
  PetscCall(fm_option_integer_in("epochs", 0, INT64_MAX / (1 << 20), &all));
  t->steps = (epochs ? epochs : all / 2) * steps_per_epoch;
  if (t->first == 1.) PetscFunctionReturn(0);
  fm_log("tempering: the misfit is divided by %.6g at step 0 and by less and less until step "
         "%lld; evaluations are not tempered",
         t->first, (long long)t->steps);
  if (t->steps >= all * steps_per_epoch)
    fm_warn("-tempering_epochs %lld is no less than -epochs %lld: what is trained in the end "
            "is not the posterior; the verdict of `evaluate` will say so",
            (long long)(t->steps / steps_per_epoch), (long long)all);
  PetscFunctionReturn(0);
}

static PetscErrorCode build_objective(fm_refinement *r) {
  fm_posterior_inputs in = {
      .transport = r->transport, .target = r->target, .seed = r->run->seed, .out = r->run->out};
  int estimator;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("estimator", "total|path", &estimator));
  in.estimator = (fm_estimator)estimator;
  PetscCall(fm_option_integer_in("latents", 0, INT64_MAX / 2, &in.latents));
  PetscCall(fm_option_integer_in("batch_size", 1, 1 << 24, &in.batch));
  PetscCall(fm_option_integer_in("steps_per_epoch", 1, INT64_MAX / 2, &in.steps_per_epoch));
  PetscCall(read_tempering(
      in.latents ? (in.latents + in.batch - 1) / in.batch : in.steps_per_epoch, &in.tempering));
  PetscCall(fm_posterior_create(&in, &r->objective));
  PetscFunctionReturn(0);
}

/* What is trained; a latent correction takes the place of the weights. */
static PetscErrorCode choose_trained(fm_refinement *r) {
  fm_real *correction;
  int train;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("train", FM_TRAIN_CHOICES, &train));
  r->train = (fm_trained)train;
  if (r->train != FM_TRAIN_LATENT) PetscFunctionReturn(0);
  fm_check(r->warm, r->run->comm.world, PETSC_ERR_USER,
           "-train latent corrects a flow that is trained already: give it with -warm_start");
  if (!fm_transport_sees(r->transport, r->target->seen))
    PetscCall(fm_transport_observe(r->transport, r->start, r->target->seen));
  PetscCall(fm_calloc(2 * r->transport->n, &correction));
  PetscCall(fm_transport_freeze(r->transport, r->start, correction));
  PetscCall(PetscFree(r->start));
  r->start = correction;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_problem(fm_run *run, fm_refinement *r) {
  const char *path;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(r, sizeof(*r)));
  r->run = run;
  PetscCall(fm_option_text("warm_start", &path));
  r->warm = path[0] ? PETSC_TRUE : PETSC_FALSE;
  if (r->warm)
    PetscCall(from_checkpoint(r, path));
  else
    PetscCall(from_scratch(r));
  PetscCall(choose_trained(r));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_create(fm_run *run, fm_refinement *r) {
  fm_trainer_inputs inputs;

  PetscFunctionBegin;
  PetscCall(fm_refinement_problem(run, r));
  PetscCall(fm_run_flow_memory(r->transport));
  PetscCall(build_objective(r));
  PetscCall(fm_run_trainer_inputs(r->run, r->transport, r->objective,
                                  fm_operator_describe(r->target->op), &inputs));
  PetscCall(fm_trainer_create(&inputs, &r->trainer));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_clear(fm_refinement *r) {
  PetscFunctionBegin;
  PetscCall(fm_trainer_destroy(&r->trainer));
  PetscCall(fm_objective_destroy(&r->objective));
  PetscCall(PetscFree(r->start));
  PetscCall(fm_transport_destroy(&r->transport));
  PetscCall(fm_target_destroy(&r->target));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_observe(fm_refinement *r) {
  PetscFunctionBegin;
  if (r->train == FM_TRAIN_LATENT) PetscFunctionReturn(0); /* done when it was frozen */
  if (!fm_transport_sees(r->transport, r->target->seen))
    PetscCall(fm_transport_observe(r->transport, r->start, r->target->seen));
  r->transport->train = r->train;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_journal(fm_refinement *r) {
  char path[PETSC_MAX_PATH_LEN];
  fm_run *run = r->run;
  fm_journal_limits limits;
  PetscBool resume;
  double gib;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("journal_min_seconds", 0., 1e9, &limits.min_seconds));
  PetscCall(fm_option_real_in("journal_sync_seconds", 0., 1e9, &limits.sync_seconds));
  PetscCall(fm_option_real_in("journal_gib", 0., 1e9, &gib));
  PetscCall(fm_option_flag("resume", &resume));
  PetscCall(fm_run_path(run, "journal", path));
  limits.bytes = gib * 0x1p30;
  PetscCall(fm_journal_open(run->comm.world, path, resume, &limits, &run->journal));
  PetscCall(fm_journal_forget(run->journal, r->trainer->step));
  if (gib > 0.) PetscCall(fm_likelihood_attach(r->target->energy[0], run->journal));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_journal_end(fm_refinement *r) {
  PetscFunctionBegin;
  PetscCall(fm_likelihood_attach(r->target->energy[0], NULL));
  PetscCall(fm_journal_close(&r->run->journal, PETSC_TRUE));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_refinement_begin(fm_refinement *r) {
  fm_trainer *t = r->trainer;

  PetscFunctionBegin;
  if (!r->warm) PetscCall(fm_objective_start(r->objective, r->start));
  PetscCall(PetscArraycpy(t->theta, r->start, t->layout->size));
  PetscCall(PetscArraycpy(t->average, r->start, t->layout->size));
  PetscFunctionReturn(0);
}
