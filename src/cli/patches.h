/* Between the files of the command patches. */
#ifndef FM_CLI_PATCHES_H
#define FM_CLI_PATCHES_H

#include "fathom/command.h"

typedef struct fm_range {
  int64_t first, end;
} fm_range;

typedef struct fm_cutting {
  fm_run *run;
  const char *path;
  int64_t traces, samples; /* of the section; samples: a trace of `window` has */
  fm_range t, s;           /* window: traces, samples */
  int64_t rows, columns;   /* of a patch: samples, traces */
  int64_t stride[2];
  int64_t *start, along; /* [along] first traces that a patch may have */
  int64_t count;         /* patches */
  PetscBool at_random, mirror;
  double scale;
  /* of a model, resampled: node i lies at origin + i step of the file; what is further than
     `reach` from there does not change it. Samples first. Else 0, 1 and 0. */
  double origin[2], step[2], reach;
  double spacing[2]; /* of the nodes, m; 0: not known */
  float *window;     /* [traces of the window][samples] */
  fm_store *store;
} fm_cutting;

/* fm_patches_range - -name a:b, half open; all of [0, size) where it is not given. */
PetscErrorCode fm_patches_range(const fm_cutting *c, const char *name, const char *what,
                                int64_t size, fm_range *r);

/* fm_patches_model - the window of -section, resampled as asked: window, traces, samples, t, s,
   origin, step, reach and spacing. Collective on world. */
PetscErrorCode fm_patches_model(fm_cutting *c);

#endif
