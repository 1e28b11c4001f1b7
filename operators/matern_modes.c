/* Subspace iteration with Rayleigh and Ritz and Chebyshev's filter: the block X is made
   orthonormal, X^T C X = U Lambda U^T; X U and Lambda are the pairs, and T_m(2 C / a - 1) X U
   is the next block, a the least of Lambda: what is not in the block shrinks, the rest grows.
   */
#include "fathom/lapack.h"
#include "fathom/matern.h"
#include "fathom/rng.h"
#include <math.h>
#include <petscblaslapack.h>

#define RESIDUAL 1e-8 /* of C phi - lambda phi */
#define FLOOR 1e-5    /* of the largest lambda: below it C itself is rounded too much */
#define GROWTH 1e5    /* most that the filter lets the first pair grow */
#define MOST_DEGREE 30
#define MOST_ITERATIONS 1000
#define EXTRA 8       /* columns beyond twice those asked for */
#define MOST_EXTRA 64 /* beyond those asked for */

/* Matrices [columns][n], a column a field. */
typedef struct block {
  fm_matern *matern;
  PetscBLASInt n, k, size; /* nodes, pairs asked for, columns of the block */
  double *x, *y, *z;
  double *ritz; /* [size][size], U */
  double *lambda;
} block;

/* The start is the same in both precisions. */
static PetscErrorCode block_create(fm_matern *matern, int64_t n, int64_t k, block *b) {
  const int64_t size = PetscMin(n, k + PetscMin(k + EXTRA, MOST_EXTRA));

  PetscFunctionBegin;
  b->matern = matern;
  PetscCall(PetscBLASIntCast((PetscInt)n, &b->n));
  PetscCall(PetscBLASIntCast((PetscInt)k, &b->k));
  PetscCall(PetscBLASIntCast((PetscInt)size, &b->size));
  PetscCall(fm_calloc(size * n, &b->x)); /* one by one: they change places */
  PetscCall(fm_calloc(size * n, &b->y));
  PetscCall(fm_calloc(size * n, &b->z));
  PetscCall(PetscMalloc2(size * size, &b->ritz, size, &b->lambda));
  for (int64_t j = 0; j < size; j++)
    fm_rng_uniform((fm_rng){0, FM_STREAM_CHECK}, 0, (uint64_t)j, (size_t)n, b->y + j * n);
  for (int64_t i = 0; i < size * n; i++) b->y[i] -= 0.5;
  PetscFunctionReturn(0);
}

static PetscErrorCode block_destroy(block *b) {
  PetscFunctionBegin;
  PetscCall(PetscFree(b->x));
  PetscCall(PetscFree(b->y));
  PetscCall(PetscFree(b->z));
  PetscCall(PetscFree2(b->ritz, b->lambda));
  PetscFunctionReturn(0);
}

/* x = an orthonormal basis of y's columns. */
static PetscErrorCode orthonormalise(block *b) {
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(b->x, b->y, (size_t)b->n * (size_t)b->size));
  PetscCall(fm_orthonormalize(b->size, b->n, b->x));
  PetscFunctionReturn(0);
}

/* to = C from. */
static PetscErrorCode multiply(const block *b, const double *from, double *to) {
  PetscFunctionBegin;
  for (int64_t j = 0; j < b->size; j++) {
    PetscCall(fm_matern_colour_transpose(b->matern, from + j * b->n, to + j * b->n));
    PetscCall(fm_matern_colour(b->matern, to + j * b->n, to + j * b->n));
  }
  PetscFunctionReturn(0);
}

/* v = v U, by way of z. */
static void rotate(block *b, double **v) {
  const double one = 1, zero = 0;
  double *turned = b->z;

  BLASgemm_("N", "N", &b->n, &b->size, &b->size, &one, *v, &b->n, b->ritz, &b->size, &zero,
            turned, &b->n);
  b->z = *v;
  *v = turned;
}

/* LAPACK's eigenvalues ascend: the columns change places. */
static void descend(block *b) {
  const int64_t size = b->size;

  for (int64_t j = 0; 2 * j < size - 1; j++) {
    const double kept = b->lambda[j];

    b->lambda[j] = b->lambda[size - 1 - j];
    b->lambda[size - 1 - j] = kept;
    for (int64_t i = 0; i < size; i++) {
      const double entry = b->ritz[j * size + i];

      b->ritz[j * size + i] = b->ritz[(size - 1 - j) * size + i];
      b->ritz[(size - 1 - j) * size + i] = entry;
    }
  }
}

static PetscErrorCode rayleigh_ritz(block *b) {
  const double one = 1, zero = 0;

  PetscFunctionBegin;
  BLASgemm_("T", "N", &b->size, &b->size, &b->n, &one, b->x, &b->n, b->y, &b->n, &zero, b->ritz,
            &b->size);
  PetscCall(fm_eigenpairs(b->size, b->ritz, b->lambda));
  descend(b);
  rotate(b, &b->x);
  rotate(b, &b->y);
  PetscFunctionReturn(0);
}

/* The largest |C phi - lambda phi| of the pairs asked for, over lambda. */
static double residual(const block *b) {
  double worst = 0;

  for (int64_t j = 0; j < b->k; j++) {
    double square = 0;

    for (int64_t i = j * b->n; i < (j + 1) * b->n; i++)
      square += PetscSqr(b->y[i] - b->lambda[j] * b->x[i]);
    worst = PetscMax(worst, sqrt(square) / (b->lambda[j] + FLOOR * b->lambda[0]));
  }
  return worst;
}

/* The m with T_m(t) <= GROWTH, t that of the first pair. */
static int degree(double t) {
  const double m = acosh(GROWTH) / acosh(PetscMax(t, 1 + 1e-6));

  return (int)PetscMax(1, PetscMin(m, MOST_DEGREE));
}

/* y = T_m(2 C / a - 1) x, where y = C x before: T_m+1 = 2 (2 C / a - 1) T_m - T_m-1. */
static PetscErrorCode chebyshev(block *b) {
  const double a = PetscMax(b->lambda[b->size - 1], 1e-12 * b->lambda[0]);
  const int64_t entries = (int64_t)b->n * b->size;
  const int m = degree(2 * b->lambda[0] / a - 1);

  PetscFunctionBegin;
  for (int64_t i = 0; i < entries; i++) b->y[i] = 2 / a * b->y[i] - b->x[i];
  for (int j = 1; j < m; j++) {
    double *oldest = b->x;

    PetscCall(multiply(b, b->y, b->z));
    for (int64_t i = 0; i < entries; i++) oldest[i] = 4 / a * b->z[i] - 2 * b->y[i] - oldest[i];
    b->x = b->y;
    b->y = oldest;
  }
  PetscFunctionReturn(0);
}

/* mode = sqrt(lambda) phi, its sign that of the first entry as large as any, where rounding
   does not choose between entries that symmetry makes equal in size. */
static void write_mode(int64_t n, double lambda, const double *phi, double *mode) {
  double most = 0, factor = sqrt(lambda);
  int64_t i = 0;

  for (int64_t j = 0; j < n; j++) most = PetscMax(most, fabs(phi[j]));
  while (fabs(phi[i]) < (1 - 1e-4) * most) i++;
  if (phi[i] < 0) factor = -factor;
  for (int64_t j = 0; j < n; j++) mode[j] = factor * phi[j];
}

static PetscErrorCode iterate(block *b) {
  int iterations = 0;

  PetscFunctionBegin;
  do {
    PetscCall(orthonormalise(b));
    PetscCall(multiply(b, b->x, b->y));
    PetscCall(rayleigh_ritz(b));
    if (residual(b) <= RESIDUAL) PetscFunctionReturn(0);
    PetscCall(chebyshev(b));
  } while (++iterations < MOST_ITERATIONS);
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_CONV_FAILED,
          "%d modes of the Matern field are not settled after %d iterations: residual %.3g",
          (int)b->k, iterations, residual(b));
}

PetscErrorCode fm_matern_modes(fm_matern *matern, int64_t k, double *modes, double *share) {
  int64_t rows, columns, n;
  double sum = 0;
  block b;

  PetscFunctionBegin;
  fm_matern_grid(matern, &rows, &columns);
  n = rows * columns;
  fm_check(k >= 1 && k <= n, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "%lld modes of a Matern field of %lldx%lld nodes: 1 to %lld are possible",
           (long long)k, (long long)rows, (long long)columns, (long long)n);
  PetscCall(block_create(matern, n, k, &b));
  PetscCall(iterate(&b));
  for (int64_t j = 0; j < k; j++) {
    write_mode(n, b.lambda[j], b.x + j * n, modes + j * n);
    sum += b.lambda[j] / (double)n;
  }
  PetscCall(block_destroy(&b));
  if (share) *share = sum;
  PetscFunctionReturn(0);
}
