#include "infer/collect.h"

PetscErrorCode fm_collect_rows(MPI_Comm comm, size_t bytes, int64_t mine, int64_t total,
                               void *rows) {
  char **array = (char **)rows, *all = NULL;
  PetscMPIInt rank, size, count, width, *counts, *starts;
  MPI_Datatype row;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)mine, &count));
  PetscCall(PetscMPIIntCast((PetscInt)bytes, &width));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscCalloc2(size, &counts, size, &starts));
  PetscCallMPI(MPI_Gather(&count, 1, MPI_INT, counts, 1, MPI_INT, 0, comm));
  for (int r = 1; r < size; r++) starts[r] = starts[r - 1] + counts[r - 1];
  if (!rank) PetscCall(PetscMalloc1((size_t)total * bytes, &all));
  PetscCallMPI(MPI_Type_contiguous(width, MPI_BYTE, &row));
  PetscCallMPI(MPI_Type_commit(&row));
  PetscCallMPI(MPI_Gatherv(*array, count, row, all, counts, starts, row, 0, comm));
  PetscCallMPI(MPI_Type_free(&row));
  PetscCall(PetscFree2(counts, starts));
  PetscCall(PetscFree(*array));
  *array = all;
  PetscFunctionReturn(0);
}
