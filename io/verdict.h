/* A fault of one rank becomes the error of all: work is done by rank 0 (or by each rank), what
   went wrong is kept in a verdict, and fm_verdict_agree raises the same sentence everywhere.
   So nobody waits for a rank that has left. */
#ifndef FATHOM_IO_VERDICT_H
#define FATHOM_IO_VERDICT_H

#include "fathom/types.h"

typedef struct fm_verdict {
  int code; /* 0: all is well */
  char text[1800];
} fm_verdict;

/* fm_fail - keep a fault; the first one stays. Not collective. */
void fm_fail(fm_verdict *v, PetscErrorCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* fm_verdict_agree - raise the verdict of the lowest rank that has one, on every rank.
   Collective on comm. Cost: one Allreduce of an integer. */
PetscErrorCode fm_verdict_agree(MPI_Comm comm, const fm_verdict *v);

/* fm_verdict_share - agree, then broadcast `bytes` of `data` from rank 0. Collective. */
PetscErrorCode fm_verdict_share(MPI_Comm comm, const fm_verdict *v, size_t bytes, void *data);

/* fm_broadcast - any number of bytes from rank 0, in pieces that an int can count. Collective
   on comm. */
PetscErrorCode fm_broadcast(MPI_Comm comm, size_t bytes, void *data);

/* fm_verdict_share_text - agree, then broadcast a text that rank 0 allocated; the other ranks
   get theirs allocated. On failure nobody has one. Collective on comm. */
PetscErrorCode fm_verdict_share_text(MPI_Comm comm, const fm_verdict *v, char **text);

/* fm_verdict_share_texts - agree, then broadcast a list of n texts from rank 0, which made it
   with PetscMalloc; the other ranks get theirs allocated. On failure rank 0's list is freed.
   Collective on comm. */
PetscErrorCode fm_verdict_share_texts(MPI_Comm comm, const fm_verdict *v, int *n,
                                      char ***texts);

#endif
