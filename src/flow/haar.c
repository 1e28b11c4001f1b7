/* Orthonormal Haar squeeze of an image: [c][2 h][2 w] becomes [4 c][h][w], for every 2 x 2
   pixels p, q over r, s of a channel

       (p + q + r + s) / 2, (p - q + r - s) / 2, (p + q - r - s) / 2, (p - q - r + s) / 2:

   first the c averages, then the c details of each kind, so that halves of the channels are
   halves of the scales. logdet 0. The map is its own inverse but for the order. Source:
   Ardizzone et al. (2019), "Guided image generation with conditional invertible networks". */
#include "flow/flow_impl.h"
#include <string.h>

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const fm_shape in = layer->shape;
  const fm_shape out = {4 * in.c, {in.n[0] / 2, in.n[1] / 2, 1}};

  PetscFunctionBegin;
  fm_check(in.n[0] % 2 == 0 && in.n[1] % 2 == 0 && in.n[2] == 1, PETSC_COMM_SELF,
           PETSC_ERR_ARG_SIZ,
           "a squeeze halves height and width, but the image is %" PRId64 " x %" PRId64
           " (x %" PRId64 "): take an even size, or fewer squeezes (-flow_squeezes)",
           in.n[0], in.n[1], in.n[2]);
  PetscCall(fm_layer_reshape(flow, layer, out));
  PetscFunctionReturn(0);
}

static int64_t work(const fm_layer *layer, int64_t nb) { return layer->size; }

/* One channel: rows of pairs in `image` [2 h][2 w] <-> four planes [h][w], `step` apart. */
static void squeeze(int64_t h, int64_t w, const fm_real *image, fm_real *plane, int64_t step) {
  for (int64_t i = 0; i < h; i++)
    for (int64_t j = 0; j < w; j++) {
      const fm_real *top = image + 4 * i * w + 2 * j, *low = top + 2 * w;
      const fm_real a = top[0] + top[1], b = top[0] - top[1], c = low[0] + low[1],
                    d = low[0] - low[1];
      fm_real *out = plane + i * w + j;

      out[0] = (a + c) / 2;
      out[step] = (b + d) / 2;
      out[2 * step] = (a - c) / 2;
      out[3 * step] = (b - d) / 2;
    }
}

static void spread(int64_t h, int64_t w, const fm_real *plane, int64_t step, fm_real *image) {
  for (int64_t i = 0; i < h; i++)
    for (int64_t j = 0; j < w; j++) {
      const fm_real *in = plane + i * w + j;
      const fm_real a = in[0] + in[2 * step], b = in[step] + in[3 * step],
                    c = in[0] - in[2 * step], d = in[step] - in[3 * step];
      fm_real *top = image + 4 * i * w + 2 * j, *low = top + 2 * w;

      top[0] = (a + b) / 2;
      top[1] = (a - b) / 2;
      low[0] = (c + d) / 2;
      low[1] = (c - d) / 2;
    }
}

/* All rows of v, there or back. */
static void turn(const fm_layer *layer, const fm_pass *pass, int there, fm_real *v) {
  const int64_t c = layer->shape.c, h = layer->shape.n[0] / 2, w = layer->shape.n[1] / 2;
  const int64_t step = c * h * w;

  for (int64_t b = 0; b < pass->nb; b++, v += layer->size) {
    for (int64_t k = 0; k < c; k++)
      if (there)
        squeeze(h, w, v + 4 * k * h * w, pass->work + k * h * w, step);
      else
        spread(h, w, v + k * h * w, step, pass->work + 4 * k * h * w);
    memcpy(v, pass->work, (size_t)layer->size * sizeof(fm_real));
  }
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  turn(layer, pass, pass->direction == FM_NORMALIZE, v);
}

/* An orthogonal map: the cotangent goes the way of the rebuilt input. */
static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  turn(layer, pass, pass->direction == FM_GENERATE, v);
  turn(layer, pass, pass->direction == FM_GENERATE, v_bar);
}

const fm_layer_ops fm_layer_haar = {.build = build, .work = work, .apply = apply, .vjp = vjp};
