#include "cli/mismatch.h"
#include "fathom/log.h"
#include "fathom/share.h"
#include "fathom/typical.h"
#include <math.h>

#define DRAWS 64
#define FAR 5. /* standard deviations that are worth a warning */

PetscErrorCode fm_judge_data(fm_run *run, const fm_transport *transport) {
  const double surprise = fm_typical_surprise(transport);

  PetscFunctionBegin;
  if (surprise == 0) PetscFunctionReturn(0);
  PetscCall(fm_result(run->results, "data_surprise", surprise, "std"));
  if (surprise > FAR)
    fm_warn("the observed data are unlike those of the pretraining: |z_y|^2 / m lies %.3g "
            "standard deviations above its pairs' (more than %g); amortised samples are an "
            "extrapolation: refine, and pretrain on pairs of this kind",
            surprise, FAR);
  PetscFunctionReturn(0);
}

typedef struct {
  fm_energy *prior;
  int64_t n;
  fm_real *x;
  double mean, std;
} draws;

/* Energy of this rank's draws; where x is NULL of the prior's own. */
static PetscErrorCode energies(const fm_run *run, draws *d, fm_transport *t,
                               const fm_real *theta) {
  const fm_rng rng = {run->seed, t ? FM_STREAM_SAMPLE : FM_STREAM_MODEL};
  fm_exact sum[3] = {{0, 0}, {0, 0}, {0, 0}};
  int64_t first, count;
  fm_real logdet;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&run->comm, DRAWS, &first, &count));
  for (int64_t i = first; i < first + count; i++) {
    const uint64_t sample = (uint64_t)i;
    PetscBool ok = PETSC_TRUE;
    double value;

    if (t) {
      fm_rng_normal(rng, 0, sample, (size_t)d->n, d->x + d->n);
      PetscCall(fm_transport_generate(t, theta, 1, d->x + d->n, d->x, &logdet));
    } else
      PetscCall(fm_energy_sample(d->prior, rng, i, 1, d->x));
    PetscCall(
        fm_energy_evaluate(d->prior, (fm_key){0, &sample, NULL}, 1, d->x, &value, NULL, &ok));
    value /= (double)d->n;
    if (!ok || !(fabs(value) < 1e6)) continue;
    fm_exact_add(&sum[0], 1);
    fm_exact_add(&sum[1], value);
    fm_exact_add(&sum[2], value * value);
  }
  PetscCall(fm_exact_reduce(sum, 3, run->comm.sample));
  d->mean = fm_exact_value(sum[1]) / fm_exact_value(sum[0]);
  d->std =
      sqrt(PetscMax(0., fm_exact_value(sum[2]) / fm_exact_value(sum[0]) - d->mean * d->mean));
  PetscFunctionReturn(0);
}

static PetscErrorCode say(fm_run *run, const draws *posterior, const draws *own) {
  const double n = (double)own->n, above = (posterior->mean - own->mean) / own->std;

  PetscFunctionBegin;
  PetscCall(fm_result(run->results, "prior_energy", n * posterior->mean, "nats"));
  PetscCall(fm_result(run->results, "prior_energy_typical", n * own->mean, "nats"));
  PetscCall(fm_result(run->results, "prior_energy_std", n * own->std, "nats"));
  if (above > FAR)
    fm_warn(
        "prior mismatch: -log p_prior of the posterior's samples lies %.3g standard "
        "deviations above that of what the prior was made of (more than %g): the flow has not "
        "converged, or the truth is of another kind; do not trust the spread",
        above, FAR);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_judge_prior(fm_run *run, fm_target *target, fm_transport *transport,
                              const fm_real *theta) {
  draws posterior = {.prior = target->energy[target->nenergy - 1], .n = target->n};
  draws own = posterior;

  PetscFunctionBegin;
  if (!fm_energy_can_sample(own.prior)) PetscFunctionReturn(0);
  PetscCall(fm_calloc(2 * own.n, &own.x));
  posterior.x = own.x;
  fm_energy_typical(own.prior, &own.mean, &own.std);
  own.mean /= (double)own.n;
  own.std /= (double)own.n;
  if (!(own.std > 0)) PetscCall(energies(run, &own, NULL, NULL));
  PetscCall(energies(run, &posterior, transport, theta));
  PetscCall(PetscFree(own.x));
  PetscCall(say(run, &posterior, &own));
  PetscFunctionReturn(0);
}
