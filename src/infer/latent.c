#include "fathom/latent.h"
#include "fathom/transport.h"
#include <math.h>

/* ---- v = s z + b ---- */

PetscErrorCode fm_latent_layout(int64_t n, fm_layout **layout) {
  int64_t offset;

  PetscFunctionBegin;
  PetscCall(fm_layout_create(layout));
  PetscCall(fm_layout_add(*layout, "latent.log_scale", FM_LANE_X, 1, &n, &offset));
  PetscCall(fm_layout_add(*layout, "latent.shift", FM_LANE_X, 1, &n, &offset));
  PetscFunctionReturn(0);
}

static double scale(const fm_real *correction, int64_t i) { return exp((double)correction[i]); }

void fm_latent_apply(int64_t n, const fm_real *correction, int64_t nb, const fm_real *z,
                     fm_real *v) {
  for (int64_t i = 0; i < n; i++) {
    const double s = scale(correction, i), b = (double)correction[n + i];

    for (int64_t k = i; k < nb * n; k += n) v[k] = (fm_real)(s * (double)z[k] + b);
  }
}

double fm_latent_logdet(int64_t n, const fm_real *correction) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += (double)correction[i];
  return sum;
}

void fm_latent_divide(int64_t n, const fm_real *correction, int64_t nb, fm_real *v) {
  for (int64_t i = 0; i < n; i++) {
    const double s = scale(correction, i);

    for (int64_t k = i; k < nb * n; k += n) v[k] = (fm_real)((double)v[k] / s);
  }
}

void fm_latent_cotangent(int64_t n, const fm_real *correction, int64_t nb, fm_real *bar) {
  for (int64_t i = 0; i < n; i++) {
    const double s = scale(correction, i);

    for (int64_t k = i; k < nb * n; k += n) bar[k] = (fm_real)((double)bar[k] * s);
  }
}

void fm_latent_gradient(int64_t n, const fm_real *correction, int64_t nb, const fm_real *z,
                        const fm_real *bar, double logdet_bar, const PetscBool *ok,
                        fm_real *out) {
  for (int64_t i = 0; i < n; i++) {
    const double s = scale(correction, i);
    double of_scale = 0, of_shift = 0;

    for (int64_t k = 0; k < nb; k++) {
      if (!ok[k]) continue;
      of_scale += (double)bar[k * n + i] * s * (double)z[k * n + i] + logdet_bar;
      of_shift += (double)bar[k * n + i];
    }
    out[i] += (fm_real)of_scale;
    out[n + i] += (fm_real)of_shift;
  }
}

/* ---- in a transport ---- */

const fm_layout *fm_transport_layout(const fm_transport *t) {
  return t->train == FM_TRAIN_LATENT ? t->latent_layout : fm_flow_layout(t->flow);
}

const fm_real *fm_transport_weights(const fm_transport *t, const fm_real *theta) {
  return t->train == FM_TRAIN_LATENT ? t->frozen : theta;
}

const fm_real *fm_transport_correction(const fm_transport *t, const fm_real *theta) {
  return t->train == FM_TRAIN_LATENT ? theta : t->latent;
}

PetscErrorCode fm_transport_freeze(fm_transport *t, const fm_real *weights, fm_real *start) {
  const int64_t size = fm_flow_layout(t->flow)->size;

  PetscFunctionBegin;
  if (!t->frozen) PetscCall(fm_calloc(size, &t->frozen));
  if (!t->latent_layout) PetscCall(fm_latent_layout(t->n, &t->latent_layout));
  PetscCall(PetscArraycpy(t->frozen, weights, size));
  if (t->latent)
    PetscCall(PetscArraycpy(start, t->latent, 2 * t->n));
  else
    PetscCall(PetscArrayzero(start, 2 * t->n));
  t->train = FM_TRAIN_LATENT;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_keep(fm_transport *t, const fm_real *correction) {
  PetscFunctionBegin;
  if (!correction) PetscCall(PetscFree(t->latent));
  if (!correction) PetscFunctionReturn(0);
  if (!t->latent) PetscCall(fm_calloc(2 * t->n, &t->latent));
  PetscCall(PetscArraycpy(t->latent, correction, 2 * t->n));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_push(fm_transport *t, const fm_real *theta, int64_t nb, fm_real *v,
                                 fm_real *logdet) {
  const fm_real *correction = fm_transport_correction(t, theta);
  const fm_lanes lanes = {.x = v, .condition = t->condition};
  double added = 0;

  PetscFunctionBegin;
  if (correction) fm_latent_apply(t->n, correction, nb, v, v);
  if (correction) added = fm_latent_logdet(t->n, correction);
  PetscCall(fm_flow_apply(t->flow, fm_transport_weights(t, theta), FM_GENERATE, nb, lanes,
                          lanes, (fm_logdet){logdet, NULL}));
  for (int64_t s = 0; correction && s < nb; s++)
    logdet[s] = (fm_real)((double)logdet[s] + added);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_transport_pull(fm_transport *t, const fm_real *theta, int64_t nb,
                                 const fm_real *x, fm_real *logdet_bar, fm_real *z,
                                 fm_real *bar) {
  const fm_real *correction = fm_transport_correction(t, theta);
  const fm_lanes lanes = {.x = z, .condition = t->condition}, bars = {.x = bar};

  PetscFunctionBegin;
  if (z != x) PetscCall(PetscArraycpy(z, x, nb * t->n));
  PetscCall(fm_flow_vjp(t->flow, fm_transport_weights(t, theta), FM_GENERATE, nb, lanes, bars,
                        (fm_logdet){logdet_bar, NULL}, lanes, bars, NULL));
  if (correction) fm_latent_cotangent(t->n, correction, nb, bar);
  PetscFunctionReturn(0);
}
