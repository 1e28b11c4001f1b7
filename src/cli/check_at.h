/* One sample of a training run, examined. */
#ifndef FATHOM_CHECK_AT_H
#define FATHOM_CHECK_AT_H

#include "fathom/command.h"

/* fm_check_at - `check -at STEP,SAMPLE -run FOLDER`: with the settings of that run, the sample
   as its step saw it. Collective on world. Cost: the steps since the checkpoint before it. */
PetscErrorCode fm_check_at(fm_run *run);

#endif
