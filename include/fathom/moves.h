/* fm_moves - samples of a flow moved on to the posterior itself: every sample is the start of a
   short chain of Hamiltonian Monte Carlo of its own in the flow's latent space, where the
   posterior is nearly N(0, I) and a trajectory of a quarter period makes a nearly independent
   draw. What a flow by reverse KL gets wrong, stds that are too small above all, is forgotten
   from move to move, and the samples stay independent of each other.

   A round moves all samples by a trajectory e L = length (1 +- 0.2) with one step e:

       r <- r - e/2 grad U(z);   z <- z + e r;   r <- r - e/2 grad U(z),   L times
       accepted with probability min(1, exp(H(before) - H(after)))

   The mean acceptance a of a round gives the e of the next one: for a quarter period of a
   Gaussian in many unknowns a = 2 Phi(-s/2) with s, the spread of H, as e^2. The first e is
   2 n^(-1/4).
   Source: R. Neal, "MCMC using Hamiltonian dynamics" (2011); A. Beskos et al., Bernoulli 19
   (2013), for a and s; M. Parno and Y. Marzouk, SIAM/ASA J. UQ 6 (2018), for moves behind a
   map.

   Every random number is named by (seed, round, sample) and sums are exact: the same bits on
   any number of ranks, and after a stop. */
#ifndef FATHOM_MOVES_H
#define FATHOM_MOVES_H

#include "fathom/sampler.h"

typedef struct fm_moves_inputs {
  const fm_comm *comm;     /* borrowed */
  fm_potential *potential; /* borrowed: U in latent space */
  uint64_t seed;
  double trajectory;    /* mean length e L; pi/2: a quarter period */
  double target;        /* mean acceptance that e is made for, in (0, 1) */
  int64_t total;        /* samples of all ranks */
  int64_t first, count; /* mine: [first, first + count) */
} fm_moves_inputs;

typedef struct fm_moves {
  fm_moves_inputs in;
  int64_t n, round;     /* unknowns; rounds that all samples have made */
  double step;          /* of this round */
  double acceptance;    /* mean of the last round; NaN: none was made */
  int64_t leapfrogs;    /* steps of all samples and rounds */
  int64_t solves[2];    /* the caller's to count: F, F'^T of all jobs; kept in the file */
  double *z, *gradient; /* owned, [count][n]; gradient of U */
  double *value;        /* owned, [count]: U; infinite: its start could not be evaluated */
  double *begin;        /* owned, [count]: U at the start */
  double *before;       /* owned, [count]: U before the last move */
  double *made;         /* owned, [count]: moves of a sample, round or round + 1 */
  double *accepted;     /* owned, [count]: acceptance of its last move */
  double *leaps;        /* owned, [count]: and its leapfrog steps */
  fm_real *x;           /* owned, [count][n]: the samples in the user's units */
  fm_chain chain;       /* owned: the one that moves */
} fm_moves;

/* What all samples tell; the same on every rank. */
typedef struct fm_moved {
  int64_t failed;       /* starts that could not be evaluated: they stay where they are */
  double change, se;    /* mean of U now less U at the start, and its standard error, nats */
  double last, last_se; /* the same of the last round */
  double latent;        /* mean |z|^2 / n now; 1 for an exact flow */
} fm_moved;

/* fm_moves_create - from latents z [count][n]. Collective on world. Cost: an evaluation of U a
   sample. */
PetscErrorCode fm_moves_create(const fm_moves_inputs *inputs, const fm_real *z,
                               fm_moves **moves);
PetscErrorCode fm_moves_destroy(fm_moves **moves);

/* fm_moves_some - move at most `most` of this rank's samples that have not been moved in this
   round; *ended: all of all ranks have been, and the next round begins. Collective on world.
   Cost: about trajectory / e evaluations of U a sample. */
PetscErrorCode fm_moves_some(fm_moves *moves, int64_t most, PetscBool *ended);

/* fm_moves_tell - collective on the sample communicator. */
PetscErrorCode fm_moves_tell(const fm_moves *moves, fm_moved *told);

/* fm_moves_save - what a continuation needs, to PATH: /z, /value, /begin, /before, /made,
   /accepted, /leaps, and as attributes round, step, acceptance, leapfrogs, solves and
   seed. In the middle of a round, too; atomically, with checksums, by rank 0; what becomes of
   the files there `keep` says (store.h). Collective on world. */
PetscErrorCode fm_moves_save(const fm_moves *moves, const char *path, const fm_keep *keep);
/* fm_moves_resume - instead of fm_moves_create: the identical continuation on any number of
   ranks. Refuses (user error) other samples, another seed, and where U is not what it was.
   Collective on world. Cost: as fm_moves_create. */
PetscErrorCode fm_moves_resume(const fm_moves_inputs *inputs, const char *path,
                               fm_moves **moves);

/* fm_moves_same - U of a sample in a file and as it is evaluated now, equal but for rounding:
   the same flow, data, noise, prior and operator. */
PetscBool fm_moves_same(double was, double is);

/* fm_moves_step - the e that has the acceptance `target` where `step` has `acceptance`: at most
   halved, at most 1.4 times as long. */
double fm_moves_step(double step, double acceptance, double target);

#endif
