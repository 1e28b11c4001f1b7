/* The inside of a flow, for the files of this folder. */
#ifndef FATHOM_FLOW_IMPL_H
#define FATHOM_FLOW_IMPL_H

#include "fathom/layer.h"
#include "flow/convnet.h"

/* Scratch memory: grown before use, kept until the flow goes. */
typedef struct fm_scratch {
  fm_real *p;
  int64_t size;
} fm_scratch;

struct fm_flow {
  fm_flow_spec spec;
  fm_layout *layout;
  fm_layer **layer;  /* in normalizing order */
  double *deviation; /* of the starting numbers, a tensor */
  int64_t nlayer, layer_capacity, ntensor_capacity;
  int64_t nreader;            /* layers that read y */
  fm_shape now[2];            /* of the lanes after the last layer, in normalizing order */
  fm_scratch *scratch, *part; /* part: of the lanes, where a layer has part of them alone */
  fm_convnet **net;           /* one for all conditioners of equal sizes */
  int64_t nnet;
  int splits; /* layers that have part of a lane exist */
};

/* What the layers of a pass leave for its vjp: a block a layer, in the order of the flow. */
struct fm_kept {
  fm_scratch block;
  int64_t *first; /* [nlayer], in normalizing order */
  const fm_flow *flow;
  int64_t nb; /* 0: nothing is kept */
  int with_y;
};

/* fm_kept_begin - make room for an apply; fm_kept_check - is this a vjp between the same
   points? */
PetscErrorCode fm_kept_begin(fm_kept *kept, const fm_flow *flow, int64_t nb, int with_y);
PetscErrorCode fm_kept_check(const fm_kept *kept, const fm_flow *flow, int64_t nb, int with_y);

struct fm_condition {
  int64_t size_y, nreader, count;
  fm_real *values; /* z_y [size_y], then [nreader][size_y], what each reader sees */
};

typedef PetscErrorCode (*fm_network)(fm_flow *flow);

static inline int64_t fm_flow_size_x(const fm_flow *flow) {
  return fm_shape_size(flow->spec.x);
}
static inline int64_t fm_flow_size_y(const fm_flow *flow) {
  return fm_shape_size(flow->spec.y);
}

/* fm_scratch_reserve - at least `size` numbers, what was there is lost if they move. */
PetscErrorCode fm_scratch_reserve(fm_scratch *scratch, int64_t size);

/* fm_flow_convnet - the flow's convolutional network of these sizes, made at the first call.
   Borrowed. Fails where fm_convnet_create does. */
PetscErrorCode fm_flow_convnet(fm_flow *flow, const fm_convnet_spec *spec, fm_convnet **net);
/* fm_flow_check_nets - fails where a library call within a pass failed (fm_convnet_check). */
PetscErrorCode fm_flow_check_nets(const fm_flow *flow);
PetscErrorCode fm_flow_destroy_nets(fm_flow *flow);

/* fm_flow_split - from now on layers have the first half of both lanes' channels alone; the
   other half is finished. Fails on a single channel. */
PetscErrorCode fm_flow_split(fm_flow *flow);

/* fm_flow_reserve - scratch for every layer at nb rows, with `extra` more numbers in front of
   it. */
PetscErrorCode fm_flow_reserve(const fm_flow *flow, int64_t nb, int64_t extra, fm_real **p);

/* The step-th layer in the order of `direction`. */
static inline const fm_layer *fm_flow_layer(const fm_flow *flow, fm_direction direction,
                                            int64_t step) {
  return flow->layer[direction == FM_NORMALIZE ? step : flow->nlayer - 1 - step];
}

#endif
