/* quadratic - what the energies of Gaussian laws with a covariance that is applied, not stored,
   share:

       E(x) = 1/2 (x - mu)^T C^-1 (x - mu) + constant,   x = mu + B z,  B B^T = C,  z ~ N(0, I)

   The data of such an energy begins with an fm_quadratic, its ops name the two functions. */
#ifndef FM_QUADRATIC_H
#define FM_QUADRATIC_H

#include "fathom/energy_impl.h"

typedef struct fm_quadratic {
  PetscErrorCode (*precise)(void *data, const double *v, double *u); /* u = C^-1 v */
  PetscErrorCode (*colour)(void *data, const double *z, double *v);  /* v = B z */
  double constant;                                                   /* normalisers */
  double *mean, *v, *u;                                              /* [n]; v, u scratch */
} fm_quadratic;

/* fm_quadratic_create - for n unknowns, with the mean 0 and no constant. */
PetscErrorCode fm_quadratic_create(int64_t n, fm_quadratic *q);
PetscErrorCode fm_quadratic_destroy(fm_quadratic *q);

/* As fm_energy_ops has them. Cost: one C^-1 or one B a sample. */
PetscErrorCode fm_quadratic_evaluate(fm_energy *e, fm_key key, int64_t nb, const fm_real *x,
                                     double *value, fm_real *x_bar, PetscBool *ok);
PetscErrorCode fm_quadratic_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                   fm_real *x);

#endif
