/* What the operators acoustic and born refuse before any solve, and why a solve fails. */
#include "../operators/acoustic.h"
#include "acoustic_cases.h"

#define GRID "-acoustic_shape 30x40 -acoustic_spacing 10 -acoustic_dt 0.001 -acoustic_steps 50 "
#define RICKER "-acoustic_wavelet_frequency 12 "
#define PLACES "-acoustic_sources 100,100 -acoustic_receivers 200,200 "
#define GOOD GRID RICKER PLACES

typedef struct wrong {
  const char *name, *options, *sentence;
} wrong;

static const wrong cases[] = {
    {"acoustic", "", "the operator acoustic needs -acoustic_shape"},
    {"acoustic", "-acoustic_shape 30x40", "needs -acoustic_spacing"},
    {"acoustic", "-acoustic_shape 30x40 -acoustic_spacing 5", "needs -acoustic_dt"},
    {"acoustic", GOOD "-acoustic_shape 30", "takes the nodes of the model as NZxNX"},
    {"acoustic", GOOD "-acoustic_shape 30x40x50", "not '30x40x50'"},
    {"acoustic", GOOD "-acoustic_shape 0x40", "-acoustic_shape 0x40: 8 to"},
    {"acoustic", GOOD "-acoustic_shape 30x7", "-acoustic_shape 30x7: 8 to"},
    {"acoustic", GOOD "-acoustic_spacing 1,2,3", "takes H or DZ,DX, 3 numbers are given"},
    {"acoustic", GOOD "-acoustic_spacing 10,-5", "must be positive: it is 10,-5 m"},
    {"acoustic", GOOD "-acoustic_shape 30x41 -acoustic_coarsen 3 -acoustic_sources 40,405",
     "x 0 to 400 m"},
    {"acoustic", GOOD "-acoustic_shape 31x41 -acoustic_coarsen 5",
     "-acoustic_coarsen 5 leaves 7x9 of 31x41 nodes: 8 a side are the least"},
    {"acoustic", GOOD "-acoustic_shape 31x41 -acoustic_coarsen 2 -acoustic_velocity_min 1800",
     "-acoustic_spacing 20 m is too coarse"},
    {"acoustic", GOOD "-acoustic_dt -1", "-acoustic_dt -1 is outside"},
    {"acoustic", GOOD "-acoustic_steps 1", "-acoustic_steps 1 is outside"},
    {"acoustic", GOOD "-acoustic_record_every 51",
     "-acoustic_record_every 51 is outside [1, 50]"},
    {"acoustic", GOOD "-acoustic_order 3", "'3' is not one of 2|4|6|8"},
    {"acoustic", GOOD "-acoustic_time_order 3", "'3' is not one of 2|4"},
    {"acoustic", GOOD "-acoustic_time_order 4 -acoustic_time_dispersion",
     "is for -acoustic_time_order 2"},
    {"acoustic", GOOD "-acoustic_layers 20,10", "or top,bottom,left,right, 2 numbers"},
    {"acoustic", GOOD "-acoustic_layers 2.5", "2.5 is no number of nodes from 0 to 1000"},
    {"acoustic", GOOD "-acoustic_layers 9,10,10,10 -acoustic_free_surface",
     "a layer of 9 nodes on top exclude each other"},
    {"acoustic", GRID PLACES, "needs a wavelet: -acoustic_wavelet_frequency"},
    {"acoustic", GRID PLACES "-acoustic_wavelet 1,2,3",
     "-acoustic_wavelet has 3 samples, -acoustic_steps is 50"},
    {"acoustic", GOOD "-acoustic_wavelet 1,2,3 -acoustic_steps 3", "exclude each other"},
    {"acoustic", GRID PLACES "-acoustic_steps 3 -acoustic_wavelet 0,0,0", "zero everywhere"},
    {"acoustic", GOOD "-acoustic_sources 100,100,5,400", "source 1 at (z, x) = (5, 400) m is"},
    {"acoustic", GOOD "-acoustic_receivers 100,-1", "receiver 0 at (z, x) = (100, -1) m is"},
    {"acoustic", GOOD "-acoustic_background 1,2,3", "-acoustic_background has 3 numbers"},
    {"acoustic", GOOD "-acoustic_unknown squared", "'squared' is not one of velocity|"},
    {"acoustic", GOOD "-acoustic_split both", "'both' is not one of auto|domain|shots"},
    {"acoustic", GOOD "-tape_memory 5X", "such as 2000000, 500M or 1.5G, not '5X'"},
    {"acoustic", GOOD "-tape_memory -5", "not '-5'"},
    {"acoustic", GOOD "-tape_memory 100",
     "-tape_memory 100 is too little: a gradient keeps at"},
    {"acoustic", GOOD "-acoustic_shape 9000x9000 -acoustic_steps 100000 -acoustic_time_order 4",
     "bound it with -tape_memory"},
    /* stability: sqrt(2 / (2/0.01^2 * 3.2539...)) m = 5.5 m at order 8 */
    {"acoustic", GOOD "-acoustic_velocity_max 6000",
     "-acoustic_dt 0.001 s is unstable: with 6000 m/s its CFL number is 0.6, the limit of this "
     "scheme 0.5546: take -acoustic_dt <= 0.0009243"},
    {"acoustic", GOOD "-acoustic_background 6000", "is unstable: with 6000 m/s"},
    {"acoustic", GOOD "-acoustic_order 2 -acoustic_velocity_max 7200",
     "the limit of this scheme 0.7071"},
    /* 900 / (30 * 10) = 3 points, 3.402 needed at order 8: a spacing of 8.819 */
    {"acoustic", GOOD "-acoustic_velocity_min 900",
     "-acoustic_spacing 10 m is too coarse: 900 m/s has 3 points per wavelength at the "
     "wavelet's maximum of 30 Hz, order 8 needs 3.4 for a phase velocity within 1 %: take a "
     "spacing <= 8.819 m"},
    {"acoustic", GOOD "-acoustic_velocity_min 1500 -acoustic_order 4", "order 4 needs 5.26"},
    {"acoustic", GOOD "-acoustic_velocity_min 1500 -acoustic_max_frequency 60", "60 Hz"},
    {"born", GOOD, "the operator born needs -acoustic_background"},
    {"born", GOOD "-acoustic_background 2000 -born_data all",
     "is not one of perturbation|total"},
    {"born",
     GOOD "-acoustic_unknown bounded -acoustic_background 2500 -acoustic_velocity_min 1500 "
          "-acoustic_velocity_max 2500",
     "-acoustic_background is 2500 to 2500 m/s, not between"},
};

static void refused(void **state) {
  for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
    fm_operator *op = NULL;

    fm_expect_error(acoustic_try(PETSC_COMM_SELF, cases[k].name, cases[k].options, &op),
                    cases[k].sentence);
    assert_null(strchr(fm_test_message, '\n'));
  }
}

/* What is near the limits passes; so does a coarse grid on demand. */
static void accepted(void **state) {
  static const char *const good[] = {GOOD,
                                     GOOD "-acoustic_velocity_max 5500",
                                     GOOD "-acoustic_velocity_min 1030",
                                     GOOD
                                     "-acoustic_velocity_min 900 -acoustic_allow_dispersion",
                                     GOOD "-acoustic_layers 0,5,6,7 -acoustic_free_surface",
                                     GOOD "-acoustic_layers 9 -acoustic_free_surface",
                                     GOOD "-tape_memory 1.5M -acoustic_time_order 4"};

  for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
    fm_operator *op = acoustic_make(PETSC_COMM_SELF, "acoustic", "%s", good[k]);

    assert_true(op->x_size == 1200 && op->d_size == 50 && op->nparts == 1);
    fm_ok(fm_operator_destroy(&op));
  }
}

/* ---- failed solves ---- */

static void check_solve(const char *options, double everywhere, double one,
                        const char *reason) {
  fm_operator *op = acoustic_make(PETSC_COMM_SELF, "acoustic", GOOD "%s", options);
  const double *a;
  PetscBool ok;
  Vec x, d;

  fm_ok(fm_operator_create_vecs(op, 0, &x, &d));
  fm_ok(VecSet(x, everywhere));
  fm_ok(VecSetValue(x, 7 * 40 + 3, one, INSERT_VALUES));
  fm_ok(VecAssemblyBegin(x));
  fm_ok(VecAssemblyEnd(x));
  fm_ok(fm_operator_linearize(op, 0, x, d, &ok));
  if (!reason) {
    if (!ok) fail_msg("failed: %s", fm_operator_reason(op));
  } else {
    if (ok || !strstr(fm_operator_reason(op), reason))
      fail_msg("'%s' lacks '%s'", fm_operator_reason(op), reason);
    fm_ok(VecGetArrayRead(d, &a));
    assert_true(isnan(a[0]) && isnan(a[49]));
    fm_ok(VecRestoreArrayRead(d, &a));
    fm_expect_error(fm_operator_vjp(op, 0, d, x), "nothing was linearized");
  }
  fm_ok(VecDestroy(&x));
  fm_ok(VecDestroy(&d));
  fm_ok(fm_operator_destroy(&op));
}

static void failed_solves(void **state) {
  check_solve("", 2000, 2500, NULL);
  check_solve("", 2000, -20, "velocity -20 m/s at node [7][3] is not positive");
  check_solve("", 2000, 0, "velocity 0 m/s at node [7][3] is not positive");
  check_solve("", 2000, NAN, "at node [7][3] is not finite");
  check_solve("", 2000, INFINITY, "velocity inf m/s at node [7][3] is not finite");
  check_solve(
      "", 2000, 6000,
      "velocity 6000 m/s at (z, x) = (70, 30) m needs dt <= 0.0009243 s; dt is 0.001 s");
  check_solve("-acoustic_unknown slowness2", 2.5e-7, -1e-7, "at node [7][3] is not finite");
  check_solve("-acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale 100", 0, -21,
              "velocity -100 m/s at node [7][3] is not positive");
}

/* A model that is too slow for the grid fails, whatever least velocity was declared: `bounded`
   alone keeps to it. */
static void slow_models(void **state) {
  static const char *const declared[] = {"", "-acoustic_velocity_min 1400",
                                         "-acoustic_background 2000"};

  for (int k = 0; k < 3; k++) {
    check_solve(declared[k], 2000, 900,
                "velocity 900 m/s has 3 points per wavelength at 30 Hz");
    check_solve(declared[k], 300, 300, "velocity 300 m/s has 1 points per wavelength");
    check_solve(declared[k], 2000, 1e-20, "velocity 1e-20 m/s has 3.33e-23 points");
    check_solve(declared[k], 2000, 1030, NULL);
  }
  check_solve("-acoustic_allow_dispersion", 2000, 900, NULL);
  check_solve(
      "-acoustic_unknown bounded -acoustic_velocity_min 1030 -acoustic_velocity_max 3000", 0,
      -1e3, NULL);
}

/* A solve that overflows: the wavelet is beyond what float holds only in float. */
static void traces_not_finite(void **state) {
  fm_operator *op =
      acoustic_make(PETSC_COMM_SELF, "acoustic",
                    GRID PLACES "-acoustic_wavelet_frequency 12 -acoustic_unknown scaled "
                                "-acoustic_background 2000 -acoustic_scale 1");
  fm_acoustic *a = (fm_acoustic *)op->data;
  PetscBool ok;
  Vec x, d;

  for (int64_t n = 0; n < a->spec.steps; n++) a->wavelet[n] = NAN;
  fm_ok(fm_operator_create_vecs(op, 0, &x, &d));
  fm_ok(VecSet(x, 0));
  fm_ok(fm_operator_linearize(op, 0, x, d, &ok));
  assert_false(ok);
  assert_string_equal(fm_operator_reason(op), "the traces of shot 0 are not finite");
  fm_ok(VecDestroy(&x));
  fm_ok(VecDestroy(&d));
  fm_ok(fm_operator_destroy(&op));
}

/* From the Taylor moments of central differences, solved by other means. */
static void least_points(void **state) {
  const double expected[4] = {12.806215204127843, 5.261682428462903, 3.9368143553360664,
                              3.401667023826429};

  for (int k = 0; k < 4; k++) fm_near(fm_acoustic_least_points(2 * k + 2), expected[k], 1e-9);
}

/* It says all the numbers of its preflight once. */
static void preflight_is_said(void **state) {
  char line[1024] = "";
  fm_operator *op;
  int place[2];

  fflush(stdout);
  place[0] = dup(fileno(stdout));
  assert_non_null(freopen("unit_acoustic_options." FM_PRECISION ".log", "w", stdout));
  UNDER_OPTIONS(GOOD "-acoustic_velocity_min 1500 -acoustic_velocity_max 2000",
                fm_ok(fm_operator_create(PETSC_COMM_SELF, "acoustic", &op)));
  fflush(stdout);
  dup2(place[0], fileno(stdout));
  close(place[0]);
  FILE *log = fopen("unit_acoustic_options." FM_PRECISION ".log", "r");
  assert_non_null(log);
  assert_non_null(fgets(line, sizeof(line), log));
  fclose(log);
  remove("unit_acoustic_options." FM_PRECISION ".log");
  assert_non_null(strstr(line, "CFL number 0.2 at 2000 m/s (limit 0.555)"));
  assert_non_null(strstr(line, "5 points per wavelength at 30 Hz in 1500 m/s"));
  assert_non_null(strstr(line, "MiB of tape"));
  assert_string_equal(fm_operator_describe(op),
                      "acoustic, 30x40 nodes of 10x10 m, order 8, 2 in time, 50 steps of 0.001 "
                      "s, 1 shots of 1 receivers, velocity");
  fm_ok(fm_operator_destroy(&op));
}

FM_TEST_MAIN(cmocka_unit_test(refused), cmocka_unit_test(accepted),
             cmocka_unit_test(failed_solves), cmocka_unit_test(slow_models),
             cmocka_unit_test(traces_not_finite), cmocka_unit_test(least_points),
             cmocka_unit_test(preflight_is_said))
