/* shots - which solves estimate the misfit of one sample of one training step.

       E = C + scale sum_i misfit_i        with the mean of the sum over all parts

   all      every part, scale 1
   drawn    K of N parts, scale N/K. The samples of a step go through random permutations of the
            parts, floor(N/K) samples a permutation, so that no part is drawn twice before all
            of a permutation were: with K dividing N the step sees all parts equally often.
   encoded  E supershots sum_p s_p F_p with random signs, scale 1/E: the cross terms have
            mean 0.

   Source: Krebs et al., Geophysics 74 (2009), for the encoding. */
#ifndef FATHOM_SHOTS_H
#define FATHOM_SHOTS_H

#include "fathom/rng.h"

typedef struct fm_shots {
  int64_t nparts, drawn, encoded; /* N, K, E; drawn and encoded 0: not wanted */
  int64_t count;                  /* solves of the last plan */
  PetscBool encoding;             /* the last plan is of supershots */
  double scale;
  int64_t *part; /* [count] which part each solve is; encoded: whose layout it has */
  double *sign;  /* [encoded][nparts] */
  int64_t *order;
} fm_shots;

/* fm_shots_create - from -shots_per_sample and -shots_encode. Collective on comm. Fails (user
   error) on values that do not fit nparts, and on both. */
PetscErrorCode fm_shots_create(MPI_Comm comm, int64_t nparts, fm_shots **shots);
PetscErrorCode fm_shots_destroy(fm_shots **shots);

/* fm_shots_plan - the solves of one sample; seed NULL: all parts. */
PetscErrorCode fm_shots_plan(fm_shots *shots, const uint64_t *seed, uint64_t step,
                             uint64_t sample);

#endif
