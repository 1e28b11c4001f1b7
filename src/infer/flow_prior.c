#include "fathom/checkpoint.h"
#include "fathom/energy_impl.h"
#include "fathom/store.h"
#include <math.h>

/* -log q(x) of a pretrained flow, frozen; the gradient is taken at the latent of x itself. */
typedef struct {
  fm_transport *transport;
  fm_real *theta;
  fm_real *score, *logq; /* [capacity][n], [capacity] */
  int64_t capacity;
} flow_prior;

const fm_option fm_energy_flow_options[] = {
    {"prior_flow", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "checkpoint of the pretrained flow that -prior flow or prior_low_posterior evaluates"},
    {"prior_flow_weights", FM_OPTION_TEXT, "auto", FM_COMMANDS_PHYSICS,
     "which of its weights: auto|last|average|best"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};
const fm_option fm_energy_prior_low_posterior_options[] = {
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static PetscErrorCode reserve(flow_prior *f, int64_t nb) {
  PetscFunctionBegin;
  if (nb <= f->capacity) PetscFunctionReturn(0);
  PetscCall(PetscFree2(f->score, f->logq));
  PetscCall(PetscMalloc2(nb * f->transport->n, &f->score, nb, &f->logq));
  f->capacity = nb;
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(fm_energy *energy, fm_key key, int64_t nb, const fm_real *x,
                               double *value, fm_real *x_bar, PetscBool *ok) {
  flow_prior *f = (flow_prior *)energy->data;
  const int64_t n = energy->n;

  PetscFunctionBegin;
  PetscCall(reserve(f, nb));
  PetscCall(
      fm_transport_score(f->transport, f->theta, nb, x, f->logq, x_bar ? f->score : NULL));
  for (int64_t s = 0; s < nb; s++) {
    value[s] = -(double)f->logq[s];
    if (!isfinite(value[s])) ok[s] = PETSC_FALSE;
  }
  for (int64_t i = 0; x_bar && i < nb * n; i++) x_bar[i] -= f->score[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode sample(fm_energy *energy, fm_rng rng, int64_t first, int64_t nb,
                             fm_real *x) {
  flow_prior *f = (flow_prior *)energy->data;
  const int64_t n = energy->n;

  PetscFunctionBegin;
  PetscCall(reserve(f, nb));
  for (int64_t s = 0; s < nb; s++)
    fm_rng_normal(rng, 0, (uint64_t)(first + s), (size_t)n, f->score + s * n);
  PetscCall(fm_transport_generate(f->transport, f->theta, nb, f->score, x, f->logq));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fm_energy *energy) {
  flow_prior *f = (flow_prior *)energy->data;

  PetscFunctionBegin;
  PetscCall(fm_transport_destroy(&f->transport));
  PetscCall(PetscFree(f->theta));
  PetscCall(PetscFree2(f->score, f->logq));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(0);
}

/* A flow's own draws are more alike than what it was trained on. */
static void typical(const fm_energy *energy, double *mean, double *std) {
  const fm_transport *t = ((const flow_prior *)energy->data)->transport;
  const double n = (double)energy->n;

  *mean = n * t->typical[FM_TYPICAL_ENERGY].mean;
  *std = n * t->typical[FM_TYPICAL_ENERGY].std;
}

static const fm_energy_ops flow_ops = {evaluate, sample, NULL, destroy, typical};

/* Images must lie as those of the operator do; as vectors they have no sides. */
static PetscErrorCode check_image(const fm_energy_inputs *inputs, const fm_transport *t) {
  const fm_shape x = fm_flow_get_spec(t->flow)->x;

  PetscFunctionBegin;
  if (fm_shape_pixels(x) == 1 || inputs->n != t->n) PetscFunctionReturn(0);
  PetscCall(fm_operator_model_fits(inputs->op, inputs->comm->world,
                                   "an image of the flow that -prior_flow names", x.n));
  PetscFunctionReturn(0);
}

static PetscErrorCode load(const fm_energy_inputs *inputs, const char *name,
                           fm_energy *energy) {
  const char *path;
  flow_prior *f;
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_option_text("prior_flow", &path));
  PetscCall(fm_option_choice("prior_flow_weights", FM_WEIGHTS_CHOICES, &weights));
  fm_check(path[0], inputs->comm->world, PETSC_ERR_USER,
           "-prior %s needs -prior_flow FILE, a pretrained checkpoint", name);
  PetscCall(PetscNew(&f));
  energy->data = f;
  energy->ops = &flow_ops;
  PetscCall(fm_checkpoint_load(inputs->comm->world, path, (fm_weights)weights, &f->transport,
                               &f->theta));
  energy->n = f->transport->n;
  PetscCall(check_image(inputs, f->transport));
  PetscCall(
      PetscSNPrintf(energy->description, sizeof(energy->description), "%s %s", name, path));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_flow_create(const fm_energy_inputs *inputs, fm_energy *energy) {
  PetscFunctionBegin;
  PetscCall(load(inputs, "flow", energy));
  fm_check(
      !((flow_prior *)energy->data)->transport->m, inputs->comm->world, PETSC_ERR_USER,
      "-prior flow takes an unconditional flow (pretrain on pairs without /y, or with "
      "-flow_conditional false); this one is conditional: that is -prior prior_low_posterior");
  PetscFunctionReturn(0);
}

/* q_low(x | y_obs) as a prior counts the data twice: it is here to be shown, not to be used. */
PetscErrorCode fm_energy_prior_low_posterior_create(const fm_energy_inputs *inputs,
                                                    fm_energy *energy) {
  flow_prior *f;

  PetscFunctionBegin;
  PetscCall(load(inputs, "prior_low_posterior", energy));
  f = (flow_prior *)energy->data;
  fm_check(
      f->transport->m && f->transport->m == inputs->m && inputs->y, inputs->comm->world,
      PETSC_ERR_USER,
      "-prior prior_low_posterior takes a conditional flow whose y has the size of -observed "
      "(%lld); this one has %lld",
      (long long)inputs->m, (long long)f->transport->m);
  PetscCall(fm_transport_observe(f->transport, f->theta, inputs->y));
  PetscFunctionReturn(0);
}
