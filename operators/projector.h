/* projector - what operators share whose model and data are one image and whose F is an
   orthogonal projection: d = P x, P = P^T = P^2. P is then its own Jacobian, its own adjoint
   and the projection onto where the data lie.

   Every rank of space applies P to a copy of the whole image and keeps the pixels that it owns:
   the numbers have the same bits on any number of ranks. */
#ifndef FATHOM_PROJECTOR_H
#define FATHOM_PROJECTOR_H

#include "fathom/gather.h"
#include "fathom/operator_impl.h"

typedef struct fm_projector fm_projector;
typedef void (*fm_projection)(fm_projector *p, double *v); /* v = P v, [rows][columns] */

/* The first member of the operator's own struct, which is op->data. */
struct fm_projector {
  fm_projection apply;
  fm_gather *gather;
  double *v; /* [rows][columns], scratch */
};

/* fm_projector_shape - op's grids and sizes from rows and columns. Fails (user error) where
   there are fewer than one or too many; `option` is for the sentence. */
PetscErrorCode fm_projector_shape(fm_operator *op, const char *option, const int64_t shape[2]);
/* fm_projector_setup - gather and scratch, after the shape; rank is that of P. Collective on
   op->space. */
PetscErrorCode fm_projector_setup(fm_operator *op, int64_t rank, fm_projection apply);
PetscErrorCode fm_projector_clear(fm_projector *p);

/* For the operator's fm_operator_ops; _apply is jvp and vjp. Cost: one gather, one P. */
PetscErrorCode fm_projector_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                      PetscBool *ok);
PetscErrorCode fm_projector_apply(fm_operator *op, PetscInt part, Vec in, Vec out);
PetscErrorCode fm_projector_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d);
PetscErrorCode fm_projector_restrict(fm_operator *op, double *d);

#endif
