/* Which problem a file is of: the settings of operator, prior and noise in its block of
   settings, so that files of different problems are not put together. */
#ifndef FM_CLI_PROBLEMS_H
#define FM_CLI_PROBLEMS_H

#include "fathom/command.h"

/* fm_problem_of_samples - the settings of samples.h5 (of `sample`), or, where it was drawn
   without an operator and the checkpoint that it names is still there, of that. *text NULL: it
   does not say; else PetscFree it. Collective on world. */
PetscErrorCode fm_problem_of_samples(MPI_Comm world, const char *path, char **text);

/* fm_problem_of_checkpoint - the settings of the run that wrote it; *text NULL: there is no
   such file or it has none; else PetscFree it. Collective on world. */
PetscErrorCode fm_problem_of_checkpoint(MPI_Comm world, const char *path, char **text);

/* One difference between two blocks; "" and "": none. */
typedef struct fm_problem_difference {
  char here[256], there[256]; /* lines, "not given" where there is none */
} fm_problem_difference;

/* fm_problem_compare - the first setting of the problem that is another one, and the first that
   may only be said otherwise: a file of another name, or given in one block alone (by another
   version of the program). Settings of where, when and of which observation do not count. */
PetscErrorCode fm_problem_compare(const char *here, const char *there,
                                  fm_problem_difference *other,
                                  fm_problem_difference *otherwise);

/* fm_problem_moves - how often the samples of such a block were moved (-moves); 0: they are the
   flow's. */
int64_t fm_problem_moves(const char *text);

#endif
