/* z = exp(log_scale) x + shift, a number each for `group` neighbouring elements: the layers
   actnorm and elementwise.

   theta holds log_scale [count], then shift [count]; a sample is [count][group]. */
#ifndef FATHOM_FLOW_DIAGONAL_H
#define FATHOM_FLOW_DIAGONAL_H

#include "fathom/layer.h"

typedef struct fm_diagonal {
  int64_t first, count, group;
} fm_diagonal;

PetscErrorCode fm_diagonal_build(fm_layer *layer, fm_flow *flow, int64_t count);
void fm_diagonal_apply(fm_diagonal d, const fm_pass *pass, fm_real *v, fm_real *logdet);
void fm_diagonal_vjp(fm_diagonal d, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                     const fm_real *logdet_bar);

#endif
