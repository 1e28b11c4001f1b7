/* fm_informed - what data can tell of a model: the leading eigenpairs of the Gauss-Newton
   Hessian of the misfit at one model, in coordinates whose prior is N(0, I),

       H = F'(x0)^T C^-1 F'(x0) = V Lambda V^T nearly,   C = diag(sigma^2)

   A direction with lambda = 1 is known by the data as well as by the prior; the number of
   parameters that data resolve is n_eff = sum lambda / (1 + lambda). To first order the
   posterior has the covariance (I + H)^-1.
   Made by `fathom informed`, which writes /vectors [rank][n], /values [rank], decreasing, and
   /center [n].
   Source: Cui et al., "Likelihood-informed dimension reduction for nonlinear inverse problems",
   Inverse Problems 30 (2014). */
#ifndef FATHOM_INFORMED_H
#define FATHOM_INFORMED_H

#include "fathom/types.h"

typedef struct fm_informed {
  int64_t n, rank;
  double *vector; /* [rank][n], orthonormal */
  double *value;  /* [rank], >= 0 */
  double *center; /* [n], x0 */
  double *weight; /* [rank], scratch */
} fm_informed;

/* fm_informed_load - from a file of `fathom informed`. Collective on comm. n 0: any size.
   Fails (user error) where it is none, has another size, or no orthonormal vectors. */
PetscErrorCode fm_informed_load(MPI_Comm comm, const char *file, int64_t n,
                                fm_informed **informed);
PetscErrorCode fm_informed_destroy(fm_informed **informed);

/* fm_informed_power - out = (I + V Lambda V^T)^power in, both [n]; may be the same array. Not
   collective. Cost: 4 n rank operations. */
void fm_informed_power(const fm_informed *informed, double power, const double *in,
                       double *out);
/* fm_informed_log_det - log det (I + V Lambda V^T). */
double fm_informed_log_det(const fm_informed *informed);

#endif
