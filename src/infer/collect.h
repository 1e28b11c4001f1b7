/* collect - rows of samples that are shared over the ranks of a sample communicator
   (fm_comm_share_blocks), together on rank 0 in sample order, so that what is computed of them
   does not depend on the ranks. */
#ifndef FM_COLLECT_H
#define FM_COLLECT_H

#include "fathom/comm.h"

/* fm_collect_rows - *rows, `mine` rows of `bytes` bytes each, becomes all `total` rows on rank
   0 and NULL on the others; PetscFree it. Collective on comm. */
PetscErrorCode fm_collect_rows(MPI_Comm comm, size_t bytes, int64_t mine, int64_t total,
                               void *rows);

#endif
