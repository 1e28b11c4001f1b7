/* Spline coupling: each element of the second half passes a monotonic spline that the first
   half steers, then each of the first half one that the new second half steers. Source: Durkan
   et al.
   (2019), arXiv 1906.04032. */
#include "flow/spline_coupling.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_spline_build(layer, flow, 0));
  PetscFunctionReturn(0);
}

const fm_layer_ops fm_layer_spline = {
    .build = build,
    .work = fm_spline_work,
    .apply = fm_spline_apply,
    .vjp = fm_spline_vjp,
};
