#include "flow/diagonal.h"
#include "flow/kernels.h"

PetscErrorCode fm_diagonal_build(fm_layer *layer, fm_flow *flow, int64_t count) {
  PetscFunctionBegin;
  PetscCall(fm_layer_tensor(flow, layer, "log_scale", 1, &count, 0, NULL));
  PetscCall(fm_layer_tensor(flow, layer, "shift", 1, &count, 0, NULL));
  PetscFunctionReturn(0);
}

void fm_diagonal_apply(fm_diagonal d, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  const fm_real *log_scale = pass->theta + d.first, *shift = log_scale + d.count;
  const fm_real sign = pass->direction == FM_NORMALIZE ? 1 : -1;
  fm_real sum = 0;

  for (int64_t c = 0; c < d.count; c++) {
    const fm_real scale = fm_exp(sign * log_scale[c]);

    sum += log_scale[c];
    for (int64_t b = 0; b < pass->nb; b++)
      for (int64_t i = 0; i < d.group; i++) {
        fm_real *x = &v[(b * d.count + c) * d.group + i];

        *x = pass->direction == FM_NORMALIZE ? scale * *x + shift[c] : scale * (*x - shift[c]);
      }
  }
  if (logdet)
    for (int64_t b = 0; b < pass->nb; b++) logdet[b] += sign * (fm_real)d.group * sum;
}

/* Cotangents of one channel's two numbers, and what the input was. */
typedef struct channel {
  fm_real log_scale_bar, shift_bar;
} channel;

static channel normalize_vjp(fm_diagonal d, int64_t nb, fm_real log_scale, fm_real shift,
                             fm_real *v, fm_real *v_bar) {
  const fm_real scale = fm_exp(log_scale), inverse = fm_exp(-log_scale);
  channel bar = {0, 0};

  for (int64_t b = 0; b < nb; b++)
    for (int64_t i = 0; i < d.group; i++) {
      const int64_t at = b * d.count * d.group + i;
      const fm_real scaled = v[at] - shift;

      bar.log_scale_bar += v_bar[at] * scaled;
      bar.shift_bar += v_bar[at];
      v[at] = inverse * scaled;
      v_bar[at] *= scale;
    }
  return bar;
}

static channel generate_vjp(fm_diagonal d, int64_t nb, fm_real log_scale, fm_real shift,
                            fm_real *v, fm_real *v_bar) {
  const fm_real scale = fm_exp(log_scale), inverse = fm_exp(-log_scale);
  channel bar = {0, 0};

  for (int64_t b = 0; b < nb; b++)
    for (int64_t i = 0; i < d.group; i++) {
      const int64_t at = b * d.count * d.group + i;

      bar.log_scale_bar -= v_bar[at] * v[at];
      v[at] = scale * v[at] + shift;
      v_bar[at] *= inverse;
      bar.shift_bar -= v_bar[at];
    }
  return bar;
}

/* The logdet's share: every log_scale counts `group` times in every sample. */
static void add_logdet_bar(fm_diagonal d, const fm_pass *pass, const fm_real *logdet_bar) {
  fm_real sum = 0;

  for (int64_t b = 0; b < pass->nb; b++) sum += logdet_bar[b];
  if (pass->direction == FM_GENERATE) sum = -sum;
  for (int64_t c = 0; c < d.count; c++) pass->theta_bar[d.first + c] += (fm_real)d.group * sum;
}

void fm_diagonal_vjp(fm_diagonal d, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                     const fm_real *logdet_bar) {
  const fm_real *log_scale = pass->theta + d.first, *shift = log_scale + d.count;

  for (int64_t c = 0; c < d.count; c++) {
    const channel bar = (pass->direction == FM_NORMALIZE ? normalize_vjp : generate_vjp)(
        d, pass->nb, log_scale[c], shift[c], v + c * d.group, v_bar + c * d.group);

    if (!pass->theta_bar) continue;
    pass->theta_bar[d.first + c] += bar.log_scale_bar;
    pass->theta_bar[d.first + d.count + c] += bar.shift_bar;
  }
  if (pass->theta_bar && logdet_bar) add_logdet_bar(d, pass, logdet_bar);
}
