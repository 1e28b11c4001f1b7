/* The maps from the unknown to velocity, their derivatives and their options. */
#include "../operators/velocity.h"
#include "acoustic_cases.h"

static PetscErrorCode velocity_try(const char *options, fm_velocity **v) {
  PetscErrorCode code;

  UNDER_OPTIONS(options, code = fm_velocity_create(PETSC_COMM_SELF, 2, 3, 20, v));
  return code;
}

/* c and dc/dx against the formula and its central difference */
static void check_map(const char *options, const double x[6], const double expected[6]) {
  double c[6], slope[6], of_c[6], left[6], right[6], beside[6], unused[6];
  fm_velocity *v;

  fm_ok(velocity_try(options, &v));
  fm_velocity_map(v, x, c, slope);
  for (int i = 0; i < 6; i++) fm_near(c[i] / expected[i], 1, 1e-14);
  for (int i = 0; i < 6; i++) beside[i] = x[i] - 1e-5 * (fabs(x[i]) + (x[i] == 0));
  fm_velocity_map(v, beside, left, unused);
  for (int i = 0; i < 6; i++) beside[i] = x[i] + 1e-5 * (fabs(x[i]) + (x[i] == 0));
  fm_velocity_map(v, beside, right, unused);
  for (int i = 0; i < 6; i++)
    fm_near(slope[i] * 2e-5 * (fabs(x[i]) + (x[i] == 0)) / (right[i] - left[i]), 1, 1e-6);
  fm_velocity_unknown(v, c, beside);
  for (int i = 0; i < 6; i++) fm_near(beside[i] - x[i], 0, 1e-12 * fabs(x[i]));
  fm_velocity_slope(v, c, of_c);
  for (int i = 0; i < 6; i++) fm_near(of_c[i] / slope[i], 1, 1e-10);
  assert_true(fm_velocity_fault(v, c) == -1);
  fm_ok(fm_velocity_destroy(&v));
}

static void maps(void **state) {
  const double x[6] = {1500, 2000, 2500, 3000, 4000, 4500}, z[6] = {0, -1, 1, 2, -4, 5};
  double squared[6], expected[6];

  check_map("", x, x);
  for (int i = 0; i < 6; i++) squared[i] = 1 / (x[i] * x[i]);
  check_map("-acoustic_unknown slowness2", squared, x);
  for (int i = 0; i < 6; i++) expected[i] = 2000 + 10. * (i + 1) * z[i];
  check_map("-acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale "
            "10,20,30,40,50,60",
            z, expected);
  for (int i = 0; i < 6; i++) expected[i] = 1500 + 3000 * (0.5 + 0.5 * tanh(z[i] / 2));
  check_map("-acoustic_unknown bounded -acoustic_velocity_min 1500 -acoustic_velocity_max 4500",
            z, expected);
}

/* Bounded about a background that grows with depth: x = 0 is the background, dc/dx there the
   scale; a frozen node keeps the background. Nodes [2][3], 20 m apart. */
static void bounded_about_a_background(void **state) {
  const double zero[6] = {0}, far[6] = {50, -50, 2, -2, 1, 9};
  double c[6], slope[6], x[6];
  fm_velocity *v;

  fm_ok(velocity_try("-acoustic_unknown bounded -acoustic_velocity_min 1500 "
                     "-acoustic_velocity_max 4500 -acoustic_background 2000 "
                     "-acoustic_background_gradient 0.5 -acoustic_scale 100 "
                     "-acoustic_scale_gradient 2 -acoustic_frozen 0,0,0,0,0,1",
                     &v));
  fm_velocity_map(v, zero, c, slope);
  for (int i = 0; i < 6; i++) {
    fm_near(c[i], 2000 + (i < 3 ? 0 : 10), 1e-14);
    fm_near(slope[i], i == 5 ? 0 : 100 + (i < 3 ? 0 : 40), 1e-13);
  }
  fm_velocity_map(v, far, c, slope);
  assert_true(c[0] <= 4500 && c[0] > 4499 && c[1] >= 1500 && c[1] < 1501);
  assert_true(c[5] == v->background[5] && slope[5] == 0);
  fm_velocity_unknown(v, c, x);
  for (int i = 2; i < 5; i++) fm_near(x[i], far[i], 1e-12);
  fm_ok(fm_velocity_destroy(&v));
  fm_expect_error(velocity_try("-acoustic_frozen 0,0,0,0,0,1", &v),
                  "needs -acoustic_background");
  fm_expect_error(velocity_try("-acoustic_background 2000 -acoustic_frozen 0,2,0,0,0,1", &v),
                  "-acoustic_frozen is 2 at node [0][1]");
  fm_expect_error(velocity_try("-acoustic_scale_gradient 1", &v), "needs -acoustic_scale");
}

/* Far out the logistic map stays within its bounds and finite. */
static void bounded_stays_bounded(void **state) {
  const double x[6] = {-1e4, -800, -40, 40, 800, 1e4};
  double c[6], slope[6];
  fm_velocity *v;

  fm_ok(velocity_try("-acoustic_unknown bounded -acoustic_velocity_min 1500 "
                     "-acoustic_velocity_max 4500",
                     &v));
  fm_velocity_map(v, x, c, slope);
  for (int i = 0; i < 6; i++)
    assert_true(c[i] >= 1500 && c[i] <= 4500 && slope[i] >= 0 && slope[i] < 1);
  fm_near(slope[2] / (3000 * exp(-40)), 1, 1e-12);
  fm_near(slope[3] / (3000 * exp(-40)), 1, 1e-12);
  fm_ok(fm_velocity_destroy(&v));
}

static void faults(void **state) {
  const double good[6] = {1, 2, 3, 4, 5, 6}, zero[6] = {1, 2, 3, 4, 0, 6};
  const double nan[6] = {1, 2, 3, NAN, 5, 6}, inf[6] = {1, 2, INFINITY, 4, -5, 6};
  double low, high;
  int64_t place;
  fm_velocity *v;

  fm_ok(velocity_try("-acoustic_background 1,2,3,7,5,6", &v));
  assert_true(v->low == 1 && v->high == 7);
  assert_true(fm_velocity_fault(v, good) == -1 && fm_velocity_fault(v, zero) == 4);
  assert_true(fm_velocity_fault(v, nan) == 3 && fm_velocity_fault(v, inf) == 2);
  fm_velocity_extremes(v, v->background, &low, &high, &place);
  assert_true(low == 1 && high == 7 && place == 3);
  fm_ok(fm_velocity_destroy(&v));
}

static void shapes(void **state) {
  const double c[6] = {1, 2, 3, 4, 5, 6};
  fm_velocity *v;

  acoustic_file(PETSC_COMM_SELF, "unit_velocity.h5", "/c", 2, (int64_t[]){2, 3}, c);
  fm_ok(velocity_try("-acoustic_background unit_velocity.h5:/c", &v));
  assert_memory_equal(v->background, c, sizeof(c));
  fm_ok(fm_velocity_destroy(&v));
  acoustic_file(PETSC_COMM_SELF, "unit_velocity.h5", "/c", 2, (int64_t[]){3, 2}, c);
  fm_expect_error(velocity_try("-acoustic_background unit_velocity.h5:/c", &v),
                  "-acoustic_background is of [3][2]; for the model of -acoustic_shape 2x3 "
                  "give one number or a dataset of shape [2][3]");
  remove("unit_velocity.h5");
  fm_expect_error(velocity_try("-acoustic_background 1,2,3", &v),
                  "has 3 numbers; for the model");
}

static void bad_options(void **state) {
  fm_velocity *v;

  fm_expect_error(velocity_try("-acoustic_unknown bounded -acoustic_velocity_min 1500", &v),
                  "bounded needs -acoustic_velocity_min and");
  fm_expect_error(velocity_try("-acoustic_unknown bounded -acoustic_velocity_min 1500 "
                               "-acoustic_velocity_max 1500",
                               &v),
                  "is not below the largest, 1500 m/s");
  fm_expect_error(velocity_try("-acoustic_velocity_min 1500 -acoustic_velocity_max 1400", &v),
                  "the least velocity, 1500 m/s, is not below");
  fm_expect_error(velocity_try("-acoustic_unknown scaled", &v), "needs -acoustic_background");
  fm_expect_error(velocity_try("-acoustic_unknown scaled -acoustic_background 2000", &v),
                  "needs -acoustic_scale");
  fm_expect_error(velocity_try("-acoustic_background 1500,1500,1500,1500,-20,1500", &v),
                  "it is -20 m/s at node [1][1]");
  fm_expect_error(velocity_try("-acoustic_unknown log", &v),
                  "'log' is not one of velocity|slowness2|scaled|bounded");
}

FM_TEST_MAIN(cmocka_unit_test(maps), cmocka_unit_test(bounded_about_a_background),
             cmocka_unit_test(bounded_stays_bounded), cmocka_unit_test(faults),
             cmocka_unit_test(shapes), cmocka_unit_test(bad_options))
