/* Smoothing and averaging of models against closed forms: what they do to cosines. */
#include "cli/resample.h"
#include "fm_test.h"

#define ROWS 24
#define COLUMNS 40

static double mode(int64_t k, int64_t i, int64_t n) {
  return cos(PETSC_PI * (double)k * ((double)i + 0.5) / (double)n);
}

static void fill(int64_t p, int64_t q, double *a) {
  for (int64_t i = 0; i < ROWS * COLUMNS; i++)
    a[i] = 3 + mode(p, i / COLUMNS, ROWS) * mode(q, i % COLUMNS, COLUMNS);
}

/* exp(-(pi k std / n)^2 / 2), edges included, and the mean stays */
static void a_gaussian_scales_cosines(void **state) {
  const double std[2] = {1.7, 3.1};
  static double a[ROWS * COLUMNS];

  for (int64_t k = 0; k < 6; k++) {
    const double z = PETSC_PI * (double)k * std[0] / ROWS;
    const double x = PETSC_PI * 2 * (double)k * std[1] / COLUMNS;
    const double factor = exp(-(z * z + x * x) / 2);

    fill(k, 2 * k, a);
    fm_ok(fm_smooth(ROWS, COLUMNS, std, a));
    for (int64_t i = 0; i < ROWS * COLUMNS; i++)
      fm_near(a[i], 3 + factor * mode(k, i / COLUMNS, ROWS) * mode(2 * k, i % COLUMNS, COLUMNS),
              2e-7);
  }
}

/* wider than the model: only its mean is left */
static void a_wide_gaussian_leaves_the_mean(void **state) {
  const double std[2] = {200, 300};
  static double a[ROWS * COLUMNS];

  fill(1, 1, a);
  fm_ok(fm_smooth(ROWS, COLUMNS, std, a));
  for (int64_t i = 0; i < ROWS * COLUMNS; i++) fm_near(a[i], 3, 1e-9);
}

/* of three: (1 + 2 cos w) / 3; of two, ends with half weight: (1 + cos w) / 2 */
static void averages(void **state) {
  static double a[ROWS * COLUMNS], b[ROWS * COLUMNS];
  const double w = PETSC_PI * 5 / ROWS;

  fill(5, 0, a);
  fm_ok(fm_average(ROWS, COLUMNS, 3, a, b));
  for (int64_t r = 0; r < 8; r++)
    for (int64_t k = 0; k < 14; k++)
      fm_near(b[r * 14 + k], 3 + (1 + 2 * cos(w)) / 3 * mode(5, 3 * r, ROWS), 1e-12);
  fm_ok(fm_average(ROWS, COLUMNS, 2, a, b));
  for (int64_t r = 0; r < 12; r++)
    fm_near(b[r * 20 + 19], 3 + (1 + cos(w)) / 2 * mode(5, 2 * r, ROWS), 1e-12);
}

/* exact for what is bilinear, the last node included */
static void interpolation(void **state) {
  static double a[ROWS * COLUMNS], b[16 * 27];
  const double step[2] = {23. / 15, 1.5};
  const int64_t to[2] = {16, 27};

  for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
    const double z = (double)(i / COLUMNS), x = (double)(i % COLUMNS);

    a[i] = 1 + 2 * z - 3 * x + 0.5 * z * x;
  }
  fm_interpolate(ROWS, COLUMNS, a, step, to, b);
  for (int64_t i = 0; i < 16 * 27; i++) {
    const double z = (double)(i / 27) * step[0], x = (double)(i % 27) * step[1];

    fm_near(b[i], 1 + 2 * z - 3 * x + 0.5 * z * x, 1e-12);
  }
}

FM_TEST_MAIN(cmocka_unit_test(a_gaussian_scales_cosines),
             cmocka_unit_test(a_wide_gaussian_leaves_the_mean), cmocka_unit_test(averages),
             cmocka_unit_test(interpolation))
