/* fm_results - figures of a command: printed as "result NAME VALUE UNIT" and kept in
   OUT/results.tsv, one a line. */
#ifndef FATHOM_RESULTS_H
#define FATHOM_RESULTS_H

#include "fathom/types.h"

typedef struct fm_results fm_results;

PetscErrorCode fm_results_create(fm_results **results);
PetscErrorCode fm_results_destroy(fm_results **results);
/* fm_result - one figure; rank 0 prints it. unit: "nats", "s", "1", ... */
PetscErrorCode fm_result(fm_results *results, const char *name, double value, const char *unit);
/* fm_results_write - FOLDER/results.tsv by rank 0, atomically, and beside it warnings.txt where
   there were any. Collective on comm. */
PetscErrorCode fm_results_write(const fm_results *results, MPI_Comm comm, const char *folder);

#endif
