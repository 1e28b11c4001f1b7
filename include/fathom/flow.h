/* fm_flow - a shape of computation: an invertible map between (x, y) and (z_x, z_y). A flow
   holds no numbers:
   theta and theta_bar are arguments.

       normalize   z_x = G_x(x, y),  z_y = G_y(y)        generate   x = G_x^-1(z_x; z_y),  y =
       G_y^-1(z_y)

   The Jacobian is block triangular: log q(x | y) needs the log-determinant of the x lane only.
   Backward passes rebuild the input
   by inverting each layer, so memory does not grow with depth. Source: Kruse et al. 2021
   (HINT); Siahkoohi et al. 2021.

   Not collective: a flow is local arithmetic. Arrays are sample-major: x is
   [nb][c][n0][n1][n2], contiguous. */
#ifndef FATHOM_FLOW_H
#define FATHOM_FLOW_H

#include "fathom/layout.h"
#include "fathom/rng.h"

typedef struct fm_flow fm_flow;
typedef struct fm_condition fm_condition;
typedef struct fm_kept fm_kept;

typedef enum fm_direction { FM_NORMALIZE = 0, FM_GENERATE = 1 } fm_direction;

/* Two lanes of a batch. A NULL y means: no y lane is computed; then either the flow is
   unconditional (y of size 0) or
   `condition` carries the per-layer y values of one observation, shared by the whole batch. */
typedef struct fm_lanes {
  fm_real *x, *y;
  const fm_condition *condition;
  fm_kept *kept; /* of the `out` of an apply and of its vjp: activations stored; NULL: none */
} fm_lanes;

/* Log-determinants (or their cotangents) of the two lanes, [nb] each; NULL: not wanted (as a
   cotangent: zero). */
typedef struct fm_logdet {
  fm_real *x, *y;
} fm_logdet;

#define FM_LINEAR_CHOICES "none|elementwise|triangular"
#define FM_PRECISION_CHOICES "full|bf16"

/* What a flow is built from; it goes into the checkpoint whole. */
typedef struct fm_flow_spec {
  char network[32];      /* a line of networks.def: hint | spline | triangular | elementwise */
  char variant[32];      /* scales: default | official | bounded (kernels.h) */
  int64_t depth, hidden; /* blocks; width of a conditioner's hidden layers */
  int64_t bins;          /* of a spline (8) */
  double bound;          /* a spline is the identity outside [-bound, bound] (4) */
  int64_t reflections;   /* trainable Householder reflections a block and lane (3) */
  int64_t squeezes;      /* Haar squeezes of images before the first block (0) */
  int64_t scales;        /* of images: half the channels leave after each scale's blocks (1) */
  char linear[16];       /* layer at the model's end of x: a name of FM_LINEAR_CHOICES */
  PetscBool bf16;        /* convolutional conditioners round what they read to bfloat16 */
  fm_shape x, y;         /* y of size 0: unconditional */
} fm_flow_spec;

/* fm_flow_create - build the network that `spec` describes. Fails on an unknown network (names
   the known ones), a size below 1. */
PetscErrorCode fm_flow_create(const fm_flow_spec *spec, fm_flow **flow);
PetscErrorCode fm_flow_destroy(fm_flow **flow);

const fm_flow_spec *fm_flow_get_spec(const fm_flow *flow);
const fm_layout *fm_flow_layout(const fm_flow *flow); /* borrowed; its size is that of theta */

/* fm_flow_initialize - random starting weights, named by (rng, tensor): the same on every rank.
   Overwrites theta. */
PetscErrorCode fm_flow_initialize(const fm_flow *flow, fm_rng rng, fm_real *theta);

/* fm_flow_start - data-dependent start of the ActNorm layers, in the order of `direction`:
   after
   it a layer's outputs over this batch have mean 0 and std 1 a channel (a channel without
   variance
   gets scale 1). Where in.y is NULL the y lane keeps its identity start, and the x lane sees
   in.condition or, without one, a y of zeros. in is not changed. */
PetscErrorCode fm_flow_start(const fm_flow *flow, fm_real *theta, fm_direction direction,
                             int64_t nb, fm_lanes in);

/* fm_flow_apply - out = G(in) or G^-1(in); logdet of that direction's Jacobian, a sample [nb] a
   lane, is SET.

   in, out   x always; y and condition as fm_lanes says; out may equal in. With a condition only
   the x lane is computed.
   Cost: one pass; scratch lives in the flow and is reused (so one flow must not be applied by
   two threads at once). */
PetscErrorCode fm_flow_apply(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                             int64_t nb, fm_lanes in, fm_lanes out, fm_logdet logdet);

/* fm_flow_vjp - reverse mode of fm_flow_apply: for a scalar L,
       in_bar = (d out / d in)^T out_bar + (d logdet / d in)^T logdet_bar,   theta_bar += the
       same with respect to theta.

   out         in    what fm_flow_apply returned for that direction
   out_bar     in    dL/dout; a NULL out_bar.y counts as zero when a y lane is computed
   logdet_bar  in    dL/dlogdet a lane, [nb] each or NULL
   in          out   the rebuilt input (may equal out)
   in_bar      out   dL/din (may equal out_bar); in_bar.y may be NULL: not wanted
   theta_bar   added to; NULL: frozen (and no weight gradient is computed)
   Cost: about three passes. */
PetscErrorCode fm_flow_vjp(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                           int64_t nb, fm_lanes out, fm_lanes out_bar, fm_logdet logdet_bar,
                           fm_lanes in, fm_lanes in_bar, fm_real *theta_bar);

/* fm_kept_create - memory for what one apply leaves to its vjp: with out.kept the conditioners'
   activations are stored by fm_flow_apply and taken up by fm_flow_vjp, whose cost falls to
   about two passes; the memory grows with the depth. Same numbers to rounding, for the rebuilt
   input is the stored one's. The vjp must be at the last apply's samples, with its flow, theta
   and lanes; it may be of the other direction too, for conditioners see the same either way.
   The caller destroys it. */
PetscErrorCode fm_kept_create(const fm_flow *flow, fm_kept **kept);
PetscErrorCode fm_kept_destroy(fm_kept **kept);
int64_t fm_kept_bytes(const fm_kept *kept); /* taken so far */

/* fm_flow_condition - push one observation y [size of y] once through the y lane and keep z_y
   and the y value that each layer of the
   x lane sees. With it the y lane is frozen: fm_lanes.condition. The caller destroys it. */
PetscErrorCode fm_flow_condition(const fm_flow *flow, const fm_real *theta, const fm_real *y,
                                 fm_condition **condition);
/* fm_condition_from_latent - the same from z_y, by generating; and the y lane's y is not
   needed. */
PetscErrorCode fm_condition_from_latent(const fm_flow *flow, const fm_real *theta,
                                        const fm_real *z_y, fm_condition **condition);
PetscErrorCode fm_condition_destroy(fm_condition **condition);
const fm_real *fm_condition_latent(const fm_condition *condition); /* z_y, borrowed */
/* All numbers of a condition as one flat array (z_y first), so that a checkpoint keeps and
   restores the very bits. */
const fm_real *fm_condition_values(const fm_condition *condition, int64_t *count);
PetscErrorCode fm_condition_restore(const fm_flow *flow, int64_t count, const fm_real *values,
                                    fm_condition **condition);

/* fm_flow_visit_layers - one call a layer in normalizing order. For `inspect`. */
typedef struct fm_layer_facts {
  const char *name, *kind;
  fm_lane lane;
  fm_shape shape; /* of what it transforms, before it */
  int64_t nparameter;
  double flop; /* of one sample's apply, a multiply-add counted as two */
} fm_layer_facts;
typedef PetscErrorCode (*fm_layer_visitor)(const fm_layer_facts *layer, void *context);
PetscErrorCode fm_flow_visit_layers(const fm_flow *flow, fm_layer_visitor visit, void *context);

#endif
