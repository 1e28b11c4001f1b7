/* Neural spline flow. A block, in normalizing order:

       x: actnorm, householder, conditional, spline_conditional --> next block
       y:                                                       --> next block

   With -flow_reflections 0 a permutation stands for householder: better where the unknowns are
   not much correlated, for their one-dimensional shapes stay in sight. All blocks see the same
   y. Without a y there is no conditional layer and the splines are those of the layer spline.
   After the blocks one dense triangular layer makes y a Gaussian of any covariance, so that the
   y lane is cheap and its loss convex: the flow is made for q(x | y). Source: Durkan et al.
   (2019), arXiv 1906.04032. */
#include "flow/flow_impl.h"

static PetscErrorCode add_block(fm_flow *flow, int64_t number) {
  const int has_y = fm_flow_size_y(flow) > 0;
  const char *mix = flow->spec.reflections ? "householder" : "permutation";
  char block[FM_NAME_MAX];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(block, sizeof(block), "block%" PRId64, number));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, "actnorm"));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, mix));
  if (has_y) PetscCall(fm_flow_add(flow, block, FM_LANE_X, "conditional"));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, has_y ? "spline_conditional" : "spline"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_network_spline(fm_flow *flow) {
  PetscFunctionBegin;
  for (int64_t i = 1; i <= flow->spec.depth; i++) PetscCall(add_block(flow, i));
  if (fm_flow_size_y(flow)) PetscCall(fm_flow_add(flow, "last", FM_LANE_Y, "triangular"));
  PetscFunctionReturn(0);
}
