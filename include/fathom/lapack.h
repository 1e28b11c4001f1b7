/* LAPACK's dense factors, checked. A matrix is an array of vectors, [count][length]: LAPACK's
   length x count, column by column. Not collective. */
#ifndef FATHOM_LAPACK_H
#define FATHOM_LAPACK_H

#include "fathom/types.h"

/* fm_orthonormalize - count <= length vectors, [count][length], become orthonormal and span
   what they did (Householder QR); the first k span what the first k did. Cost: 4 length
   count^2. */
PetscErrorCode fm_orthonormalize(int64_t count, int64_t length, double *vectors);

/* fm_eigenpairs - of the symmetric a [n][n]: its eigenvalues in value [n], ascending, and
   orthonormal eigenvectors as the rows of a, which is overwritten. Cost: some 9 n^3. */
PetscErrorCode fm_eigenpairs(int64_t n, double *a, double *value);

#endif
