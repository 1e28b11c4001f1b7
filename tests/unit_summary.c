/* Moments and quantiles against numpy, and the two readings of "reaches KL <= k".

       i = np.arange(7); w = 1.0 + i % 3
       x = np.stack([np.sin(1.0 + i), np.cos(2.0 * i) + 0.1 * i], axis=1)
       x.mean(0); np.cov(x.T, bias=True)
       np.average(x, axis=0, weights=w); np.cov(x.T, bias=True, aweights=w)
       np.quantile(x[:, k], [0, 0.05, 0.5, 0.77, 1])                                        */
#include "fm_test.h"
#include "fathom/diagnostics.h"

static void samples(double x[14], double w[7]) {
  for (int i = 0; i < 7; i++) {
    x[2 * i] = sin(1. + i);
    x[2 * i + 1] = cos(2. * i) + 0.1 * i;
    w[i] = 1. + i % 3;
  }
}

static void all_near(int n, const double *a, const double *b) {
  for (int i = 0; i < n; i++) fm_near(a[i], b[i], 1e-14);
}

static void moments_are_numpys(void **state) {
  static const double mean[2] = {0.0791046786060345, 0.407094603583863};
  static const double cov[4] = {0.501856775301574, 0.0157354289481668, 0.0157354289481668,
                                0.571163197609273};
  static const double wmean[2] = {0.0175011478558975, 0.092506542680858};
  static const double wcov[4] = {0.422703987357552, -0.0119651849723305, -0.0119651849723305,
                                 0.450247741510911};
  double x[14], w[7], m[2], c[4];

  samples(x, w);
  fm_samples_mean(7, 2, x, NULL, m);
  all_near(2, m, mean);
  fm_samples_covariance(7, 2, x, NULL, m, c);
  all_near(4, c, cov);
  fm_samples_mean(7, 2, x, w, m);
  all_near(2, m, wmean);
  fm_samples_covariance(7, 2, x, w, m, c);
  all_near(4, c, wcov);
}

static void quantiles_are_numpys(void **state) {
  static const double p[5] = {0, 0.05, 0.5, 0.77, 1};
  static const double expected[2][5] = {
      {-0.958924274663139, -0.898287740856575, 0.141120008059867, 0.771366918094036,
       0.909297426825682},
      {-0.453643620863612, -0.419271993327464, 0.254499966191386, 1.16130557772323,
       1.44385395873249}};
  double x[14], w[7], q[5];

  samples(x, w);
  for (int k = 0; k < 2; k++) {
    fm_ok(fm_samples_quantiles(7, 2, x, k, 5, p, q));
    all_near(5, q, expected[k]);
  }
  fm_ok(fm_samples_quantiles(1, 2, x, 1, 5, p, q));
  for (int k = 0; k < 5; k++) assert_true(q[k] == x[1]);
}

/* ---- solves to reach a KL ---- */

static void reach(int64_t n, const double *kl, double window, double first, double stay) {
  double solves[16], found_first, found_stay;

  for (int64_t i = 0; i < n; i++) solves[i] = 100. * (double)i;
  fm_solves_to_reach(n, solves, kl, 0.1, window, &found_first, &found_stay);
  if (!(isnan(first) ? isnan(found_first) : found_first == first))
    fail_msg("first crossing %g, not %g", found_first, first);
  if (!(isnan(stay) ? isnan(found_stay) : found_stay == stay))
    fail_msg("stays from %g, not %g", found_stay, stay);
}

static void crossing_and_staying(void **state) {
  static const double once[] = {3, 1, 0.3, 0.1, 0.05, 0.01, 0.01, 0.01};
  static const double bounce[] = {3, 1, 0.05, 0.4, 0.06, 0.4, 0.02, 0.01, 0.01};
  static const double relapse[] = {3, 0.05, 0.05, 0.05, 0.05, 0.9};
  static const double never[] = {3, 1, 0.5, 0.2};
  static const double at_once[] = {0.01, 0.02, 0.03};

  reach(8, once, 1, 300, 300);   /* a window of one evaluation: the curve itself */
  reach(8, once, 200, 300, 400); /* means of two: .2 at 300, .075 at 400 */
  reach(8, once, 300, 300, 500); /* of three: .15 at 400, .053 at 500 */
  reach(9, bounce, 1, 200, 600);
  reach(9, bounce, 300, 200, 800); /* of three: .16 at 600, .143 at 700, .013 at 800 */
  reach(6, relapse, 300, 100, NAN);
  reach(4, never, 300, NAN, NAN);
  reach(3, at_once, 1000, 0, 0);
  reach(0, at_once, 1000, NAN, NAN);
}

/* The window counts solves, not evaluations: (s - window, s]. */
static void uneven_evaluations(void **state) {
  static const double solves[] = {0, 1000, 1500, 1600, 3000, 3001};
  static const double kl[] = {4, 0.2, 0.2, 0.01, 0.01, 0.01};
  double first, stay;

  fm_solves_to_reach(6, solves, kl, 0.1, 1000, &first, &stay);
  assert_true(first == 1600 && stay == 3000); /* at 1600 the mean is (.2 + .2 + .01)/3 */
  fm_solves_to_reach(6, solves, kl, 0.1, 101, &first, &stay);
  assert_true(first == 1600 && stay == 3000); /* (.2 + .01)/2 */
  fm_solves_to_reach(6, solves, kl, 0.1, 100, &first, &stay);
  assert_true(first == 1600 && stay == 1600); /* 1500 is out of the window by a hair */
}

FM_TEST_MAIN(cmocka_unit_test(moments_are_numpys), cmocka_unit_test(quantiles_are_numpys),
             cmocka_unit_test(crossing_and_staying), cmocka_unit_test(uneven_evaluations))
