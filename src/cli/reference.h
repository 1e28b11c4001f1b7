/* Between the files of the command reference. */
#ifndef FM_CLI_REFERENCE_H
#define FM_CLI_REFERENCE_H

#include "fathom/command.h"
#include "fathom/sampler.h"

/* fm_reference_report - convergence of every unknown, the file OUT/reference.h5 and the result
   lines. Collective on world.
   exponential  also of exp(x) */
PetscErrorCode fm_reference_report(fm_run *run, fm_sampler *sampler, PetscBool exponential);

#endif
