/* strip - the rows of a grid over the ranks of a communicator, and the exchange of the rows
   beside a strip's ends. Persistent messages between neighbours alone, no corners. */
#ifndef FATHOM_STRIP_H
#define FATHOM_STRIP_H

#include "fathom/types.h"

typedef struct fm_strip {
  MPI_Comm comm;            /* borrowed */
  int64_t first, count;     /* rows of this rank */
  PetscMPIInt above, below; /* ranks of the neighbours; MPI_PROC_NULL: the grid's end */
} fm_strip;

/* fm_strip_create - blocks of rows in rank order that differ by one row at most. Not collective
   beyond comm's rank and size; every rank has at least floor(rows/size) rows. */
PetscErrorCode fm_strip_create(MPI_Comm comm, int64_t rows, fm_strip *strip);

/* fm_strip_first - first row of a rank; rank = size: the number of rows. */
int64_t fm_strip_first(int64_t rows, PetscMPIInt rank, PetscMPIInt size);

/* The messages of one field. */
typedef struct fm_halo {
  MPI_Request request[4];
  int n; /* 0: there is no neighbour */
} fm_halo;

/* fm_halo_create - field is row 0 of a strip with `halo` rows before it and behind its last,
   all of `stride` numbers. tag tells fields apart that are under way at the same time.
   Collective in that the neighbours must create theirs with the same tag. */
PetscErrorCode fm_halo_create(const fm_strip *strip, fm_real *field, int64_t stride, int halo,
                              PetscMPIInt tag, fm_halo *exchange);
PetscErrorCode fm_halo_destroy(fm_halo *exchange);

/* fm_halo_start, fm_halo_wait - send the outermost own rows, receive the neighbours'. Between
   the two neither may be written, and the received ones not be read. */
PetscErrorCode fm_halo_start(fm_halo *exchange);
PetscErrorCode fm_halo_wait(fm_halo *exchange);

#endif
