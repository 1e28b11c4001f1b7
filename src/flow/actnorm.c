/* z = exp(log_scale) x + shift, a pair of numbers for each channel, started from data so that
   its output has mean 0 and standard deviation 1. Source: Kingma and Dhariwal (2018), "Glow".
   */
#include "flow/diagonal.h"
#include <math.h>

static fm_diagonal diagonal(const fm_layer *layer) {
  return (fm_diagonal){layer->first, layer->shape.c, layer->size / layer->shape.c};
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_diagonal_build(layer, flow, layer->shape.c));
  PetscFunctionReturn(0);
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  fm_diagonal_apply(diagonal(layer), pass, v, logdet);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  fm_diagonal_vjp(diagonal(layer), pass, v, v_bar, logdet_bar);
}

/* Mean and standard deviation of one channel, in double and in two passes. */
static void moments(fm_diagonal d, int64_t nb, const fm_real *v, double *mean,
                    double *deviation) {
  const double count = (double)(nb * d.group);
  double sum = 0, square = 0;

  for (int64_t b = 0; b < nb; b++)
    for (int64_t i = 0; i < d.group; i++) sum += v[b * d.count * d.group + i];
  *mean = sum / count;
  for (int64_t b = 0; b < nb; b++)
    for (int64_t i = 0; i < d.group; i++) {
      const double r = v[b * d.count * d.group + i] - *mean;

      square += r * r;
    }
  *deviation = sqrt(square / count);
  if (!(*deviation > 8 * FM_EPSILON * fabs(*mean)))
    *deviation = 1; /* no variance but rounding */
}

static void start(const fm_layer *layer, fm_real *theta, fm_direction direction, int64_t nb,
                  const fm_real *v) {
  const fm_diagonal d = diagonal(layer);
  fm_real *log_scale = theta + d.first, *shift = log_scale + d.count;

  for (int64_t c = 0; c < d.count; c++) {
    double mean, deviation;

    moments(d, nb, v + c * d.group, &mean, &deviation);
    log_scale[c] = (fm_real)(direction == FM_NORMALIZE ? -log(deviation) : log(deviation));
    shift[c] = (fm_real)(direction == FM_NORMALIZE ? -mean / deviation : mean);
  }
}

const fm_layer_ops fm_layer_actnorm = {
    .build = build, .apply = apply, .vjp = vjp, .start = start};
