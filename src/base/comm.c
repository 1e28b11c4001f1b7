#include "fathom/comm.h"

PetscErrorCode fm_comm_create(MPI_Comm world, PetscMPIInt ranks_per_sample, fm_comm *comm) {
  PetscMPIInt size, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(world, &size));
  PetscCallMPI(MPI_Comm_rank(world, &rank));
  fm_check(
      ranks_per_sample >= 1 && size % ranks_per_sample == 0, world, PETSC_ERR_USER,
      "-ranks_per_sample %d does not divide the number of ranks %d: start a multiple of it",
      ranks_per_sample, size);
  comm->world = world;
  PetscCallMPI(MPI_Comm_split(world, rank / ranks_per_sample, rank, &comm->space));
  PetscCallMPI(MPI_Comm_split(world, rank % ranks_per_sample, rank, &comm->sample));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_comm_destroy(fm_comm *comm) {
  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_free(&comm->space));
  PetscCallMPI(MPI_Comm_free(&comm->sample));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_comm_share(const fm_comm *comm, int64_t total, int64_t *first,
                             int64_t *count) {
  PetscMPIInt size, rank;
  int64_t each, more;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm->sample, &size));
  PetscCallMPI(MPI_Comm_rank(comm->sample, &rank));
  each = total / size;
  more = total % size;
  *first = each * rank + PetscMin(rank, more);
  *count = each + (rank < more ? 1 : 0);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_comm_share_blocks(const fm_comm *comm, int64_t total, int64_t block,
                                    int64_t *first, int64_t *count) {
  int64_t begin, blocks;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(comm, (total + block - 1) / block, &begin, &blocks));
  *first = PetscMin(begin * block, total);
  *count = PetscMin((begin + blocks) * block, total) - *first;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_comm_agree(MPI_Comm comm, int mine, int *worst) {
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(&mine, worst, 1, MPI_INT, MPI_MAX, comm));
  PetscFunctionReturn(0);
}
