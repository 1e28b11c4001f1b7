/* The spline coupling of x whose splines see y beside the other half of x. */
#include "flow/spline_coupling.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_spline_build(layer, flow, layer->size_y));
  PetscFunctionReturn(0);
}

const fm_layer_ops fm_layer_spline_conditional = {
    .reads_y = PETSC_TRUE,
    .build = build,
    .work = fm_spline_work,
    .apply = fm_spline_apply,
    .vjp = fm_spline_vjp,
};
