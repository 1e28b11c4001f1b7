/* Between the files of the sampler. */
#ifndef FM_CHAINS_H
#define FM_CHAINS_H

#include "fathom/sampler.h"

/* fm_sampler_collect - rows [count][width] of my chains to all [chains][width] on `root`.
   Collective on the sample communicator. */
PetscErrorCode fm_sampler_collect(const fm_sampler *sampler, PetscMPIInt root,
                                  MPI_Datatype type, int64_t width, const void *mine,
                                  void *all);
/* fm_sampler_count - the ledger over all ranks. Collective on world. */
PetscErrorCode fm_sampler_count(fm_sampler *sampler);

#endif
