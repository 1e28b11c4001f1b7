/* R-hat, effective sample sizes and Monte Carlo errors against ArviZ (golds/convergence.py),
   and against what theory says of autoregressive chains. */
#include "fathom/convergence.h"
#include "fathom/rng.h"
#include "gold_file.h"

/* x_k = memory x_{k-1} + e_k, cubed or rounded down where asked. */
static double *chains(uint32_t seed, int nchain, int ndraw, double memory, int power) {
  gold_draws d = {seed};
  double *x = malloc((size_t)(nchain * ndraw) * sizeof(double));

  for (int c = 0; c < nchain; c++) {
    double v = gold_bell(&d);

    for (int k = 0; k < ndraw; k++) {
      const volatile double kept = memory * v; /* rounded, as in Python: no fused addition */

      v = kept + gold_bell(&d);
      x[c * ndraw + k] = power == 3 ? v * v * v : power == 0 ? floor(v) : v;
    }
  }
  return x;
}

static void compare(const char *name, int nchain, int ndraw, double *x) {
  fm_convergence c;
  double gold[7];

  gold_table("convergence.txt", name, 7, gold);
  fm_ok(fm_convergence_of(nchain, ndraw, x, &c));
  free(x);
  fm_near(c.mean, gold[0], 1e-12);
  fm_near(c.std, gold[1], 1e-12);
  fm_near(c.rhat, gold[2], 1e-10);
  fm_near(c.ess_bulk, gold[3], 1e-9);
  fm_near(c.ess_tail, gold[4], 1e-9);
  fm_near(c.ess_mean, gold[5], 1e-9);
  fm_near(c.mcse, gold[6], 1e-9);
}

static void figures_are_those_of_arviz(void **state) {
  double *x;

  compare("independent", 4, 250, chains(1, 4, 250, 0., 1));
  compare("correlated", 4, 500, chains(2, 4, 500, 0.9, 1));
  compare("slow", 2, 400, chains(3, 2, 400, 0.99, 1));
  compare("antithetic", 3, 300, chains(4, 3, 300, -0.6, 1));
  x = chains(5, 4, 200, 0.5, 1);
  for (int k = 600; k < 800; k++) x[k] += 2.;
  compare("shifted", 4, 200, x);
  x = chains(6, 4, 200, 0.3, 1);
  for (int k = 600; k < 800; k++) x[k] *= 3.;
  compare("stretched", 4, 200, x);
  compare("heavy", 4, 333, chains(7, 4, 333, 0.4, 3));
  compare("rounded", 4, 200, chains(8, 4, 200, 0.5, 0));
  compare("short", 4, 9, chains(10, 4, 9, 0.2, 1));
}

/* ArviZ has no R-hat of a single chain; here its halves are compared. */
static void one_chain_is_split(void **state) {
  double *x = chains(9, 1, 1000, 0.7, 1), gold[7];
  fm_convergence c;

  gold_table("convergence.txt", "one", 2, gold);
  fm_ok(fm_convergence_of(1, 1000, x, &c));
  fm_near(c.mean, gold[0], 1e-12);
  fm_near(c.std, gold[1], 1e-12);
  assert_true(c.rhat > 0.999 && c.rhat < 1.02);
  for (int k = 500; k < 1000; k++) x[k] += 3.;
  fm_ok(fm_convergence_of(1, 1000, x, &c));
  assert_true(c.rhat > 1.4);
  free(x);
}

/* An autoregressive chain's mean has the autocorrelation time (1 + a)/(1 - a). */
static void autocorrelation_time_is_known(void **state) {
  static const double memory[] = {0., 0.5, 0.9, -0.5};
  enum { CHAINS = 4, DRAWS = 20000 };
  fm_real *e = malloc(DRAWS * sizeof(fm_real));
  double *x = malloc(CHAINS * DRAWS * sizeof(double));
  fm_convergence c;

  for (int k = 0; k < 4; k++) {
    const double a = memory[k], time = (1. + a) / (1. - a);

    for (int chain = 0; chain < CHAINS; chain++) {
      double v = 0.;

      fm_rng_normal((fm_rng){7, FM_STREAM_CHECK}, (uint64_t)k, (uint64_t)chain, DRAWS, e);
      for (int t = 0; t < DRAWS; t++) x[chain * DRAWS + t] = v = a * v + (double)e[t];
    }
    fm_ok(fm_convergence_of(CHAINS, DRAWS, x, &c));
    fm_near(c.ess_mean * time / (CHAINS * DRAWS), 1., 0.08);
    fm_near(c.ess_bulk * time / (CHAINS * DRAWS), 1., 0.08);
    fm_near(c.mcse, sqrt(time / (1. - a * a) / (CHAINS * DRAWS)), 0.05);
    assert_true(c.rhat < 1.005 && fabs(c.mean) < 4. * c.mcse);
  }
  free(e);
  free(x);
}

/* A quantity that never moves, or three draws, are no ground for a figure. */
static void nothing_to_judge(void **state) {
  double x[40];
  fm_convergence c;

  for (int k = 0; k < 40; k++) x[k] = 2.5;
  fm_ok(fm_convergence_of(4, 10, x, &c));
  assert_true(c.mean == 2.5 && c.std == 0. && isnan(c.rhat) && isnan(c.ess_bulk) &&
              isnan(c.ess_tail) && isnan(c.ess_mean) && isnan(c.mcse));
  x[0] = 1.;
  fm_ok(fm_convergence_of(4, 3, x, &c));
  assert_true(isnan(c.rhat) && isnan(c.ess_bulk) && isnan(c.mcse) && c.std > 0.);
}

FM_TEST_MAIN(cmocka_unit_test(figures_are_those_of_arviz), cmocka_unit_test(one_chain_is_split),
             cmocka_unit_test(autocorrelation_time_is_known),
             cmocka_unit_test(nothing_to_judge))
