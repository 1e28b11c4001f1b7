/* Plain affine coupling: the second half of a lane is scaled and shifted, given the first. */
#include "flow/affine.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const int64_t half = layer->size / 2;
  fm_affine_list *list;

  PetscFunctionBegin;
  PetscCall(PetscCalloc(sizeof(*list) + sizeof(list->affine[0]), &list));
  layer->data = list;
  list->count = 1;
  PetscCall(
      fm_affine_build(&list->affine[0], flow, layer, "", 0, half, half, layer->size - half));
  PetscFunctionReturn(0);
}

const fm_layer_ops fm_layer_coupling = {
    .build = build,
    .work = fm_affine_list_work,
    .apply = fm_affine_list_apply,
    .vjp = fm_affine_list_vjp,
};
