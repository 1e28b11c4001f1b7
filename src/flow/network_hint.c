/* The conditional HINT network, on vectors with dense and on images with 3x3 convolutional
   conditioners. At the model's end of x there may be a linear layer; then both lanes of images
   are squeezed. The blocks are shared out over `scales`: before each further scale half of the
   channels leave for z as they are and the others are squeezed again (the details go, the
   averages stay: no checkerboards). Source of the scales: Dinh et al. 2017, section 3.6. A
   block, in normalizing order:

       x: actnorm, householder ------------- hint ---- conditional --> next block
                                                        |  y' = y here
       y: actnorm, householder -------------------------+-- hint ----> next block

   Without a y there is no y lane and no conditional layer. */
#include "flow/flow_impl.h"

static PetscErrorCode squeeze(fm_flow *flow, const char *what, int64_t number) {
  char block[FM_NAME_MAX];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(block, sizeof(block), "%s%" PRId64, what, number));
  PetscCall(fm_flow_add(flow, block, FM_LANE_X, "haar"));
  if (fm_flow_size_y(flow)) PetscCall(fm_flow_add(flow, block, FM_LANE_Y, "haar"));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(fm_flow *flow) {
  const char *linear = flow->spec.linear;

  PetscFunctionBegin;
  if (linear[0] && strcmp(linear, "none"))
    PetscCall(fm_flow_add(flow, "model", FM_LANE_X, linear));
  for (int64_t i = 1; i <= flow->spec.squeezes; i++) PetscCall(squeeze(flow, "squeeze", i));
  PetscFunctionReturn(0);
}

/* The scale that block `number` (from 1) belongs to, from 1. */
static int64_t scale_of(const fm_flow_spec *spec, int64_t number) {
  return 1 + (number - 1) * spec->scales / spec->depth;
}

static PetscErrorCode begin_scale(fm_flow *flow, int64_t scale) {
  PetscFunctionBegin;
  PetscCall(fm_flow_split(flow));
  PetscCall(squeeze(flow, "scale", scale));
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
  const fm_flow_spec *spec = &flow->spec;

  PetscFunctionBegin;
  PetscCall(begin(flow));
  PetscCall(check_channels(flow));
  for (int64_t i = 1; i <= spec->depth; i++) {
    if (i > 1 && scale_of(spec, i) > scale_of(spec, i - 1))
      PetscCall(begin_scale(flow, scale_of(spec, i)));
    PetscCall(add_block(flow, i));
  }
  PetscFunctionReturn(0);
}
