/* The operator romberg against its definition, by explicit sums; the likelihood of data in a
   subspace against the Gaussian of the measurements themselves; bad input. */
#include "../operators/mixing.h"
#include "fathom/likelihood.h"
#include "fathom/rng.h"
#include "fathom/target.h"
#include "image_cases.h"

#define MOST 64 /* pixels */

/* ---- the definition ---- */

/* m[n][n]: M = sgn . ifft(phase . fft(.)), phase_{n-k} = conj(phase_k), as sums over all n
   modes. */
static void dense_mixing(const fm_mixing *mixing, double *m) {
  const int64_t n = mixing->n;

  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double re = 0, im = 0;

      for (int64_t k = 0; k < n; k++) {
        const int64_t half = PetscMin(k, n - k);
        const double angle = 2 * PETSC_PI * (double)(k * (i - j + n) % n) / (double)n;
        const double a = mixing->phase[half][0];
        const double b = (half == k ? 1 : -1) * mixing->phase[half][1];

        re += (a * cos(angle) - b * sin(angle)) / (double)n;
        im += (a * sin(angle) + b * cos(angle)) / (double)n;
      }
      assert_true(fabs(im) < 1e-13);
      m[i * n + j] = mixing->sign[i] * re;
    }
}

static double dot(int64_t n, const double *a, const double *b) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* M as it is applied, column by column, is that sum, and its transpose the transpose; it is
   orthogonal. */
static void check_mixing(int64_t n, uint64_t seed) {
  double m[MOST * MOST], v[MOST];
  fm_mixing mixing;

  fm_ok(fm_mixing_create(n, seed, &mixing));
  dense_mixing(&mixing, m);
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < n; i++) v[i] = i == j;
    fm_mixing_apply(&mixing, v);
    for (int64_t i = 0; i < n; i++) fm_near(v[i], m[i * n + j], 1e-13);
    fm_near(dot(n, v, v), 1, 1e-13);
    for (int64_t i = 0; i < n; i++) v[i] = i == j;
    fm_mixing_transpose(&mixing, v);
    for (int64_t i = 0; i < n; i++) fm_near(v[i], m[j * n + i], 1e-13);
    for (int64_t i = 0; i < n; i++) fm_near(dot(n, m + i * n, m + j * n), i == j, 1e-12);
  }
  fm_ok(fm_mixing_clear(&mixing));
}

static void mixing_is_its_definition(void **state) {
  check_mixing(64, 1);
  check_mixing(63, 2);
  check_mixing(10, 3);
  check_mixing(7, 4);
  check_mixing(2, 5);
  check_mixing(1, 6);
}

/* Phases have modulus 1, are real where k = -k, spread over the circle; another seed gives
   others. */
static void phases_are_random(void **state) {
  const int64_t n = 4096;
  double mean[2] = {0, 0}, signs = 0;
  fm_mixing a, b;

  fm_ok(fm_mixing_create(n, 1, &a));
  fm_ok(fm_mixing_create(n, 2, &b));
  for (int64_t k = 0; k <= n / 2; k++) {
    fm_near(hypot(a.phase[k][0], a.phase[k][1]), 1, 1e-15);
    if (k && 2 * k < n) assert_true(a.phase[k][0] != b.phase[k][0]);
    for (int c = 0; c < 2; c++) mean[c] += a.phase[k][c] / (double)(n / 2);
  }
  assert_true(a.phase[0][1] == 0 && a.phase[n / 2][1] == 0);
  for (int64_t i = 0; i < n; i++) assert_true(fabs(a.sign[i]) == 1);
  for (int64_t i = 0; i < n; i++) signs += a.sign[i] / (double)n;
  assert_true(hypot(mean[0], mean[1]) < 5 / sqrt((double)n / 2));
  assert_true(fabs(signs) < 5 / sqrt((double)n));
  fm_ok(fm_mixing_clear(&a));
  fm_ok(fm_mixing_clear(&b));
}

/* measure[rank][n]: the rows of M that A keeps, those where M A M^T, which must be diagonal,
   has a 1. Returns their number. */
static int64_t measurements(const double *a, int64_t n, uint64_t seed, double *measure) {
  double m[MOST * MOST], ma[MOST];
  int64_t rank = 0;
  fm_mixing mixing;

  fm_ok(fm_mixing_create(n, seed, &mixing));
  dense_mixing(&mixing, m);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) ma[j] = dot(n, a + j * n, m + i * n);
    for (int64_t j = 0; j < n; j++)
      fm_near(dot(n, m + j * n, ma), i == j && dot(n, m + i * n, ma) > 0.5 ? 1 : 0, 1e-12);
    if (dot(n, m + i * n, ma) < 0.5) continue;
    memcpy(measure + rank * n, m + i * n, (size_t)n * sizeof(double));
    rank++;
  }
  fm_ok(fm_mixing_clear(&mixing));
  return rank;
}

/* A = (R M)^T (R M) with `rank` rows; A = A^T, A^2 = A, trace A = rank. */
static void check_operator(const char *text, int64_t n, uint64_t seed, int64_t rank) {
  fm_operator *op = image_operator("romberg", text);
  double a[MOST * MOST], measure[MOST * MOST], trace = 0;
  int64_t x_size, d_size;

  fm_ok(fm_operator_sizes(op, &x_size, &d_size));
  assert_true(x_size == n && d_size == n && fm_operator_rank(op) == rank);
  image_matrix(op, a);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      fm_near(a[i * n + j], a[j * n + i], 1e-13);
      fm_near(dot(n, a + i * n, a + j * n), a[i * n + j], 1e-12);
    }
  for (int64_t i = 0; i < n; i++) trace += a[i * n + i];
  fm_near(trace, (double)rank, 1e-12);
  assert_int_equal(measurements(a, n, seed, measure), rank);
  fm_ok(fm_operator_destroy(&op));
}

static void operator_is_a_projector(void **state) {
  check_operator("-romberg_shape 8x8", 64, 1, 32);
  check_operator("-romberg_shape 8x8 -romberg_subsampling 3", 64, 1, 22);
  check_operator("-romberg_shape 8x8 -romberg_subsampling 64", 64, 1, 1);
  check_operator("-romberg_shape 8x8 -romberg_subsampling 1", 64, 1, 64);
  check_operator("-romberg_shape 7x9 -romberg_subsampling 2 -romberg_seed 9", 63, 9, 32);
  check_operator("-romberg_shape 5x2 -romberg_subsampling 1.7 -romberg_seed 0", 10, 0, 6);
}

/* Another seed measures other rows of another M. */
static void seeds_differ(void **state) {
  fm_operator *a = image_operator("romberg", "-romberg_shape 8x8");
  fm_operator *b = image_operator("romberg", "-romberg_shape 8x8 -romberg_seed 2");
  double p[MOST] = {1}, q[MOST] = {1};
  int64_t rows, columns;

  fm_ok(fm_operator_restrict(a, p));
  fm_ok(fm_operator_restrict(b, q));
  assert_true(fabs(p[3] - q[3]) > 1e-6);
  fm_operator_data_grid(a, &rows, &columns);
  assert_true(rows == 8 && columns == 8);
  assert_non_null(strstr(fm_operator_describe(a), "romberg 8x8, 32 of 64 rows, seed 1"));
  fm_ok(fm_operator_destroy(&a));
  fm_ok(fm_operator_destroy(&b));
}

/* ---- the likelihood ---- */

#define SIGMA 0.2
#define LIKELIHOOD "-operator romberg -romberg_shape 8x8 -prior gaussian -gaussian_std 1 "
#define NOISE LIKELIHOOD "-noise_std 0.2 -observed "

/* -log N(R M y; R M x, sigma^2 I) and its gradient in x, in the space of the measurements. */
static double reduced(const double *measure, int64_t rank, const fm_real *x, const double *y,
                      double g[MOST]) {
  double value = 0.5 * (double)rank * log(2 * PETSC_PI * SIGMA * SIGMA);

  memset(g, 0, MOST * sizeof(double));
  for (int64_t k = 0; k < rank; k++) {
    double r = 0;

    for (int64_t i = 0; i < MOST; i++) r += measure[k * MOST + i] * ((double)x[i] - y[i]);
    value += r * r / (2 * SIGMA * SIGMA);
    for (int64_t i = 0; i < MOST; i++) g[i] += measure[k * MOST + i] * r / (SIGMA * SIGMA);
  }
  return value;
}

static void open_target(const fm_comm *comm, const double *y, fm_target **target) {
  char text[4096] = NOISE;
  PetscOptions options;
  int kept;

  for (int i = 0; i < MOST; i++)
    snprintf(text + strlen(text), 32, "%s%.17g", i ? "," : "", y[i]);
  options = image_begin(text);
  kept = fm_test_mute(stderr); /* it warns of what it takes away */
  fm_ok(fm_target_create(comm, 0, 0, NULL, target));
  fm_test_unmute(stderr, kept);
  image_end(&options);
}

/* The observed data have a part outside of range(A): it changes nothing. */
static void likelihood_counts_the_measurements(void **state) {
  double a[MOST * MOST], measure[MOST * MOST], y[MOST], g[MOST], value, part[2];
  fm_real random[2 * MOST], x_bar[MOST] = {0};
  const uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;
  fm_target *target;
  fm_comm comm;

  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 1, 2 * MOST, random);
  for (int i = 0; i < MOST; i++) y[i] = (double)random[MOST + i];
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  open_target(&comm, y, &target);
  image_matrix(target->op, a);
  assert_int_equal(measurements(a, MOST, 1, measure), 32);
  fm_ok(fm_target_evaluate(target, (fm_key){0, &sample, NULL}, 1, random, &value, part, NULL,
                           &ok));
  fm_near(part[0], reduced(measure, 32, random, y, g), 1e-10 / fabs(part[0]));
  fm_near(fm_likelihood_normaliser(target->energy[0]), 16 * log(2 * PETSC_PI * SIGMA * SIGMA),
          1e-14);
  fm_ok(fm_energy_evaluate(target->energy[0], (fm_key){0, &sample, NULL}, 1, random, part,
                           x_bar, &ok));
  for (int i = 0; i < MOST; i++) fm_near(x_bar[i], g[i], sizeof(fm_real) == 4 ? 1e-6 : 1e-13);
  assert_true(ok);
  fm_ok(fm_target_destroy(&target));
  fm_ok(fm_comm_destroy(&comm));
}

/* Data that lie in range(A) but for their rounding stay as they are, bit by bit. */
static void restricted_data_stay(void **state) {
  fm_operator *op = image_operator("romberg", "-romberg_shape 8x8");
  fm_target *target;
  fm_real y[MOST];
  double d[MOST];
  fm_comm comm;

  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 2, MOST, y);
  for (int i = 0; i < MOST; i++) d[i] = (double)y[i];
  fm_ok(fm_operator_restrict(op, d));
  for (int i = 0; i < MOST; i++) d[i] = (double)(float)d[i];
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  open_target(&comm, d, &target);
  assert_memory_equal(d, target->y, sizeof(d));
  d[7] += 0.01;
  fm_ok(fm_target_destroy(&target));
  open_target(&comm, d, &target);
  assert_true(fabs(target->y[7] - d[7]) > 1e-4);
  fm_ok(fm_operator_restrict(op, d));
  assert_memory_equal(d, target->y, sizeof(d));
  fm_ok(fm_target_destroy(&target));
  fm_ok(fm_comm_destroy(&comm));
  fm_ok(fm_operator_destroy(&op));
}

static void target_refused(const char *text, const char *sentence) {
  PetscOptions options = image_begin(text);
  fm_target *target = NULL;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  fm_expect_error(fm_target_create(&comm, 0, 0, NULL, &target), sentence);
  image_end(&options);
  fm_ok(fm_target_destroy(&target));
  fm_ok(fm_comm_destroy(&comm));
}

#define FOUR                                                                                   \
  "-operator romberg -romberg_shape 2x2 -prior gaussian -gaussian_std 1 "                      \
  "-observed 0,0,0,0 "

static void noise_must_be_one_number(void **state) {
  target_refused(FOUR "-noise_std 1,1,2,1", "subspace of 2 dimensions");
  target_refused(FOUR "-noise_std 1 -data_mask 1,1,0,1", "-data_mask leaves data out");
  target_refused(FOUR "-noise_std 0", "must be positive");
}

/* ---- bad input ---- */

static void bad_input(void **state) {
  image_refused("romberg", "", "needs -romberg_shape ROWSxCOLUMNS");
  image_refused("romberg", "-romberg_shape 8", "takes rows and columns of the image");
  image_refused("romberg", "-romberg_shape 8x8x8", "not '8x8x8'");
  image_refused("romberg", "-romberg_shape 0x8", "-romberg_shape 0x8: at least 1x1");
  image_refused("romberg", "-romberg_shape 65536x32768", "fewer than 2^31 pixels");
  image_refused("romberg", "-romberg_shape 99999x99999", "fewer than 2^31 pixels");
  image_refused("romberg", "-romberg_shape 8x8 -romberg_subsampling 0.9",
                "-romberg_subsampling 0.9: one of S rows");
  image_refused("romberg", "-romberg_shape 8x8 -romberg_subsampling 65", "to the 64 pixels");
  image_refused("romberg", "-romberg_shape 8x8 -romberg_subsampling nan",
                "romberg_subsampling");
  image_refused("romberg", "-romberg_shape 8x8 -romberg_seed -1",
                "-romberg_seed -1 is outside");
}

FM_TEST_MAIN(cmocka_unit_test(mixing_is_its_definition), cmocka_unit_test(phases_are_random),
             cmocka_unit_test(operator_is_a_projector), cmocka_unit_test(seeds_differ),
             cmocka_unit_test(likelihood_counts_the_measurements),
             cmocka_unit_test(restricted_data_stay), cmocka_unit_test(noise_must_be_one_number),
             cmocka_unit_test(bad_input))
