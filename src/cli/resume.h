/* What a user can do where -resume finds a damaged file. */
#ifndef FATHOM_RESUME_H
#define FATHOM_RESUME_H

#include "fathom/command.h"

/* fm_resume_explain - adds to the sentence of `error`, where that is of OUT/<stem>.h5 as a file
   (damaged, truncated, empty), how to go on. Collective on world. */
PetscErrorCode fm_resume_explain(const fm_run *run, const char *stem, PetscErrorCode error);

#endif
