/* The linear networks: one layer on x. A y in the spec is accepted and stays what it is: z_y =
   y, logdet 0. */
#include "flow/flow_impl.h"

PetscErrorCode fm_network_triangular(fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_flow_add(flow, "", FM_LANE_X, "triangular"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_network_elementwise(fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_flow_add(flow, "", FM_LANE_X, "elementwise"));
  PetscFunctionReturn(0);
}
