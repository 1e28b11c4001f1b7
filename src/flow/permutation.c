/* x <- x in another order, drawn at random from the layer's name and size: fixed, without
   numbers to train. logdet 0. It gives each coupling other halves to work on. */
#include "fathom/layer.h"
#include <string.h>

/* splitmix64 of a state that begins as the FNV-1a hash of the name. */
static uint64_t next(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  uint64_t state = UINT64_C(0xcbf29ce484222325);
  int64_t *from;

  PetscFunctionBegin;
  for (const char *c = layer->name; *c; c++)
    state = (state ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  PetscCall(PetscMalloc1(layer->size, &from));
  layer->data = from;
  for (int64_t i = 0; i < layer->size; i++) from[i] = i;
  for (int64_t i = layer->size - 1; i > 0; i--) {
    const int64_t j = (int64_t)(next(&state) % (uint64_t)(i + 1)), keep = from[i];

    from[i] = from[j];
    from[j] = keep;
  }
  PetscFunctionReturn(0);
}

static int64_t work(const fm_layer *layer, int64_t nb) { return layer->size; }

/* Rows of v in the new order, or, backwards, in the old one again. */
static void permute(const fm_layer *layer, const fm_pass *pass, int forward, fm_real *v) {
  const int64_t *from = layer->data, n = layer->size;

  for (int64_t b = 0; b < pass->nb; b++, v += n) {
    for (int64_t i = 0; i < n; i++)
      pass->work[forward ? i : from[i]] = v[forward ? from[i] : i];
    memcpy(v, pass->work, (size_t)n * sizeof(fm_real));
  }
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  permute(layer, pass, pass->direction == FM_NORMALIZE, v);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  permute(layer, pass, pass->direction == FM_GENERATE, v);
  permute(layer, pass, pass->direction == FM_GENERATE, v_bar);
}

const fm_layer_ops fm_layer_permutation = {
    .build = build, .work = work, .apply = apply, .vjp = vjp};
