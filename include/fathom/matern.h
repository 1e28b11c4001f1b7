/* fm_matern - a Gaussian field of Whittle and Matern's law, smoothness nu = 1, on the nodes of
   a grid [rows][columns], of standard deviation 1 at every node, edges and corners included:

       s = D A^-1 w,   w ~ N(0, I),   A = I - div(H grad),   H = diag(l_0^2, l_1^2)

   in units of nodes, by cell-centred differences with a node in the middle of each cell; D is
   diagonal, 1 over the standard deviation of A^-1 w. The precision of s is
   Q = D^-1 A A D^-1 and its covariance C = D A^-2 D.

   `length` is the correlation length in nodes, along rows' direction (down a column) first and
   along a row second: l = length / sqrt(8 nu), so that two nodes `length` apart, far from the
   edges, are correlated by

       (r / l) K_1(r / l) = .14   at r = length   (K_1: modified Bessel function).

   At the edges Robin's condition l_i^2 du/dn + (l_i / 1.42) u = 0, half a node outside, keeps
   the variance of A^-1 w at edges and corners within some per cent of that inside, and D does
   the rest; a node on an edge is correlated with others up to .12 otherwise than in the plane.
   A side of one node has no condition. The differences change correlations by .03 at most at 8
   nodes a length and by .011 at 16, and less for more.
   What is on one rank is on each: every rank computes all, without messages, the same bits.
   Sources: Lindgren, Rue and Lindstrom, J. R. Stat. Soc. B 73 (2011), section 2, whose range is
   sqrt(8 nu) / kappa; Robin's condition, 1.42: Roininen, Huttunen and Lasanen, Inverse Problems
   and Imaging 8 (2014); Robin's condition and scaling by the variance: Daon and Stadler, the
   same 12 (2018). */
#ifndef FATHOM_MATERN_H
#define FATHOM_MATERN_H

#include "fathom/options.h"

typedef struct fm_matern fm_matern;

/* -matern_correlation; declared by fm_operators_declare_options and by fm_matern_read. */
extern const fm_option fm_matern_options[];

/* fm_matern_create - assemble and factorise. comm only raises errors; to be called on all its
   ranks. Fails (user error) on a length outside 0 (excluded) to 10,000 nodes and on a side of
   more than 8,192 nodes. Cost: a sparse Cholesky factor (some 30 n log n bytes) and the
   eigenvectors of one matrix a side; 96x192: see unit_matern. */
PetscErrorCode fm_matern_create(MPI_Comm comm, int64_t rows, int64_t columns,
                                const double length[2], fm_matern **matern);
/* fm_matern_read - the same with the length of -matern_correlation, L or L_ROWS,L_COLUMNS. */
PetscErrorCode fm_matern_read(MPI_Comm comm, int64_t rows, int64_t columns, fm_matern **matern);
PetscErrorCode fm_matern_destroy(fm_matern **matern);

void fm_matern_grid(const fm_matern *matern, int64_t *rows, int64_t *columns);
void fm_matern_length(const fm_matern *matern, double length[2]);

/* Arrays are [rows][columns]; in and out may be the same. Not collective. Cost: one solve with
   the factor to colour, a product with A to whiten. */
/* fm_matern_colour - s = D A^-1 w; _transpose - w_bar = A^-1 D s_bar. */
PetscErrorCode fm_matern_colour(fm_matern *matern, const double *w, double *s);
PetscErrorCode fm_matern_colour_transpose(fm_matern *matern, const double *s_bar,
                                          double *w_bar);
/* fm_matern_whiten - w = A D^-1 s, the inverse of colour; _transpose - s_bar = D^-1 A w_bar. */
PetscErrorCode fm_matern_whiten(fm_matern *matern, const double *s, double *w);
PetscErrorCode fm_matern_whiten_transpose(fm_matern *matern, const double *w_bar,
                                          double *s_bar);

/* fm_matern_log_det - log |det dw/ds| = log det A - log det D, exact. Free. */
double fm_matern_log_det(const fm_matern *matern);

/* fm_matern_modes - the first k terms of the Karhunen-Loeve expansion of s: modes[i] =
   sqrt(lambda_i) phi_i, C phi_i = lambda_i phi_i, |phi_i| = 1, lambda_1 >= lambda_2 >= ...; the
   first entry near the largest in size is positive. *share = sum lambda_i / n, of the variance;
   may be NULL.

   modes  out  [k][rows][columns]
   Fails (user error) unless 1 <= k <= rows columns. Each pair has |C phi_i - lambda_i phi_i| <=
   1e-8 (lambda_i + 1e-5 lambda_1). Not collective. Cost: some hundred times k solves with the
   factor; memory: 6 k + 24 arrays, at most 3 k + 192.
   Source: subspace iteration with Rayleigh-Ritz and Chebyshev's filter, Saad, "Numerical
   methods for large eigenvalue problems" (2011), chapters 5 and 7. */
PetscErrorCode fm_matern_modes(fm_matern *matern, int64_t k, double *modes, double *share);

#endif
