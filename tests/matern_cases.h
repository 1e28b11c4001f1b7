/* What the tests of the Matern field share: grids, and a dense copy of the field built here by
   its definition. */
#ifndef MATERN_CASES_H
#define MATERN_CASES_H

#include "fathom/matern.h"
#include "fathom/rng.h"
#include "image_cases.h"

#define MATERN_MOST 100 /* nodes of a dense case */

/* ---- a dense copy, by its definition ---- */

typedef struct matern_grid {
  int64_t rows, columns;
  double length[2];
} matern_grid;

static const matern_grid matern_grids[] = {{9, 11, {6, 4}}, {10, 10, {5, 5}},  {1, 12, {3, 4}},
                                           {7, 1, {20, 2}}, {2, 3, {0.7, 30}}, {1, 1, {5, 5}}};
#define MATERN_GRIDS (sizeof(matern_grids) / sizeof(matern_grids[0]))

static inline fm_matern *matern_create(const matern_grid *g) {
  fm_matern *m;

  fm_ok(fm_matern_create(PETSC_COMM_WORLD, g->rows, g->columns, g->length, &m));
  return m;
}

/* A face between nodes a and b lets conductance (u_a - u_b) through; b -1: the outside. */
static inline void matern_add_face(int64_t n, int64_t a, int64_t b, double conductance,
                                   double *matrix) {
  matrix[a * n + a] += conductance;
  if (b < 0) return;
  matrix[b * n + b] += conductance;
  matrix[a * n + b] -= conductance;
  matrix[b * n + a] -= conductance;
}

/* A from the balance of each cell: half a cell of conductivity l^2 and Robin's l / 1.42 in
   series at the edges. */
static inline void matern_dense_a(const matern_grid *g, double *matrix) {
  const int64_t n = g->rows * g->columns, count[2] = {g->rows, g->columns};
  const int64_t stride[2] = {g->columns, 1};

  memset(matrix, 0, (size_t)(n * n) * sizeof(*matrix));
  for (int64_t k = 0; k < n; k++) {
    const int64_t at[2] = {k / g->columns, k % g->columns};

    matrix[k * n + k] += 1;
    for (int d = 0; d < 2; d++) {
      const double l = g->length[d] / sqrt(8), edge = 1 / (0.5 / (l * l) + 1.42 / l);

      if (count[d] == 1) continue;
      if (at[d] == 0) matern_add_face(n, k, -1, edge, matrix);
      if (at[d] < count[d] - 1)
        matern_add_face(n, k, k + stride[d], l * l, matrix);
      else
        matern_add_face(n, k, -1, edge, matrix);
    }
  }
}

/* inverse = A^-1, d = D, covariance = D A^-2 D; returns log det A. */
static inline double matern_dense(const matern_grid *g, double *inverse, double *d,
                                  double *covariance) {
  const int64_t n = g->rows * g->columns;
  static double l[MATERN_MOST * MATERN_MOST];
  double log_det;

  matern_dense_a(g, l);
  log_det = image_cholesky(n, l);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) inverse[i * n + j] = i == j;
    image_solve(n, l, inverse + i * n);
  }
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      covariance[i * n + j] = 0;
      for (int64_t k = 0; k < n; k++)
        covariance[i * n + j] += inverse[i * n + k] * inverse[j * n + k];
    }
  for (int64_t i = 0; i < n; i++) d[i] = 1 / sqrt(covariance[i * n + i]);
  for (int64_t i = 0; i < n * n; i++) covariance[i] *= d[i / n] * d[i % n];
  return log_det;
}

/* A grid of the size that is used. */
static const matern_grid matern_usual = {96, 192, {12, 16}};

static inline double matern_dot(int64_t n, const double *a, const double *b) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

#endif
