/* One affine coupling, the brick of the layers coupling, hint and conditional. */
#ifndef FATHOM_FLOW_AFFINE_H
#define FATHOM_FLOW_AFFINE_H

#include "flow/conditioner.h"
#include "flow/kernels.h"

/* target <- S(source) target + T(source); generating: (target - T) / S. */
typedef struct fm_affine {
  fm_conditioner net;     /* out = (raw, T); S = fm_scale(raw) */
  int64_t source, target; /* the columns where they begin, pixels counted */
  int64_t width;          /* columns of the target */
  fm_scaling scaling;     /* OFFICIAL: all of out passes a ReLU */
} fm_affine;

/* fm_affine_build - nin channels from `source` on scale and shift `width` channels from
   `target` on. */
PetscErrorCode fm_affine_build(fm_affine *affine, fm_flow *flow, fm_layer *layer,
                               const char *prefix, int64_t source, int64_t nin, int64_t target,
                               int64_t width);
int64_t fm_affine_keep(const fm_affine *affine, int64_t nb);
int64_t fm_affine_work(const fm_affine *affine, int64_t nb); /* keep included */
double fm_affine_flop(const fm_affine *affine);              /* of one row's apply */

/* fm_affine_apply - v [nb][stride] holds the target; `in` the source: nb rows, or one for all.
   kept: fm_affine_keep numbers for the vjp to come, or NULL. */
void fm_affine_apply(const fm_affine *affine, const fm_pass *pass, fm_real *kept, fm_rows in,
                     fm_rows v, fm_real *logdet);
/* fm_affine_vjp - the rules of method.md 1.5: v and v_bar are overwritten, in_bar (p NULL: not
   wanted) is added to. */
void fm_affine_vjp(const fm_affine *affine, const fm_pass *pass, fm_real *kept, fm_rows in,
                   fm_rows in_bar, fm_rows v, fm_rows v_bar, const fm_real *logdet_bar);

/* A sequence of couplings within one lane, in normalizing order: layer->data of coupling and
   hint. */
typedef struct fm_affine_list {
  int64_t count;
  fm_affine affine[];
} fm_affine_list;

/* fm_affine_list_new - layer->data for that many couplings, none yet. */
PetscErrorCode fm_affine_list_new(fm_layer *layer, int64_t count);
int64_t fm_affine_list_keep(const fm_layer *layer, int64_t nb);
int64_t fm_affine_list_work(const fm_layer *layer, int64_t nb);
double fm_affine_list_flop(const fm_layer *layer);
void fm_affine_list_apply(const fm_layer *layer, const fm_pass *pass, fm_real *v,
                          fm_real *logdet);
void fm_affine_list_vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                        const fm_real *logdet_bar);

#endif
