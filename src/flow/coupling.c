/* Plain affine coupling: the second half of a lane's channels is scaled and shifted, given the
   first. */
#include "flow/affine.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const int64_t n = layer->shape.c, half = n / 2;
  fm_affine_list *list;

  PetscFunctionBegin;
  PetscCall(fm_affine_list_new(layer, 1));
  list = layer->data;
  list->count = 1;
  PetscCall(fm_affine_build(&list->affine[0], flow, layer, "", 0, half, half, n - half));
  PetscFunctionReturn(0);
}

const fm_layer_ops fm_layer_coupling = {
    .build = build,
    .keep = fm_affine_list_keep,
    .work = fm_affine_list_work,
    .flop = fm_affine_list_flop,
    .apply = fm_affine_list_apply,
    .vjp = fm_affine_list_vjp,
};
