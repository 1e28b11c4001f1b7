/* Calibration against numbers of scipy (1.10) and against exact and wrong Gaussian posteriors.
   */
#include "fathom/calibration.h"
#include "fathom/rng.h"
#include "fm_test.h"
#include <math.h>

/* scipy.stats.chi2.sf */
static void tail_of_chi_square(void **state) {
  fm_near(fm_chi2_survival(3, 1), 0.0832645166635504, 1e-13);
  fm_near(fm_chi2_survival(3, 2), 0.22313016014843, 1e-13);
  fm_near(fm_chi2_survival(11.07, 5), 0.0500096186224054, 1e-13);
  fm_near(fm_chi2_survival(16.92, 9), 0.0499836063875056, 1e-13);
  fm_near(fm_chi2_survival(30, 10), 0.000856641210775301, 1e-13);
  assert_true(fm_chi2_survival(0, 9) == 1);
}

/* The integral of (F - step)^2 by scipy.integrate.quad. */
static void score_of_a_gaussian(void **state) {
  fm_near(fm_crps_gaussian(0, 1, 0), 0.233694977255, 1e-10);
  fm_near(fm_crps_gaussian(0, 1, 1), 0.602441357628, 1e-10);
  fm_near(fm_crps_gaussian(1.5, 2, -3), 3.38855918635, 1e-10);
  fm_near(fm_crps_gaussian(3.14, 0.4, 3.3), 0.118675236139, 1e-10);
}

/* Of five numbers by the double sum, and unbiased: few samples score as many do. */
static void score_of_an_ensemble(void **state) {
  const double sorted[] = {-1.2, 0.1, 0.3, 0.9, 2.2};
  double mean = 0;

  fm_near(fm_crps_ensemble(5, sorted, 0.5), 0.12, 1e-13);
  for (uint64_t k = 0; k < 40000; k++) {
    fm_real z[2];
    double v[2];

    fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, k, 2, z);
    v[0] = (double)(z[0] < z[1] ? z[0] : z[1]);
    v[1] = (double)(z[0] < z[1] ? z[1] : z[0]);
    mean += fm_crps_ensemble(2, v, 1) / 40000;
  }
  fm_near(mean, fm_crps_gaussian(0, 1, 1), 0.02);
}

/* Uniform ranks give p exactly, whatever the number of samples. */
static void coverage_of_uniform_ranks(void **state) {
  for (int64_t count = 2; count < 120; count += 13) {
    double half = 0, most = 0;

    for (int64_t r = 0; r <= count; r++) {
      half += fm_rank_coverage((double)r, count, 0.5) / ((double)count + 1);
      most += fm_rank_coverage((double)r, count, 0.95) / ((double)count + 1);
    }
    fm_near(half, 0.5, 1e-13);
    fm_near(most, 0.95, 1e-13);
  }
  assert_true(fm_rank_coverage(0, 100, 0.95) == 0);
  assert_true(fm_rank_coverage(50, 100, 0.5) == 1);
}

/* ---- models: truth ~ N(mean, 1), samples ~ N(mean, factor^2); the prior is N(0, 2^2) ---- */

enum { MODELS = 40, N = 60, SAMPLES = 50 };

typedef struct pooled {
  double rms, c50, c95, crps, prior, low50, high50;
} pooled;

static pooled of_models(double factor, double shift) {
  const fm_prior_samples prior = {.mean = 0, .std = 2};
  static double x[SAMPLES * N], truth[N], z[N], rank[N], cover[MODELS];
  static fm_real draw[(SAMPLES + 2) * N];
  pooled p = {0};

  for (uint64_t m = 0; m < MODELS; m++) {
    fm_calibrated c;

    fm_rng_normal((fm_rng){2, FM_STREAM_CHECK}, 0, m, (SAMPLES + 2) * N, draw);
    for (int i = 0; i < N; i++) {
      const double mean = sqrt(3.) * (double)draw[SAMPLES * N + i];

      truth[i] = mean + (double)draw[(SAMPLES + 1) * N + i];
      for (int s = 0; s < SAMPLES; s++)
        x[s * N + i] = mean + shift + factor * (double)draw[s * N + i];
    }
    fm_ok(fm_calibrate_model(SAMPLES, N, x, truth, &prior, z, rank, &c));
    assert_int_equal(c.used, N);
    p.rms += c.square_z / MODELS;
    p.c50 += (cover[m] = c.coverage_50) / MODELS;
    p.c95 += c.coverage_95 / MODELS;
    p.crps += c.crps / MODELS;
    p.prior += c.crps_prior / MODELS;
  }
  p.rms = sqrt(p.rms);
  fm_ok(fm_bootstrap_ratio(MODELS, cover, NULL, 3, &p.low50, &p.high50));
  return p;
}

/* E z^2 = (1 + 1/S) (S - 1)/(S - 3), E CRPS = std / sqrt(pi) where q = p, sqrt(prior variance /
   pi) of the prior. */
static void exact_posterior(void **state) {
  const pooled p = of_models(1, 0);

  fm_near(p.rms * p.rms, (1 + 1. / SAMPLES) * (SAMPLES - 1.) / (SAMPLES - 3.), 0.08);
  fm_near(p.c50, 0.5, 0.03);
  fm_near(p.c95, 0.95, 0.015);
  fm_near(p.crps, 1 / sqrt(PETSC_PI), 0.03);
  fm_near(p.prior, 2 / sqrt(PETSC_PI), 0.06);
  assert_true(p.low50 < 0.5 && p.high50 > 0.5);
}

/* Coverage of a std that is a factor too small: 2 Phi(factor z_p) - 1. */
static void std_too_small(void **state) {
  const pooled p = of_models(0.8, 0);

  fm_near(p.rms, 1 / 0.8, 0.06);
  fm_near(p.c50, erf(0.8 * 0.67448975 / sqrt(2.)), 0.03);
  fm_near(p.c95, erf(0.8 * 1.95996398 / sqrt(2.)), 0.02);
  assert_true(p.high50 < 0.5);
}

static void mean_shifted(void **state) {
  const pooled p = of_models(1, 1);

  fm_near(p.rms, sqrt(2.), 0.08);
  assert_true(p.high50 < 0.5);
}

/* A frozen unknown is left out; ranks count ties half. */
static void no_spread(void **state) {
  const double x[] = {1500, 1, 1500, 2, 1500, 3, 1500, 4}, truth[] = {1500, 2};
  const double draws[] = {0, 0, 1, 1, 2, 2};
  const fm_prior_samples prior = {.count = 3, .x = draws};
  double z[2], rank[2];
  fm_calibrated c;

  fm_ok(fm_calibrate_model(4, 2, x, truth, &prior, z, rank, &c));
  assert_int_equal(c.used, 1);
  assert_true(isnan(z[0]) && isnan(rank[0]));
  fm_near(z[1], -0.5 / sqrt(5. / 3), 1e-13);
  fm_near(rank[1], 1.5, 1e-13);
  fm_near(c.crps_prior, 1. - 8. / 12, 1e-13); /* |2-0|+|2-1|+0 over 3, less 8/(2 3 2) */
}

/* Copies of one unknown are one; independent ones are all kept. */
static void thinned(void **state) {
  static double x[200 * 20];
  static fm_real draw[200 * 20];
  int64_t found, index[20];

  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 0, 200 * 20, draw);
  for (int k = 0; k < 200 * 20; k++) x[k] = (double)draw[k];
  fm_ok(fm_calibrate_thin(200, 20, x, 1, 0, 20, &found, index));
  assert_true(found >= 18);
  for (int s = 0; s < 200; s++)
    for (int i = 0; i < 20; i++) x[s * 20 + i] = (double)draw[s * 20 + i % 2] * (i + 1);
  fm_ok(fm_calibrate_thin(200, 20, x, 1, 0, 20, &found, index));
  assert_int_equal(found, 2);
  assert_true(index[0] % 2 != index[1] % 2);
}

/* Half the models at 0, half at 1: the mean of n has std 1 / (2 sqrt(n)). */
static void bootstrap(void **state) {
  double v[64], low, high;

  for (int k = 0; k < 64; k++) v[k] = k % 2;
  fm_ok(fm_bootstrap_ratio(64, v, NULL, 1, &low, &high));
  fm_near(low, 0.5 - 1.96 / 16, 0.02);
  fm_near(high, 0.5 + 1.96 / 16, 0.02);
  fm_ok(fm_bootstrap_ratio(64, v, v, 1, &low, &high));
  assert_true(low == 1 && high == 1);
}

FM_TEST_MAIN(cmocka_unit_test(tail_of_chi_square), cmocka_unit_test(score_of_a_gaussian),
             cmocka_unit_test(score_of_an_ensemble),
             cmocka_unit_test(coverage_of_uniform_ranks), cmocka_unit_test(exact_posterior),
             cmocka_unit_test(std_too_small), cmocka_unit_test(mean_shifted),
             cmocka_unit_test(no_spread), cmocka_unit_test(thinned),
             cmocka_unit_test(bootstrap))
