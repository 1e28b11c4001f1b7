/* The discretisation of the operator laplace: Q1 elements on a uniform mesh of square cells
   over the unit square, a coefficient a_k that is constant on each of bx x by blocks, points of
   measurement. No options, no solver, no unknown. */
#ifndef FATHOM_OPERATORS_LAPLACE_MESH_H
#define FATHOM_OPERATORS_LAPLACE_MESH_H

#include "fathom/types.h"
#include <petscdmda.h>

/* Vecs of nodes are those of dm: `global` ones of which each rank owns a piece, and `local`
   ones with its ghosts. Nodes on the boundary are among them, with the value 0. */
typedef struct fm_laplace_mesh {
  MPI_Comm comm; /* borrowed */
  PetscInt cells, blocks[2];
  DM dm;
  Vec inside;               /* global: 1, and 0 on the boundary */
  PetscInt ncell;           /* cells of this rank */
  PetscInt (*node)[4];      /* [ncell] local numbers, counter-clockwise */
  PetscInt *block;          /* [ncell] */
  PetscScalar (*entry)[16]; /* [ncell] what each cell adds to the matrix */
} fm_laplace_mesh;

/* fm_laplace_mesh_create - cells x cells cells; block (i, j) has the number i + blocks[0] j and
   holds the cells whose centre it holds, each block at least one where cells >= blocks.
   Collective on comm. The caller destroys, also after a failure. */
PetscErrorCode fm_laplace_mesh_create(MPI_Comm comm, PetscInt cells, const PetscInt blocks[2],
                                      fm_laplace_mesh *mesh);
PetscErrorCode fm_laplace_mesh_destroy(fm_laplace_mesh *mesh);

/* fm_laplace_mesh_stiffness - the matrix K = sum_k a_k K_k, structure only, with the options
   prefix given. A node on the boundary keeps its diagonal alone: K is symmetric positive
   definite. Collective. The caller destroys. */
PetscErrorCode fm_laplace_mesh_stiffness(fm_laplace_mesh *mesh, const char *prefix, Mat *k);
/* fm_laplace_mesh_assemble - the values of K for a [blocks], the same on all ranks.
   Collective. */
PetscErrorCode fm_laplace_mesh_assemble(fm_laplace_mesh *mesh, const double *a, Mat k);

/* fm_laplace_mesh_measure - the matrix B from nodes to data: row (a-1) points + (b-1) is the
   bilinear interpolation at x = a/(points+1), y = b/(points+1), with no entry for a node on the
   boundary. Collective. The caller destroys. */
PetscErrorCode fm_laplace_mesh_measure(fm_laplace_mesh *mesh, PetscInt points, Mat *b);

/* fm_laplace_mesh_apply - r -= sum_k c_k K_k u over this rank's cells; u and r local. Rows of
   the boundary are not those of K. */
void fm_laplace_mesh_apply(const fm_laplace_mesh *mesh, const double *c, const double *u,
                           double *r);
/* fm_laplace_mesh_products - g_k -= lambda^T K_k u over this rank's cells; u and lambda local,
   0 on the boundary. */
void fm_laplace_mesh_products(const fm_laplace_mesh *mesh, const double *lambda,
                              const double *u, double *g);

#endif
