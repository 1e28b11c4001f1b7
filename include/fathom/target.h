/* fm_target - the posterior as a list of energies: -log p(x, y) = likelihood + prior, every
   normaliser kept. */
#ifndef FATHOM_TARGET_H
#define FATHOM_TARGET_H

#include "fathom/conditioning.h"
#include "fathom/energy.h"

#define FM_TARGET_MAX 4

typedef struct fm_target {
  const fm_comm *comm;
  fm_operator *op; /* owned; NULL: no likelihood */
  fm_energy *energy[FM_TARGET_MAX];
  int nenergy;
  int64_t n, m;
  double *y;                     /* [m] observed data, NULL without a likelihood */
  fm_conditioning *conditioning; /* NULL: the flow sees the data */
  int64_t nseen;
  double *seen; /* [nseen] what the flow sees of y: y itself, or -condition's; owned */
} fm_target;

/* fm_target_create - operator, likelihood of the observed data and prior, from the options
   -operator, -observed, -noise_std,
   -data_mask, -prior and those of the operator and the prior. Collective on comm->world.
   m       in   what the flow sees must have so many numbers; 0: any
   y       in   what the flow saw (from a checkpoint): with -condition data the observed data,
                in place of -observed; or NULL
   Where the operator's data lie in a subspace, target->y is P times -observed
   (fm_operator_restrict), with a warning where that takes away more than 1e-6 of its energy;
   what is only rounding, below 1e-12, stays.
   Fails with a sentence on sizes that do not fit. */
PetscErrorCode fm_target_create(const fm_comm *comm, int64_t n, int64_t m, const double *y,
                                fm_target **target);
PetscErrorCode fm_target_destroy(fm_target **target);

/* fm_target_evaluate - as fm_energy_evaluate, summed over the list. x_bar is SET here, NULL:
   values only.
   part   [nenergy][nb] value of each energy, or NULL */
PetscErrorCode fm_target_evaluate(fm_target *target, fm_key key, int64_t nb, const fm_real *x,
                                  double *value, double *part, fm_real *x_bar, PetscBool *ok);

#endif
