/* The energy matern against the dense density; its draws; the grid of the operator; bad
   input. */
#include "matern_cases.h"

static fm_energy *make(const char *text, const fm_comm *comm, fm_operator *op) {
  const fm_energy_inputs in = {comm, 0, op, 0, NULL};
  PetscOptions options = image_begin(text);
  fm_energy *energy;

  fm_ok(fm_energy_create("matern", &in, &energy));
  image_end(&options);
  return energy;
}

#define NODES 20 /* 4x5 */
static const matern_grid small = {4, 5, {3, 2}};

static double mean_of(int64_t i) { return 0.5 - 0.03 * (double)i; }
static double std_of(int64_t i) { return 0.6 + 0.07 * (double)(i * 7 % 11); }

/* The options of a mean and std of each node. */
static void small_text(char *text, size_t size) {
  size_t at = (size_t)snprintf(text, size, "-matern_shape 4x5 -matern_correlation 3,2");

  for (int64_t i = 0; i < NODES; i++)
    at += (size_t)snprintf(text + at, size - at, "%s%.17g", i ? "," : " -matern_mean ",
                           mean_of(i));
  for (int64_t i = 0; i < NODES; i++)
    at +=
        (size_t)snprintf(text + at, size - at, "%s%.17g", i ? "," : " -matern_std ", std_of(i));
}

/* r = x - mean, u = S^-1 r and E of the dense N(mean, S), S = std C std. */
static double dense_energy(const fm_real *x, double *u) {
  static double inverse[MATERN_MOST * MATERN_MOST], s[MATERN_MOST * MATERN_MOST];
  double d[MATERN_MOST], r[NODES], value;

  matern_dense(&small, inverse, d, s);
  for (int64_t i = 0; i < NODES * NODES; i++) s[i] *= std_of(i / NODES) * std_of(i % NODES);
  value = 0.5 * (image_cholesky(NODES, s) + NODES * log(2 * PETSC_PI));
  for (int64_t i = 0; i < NODES; i++) u[i] = r[i] = (double)x[i] - mean_of(i);
  image_solve(NODES, s, u);
  return value + 0.5 * matern_dot(NODES, r, u);
}

static void energy_is_the_dense_density(void **state) {
  const uint64_t sample = 0;
  fm_real x[NODES], x_bar[NODES] = {0};
  double u[NODES], value, most = 0, mean[NODES], std[NODES];
  PetscBool ok = PETSC_TRUE, known;
  char text[2048];
  fm_energy *energy;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  small_text(text, sizeof(text));
  energy = make(text, &comm, NULL);
  assert_int_equal(fm_energy_size(energy), NODES);
  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, NODES, x);
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, &sample, NULL}, 1, x, &value, x_bar, &ok));
  assert_true(ok);
  fm_near(value, dense_energy(x, u), 1e-13);
  for (int64_t i = 0; i < NODES; i++) most = fmax(most, fabs(u[i]));
  for (int64_t i = 0; i < NODES; i++)
    fm_near(x_bar[i] / most, u[i] / most, sizeof(fm_real) == 4 ? 1e-6 : 1e-12);
  fm_ok(fm_energy_moments(energy, mean, std, &known));
  assert_true(known);
  for (int64_t i = 0; i < NODES; i++) fm_near(mean[i], mean_of(i), 1e-15);
  for (int64_t i = 0; i < NODES; i++) fm_near(std[i], std_of(i), 1e-15);
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

/* E(x) - E(mean) of a draw is |z|^2/2 of the normals that it was made from. */
static void draws_are_whitened(void **state) {
  const fm_rng rng = {5, FM_STREAM_MODEL};
  const uint64_t sample[2] = {0, 1};
  fm_real x[2 * NODES], z[NODES];
  PetscBool ok[2] = {PETSC_TRUE, PETSC_TRUE};
  double value[2], square = 0;
  fm_energy *energy;
  char text[2048];
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  small_text(text, sizeof(text));
  energy = make(text, &comm, NULL);
  fm_ok(fm_energy_sample(energy, rng, 3, 1, x));
  for (int64_t i = 0; i < NODES; i++) x[NODES + i] = (fm_real)mean_of(i);
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, sample, NULL}, 2, x, value, NULL, ok));
  fm_rng_normal(rng, 0, 3, NODES, z);
  for (int64_t i = 0; i < NODES; i++) square += (double)z[i] * (double)z[i];
  fm_near(value[0] - value[1], square / 2, sizeof(fm_real) == 4 ? 1e-6 : 1e-12);
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

/* Without -matern_shape the grid is that of the operator's models. */
static void grid_of_the_operator(void **state) {
  fm_operator *op = image_operator("mask", "-mask_shape 4x5 -mask_keep 0.5");
  fm_energy *energy;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  energy = make("-matern_correlation 3", &comm, op);
  assert_int_equal(fm_energy_size(energy), NODES);
  assert_non_null(strstr(fm_energy_describe(energy), "4x5"));
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_operator_destroy(&op));
  fm_ok(fm_comm_destroy(&comm));
}

/* ---- what is refused ---- */

static void bad_energy(void **state) {
  image_energy_refused("matern", "-matern_correlation 3", 0,
                       "needs -matern_shape ROWSxCOLUMNS");
  image_energy_refused("matern", "-matern_correlation 3 -matern_shape 4", 0,
                       "takes rows and columns of the grid");
  image_energy_refused("matern", "-matern_correlation 3 -matern_shape 0x5", 0, "at least 1x1");
  image_energy_refused("matern", "-matern_correlation 3 -matern_shape 4x5", 21,
                       "has 4x5 nodes, but there are 21 unknowns");
  image_energy_refused("matern", "-matern_shape 4x5", 0, "needs -matern_correlation");
  image_energy_refused("matern", "-matern_shape 4x5 -matern_correlation 1,2,3", 0,
                       "needs -matern_correlation");
  image_energy_refused("matern", "-matern_shape 4x5 -matern_correlation 0", 0,
                       "-matern_correlation 0 must be positive");
  image_energy_refused("matern", "-matern_shape 4x5 -matern_correlation 3,-2", 0,
                       "-matern_correlation -2 must be positive");
  image_energy_refused("matern", "-matern_shape 4x5 -matern_correlation 3 -matern_mean 1,2", 0,
                       "-matern_mean has 2 numbers");
  image_energy_refused("matern", "-matern_shape 4x5 -matern_correlation 3 -matern_std 0", 0,
                       "-matern_std must be positive");
}

FM_TEST_MAIN(cmocka_unit_test(energy_is_the_dense_density),
             cmocka_unit_test(draws_are_whitened), cmocka_unit_test(grid_of_the_operator),
             cmocka_unit_test(bad_energy))
