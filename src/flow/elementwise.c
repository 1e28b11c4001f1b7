/* z = exp(log_scale) x + shift, a pair of numbers for each element. */
#include "flow/diagonal.h"

static fm_diagonal diagonal(const fm_layer *layer) {
  return (fm_diagonal){layer->first, layer->size, 1};
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_diagonal_build(layer, flow, layer->size));
  PetscFunctionReturn(0);
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  fm_diagonal_apply(diagonal(layer), pass, v, logdet);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  fm_diagonal_vjp(diagonal(layer), pass, v, v_bar, logdet_bar);
}

const fm_layer_ops fm_layer_elementwise = {.build = build, .apply = apply, .vjp = vjp};
