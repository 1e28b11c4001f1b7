/* Golds of the priors: densities written down anew, normalisation by quadrature, samples
   against the density. */
#include "energy_cases.h"

#define N 20000

static void within(double z, double limit) {
  if (!(fabs(z) <= limit)) fail_msg("%.3g standard errors, at most %g", z, limit);
}

static const double tight = sizeof(fm_real) == 4 ? 1e-5 : 1e-12;

/* An energy of n unknowns under the options given as name, value, ..., NULL. */
static fm_energy *make(fm_comm *comm, const char *name, int64_t n, const char *const *options) {
  const fm_energy_inputs in = {.comm = comm, .n = n};
  fm_energy *e;

  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, comm));
  for (int k = 0; options[k]; k += 2)
    fm_ok(PetscOptionsSetValue(NULL, options[k], options[k + 1]));
  fm_ok(fm_energy_create(name, &in, &e));
  for (int k = 0; options[k]; k += 2) fm_ok(PetscOptionsClearValue(NULL, options[k]));
  return e;
}

static void unmake(fm_comm *comm, fm_energy *e) {
  fm_ok(fm_energy_destroy(&e));
  fm_ok(fm_comm_destroy(comm));
}

static double value_of(fm_energy *e, const fm_real *x, fm_real *x_bar) {
  uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;
  double value;

  if (x_bar) memset(x_bar, 0, (size_t)fm_energy_size(e) * sizeof(*x_bar));
  fm_ok(fm_energy_evaluate(e, (fm_key){0, &sample, NULL}, 1, x, &value, x_bar, &ok));
  assert_true(ok);
  return (double)value;
}

/* ---- rosenbrock ---- */

static const char *const nothing[] = {NULL};

static void rosenbrock_spot_value(void **state) {
  const fm_real x[] = {2, 4}, away[] = {2, 3};
  fm_real g[2];
  fm_comm comm;
  fm_energy *e = make(&comm, "rosenbrock", 0, nothing);

  assert_int_equal(fm_energy_size(e), 2);
  assert_true(fabs(value_of(e, x, NULL) - 3.49130) < 5e-6); /* method.md, section 2 */
  fm_near(value_of(e, x, g), 2 + log(PETSC_PI) + 0.5 * log(2.), tight);
  fm_near(g[0], 2, tight);
  fm_near(g[1], 0, tight);
  fm_near(value_of(e, away, g), 3 + log(PETSC_PI) + 0.5 * log(2.), tight);
  fm_near(g[0], 2 + 8, tight);
  fm_near(g[1], -2, tight);
  unmake(&comm, e);
}

/* Trapezoidal rule in (x1, x2 - x1^2): its Jacobian is 1. */
static void rosenbrock_is_normalised(void **state) {
  const double h = 0.1;
  double sum = 0;
  fm_comm comm;
  fm_energy *e = make(&comm, "rosenbrock", 2, nothing);

  for (int i = -80; i <= 80; i++)
    for (int j = -60; j <= 60; j++) {
      const double a = h * i, b = h * j;
      const fm_real x[] = {(fm_real)a, (fm_real)(a * a + b)};

      sum += h * h * exp(-value_of(e, x, NULL));
    }
  fm_near(sum, 1, sizeof(fm_real) == 4 ? 1e-5 : 1e-11);
  unmake(&comm, e);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* sqrt(n) times the largest distance between the empirical distribution and that of N(0, 1). */
static double kolmogorov(int64_t n, double *z) {
  double most = 0;

  qsort(z, (size_t)n, sizeof(*z), ascending);
  for (int64_t i = 0; i < n; i++) {
    const double p = 0.5 * erfc(-z[i] / sqrt(2.));

    most = fmax(most, fmax(p - (double)i / (double)n, (double)(i + 1) / (double)n - p));
  }
  return sqrt((double)n) * most;
}

/* The exact map z1 = x1, z2 = sqrt(2) (x2 - x1^2) makes them N(0, I). 1.95: p = 0.001. */
static void rosenbrock_samples_map_to_normal(void **state) {
  const int64_t many = 10 * N;
  double *z, product = 0, square[2] = {0, 0};
  fm_real *x;
  fm_comm comm;
  fm_energy *e = make(&comm, "rosenbrock", 2, nothing);

  fm_ok(PetscMalloc2(2 * many, &x, 2 * many, &z));
  fm_ok(fm_energy_sample(e, (fm_rng){42, FM_STREAM_MODEL}, 0, many, x));
  for (int64_t s = 0; s < many; s++) {
    const double a = (double)x[2 * s], b = (double)x[2 * s + 1];

    z[s] = a;
    z[many + s] = sqrt(2.) * (b - a * a);
    product += z[s] * z[many + s];
    square[0] += z[s] * z[s] - 1;
    square[1] += z[many + s] * z[many + s] - 1;
  }
  within(product / sqrt((double)many), 5);
  for (int k = 0; k < 2; k++) within(square[k] / sqrt(2. * (double)many), 5);
  assert_true(kolmogorov(many, z) < 1.95);
  assert_true(kolmogorov(many, z + many) < 1.95);
  fm_ok(PetscFree2(x, z));
  unmake(&comm, e);
}

/* ---- gaussian ---- */

static const double mean3[] = {1, -2, 0.5};
static const double spd[3][3] = {{2, 0.3, -0.4}, {0.3, 1, 0.2}, {-0.4, 0.2, 0.5}};

/* Inverse and determinant of a symmetric 3 x 3 matrix, by cofactors. */
static double invert(const double a[3][3], double inverse[3][3]) {
  double det = 0;

  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      const int p = (j + 1) % 3, q = (j + 2) % 3, r = (i + 1) % 3, s = (i + 2) % 3;

      inverse[i][j] = a[p][r] * a[q][s] - a[p][s] * a[q][r];
    }
  for (int j = 0; j < 3; j++) det += a[0][j] * inverse[j][0];
  for (int k = 0; k < 9; k++) inverse[k / 3][k % 3] /= det;
  return det;
}

/* 1/2 r^T P r + 1/2 log((2 pi)^3 det S), and P r. */
static double formula(const double p[3][3], double det_s, const fm_real *x, double g[3]) {
  double sum = 0.5 * log(pow(2 * PETSC_PI, 3) * det_s);

  for (int i = 0; i < 3; i++) {
    g[i] = 0;
    for (int j = 0; j < 3; j++) g[i] += p[i][j] * ((double)x[j] - mean3[j]);
    sum += 0.5 * ((double)x[i] - mean3[i]) * g[i];
  }
  return sum;
}

static void check_formula(fm_energy *e, const double p[3][3], double det_s) {
  for (uint64_t t = 0; t < 5; t++) {
    fm_real x[3], x_bar[3];
    double g[3];

    case_draw(t, 3, x);
    fm_near(value_of(e, x, x_bar), formula(p, det_s, x, g), tight);
    for (int i = 0; i < 3; i++) fm_near(x_bar[i], g[i], tight);
  }
}

static void check_moments(fm_energy *e, const double s[3][3]) {
  double mean[3], std[3];
  PetscBool known;

  fm_ok(fm_energy_moments(e, mean, std, &known));
  assert_true(known);
  for (int i = 0; i < 3; i++) {
    fm_near(mean[i], mean3[i], 1e-14);
    fm_near(std[i], sqrt(s[i][i]), 1e-14);
  }
}

/* Mean and covariance of N samples within 5 standard errors of those of N(mean3, s). */
static void check_samples(fm_energy *e, const double s[3][3]) {
  fm_real *x;

  fm_ok(PetscMalloc1(3 * N, &x));
  fm_ok(fm_energy_sample(e, (fm_rng){42, FM_STREAM_MODEL}, 0, N, x));
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      double m = 0, c = 0;

      for (int64_t k = 0; k < N; k++) {
        const double u = (double)x[3 * k + i] - mean3[i], v = (double)x[3 * k + j] - mean3[j];

        m += u / N;
        c += u * v / N;
      }
      within(m / sqrt(s[i][i] / N), 5);
      within((c - s[i][j]) / sqrt((s[i][i] * s[j][j] + s[i][j] * s[i][j]) / N), 5);
    }
  fm_ok(PetscFree(x));
}

static void check_gaussian(const char *const *options, int64_t n, const double s[3][3]) {
  double p[3][3];
  const double det = invert(s, p);
  fm_comm comm;
  fm_energy *e = make(&comm, "gaussian", n, options);

  assert_int_equal(fm_energy_size(e), 3);
  check_formula(e, p, det);
  check_moments(e, s);
  check_samples(e, s);
  unmake(&comm, e);
}

static void gaussian_by_std(void **state) {
  const char *const options[] = {"-gaussian_mean", "1,-2,0.5", "-gaussian_std", "1.5,0.3,0.9",
                                 NULL};
  const double s[3][3] = {{2.25, 0, 0}, {0, 0.09, 0}, {0, 0, 0.81}};

  check_gaussian(options, 3, s);
}

static void gaussian_by_covariance(void **state) {
  const char *const options[] = {"-gaussian_mean", "1,-2,0.5", "-gaussian_covariance",
                                 ENERGY_SPD3, NULL};

  check_gaussian(options, 0, spd);
}

/* The precision is the inverse of the covariance. */
static void gaussian_by_precision(void **state) {
  const char *const options[] = {"-gaussian_mean", "1,-2,0.5", "-gaussian_precision",
                                 ENERGY_SPD3, NULL};
  double inverse[3][3];

  (void)invert(spd, inverse);
  check_gaussian(options, 3, inverse);
}

/* Giving S and giving S^-1 describe one density. */
static void covariance_is_inverse_precision(void **state) {
  char list[512], *at = list;
  double p[3][3];
  const char *const first[] = {"-gaussian_covariance", ENERGY_SPD3, NULL};
  const char *const second[] = {"-gaussian_precision", list, NULL};
  fm_real x[3], g[3], h[3];
  fm_comm comm, other;
  fm_energy *e, *f;

  (void)invert(spd, p);
  for (int k = 0; k < 9; k++) at += sprintf(at, "%s%.17g", k ? "," : "", p[k / 3][k % 3]);
  e = make(&comm, "gaussian", 3, first);
  f = make(&other, "gaussian", 3, second);
  case_draw(77, 3, x);
  fm_near(value_of(e, x, g), value_of(f, x, h), tight);
  for (int i = 0; i < 3; i++) fm_near(g[i], h[i], tight);
  unmake(&comm, e);
  unmake(&other, f);
}

/* One number serves every unknown, and the size may come from -gaussian_size alone. */
static void gaussian_of_single_numbers(void **state) {
  const char *const options[] = {
      "-gaussian_mean", "3.14", "-gaussian_std", "3", "-gaussian_size", "8", NULL};
  fm_real x[8] = {0};
  fm_comm comm;
  fm_energy *e = make(&comm, "gaussian", 0, options);

  assert_int_equal(fm_energy_size(e), 8);
  fm_near(value_of(e, x, NULL), 8 * (0.5 * 3.14 * 3.14 / 9 + log(3.) + 0.5 * log(2 * PETSC_PI)),
          tight);
  unmake(&comm, e);
}

static void gaussian_from_a_file(void **state) {
  char file[64], option[96];
  const char *const options[] = {"-gaussian_mean", "1,-2,0.5", "-gaussian_covariance", option,
                                 NULL};
  const int64_t shape[] = {3, 3};
  fm_store *store;

  snprintf(file, sizeof(file), "/tmp/fathom_gaussian_%d.h5", (int)getpid());
  snprintf(option, sizeof(option), "%s:/S", file);
  fm_ok(fm_store_create(PETSC_COMM_WORLD, file, &store));
  fm_ok(fm_store_write(store, "/S", FM_FLOAT64, 2, shape, spd));
  fm_ok(fm_store_commit(&store, NULL));
  check_gaussian(options, 0, spd);
  unlink(file);
}

/* ---- sentences ---- */

static void refuse(const char *name, int64_t n, const char *const *options, const char *word) {
  fm_energy_inputs in = {.n = n};
  fm_energy *e = NULL;
  fm_comm comm;

  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  in.comm = &comm;
  for (int k = 0; options[k]; k += 2)
    fm_ok(PetscOptionsSetValue(NULL, options[k], options[k + 1]));
  fm_expect_error(fm_energy_create(name, &in, &e), word);
  for (int k = 0; options[k]; k += 2) fm_ok(PetscOptionsClearValue(NULL, options[k]));
  assert_null(e);
  fm_ok(fm_comm_destroy(&comm));
}

#define REFUSE(name, n, word, ...)                                                             \
  refuse(name, n, (const char *const[]){__VA_ARGS__, NULL}, word)

static void unknown_energy_names_the_nearest(void **state) {
  REFUSE("gausian", 2,
         "unknown prior or energy 'gausian' (nearest: gaussian; known: likelihood,", NULL);
  REFUSE("xyzzy", 2, "unknown prior or energy 'xyzzy' (known: likelihood, rosenbrock, gaussian",
         NULL);
}

static void rosenbrock_has_two_unknowns(void **state) {
  REFUSE("rosenbrock", 3, "has 2 unknowns, this problem has 3", NULL);
}

static void gaussian_needs_one_form(void **state) {
  REFUSE("gaussian", 2, "exactly one of -gaussian_std", NULL);
  REFUSE("gaussian", 2, "2 are given", "-gaussian_std", "1", "-gaussian_precision", "1,0,0,1");
}

static void gaussian_sizes_must_agree(void **state) {
  REFUSE("gaussian", 0, "give -gaussian_size", "-gaussian_std", "1");
  REFUSE("gaussian", 2, "-gaussian_std is for 3 unknowns, but there are 2", "-gaussian_std",
         "1,1,1");
  REFUSE("gaussian", 0, "-gaussian_mean is for 3 unknowns, but there are 2", "-gaussian_mean",
         "1,2,3", "-gaussian_covariance", "1,0,0,1");
  REFUSE("gaussian", 0, "fill no square matrix", "-gaussian_covariance", "1,0,0,1,2");
  REFUSE("gaussian", 3, "-gaussian_size is for 4 unknowns", "-gaussian_std", "1",
         "-gaussian_size", "4");
}

static void gaussian_must_be_positive_definite(void **state) {
  REFUSE("gaussian", 2, "-gaussian_std must be positive: got -1 for unknown 1", "-gaussian_std",
         "1,-1");
  REFUSE("gaussian", 2, "-gaussian_std must be positive: got 0", "-gaussian_std", "0");
  REFUSE("gaussian", 0, "-gaussian_covariance is not positive definite: its leading 2 x 2",
         "-gaussian_covariance", "1,2,2,1");
  REFUSE("gaussian", 0, "-gaussian_precision is not positive definite: its leading 1 x 1",
         "-gaussian_precision", "-1,0,0,1");
  REFUSE("gaussian", 0, "-gaussian_covariance is not symmetric: entry [1][0] is 0.3",
         "-gaussian_covariance", "1,0.2,0.3,1");
  REFUSE("gaussian", 0, "-gaussian_covariance", "-gaussian_covariance", "1,nan,nan,1");
}

FM_TEST_MAIN(
    cmocka_unit_test(rosenbrock_spot_value), cmocka_unit_test(rosenbrock_is_normalised),
    cmocka_unit_test(rosenbrock_samples_map_to_normal), cmocka_unit_test(gaussian_by_std),
    cmocka_unit_test(gaussian_by_covariance), cmocka_unit_test(gaussian_by_precision),
    cmocka_unit_test(covariance_is_inverse_precision),
    cmocka_unit_test(gaussian_of_single_numbers), cmocka_unit_test(gaussian_from_a_file),
    cmocka_unit_test(unknown_energy_names_the_nearest),
    cmocka_unit_test(rosenbrock_has_two_unknowns), cmocka_unit_test(gaussian_needs_one_form),
    cmocka_unit_test(gaussian_sizes_must_agree),
    cmocka_unit_test(gaussian_must_be_positive_definite))
