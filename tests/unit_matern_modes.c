/* The modes of the Matern field against LAPACK's of a dense copy; on a large grid what defines
   them. */
#include "matern_cases.h"
#include <petscblaslapack.h>

/* All pairs of C by LAPACK, largest first: lambda[n], phi[n][n] with a row a pair. */
static void dense_modes(const matern_grid *g, double *lambda, double *phi) {
  static double inverse[MATERN_MOST * MATERN_MOST], c[MATERN_MOST * MATERN_MOST],
      work[40 * MATERN_MOST];
  const int64_t n = g->rows * g->columns;
  PetscBLASInt size = (PetscBLASInt)n, nwork = 40 * MATERN_MOST, info;
  double d[MATERN_MOST], ascending[MATERN_MOST];

  matern_dense(g, inverse, d, c);
  LAPACKsyev_("V", "U", &size, c, &size, ascending, work, &nwork, &info);
  assert_int_equal(info, 0);
  for (int64_t k = 0; k < n; k++) lambda[k] = ascending[n - 1 - k];
  for (int64_t k = 0; k < n; k++)
    memcpy(phi + k * n, c + (n - 1 - k) * n, (size_t)n * sizeof(*phi));
}

/* The share, the sizes, and the space that the modes of one lambda span: P mode = mode, P the
   sum of phi phi^T of the dense pairs within 1e-9. */
static void check_modes(const matern_grid *g, int64_t k) {
  const int64_t n = g->rows * g->columns;
  static double phi[MATERN_MOST * MATERN_MOST], modes[MATERN_MOST * MATERN_MOST];
  double lambda[MATERN_MOST], share, sum = 0;
  fm_matern *m = matern_create(g);

  dense_modes(g, lambda, phi);
  fm_ok(fm_matern_modes(m, k, modes, &share));
  for (int64_t i = 0; i < k; i++) {
    const double *mode = modes + i * n;
    double projected = 0;

    sum += lambda[i] / (double)n;
    fm_near(matern_dot(n, mode, mode) / lambda[i], 1, 1e-12);
    for (int64_t j = 0; j < n; j++)
      if (fabs(lambda[j] - lambda[i]) < 1e-9 * lambda[i])
        projected += pow(matern_dot(n, mode, phi + j * n), 2);
    fm_near(projected / lambda[i], 1, 1e-13);
    for (int64_t j = 0; j < i; j++)
      fm_near(matern_dot(n, mode, modes + j * n) / lambda[i], 0, 1e-12);
  }
  fm_near(share, sum, 1e-13);
  fm_ok(fm_matern_destroy(&m));
}

static void modes_are_those_of_lapack(void **state) {
  check_modes(&matern_grids[0], 1);
  check_modes(&matern_grids[0], 7);
  check_modes(&matern_grids[0], 99);
  check_modes(&matern_grids[1], 12); /* lambda in pairs, for the two sides are alike */
  check_modes(&matern_grids[2], 5);
  check_modes(&matern_grids[5], 1);
}

/* The largest entry is positive, the first of two that symmetry makes equal. */
static void modes_have_a_sign(void **state) {
  const int64_t n = 99, k = 12;
  static double modes[MATERN_MOST * MATERN_MOST];
  fm_matern *m = matern_create(&matern_grids[0]);

  fm_ok(fm_matern_modes(m, k, modes, NULL));
  for (int64_t i = 0; i < k; i++) {
    const double *mode = modes + i * n;
    int64_t j = 0;
    double most = 0;

    for (int64_t l = 0; l < n; l++) most = fmax(most, fabs(mode[l]));
    while (fabs(mode[j]) < most * (1 - 1e-6)) j++;
    assert_true(mode[j] > 0);
  }
  fm_ok(fm_matern_destroy(&m));
}

/* On a large grid: C mode = lambda mode to 1e-8, lambda falls, and the same bits twice. */
static void modes_of_a_large_grid(void **state) {
  const int64_t n = matern_usual.rows * matern_usual.columns, k = 16;
  fm_matern *m = matern_create(&matern_usual);
  double *modes, *again, *v, last = INFINITY;

  fm_ok(PetscMalloc3(k * n, &modes, k * n, &again, n, &v));
  fm_ok(fm_matern_modes(m, k, modes, NULL));
  fm_ok(fm_matern_modes(m, k, again, NULL));
  assert_memory_equal(modes, again, (size_t)(k * n) * sizeof(*modes));
  for (int64_t i = 0; i < k; i++) {
    const double lambda = matern_dot(n, modes + i * n, modes + i * n);

    assert_true(lambda <= last * (1 + 1e-9));
    last = lambda;
    fm_ok(fm_matern_colour_transpose(m, modes + i * n, v));
    fm_ok(fm_matern_colour(m, v, v));
    for (int64_t j = 0; j < n; j++) v[j] -= lambda * modes[i * n + j];
    fm_near(sqrt(matern_dot(n, v, v)) / (lambda * sqrt(lambda)), 0, 2e-8);
  }
  fm_ok(PetscFree3(modes, again, v));
  fm_ok(fm_matern_destroy(&m));
}

static void bad_count(void **state) {
  fm_matern *m = matern_create(&matern_grids[4]);
  double modes[8];

  fm_expect_error(fm_matern_modes(m, 7, modes, NULL), "1 to 6 are possible");
  fm_expect_error(fm_matern_modes(m, 0, modes, NULL), "1 to 6 are possible");
  fm_ok(fm_matern_destroy(&m));
}

FM_TEST_MAIN(cmocka_unit_test(modes_are_those_of_lapack), cmocka_unit_test(modes_have_a_sign),
             cmocka_unit_test(modes_of_a_large_grid), cmocka_unit_test(bad_count))
