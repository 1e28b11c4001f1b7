/* fm_linearized - an operator's derivative at one model, on replicated arrays: many products
   with J = F'(x0) and J^T for one linearisation of each part.

   All calls are collective on the operator's space communicator, and every rank gives and gets
   all of an array. Solves are counted in the operator's ledger. */
#ifndef FATHOM_LINEARIZED_H
#define FATHOM_LINEARIZED_H

#include "fathom/operator.h"

typedef struct fm_linearized fm_linearized;

/* fm_linearized_create - at x0 [n], which is copied. Fails (user error) where F(x0) has no
   solution. Cost: one F a part. */
PetscErrorCode fm_linearized_create(fm_operator *op, const fm_real *x0, fm_linearized **lin);
PetscErrorCode fm_linearized_destroy(fm_linearized **lin);

/* fm_linearized_base - F(x0) [m]; borrowed. */
const double *fm_linearized_base(const fm_linearized *lin);

/* fm_linearized_vjp - gx [nb][n] = J^T dd [nb][m]. Cost: one F and nb J^T a part. */
PetscErrorCode fm_linearized_vjp(fm_linearized *lin, int64_t nb, const double *dd, double *gx);

/* fm_linearized_normal - gx [nb][n] = J^T (weight . J dx), dx [nb][n], weight [m]. Cost: one F,
   nb J and nb J^T a part. */
PetscErrorCode fm_linearized_normal(fm_linearized *lin, const double *weight, int64_t nb,
                                    const double *dx, double *gx);

#endif
