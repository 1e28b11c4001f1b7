/* What the chains move in: the posterior of a target in the user's units, or the same posterior
   pulled back to the latent space of a flow. */
#include "fathom/sampler.h"
#include <math.h>

typedef struct {
  fm_target *target;
  fm_transport *transport; /* NULL: the user's units */
  const fm_real *theta;
  fm_real *white, *x_bar; /* [n]: whitened model, cotangent */
} pulled;

static PetscErrorCode of_model(void *context, fm_key key, const double *q, double *value,
                               double *gradient, fm_real *x, PetscBool *ok) {
  pulled *p = (pulled *)context;
  const int64_t n = p->target->n;
  double energy;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) x[i] = (fm_real)q[i];
  PetscCall(fm_target_evaluate(p->target, key, 1, x, &energy, NULL, p->x_bar, ok));
  *value = energy;
  for (int64_t i = 0; i < n; i++) gradient[i] = (double)p->x_bar[i];
  PetscFunctionReturn(0);
}

static PetscBool all_finite(int64_t n, const fm_real *v) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(v[i])) return PETSC_FALSE;
  return PETSC_TRUE;
}

/* x = T(z) and log|det dT/dz|, in the user's units; white: the flow's own x. */
static PetscErrorCode push(pulled *p, const double *z, fm_real *x, fm_real *logdet) {
  fm_transport *t = p->transport;

  PetscFunctionBegin;
  for (int64_t i = 0; i < t->n; i++) p->white[i] = (fm_real)z[i];
  PetscCall(fm_transport_push(t, p->theta, 1, p->white, logdet));
  PetscCall(PetscArraycpy(x, p->white, t->n));
  fm_transport_unwhiten(t, 1, x);
  PetscFunctionReturn(0);
}

static PetscErrorCode of_latent(void *context, fm_key key, const double *q, double *value,
                                double *gradient, fm_real *x, PetscBool *ok) {
  pulled *p = (pulled *)context;
  fm_transport *t = p->transport;
  fm_real logdet, minus = -1;
  double energy;

  PetscFunctionBegin;
  PetscCall(push(p, q, x, &logdet));
  PetscCall(fm_target_evaluate(p->target, key, 1, x, &energy, NULL, p->x_bar, ok));
  *value = energy - (double)logdet - t->x_logstd;
  if (!isfinite(*value) || !all_finite(t->n, p->white)) *ok = PETSC_FALSE;
  if (!*ok) PetscFunctionReturn(0);
  for (int64_t i = 0; i < t->n; i++) p->x_bar[i] *= (fm_real)t->x_std[i];
  PetscCall(fm_transport_pull(t, p->theta, 1, p->white, &minus, p->white, p->x_bar));
  if (!all_finite(t->n, p->x_bar)) *ok = PETSC_FALSE;
  for (int64_t i = 0; i < t->n; i++) gradient[i] = (double)p->x_bar[i];
  PetscFunctionReturn(0);
}

/* A draw of the prior, the last energy of the list. */
static PetscErrorCode start(void *context, uint64_t seed, int64_t chain, int64_t attempt,
                            double *q) {
  pulled *p = (pulled *)context;
  const fm_target *t = p->target;

  PetscFunctionBegin;
  PetscCall(fm_energy_sample(t->energy[t->nenergy - 1], (fm_rng){seed, FM_STREAM_CHAIN},
                             chain | attempt << 32, 1, p->white));
  for (int64_t i = 0; i < t->n; i++) q[i] = (double)p->white[i];
  PetscFunctionReturn(0);
}

/* Centres and first scales: the prior's means and standard deviations, where it knows them. */
static PetscErrorCode prior_scales(const fm_target *t, fm_potential *potential) {
  PetscBool known;

  PetscFunctionBegin;
  PetscCall(fm_calloc(t->n, &potential->centre));
  PetscCall(fm_calloc(t->n, &potential->scale));
  PetscCall(fm_energy_moments(t->energy[t->nenergy - 1], potential->centre, potential->scale,
                              &known));
  if (!known) PetscCall(PetscFree(potential->centre));
  if (!known) PetscCall(PetscFree(potential->scale));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_potential_of_target(fm_target *target, fm_transport *transport,
                                      const fm_real *theta, fm_potential **potential) {
  pulled *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(potential));
  PetscCall(PetscNew(&p));
  p->target = target;
  p->transport = transport;
  p->theta = theta;
  PetscCall(fm_calloc(target->n, &p->white));
  PetscCall(fm_calloc(target->n, &p->x_bar));
  **potential = (fm_potential){.n = target->n,
                               .context = p,
                               .evaluate = transport ? of_latent : of_model,
                               .start = transport ? NULL : start};
  if (!transport) PetscCall(prior_scales(target, *potential));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_potential_destroy(fm_potential **potential) {
  pulled *p;

  PetscFunctionBegin;
  if (!*potential) PetscFunctionReturn(0);
  p = (pulled *)(*potential)->context;
  PetscCall(PetscFree(p->white));
  PetscCall(PetscFree(p->x_bar));
  PetscCall(PetscFree(p));
  PetscCall(PetscFree((*potential)->scale));
  PetscCall(PetscFree((*potential)->centre));
  PetscCall(PetscFree(*potential));
  PetscFunctionReturn(0);
}
