/* Biases, ReLU and the scales of an affine coupling: value and derivative beside each other. */
#include "flow/kernels.h"

void fm_bias(int64_t m, int64_t n, const fm_real *bias, const fm_real *residual, fm_real *out) {
  for (int64_t i = 0; i < m; i++)
    if (residual)
      for (int64_t j = 0; j < n; j++) out[i * n + j] = residual[i * n + j] + bias[j];
    else
      for (int64_t j = 0; j < n; j++) out[i * n + j] = bias[j];
}

void fm_relu(int64_t count, fm_real *v) {
  for (int64_t i = 0; i < count; i++) v[i] = v[i] > 0 ? v[i] : 0;
}

void fm_relu_vjp(int64_t count, const fm_real *restrict v, fm_real *restrict v_bar) {
  for (int64_t i = 0; i < count; i++) v_bar[i] = v[i] > 0 ? v_bar[i] : 0;
}

/* 2 tanh(raw / 2) = 2 (1 - e) / (1 + e), e = exp(-|raw|), with the sign of raw */
static void scale_bounded(int64_t count, fm_real *restrict raw, fm_real *restrict slope,
                          fm_real *restrict log_scale) {
  for (int64_t i = 0; i < count; i++) {
    const fm_real a = raw[i], e = fm_exp(a < 0 ? a : -a), size = 2 * (1 - e) / (1 + e);
    const fm_real log_s = a < 0 ? -size : size;

    if (slope) slope[i] = 4 * e / ((1 + e) * (1 + e));
    if (log_scale) log_scale[i] = log_s;
    raw[i] = fm_exp(log_s);
  }
}

static void scale_sigmoid(int64_t count, int clipped, fm_real *raw, fm_real *slope,
                          fm_real *log_scale) {
  const fm_real top = clipped ? 1 : 2, log_top = clipped ? 0 : (fm_real)0.69314718055994530942;

  for (int64_t i = 0; i < count; i++) {
    const fm_real a = clipped && !(raw[i] > 0) ? 0 : raw[i];
    const fm_real e = fm_exp(a < 0 ? a : -a), rest = (a < 0 ? 1 : e) / (1 + e);

    if (slope) slope[i] = clipped && !(raw[i] > 0) ? 0 : rest;
    if (log_scale) log_scale[i] = log_top + (a < 0 ? a : 0) - fm_log1p(e);
    raw[i] = top * ((a < 0 ? e : 1) / (1 + e));
  }
}

void fm_scale(int64_t count, fm_scaling kind, fm_real *raw, fm_real *slope,
              fm_real *log_scale) {
  if (kind == FM_SCALE_BOUNDED)
    scale_bounded(count, raw, slope, log_scale);
  else
    scale_sigmoid(count, kind == FM_SCALE_OFFICIAL, raw, slope, log_scale);
}
