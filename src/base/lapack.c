#include "fathom/lapack.h"
#include <petscblaslapack.h>

#define BLOCK 64 /* columns that LAPACK takes at a time */

PetscErrorCode fm_orthonormalize(int64_t count, int64_t length, double *vectors) {
  PetscBLASInt n, k, size, info;
  double *tau, *work;

  PetscFunctionBegin;
  PetscCall(PetscBLASIntCast((PetscInt)length, &n));
  PetscCall(PetscBLASIntCast((PetscInt)count, &k));
  PetscCall(PetscBLASIntCast((PetscInt)(BLOCK * count), &size));
  PetscCall(PetscMalloc2(k, &tau, size, &work));
  LAPACKgeqrf_(&n, &k, vectors, &n, tau, work, &size, &info);
  if (!info) LAPACKorgqr_(&n, &k, &k, vectors, &n, tau, work, &size, &info);
  PetscCheck(!info, PETSC_COMM_SELF, PETSC_ERR_LIB, "LAPACK's QR factor failed: %d", (int)info);
  PetscCall(PetscFree2(tau, work));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_eigenpairs(int64_t n, double *a, double *value) {
  PetscBLASInt order, size, info;
  double *work;

  PetscFunctionBegin;
  PetscCall(PetscBLASIntCast((PetscInt)n, &order));
  PetscCall(PetscBLASIntCast((PetscInt)(BLOCK * n), &size));
  PetscCall(PetscMalloc1(size, &work));
  LAPACKsyev_("V", "U", &order, a, &order, value, work, &size, &info);
  PetscCheck(!info, PETSC_COMM_SELF, PETSC_ERR_LIB, "LAPACK's eigenvalues failed: %d",
             (int)info);
  PetscCall(PetscFree(work));
  PetscFunctionReturn(0);
}
