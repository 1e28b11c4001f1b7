/* fm_conditioning - what the y lane of a flow sees of the data, by -condition:

       data         the data themselves
       migration    g = F'(x0)^T C^-1 (y - F(x0)), the residual at x0 migrated with the mask and
                    the noise C = diag(sigma^2) of the likelihood

   x0 is the model whose unknown is 0 everywhere, which for acoustic waves is the background.
   g has the size and the grid of the unknown; in the coordinates of -acoustic_informed it is
   the least-squares migration, the mean of the linearised posterior. Where F is linear it holds
   all that y says of x.
   Source: Orozco et al., "Adjoint operators enable fast and amortized machine learning based
   Bayesian uncertainty quantification" (SPIE 2023). */
#ifndef FATHOM_CONDITIONING_H
#define FATHOM_CONDITIONING_H

#include "fathom/operator.h"

#define FM_CONDITIONS "data|migration"

typedef struct fm_conditioning fm_conditioning;

/* fm_conditioning_create - from the options, at the operator, which is borrowed. Collective on
   comm and on the operator's space communicator. *conditioning NULL: the data themselves.
   Cost: one F a part. */
PetscErrorCode fm_conditioning_create(MPI_Comm comm, fm_operator *op,
                                      fm_conditioning **conditioning);
PetscErrorCode fm_conditioning_destroy(fm_conditioning **conditioning);

/* fm_conditioning_size - numbers of g. */
int64_t fm_conditioning_size(const fm_conditioning *conditioning);

/* fm_conditioning_apply - g [nb][size] of y [nb][d_size]. Collective on the space communicator.
   Cost: one F and nb J^T a part. */
PetscErrorCode fm_conditioning_apply(fm_conditioning *conditioning, int64_t nb, const double *y,
                                     double *g);

/* fm_conditioning_weight - 1 / sigma^2 of data that count, 0 of others, [d_size]; of the
   likelihood's options. Collective on comm. */
PetscErrorCode fm_conditioning_weight(MPI_Comm comm, fm_operator *op, double *weight);

#endif
