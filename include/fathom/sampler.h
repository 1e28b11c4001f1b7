/* fm_sampler - Hamiltonian Monte Carlo on the energies of a posterior: chains of draws whose
   law is the posterior itself, whatever a flow makes of it.

   A chain moves q in R^n by the leapfrog method for H(q, r) = U(q) + |r|^2/2, with diagonal
   scales s (the square roots of the inverse mass matrix):

       r <- r - e/2 s grad U(q);   q <- q + e s r;   r <- r - e/2 s grad U(q)

   and accepts where it ends with probability min(1, exp(H(before) - H(after))). In its warm-up
   it finds e by dual averaging and s from its own draws, in windows that double as Stan's do.
   Source: R. Neal, "MCMC using Hamiltonian dynamics" (2011); M. Hoffman and A. Gelman, JMLR 15
   (2014), section 3.2; Stan reference manual, "HMC algorithm parameters".

   Every random number is named by (seed, iteration, chain): nothing depends on who runs a
   chain. */
#ifndef FATHOM_SAMPLER_H
#define FATHOM_SAMPLER_H

#include "fathom/store.h"
#include "fathom/target.h"
#include "fathom/transport.h"
#include "fathom/tilt.h"

/* ---- what is sampled ---- */

/* U(q) = -log density and its gradient, and x, what a draw is recorded as. */
typedef struct fm_potential {
  int64_t n;
  void *context;
  /* value, gradient [n] and x [n] at q [n]; *ok false: not finite or not solved, the rest has
     no meaning. Collective on the space communicator. */
  PetscErrorCode (*evaluate)(void *context, fm_key key, const double *q, double *value,
                             double *gradient, fm_real *x, PetscBool *ok);
  /* a start for chain `chain`, the how many-th attempt; q [n]. NULL: N(0, I). */
  PetscErrorCode (*start)(void *context, uint64_t seed, int64_t chain, int64_t attempt,
                          double *q);
  double *scale;  /* [n] first scales s; NULL: ones */
  double *centre; /* [n] a centre of each unknown's range; NULL: not known */
} fm_potential;

/* fm_potential_of_target - U(x) = -log p(x, y), started from draws of the prior; with a
   transport U(z) = -log p(T(z), y) - log|det dT/dz| and x = T(z), started from N(0, I): the
   same posterior in the flow's latent space. All borrowed.
   Collective on world. Cost of an evaluation: one F and one F'^T a part; with a transport about
   four passes of the flow besides. Destroy with fm_potential_destroy. */
PetscErrorCode fm_potential_of_target(fm_target *target, fm_transport *transport,
                                      const fm_real *theta, fm_potential **potential);
PetscErrorCode fm_potential_destroy(fm_potential **potential);

/* ---- one chain ---- */

typedef struct fm_hmc {
  uint64_t seed;
  int64_t warmup;       /* iterations that adapt and are not kept */
  int64_t tilt;         /* then: iterations that learn a tilt; 0: none */
  double target_accept; /* mean acceptance that the step size is made for */
  double trajectory;    /* mean length e L of a trajectory, in scales s */
  double jitter;        /* it is uniform in [1 - jitter, 1 + jitter] times the mean */
  int64_t leapfrogs;    /* mean number L of steps instead; 0: from the length */
  int64_t most;         /* steps a trajectory may have */
} fm_hmc;

/* Numbers of a chain besides its vectors; counts are exact in double. */
enum {
  FM_CHAIN_VALUE,       /* U(q) */
  FM_CHAIN_STEP,        /* e */
  FM_CHAIN_MU,          /* dual averaging: log of what e is drawn to */
  FM_CHAIN_STATISTIC,   /* its running mean of (target - acceptance) */
  FM_CHAIN_LOG_AVERAGE, /* and of log e */
  FM_CHAIN_ADAPTED,     /* steps since its start */
  FM_CHAIN_WINDOW,      /* draws in the window of the scales */
  FM_CHAIN_ACCEPTANCE,  /* sum over kept iterations of the acceptance probability */
  FM_CHAIN_LEAPFROGS,   /* steps of kept iterations */
  FM_CHAIN_DIVERGENCES, /* among kept iterations */
  FM_CHAIN_UNSETTLED,   /* divergences of the warm-up */
  FM_CHAIN_SCALARS
};
enum {
  FM_CHAIN_Q,
  FM_CHAIN_GRADIENT,
  FM_CHAIN_X,
  FM_CHAIN_SCALE,
  FM_CHAIN_MEAN,   /* of the window's draws, running */
  FM_CHAIN_SQUARE, /* sum of their squared deviations */
  FM_CHAIN_VECTORS
};

typedef struct fm_chain {
  int64_t n, index;    /* index: names its random numbers */
  int64_t size;        /* of state */
  double *state;       /* owned: FM_CHAIN_SCALARS numbers, FM_CHAIN_VECTORS vectors [n],
                                  and with a tilt two numbers a component */
  double *learnt;      /* the latter: what the chain has to say of them; NULL: none */
  const fm_tilt *tilt; /* borrowed, shared by all chains; NULL: none */
  PetscBool tilted;    /* it acts */
  double *work;        /* owned, q, r, gradient and force of a trajectory */
  fm_real *x;          /* owned, [n] */
} fm_chain;

/* fm_chain_create - tilt NULL: none. */
PetscErrorCode fm_chain_create(int64_t n, int64_t index, const fm_tilt *tilt, fm_chain *chain);
PetscErrorCode fm_chain_destroy(fm_chain *chain);
double *fm_chain_vector(const fm_chain *chain, int vector);
double *fm_chain_scalars(const fm_chain *chain);

/* fm_chain_start - draw a start of finite U, and a first step size; *ok false: none of 100
   starts is finite, or no step size keeps H.
   Collective on the space communicator. */
PetscErrorCode fm_chain_start(fm_chain *chain, const fm_hmc *hmc, fm_potential *potential,
                              PetscBool *ok);

/* fm_chain_iterate - one trajectory and its Metropolis test; adapts while iteration <
   hmc->warmup. A trajectory that fails, is not finite or whose H rises by more than 1000 is a
   rejection and counts as divergent. Collective on the space communicator.
   Cost: an evaluation a leapfrog step, some more where a window of the scales ends. */
PetscErrorCode fm_chain_iterate(fm_chain *chain, const fm_hmc *hmc, fm_potential *potential,
                                int64_t iteration);

/* fm_chain_leapfrog - `count` steps of size e from (q, r) with the gradient at q, in place;
   value: of q, then of the end. Stops at the first point that is not finite or where H exceeds
   `limit`: *ok false.
   q, r, gradient  inout  [n]
   value           inout */
PetscErrorCode fm_chain_leapfrog(fm_chain *chain, fm_potential *potential, fm_key key,
                                 double step, int64_t count, double limit, double *q, double *r,
                                 double *gradient, double *value, PetscBool *ok);

/* fm_chain_log_weight - of the chain's draw for the posterior itself; 0 without a
   tilt. */
double fm_chain_log_weight(const fm_chain *chain);

/* fm_hmc_tilted - the first iteration that a tilt acts on: after the warm-up and a tenth of
   those that learn it. INT64_MAX: none. */
int64_t fm_hmc_tilted(const fm_hmc *hmc);

/* fm_hmc_window - what the warm-up does with the draw of an iteration: *collect: it goes into
   the window; *close: the window ends with it and gives new scales. */
void fm_hmc_window(int64_t warmup, int64_t iteration, PetscBool *collect, PetscBool *close);

/* ---- many chains ---- */

/* Named inputs; all borrowed. */
typedef struct fm_sampler_inputs {
  const fm_comm *comm;
  fm_potential *potential;
  fm_operator *op; /* whose ledger is kept; NULL: none */
  fm_hmc hmc;
  int64_t chains, iterations, thin; /* draws kept a chain, one every `thin` iterations */
  const char *settings, *operator_text;
} fm_sampler_inputs;

typedef struct fm_sampler {
  fm_sampler_inputs in;
  int64_t n, first, count; /* my chains: contiguous blocks in rank order */
  fm_chain *chain;         /* owned, [count] */
  int64_t iteration;       /* made, warm-up included */
  int64_t kept;            /* draws a chain */
  fm_real *x;              /* owned, [count][iterations][n] */
  double *energy;          /* owned, [count][iterations]: U at the draws */
  double *log_weight;      /* owned, [count][iterations], 0 without a tilt */
  fm_tilt *tilt;           /* owned, the same on every rank; NULL: none */
  int64_t ledger[6];       /* useful F J J^T, diagnostic F J J^T: the whole run, all ranks */
  int64_t ledger_spent[3]; /* repeats after a kill included */
  int64_t before[6], spent_before[3]; /* of earlier jobs */
  int64_t mine[2],
      all[2]; /* words of this rank for the next count, and their sums over the ranks:
                              the wish to end, milliseconds of the last iterations */
} fm_sampler;

/* fm_sampler_create - share the chains over the sample ranks. Collective on world. */
PetscErrorCode fm_sampler_create(const fm_sampler_inputs *inputs, fm_sampler **sampler);
PetscErrorCode fm_sampler_destroy(fm_sampler **sampler);

int64_t fm_sampler_total(const fm_sampler *sampler); /* iterations, warm-up included */

/* fm_sampler_start - start all chains: of a run that is not resumed. Collective on world. */
PetscErrorCode fm_sampler_start(fm_sampler *sampler);
/* fm_sampler_run - `count` iterations of all chains, then the ledger over all ranks.
   Collective on world. */
PetscErrorCode fm_sampler_run(fm_sampler *sampler, int64_t count);

/* fm_sampler_sum - a scalar (FM_CHAIN_...) summed over all chains in their order, the same on
   every rank. Collective on the sample communicator. */
PetscErrorCode fm_sampler_sum(const fm_sampler *sampler, int scalar, double *sum);

/* fm_sampler_column - unknown i (n: the energy, n + 1: the log weight) of all chains on rank
   `root` of the sample communicator, [chains][kept]; elsewhere column is not touched.
   Collective on it. */
PetscErrorCode fm_sampler_column(const fm_sampler *sampler, int64_t i, PetscMPIInt root,
                                 double *column);
/* fm_sampler_gather_x - all draws [chains][kept][n] on rank 0 of the sample communicator, to be
   freed with PetscFree; NULL elsewhere. Collective on it. */
PetscErrorCode fm_sampler_gather_x(const fm_sampler *sampler, fm_real **x);

/* fm_sampler_save - everything that a continuation needs, and the draws, to PATH by rank 0,
   atomically; what becomes of the files there `keep` says (store.h). Collective on world. */
PetscErrorCode fm_sampler_save(const fm_sampler *sampler, const char *path,
                               const fm_keep *keep);
/* fm_sampler_resume - for an identical continuation on any number of ranks; more iterations may
   be asked for. Refuses other settings of the method, and a posterior that is another one: U at
   the saved points is evaluated anew (diagnostic solves). Collective on world. */
PetscErrorCode fm_sampler_resume(fm_sampler *sampler, const char *path);

#endif
