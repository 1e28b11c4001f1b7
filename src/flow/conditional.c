/* All of x, given y: z_x = S(y) x + T(y). With one y for the whole batch the conditioner runs
   once. */
#include "flow/affine.h"

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const fm_shape x = layer->shape, y = layer->y;

  PetscFunctionBegin;
  fm_check(x.n[0] == y.n[0] && x.n[1] == y.n[1] && x.n[2] == y.n[2], PETSC_COMM_SELF,
           PETSC_ERR_ARG_SIZ,
           "a flow of images sees a y of the same pixels, but x is %" PRId64 " x %" PRId64
           " x %" PRId64 " and y is %" PRId64 " x %" PRId64 " x %" PRId64,
           x.n[0], x.n[1], x.n[2], y.n[0], y.n[1], y.n[2]);
  PetscCall(PetscCalloc(sizeof(fm_affine), &layer->data));
  PetscCall(fm_affine_build(layer->data, flow, layer, "", 0, y.c, 0, x.c));
  PetscFunctionReturn(0);
}

static int64_t keep(const fm_layer *layer, int64_t nb) {
  return fm_affine_keep(layer->data, nb);
}

static int64_t work(const fm_layer *layer, int64_t nb) {
  return fm_affine_work(layer->data, nb);
}

static double flop(const fm_layer *layer) { return fm_affine_flop(layer->data); }

static fm_rows all(const fm_layer *layer, const fm_pass *pass, fm_real *v) {
  return (fm_rows){v, pass->nb, layer->size};
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  fm_affine_apply(layer->data, pass, pass->kept, pass->y, all(layer, pass, v), logdet);
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  fm_affine_vjp(layer->data, pass, pass->kept, pass->y, pass->y_bar, all(layer, pass, v),
                all(layer, pass, v_bar), logdet_bar);
}

const fm_layer_ops fm_layer_conditional = {.reads_y = PETSC_TRUE,
                                           .build = build,
                                           .keep = keep,
                                           .work = work,
                                           .flop = flop,
                                           .apply = apply,
                                           .vjp = vjp};
