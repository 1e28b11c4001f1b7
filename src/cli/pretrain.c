/* pretrain - forward KL on pairs, eq. (3). */
#include "cli/priors.h"
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include "fathom/typical.h"
#include <math.h>

typedef struct {
  fm_run *run;
  const char *path;
  fm_dataset *data;
  int64_t nrow, nvalid, *row; /* row: validation first, then training */
  fm_transport *transport;
  fm_objective *objective;
  fm_trainer *trainer;
} pretraining;

static PetscErrorCode open_pairs(fm_run *run, pretraining *p) {
  const char *path;
  double fraction;

  PetscFunctionBegin;
  p->run = run;
  PetscCall(fm_option_text("pairs", &path));
  p->path = path;
  fm_check(path[0], run->comm.world, PETSC_ERR_USER,
           "no pairs: give -pairs FILE.h5 with /x [n][...] and /y [n][...]");
  PetscCall(fm_option_real_in("validation_fraction", 0., 0.9, &fraction));
  PetscCall(fm_dataset_open(run->comm.world, path, &p->data));
  p->nvalid = (int64_t)(fraction * (double)fm_dataset_count(p->data));
  p->nrow = fm_dataset_count(p->data) - p->nvalid;
  PetscCall(fm_calloc(p->nrow + p->nvalid, &p->row));
  fm_rng_permutation((fm_rng){run->seed, FM_STREAM_SPLIT}, 0, p->nrow + p->nvalid, p->row);
  fm_log("pairs '%s': %lld to train on, %lld to validate", path, (long long)p->nrow,
         (long long)p->nvalid);
  PetscFunctionReturn(0);
}

static PetscBool is_constant(int64_t n, const fm_real *x) {
  for (int64_t i = 1; i < n; i++)
    if (x[i] != x[0]) return PETSC_FALSE;
  return PETSC_TRUE;
}

/* Images without any variation, such as of muted traces. Only looked for where the pairs are in
   memory, and costs one sweep. */
static PetscErrorCode warn_of_constants(const pretraining *p) {
  const fm_shape shape = fm_dataset_shape_x(p->data);
  const int64_t n = fm_shape_size(shape), all = fm_dataset_count(p->data);
  int64_t count = 0;
  fm_real *x;

  PetscFunctionBegin;
  if (fm_shape_pixels(shape) == 1 || !fm_dataset_held(p->data)) PetscFunctionReturn(0);
  PetscCall(fm_calloc(n, &x));
  for (int64_t i = 0; i < all; i++) {
    PetscCall(fm_dataset_rows(p->data, 1, &i, x, NULL));
    count += is_constant(n, x);
  }
  PetscCall(PetscFree(x));
  if (count)
    fm_warn("%lld of %lld images of '%s' are constant (std 0): no flow gives them a density",
            (long long)count, (long long)all, p->path);
  PetscFunctionReturn(0);
}

static PetscErrorCode build_transport(pretraining *p) {
  double *moments, *x_std, *y_mean, *y_std;
  fm_flow_spec spec;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&spec, sizeof(spec)));
  PetscCall(fm_run_flow_spec(fm_dataset_shape_x(p->data), fm_dataset_shape_y(p->data),
                             PETSC_FALSE, &spec));
  PetscCall(fm_transport_create(&spec, &p->transport));
  PetscCall(fm_calloc(2 * p->transport->n + 2 * fm_shape_size(fm_dataset_shape_y(p->data)),
                      &moments));
  x_std = moments + p->transport->n;
  y_mean = x_std + p->transport->n;
  y_std = y_mean + fm_shape_size(fm_dataset_shape_y(p->data));
  PetscCall(
      fm_dataset_moments(p->data, p->nrow, p->row + p->nvalid, moments, x_std, y_mean, y_std));
  PetscCall(fm_transport_whiten(p->transport, moments, x_std, y_mean, y_std));
  p->transport->scale = fm_dataset_scale(p->data);
  PetscCall(
      PetscStrncpy(p->transport->unit, fm_dataset_unit(p->data), sizeof(p->transport->unit)));
  PetscCall(fm_prior_of_pairs(p->run->comm.world, p->path, p->transport));
  PetscCall(PetscFree(moments));
  PetscFunctionReturn(0);
}

/* The weights were trained in the checkpoint's whitened units: keep those, whatever the pairs
   say. */
static PetscErrorCode keep_whitening(const pretraining *p, const char *path,
                                     fm_weights weights) {
  const fm_flow_spec *mine = fm_flow_get_spec(p->transport->flow), *spec;
  fm_transport *old;
  fm_real *theta;

  PetscFunctionBegin;
  PetscCall(fm_checkpoint_load(p->run->comm.world, path, weights, &old, &theta));
  spec = fm_flow_get_spec(old->flow);
  PetscCall(fm_run_network_fits(p->run, path, spec, mine));
  if (!memcmp(&spec->x, &mine->x, sizeof(mine->x)) &&
      !memcmp(&spec->y, &mine->y, sizeof(mine->y))) {
    PetscCall(fm_run_pairs_fit(p->run, old, p->data, p->path));
    PetscCall(
        fm_transport_whiten(p->transport, old->x_mean, old->x_std, old->y_mean, old->y_std));
  }
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&old));
  PetscFunctionReturn(0);
}

static PetscErrorCode warm_start(const pretraining *p, PetscBool *warm) {
  const char *path;
  fm_trainer *t = p->trainer;
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_option_text("warm_start", &path));
  *warm = path[0] ? PETSC_TRUE : PETSC_FALSE;
  if (!*warm) PetscFunctionReturn(0);
  PetscCall(fm_run_not_over(p->run, "checkpoint.h5", "warm_start"));
  PetscCall(fm_run_not_over(p->run, "checkpoint.best.h5", "warm_start"));
  PetscCall(fm_option_choice("weights", FM_WEIGHTS_CHOICES, &weights));
  PetscCall(keep_whitening(p, path, (fm_weights)weights));
  PetscCall(fm_checkpoint_warm_start(p->run->comm.world, path, (fm_weights)weights, t->layout,
                                     t->theta));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(pretraining *p) {
  fm_trainer *t = p->trainer;
  PetscBool resumed, warm;

  PetscFunctionBegin;
  PetscCall(fm_train_resume(p->run, t, &resumed));
  if (resumed) PetscFunctionReturn(0);
  PetscCall(warm_start(p, &warm));
  if (!warm) {
    PetscCall(fm_flow_initialize(p->transport->flow, (fm_rng){p->run->seed, FM_STREAM_INITIAL},
                                 t->theta));
    PetscCall(fm_objective_start(p->objective, t->theta));
  }
  PetscCall(PetscArraycpy(t->average, t->theta, t->layout->size));
  PetscFunctionReturn(0);
}

/* Validation at each epoch's end: the averaged weights with the least loss are kept, and what
   the held-out pairs' latents look like through them. Without held-out pairs, of all. */
static PetscErrorCode validate(fm_trainer *t, void *context) {
  const pretraining *p = (const pretraining *)context;
  const PetscBool none = p->nvalid ? PETSC_FALSE : PETSC_TRUE;
  double nll, se;

  PetscFunctionBegin;
  if (none) {
    PetscCall(fm_typical_of_pairs(&p->run->comm, p->transport, t->average, p->data, p->nrow,
                                  p->row, PETSC_FALSE));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_pairs_loss(&p->run->comm, p->transport, t->average, p->data, p->nvalid, p->row,
                          &nll, &se, NULL));
  PetscCall(fm_history_append(t->history, "validation_nll", nll));
  PetscCall(fm_history_append(t->history, "validation_nll_se", se));
  if (!(nll < t->best_value)) PetscFunctionReturn(0);
  if (!t->best) PetscCall(fm_calloc(t->layout->size, &t->best));
  PetscCall(PetscArraycpy(t->best, t->average, t->layout->size));
  t->best_value = nll;
  PetscCall(fm_typical_of_pairs(&p->run->comm, p->transport, t->best, p->data, p->nvalid,
                                p->row, PETSC_TRUE));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(pretraining *p) {
  const fm_pairs_inputs pairs = {p->transport,       p->data,      p->nrow,
                                 p->row + p->nvalid, p->run->seed, 0};
  fm_pairs_inputs inputs = pairs;
  fm_trainer_inputs trainer;
  fm_watch watch = {.context = p};

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("batch_size", 1, 1 << 24, &inputs.batch));
  PetscCall(fm_run_flow_memory(p->transport));
  PetscCall(fm_pairs_create(&inputs, &p->objective));
  PetscCall(fm_run_trainer_inputs(p->run, p->transport, p->objective, "none", &trainer));
  PetscCall(fm_trainer_create(&trainer, &p->trainer));
  PetscCall(begin(p));
  if (p->nvalid) watch.every = fm_objective_steps_per_epoch(p->objective);
  watch.evaluate = validate;
  PetscCall(fm_train(p->run, p->trainer, &watch));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(pretraining *p) {
  fm_trainer *t = p->trainer;
  double nll, se;

  PetscFunctionBegin;
  PetscCall(fm_pairs_loss(&p->run->comm, p->transport, t->average, p->data, p->nrow,
                          p->row + p->nvalid, &nll, &se, NULL));
  PetscCall(fm_result(p->run->results, "nll_train", nll, "nats"));
  if (t->best) PetscCall(fm_result(p->run->results, "nll_validation", t->best_value, "nats"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_pretrain(fm_run *run) {
  pretraining p;

  PetscFunctionBegin;
  fm_stop_watch();
  PetscCall(PetscMemzero(&p, sizeof(p)));
  PetscCall(open_pairs(run, &p));
  PetscCall(warn_of_constants(&p));
  PetscCall(build_transport(&p));
  PetscCall(train(&p));
  if (!run->stopped) PetscCall(report(&p));
  PetscCall(fm_trainer_destroy(&p.trainer));
  PetscCall(fm_objective_destroy(&p.objective));
  PetscCall(fm_transport_destroy(&p.transport));
  PetscCall(fm_dataset_close(&p.data));
  PetscCall(PetscFree(p.row));
  PetscFunctionReturn(0);
}
