/* What a command's operator solved. */
#ifndef FATHOM_SOLVES_H
#define FATHOM_SOLVES_H

#include "fathom/command.h"

/* fm_run_solves - solves of `op` since its creation, in parts, over all ranks. Collective on
   world. */
PetscErrorCode fm_run_solves(const fm_run *run, fm_operator *op, fm_ledger *all);

#endif
