/* One sentence for an error, on rank 0 where all ranks agree; every rank leaves, none hangs. */
#ifndef FM_CLI_LEAVE_H
#define FM_CLI_LEAVE_H

#include "fathom/types.h"

/* fm_leave_prepare - install the error handler that keeps the first sentence. Collective on
   world. */
PetscErrorCode fm_leave_prepare(MPI_Comm world);
/* fm_leave_with - after an error: waits a few seconds for the other ranks. All came: rank 0
   says the sentence and the
   exit status 1 is returned. Not all: this rank says it and aborts the others. */
int fm_leave_with(void);
/* fm_leave_say - note a sentence by hand (before PETSc is up). */
void fm_leave_say(const char *sentence);
/* fm_leave_add - what to do, behind the sentence of the error that is on its way. */
void fm_leave_add(const char *words);

#endif
