/* The Matern field against dense algebra on a matrix built by its definition and against its
   law in the plane; the two log determinants; bad input. */
#include "../operators/matern_impl.h"
#include "matern_cases.h"

typedef PetscErrorCode (*map)(fm_matern *, const double *, double *);

/* matrix[n][n], its columns map(e_j). */
static void columns_of(fm_matern *m, map f, int64_t n, double *matrix) {
  double in[MATERN_MOST], out[MATERN_MOST];

  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < n; i++) in[i] = i == j;
    fm_ok(f(m, in, out));
    for (int64_t i = 0; i < n; i++) matrix[i * n + j] = out[i];
  }
}

static void same(int64_t count, const double *a, const double *b, double tolerance) {
  double most = 0;

  for (int64_t i = 0; i < count; i++) most = fmax(most, fabs(b[i]));
  for (int64_t i = 0; i < count; i++) fm_near(a[i] / most, b[i] / most, tolerance);
}

static void transpose(int64_t n, const double *a, double *t) {
  for (int64_t i = 0; i < n * n; i++) t[i] = a[i % n * n + i / n];
}

/* ---- the matrices ---- */

static void check_matrices(const matern_grid *g) {
  const int64_t n = g->rows * g->columns;
  static double inverse[MATERN_MOST * MATERN_MOST], covariance[MATERN_MOST * MATERN_MOST],
      expected[MATERN_MOST * MATERN_MOST];
  static double colour[MATERN_MOST * MATERN_MOST], other[MATERN_MOST * MATERN_MOST];
  double d[MATERN_MOST];
  fm_matern *m = matern_create(g);

  matern_dense(g, inverse, d, covariance);
  for (int64_t i = 0; i < n * n; i++) expected[i] = d[i / n] * inverse[i];
  columns_of(m, fm_matern_colour, n, colour);
  same(n * n, colour, expected, 1e-13);
  columns_of(m, fm_matern_colour_transpose, n, other);
  transpose(n, expected, colour);
  same(n * n, other, colour, 1e-13);
  matern_dense_a(g, expected);
  for (int64_t i = 0; i < n * n; i++) expected[i] /= d[i % n];
  columns_of(m, fm_matern_whiten, n, colour);
  same(n * n, colour, expected, 1e-13);
  columns_of(m, fm_matern_whiten_transpose, n, other);
  transpose(n, expected, colour);
  same(n * n, other, colour, 1e-13);
  fm_ok(fm_matern_destroy(&m));
  assert_null(m);
}

static void matrices(void **state) {
  for (size_t k = 0; k < MATERN_GRIDS; k++) check_matrices(&matern_grids[k]);
}

/* colour colour^T = C, 1 on its diagonal: what the draws of colour w have. */
static void check_covariance(const matern_grid *g) {
  const int64_t n = g->rows * g->columns;
  static double inverse[MATERN_MOST * MATERN_MOST], covariance[MATERN_MOST * MATERN_MOST];
  double d[MATERN_MOST], e[MATERN_MOST];
  fm_matern *m = matern_create(g);

  matern_dense(g, inverse, d, covariance);
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < n; i++) e[i] = i == j;
    fm_ok(fm_matern_colour_transpose(m, e, e));
    fm_ok(fm_matern_colour(m, e, e));
    fm_near(e[j], 1, 1e-13);
    for (int64_t i = 0; i < n; i++) fm_near(e[i], covariance[i * n + j], 1e-13);
  }
  fm_ok(fm_matern_destroy(&m));
}

static void covariance_is_dense(void **state) {
  for (size_t k = 0; k < MATERN_GRIDS; k++) check_covariance(&matern_grids[k]);
}

static void log_determinant(void **state) {
  static double inverse[MATERN_MOST * MATERN_MOST], covariance[MATERN_MOST * MATERN_MOST];
  double d[MATERN_MOST], expected, factor;

  for (size_t k = 0; k < MATERN_GRIDS; k++) {
    const int64_t n = matern_grids[k].rows * matern_grids[k].columns;
    fm_matern *m = matern_create(&matern_grids[k]);

    expected = matern_dense(&matern_grids[k], inverse, d, covariance);
    for (int64_t i = 0; i < n; i++) expected -= log(d[i]);
    fm_near(fm_matern_log_det(m), expected, 1e-13);
    fm_ok(fm_matern_factor_log_det(m, &factor));
    fm_near(factor, expected, 1e-13);
    fm_ok(fm_matern_destroy(&m));
  }
}

/* ---- a grid of the size that is used ---- */

static void draw(uint64_t name, int64_t n, double *v) {
  fm_rng_uniform((fm_rng){2, FM_STREAM_CHECK}, 0, name, (size_t)n, v);
  for (int64_t i = 0; i < n; i++) v[i] -= 0.5;
}

/* whiten colour = 1, both ways, and the two transposes by the dot test. */
static void large_round_trip_and_dots(void **state) {
  const int64_t n = matern_usual.rows * matern_usual.columns;
  fm_matern *m = matern_create(&matern_usual);
  double *a, *b, *c, factor;

  fm_ok(PetscMalloc3(n, &a, n, &b, n, &c));
  draw(1, n, a);
  draw(2, n, b);
  fm_ok(fm_matern_colour(m, a, c));
  const double coloured = matern_dot(n, c, b);
  fm_ok(fm_matern_whiten(m, c, c));
  same(n, c, a, 1e-12);
  fm_ok(fm_matern_colour_transpose(m, b, c));
  fm_near(matern_dot(n, a, c), coloured, 1e-12);
  fm_ok(fm_matern_whiten_transpose(m, c, c));
  same(n, c, b, 1e-12);
  fm_ok(fm_matern_whiten(m, a, c));
  const double whitened = matern_dot(n, c, b);
  fm_ok(fm_matern_whiten_transpose(m, b, c));
  fm_near(matern_dot(n, a, c), whitened, 1e-12);
  fm_ok(fm_matern_factor_log_det(m, &factor));
  fm_near(fm_matern_log_det(m), factor, 1e-12);
  fm_ok(PetscFree3(a, b, c));
  fm_ok(fm_matern_destroy(&m));
}

static void bits_are_repeated(void **state) {
  const int64_t n = matern_usual.rows * matern_usual.columns;
  fm_matern *m = matern_create(&matern_usual), *again = matern_create(&matern_usual);
  double *w, *a, *b;

  fm_ok(PetscMalloc3(n, &w, n, &a, n, &b));
  draw(3, n, w);
  fm_ok(fm_matern_colour(m, w, a));
  fm_ok(fm_matern_colour(again, w, b));
  assert_memory_equal(a, b, (size_t)n * sizeof(*a));
  assert_true(fm_matern_log_det(m) == fm_matern_log_det(again));
  fm_ok(PetscFree3(w, a, b));
  fm_ok(fm_matern_destroy(&m));
  fm_ok(fm_matern_destroy(&again));
}

/* row[n]: the covariance of node k with each. */
static void row_of(fm_matern *m, int64_t n, int64_t k, double *row) {
  memset(row, 0, (size_t)n * sizeof(*row));
  row[k] = 1;
  fm_ok(fm_matern_colour_transpose(m, row, row));
  fm_ok(fm_matern_colour(m, row, row));
}

/* Variance 1 at corners, edges and inside of a large grid. */
static void unit_variance_everywhere(void **state) {
  const int64_t nz = matern_usual.rows, nx = matern_usual.columns, n = nz * nx;
  const int64_t nodes[] = {
      0, nx - 1, n - nx, n - 1, nx / 2, nx * (nz / 2), nx * (nz / 2) + 96, 3 * nx + 5};
  fm_matern *m = matern_create(&matern_usual);
  double *row;

  fm_ok(PetscMalloc1(n, &row));
  for (size_t k = 0; k < sizeof(nodes) / sizeof(nodes[0]); k++) {
    row_of(m, n, nodes[k], row);
    fm_near(row[nodes[k]], 1, 1e-12);
  }
  fm_ok(PetscFree(row));
  fm_ok(fm_matern_destroy(&m));
}

/* ---- the law in the plane ---- */

/* t K_1(t), K_1(t) = integral of exp(-t cosh u) cosh u over u > 0, by the trapezoidal rule,
   which converges geometrically. */
static double law(double t) {
  const double h = 1. / 64;
  double sum = 0.5 * exp(-t);

  if (t == 0) return 1;
  for (int k = 1; k < 64 * 12; k++) {
    const double c = cosh(k * h);

    sum += exp(-t * c) * c;
  }
  return t * h * sum;
}

/* Handbook of Mathematical Functions (Abramowitz and Stegun), table 9.8: e^x K_1(x) is
   2.7310097082 at 0.5, 1.6361534863 at 1 and 1.0334768471 at 2. */
static void bessel_function(void **state) {
  fm_near(law(0.5), 0.5 * exp(-0.5) * 2.7310097082, 1e-9);
  fm_near(law(1), exp(-1) * 1.6361534863, 1e-9);
  fm_near(law(2), 2 * exp(-2) * 1.0334768471, 1e-9);
}

/* The largest difference of the correlations of the node in the middle and the law, and that of
   the variance of A^-1 w and 1 / (4 pi l_0 l_1), relative. */
static void law_errors(const matern_grid *g, double *correlation, double *variance) {
  const int64_t n = g->rows * g->columns, middle = n / 2;
  const double l[2] = {g->length[0] / sqrt(8), g->length[1] / sqrt(8)};
  fm_matern *m = matern_create(g);
  double *row;

  fm_ok(PetscMalloc1(n, &row));
  row_of(m, n, middle, row);
  *correlation = 0;
  for (int64_t k = 0; k < n; k++) {
    const double z = (double)(k / g->columns - g->rows / 2) / l[0];
    const double x = (double)(k % g->columns - g->columns / 2) / l[1];

    *correlation = fmax(*correlation, fabs(row[k] - law(sqrt(z * z + x * x))));
  }
  *variance = fabs(4 * PETSC_PI * l[0] * l[1] / (m->d[middle] * m->d[middle]) - 1);
  fm_ok(PetscFree(row));
  fm_ok(fm_matern_destroy(&m));
}

/* Their error falls as h^2 log(1/h) with the distance h of the nodes in correlation lengths: at
   16 and 24 nodes a length it is 1.1 % of a correlation at most. */
static void matern_in_the_plane(void **state) {
  const matern_grid coarse = {65, 97, {8, 12}}, fine = {129, 193, {16, 24}};
  double c[2], v[2];

  law_errors(&coarse, &c[0], &v[0]);
  law_errors(&fine, &c[1], &v[1]);
  fm_near(law(sqrt(8)), 0.1396674740, 1e-9); /* at r = length */
  assert_true(c[1] < 0.011 && v[1] < 0.0145);
  assert_true(c[0] / c[1] > 2.5 && c[0] / c[1] < 4);
  assert_true(v[0] / v[1] > 2.5 && v[0] / v[1] < 4);
}

/* What D has to correct: the variance of A^-1 w at the middle of an edge and in a corner over
   that inside, which without flux (Neumann) would be 1.96 and 3.83; and the largest difference
   of the correlations of a node on the edge with those in its row and column from the law. */
static void edges_are_near_the_plane(void **state) {
  const matern_grid g = {129, 193, {16, 16}};
  const int64_t nz = g.rows, nx = g.columns, n = nz * nx, edge = nx / 2;
  fm_matern *m = matern_create(&g);
  const double inside = m->d[(nz / 2) * nx + nx / 2], l = 16 / sqrt(8);
  double *row, most = 0;

  fm_ok(PetscMalloc1(n, &row));
  row_of(m, n, edge, row);
  for (int64_t i = 0; i < nz; i++)
    most = fmax(most, fabs(row[i * nx + edge] - law((double)i / l)));
  for (int64_t j = 0; j < nx; j++)
    most = fmax(most, fabs(row[j] - law(fabs((double)(j - edge)) / l)));
  fm_near(pow(inside / m->d[edge], 2), 0.942, 0.005);
  fm_near(pow(inside / m->d[0], 2), 1.001, 0.005);
  assert_true(most < 0.12);
  fm_ok(PetscFree(row));
  fm_ok(fm_matern_destroy(&m));
}

static void bad_input(void **state) {
  const double length[] = {5, 5}, long_one[] = {5, 20000};
  fm_matern *m = NULL;

  fm_expect_error(fm_matern_create(PETSC_COMM_WORLD, 10000, 2, length, &m), "1 to 8192 a side");
  fm_expect_error(fm_matern_create(PETSC_COMM_WORLD, 0, 2, length, &m), "1 to 8192 a side");
  fm_expect_error(fm_matern_create(PETSC_COMM_WORLD, 4, 2, long_one, &m), "at most 10000");
  assert_null(m);
}

FM_TEST_MAIN(cmocka_unit_test(matrices), cmocka_unit_test(covariance_is_dense),
             cmocka_unit_test(log_determinant), cmocka_unit_test(large_round_trip_and_dots),
             cmocka_unit_test(bits_are_repeated), cmocka_unit_test(unit_variance_everywhere),
             cmocka_unit_test(bessel_function), cmocka_unit_test(matern_in_the_plane),
             cmocka_unit_test(edges_are_near_the_plane), cmocka_unit_test(bad_input))
