/* The conditional HINT network. A block, in normalizing order:

       x: actnorm, householder ------------- hint ---- conditional --> next block
                                                        |  y' = y here
       y: actnorm, householder -------------------------+-- hint ----> next block

   Without a y there is no y lane and no conditional layer. */
#include "flow/flow_impl.h"

static PetscErrorCode check_vector(fm_shape shape, const char *name) {
  PetscFunctionBegin;
  fm_check(fm_shape_size(shape) == shape.c, PETSC_COMM_SELF, PETSC_ERR_SUP,
           "network 'hint' has dense conditioners and takes vectors, but %s is %" PRId64
           " channels of %" PRId64 " x %" PRId64 " x %" PRId64 "; give it as one vector",
           name, shape.c, shape.n[0], shape.n[1], shape.n[2]);
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
  PetscCall(check_vector(flow->spec.x, "x"));
  if (fm_flow_size_y(flow)) PetscCall(check_vector(flow->spec.y, "y"));
  for (int64_t i = 1; i <= flow->spec.depth; i++) PetscCall(add_block(flow, i));
  PetscFunctionReturn(0);
}
