/* fm_transport - the flow in the user's units: whitening constants, the flow, and the
   observation it is conditioned on.

       x = mean_x + std_x T(z),   log q(x) = log N(z) - log|det dT/dz| - sum log std_x

   T is the flow T0, or T0(s z + b) where there is a latent correction.

   Whitening is by constants (of the training pairs, or of the prior), never by the sample, and
   is kept in the checkpoint. */
#ifndef FATHOM_TRANSPORT_H
#define FATHOM_TRANSPORT_H

#include "fathom/flow.h"
#include "fathom/latent.h"

/* What is trained: the x lane at a frozen y lane whose values are cached; both at a fixed z_y;
   or two numbers an unknown, the latent correction (latent.h) of a flow that is frozen. */
typedef enum fm_trained {
  FM_TRAIN_XLANE = 0,
  FM_TRAIN_ALL = 1,
  FM_TRAIN_LATENT = 2
} fm_trained;
#define FM_TRAIN_CHOICES "xlane|all|latent"

/* Mean and standard deviation of a number over pairs, and the range that they have
   (typical.h); std 0: not known; low = high: no range. */
typedef struct fm_typical {
  double mean, std, low, high;
  int64_t pairs;      /* that the range is of */
  PetscBool held_out; /* none of them was trained on */
} fm_typical;
enum { FM_TYPICAL_X, FM_TYPICAL_Y, FM_TYPICAL_ENERGY, FM_TYPICALS };

typedef struct fm_transport {
  fm_flow *flow;                           /* owned */
  int64_t n, m;                            /* unknowns, data seen by the y lane (0:
                                                unconditional) */
  double *x_mean, *x_std, *y_mean, *y_std; /* owned, [n] and [m] */
  double x_logstd, y_logstd;               /* sum log std: what whitening adds to -log q */
  double *y;                               /* owned, [m]: the observation, user's units; NULL:
                                                none yet */
  fm_condition *condition;                 /* owned; NULL: none yet */
  fm_trained train;
  fm_real *latent;          /* owned, [2n]: a correction that is kept; NULL: none (latent.h) */
  fm_real *frozen;          /* owned: the flow's weights, where theta is a correction; NULL */
  fm_layout *latent_layout; /* owned: of such a theta */
  /* the prior that the pairs' models are of, and a print by which it is known again; "": not
     known; and what is to be said where another one was refined with (cli/priors.h) */
  char prior[256], prior_print[96], prior_mismatch[256];
  double scale; /* that the pairs' x were divided by (of `patches`); 1 */
  char unit[8]; /* of physical models, which x then are ("m/s"); "": the unknown */
  /* of the pretraining's pairs (typical.h): |z|^2 / n of either lane, -log q(x | y) / n */
  fm_typical typical[FM_TYPICALS];
  PetscBool store; /* -flow_memory store: an apply keeps its activations for the vjp */
  fm_kept *kept;   /* owned; those */
  fm_real *work;   /* micro-batch arrays, grown on demand */
  int64_t nwork;
} fm_transport;

#define FM_MEMORY_CHOICES "auto|recompute|store"

/* fm_transport_create - build the flow; whitening is the identity until it is set. Not
   collective. */
PetscErrorCode fm_transport_create(const fm_flow_spec *spec, fm_transport **transport);
PetscErrorCode fm_transport_destroy(fm_transport **transport);

/* fm_transport_whiten - set the constants (copied); NULL leaves a lane's as they are. A std
   must be positive. */
PetscErrorCode fm_transport_whiten(fm_transport *, const double *x_mean, const double *x_std,
                                   const double *y_mean, const double *y_std);

/* fm_transport_observe - condition on y [m] (user's units): z_y = G_y(y) through theta's y
   lane, once. */
PetscErrorCode fm_transport_observe(fm_transport *, const fm_real *theta, const double *y);
/* fm_transport_sees - whether it is conditioned on this y [m], bit for bit. */
PetscBool fm_transport_sees(const fm_transport *, const double *y);
/* fm_transport_restore - condition on values that a checkpoint kept, bit by bit. y may be NULL.
   */
PetscErrorCode fm_transport_restore(fm_transport *, const double *y, int64_t count,
                                    const fm_real *values);
/* fm_transport_refresh - after theta's y lane moved (-train all): the cached y values anew,
   from the same z_y. */
PetscErrorCode fm_transport_refresh(fm_transport *, const fm_real *theta);

/* fm_transport_layout - the tensors of theta: the flow's, with -train latent the correction's.
 */
const fm_layout *fm_transport_layout(const fm_transport *);
/* fm_transport_weights - the flow's weights, which theta is or, with -train latent, which are
   frozen. Borrowed. */
const fm_real *fm_transport_weights(const fm_transport *, const fm_real *theta);
/* fm_transport_correction - the latent correction that is in force, [2n]; NULL: none.
   Borrowed. */
const fm_real *fm_transport_correction(const fm_transport *, const fm_real *theta);
/* fm_transport_freeze - from now on theta is the latent correction of the flow with these
   weights, which are copied. start [2n]: the correction that was kept so far, else the
   identity. */
PetscErrorCode fm_transport_freeze(fm_transport *, const fm_real *weights, fm_real *start);
/* fm_transport_keep - a latent correction [2n] that stays as it is, copied; NULL: none. */
PetscErrorCode fm_transport_keep(fm_transport *, const fm_real *correction);

/* fm_transport_push - v = T(v) of nb samples in the flow's own (whitened) units, in place;
   logdet [nb] is set. Cost: one pass. */
PetscErrorCode fm_transport_push(fm_transport *, const fm_real *theta, int64_t nb, fm_real *v,
                                 fm_real *logdet);
/* fm_transport_pull - reverse mode of fm_transport_push with frozen weights: bar [nb][n]
   becomes (dT/dz)^T bar + (d logdet/dz)^T logdet_bar.
   x           in    [nb][n] what fm_transport_push returned
   logdet_bar  in    [nb] or NULL
   z           out   [nb][n] what went into the flow, without the correction; may be x
   Cost: about three passes. */
PetscErrorCode fm_transport_pull(fm_transport *, const fm_real *theta, int64_t nb,
                                 const fm_real *x, fm_real *logdet_bar, fm_real *z,
                                 fm_real *bar);

/* fm_transport_generate - x = T(z) in the user's units, through the cached condition; logdet
   [nb] includes sum log std_x. */
PetscErrorCode fm_transport_generate(fm_transport *, const fm_real *theta, int64_t nb,
                                     const fm_real *z, fm_real *x, fm_real *logdet);

/* fm_transport_score - log q(x) [nb] and, where score is not NULL, its gradient in x [nb][n]; x
   in the user's units.
   An unconditional transport needs no observation. Cost: one pass, three more with the score.
   */
PetscErrorCode fm_transport_score(fm_transport *, const fm_real *theta, int64_t nb,
                                  const fm_real *x, fm_real *logq, fm_real *score);

/* fm_transport_whiten_lanes - pairs in the user's units to the flow's, in place; y NULL: x
   alone. */
void fm_transport_whiten_lanes(const fm_transport *, int64_t nb, fm_real *x, fm_real *y);
void fm_transport_unwhiten(const fm_transport *, int64_t nb, fm_real *x);

/* fm_transport_lanes - the lanes of nb samples for training: x, and z_y repeated in y [nb][m]
   when -train all moves the y lane,
   else the cached condition. */
fm_lanes fm_transport_lanes(const fm_transport *, int64_t nb, fm_real *x, fm_real *y);

/* fm_transport_kept - for the out lanes of a training pass: memory that stores its activations,
   NULL where they are recomputed. Owned by the transport. */
PetscErrorCode fm_transport_kept(fm_transport *, fm_kept **kept);

/* fm_transport_block - samples that are worth going through the flow together; 128 of up to 512
   unknowns, fewer of more. */
int64_t fm_transport_block(const fm_transport *);

/* fm_transport_start_samples - of `total` (0: any number), how many the data-dependent start
   takes: up to 1024 vectors, fewer images, whose pixels count. */
int64_t fm_transport_start_samples(const fm_transport *, int64_t total);

/* log N(z; 0, I) of one sample. */
double fm_log_normal(int64_t n, const fm_real *z);

#endif
