/* The physical models of posterior samples (velocities in m/s at nodes), where the operator has
   such: rows of samples.h5 and maps. */
#ifndef FATHOM_MODELS_H
#define FATHOM_MODELS_H

#include "fathom/command.h"

typedef struct fm_models {
  fm_run *run;
  fm_operator *op; /* borrowed */
  fm_model_grid grid;
  int64_t n, nodes; /* unknowns; rows times columns */
} fm_models;

/* fm_models_of - model [count][nodes] of x [count][n], this rank's samples; PetscFree it. */
PetscErrorCode fm_models_of(const fm_models *m, int64_t count, const fm_real *x,
                            fm_real **model);

/* fm_models_maps - OUT/maps.h5: /mean /std /p10 /p50 /p90 of the models of all sample ranks,
   `total` in all, and where the prior can be sampled /prior_mean and /prior_std of 256 draws;
   with -truth_model also /truth and the results of fm_maps, in the model's unit. Attributes of
   /mean: spacing_z, spacing_x, unit. Collective on world. */
PetscErrorCode fm_models_maps(const fm_models *m, int64_t total, int64_t count,
                              const fm_real *model);

#endif
