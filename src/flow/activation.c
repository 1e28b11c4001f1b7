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

void fm_scale(int64_t count, int clipped, fm_real *raw, fm_real *slope, fm_real *log_scale) {
  const fm_real top = clipped ? 1 : 2, log_top = clipped ? 0 : (fm_real)0.69314718055994530942;

  for (int64_t i = 0; i < count; i++) {
    const fm_real a = clipped && !(raw[i] > 0) ? 0 : raw[i];
    const fm_real e = fm_exp(a < 0 ? a : -a), rest = (a < 0 ? 1 : e) / (1 + e);

    if (slope) slope[i] = clipped && !(raw[i] > 0) ? 0 : rest;
    if (log_scale) log_scale[i] = log_top + (a < 0 ? a : 0) - fm_log1p(e);
    raw[i] = top * ((a < 0 ? e : 1) / (1 + e));
  }
}
