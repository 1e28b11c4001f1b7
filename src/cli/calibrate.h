/* Between the files of the command calibrate. */
#ifndef FM_CLI_CALIBRATE_H
#define FM_CLI_CALIBRATE_H

#include "fathom/calibration.h"
#include "fathom/command.h"

/* A line of the list. */
typedef struct fm_held_out {
  int64_t line; /* from 1, for sentences */
  char samples[PETSC_MAX_PATH_LEN], truth[PETSC_MAX_PATH_LEN], prior[PETSC_MAX_PATH_LEN];
} fm_held_out;

/* The problem that the samples are of, as far as they say (problems.h). */
typedef struct fm_tie {
  char *text;               /* settings of the first that says it; NULL: none does */
  const fm_held_out *first; /* borrowed */
  int64_t silent;           /* models that do not say it */
  PetscBool warned;
  char mixed[600]; /* what was let through by -calibrate_mixed_ok; "": nothing */
} fm_tie;

/* fm_calibrate_tie - compare a model's samples with those before: another setting of operator,
   noise or prior is refused (user error, naming both files and the setting), with
   -calibrate_mixed_ok a warning; a file of another name is a warning. fm_calibrate_tied - says
   the problem when all are read. Collective on world. */
PetscErrorCode fm_calibrate_tie(const fm_run *run, const fm_held_out *model, fm_tie *tie);
PetscErrorCode fm_calibrate_tied(const fm_run *run, const fm_tie *tie, int64_t models);
/* fm_calibrate_write_problem - attributes problem (a line) and problem_mixed, and
   /problem_settings. */
PetscErrorCode fm_calibrate_write_problem(const fm_tie *tie, fm_store *store);

/* fm_calibrate_list - the lines of -calibrate; *list is the caller's. Blank lines and what
   follows a # do not count. Collective on world. */
PetscErrorCode fm_calibrate_list(const fm_run *run, const char *path, int64_t *count,
                                 fm_held_out **list);

/* fm_calibrate_read - an array named FILE:/dataset or FILE:/dataset[ROW] as rows [rows][n]; the
   numbers are the caller's. n 0 on entry: as the array says, else it must be so many. `single`:
   one row, and the whole array is one. Collective on world. */
PetscErrorCode fm_calibrate_read(const fm_run *run, const fm_held_out *model, const char *text,
                                 PetscBool single, int64_t *rows, int64_t *n, double **numbers);

/* fm_calibrate_prior - "MEAN/STD", "FILE:/dataset" or, where the line has no third word, draws
   of -prior, made once: *drawn keeps them. prior->x is *mine or *drawn; both are the caller's.
   */
PetscErrorCode fm_calibrate_prior(const fm_run *run, const fm_held_out *model, int64_t n,
                                  double **drawn, double **mine, fm_prior_samples *prior);

#endif
