/* A coupling by rational-quadratic splines, the brick of the layers spline and
   spline_conditional. */
#ifndef FATHOM_FLOW_SPLINE_COUPLING_H
#define FATHOM_FLOW_SPLINE_COUPLING_H

#include "flow/conditioner.h"
#include "flow/rational_quadratic.h"

/* target_j <- g_j(target_j), with the splines g_j of raw numbers net(source, y) + b3. */
typedef struct fm_spline {
  fm_conditioner net; /* out [3 bins - 1][width] */
  fm_rq rq;
  int64_t source, nsource; /* columns of the lane that steer */
  int64_t target, width;   /* columns that are transformed */
  int64_t context;         /* numbers of y that steer too */
  int64_t bias;            /* where b3 [3 bins - 1][width] begins in theta */
} fm_spline;

/* A sequence of couplings within one lane, in normalizing order: layer->data. */
typedef struct fm_spline_list {
  int64_t count;
  fm_spline spline[2];
} fm_spline_list;

/* fm_spline_build - the second half given the first, then the first given the new second; with
   `context` numbers of y beside. A lane of one number has one coupling, given y alone. Sets
   layer->data. Fails on bins outside [2, FM_RQ_BINS_MAX] and on a bound that is not
   positive. */
PetscErrorCode fm_spline_build(fm_layer *layer, fm_flow *flow, int64_t context);
int64_t fm_spline_work(const fm_layer *layer, int64_t nb);
void fm_spline_apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet);
void fm_spline_vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                   const fm_real *logdet_bar);

#endif
