/* What every room may use: fm_real, PETSc's error handling and the few macros of our own. */
#ifndef FATHOM_TYPES_H
#define FATHOM_TYPES_H

#include "fathom/real.h"
#include <petscsys.h>

#define FM_VERSION "0.5.0"

#ifdef FM_SINGLE
#define FM_MPI_REAL MPI_FLOAT
#else
#define FM_MPI_REAL MPI_DOUBLE
#endif

/* malloc_debug-visible allocation of `count` elements with an int64 count, zeroed. */
#define fm_calloc(count, pointer) PetscCalloc1((size_t)(count), (pointer))

/* PetscCheck for what a user can cause: value, limit and a hint in one sentence. Raise it on
   every rank of `comm`
   wherever the ranks agree; main() prints it once. */
#define fm_check(condition, comm, code, ...) PetscCheck(condition, comm, code, __VA_ARGS__)

#endif
