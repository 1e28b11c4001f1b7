#include "cli/resume.h"
#include "cli/leave.h"

PetscErrorCode fm_resume_explain(const fm_run *run, const char *stem, PetscErrorCode error) {
  char previous[PETSC_MAX_PATH_LEN], words[2 * PETSC_MAX_PATH_LEN + 128];
  PetscBool exists;

  PetscFunctionBegin;
  if (error != PETSC_ERR_FILE_OPEN && error != PETSC_ERR_FILE_READ &&
      error != PETSC_ERR_FILE_UNEXPECTED)
    PetscFunctionReturn(0);
  PetscCall(PetscSNPrintf(previous, sizeof(previous), "%s/%s.previous.h5", run->out, stem));
  PetscCall(fm_checkpoint_exists(run->comm.world, previous, &exists));
  if (exists)
    snprintf(words, sizeof(words), "; to go on from the one before: cp '%s' '%s/%s.h5'",
             previous, run->out, stem);
  else
    snprintf(words, sizeof(words),
             "; there is none before it ('%s'): begin anew without -resume", previous);
  fm_leave_add(words);
  PetscFunctionReturn(0);
}
