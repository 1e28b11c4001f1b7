/* Fits of a Gaussian: against the density that rows were drawn from, and by hand. */
#include "fathom/gaussian_fit.h"
#include "fathom/rng.h"
#include "fm_test.h"

#define N 6
#define ROWS 20000
#define RHO 0.8

/* x_k = 10 k + (k + 1) s_k, s an AR(1) sequence of correlation RHO, and its exact -log p */
static double draw(uint64_t index, double *x) {
  fm_real z[N];
  double s = 0, sum = 0.5 * N * log(2 * PETSC_PI);

  fm_rng_normal((fm_rng){4, FM_STREAM_CHECK}, 0, index, N, z);
  for (int k = 0; k < N; k++) {
    const double fresh = k ? sqrt(1 - RHO * RHO) : 1;

    s = (k ? RHO * s : 0) + fresh * (double)z[k];
    x[k] = 10. * k + (k + 1) * s;
    sum += 0.5 * (double)z[k] * (double)z[k] + log(fresh * (k + 1));
  }
  return sum;
}

static void the_fit_is_the_density_of_the_rows(void **state) {
  double *x, held[N], exact = 0, found = 0, alone = 0;
  fm_gaussian_fit *fit, *diagonal;

  fm_ok(fm_calloc((int64_t)ROWS * N, &x));
  for (int i = 0; i < ROWS; i++) draw((uint64_t)i, x + (size_t)i * N);
  fm_ok(fm_gaussian_fit_create(ROWS, N, x, -1, &fit));
  fm_ok(fm_gaussian_fit_create(ROWS, N, x, 1, &diagonal));
  assert_true(fit->share <= 0.02);
  assert_null(diagonal->factor);
  for (int i = 0; i < 1000; i++) {
    exact += draw((uint64_t)(ROWS + i), held) / 1000;
    found += fm_gaussian_fit_nll(fit, held) / 1000;
    alone += fm_gaussian_fit_nll(diagonal, held) / 1000;
  }
  /* the cost of .5 % of shrinkage and of 27 estimated numbers: below .02 nats */
  fm_near(found, exact, 0.02 / exact);
  /* without correlations: the mutual information more, -(N - 1)/2 log(1 - RHO^2) */
  fm_near(alone - exact, -(N - 1) * 0.5 * log(1 - RHO * RHO), 0.1);
  fm_ok(fm_gaussian_fit_destroy(&fit));
  fm_ok(fm_gaussian_fit_destroy(&diagonal));
  fm_ok(PetscFree(x));
}

/* Ten rows of (t, t + (-1)^i): mean, std and correlation by hand */
static void by_hand(void **state) {
  const double share = 0.3, at[2] = {1, -2};
  double x[20], m[2] = {4.5, 4.5}, s[2] = {0, 0}, r = 0, w[2], right;
  fm_gaussian_fit *fit;

  for (int i = 0; i < 10; i++) {
    x[2 * i] = i;
    x[2 * i + 1] = i + (i % 2 ? -1 : 1);
  }
  for (int i = 0; i < 10; i++)
    for (int k = 0; k < 2; k++) s[k] += pow(x[2 * i + k] - m[k], 2) / 10;
  for (int k = 0; k < 2; k++) s[k] = sqrt(s[k]);
  for (int i = 0; i < 10; i++)
    r += (x[2 * i] - m[0]) * (x[2 * i + 1] - m[1]) / (10 * s[0] * s[1]);
  r *= 1 - share;
  for (int k = 0; k < 2; k++) w[k] = (at[k] - m[k]) / s[k];
  right = log(2 * PETSC_PI) + log(s[0] * s[1]) + 0.5 * log(1 - r * r) +
          0.5 * (w[0] * w[0] - 2 * r * w[0] * w[1] + w[1] * w[1]) / (1 - r * r);
  fm_ok(fm_gaussian_fit_create(10, 2, x, share, &fit));
  fm_near(fm_gaussian_fit_nll(fit, at), right, 1e-12);
  fm_ok(fm_gaussian_fit_destroy(&fit));
  fm_expect_error(fm_gaussian_fit_create(9, 2, x, share, &fit), "10 rows or more, not 9");
}

/* Fewer rows than unknowns, one of which never varies: there is a density yet. */
static void few_rows_have_a_density(void **state) {
  enum { MANY = 40, FEW = 15 };
  static double x[FEW * MANY];
  fm_real z[MANY];
  fm_gaussian_fit *fit;

  for (int i = 0; i < FEW; i++) {
    fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, (uint64_t)i, MANY, z);
    for (int k = 0; k < MANY; k++) x[i * MANY + k] = k == 7 ? 3 : (double)z[k];
  }
  fm_ok(fm_gaussian_fit_create(FEW, MANY, x, -1, &fit));
  assert_true(fit->share > 0.1 && fit->share <= 1);
  assert_true(isfinite(fm_gaussian_fit_nll(fit, x)) && fit->std[7] == 1);
  fm_ok(fm_gaussian_fit_destroy(&fit));
}

FM_TEST_MAIN(cmocka_unit_test(the_fit_is_the_density_of_the_rows), cmocka_unit_test(by_hand),
             cmocka_unit_test(few_rows_have_a_density))
