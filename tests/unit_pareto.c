/* Pareto smoothed importance sampling against ArviZ (golds/convergence.py), and against what is
   known of Pareto tails. */
#include "fathom/pareto.h"
#include "gold_file.h"

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

/* As golds/convergence.py makes them. */
static double *log_weights(uint32_t seed, int count, double shape) {
  double *w = malloc((size_t)count * sizeof(double));
  gold_draws d = {seed};

  for (int s = 0; s < count; s++) {
    const double u = gold_uniform(&d);

    w[s] = shape > 0 ? -shape * log(u) : log(-log(u));
  }
  return w;
}

static void compare(const char *name, uint32_t seed, int count, double shape) {
  double *w = log_weights(seed, count, shape), gold[7], k, square = 0., sum = 0.;

  gold_table("pareto.txt", name, 7, gold);
  fm_ok(fm_pareto_smooth(count, w, &k));
  fm_near(k, gold[0], 1e-11);
  for (int s = 0; s < count; s++) sum += exp(w[s]);
  for (int s = 0; s < count; s++) square += exp(2 * w[s]);
  fm_near(sum, 1., 1e-12);
  qsort(w, (size_t)count, sizeof(*w), ascending);
  for (int i = 0; i < 5; i++) fm_near(w[count - 5 + i], gold[1 + i], 1e-11);
  fm_near(square / gold[6], 1., 1e-11);
  free(w);
}

static void figures_are_those_of_arviz(void **state) {
  compare("light", 11, 1000, 0.);
  compare("fair", 12, 1000, 0.4);
  compare("heavy", 13, 2000, 0.8);
  compare("hopeless", 14, 500, 1.5);
  compare("few", 15, 60, 0.5);
  compare("fewest", 16, 24, 0.5);
}

static void the_fit_is_that_of_arviz(void **state) {
  double x[100], gold[2], k, sigma;
  gold_draws d = {17};

  for (int i = 0; i < 100; i++) x[i] = 2.5 / 0.3 * (pow(gold_uniform(&d), -0.3) - 1);
  qsort(x, 100, sizeof(*x), ascending);
  gold_table("pareto.txt", "fit", 2, gold);
  fm_ok(fm_pareto_fit(100, x, &k, &sigma));
  fm_near(k, gold[0], 1e-11);
  fm_near(sigma, gold[1], 1e-11);
}

/* At the exact quantiles of a Pareto distribution the fit finds it. */
static void a_pareto_sample_is_found(void **state) {
  static const double shape[] = {-0.3, 0.2, 0.7, 1.1};
  enum { COUNT = 20000 };
  double *x = malloc(COUNT * sizeof(double)), k, sigma;

  for (int j = 0; j < 4; j++) {
    for (int i = 0; i < COUNT; i++)
      x[i] = 2.5 / shape[j] * (pow(1 - (i + 0.5) / COUNT, -shape[j]) - 1);
    fm_ok(fm_pareto_fit(COUNT, x, &k, &sigma));
    fm_near(k, shape[j], 0.01);
    fm_near(sigma, 2.5, 0.02);
  }
  free(x);
}

/* Equal weights, or a handful, leave no tail to fit: k-hat is infinite, nothing is smoothed. */
static void no_tail(void **state) {
  double equal[50], few[8] = {0, -1, 2, -3, 0.5, 1, -0.2, 0.1}, k, mean, se;

  for (int s = 0; s < 50; s++) equal[s] = 1.7;
  fm_ok(fm_pareto_smooth(50, equal, &k));
  assert_true(isinf(k));
  for (int s = 0; s < 50; s++) fm_near(equal[s], -log(50.), 1e-14);
  fm_ok(fm_pareto_smooth(8, few, &k));
  assert_true(isinf(k));
  fm_near(few[2] - few[3], 5., 1e-14);
  for (int s = 0; s < 50; s++) equal[s] = -log(50.);
  fm_weighted_mean(8,
                   (double[]){log(.5), log(.25), log(.25), -INFINITY, -INFINITY, -INFINITY,
                              -INFINITY, -INFINITY},
                   2, (double[16]){1, 9, 3, 9, 7, 9}, &mean, &se);
  fm_near(mean, 3., 1e-14);
  fm_near(se, sqrt(0.25 * 4 + 16. / 16), 1e-14);
}

FM_TEST_MAIN(cmocka_unit_test(figures_are_those_of_arviz),
             cmocka_unit_test(the_fit_is_that_of_arviz),
             cmocka_unit_test(a_pareto_sample_is_found), cmocka_unit_test(no_tail))
