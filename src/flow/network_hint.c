/* The conditional HINT network, on vectors with dense and on images with 3x3 convolutional
   conditioners. Both lanes of images are squeezed first. A block, in normalizing order:

       x: actnorm, householder ------------- hint ---- conditional --> next block
                                                        |  y' = y here
       y: actnorm, householder -------------------------+-- hint ----> next block

   Without a y there is no y lane and no conditional layer. */
#include "flow/flow_impl.h"

static PetscErrorCode squeeze(fm_flow *flow) {
  char block[FM_NAME_MAX];

  PetscFunctionBegin;
  for (int64_t i = 1; i <= flow->spec.squeezes; i++) {
    PetscCall(PetscSNPrintf(block, sizeof(block), "squeeze%" PRId64, i));
    PetscCall(fm_flow_add(flow, block, FM_LANE_X, "haar"));
    if (fm_flow_size_y(flow)) PetscCall(fm_flow_add(flow, block, FM_LANE_Y, "haar"));
  }
  PetscFunctionReturn(0);
}

/* Couplings split the channels: an image needs two. */
static PetscErrorCode check_channels(const fm_flow *flow) {
  const fm_shape x = flow->now[FM_LANE_X];

  PetscFunctionBegin;
  fm_check(x.c > 1 || fm_shape_pixels(x) == 1, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
           "network 'hint' splits the channels of an image, but x is one channel of %" PRId64
           " x %" PRId64 ": squeeze it (-flow_squeezes 1)",
           x.n[0], x.n[1]);
  PetscFunctionReturn(0);
}

static PetscErrorCode add_block(fm_flow *flow, int64_t number) {
  const int has_y = fm_flow_size_y(flow) > 0, reflect = flow->spec.reflections > 0;
  char block[FM_NAME_MAX];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(block, sizeof(block), "block%" PRId64, number));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, "actnorm"));
  if (has_y) PetscCall(fm_flow_add(flow, block, FM_LANE_Y, "actnorm"));
  if (reflect) PetscCall(fm_flow_add(flow, block, FM_LANE_X, "householder"));
  if (reflect && has_y) PetscCall(fm_flow_add(flow, block, FM_LANE_Y, "householder"));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, "hint"));
  if (has_y) PetscCall(fm_flow_add(flow, block, FM_LANE_X, "conditional"));
  if (has_y) PetscCall(fm_flow_add(flow, block, FM_LANE_Y, "hint"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_network_hint(fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(squeeze(flow));
  PetscCall(check_channels(flow));
  for (int64_t i = 1; i <= flow->spec.depth; i++) PetscCall(add_block(flow, i));
  PetscFunctionReturn(0);
}
