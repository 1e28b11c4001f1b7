/* coordinates - the linear map s = B x from the unknown to a field at the nodes [nz][nx] of a
   model, by -acoustic_coordinates:

       nodes    s = x
       matern   s = D A^-1 w, the factor of a Matern covariance (matern.h): w ~ N(0, I) is a
                field of standard deviation 1 at each node
       modes    s = sum_k x_k sqrt(lambda_k) phi_k, the first -acoustic_modes terms of its
                Karhunen-Loeve expansion

   With -acoustic_informed FILE (of `fathom informed`: the leading eigenpairs v_k, lambda_k of
   the data's Hessian) the white unknown w of matern, or of modes, is

       w = W x,   W = (I + V Lambda V^T)^(-1/2) = I - V diag(1 - (1 + lambda_k)^(-1/2)) V^T

   so that a posterior that is nearly linear has covariance I nearly. Its prior is `informed`.
   Source: Cui et al., "Likelihood-informed dimension reduction for nonlinear inverse problems",
   Inverse Problems 30 (2014), whose subspace is V's. */
#ifndef FATHOM_COORDINATES_H
#define FATHOM_COORDINATES_H

#include "fathom/informed.h"
#include "fathom/matern.h"

typedef enum fm_coordinate_kind {
  FM_COORDINATES_NODES,
  FM_COORDINATES_MATERN,
  FM_COORDINATES_MODES
} fm_coordinate_kind;
#define FM_COORDINATES "nodes|matern|modes"

typedef struct fm_coordinates {
  fm_coordinate_kind kind;
  int64_t nz, nx, size;  /* size: of x */
  fm_matern *matern;     /* NULL: nodes */
  double *modes;         /* [size][nz][nx], NULL: no modes */
  double share;          /* of the variance that the modes have */
  fm_informed *informed; /* NULL: none */
  double *work;          /* [size] */
} fm_coordinates;

/* fm_coordinates_create - from the options, for a model of [nz][nx]. Collective on comm. Fails
   (user error) on options that do not fit. */
PetscErrorCode fm_coordinates_create(MPI_Comm comm, int64_t nz, int64_t nx,
                                     fm_coordinates **coordinates);
PetscErrorCode fm_coordinates_destroy(fm_coordinates **coordinates);

/* fm_coordinates_map - s [nz][nx] = B x [size]; _transpose - x_bar [size] = B^T s_bar. Not
   collective; cost: matern a sparse triangular solve each way, modes size times nodes. */
PetscErrorCode fm_coordinates_map(fm_coordinates *c, const double *x, double *s);
PetscErrorCode fm_coordinates_transpose(fm_coordinates *c, const double *s_bar, double *x_bar);

/* fm_coordinates_inverse - x with B x = s, where every s has one: PETSC_ERR_SUP with modes
   unless s = 0. */
PetscErrorCode fm_coordinates_inverse(fm_coordinates *c, const double *s, double *x);

#endif
