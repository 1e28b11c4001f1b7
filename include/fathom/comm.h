/* world = sample x space. */
#ifndef FATHOM_COMM_H
#define FATHOM_COMM_H

#include "fathom/types.h"

/* Ranks of one `space` communicator share the PDE operator, draw the same latents and run the
   flow redundantly;
   ranks of one `sample` communicator share the Monte Carlo samples. Both are owned by fm_comm.
   */
typedef struct fm_comm {
  MPI_Comm world, sample, space;
} fm_comm;

/* fm_comm_create - split `world` into blocks of `ranks_per_sample` neighbouring ranks.
   Collective on world. Fails (user error) when ranks_per_sample does not divide the number of
   ranks. */
PetscErrorCode fm_comm_create(MPI_Comm world, PetscMPIInt ranks_per_sample, fm_comm *comm);

/* fm_comm_destroy - free the two communicators. Collective on world. */
PetscErrorCode fm_comm_destroy(fm_comm *comm);

/* fm_comm_share - which of `total` things are mine: contiguous blocks in rank order on the
   sample communicator, whose
   lengths differ by at most one; count is 0 on an idle rank. Not collective, cannot fail on a
   valid fm_comm. */
PetscErrorCode fm_comm_share(const fm_comm *comm, int64_t total, int64_t *first,
                             int64_t *count);

/* fm_comm_share_blocks - the same in whole blocks of `block` things, the last of which may be
   shorter: *count from *first <= total. */
PetscErrorCode fm_comm_share_blocks(const fm_comm *comm, int64_t total, int64_t block,
                                    int64_t *first, int64_t *count);

/* fm_comm_agree - the largest of an integer over all ranks: how a verdict of one rank becomes
   everybody's.
   Collective on comm. */
PetscErrorCode fm_comm_agree(MPI_Comm comm, int mine, int *worst);

#endif
