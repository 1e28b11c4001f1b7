/* The leading eigenpairs of the Gauss-Newton Hessian of a misfit (informed.h). */
#ifndef FATHOM_HESSIAN_H
#define FATHOM_HESSIAN_H

#include "fathom/comm.h"
#include "fathom/informed.h"
#include "fathom/lapack.h"
#include "fathom/linearized.h"
#include "fathom/rng.h"

typedef struct fm_hessian_spec {
  int64_t rank, more; /* pairs wanted, and vectors of the search besides */
  int64_t passes;     /* products with all vectors, at least 1 */
  uint64_t seed;
} fm_hessian_spec;

/* fm_hessian_informed - the `rank` leading eigenpairs of H = J^T diag(weight) J by randomised
   subspace iteration with Rayleigh-Ritz; orthonormal whatever their accuracy. Columns are
   shared over the sample ranks, and the numbers do not depend on how many these are.

   Collective on comm->world.
   weight    in   [m]
   residual  out  [rank] |H v - lambda v| / lambda_1 of each pair; may be NULL
   Cost: 1 + passes products of rank + more vectors: that many J and J^T a part.
   Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53
   (2011), algorithms 4.4 and 5.3. */
PetscErrorCode fm_hessian_informed(const fm_comm *comm, fm_linearized *lin,
                                   const double *weight, const fm_hessian_spec *spec, int64_t n,
                                   fm_informed **informed, double *residual);

#endif
