/* matern_impl - what matern.c and its test share. */
#ifndef FATHOM_MATERN_IMPL_H
#define FATHOM_MATERN_IMPL_H

#include "fathom/matern.h"
#include <petscmat.h>

struct fm_matern {
  int64_t rows, columns, n;
  double length[2];
  double *d;      /* [rows][columns], D */
  double log_det; /* log |det dw/ds| */
  Mat a, factor;  /* A, its Cholesky factor */
  Vec in, out;    /* [n], scratch */
};

/* fm_matern_factor_log_det - log |det dw/ds| as the Cholesky factor has it; log_det is that of
   the eigenvalues. */
PetscErrorCode fm_matern_factor_log_det(fm_matern *matern, double *log_det);

#endif
