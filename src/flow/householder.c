/* A product of reflections: x <- x - 2 u (u . x) / (u . u), for the rows u of `vectors`, the
   first row first; generating runs them backwards. logdet 0. An all-zero u does nothing. */
#include "fathom/layer.h"
#include "flow/kernels.h"

static int64_t reflections(const fm_layer *layer) { return layer->nparameter / layer->size; }

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const int64_t shape[] = {fm_flow_get_spec(flow)->reflections, layer->size};

  PetscFunctionBegin;
  PetscCall(fm_layer_tensor(flow, layer, "vectors", 2, shape, 1, NULL));
  PetscFunctionReturn(0);
}

static fm_real dot(int64_t n, const fm_real *a, const fm_real *b) {
  fm_real sum = 0;

  if (n > 8) return fm_dot(n, a, b);
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static fm_real two_over_square(int64_t n, const fm_real *u) {
  const fm_real square = dot(n, u, u);

  return square > 0 ? 2 / square : 0;
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  const int64_t n = layer->size, count = reflections(layer);

  for (int64_t r = 0; r < count; r++) {
    const int64_t row = pass->direction == FM_NORMALIZE ? r : count - 1 - r;
    const fm_real *u = pass->theta + layer->first + row * n, factor = two_over_square(n, u);

    for (int64_t b = 0; b < pass->nb; b++) {
      const fm_real along = factor * dot(n, u, v + b * n);

      for (int64_t i = 0; i < n; i++) v[b * n + i] -= along * u[i];
    }
  }
}

/* A reflection is its own inverse and its own transpose. With f = 2 / (u . u), for one sample
   u_bar = -f ((u . x) x_bar' + (u . x_bar') x - f (u . x)(u . x_bar') u), x_bar' the output's
   cotangent. */
static void reflection_vjp(int64_t n, int64_t nb, const fm_real *u, fm_real *v, fm_real *v_bar,
                           fm_real *u_bar) {
  const fm_real factor = two_over_square(n, u);

  for (int64_t b = 0; b < nb; b++) {
    fm_real *x = v + b * n, *g = v_bar + b * n;
    const fm_real along_x = -dot(n, u, x),
                  along_g = dot(n, u, g); /* of the input; of the output */

    for (int64_t i = 0; i < n; i++) x[i] += factor * along_x * u[i];
    if (u_bar)
      for (int64_t i = 0; i < n; i++)
        u_bar[i] -= factor * (along_x * g[i] + along_g * (x[i] - factor * along_x * u[i]));
    for (int64_t i = 0; i < n; i++) g[i] -= factor * along_g * u[i];
  }
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  const int64_t n = layer->size, count = reflections(layer);

  for (int64_t r = 0; r < count; r++) {
    const int64_t row = pass->direction == FM_NORMALIZE ? count - 1 - r : r;
    const int64_t at = layer->first + row * n;

    reflection_vjp(n, pass->nb, pass->theta + at, v, v_bar,
                   pass->theta_bar ? pass->theta_bar + at : NULL);
  }
}

const fm_layer_ops fm_layer_householder = {.build = build, .apply = apply, .vjp = vjp};
