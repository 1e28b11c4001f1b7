/* A product of reflections of the channels: x <- x - 2 u (u . x) / (u . u), for the rows u of
   `vectors`, the first row first; generating runs them backwards. An image's pixels all have
   the same u. logdet 0. An all-zero u does nothing. */
#include "fathom/layer.h"
#include "flow/kernels.h"
#include <string.h>

static int64_t channels(const fm_layer *layer) { return layer->shape.c; }
static int64_t pixels(const fm_layer *layer) { return layer->size / layer->shape.c; }

static int64_t reflections(const fm_layer *layer) {
  return layer->nparameter / channels(layer);
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const int64_t shape[] = {fm_flow_get_spec(flow)->reflections, channels(layer)};

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

/* What an image needs beside itself: u . x and u . g of each pixel. */
static int64_t work(const fm_layer *layer, int64_t nb) {
  return pixels(layer) > 1 ? 2 * pixels(layer) : 0;
}

/* along[p] = sum_c u[c] x[c][p]. */
static void dot_pixels(int64_t n, int64_t np, const fm_real *u, const fm_real *x,
                       fm_real *along) {
  memset(along, 0, (size_t)np * sizeof(fm_real));
  for (int64_t c = 0; c < n; c++)
    for (int64_t p = 0; p < np; p++) along[p] += u[c] * x[c * np + p];
}

/* x[c][p] += factor u[c] along[p]. */
static void add_pixels(int64_t n, int64_t np, fm_real factor, const fm_real *u,
                       const fm_real *along, fm_real *x) {
  for (int64_t c = 0; c < n; c++)
    for (int64_t p = 0; p < np; p++) x[c * np + p] += factor * u[c] * along[p];
}

/* One row of an image, [n][np], or of a vector where np is 1. */
static void reflect(int64_t n, int64_t np, const fm_real *u, fm_real factor, fm_real *x,
                    fm_real *along) {
  if (np > 1) {
    dot_pixels(n, np, u, x, along);
    add_pixels(n, np, -factor, u, along, x);
  } else {
    const fm_real share = factor * dot(n, u, x);

    for (int64_t i = 0; i < n; i++) x[i] -= share * u[i];
  }
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  const int64_t n = channels(layer), np = pixels(layer), count = reflections(layer);

  for (int64_t r = 0; r < count; r++) {
    const int64_t row = pass->direction == FM_NORMALIZE ? r : count - 1 - r;
    const fm_real *u = pass->theta + layer->first + row * n, factor = two_over_square(n, u);

    for (int64_t b = 0; b < pass->nb; b++)
      reflect(n, np, u, factor, v + b * n * np, pass->work);
  }
}

/* A reflection is its own inverse and its own transpose. With f = 2 / (u . u), for one sample
   u_bar = -f ((u . x) x_bar' + (u . x_bar') x - f (u . x)(u . x_bar') u), x_bar' the output's
   cotangent. */
static void vector_vjp(int64_t n, const fm_real *u, fm_real factor, fm_real *x, fm_real *g,
                       fm_real *u_bar) {
  const fm_real along_x = -dot(n, u, x), along_g = dot(n, u, g); /* of input; of output */

  for (int64_t i = 0; i < n; i++) x[i] += factor * along_x * u[i];
  if (u_bar)
    for (int64_t i = 0; i < n; i++)
      u_bar[i] -= factor * (along_x * g[i] + along_g * (x[i] - factor * along_x * u[i]));
  for (int64_t i = 0; i < n; i++) g[i] -= factor * along_g * u[i];
}

/* The same summed over the pixels of an image; the output's u . x is that of the input but for
   its sign. */
static void image_vjp(int64_t n, int64_t np, const fm_real *u, fm_real factor, fm_real *x,
                      fm_real *g, fm_real *u_bar, fm_real *along) {
  fm_real *along_x = along, *along_g = along + np, both;

  dot_pixels(n, np, u, x, along_x);
  dot_pixels(n, np, u, g, along_g);
  both = fm_dot(np, along_x, along_g);
  add_pixels(n, np, -factor, u, along_x, x);
  for (int64_t c = 0; u_bar && c < n; c++)
    u_bar[c] += factor * (fm_dot(np, along_x, g + c * np) - fm_dot(np, along_g, x + c * np) -
                          factor * both * u[c]);
  add_pixels(n, np, -factor, u, along_g, g);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  const int64_t n = channels(layer), np = pixels(layer), count = reflections(layer);

  for (int64_t r = 0; r < count; r++) {
    const int64_t row = pass->direction == FM_NORMALIZE ? count - 1 - r : r;
    const int64_t at = layer->first + row * n;
    const fm_real *u = pass->theta + at, factor = two_over_square(n, u);
    fm_real *u_bar = pass->theta_bar ? pass->theta_bar + at : NULL;

    for (int64_t b = 0; b < pass->nb; b++) {
      fm_real *x = v + b * n * np, *g = v_bar + b * n * np;

      if (np > 1)
        image_vjp(n, np, u, factor, x, g, u_bar, pass->work);
      else
        vector_vjp(n, u, factor, x, g, u_bar);
    }
  }
}

static double flop(const fm_layer *layer) {
  return 4. * (double)(reflections(layer) * layer->size);
}

const fm_layer_ops fm_layer_householder = {
    .flop = flop, .build = build, .work = work, .apply = apply, .vjp = vjp};
