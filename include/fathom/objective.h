/* fm_objective - what a training step adds up: forward KL on pairs (eq. 3) or reverse KL at one
   observation (eq. 2 and 6). */
#ifndef FATHOM_OBJECTIVE_H
#define FATHOM_OBJECTIVE_H

#include "fathom/dataset.h"
#include "fathom/share.h"
#include "fathom/target.h"
#include "fathom/transport.h"

typedef struct fm_objective fm_objective;

/* Terms of a step, summed over samples. */
enum { FM_TERM_OBJECTIVE, FM_TERM_KL, FM_TERM_PART, FM_TERMS = FM_TERM_PART + FM_TARGET_MAX };
enum {
  FM_COUNT_KEPT,
  FM_COUNT_FAILED,
  FM_COUNT_SOLVES,                                      /* FM_SOLVE_KINDS of them */
  FM_COUNT_NO_MODEL = FM_COUNT_SOLVES + FM_SOLVE_KINDS, /* of the failed: x = T(z) not finite */
  FM_COUNT_STOP,                                        /* ranks that wish to end (stop.h) */
  FM_COUNT_SAVE,                                        /* ranks that want a checkpoint */
  FM_COUNT_TROUBLE, /* ranks whose checkpoint was not written */
  FM_COUNT_RECALLED /* solves, F and J^T each, that a journal had: useful, but not made */
};

/* A schedule of temperatures, by which a posterior objective divides the misfit of the
   likelihood: geometric from `first` at step 0 to 1 at step `steps`, 1 from there on; its
   normaliser stays. {0, 0} and first 1: none. What is reported of a flow (J, weights, evidence)
   is of temperature 1; only the steps are tempered. */
typedef struct fm_tempering {
  double first; /* at least 1 */
  int64_t steps;
} fm_tempering;

typedef enum fm_estimator { FM_ESTIMATOR_TOTAL = 0, FM_ESTIMATOR_PATH = 1 } fm_estimator;

/* fm_pairs_create - L = E[ |z_x|^2/2 + |z_y|^2/2 - log|det dG| ] + ((n+m)/2) log 2 pi + sum log
   std, over `nrow` rows of `data`.
   All borrowed. Cost a sample: four passes of the flow, no solve. Source: Siahkoohi et al.
   2021, eq. (3). */
typedef struct fm_pairs_inputs {
  fm_transport *transport;
  fm_dataset *data;
  int64_t nrow;
  const int64_t *row; /* training rows, [nrow] */
  uint64_t seed;
  int64_t batch;
} fm_pairs_inputs;
PetscErrorCode fm_pairs_create(const fm_pairs_inputs *inputs, fm_objective **objective);

/* fm_posterior_create - J = E_z[ -log p(T(z), y) - log|det dT/dz| ]. All borrowed. Cost a
   sample: one F, one F'^T and about four
   passes of the flow (`path`: eight). Source: Siahkoohi et al. 2021, eq. (2) and (6); `path`:
   Roeder et al. 2017. */
typedef struct fm_posterior_inputs {
  fm_transport *transport;
  fm_target *target;
  fm_estimator estimator;
  int64_t latents; /* a fixed set of so many; 0: fresh each step */
  uint64_t seed;
  int64_t batch, steps_per_epoch; /* the latter for fresh latents */
  PetscBool quiet;                /* no warnings of dropped samples */
  const char *out;                /* folder of the run, for those warnings; NULL: none */
  fm_tempering tempering;
} fm_posterior_inputs;
PetscErrorCode fm_posterior_create(const fm_posterior_inputs *inputs, fm_objective **objective);

/* fm_posterior_examine - one sample of a step of a posterior objective as training sees it.
   Collective on the space communicator; the arrays live until the objective is used again. */
typedef struct fm_examined {
  const fm_real *z, *x,
      *x_bar; /* [n] latent, model and gradient of all energies, user's units */
  double logdet, part[FM_TARGET_MAX]; /* of T in the user's units; value of each energy */
  PetscBool ok;                       /* training would keep it */
} fm_examined;
PetscErrorCode fm_posterior_examine(fm_objective *objective, const fm_real *theta, int64_t step,
                                    int64_t sample, fm_examined *examined);

PetscErrorCode fm_objective_destroy(fm_objective **objective);

/* fm_objective_batch - number of samples in the batch of that step (the last of an epoch may be
   short). */
int64_t fm_objective_batch(const fm_objective *objective, int64_t step);
int64_t fm_objective_steps_per_epoch(const fm_objective *objective);
/* fm_objective_temperature - of a step; 1 where it is not tempered. */
double fm_objective_temperature(const fm_objective *objective, int64_t step);
const char *fm_objective_name(const fm_objective *objective); /* "pairs" or "posterior" */

/* fm_objective_start - the data-dependent start of ActNorm from min(1024, N) samples of a
   stream of its own: the same bits on every
   rank, no reduction. */
PetscErrorCode fm_objective_start(fm_objective *objective, fm_real *theta);

/* fm_objective_add - samples [first, first+count) of the batch of `step`: objective terms,
   counts and theta_bar go into the share
   (one contribution). Collective on the space communicator. Samples whose energy or solve
   failed are left out and counted. */
PetscErrorCode fm_objective_add(fm_objective *objective, const fm_real *theta, int64_t step,
                                int64_t first, int64_t count, fm_share *share);

/* fm_pairs_loss - mean NLL over any rows and its standard error, shared over the sample
   communicator. Collective on world.
   nll: joint in nats, the y lane's share of it in *nll_y (may be NULL); all infinite where a
   row's loss is not finite or its square too large for the exact sum (10^7 nats and more). */
PetscErrorCode fm_pairs_loss(const fm_comm *comm, fm_transport *transport, const fm_real *theta,
                             fm_dataset *data, int64_t nrow, const int64_t *row, double *nll,
                             double *nll_se, double *nll_y);

/* ---- to implement one ---- */
typedef struct fm_objective_ops {
  const char *name;
  PetscErrorCode (*start)(fm_objective *, fm_real *theta);
  PetscErrorCode (*add)(fm_objective *, const fm_real *theta, int64_t step, int64_t first,
                        int64_t count, fm_share *);
  PetscErrorCode (*destroy)(fm_objective *);
} fm_objective_ops;

struct fm_objective {
  const fm_objective_ops *ops;
  void *data;
  int64_t total, batch, steps_per_epoch; /* total 0: fresh samples */
  uint32_t data_crc32;                   /* of what is trained on: pairs, or the observation */
  fm_tempering tempering;
  fm_rng shuffle;
  int64_t *order, order_epoch; /* the permutation of one epoch */
};

/* fm_objective_items - which items (pairs, fixed latents) samples [first, first+count) of a
   step are. */
PetscErrorCode fm_objective_items(fm_objective *objective, int64_t step, int64_t first,
                                  int64_t count, int64_t *item);

#endif
