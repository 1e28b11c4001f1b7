/* The convolutional networks of a flow: one for all conditioners of equal sizes. */
#include "flow/flow_impl.h"

static PetscBool same(const fm_convnet_spec *a, const fm_convnet_spec *b) {
  return a->nin == b->nin && a->hidden == b->hidden && a->nout == b->nout &&
                 a->height == b->height && a->width == b->width &&
                 a->implementation == b->implementation && a->bf16 == b->bf16
             ? PETSC_TRUE
             : PETSC_FALSE;
}

PetscErrorCode fm_flow_convnet(fm_flow *flow, const fm_convnet_spec *spec, fm_convnet **net) {
  fm_convnet **more;

  PetscFunctionBegin;
  for (int64_t i = 0; i < flow->nnet; i++)
    if (same(fm_convnet_get_spec(flow->net[i]), spec)) {
      *net = flow->net[i];
      PetscFunctionReturn(0);
    }
  PetscCall(fm_convnet_create(spec, net));
  PetscCall(fm_calloc(flow->nnet + 1, &more));
  if (flow->nnet) PetscCall(PetscArraycpy(more, flow->net, flow->nnet));
  PetscCall(PetscFree(flow->net));
  flow->net = more;
  flow->net[flow->nnet++] = *net;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_check_nets(const fm_flow *flow) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < flow->nnet; i++) PetscCall(fm_convnet_check(flow->net[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_destroy_nets(fm_flow *flow) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < flow->nnet; i++) PetscCall(fm_convnet_destroy(&flow->net[i]));
  PetscCall(PetscFree(flow->net));
  PetscFunctionReturn(0);
}
