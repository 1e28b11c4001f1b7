/* Sources and receivers on the grid: Hicks's weights, mirrors, edges; their options. */
#include "../operators/survey.h"
#include "acoustic_cases.h"
#include "fathom/log.h"

static const fm_wave2d_spec grid = {
    .nz = 30, .nx = 40, .dz = 10, .dx = 12.5, .layer = {6, 6, 6, 6}};

static fm_wave2d_point point_of(const fm_wave2d_spec *spec, double z, double x) {
  fm_wave2d_point p;

  fm_ok(fm_survey_point(PETSC_COMM_SELF, spec, "source 0", z, x, &p));
  return p;
}

/* sum of a field over the support of a point */
static double sum_over(const fm_wave2d_point *p, double (*u)(double, double)) {
  double sum = 0;

  for (int i = 0; i < p->nz; i++)
    for (int j = 0; j < p->nx; j++)
      sum += p->wz[i] * p->wx[j] * u((double)(p->z0 + i), (double)(p->x0 + j));
  return sum;
}

static void on_a_node(void **state) {
  const fm_wave2d_point p = point_of(&grid, 70, 12.5 * 9 + 1e-6);
  const fm_wave2d_point q = point_of(&grid, 70, 12.5 * 9 + 1e-3);

  assert_true(p.z == 7 && p.z0 == 7 && p.x0 == 9 && p.nz == 1 && p.nx == 1);
  assert_true(p.wz[0] == 1 && p.wx[0] == 1);
  assert_true(q.nz == 1 && q.nx == 8 && q.x0 == 6); /* one direction between nodes */
  fm_near(q.wx[3], 1, 1e-7);
}

/* I0(x) = 1/pi int_0^pi exp(x cos t) dt */
static double bessel(double x) {
  double sum = 0;

  for (int k = 0; k < 2000; k++) sum += exp(x * cos(M_PI * (k + 0.5) / 2000)) / 2000;
  return sum;
}

/* W(x) = sinc(pi x) I0(6.31 sqrt(1 - (x/4)^2)) / I0(6.31), Hicks (2002), eqs. 5-6. */
static void weights_are_hicks(void **state) {
  const fm_wave2d_point p = point_of(&grid, 123, 201);

  assert_true(p.z == 12 && p.z0 == 9 && p.nz == 8 && p.x0 == 13 && p.nx == 8);
  for (int k = 0; k < 8; k++) {
    const double z = 12.3 - (9 + k), x = 201 / 12.5 - (13 + k);

    fm_near(p.wz[k],
            sin(M_PI * z) / (M_PI * z) * bessel(6.31 * sqrt(1 - z * z / 16)) / bessel(6.31),
            1e-12);
    fm_near(p.wx[k],
            sin(M_PI * x) / (M_PI * x) * bessel(6.31 * sqrt(1 - x * x / 16)) / bessel(6.31),
            1e-12);
  }
}

static double wave_k; /* radians a node */
static double plane(double z, double x) { return cos(wave_k * z - 0.7 * wave_k * x + 0.3); }
static double odd_wave(double z, double x) { return z < 0 ? NAN : sin(wave_k * z); }

/* Waves of 4 and more nodes a length are interpolated to 2e-3 anywhere between nodes. */
static void waves_are_interpolated(void **state) {
  for (wave_k = 0.1; wave_k <= M_PI / 2; wave_k *= 1.3)
    for (double f = 0.05; f < 1; f += 0.1) {
      const fm_wave2d_point p = point_of(&grid, 10 * (15 + f), 12.5 * (20 + 0.77 * f));

      fm_near(sum_over(&p, plane), plane(15 + f, 20 + 0.77 * f), 2e-3);
    }
}

/* Below a free surface the mirrored weights know that u is odd: nothing above is touched. */
static void mirrored_below_a_free_surface(void **state) {
  fm_wave2d_spec surface = grid;

  surface.free_surface = PETSC_TRUE;
  surface.layer[FM_TOP] = 0;
  for (wave_k = 0.1; wave_k <= M_PI / 2; wave_k *= 1.3)
    for (double z = 0.07; z < 6; z += 0.21) {
      const fm_wave2d_point p = point_of(&surface, 10 * z, 250);

      assert_true(p.z0 >= 0 && p.z0 + p.nz <= 12 && llabs(p.z - p.z0) <= 4);
      assert_true(p.z0 + p.nz - 1 - p.z <= 4);
      assert_true(p.z0 > 0 || p.wz[0] == 0); /* u = 0 there, and a source does nothing */
      fm_near(sum_over(&p, odd_wave), sin(wave_k * z), 2e-3);
    }
}

/* At an edge without nodes beyond, u = 0 there: the weights inside stay. */
static void clipped_at_an_edge(void **state) {
  fm_wave2d_spec bare = grid;
  fm_wave2d_point p, q;

  bare.layer[FM_LEFT] = bare.layer[FM_BOTTOM] = 0;
  p = point_of(&bare, 287, 20);
  q = point_of(&grid, 287, 20);
  assert_true(q.z0 == 25 && q.nz == 8 && q.x0 == -2 && q.nx == 8);
  assert_true(p.z0 == 25 && p.nz == 5 && p.x0 == 0 && p.nx == 6);
  for (int k = 0; k < 5; k++) assert_true(p.wz[k] == q.wz[k]);
  for (int k = 0; k < 6; k++) assert_true(p.wx[k] == q.wx[k + 2]);
}

static void outside_is_refused(void **state) {
  const double bad[][2] = {{-0.1, 5}, {290.1, 5}, {5, -3}, {5, 487.6}};
  fm_wave2d_spec surface = grid;
  fm_wave2d_point p;

  for (int k = 0; k < 4; k++)
    fm_expect_error(
        fm_survey_point(PETSC_COMM_SELF, &grid, "receiver 17", bad[k][0], bad[k][1], &p),
        "m is outside the model: z is 0 to 290 m, x 0 to 487.5 m");
  assert_non_null(strstr(fm_test_message, "receiver 17 at (z, x) = (5, 487.6)"));
  p = point_of(&grid, 0, 487.5);
  assert_true(p.z0 == 0 && p.x0 == 39);
  surface.free_surface = PETSC_TRUE;
  surface.layer[FM_TOP] = 0;
  fm_expect_error(fm_survey_point(PETSC_COMM_SELF, &surface, "source 2", 0, 5, &p),
                  "lies on the free surface");
}

/* ---- options ---- */

static PetscErrorCode survey_try(const char *options, fm_survey **s) {
  PetscErrorCode code;

  UNDER_OPTIONS(options, code = fm_survey_create(PETSC_COMM_SELF, &grid, s));
  return code;
}

static void lists(void **state) {
  const double amplitude = 2, wavelet[3] = {0};
  fm_wave2d_shot shot;
  fm_survey *s;

  fm_ok(survey_try("-acoustic_sources 10,25,20,25 -acoustic_receivers 0,0,30,50,40,51", &s));
  assert_true(s->nshot == 2 && s->nreceiver == 3 && !s->moving);
  fm_survey_shot(s, 1, &amplitude, wavelet, &shot);
  assert_true(shot.nsource == 1 && shot.nreceiver == 3 && shot.amplitude == &amplitude);
  assert_true(shot.source->z0 == 2 && shot.source->x0 == 2 && shot.wavelet == wavelet);
  assert_true(shot.receiver[1].z0 == 3 && shot.receiver[1].x0 == 4);
  assert_int_equal(shot.receiver[2].nx, 8);
  fm_ok(fm_survey_destroy(&s));
  assert_null(s);
}

static void moving_receivers(void **state) {
  const double at[2][3][2] = {{{10, 25}, {20, 25}, {30, 25}}, {{40, 50}, {50, 50}, {60, 50}}};
  fm_wave2d_shot shot;
  fm_survey *s;

  acoustic_file(PETSC_COMM_SELF, "unit_survey.h5", "/r", 3, (int64_t[]){2, 3, 2}, &at[0][0][0]);
  fm_ok(survey_try("-acoustic_sources 10,25,20,25 -acoustic_receivers unit_survey.h5:/r", &s));
  assert_true(s->moving && s->nreceiver == 3);
  fm_survey_shot(s, 1, NULL, NULL, &shot);
  assert_true(shot.receiver[2].z0 == 6 && shot.receiver[2].x0 == 4);
  fm_ok(fm_survey_destroy(&s));
  fm_expect_error(
      survey_try("-acoustic_sources 1,2,3,4,5,6 -acoustic_receivers unit_survey.h5:/r", &s),
      "are of 2 shots, -acoustic_sources of 3");
  fm_expect_error(survey_try("-acoustic_sources unit_survey.h5:/r -acoustic_receivers 1,2", &s),
                  "one source a shot");
  remove("unit_survey.h5");
}

static void beside_the_source(void **state) {
  fm_survey *s;

  fm_ok(survey_try("-acoustic_sources 10,25,20,55 -acoustic_receivers 10,35,20,65,20,57", &s));
  fm_ok(fm_survey_destroy(&s));
  assert_non_null(strstr(fm_warnings(), "within a node (10 m) of their source: 1, the first by "
                                        "receiver 2 of shot 1 at 2 m"));
}

static void bad_options(void **state) {
  fm_survey *s;

  fm_expect_error(survey_try("-acoustic_receivers 1,2", &s), "needs -acoustic_sources");
  fm_expect_error(survey_try("-acoustic_sources 1,2,3 -acoustic_receivers 1,2", &s),
                  "-acoustic_sources has 3 numbers: pairs z,x");
  fm_expect_error(survey_try("-acoustic_sources 1,2 -acoustic_receivers 1,2,1,900", &s),
                  "receiver 1 at (z, x) = (1, 900) m is outside");
  acoustic_file(PETSC_COMM_SELF, "unit_survey.h5", "/r", 2, (int64_t[]){2, 3},
                (double[]){1, 2, 3, 4, 5, 6});
  fm_expect_error(survey_try("-acoustic_sources 1,2 -acoustic_receivers unit_survey.h5:/r", &s),
                  "2 dimensions of which the last is 3");
  remove("unit_survey.h5");
}

FM_TEST_MAIN(cmocka_unit_test(on_a_node), cmocka_unit_test(weights_are_hicks),
             cmocka_unit_test(waves_are_interpolated),
             cmocka_unit_test(mirrored_below_a_free_surface),
             cmocka_unit_test(clipped_at_an_edge), cmocka_unit_test(outside_is_refused),
             cmocka_unit_test(lists), cmocka_unit_test(moving_receivers),
             cmocka_unit_test(beside_the_source), cmocka_unit_test(bad_options))
