/* Samples moved on to the posterior (-moves). */
#ifndef FM_CLI_SAMPLE_MOVES_H
#define FM_CLI_SAMPLE_MOVES_H

#include "fathom/command.h"

/* fm_sample_latents - z [count][n] of samples [first, first + count): FM_STREAM_SAMPLE. */
void fm_sample_latents(uint64_t seed, int64_t n, int64_t first, int64_t count, fm_real *z);

/* fm_sample_moves - `moves` rounds of my samples [first, first + count) of `total`:
   x [count][n] becomes what they are moved to. After each round, and each minute,
   OUT/moves.h5, from which -resume goes on; run->stopped: left before the last one. Results:
   moves, their acceptance and what they changed, solves. Collective on world. */
PetscErrorCode fm_sample_moves(fm_run *run, fm_target *target, fm_transport *transport,
                               const fm_real *theta, int64_t moves, int64_t total,
                               int64_t first, int64_t count, fm_real *x);

/* fm_sample_problem_fits - refuse (user error) moves to another posterior, or in other
   coordinates, than those that the settings in -warm_start's checkpoint say it was refined at;
   -prior_mismatch_ok lets another posterior through with a warning. A checkpoint that was only
   pretrained says nothing. Collective on world. */
PetscErrorCode fm_sample_problem_fits(const fm_run *run);

#endif
