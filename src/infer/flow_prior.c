#include "fathom/checkpoint.h"
#include "fathom/energy_impl.h"
#include "fathom/store.h"
#include <math.h>

/* -log q(x) of a pretrained flow, frozen; the gradient is taken at the latent of x itself. Of a
   flow of physical models c (pretrain -pairs_x /model, velocities in m/s) it is, whatever the
   coordinates of x are,

       -log q(c(x)) - log |det dc/dx|

   with c and its determinant of the operator (operator.h). What q has beyond the operator's
   bounds is lost: the density is that of q, cut off there, but for a constant. */
typedef struct {
  fm_transport *transport;
  fm_real *theta;
  fm_operator *op;       /* borrowed: of models; NULL: q is of x itself */
  fm_real *score, *logq; /* [capacity][n], [capacity] */
  fm_real *model;        /* [capacity][n], with op */
  double *x, *c, *bar;   /* [n] scratch, with op */
  double constant;       /* with op: log |det dc/dx| at the mean model */
  int64_t capacity;
} flow_prior;

#define EDGE 1e-3 /* of the range between the operator's bounds, that draws keep from them */

const fm_option fm_energy_flow_options[] = {
    {"prior_flow", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "checkpoint of the pretrained flow that -prior flow or prior_low_posterior evaluates"},
    {"prior_flow_weights", FM_OPTION_TEXT, "auto", FM_COMMANDS_PHYSICS,
     "which of its weights: auto|last|average|best"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};
const fm_option fm_energy_prior_low_posterior_options[] = {
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static PetscErrorCode reserve(flow_prior *f, int64_t nb) {
  const int64_t n = f->transport->n;

  PetscFunctionBegin;
  if (nb <= f->capacity) PetscFunctionReturn(0);
  PetscCall(PetscFree3(f->score, f->logq, f->model));
  PetscCall(PetscMalloc3(nb * n, &f->score, nb, &f->logq, f->op ? nb * n : 0, &f->model));
  f->capacity = nb;
  PetscFunctionReturn(0);
}

static void widen(int64_t n, const fm_real *from, double *to) {
  for (int64_t i = 0; i < n; i++) to[i] = (double)from[i];
}

static void narrow(int64_t n, const double *from, fm_real *to) {
  for (int64_t i = 0; i < n; i++) to[i] = (fm_real)from[i];
}

/* ---- of models ---- */

static PetscErrorCode models_of(flow_prior *f, int64_t nb, const fm_real *x) {
  const int64_t n = f->transport->n;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    widen(n, x + s * n, f->x);
    PetscCall(fm_operator_model(f->op, f->x, f->c));
    narrow(n, f->c, f->model + s * n);
  }
  PetscFunctionReturn(0);
}

/* The change of variables, for one sample: logq and, with_score, score of x. */
static PetscErrorCode change(flow_prior *f, const fm_real *x, PetscBool with_score,
                             fm_real *score, double *logq) {
  const int64_t n = f->transport->n;
  double log_det;

  PetscFunctionBegin;
  widen(n, x, f->x);
  if (with_score) widen(n, score, f->c);
  PetscCall(fm_operator_model_density(f->op, f->x, f->c, with_score ? f->bar : NULL, &log_det));
  if (with_score) narrow(n, f->bar, score);
  *logq += log_det;
  PetscFunctionReturn(0);
}

/* x of one model, which is brought inside the bounds of the operator. */
static PetscErrorCode unknown_of(flow_prior *f, fm_real *model) {
  const fm_model_grid grid = fm_operator_model_grid(f->op);
  const double edge = EDGE * (grid.high - grid.low);
  const int64_t n = f->transport->n;

  PetscFunctionBegin;
  widen(n, model, f->c);
  for (int64_t i = 0; i < n && edge > 0; i++)
    f->c[i] = PetscMax(grid.low + edge, PetscMin(f->c[i], grid.high - edge));
  PetscCall(fm_operator_unknown(f->op, f->c, f->x));
  narrow(n, f->x, model);
  PetscFunctionReturn(0);
}

/* ---- the energy ---- */

static PetscErrorCode evaluate(fm_energy *energy, fm_key key, int64_t nb, const fm_real *x,
                               double *value, fm_real *x_bar, PetscBool *ok) {
  flow_prior *f = (flow_prior *)energy->data;
  const int64_t n = energy->n;
  const fm_real *seen = x;

  PetscFunctionBegin;
  PetscCall(reserve(f, nb));
  if (f->op) PetscCall(models_of(f, nb, x));
  if (f->op) seen = f->model;
  PetscCall(
      fm_transport_score(f->transport, f->theta, nb, seen, f->logq, x_bar ? f->score : NULL));
  for (int64_t s = 0; s < nb; s++) {
    double logq = (double)f->logq[s];

    if (f->op)
      PetscCall(
          change(f, x + s * n, x_bar ? PETSC_TRUE : PETSC_FALSE, f->score + s * n, &logq));
    value[s] = -logq;
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
  for (int64_t s = 0; s < nb && f->op; s++) PetscCall(unknown_of(f, x + s * n));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fm_energy *energy) {
  flow_prior *f = (flow_prior *)energy->data;

  PetscFunctionBegin;
  PetscCall(fm_transport_destroy(&f->transport));
  PetscCall(PetscFree(f->theta));
  PetscCall(PetscFree3(f->score, f->logq, f->model));
  PetscCall(PetscFree3(f->x, f->c, f->bar));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(0);
}

/* A flow's own draws are more alike than what it was trained on. Of models: in the unknown's
   units, as if log |det dc/dx| were the same everywhere, which it is but for the bounds. */
static void typical(const fm_energy *energy, fm_typical *of) {
  const flow_prior *f = (const flow_prior *)energy->data;
  const fm_transport *t = f->transport;
  const double n = (double)energy->n;

  *of = t->typical[FM_TYPICAL_ENERGY];
  of->mean = n * of->mean - f->constant;
  of->std *= n;
  of->low = n * of->low - f->constant;
  of->high = n * of->high - f->constant;
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

/* log |det dc/dx| where the model is the mean of those that the flow was trained on. */
static PetscErrorCode centre(const fm_energy_inputs *inputs, flow_prior *f) {
  const int64_t n = f->transport->n;
  fm_real *mean;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &mean));
  narrow(n, f->transport->x_mean, mean);
  PetscCall(unknown_of(f, mean));
  PetscCall(fm_operator_model_density(f->op, f->x, NULL, NULL, &f->constant));
  PetscCall(PetscFree(mean));
  fm_check(isfinite(f->constant), inputs->comm->world, PETSC_ERR_USER,
           "-prior_flow is a flow of the velocities of all nodes: where some are frozen the "
           "unknown has no density; leave -acoustic_frozen out");
  PetscFunctionReturn(0);
}

/* A flow of physical models: the operator says which an unknown means. */
static PetscErrorCode of_models(const fm_energy_inputs *inputs, flow_prior *f) {
  const fm_model_grid grid = fm_operator_model_grid(inputs->op);
  const fm_transport *t = f->transport;
  int64_t size = 0, m;

  PetscFunctionBegin;
  fm_check(t->unit[0] || !inputs->op || !fm_operator_home(inputs->op), inputs->comm->world,
           PETSC_ERR_USER,
           "-acoustic_linearize_at: -prior_flow is a flow of unknowns, whose 0 would be that "
           "model and not the background; train it on models (pretrain -pairs_x /model)");
  if (!t->unit[0]) PetscFunctionReturn(0);
  if (inputs->op) PetscCall(fm_operator_sizes(inputs->op, &size, &m));
  fm_check(grid.rows && !strcmp(grid.unit, t->unit), inputs->comm->world, PETSC_ERR_USER,
           "-prior_flow is a flow of models in %s, and models of %s are not", t->unit,
           inputs->op ? fm_operator_describe(inputs->op) : "no operator");
  fm_check(grid.rows * grid.columns == t->n && size == t->n, inputs->comm->world,
           PETSC_ERR_USER,
           "-prior_flow is a flow of models of %lld nodes, and the operator's have %lld x %lld "
           "for %lld unknowns",
           (long long)t->n, (long long)grid.rows, (long long)grid.columns, (long long)size);
  f->op = inputs->op;
  PetscCall(PetscMalloc3(t->n, &f->x, t->n, &f->c, t->n, &f->bar));
  PetscCall(centre(inputs, f));
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
  PetscCall(of_models(inputs, f));
  PetscCall(PetscSNPrintf(energy->description, sizeof(energy->description), "%s %s%s%s", name,
                          path, f->op ? ", of models in " : "", f->transport->unit));
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
