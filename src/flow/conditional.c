/* All of x, given y: z_x = S(y) x + T(y). With one y for the whole batch the conditioner runs
   once. */
#include "flow/affine.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(PetscCalloc(sizeof(fm_affine), &layer->data));
  PetscCall(fm_affine_build(layer->data, flow, layer, "", 0, layer->size_y, 0, layer->size));
  PetscFunctionReturn(0);
}

static int64_t work(const fm_layer *layer, int64_t nb) {
  return fm_affine_work(layer->data, nb);
}

static fm_rows all(const fm_layer *layer, const fm_pass *pass, fm_real *v) {
  return (fm_rows){v, pass->nb, layer->size};
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  fm_affine_apply(layer->data, pass, pass->y, all(layer, pass, v), logdet);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  fm_affine_vjp(layer->data, pass, pass->y, pass->y_bar, all(layer, pass, v),
                all(layer, pass, v_bar), logdet_bar);
}

const fm_layer_ops fm_layer_conditional = {
    .reads_y = PETSC_TRUE, .build = build, .work = work, .apply = apply, .vjp = vjp};
