/* The change of variables from velocities to the unknown: log |det dc/dx| against the
   determinant of differences, its gradient against differences, for every map and coordinates;
   and a flow of velocities as prior of an unknown. */
#include "acoustic_fixture.h"
#include "fathom/checkpoint.h"
#include "fathom/energy.h"
#include "fathom/informed.h"
#include "infer/checkpoint_parts.h"

#define SIDE 8
#define N (SIDE * SIDE)
#define GRID                                                                                   \
  "-acoustic_shape 8x8 -acoustic_spacing 10,12 -acoustic_steps 80 -acoustic_dt 0.0012 "        \
  "-acoustic_wavelet_frequency 20 -acoustic_sources 33,31.5 -acoustic_receivers 40,24 "        \
  "-acoustic_allow_dispersion "

/* log |det a|, by elimination with row pivots. */
static double log_det(double a[N][N]) {
  double sum = 0;

  for (int k = 0; k < N; k++) {
    int p = k;

    for (int i = k + 1; i < N; i++)
      if (fabs(a[i][k]) > fabs(a[p][k])) p = i;
    for (int j = 0; j < N; j++) {
      const double t = a[k][j];

      a[k][j] = a[p][j];
      a[p][j] = t;
    }
    sum += log(fabs(a[k][k]));
    for (int i = k + 1; i < N; i++) {
      const double factor = a[i][k] / a[k][k];

      for (int j = k; j < N; j++) a[i][j] -= factor * a[k][j];
    }
  }
  return sum;
}

static void point(double centre, double scale, double *x) {
  for (int i = 0; i < N; i++) x[i] = centre + scale * sin(1.3 * i + 0.2 * i * i);
}

/* Columns by central differences, which are accurate to some 1e-9. */
static double numerical(fm_operator *op, const double *x, double step) {
  static double jacobian[N][N];
  double moved[N], up[N], down[N];

  for (int j = 0; j < N; j++) {
    memcpy(moved, x, sizeof(moved));
    moved[j] = x[j] + step;
    fm_ok(fm_operator_model(op, moved, up));
    moved[j] = x[j] - step;
    fm_ok(fm_operator_model(op, moved, down));
    for (int i = 0; i < N; i++) jacobian[i][j] = (up[i] - down[i]) / (2 * step);
  }
  return log_det(jacobian);
}

/* d log p / dc of the p below */
static double weight(int i) { return 1e-3 * cos(2.1 * i); }

/* log p(c(x)) + log |det dc/dx| with log p = sum of weight times c */
static double value(fm_operator *op, const double *x) {
  double c[N], sum;

  fm_ok(fm_operator_model_density(op, x, NULL, NULL, &sum));
  fm_ok(fm_operator_model(op, x, c));
  for (int i = 0; i < N; i++) sum += weight(i) * c[i];
  return sum;
}

static void check(fm_operator *op, double centre, double scale) {
  double x[N], moved[N], bar[N], x_bar[N], found, slope, most = 0;

  point(centre, scale, x);
  fm_ok(fm_operator_model_density(op, x, NULL, NULL, &found));
  fm_near(found, numerical(op, x, 1e-4 * scale), 1e-7);
  for (int i = 0; i < N; i++) bar[i] = weight(i);
  fm_ok(fm_operator_model_density(op, x, bar, x_bar, &found));
  for (int i = 0; i < N; i++) most = fmax(most, fabs(x_bar[i]));
  for (int i = 0; i < N; i += 7) {
    memcpy(moved, x, sizeof(moved));
    moved[i] = x[i] + 1e-3 * scale;
    slope = value(op, moved);
    moved[i] = x[i] - 1e-3 * scale;
    slope = (slope - value(op, moved)) / (2e-3 * scale);
    fm_near(x_bar[i] / most, slope / most, 1e-5);
  }
}

static void densities_change_with_the_variables(void **state) {
  static const struct {
    const char *options;
    double centre, scale;
  } map[] = {
      {"-acoustic_unknown velocity", 2000, 100},
      {"-acoustic_unknown slowness2", 2.5e-7, 3e-8},
      {"-acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale 130", 0, 1},
      {"-acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 3600", 0.3,
       1},
      {"-acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 3600 "
       "-acoustic_background 1900 -acoustic_background_gradient 2 -acoustic_scale 150",
       0.3, 1},
      {"-acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 3600 "
       "-acoustic_background 1900 -acoustic_scale 150 -acoustic_coordinates matern "
       "-matern_correlation 3,2",
       0, 1}};

  for (int k = 0; k < 6; k++) {
    fm_operator *op =
        acoustic_make(PETSC_COMM_SELF, k % 2 ? "acoustic" : "born", GRID "%s%s", map[k].options,
                      k % 2 ? "" : " -acoustic_background 2000 -acoustic_scale 130");

    check(op, map[k].centre, map[k].scale);
    fm_ok(fm_operator_destroy(&op));
  }
}

/* Linearised at another model the unknown is shifted: a model has the density that it had. */
static void about_another_model_too(void **state) {
  const char *const map =
      GRID "-acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 3600 "
           "-acoustic_background 1900 -acoustic_scale 150 -acoustic_coordinates matern "
           "-matern_correlation 3 %s";
  fm_operator *here = acoustic_make(PETSC_COMM_SELF, "acoustic", map, "");
  fm_operator *there =
      acoustic_make(PETSC_COMM_SELF, "acoustic", map, "-acoustic_linearize_at 2150");
  double x[N], shifted[N], c[N], log_det_here, log_det_there;

  check(there, 0, 1);
  point(0, 1, x);
  fm_ok(fm_operator_model(here, x, c));
  fm_ok(fm_operator_unknown(there, c, shifted));
  assert_true(fabs(shifted[N / 2] - x[N / 2]) > 0.1);
  fm_ok(fm_operator_model_density(here, x, NULL, NULL, &log_det_here));
  fm_ok(fm_operator_model_density(there, shifted, NULL, NULL, &log_det_there));
  fm_near(log_det_there, log_det_here, 1e-8);
  fm_ok(fm_operator_destroy(&here));
  fm_ok(fm_operator_destroy(&there));
}

/* Two eigenpairs, as `informed` writes them. */
static void write_informed(const char *path) {
  const int64_t two[] = {2, N};
  double vector[2 * N], value[2] = {30, 4}, center[N] = {0};
  fm_store *store;

  for (int i = 0; i < N; i++) {
    vector[i] = 1. / SIDE;
    vector[N + i] = (i % 2 ? -1. : 1.) / SIDE;
  }
  fm_ok(fm_store_create(PETSC_COMM_SELF, path, &store));
  fm_ok(fm_store_write(store, "/vectors", FM_FLOAT64, 2, two, vector));
  fm_ok(fm_store_write(store, "/values", FM_FLOAT64, 1, two, value));
  fm_ok(fm_store_write(store, "/center", FM_FLOAT64, 1, two + 1, center));
  fm_ok(fm_store_commit(&store, NULL));
}

static void in_informed_coordinates_too(void **state) {
  const char *const path = "unit_acoustic_density_" FM_PRECISION ".h5";
  fm_operator *op;

  write_informed(path);
  op = acoustic_make(PETSC_COMM_SELF, "acoustic",
                     GRID "-acoustic_unknown bounded -acoustic_velocity_min 1400 "
                          "-acoustic_velocity_max 3600 -acoustic_background 1900 "
                          "-acoustic_scale 150 -acoustic_coordinates matern "
                          "-matern_correlation 3 -acoustic_informed %s",
                     path);
  check(op, 0, 1);
  fm_ok(fm_operator_destroy(&op));
  remove(path);
}

/* Fewer numbers than nodes, or nodes that do not move: there is no density. */
static void where_there_is_none_it_is_not_finite(void **state) {
  static const char *const none =
      "-acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale 130 "
      "-acoustic_coordinates modes -acoustic_modes 4 -matern_correlation 3";
  double x[N] = {0}, found;
  fm_operator *op = acoustic_make(PETSC_COMM_SELF, "acoustic", GRID "%s", none);

  fm_ok(fm_operator_model_density(op, x, NULL, NULL, &found));
  assert_false(isfinite(found));
  fm_ok(fm_operator_destroy(&op));
}

/* ---- a prior ---- */

static double mean_of(int i) { return 1900 + 8. * (i % 5); }
static double std_of(int i) { return 90 + 7. * (i % 4); }

/* A flow whose velocities are N(mean, std^2), each for itself. */
static void write_prior(const char *path) {
  const fm_flow_spec spec = {.network = "elementwise",
                             .variant = "default",
                             .depth = 1,
                             .hidden = 1,
                             .x = {1, {SIDE, SIDE, 1}}};
  double mean[N], std[N];
  fm_transport *t;
  fm_store *store;
  fm_real *theta;

  for (int i = 0; i < N; i++) mean[i] = mean_of(i);
  for (int i = 0; i < N; i++) std[i] = std_of(i);
  fm_ok(fm_transport_create(&spec, &t));
  fm_ok(fm_transport_whiten(t, mean, std, NULL, NULL));
  snprintf(t->unit, sizeof(t->unit), "m/s");
  t->typical[FM_TYPICAL_X] = t->typical[FM_TYPICAL_ENERGY] = (fm_typical){.mean = 5, .std = 1};
  fm_ok(fm_calloc(fm_flow_layout(t->flow)->size, &theta));
  fm_ok(fm_flow_initialize(t->flow, (fm_rng){1, FM_STREAM_INITIAL}, theta));
  fm_ok(fm_store_create(PETSC_COMM_SELF, path, &store));
  fm_ok(fm_store_set_integer(store, "/", "schema_version", 1));
  fm_ok(fm_parts_write_transport(t, store));
  fm_ok(fm_parts_write_theta(fm_flow_layout(t->flow), "/theta", theta, store));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(PetscFree(theta));
  fm_ok(fm_transport_destroy(&t));
}

#define MATERN                                                                                 \
  "-acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 3600 "         \
  "-acoustic_background 1900 -acoustic_scale 150 -acoustic_coordinates matern "                \
  "-matern_correlation 3 "

/* -log N(c(x)) - log |det dc/dx|, the determinant by differences */
static double exact(fm_operator *op, const double *x) {
  double c[N], sum = -numerical(op, x, 1e-4);

  fm_ok(fm_operator_model(op, x, c));
  for (int i = 0; i < N; i++) {
    const double z = (c[i] - mean_of(i)) / std_of(i);

    sum += 0.5 * z * z + 0.5 * log(2 * PETSC_PI) + log(std_of(i));
  }
  return sum;
}

static double energy_at(fm_energy *energy, const double *x, fm_real *bar) {
  const uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;
  fm_real own[N];
  double found;

  for (int i = 0; i < N; i++) own[i] = (fm_real)x[i];
  for (int i = 0; i < N; i++) bar[i] = 0;
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, &sample, NULL}, 1, own, &found, bar, &ok));
  assert_true(ok);
  return found;
}

static void values_and_gradients(fm_operator *op, fm_energy *energy) {
  double x[N], moved[N];
  fm_real bar[N], other[N];

  point(0.1, 0.7, x);
  fm_near(energy_at(energy, x, bar), exact(op, x), sizeof(fm_real) == 4 ? 1e-5 : 1e-8);
  for (int i = 0; i < N && sizeof(fm_real) == 8; i += 5) {
    double slope;

    memcpy(moved, x, sizeof(moved));
    moved[i] = x[i] + 1e-4;
    slope = energy_at(energy, moved, other);
    moved[i] = x[i] - 1e-4;
    slope = (slope - energy_at(energy, moved, other)) / 2e-4;
    fm_near(bar[i], slope, 1e-6);
  }
}

/* Drawn x mean velocities with the flow's mean and std. */
static void draws(fm_operator *op, fm_energy *energy) {
  enum { DRAWS = 400 };
  double x[N], c[N], sum = 0, square = 0;
  fm_real own[N];

  for (int k = 0; k < DRAWS; k++) {
    fm_ok(fm_energy_sample(energy, (fm_rng){2, FM_STREAM_MODEL}, k, 1, own));
    for (int i = 0; i < N; i++) x[i] = (double)own[i];
    fm_ok(fm_operator_model(op, x, c));
    for (int i = 0; i < N; i++) sum += (c[i] - mean_of(i)) / std_of(i) / (DRAWS * N);
    for (int i = 0; i < N; i++) square += pow((c[i] - mean_of(i)) / std_of(i), 2) / (DRAWS * N);
  }
  fm_near(sum, 0, 4 / sqrt(DRAWS * N));
  fm_near(square, 1, 4 * sqrt(2. / (DRAWS * N)));
}

static void a_flow_of_velocities_is_a_prior_of_unknowns(void **state) {
  const char *const path = "unit_acoustic_prior_" FM_PRECISION ".h5";
  fm_energy_inputs in = {0};
  fm_typical typical;
  fm_energy *energy;
  fm_comm comm;
  double x[N], c[N], log_det;

  write_prior(path);
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  in.comm = &comm;
  in.op = acoustic_make(PETSC_COMM_SELF, "acoustic", GRID MATERN);
  fm_ok(fm_energies_declare_options());
  fm_ok(PetscOptionsSetValue(NULL, "-prior_flow", path));
  fm_ok(fm_energy_create("flow", &in, &energy));
  values_and_gradients(in.op, energy);
  draws(in.op, energy);
  for (int i = 0; i < N; i++) c[i] = mean_of(i);
  fm_ok(fm_operator_unknown(in.op, c, x));
  fm_ok(fm_operator_model_density(in.op, x, NULL, NULL, &log_det));
  fm_energy_typical(energy, &typical);
  fm_near(typical.mean, 5 * N - log_det, 1e-6);
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_operator_destroy(&in.op));
  in.op = acoustic_make(PETSC_COMM_SELF, "acoustic",
                        GRID MATERN "-acoustic_coordinates modes -acoustic_modes 4");
  fm_expect_error(fm_energy_create("flow", &in, &energy), "for 4 unknowns");
  fm_ok(fm_operator_destroy(&in.op));
  in.op = NULL;
  fm_expect_error(fm_energy_create("flow", &in, &energy), "models of no operator are not");
  fm_ok(PetscOptionsClearValue(NULL, "-prior_flow"));
  fm_ok(fm_comm_destroy(&comm));
  remove(path);
}

FM_TEST_MAIN(cmocka_unit_test(a_flow_of_velocities_is_a_prior_of_unknowns),
             cmocka_unit_test(densities_change_with_the_variables),
             cmocka_unit_test(about_another_model_too),
             cmocka_unit_test(in_informed_coordinates_too),
             cmocka_unit_test(where_there_is_none_it_is_not_finite))
