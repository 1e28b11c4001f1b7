/* Between a Vec, of which each rank of a space communicator holds a piece, and its copy on
   every rank. Entry i of the copy is entry i of the Vec, on any number of ranks: an operator's
   Vecs are in natural order. */
#ifndef FATHOM_GATHER_H
#define FATHOM_GATHER_H

#include "fathom/operator.h"

typedef struct fm_gather fm_gather;

/* fm_gather_create - for Vecs with the layout of `like`, which is not kept. Collective on its
   communicator. Memory: one copy of the whole Vec a rank. */
PetscErrorCode fm_gather_create(Vec like, fm_gather **gather);
PetscErrorCode fm_gather_destroy(fm_gather **gather);

/* fm_gather_read - all entries of v on every rank; *values is borrowed and good until the next
   call on `gather`. Collective on v's communicator. Cost: one VecScatter. */
PetscErrorCode fm_gather_read(fm_gather *gather, Vec v, const double **values);

/* fm_vec_set, fm_vec_set_doubles - v = values, of which every rank holds all [size of v]. No
   messages. */
PetscErrorCode fm_vec_set(Vec v, const fm_real *values);
PetscErrorCode fm_vec_set_doubles(Vec v, const double *values);

/* fm_operator_forward - d = F(x), all parts, from a replicated model to replicated data.

   Collective on the operator's space communicator.
   x   in   [x_size], the same on all ranks
   d   out  [d_size], the same on all ranks; part p at its fm_operator_part_range; NaN from the
            first failed part on
   ok  out  every part solved; the same on all ranks
   Cost: one forward solve a part, counted in the ledger. */
PetscErrorCode fm_operator_forward(fm_operator *op, const fm_real *x, double *d, PetscBool *ok);

#endif
