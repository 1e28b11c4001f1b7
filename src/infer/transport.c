#include "fathom/transport.h"
#include <math.h>

PetscErrorCode fm_transport_create(const fm_flow_spec *spec, fm_transport **transport) {
  fm_transport *t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  *transport = t;
  PetscCall(fm_flow_create(spec, &t->flow));
  t->n = fm_shape_size(spec->x);
  t->m = fm_shape_size(spec->y);
  t->scale = 1.;
  PetscCall(fm_calloc(t->n, &t->x_mean));
  PetscCall(fm_calloc(t->n, &t->x_std));
  PetscCall(fm_calloc(t->m, &t->y_mean));
  PetscCall(fm_calloc(t->m, &t->y_std));
  for (int64_t i = 0; i < t->n; i++) t->x_std[i] = 1.;
  for (int64_t i = 0; i < t->m; i++) t->y_std[i] = 1.;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_destroy(fm_transport **transport) {
  fm_transport *t = *transport;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(fm_condition_destroy(&t->condition));
  PetscCall(fm_kept_destroy(&t->kept));
  PetscCall(fm_flow_destroy(&t->flow));
  PetscCall(fm_layout_destroy(&t->latent_layout));
  PetscCall(PetscFree(t->latent));
  PetscCall(PetscFree(t->frozen));
  PetscCall(PetscFree(t->x_mean));
  PetscCall(PetscFree(t->x_std));
  PetscCall(PetscFree(t->y_mean));
  PetscCall(PetscFree(t->y_std));
  PetscCall(PetscFree(t->y));
  PetscCall(PetscFree(t->work));
  PetscCall(PetscFree(*transport));
  PetscFunctionReturn(0);
}

static PetscErrorCode set_lane(int64_t n, const double *mean, const double *std,
                               double *to_mean, double *to_std, double *logstd) {
  PetscFunctionBegin;
  if (mean) PetscCall(PetscArraycpy(to_mean, mean, n));
  if (std) PetscCall(PetscArraycpy(to_std, std, n));
  *logstd = 0.;
  for (int64_t i = 0; i < n; i++) {
    fm_check(to_std[i] > 0. && isfinite(to_std[i]) && isfinite(to_mean[i]), PETSC_COMM_WORLD,
             PETSC_ERR_USER,
             "whitening of component %lld: mean %.6g, std %.6g; a std must be positive",
             (long long)i, to_mean[i], to_std[i]);
    *logstd += log(to_std[i]);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_whiten(fm_transport *t, const double *x_mean, const double *x_std,
                                   const double *y_mean, const double *y_std) {
  PetscFunctionBegin;
  PetscCall(set_lane(t->n, x_mean, x_std, t->x_mean, t->x_std, &t->x_logstd));
  PetscCall(set_lane(t->m, y_mean, y_std, t->y_mean, t->y_std, &t->y_logstd));
  PetscFunctionReturn(0);
}

/* ---- units ---- */

static void whiten(int64_t nb, int64_t n, const double *mean, const double *std, fm_real *v) {
  for (int64_t s = 0; s < nb; s++)
    for (int64_t i = 0; i < n; i++)
      v[s * n + i] = (fm_real)(((double)v[s * n + i] - mean[i]) / std[i]);
}

void fm_transport_whiten_lanes(const fm_transport *t, int64_t nb, fm_real *x, fm_real *y) {
  whiten(nb, t->n, t->x_mean, t->x_std, x);
  if (y) whiten(nb, t->m, t->y_mean, t->y_std, y);
}

void fm_transport_unwhiten(const fm_transport *t, int64_t nb, fm_real *x) {
  for (int64_t s = 0; s < nb; s++)
    for (int64_t i = 0; i < t->n; i++)
      x[s * t->n + i] = (fm_real)(t->x_mean[i] + t->x_std[i] * (double)x[s * t->n + i]);
}

double fm_log_normal(int64_t n, const fm_real *z) {
  double sum = 0.;

  for (int64_t i = 0; i < n; i++) sum += (double)z[i] * (double)z[i];
  return -0.5 * sum - 0.5 * (double)n * log(2. * PETSC_PI);
}

/* ---- the observation ---- */

static PetscErrorCode keep_observation(fm_transport *t, const double *y) {
  PetscFunctionBegin;
  if (!t->y) PetscCall(fm_calloc(t->m, &t->y));
  PetscCall(PetscArraycpy(t->y, y, t->m));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_observe(fm_transport *t, const fm_real *theta, const double *y) {
  fm_real *white;

  PetscFunctionBegin;
  if (!t->m) PetscFunctionReturn(0);
  PetscCall(keep_observation(t, y));
  PetscCall(fm_calloc(t->m, &white));
  for (int64_t i = 0; i < t->m; i++) white[i] = (fm_real)((y[i] - t->y_mean[i]) / t->y_std[i]);
  PetscCall(fm_condition_destroy(&t->condition));
  PetscCall(fm_flow_condition(t->flow, theta, white, &t->condition));
  PetscCall(PetscFree(white));
  PetscFunctionReturn(0);
}

PetscBool fm_transport_sees(const fm_transport *t, const double *y) {
  const PetscBool kept = t->condition && t->y ? PETSC_TRUE : PETSC_FALSE;

  return kept && !memcmp(t->y, y, (size_t)t->m * sizeof(*y)) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fm_transport_restore(fm_transport *t, const double *y, int64_t count,
                                    const fm_real *values) {
  PetscFunctionBegin;
  if (y) PetscCall(keep_observation(t, y));
  PetscCall(fm_condition_destroy(&t->condition));
  PetscCall(fm_condition_restore(t->flow, count, values, &t->condition));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_refresh(fm_transport *t, const fm_real *theta) {
  fm_condition *anew;

  PetscFunctionBegin;
  if (!t->condition || t->train != FM_TRAIN_ALL) PetscFunctionReturn(0);
  PetscCall(fm_condition_from_latent(t->flow, theta, fm_condition_latent(t->condition), &anew));
  PetscCall(fm_condition_destroy(&t->condition));
  t->condition = anew;
  PetscFunctionReturn(0);
}

fm_lanes fm_transport_lanes(const fm_transport *t, int64_t nb, fm_real *x, fm_real *y) {
  fm_lanes lanes = {.x = x, .condition = t->condition};

  if (t->train != FM_TRAIN_ALL || !t->condition) return lanes;
  for (int64_t s = 0; s < nb; s++)
    memcpy(y + s * t->m, fm_condition_latent(t->condition), (size_t)t->m * sizeof(*y));
  lanes.y = y;
  lanes.condition = NULL;
  return lanes;
}

int64_t fm_transport_block(const fm_transport *t) {
  return PetscMax(4, PetscMin(128, ((int64_t)1 << 16) / t->n));
}

int64_t fm_transport_start_samples(const fm_transport *t, int64_t total) {
  const int64_t numbers = (int64_t)1 << 18;
  const int64_t wanted = PetscMax(32, PetscMin(1024, numbers / t->n));

  return total ? PetscMin(wanted, total) : wanted;
}

PetscErrorCode fm_transport_kept(fm_transport *t, fm_kept **kept) {
  PetscFunctionBegin;
  if (t->store && !t->kept) PetscCall(fm_kept_create(t->flow, &t->kept));
  *kept = t->store ? t->kept : NULL;
  PetscFunctionReturn(0);
}

/* ---- in the user's units ---- */

static PetscErrorCode need_work(fm_transport *t, int64_t n) {
  PetscFunctionBegin;
  if (n > t->nwork) {
    PetscCall(PetscFree(t->work));
    PetscCall(fm_calloc(n, &t->work));
    t->nwork = n;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_generate(fm_transport *t, const fm_real *theta, int64_t nb,
                                     const fm_real *z, fm_real *x, fm_real *logdet) {
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(x, z, nb * t->n));
  PetscCall(fm_transport_push(t, theta, nb, x, logdet));
  fm_transport_unwhiten(t, nb, x);
  for (int64_t s = 0; s < nb; s++) logdet[s] = (fm_real)((double)logdet[s] + t->x_logstd);
  PetscFunctionReturn(0);
}

/* Of nb samples v = T0^-1(x): log q besides the flow's logdet, which is in logq, and where bar
   is not NULL its gradient in v. v becomes z. */
static void latent_density(const fm_transport *t, const fm_real *correction, int64_t nb,
                           fm_real *v, fm_real *logq, fm_real *bar) {
  double constant = -t->x_logstd;

  if (correction) constant -= fm_latent_logdet(t->n, correction);
  for (int64_t i = 0; correction && i < nb * t->n; i++)
    v[i] = (fm_real)((double)v[i] - (double)correction[t->n + i % t->n]);
  if (correction) fm_latent_divide(t->n, correction, nb, v);
  for (int64_t s = 0; s < nb; s++)
    logq[s] = (fm_real)((double)logq[s] + fm_log_normal(t->n, v + s * t->n) + constant);
  for (int64_t i = 0; bar && i < nb * t->n; i++) bar[i] = -v[i];
  if (bar && correction) fm_latent_divide(t->n, correction, nb, bar);
}

/* score = grad_x log q: reverse mode of (log N(z) + logdet) through the normalizing pass. */
PetscErrorCode fm_transport_score(fm_transport *t, const fm_real *theta, int64_t nb,
                                  const fm_real *x, fm_real *logq, fm_real *score) {
  const fm_real *correction = fm_transport_correction(t, theta);
  const fm_real *weights = fm_transport_weights(t, theta);
  fm_lanes v = {.condition = t->condition}, bar = {.x = score};
  fm_real *ones, *z;

  PetscFunctionBegin;
  PetscCall(need_work(t, nb * (2 * t->n + 1)));
  v.x = t->work;
  ones = v.x + nb * t->n;
  z = correction ? ones + nb : v.x;
  PetscCall(PetscArraycpy(v.x, x, nb * t->n));
  fm_transport_whiten_lanes(t, nb, v.x, NULL);
  PetscCall(fm_flow_apply(t->flow, weights, FM_NORMALIZE, nb, v, v, (fm_logdet){logq, NULL}));
  if (correction) PetscCall(PetscArraycpy(z, v.x, nb * t->n));
  latent_density(t, correction, nb, z, logq, score);
  if (!score) PetscFunctionReturn(0);
  for (int64_t s = 0; s < nb; s++) ones[s] = 1;
  PetscCall(fm_flow_vjp(t->flow, weights, FM_NORMALIZE, nb, v, bar, (fm_logdet){ones, NULL}, v,
                        bar, NULL));
  for (int64_t i = 0; i < nb * t->n; i++)
    score[i] = (fm_real)((double)score[i] / t->x_std[i % t->n]);
  PetscFunctionReturn(0);
}
