/* Recursive affine coupling. With a the first half of x's channels and b the second:

       d <= 4    z_a = a          z_b = S(a) b + T(a)
       else      z_a = HINT(a)    z_b = S(a) HINT(b) + T(a),    S and T of the ORIGINAL a

   Written out it is a sequence of plain couplings: those of b, this one, those of a; generating
   runs it backwards. Each branch has its own conditioner, named hint.w1, hint.a.w1,
   hint.b.a.w1, ... Source: Kruse, Detommaso, Koethe and Scheichl (2021), "HINT". */
#include "flow/affine.h"

enum { LEAF = 4 };

static int64_t couplings(int64_t d) {
  return d <= LEAF ? 1 : 1 + couplings(d / 2) + couplings(d - d / 2);
}

static PetscErrorCode split(fm_layer *layer, fm_flow *flow, const char *prefix, int64_t first,
                            int64_t d) {
  const int64_t half = d / 2;
  fm_affine_list *list = layer->data;
  char branch[FM_NAME_MAX];

  PetscFunctionBegin;
  if (d > LEAF) {
    PetscCall(PetscSNPrintf(branch, sizeof(branch), "%sb.", prefix));
    PetscCall(split(layer, flow, branch, first + half, d - half));
  }
  PetscCall(fm_affine_build(&list->affine[list->count++], flow, layer, prefix, first, half,
                            first + half, d - half));
  if (d > LEAF) {
    PetscCall(PetscSNPrintf(branch, sizeof(branch), "%sa.", prefix));
    PetscCall(split(layer, flow, branch, first, half));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  PetscFunctionBegin;
  PetscCall(fm_affine_list_new(layer, couplings(layer->shape.c)));
  PetscCall(split(layer, flow, "", 0, layer->shape.c));
  PetscFunctionReturn(0);
}

const fm_layer_ops fm_layer_hint = {
    .build = build,
    .keep = fm_affine_list_keep,
    .work = fm_affine_list_work,
    .flop = fm_affine_list_flop,
    .apply = fm_affine_list_apply,
    .vjp = fm_affine_list_vjp,
};
