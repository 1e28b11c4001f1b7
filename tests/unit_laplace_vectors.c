/* The operator laplace against the ten test vectors of the benchmark of Aristoff and Bangerth
   (../shared/data/laplace64): F, log-likelihood and log-prior. Skipped where these are absent.
   */
#include "fathom/energy.h"
#include "laplace_cases.h"

/* Numbers of a file of the benchmark; skips the test where the data are absent. */
static void read_numbers(const char *format, int k, int64_t n, double *out) {
  const char *shared = getenv("FATHOM_SHARED");
  char path[1024];
  FILE *file;

  snprintf(path, sizeof(path), "%s/data/laplace64/", shared ? shared : "../shared");
  snprintf(path + strlen(path), sizeof(path) - strlen(path), format, k);
  if (!(file = fopen(path, "r"))) {
    print_message("skipped: the test vectors are absent, %s\n", path);
    skip();
  }
  for (int64_t i = 0; i < n; i++) assert_int_equal(fscanf(file, "%lf", &out[i]), 1);
  fclose(file);
}

static void check_vectors(const char *options, int logarithm) {
  double x[64], z[169], d[169], worst = 0;
  fixture f;

  read_numbers("input.%d.txt", 0, 64, x); /* skips before anything is made */
  begin(&f, options);
  assert_int_equal(f.n, 64);
  assert_int_equal(f.m, 169);
  for (int k = 0; k < 10; k++) {
    read_numbers("input.%d.txt", k, 64, x);
    read_numbers("output.%d.z.txt", k, 169, z);
    for (int i = 0; i < 64 && logarithm; i++) x[i] = log(x[i]);
    assert_true(forward(&f, x, d));
    for (int i = 0; i < 169; i++) worst = fmax(worst, fabs(d[i] / z[i] - 1));
  }
  print_message("F on the ten test vectors%s: largest relative difference %.2g\n", options,
                worst);
  fm_near(worst, 0, 1e-9);
  end(&f);
}

static void test_vectors(void **state) { check_vectors("", 1); }
static void test_vectors_value(void **state) { check_vectors(" -laplace_unknown value", 0); }
static void test_vectors_spread(void **state) { check_vectors(" -laplace_redundant false", 1); }
static void test_vectors_cg(void **state) {
  check_vectors(" -laplace_ksp_type cg -laplace_pc_type icc", 1);
}
static void test_vectors_multigrid(void **state) {
  check_vectors(" -laplace_redundant false -laplace_pc_type mg -laplace_pc_mg_levels 4"
                " -laplace_pc_mg_galerkin both",
                1);
}

/* Energies of the library, less their normalisers, at phi = log theta. */
static double energy(fm_energy *e, const double *phi) {
  PetscBool ok = PETSC_TRUE;
  uint64_t sample = 0;
  fm_real x[64];
  double value;

  for (int i = 0; i < 64; i++) x[i] = (fm_real)phi[i];
  fm_ok(fm_energy_evaluate(e, (fm_key){0, &sample, NULL}, 1, x, &value, NULL, &ok));
  assert_true(ok);
  return (double)value;
}

static void set_energy_options(PetscErrorCode (*change)(const char *, const char *)) {
  fm_ok(change("-noise_std", "0.05"));
  fm_ok(change("-gaussian_std", "2"));
}
static PetscErrorCode insert(const char *name, const char *value) {
  return PetscOptionsSetValue(NULL, name, value);
}
static PetscErrorCode clear(const char *name, const char *value) {
  return PetscOptionsClearValue(NULL, name);
}

static void check_densities(fm_energy *likelihood, fm_energy *prior) {
  const double tolerance = sizeof(fm_real) == 4 ? 1e-4 : 1e-9, two_pi = 2 * acos(-1.);
  const double of_data = 169. / 2 * log(two_pi * 0.05 * 0.05), of_x = 32 * log(two_pi * 4);
  double x[64], loglik, logprior;

  for (int k = 0; k < 10; k++) {
    read_numbers("input.%d.txt", k, 64, x);
    read_numbers("output.%d.loglikelihood.txt", k, 1, &loglik);
    read_numbers("output.%d.logprior.txt", k, 1, &logprior);
    for (int i = 0; i < 64; i++) x[i] = log(x[i]);
    fm_near((of_data - energy(likelihood, x)) / loglik, 1, tolerance);
    if (logprior != 0)
      fm_near((of_x - energy(prior, x)) / logprior, 1, tolerance);
    else
      fm_near(of_x - energy(prior, x), 0, 100 * tolerance);
  }
  memset(x, 0, sizeof(x));
  fm_near((of_data - energy(likelihood, x)) / -228.510844004, 1, tolerance);
}

static void test_densities(void **state) {
  fm_energy *likelihood, *prior;
  fm_operator *op;
  double z[169];
  fm_comm comm;

  read_numbers("z_hat.txt", 0, 169, z);
  op = laplace_create(PETSC_COMM_WORLD, "");
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  const fm_energy_inputs inputs = {&comm, 64, op, 169, z};
  set_energy_options(insert);
  fm_ok(fm_energy_create("likelihood", &inputs, &likelihood));
  fm_ok(fm_energy_create("gaussian", &inputs, &prior));
  set_energy_options(clear);
  check_densities(likelihood, prior);
  fm_ok(fm_energy_destroy(&likelihood));
  fm_ok(fm_energy_destroy(&prior));
  fm_ok(fm_operator_destroy(&op));
  fm_ok(fm_comm_destroy(&comm));
}

FM_TEST_MAIN(cmocka_unit_test(test_vectors), cmocka_unit_test(test_vectors_value),
             cmocka_unit_test(test_vectors_spread), cmocka_unit_test(test_vectors_cg),
             cmocka_unit_test(test_vectors_multigrid), cmocka_unit_test(test_densities))
