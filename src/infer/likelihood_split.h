/* The misfits of single parts, kept where somebody asks for them (fm_likelihood_split). */
#ifndef FM_LIKELIHOOD_SPLIT_H
#define FM_LIKELIHOOD_SPLIT_H

#include "fathom/share.h"

typedef struct fm_split {
  PetscBool on;
  int64_t parts, samples;
  fm_exact *term; /* [parts] of the sample at hand, this rank's */
  double *misfit; /* [samples][parts] of the last evaluation */
} fm_split;

/* fm_split_begin - room for an evaluation of so many samples. fm_split_add - a part's sum of
   this rank. fm_split_end - sample s is done: over all ranks of comm, NaN where it was not
   solved; collective on comm. All do nothing where the split is not on. */
PetscErrorCode fm_split_begin(fm_split *split, int64_t parts, int64_t samples);
void fm_split_add(fm_split *split, int64_t part, fm_exact term);
PetscErrorCode fm_split_end(fm_split *split, int64_t s, PetscBool ok, MPI_Comm comm);
PetscErrorCode fm_split_clear(fm_split *split);

#endif
