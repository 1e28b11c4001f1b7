#include "cli/mismatch.h"
#include "fathom/log.h"
#include "fathom/typical.h"
#include <math.h>

#define SAMPLES 64    /* of the posterior */
#define OWN_DRAWS 256 /* of a prior, for its range */
#define FAR 5.        /* standard deviations, where there is no range */
#define FAILED 1e300

/* ---- the observation ---- */

/* Where the numbers of a range are from. */
static const char *origin(const fm_typical *t, char *text, size_t size) {
  snprintf(text, size, "%lld %s (0.1 to 99.9 %%%s)", (long long)t->pairs,
           t->held_out ? "held-out pairs" : "training pairs, none was held out",
           t->pairs < FM_TYPICAL_EMPIRICAL ? ", fitted" : "");
  return text;
}

static void warn_of_data(const fm_typical *t, double value) {
  char from[96];

  fm_warn("the observed data are unlike those of the pretraining: |z_y|^2 / m is %.4g, %s "
          "%.4g to %.4g of %s: amortised samples are an extrapolation; see that noise, units, "
          "geometry and processing are those of the pairs, refine, and pretrain on pairs of "
          "this kind",
          value, fm_typical_side(t, value) > 0 ? "above" : "below", t->low, t->high,
          origin(t, from, sizeof(from)));
}

/* A checkpoint of before ranges were kept. */
static void warn_by_std(double value, const fm_typical *t, double above) {
  fm_log("this checkpoint keeps no range of its pairs' |z_y|^2 / m (too few pairs, or an older "
         "version): the observed data, %.4g, are judged by mean and std of theirs",
         value);
  if (fabs(above) > FAR)
    fm_warn("the observed data are unlike those of the pretraining: |z_y|^2 / m is %.4g, %.3g "
            "standard deviations off its pairs' %.4g (more than %g): amortised samples are an "
            "extrapolation: refine, and pretrain on pairs of this kind",
            value, above, t->mean, FAR);
}

/* About a model that explains data already, less of them is left than of the pairs'. */
static PetscBool explained(const fm_target *target) {
  return target && fm_operator_home(target->op) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fm_judge_data(fm_run *run, const fm_target *target,
                             const fm_transport *transport) {
  const fm_typical *t = &transport->typical[FM_TYPICAL_Y];
  const double value = fm_typical_observed(transport), above = (value - t->mean) / t->std;

  PetscFunctionBegin;
  if (isnan(value) || !(t->std > 0)) PetscFunctionReturn(0);
  PetscCall(fm_result(run->results, "data_surprise", above, "std"));
  PetscCall(fm_result(run->results, "data_latent", value, "|z_y|^2/m"));
  if (!fm_typical_has_range(t)) {
    warn_by_std(value, t, above);
    PetscFunctionReturn(0);
  }
  PetscCall(fm_result(run->results, "data_latent_low", t->low, "|z_y|^2/m"));
  PetscCall(fm_result(run->results, "data_latent_high", t->high, "|z_y|^2/m"));
  if (fm_typical_side(t, value) < 0 && explained(target))
    fm_log("|z_y|^2 / m of the observed data is %.4g, less than the %.4g to %.4g of the pairs: "
           "the model of -acoustic_linearize_at explains them already",
           value, t->low, t->high);
  else if (fm_typical_side(t, value))
    warn_of_data(t, value);
  PetscFunctionReturn(0);
}

/* ---- the prior ---- */

typedef struct {
  fm_energy *prior;
  fm_transport *t; /* NULL: the prior's own draws */
  const fm_real *theta;
  int64_t n, count, failed;
  fm_real *x;    /* [2n] */
  double *value; /* [count - failed] nats */
} draws;

static PetscErrorCode one_draw(const fm_run *run, draws *d, int64_t i, double *value) {
  const fm_rng rng = {run->seed, d->t ? FM_STREAM_SAMPLE : FM_STREAM_MODEL};
  const uint64_t sample = (uint64_t)i;
  PetscBool ok = PETSC_TRUE;
  fm_real logdet;

  PetscFunctionBegin;
  if (d->t) {
    fm_rng_normal(rng, 0, sample, (size_t)d->n, d->x + d->n);
    PetscCall(fm_transport_generate(d->t, d->theta, 1, d->x + d->n, d->x, &logdet));
  } else
    PetscCall(fm_energy_sample(d->prior, rng, i, 1, d->x));
  PetscCall(
      fm_energy_evaluate(d->prior, (fm_key){0, &sample, NULL}, 1, d->x, value, NULL, &ok));
  if (!ok || !(fabs(*value) < FAILED)) *value = FAILED;
  PetscFunctionReturn(0);
}

/* Of every rank, those that did not fail. */
static PetscErrorCode energies(const fm_run *run, draws *d) {
  int64_t first, count, kept = 0;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&run->comm, d->count, &first, &count));
  for (int64_t i = 0; i < d->count; i++) d->value[i] = -INFINITY;
  for (int64_t i = first; i < first + count; i++) PetscCall(one_draw(run, d, i, &d->value[i]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, d->value, (PetscMPIInt)d->count, MPI_DOUBLE, MPI_MAX,
                             run->comm.sample));
  for (int64_t i = 0; i < d->count; i++)
    if (d->value[i] < FAILED) d->value[kept++] = d->value[i];
  d->failed = d->count - kept;
  PetscFunctionReturn(0);
}

/* What the prior was made of, else its own draws; *rank: how many of those are below, -1: those
   were not drawn. */
static PetscErrorCode typical_of(const fm_run *run, const draws *like, double mean,
                                 fm_typical *own, double *rank) {
  draws d = {.prior = like->prior, .n = like->n, .count = OWN_DRAWS, .x = like->x};

  PetscFunctionBegin;
  *rank = -1;
  fm_energy_typical(d.prior, own);
  if (own->std > 0) PetscFunctionReturn(0);
  PetscCall(fm_calloc(d.count, &d.value));
  PetscCall(energies(run, &d));
  fm_typical_of_values(d.count - d.failed, d.value, own);
  *rank = 0;
  for (int64_t i = 0; i < d.count - d.failed; i++) *rank += d.value[i] < mean ? 1 : 0;
  PetscCall(PetscFree(d.value));
  PetscFunctionReturn(0);
}

static void warn_of_prior(const fm_typical *own, double rank, double mean, double above) {
  const PetscBool range = fm_typical_has_range(own);
  const int side = range ? fm_typical_side(own, mean) : above > FAR;
  char from[160], pairs[96];

  if (!side) return;
  if (!range)
    snprintf(from, sizeof(from), "%.3g standard deviations above %.6g (more than %g)", above,
             own->mean, FAR);
  else
    snprintf(from, sizeof(from), "%s %.6g to %.6g of %s", side > 0 ? "above" : "below",
             own->low, own->high,
             rank >= 0 ? "the prior's own draws (0.1 to 99.9 %, fitted to 256)"
                       : origin(own, pairs, sizeof(pairs)));
  fm_warn("prior mismatch: -log p_prior of the posterior's samples is %.6g nats on average, "
          "%s: %s",
          mean, from,
          side > 0 ? "the flow has not converged, or the truth is of another kind; do not "
                     "trust the spread"
                   : "they are nearer to the prior's centre than its models are: the flow has "
                     "lost spread, or the truth is of another kind");
}

static PetscErrorCode say(fm_run *run, const fm_typical *own, double rank, double mean) {
  fm_results *r = run->results;

  PetscFunctionBegin;
  PetscCall(fm_result(r, "prior_energy", mean, "nats"));
  PetscCall(fm_result(r, "prior_energy_typical", own->mean, "nats"));
  PetscCall(fm_result(r, "prior_energy_std", own->std, "nats"));
  if (fm_typical_has_range(own)) {
    PetscCall(fm_result(r, "prior_energy_low", own->low, "nats"));
    PetscCall(fm_result(r, "prior_energy_high", own->high, "nats"));
  }
  if (rank >= 0)
    PetscCall(fm_result(r, "prior_energy_percentile",
                        100 * (rank + 0.5) / ((double)own->pairs + 1), "%"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_judge_prior(fm_run *run, fm_target *target, fm_transport *transport,
                              const fm_real *theta) {
  double above;

  PetscFunctionBegin;
  PetscCall(fm_judge_prior_by(run, target, transport, theta, &above));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_judge_prior_by(fm_run *run, fm_target *target, fm_transport *transport,
                                 const fm_real *theta, double *above) {
  draws d = {.prior = target->energy[target->nenergy - 1],
             .t = transport,
             .theta = theta,
             .n = target->n,
             .count = SAMPLES};
  double mean = 0, rank;
  fm_typical own;

  PetscFunctionBegin;
  *above = (double)NAN;
  if (!fm_energy_can_sample(d.prior)) PetscFunctionReturn(0);
  PetscCall(PetscCalloc2(2 * d.n, &d.x, d.count, &d.value));
  PetscCall(energies(run, &d));
  for (int64_t i = 0; i < d.count - d.failed; i++)
    mean += d.value[i] / (double)(d.count - d.failed);
  if (d.failed == d.count) mean = INFINITY;
  PetscCall(typical_of(run, &d, mean, &own, &rank));
  PetscCall(PetscFree2(d.x, d.value));
  *above = (mean - own.mean) / own.std;
  PetscCall(say(run, &own, rank, mean));
  warn_of_prior(&own, rank, mean, *above);
  PetscFunctionReturn(0);
}
