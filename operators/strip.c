#include "strip.h"

int64_t fm_strip_first(int64_t rows, PetscMPIInt rank, PetscMPIInt size) {
  return rows * rank / size;
}

PetscErrorCode fm_strip_create(MPI_Comm comm, int64_t rows, fm_strip *strip) {
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  strip->comm = comm;
  strip->first = fm_strip_first(rows, rank, size);
  strip->count = fm_strip_first(rows, rank + 1, size) - strip->first;
  strip->above = rank > 0 ? rank - 1 : MPI_PROC_NULL;
  strip->below = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_halo_create(const fm_strip *strip, fm_real *field, int64_t stride, int halo,
                              PetscMPIInt tag, fm_halo *exchange) {
  const PetscMPIInt neighbour[2] = {strip->above, strip->below};
  fm_real *const send[2] = {field, field + (strip->count - halo) * stride};
  fm_real *const receive[2] = {field - halo * stride, field + strip->count * stride};
  const PetscMPIInt count = (PetscMPIInt)(halo * stride);

  PetscFunctionBegin;
  exchange->n = 0;
  for (int side = 0; side < 2; side++) {
    MPI_Request *request = exchange->request + exchange->n;

    if (neighbour[side] == MPI_PROC_NULL) continue;
    PetscCallMPI(MPI_Recv_init(receive[side], count, FM_MPI_REAL, neighbour[side], tag,
                               strip->comm, &request[0]));
    PetscCallMPI(MPI_Send_init(send[side], count, FM_MPI_REAL, neighbour[side], tag,
                               strip->comm, &request[1]));
    exchange->n += 2;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_halo_destroy(fm_halo *exchange) {
  PetscFunctionBegin;
  for (int k = 0; k < exchange->n; k++) PetscCallMPI(MPI_Request_free(&exchange->request[k]));
  exchange->n = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_halo_start(fm_halo *exchange) {
  PetscFunctionBegin;
  if (exchange->n) PetscCallMPI(MPI_Startall(exchange->n, exchange->request));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_halo_wait(fm_halo *exchange) {
  PetscFunctionBegin;
  if (exchange->n)
    PetscCallMPI(MPI_Waitall(exchange->n, exchange->request, MPI_STATUSES_IGNORE));
  PetscFunctionReturn(0);
}
