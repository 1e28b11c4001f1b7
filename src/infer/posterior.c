#include "fathom/likelihood.h"
#include "fathom/log.h"
#include "fathom/objective.h"
#include "infer/rebuilt.h"
#include "infer/tempered.h"
#include <math.h>
#include <zlib.h>

#define DROPPED_LINES 20 /* a rank's words about dropped samples, then it only counts */

/* Reverse KL at one observation, eq. (2) and (6). */
typedef struct {
  fm_posterior_inputs in;
  int64_t capacity; /* of the arrays below, in samples */
  int64_t *item;
  uint64_t *sample;
  fm_real *z, *x, *user, *x_bar; /* latents; whitened models; models and cotangents */
  fm_real *corrected;            /* s z + b; NULL: no latent correction so far */
  fm_real *in_flow;              /* what goes into the flow: z or corrected */
  double added;                  /* to its logdet by the correction */
  fm_real *z_y, *y;              /* y lane, where it is trained */
  double *value, *part;          /* energies */
  fm_real *logdet, *score;
  PetscBool *ok;
  fm_rebuilt rebuilt;
} posterior;

static PetscErrorCode release(posterior *p) {
  PetscFunctionBegin;
  PetscCall(PetscFree6(p->item, p->sample, p->z, p->x, p->user, p->x_bar));
  PetscCall(PetscFree7(p->z_y, p->y, p->value, p->part, p->logdet, p->score, p->ok));
  PetscCall(PetscFree(p->corrected));
  PetscFunctionReturn(0);
}

static PetscErrorCode reserve(posterior *p, int64_t nb) {
  const int64_t n = nb * p->in.transport->n, m = nb * p->in.transport->m;

  PetscFunctionBegin;
  if (nb <= p->capacity) PetscFunctionReturn(0);
  PetscCall(release(p));
  PetscCall(PetscMalloc6(nb, &p->item, nb, &p->sample, n, &p->z, n, &p->x, n, &p->user, n,
                         &p->x_bar));
  PetscCall(PetscMalloc7(m, &p->z_y, m, &p->y, nb, &p->value, nb * FM_TARGET_MAX, &p->part, nb,
                         &p->logdet, n, &p->score, nb, &p->ok));
  p->capacity = nb;
  PetscFunctionReturn(0);
}

/* Latents of samples [first, first+nb) of a step: each has a name, whoever draws it. */
static PetscErrorCode draw(fm_objective *o, int64_t step, int64_t first, int64_t nb) {
  posterior *p = (posterior *)o->data;
  const int64_t n = p->in.transport->n;
  const fm_rng fixed = {p->in.seed, FM_STREAM_FIXED}, fresh = {p->in.seed, FM_STREAM_LATENT};

  PetscFunctionBegin;
  if (o->total) PetscCall(fm_objective_items(o, step, first, nb, p->item));
  for (int64_t s = 0; s < nb; s++) {
    p->sample[s] = (uint64_t)(first + s);
    if (o->total)
      fm_rng_normal(fixed, 0, (uint64_t)p->item[s], (size_t)n, p->z + s * n);
    else
      fm_rng_normal(fresh, (uint64_t)step, p->sample[s], (size_t)n, p->z + s * n);
  }
  PetscFunctionReturn(0);
}

/* p->in_flow: the latents, or what a latent correction makes of them. */
static PetscErrorCode correct(posterior *p, const fm_real *theta, int64_t nb) {
  const fm_transport *t = p->in.transport;
  const fm_real *correction = fm_transport_correction(t, theta);

  PetscFunctionBegin;
  p->in_flow = p->z;
  p->added = 0;
  if (!correction) PetscFunctionReturn(0);
  if (!p->corrected) PetscCall(fm_calloc(p->capacity * t->n, &p->corrected));
  p->in_flow = p->corrected;
  fm_latent_apply(t->n, correction, nb, p->z, p->corrected);
  p->added = fm_latent_logdet(t->n, correction);
  PetscFunctionReturn(0);
}

/* x = T(z) and its logdet; activations stored where wanted. Lanes of the latent side in *in, of
   the model side in *out. */
static PetscErrorCode generate(posterior *p, const fm_real *theta, int64_t nb, fm_lanes *in,
                               fm_lanes *out) {
  fm_transport *t = p->in.transport;

  PetscFunctionBegin;
  *in = fm_transport_lanes(t, nb, p->in_flow, p->z_y);
  *out = (fm_lanes){.x = p->x, .y = in->y ? p->y : NULL, .condition = in->condition};
  PetscCall(fm_transport_kept(t, &out->kept));
  in->kept = out->kept; /* the score's vjp, in the other direction, is at the same points */
  PetscCall(fm_flow_apply(t->flow, fm_transport_weights(t, theta), FM_GENERATE, nb, *in, *out,
                          (fm_logdet){p->logdet, NULL}));
  PetscCall(PetscArraycpy(p->user, p->x, nb * t->n));
  fm_transport_unwhiten(t, nb, p->user);
  PetscFunctionReturn(0);
}

/* Energies and their gradients; the solves that they took are counted in the share. */
static PetscErrorCode evaluate(fm_objective *o, int64_t step, int64_t nb, fm_share *share) {
  posterior *p = (posterior *)o->data;
  fm_target *target = p->in.target;
  fm_ledger before, after;
  int64_t recalled;

  PetscFunctionBegin;
  PetscCall(fm_operator_ledger(target->op, &before));
  PetscCall(fm_tempered_evaluate(target, fm_objective_temperature(o, step),
                                 (fm_key){(uint64_t)step, p->sample, &p->in.seed}, nb, p->user,
                                 p->value, p->part, p->x_bar, p->ok));
  PetscCall(fm_operator_ledger(target->op, &after));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    fm_share_add_count(share, FM_COUNT_SOLVES + k,
                       after.count[FM_USEFUL][k] - before.count[FM_USEFUL][k]);
  PetscCall(fm_likelihood_recalled(target->energy[0], &recalled));
  fm_share_add_count(share, FM_COUNT_RECALLED, recalled);
  PetscFunctionReturn(0);
}

/* Solved, and value and logdet are finite. */
static PetscBool kept(const posterior *p, int64_t s) {
  return p->ok[s] && isfinite(p->value[s]) && isfinite(p->logdet[s]) ? PETSC_TRUE : PETSC_FALSE;
}

/* T(z) itself: where it is not finite no solve is to blame. */
static PetscBool has_model(const posterior *p, int64_t s) {
  const int64_t n = p->in.transport->n;

  for (int64_t i = 0; i < n; i++)
    if (!isfinite(p->user[s * n + i])) return PETSC_FALSE;
  return isfinite(p->logdet[s]) ? PETSC_TRUE : PETSC_FALSE;
}

static const char *why(const posterior *p, int64_t s) {
  const char *reason = fm_likelihood_reason(p->in.target->energy[0], s);

  if (!has_model(p, s)) return "the flow's model is not finite, before any solve";
  return reason[0] ? reason : "its energies are not finite";
}

/* Say which samples are left out, and how `check -at` shows one. */
static void report_dropped(const posterior *p, int64_t step, int64_t s) {
  const char *out = p->in.out ? p->in.out : "OUT";
  PetscMPIInt space;

  MPI_Comm_rank(p->in.target->comm->space, &space);
  if (!space)
    fm_warn_anywhere(DROPPED_LINES,
                     "step %lld, sample %lld is dropped: %s (fathom check -at %lld,%lld "
                     "-run %s -out %s/at, with this run's other options)",
                     (long long)step, (long long)p->sample[s], why(p, s), (long long)step,
                     (long long)p->sample[s], out, out);
}

/* -log p(x, y) itself of a sample: the sum of its energies. */
static double untempered(const posterior *p, int64_t s, int64_t nb) {
  double sum = 0.;

  for (int e = 0; e < p->in.target->nenergy; e++) sum += p->part[e * nb + s];
  return sum;
}

/* Values of the kept samples into the share. */
static void tally(posterior *p, int64_t step, int64_t nb, fm_share *share) {
  const fm_transport *t = p->in.transport;
  const int nenergy = p->in.target->nenergy;
  double objective = 0., kl = 0., part[FM_TARGET_MAX] = {0.};
  int64_t count = 0, none = 0;

  for (int64_t s = 0; s < nb; s++) {
    const double logdet = (double)p->logdet[s] + p->added + t->x_logstd;

    p->ok[s] = kept(p, s);
    none += !p->ok[s] && !has_model(p, s);
    if (!p->ok[s] && !p->in.quiet) report_dropped(p, step, s);
    if (!p->ok[s]) continue;
    count++;
    objective += p->value[s] - logdet;
    kl += untempered(p, s, nb) - logdet + fm_log_normal(t->n, p->z + s * t->n);
    for (int e = 0; e < nenergy; e++) part[e] += p->part[e * nb + s];
  }
  fm_share_add_term(share, FM_TERM_OBJECTIVE, objective);
  fm_share_add_term(share, FM_TERM_KL, kl);
  for (int e = 0; e < nenergy; e++) fm_share_add_term(share, FM_TERM_PART + e, part[e]);
  fm_share_add_count(share, FM_COUNT_KEPT, count);
  fm_share_add_count(share, FM_COUNT_FAILED, nb - count);
  fm_share_add_count(share, FM_COUNT_NO_MODEL, none);
}

/* grad_x log q at the whitened x = T(z): reverse mode of log N(z) + logdet through the
   normalizing pass, theta frozen. What went into the flow and z_y are overwritten by the
   rebuilt x and y. */
static PetscErrorCode score(posterior *p, const fm_real *theta, int64_t nb, fm_lanes latent) {
  const fm_transport *t = p->in.transport;
  const fm_real *correction = fm_transport_correction(t, theta);
  fm_lanes bar = {.x = p->score};
  fm_real *one = p->logdet; /* tallied already */

  PetscFunctionBegin;
  for (int64_t i = 0; i < nb * t->n; i++) p->score[i] = -p->z[i];
  if (correction) fm_latent_divide(t->n, correction, nb, p->score);
  for (int64_t s = 0; s < nb; s++) one[s] = 1;
  PetscCall(fm_flow_vjp(t->flow, fm_transport_weights(t, theta), FM_NORMALIZE, nb, latent, bar,
                        (fm_logdet){one, NULL}, latent, bar, NULL));
  PetscFunctionReturn(0);
}

/* A failed sample may hold infinities: zeros stand for it in the backward pass. */
static void neutralize(posterior *p, int64_t s) {
  const fm_transport *t = p->in.transport;

  memset(p->x + s * t->n, 0, (size_t)t->n * sizeof(*p->x));
  memset(p->y + s * t->m, 0, (size_t)t->m * sizeof(*p->y));
}

/* Cotangents of the generating pass in whitened units: x_bar, and logdet_bar in p->logdet.
   Failed samples get zero. */
static void cotangents(posterior *p, int64_t nb) {
  const fm_transport *t = p->in.transport;
  const PetscBool path = p->in.estimator == FM_ESTIMATOR_PATH ? PETSC_TRUE : PETSC_FALSE;

  for (int64_t s = 0; s < nb; s++) {
    for (int64_t i = 0; i < t->n; i++) {
      const int64_t k = s * t->n + i;
      const double bar = (double)p->x_bar[k] * t->x_std[i] + (path ? (double)p->score[k] : 0.);

      p->x_bar[k] = p->ok[s] ? (fm_real)bar : 0;
    }
    p->logdet[s] = path || !p->ok[s] ? 0 : -1;
    if (!p->ok[s]) neutralize(p, s);
  }
}

/* theta_bar of the micro-batch: the flow's, or that of the correction before a frozen flow. */
static PetscErrorCode backward(posterior *p, const fm_real *theta, int64_t nb, fm_lanes model,
                               fm_real *theta_bar) {
  const fm_transport *t = p->in.transport;
  const PetscBool latent = t->train == FM_TRAIN_LATENT ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool path = p->in.estimator == FM_ESTIMATOR_PATH ? PETSC_TRUE : PETSC_FALSE;
  const fm_lanes bar = {.x = p->x_bar};

  PetscFunctionBegin;
  PetscCall(fm_flow_vjp(t->flow, fm_transport_weights(t, theta), FM_GENERATE, nb, model, bar,
                        (fm_logdet){p->logdet, NULL}, model, bar, latent ? NULL : theta_bar));
  if (latent)
    fm_latent_gradient(t->n, theta, nb, p->z, p->x_bar, path ? 0. : -1., p->ok, theta_bar);
  PetscFunctionReturn(0);
}

static PetscErrorCode add(fm_objective *o, const fm_real *theta, int64_t step, int64_t first,
                          int64_t nb, fm_share *share) {
  posterior *p = (posterior *)o->data;
  fm_lanes latent, model;

  PetscFunctionBegin;
  PetscCall(reserve(p, nb));
  PetscCall(draw(o, step, first, nb));
  PetscCall(correct(p, theta, nb));
  PetscCall(fm_rebuilt_begin(&p->rebuilt, p->in.transport, step, nb, p->in_flow));
  PetscCall(generate(p, theta, nb, &latent, &model));
  PetscCall(evaluate(o, step, nb, share));
  tally(p, step, nb, share);
  if (p->in.estimator == FM_ESTIMATOR_PATH) PetscCall(score(p, theta, nb, latent));
  cotangents(p, nb);
  PetscCall(backward(p, theta, nb, model, fm_share_scratch(share)));
  fm_rebuilt_end(&p->rebuilt, p->in.transport, step, nb, p->x, p->ok);
  fm_share_add_gradient(share);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_posterior_examine(fm_objective *o, const fm_real *theta, int64_t step,
                                    int64_t sample, fm_examined *e) {
  posterior *p = (posterior *)o->data;
  const fm_transport *t = p->in.transport;
  fm_lanes latent, model;

  PetscFunctionBegin;
  PetscCall(reserve(p, 1));
  PetscCall(draw(o, step, sample, 1));
  PetscCall(correct(p, theta, 1));
  PetscCall(generate(p, theta, 1, &latent, &model));
  PetscCall(fm_tempered_evaluate(p->in.target, fm_objective_temperature(o, step),
                                 (fm_key){(uint64_t)step, p->sample, &p->in.seed}, 1, p->user,
                                 p->value, p->part, p->x_bar, p->ok));
  *e = (fm_examined){.z = p->z, .x = p->user, .x_bar = p->x_bar, .ok = kept(p, 0)};
  e->logdet = (double)p->logdet[0] + p->added + t->x_logstd;
  for (int k = 0; k < p->in.target->nenergy; k++) e->part[k] = p->part[k];
  PetscFunctionReturn(0);
}

static PetscErrorCode start(fm_objective *o, fm_real *theta) {
  posterior *p = (posterior *)o->data;
  const fm_transport *t = p->in.transport;
  const int64_t nb = fm_transport_start_samples(t, o->total);
  const fm_rng rng = {p->in.seed, FM_STREAM_START};

  PetscFunctionBegin;
  PetscCall(reserve(p, nb));
  for (int64_t s = 0; s < nb; s++)
    fm_rng_normal(rng, 0, (uint64_t)s, (size_t)t->n, p->z + s * t->n);
  PetscCall(fm_flow_start(t->flow, theta, FM_GENERATE, nb,
                          (fm_lanes){.x = p->z, .condition = t->condition}));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fm_objective *o) {
  posterior *p = (posterior *)o->data;

  PetscFunctionBegin;
  PetscCall(release(p));
  PetscCall(PetscFree(p->rebuilt.was));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

static const fm_objective_ops posterior_ops = {"posterior", start, add, destroy};

PetscErrorCode fm_posterior_create(const fm_posterior_inputs *inputs,
                                   fm_objective **objective) {
  fm_objective *o;
  posterior *p;

  PetscFunctionBegin;
  fm_check(
      !inputs->latents || inputs->estimator == FM_ESTIMATOR_TOTAL, PETSC_COMM_WORLD,
      PETSC_ERR_USER,
      "-latents %lld with -estimator path: path is no gradient of a fixed-sample objective; "
      "use -estimator total or fresh latents (-latents 0)",
      (long long)inputs->latents);
  PetscCall(PetscNew(&o));
  PetscCall(PetscNew(&p));
  p->in = *inputs;
  o->tempering = inputs->tempering;
  o->ops = &posterior_ops;
  o->data = p;
  o->total = inputs->latents;
  o->batch = o->total ? PetscMin(inputs->batch, o->total) : inputs->batch;
  o->steps_per_epoch =
      o->total ? (o->total + o->batch - 1) / o->batch : inputs->steps_per_epoch;
  o->shuffle = (fm_rng){inputs->seed, FM_STREAM_SHUFFLE};
  o->order_epoch = -1;
  o->data_crc32 = (uint32_t)crc32_z(0, (const unsigned char *)inputs->target->y,
                                    (size_t)inputs->target->m * sizeof(double));
  *objective = o;
  PetscFunctionReturn(0);
}
