/* The prior field against dense algebra on its covariance matrix, summed by its definition; its
   samples; bad input. */
#include "fathom/rng.h"
#include "image_cases.h"

#define MOST 64

typedef struct law {
  int64_t rows, columns;
  double mean, std, correlation, smoothness, nugget;
} law;

static void law_text(const law *f, char *text, size_t size) {
  snprintf(text, size,
           "-field_shape %dx%d -field_mean %.17g -field_std %.17g -field_correlation %.17g "
           "-field_smoothness %.17g -field_nugget %.17g",
           (int)f->rows, (int)f->columns, f->mean, f->std, f->correlation, f->smoothness,
           f->nugget);
}

static fm_energy *make(const law *f, const fm_comm *comm) {
  const fm_energy_inputs in = {comm, 0, NULL, 0, NULL};
  PetscOptions options;
  fm_energy *energy;
  char text[512];

  law_text(f, text, sizeof(text));
  options = image_begin(text);
  fm_ok(fm_energy_create("field", &in, &energy));
  image_end(&options);
  return energy;
}

/* (2 nu / L^2 + kappa^2)^-(nu + 1) of wavenumbers i and j, signed, of the periodic grid. */
static double spectrum(const law *f, int64_t i, int64_t j) {
  const int64_t a = 2 * i > f->rows ? i - f->rows : i;
  const int64_t b = 2 * j > f->columns ? j - f->columns : j;
  const double ka = 2 * PETSC_PI * (double)a / (double)f->rows;
  const double kb = 2 * PETSC_PI * (double)b / (double)f->columns;

  return pow(2 * f->smoothness / (f->correlation * f->correlation) + ka * ka + kb * kb,
             -(f->smoothness + 1));
}

/* The covariance of two pixels (p, q) apart, as a sum of cosines. */
static double covariance_at(const law *f, int64_t p, int64_t q) {
  double sum = 0, total = 0;

  for (int64_t i = 0; i < f->rows; i++)
    for (int64_t j = 0; j < f->columns; j++) {
      const double s = spectrum(f, i, j);

      total += s;
      sum +=
          s * cos(2 * PETSC_PI *
                  ((double)(i * p) / (double)f->rows + (double)(j * q) / (double)f->columns));
    }
  return f->std * f->std * ((1 - f->nugget) * sum / total + (p == 0 && q == 0 ? f->nugget : 0));
}

static void covariance(const law *f, double *c) {
  const int64_t n = f->rows * f->columns;

  for (int64_t a = 0; a < n; a++)
    for (int64_t b = 0; b < n; b++)
      c[a * n + b] = covariance_at(f, (a / f->columns - b / f->columns + f->rows) % f->rows,
                                   (a % f->columns - b % f->columns + f->columns) % f->columns);
}

/* Value and gradient against 1/2 r^T C^-1 r + 1/2 log det(2 pi C). */
static void check(const law *f) {
  const int64_t n = f->rows * f->columns;
  const uint64_t sample = 0;
  double l[MOST * MOST], r[MOST], u[MOST], value, expected, logdet, most = 0;
  fm_real x[MOST], x_bar[MOST] = {0};
  PetscBool ok = PETSC_TRUE;
  fm_energy *energy;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  energy = make(f, &comm);
  assert_int_equal(fm_energy_size(energy), n);
  covariance(f, l);
  logdet = image_cholesky(n, l);
  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, (size_t)n, x);
  for (int64_t i = 0; i < n; i++) u[i] = r[i] = (double)x[i] - f->mean;
  image_solve(n, l, u);
  expected = 0.5 * (logdet + (double)n * log(2 * PETSC_PI));
  for (int64_t i = 0; i < n; i++) expected += 0.5 * r[i] * u[i];
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, &sample, NULL}, 1, x, &value, x_bar, &ok));
  assert_true(ok);
  fm_near(value, expected, 1e-11);
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(u[i]));
  for (int64_t i = 0; i < n; i++)
    fm_near(x_bar[i] / most, u[i] / most, sizeof(fm_real) == 4 ? 1e-6 : 1e-12);
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

static const law laws[] = {{8, 8, 0, 1, 4, 1.5, 1e-2},    {8, 8, 0.7, 2.3, 2, 0.5, 1e-1},
                           {7, 9, -1, 0.4, 3, 2.5, 1e-3}, {5, 6, 0, 1, 100, 1, 0.5},
                           {1, 12, 0, 1, 3, 1, 1e-2},     {4, 4, 0, 3, 1, 1, 1}};

static void value_and_gradient(void **state) {
  for (size_t k = 0; k < sizeof(laws) / sizeof(laws[0]); k++) check(&laws[k]);
}

/* The covariance of the first pixel with each other one over 40,000 samples, within 5 standard
   errors: the variance of x_a x_b is C_aa C_bb + C_ab^2. */
static void sample_covariance(void **state) {
  const law *f = &laws[1];
  const int64_t n = f->rows * f->columns, N = 40000;
  double sums[MOST] = {0};
  fm_energy *energy;
  fm_comm comm;
  fm_real *x;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  energy = make(f, &comm);
  fm_ok(PetscMalloc1(N * n, &x));
  fm_ok(fm_energy_sample(energy, (fm_rng){5, FM_STREAM_MODEL}, 0, N, x));
  for (int64_t s = 0; s < N; s++)
    for (int64_t i = 0; i < n; i++)
      sums[i] += ((double)x[s * n] - f->mean) * ((double)x[s * n + i] - f->mean) / (double)N;
  for (int64_t i = 0; i < n; i++) {
    const double expected = covariance_at(f, i / f->columns, i % f->columns);
    const double variance = pow(f->std, 4) + expected * expected;

    if (!(fabs(sums[i] - expected) < 5 * sqrt(variance / (double)N)))
      fail_msg("covariance %lld: %.6g, %.6g expected", (long long)i, sums[i], expected);
  }
  fm_ok(PetscFree(x));
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

/* E(x) - E(mean) of a draw is |z|^2/2 of the normals that it was made from. */
static void draws_are_whitened(void **state) {
  const fm_rng rng = {5, FM_STREAM_MODEL};
  fm_real x[2 * MOST], z[MOST];
  uint64_t sample[2] = {0, 1};
  PetscBool ok[2] = {PETSC_TRUE, PETSC_TRUE};
  double value[2], square = 0;
  fm_energy *energy;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  energy = make(&laws[0], &comm);
  fm_ok(fm_energy_sample(energy, rng, 3, 1, x));
  for (int i = 0; i < MOST; i++) x[MOST + i] = 0;
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, sample, NULL}, 2, x, value, NULL, ok));
  fm_rng_normal(rng, 0, 3, MOST, z);
  for (int i = 0; i < MOST; i++) square += (double)z[i] * (double)z[i];
  fm_near(value[0] - value[1], square / 2, sizeof(fm_real) == 4 ? 1e-6 : 1e-12);
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

/* Value and gradient of a sample are the same bits alone and among others. */
static void bits_do_not_depend_on_the_batch(void **state) {
  fm_real x[3 * MOST], all[3 * MOST] = {0}, one[MOST] = {0};
  uint64_t sample[3] = {0, 1, 2};
  PetscBool ok[3] = {PETSC_TRUE, PETSC_TRUE, PETSC_TRUE};
  double value[3], alone;
  fm_energy *energy;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  energy = make(&laws[0], &comm);
  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 4, 3 * MOST, x);
  fm_ok(fm_energy_evaluate(energy, (fm_key){0, sample, NULL}, 3, x, value, all, ok));
  fm_ok(
      fm_energy_evaluate(energy, (fm_key){0, sample, NULL}, 1, x + 2 * MOST, &alone, one, ok));
  assert_true(alone == value[2]);
  assert_memory_equal(one, all + 2 * MOST, sizeof(one));
  fm_ok(fm_energy_destroy(&energy));
  fm_ok(fm_comm_destroy(&comm));
}

static void bad_input(void **state) {
  image_energy_refused("field", "", 0, "needs -field_shape ROWSxCOLUMNS");
  image_energy_refused("field", "-field_shape 8", 0, "takes rows and columns of the grid");
  image_energy_refused("field", "-field_shape 0x8", 0, "at least 1x1");
  image_energy_refused("field", "-field_shape 8x8", 63,
                       "is 64 pixels, but there are 63 unknowns");
  image_energy_refused("field", "-field_shape 8x8 -field_std 0", 0,
                       "-field_std 0 must be positive");
  image_energy_refused("field", "-field_shape 8x8 -field_nugget 0", 0,
                       "-field_nugget 0 must be positive");
  image_energy_refused("field", "-field_shape 8x8 -field_nugget 1.5", 0, "at most 1");
  image_energy_refused("field", "-field_shape 8x8 -field_correlation -2", 0,
                       "-field_correlation -2 must be positive");
}

FM_TEST_MAIN(cmocka_unit_test(value_and_gradient), cmocka_unit_test(sample_covariance),
             cmocka_unit_test(draws_are_whitened),
             cmocka_unit_test(bits_do_not_depend_on_the_batch), cmocka_unit_test(bad_input))
