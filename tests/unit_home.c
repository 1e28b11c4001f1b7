/* -acoustic_linearize_at: x = 0 is another model than the background, and nothing else changes.
   Models, draws and densities are those of the unknown x - home about the background. */
#include "acoustic_cases.h"
#include "fathom/energy.h"
#include <math.h>

#define SIDE 8
#define N (SIDE * SIDE)
#define RANK 3
#define GRID                                                                                   \
  "-acoustic_shape 8x8 -acoustic_spacing 10 -acoustic_steps 40 -acoustic_dt 0.0015 "           \
  "-acoustic_wavelet_frequency 15 -acoustic_sources 20,35 -acoustic_receivers 40,24 "          \
  "-acoustic_layers 4 -acoustic_velocity_min 1500 -acoustic_velocity_max 2800 "                \
  "-acoustic_background 2000 -acoustic_background_gradient 2 -acoustic_scale 90 "              \
  "-matern_correlation 4 -acoustic_allow_dispersion "
#define AT "-acoustic_linearize_at unit_home_at.h5:/at "

static double at[N];
static fm_comm comm;

/* A file of `fathom informed` with three unit vectors turned by 45 degrees, and a model. */
static int make_files(void **state) {
  const int64_t vectors[2] = {RANK, N}, model[2] = {SIDE, SIDE};
  double vector[RANK * N] = {0}, value[RANK] = {9, 4, 0.5}, centre[N] = {0};
  fm_store *store;

  for (int k = 0; k < RANK; k++) vector[k * N + 7 * k] = vector[k * N + 7 * k + 30] = sqrt(0.5);
  fm_ok(fm_store_create(PETSC_COMM_WORLD, "unit_home.h5", &store));
  fm_ok(fm_store_write(store, "/vectors", FM_FLOAT64, 2, vectors, vector));
  fm_ok(fm_store_write(store, "/values", FM_FLOAT64, 1, vectors, value));
  fm_ok(fm_store_write(store, "/center", FM_FLOAT64, 1, vectors + 1, centre));
  fm_ok(fm_store_commit(&store, NULL));
  for (int i = 0; i < N; i++) at[i] = 2100 + 80 * sin(1. + 0.7 * i);
  acoustic_file(PETSC_COMM_WORLD, "unit_home_at.h5", "/at", 2, model, at);
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  return 0;
}

static int remove_files(void **state) {
  fm_ok(fm_comm_destroy(&comm));
  remove("unit_home.h5");
  remove("unit_home_at.h5");
  return 0;
}

/* The unknown in m/s or as it is bounded, at nodes or informed. */
static const char *const maps[] = {
    GRID "-acoustic_unknown bounded -acoustic_coordinates matern "
         "-acoustic_informed unit_home.h5 ",
    GRID "-acoustic_unknown scaled ",
    GRID "-acoustic_unknown bounded -acoustic_coordinates matern "};

static void models_are_displaced(void **state) {
  for (int k = 0; k < 3; k++) {
    fm_operator *here = acoustic_make(comm.space, "acoustic", "%s", maps[k]);
    fm_operator *there = acoustic_make(comm.space, "acoustic", "%s" AT, maps[k]);
    double x[N], moved[N], model[N], expected[N];
    const double *home = fm_operator_home(there);

    assert_null(fm_operator_home(here));
    fm_ok(fm_operator_model(there, memset(x, 0, sizeof(x)), model));
    for (int i = 0; i < N; i++) fm_near(model[i], at[i], 1e-13);
    fm_ok(fm_operator_model(there, home, model));
    for (int i = 0; i < N; i++) fm_near(model[i], 2000 + 20 * (i / SIDE), 1e-12);
    for (int i = 0; i < N; i++) {
      x[i] = 0.8 * cos(2. * i);
      moved[i] = x[i] - home[i];
    }
    fm_ok(fm_operator_model(there, x, model));
    fm_ok(fm_operator_model(here, moved, expected));
    for (int i = 0; i < N; i++) fm_near(model[i], expected[i], 1e-12);
    fm_ok(fm_operator_unknown(there, model, moved));
    for (int i = 0; i < N; i++) fm_near(moved[i], x[i], 1e-10);
    fm_ok(fm_operator_destroy(&here));
    fm_ok(fm_operator_destroy(&there));
  }
}

static fm_energy *prior_of(fm_operator *op, const char *options) {
  fm_energy *e;

  UNDER_OPTIONS(options, fm_ok(fm_energy_create(
                             "informed", &(fm_energy_inputs){&comm, N, op, 0, NULL}, &e)));
  return e;
}

static void the_prior_stays_about_the_background(void **state) {
  fm_operator *here = acoustic_make(comm.space, "acoustic", "%s", maps[0]);
  fm_operator *there = acoustic_make(comm.space, "acoustic", "%s" AT, maps[0]);
  fm_energy *mine = prior_of(here, maps[0]), *theirs = prior_of(there, maps[0]);
  const double *home = fm_operator_home(there), tight = sizeof(fm_real) == 8 ? 1e-12 : 1e-5;
  double value[2], mean[N], std[N];
  fm_real x[2][N], bar[2][N] = {{0}}, draw[2][N];
  PetscBool ok[2] = {PETSC_TRUE, PETSC_TRUE}, known;

  for (int i = 0; i < N; i++) {
    x[0][i] = (fm_real)sin(3. * i);
    x[1][i] = (fm_real)((double)x[0][i] + home[i]);
  }
  fm_ok(fm_energy_evaluate(mine, (fm_key){.step = 0}, 1, x[0], value, bar[0], ok));
  fm_ok(fm_energy_evaluate(theirs, (fm_key){.step = 0}, 1, x[1], value + 1, bar[1], ok + 1));
  fm_near(value[0], value[1], tight);
  for (int i = 0; i < N; i++) fm_near(bar[0][i], bar[1][i], tight);
  fm_ok(fm_energy_sample(mine, (fm_rng){1, 2}, 3, 1, draw[0]));
  fm_ok(fm_energy_sample(theirs, (fm_rng){1, 2}, 3, 1, draw[1]));
  for (int i = 0; i < N; i++) fm_near(draw[1][i] - draw[0][i], home[i], tight);
  fm_ok(fm_energy_moments(theirs, mean, std, &known));
  assert_true(known);
  for (int i = 0; i < N; i++) fm_near(mean[i], home[i], 1e-14);
  fm_ok(fm_energy_destroy(&mine));
  fm_ok(fm_energy_destroy(&theirs));
  fm_ok(fm_operator_destroy(&here));
  fm_ok(fm_operator_destroy(&there));
}

/* born is the derivative at the other model, and its data there are those of acoustic. */
static void born_is_linearised_there(void **state) {
  fm_operator *full = acoustic_make(comm.space, "acoustic", "%s" AT, maps[0]);
  fm_operator *born = acoustic_make(comm.space, "born", "%s" AT "-born_data total", maps[0]);
  double d[2][40], most = 0;
  fm_real x[N] = {0};
  PetscBool ok;

  fm_ok(fm_operator_forward(full, x, d[0], &ok));
  fm_ok(fm_operator_forward(born, x, d[1], &ok));
  for (int i = 0; i < 40; i++) most = fmax(most, fabs(d[0][i]));
  assert_true(most > 0);
  for (int i = 0; i < 40; i++) fm_near(d[1][i] / most, d[0][i] / most, 1e-6);
  fm_ok(fm_operator_destroy(&full));
  fm_ok(fm_operator_destroy(&born));
}

static void refused(void **state) {
  fm_operator *op = acoustic_make(comm.space, "acoustic", "%s" AT, maps[2]);
  fm_energy *e;

  fm_expect_error(fm_energy_create("gaussian", &(fm_energy_inputs){&comm, N, op, 0, NULL}, &e),
                  "the prior gaussian would be about that model and not about the background");
  fm_ok(fm_operator_destroy(&op));
  fm_expect_error(acoustic_try(comm.space, "acoustic",
                               GRID "-acoustic_unknown bounded -acoustic_coordinates modes "
                                    "-acoustic_modes 3 " AT,
                               &op),
                  "not every model is a sum of -acoustic_modes");
  fm_expect_error(acoustic_try(comm.space, "acoustic", GRID AT, &op),
                  "needs -acoustic_unknown scaled or bounded");
  fm_expect_error(acoustic_try(comm.space, "acoustic",
                               GRID "-acoustic_unknown bounded -acoustic_linearize_at 2800",
                               &op),
                  "is 2800 m/s at node [0][0], not between 1500 and 2800 m/s");
}

FM_TEST_MAIN(cmocka_unit_test_setup_teardown(models_are_displaced, make_files, remove_files),
             cmocka_unit_test_setup_teardown(the_prior_stays_about_the_background, make_files,
                                             remove_files),
             cmocka_unit_test_setup_teardown(born_is_linearised_there, make_files,
                                             remove_files),
             cmocka_unit_test_setup_teardown(refused, make_files, remove_files))
