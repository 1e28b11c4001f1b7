/* What every energy in energies.def promises, whatever it computes. */
#include "energy_cases.h"

#define NB 4

/* A number of standard errors. */
static void within(double z, double limit) {
  if (!(fabs(z) <= limit)) fail_msg("%.3g standard errors, at most %g", z, limit);
}

static void for_each(void (*body)(energy_fixture *)) {
  for (int k = 0; k < ENERGY_CASES; k++) {
    energy_fixture f;

    case_open(&f, &energy_cases[k], PETSC_COMM_WORLD, 1);
    body(&f);
    case_close(&f);
  }
}

/* These have no density: unit_reflectivity.c and unit_layers.c have what they promise. */
static PetscBool has_no_density(const char *name) {
  return !strcmp(name, "reflectivity") || !strcmp(name, "layers") ? PETSC_TRUE : PETSC_FALSE;
}

static void everything_registered_is_tested(void **state) {
  for (int i = 0; i < fm_energy_count(); i++) {
    PetscBool found = has_no_density(fm_energy_name(i));

    assert_true(strlen(fm_energy_help(i)) > 10);
    for (int k = 0; k < ENERGY_CASES; k++)
      if (!strcmp(energy_cases[k].name, fm_energy_name(i))) found = PETSC_TRUE;
    if (!found) fail_msg("energy %s has no case in energy_cases.h", fm_energy_name(i));
  }
}

static void described(energy_fixture *f) {
  assert_true(strlen(fm_energy_describe(f->energy)) >= strlen("flow"));
}

/* ---- value and gradient ---- */

/* E at x + h dx. */
static double value_at(energy_fixture *f, const fm_real *x, const fm_real *dx, double h) {
  fm_real moved[ENERGY_MOST];
  double value;

  for (int64_t i = 0; i < f->c->n; i++) moved[i] = (fm_real)((double)x[i] + h * (double)dx[i]);
  case_evaluate(f, 1, moved, &value, NULL);
  return (double)value;
}

static double slope_along(energy_fixture *f, const fm_real *x, const fm_real *dx) {
  fm_real x_bar[ENERGY_MOST];
  double value;
  double sum = 0;

  case_evaluate(f, 1, x, &value, x_bar);
  for (int64_t i = 0; i < f->c->n; i++) sum += (double)x_bar[i] * (double)dx[i];
  return sum;
}

#ifdef FM_SINGLE
/* Float leaves no room for a slope: central differences to a hundredth. */
static void taylor(energy_fixture *f, const fm_real *x, const fm_real *dx) {
  const double h = 1. / 256, slope = slope_along(f, x, dx);

  fm_near((value_at(f, x, dx, h) - value_at(f, x, dx, -h)) / (2 * h), slope, 1e-2);
}
#else
/* |E(x + h dx) - E(x) - h <g, dx>| falls as h^2. */
static void taylor(energy_fixture *f, const fm_real *x, const fm_real *dx) {
  const double far = 1. / 256, near = 1. / 2048, slope = slope_along(f, x, dx);
  const double base = value_at(f, x, dx, 0);
  const double r = fabs(value_at(f, x, dx, far) - base - far * slope);
  const double q = fabs(value_at(f, x, dx, near) - base - near * slope);

  assert_true(r > 1e-9);
  fm_near(log(r / q) / log(far / near), 2, 0.1);
}
#endif

static void gradient_is_that_of_the_value(energy_fixture *f) {
  fm_real x[ENERGY_MOST], dx[ENERGY_MOST];

  for (uint64_t t = 0; t < 4; t++) {
    case_draw(2 * t, f->c->n, x);
    case_draw(2 * t + 1, f->c->n, dx);
    taylor(f, x, dx);
  }
}

/* One unknown at a time: no component may hide behind a direction. */
static void each_component_is_right(energy_fixture *f) {
  const double h = sizeof(fm_real) == 4 ? 1. / 256 : 1e-5;
  const double tolerance = sizeof(fm_real) == 4 ? 1e-2 : 1e-7;
  fm_real x[ENERGY_MOST];

  case_draw(31, f->c->n, x);
  for (int64_t i = 0; i < f->c->n; i++) {
    fm_real dx[ENERGY_MOST] = {0};

    dx[i] = 1;
    fm_near((value_at(f, x, dx, h) - value_at(f, x, dx, -h)) / (2 * h), slope_along(f, x, dx),
            tolerance);
  }
}

static void value_needs_no_gradient(energy_fixture *f) {
  fm_real x[NB * ENERGY_MOST], x_bar[NB * ENERGY_MOST];
  double with[NB], without[NB];

  case_draw(1, NB * f->c->n, x);
  case_evaluate(f, NB, x, with, x_bar);
  case_evaluate(f, NB, x, without, NULL);
  assert_memory_equal(with, without, sizeof(with));
}

static void gradient_is_added(energy_fixture *f) {
  fm_real x[ENERGY_MOST], once[ENERGY_MOST], twice[ENERGY_MOST];
  double value;
  uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;

  case_draw(2, f->c->n, x);
  case_evaluate(f, 1, x, &value, once);
  for (int64_t i = 0; i < f->c->n; i++) twice[i] = (fm_real)1.5;
  fm_ok(fm_energy_evaluate(f->energy, (fm_key){0, &sample, NULL}, 1, x, &value, twice, &ok));
  for (int64_t i = 0; i < f->c->n; i++)
    fm_near(twice[i], once[i] + (fm_real)1.5, 4 * FM_EPSILON);
}

/* A batch is its samples. */
static void batch_is_its_samples(energy_fixture *f) {
  const int64_t n = f->c->n;
  fm_real x[NB * ENERGY_MOST], x_bar[NB * ENERGY_MOST], one_bar[ENERGY_MOST];
  double value[NB], one;

  case_draw(3, NB * n, x);
  case_evaluate(f, NB, x, value, x_bar);
  for (int64_t s = 0; s < NB; s++) {
    case_evaluate(f, 1, x + s * n, &one, one_bar);
    fm_near(one, value[s], 16 * FM_EPSILON);
    for (int64_t i = 0; i < n; i++) fm_near(one_bar[i], x_bar[s * n + i], 64 * FM_EPSILON);
  }
}

/* A bad sample is marked, its neighbours are as if it were not there, a verdict is kept. */
static void bad_samples_are_marked(energy_fixture *f) {
  const int64_t n = f->c->n;
  const uint64_t sample[NB] = {0, 1, 2, 3};
  fm_real x[NB * ENERGY_MOST], x_bar[NB * ENERGY_MOST] = {0};
  double value[NB], clean[NB];
  PetscBool ok[NB] = {PETSC_TRUE, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE};

  case_draw(4, NB * n, x);
  case_evaluate(f, NB, x, clean, NULL);
  x[1 * n] = (fm_real)NAN;
  x[2 * n + n - 1] = (fm_real)INFINITY;
  fm_ok(fm_energy_evaluate(f->energy, (fm_key){0, sample, NULL}, NB, x, value, x_bar, ok));
  assert_true(ok[0]);
  fm_near(value[0], clean[0], 16 * FM_EPSILON);
  for (int s = 1; s < NB; s++) assert_false(ok[s]);
  for (int s = 1; s < NB; s++) assert_true(isnan(value[s]));
  for (int64_t i = 0; i < n; i++) assert_true(isfinite(x_bar[i]));
}

static void bad_samples_without_gradient(energy_fixture *f) {
  const uint64_t sample = 0;
  fm_real x[ENERGY_MOST] = {0};
  double value = 0;
  PetscBool ok = PETSC_TRUE;

  x[0] = (fm_real)NAN;
  fm_ok(fm_energy_evaluate(f->energy, (fm_key){0, &sample, NULL}, 1, x, &value, NULL, &ok));
  assert_false(ok);
}

/* ---- sampling ---- */

static PetscBool can_sample(const energy_fixture *f) {
  return strcmp(f->c->name, "likelihood") ? PETSC_TRUE : PETSC_FALSE;
}

/* Sample i is named (rng, 0, first + i): any cut of the range draws the same. */
static void samples_are_named(energy_fixture *f) {
  const int64_t n = f->c->n;
  const fm_rng rng = {5, FM_STREAM_MODEL};
  fm_real all[5 * ENERGY_MOST], some[2 * ENERGY_MOST], other[ENERGY_MOST];
  PetscBool differ = PETSC_FALSE;

  if (!can_sample(f)) return;
  fm_ok(fm_energy_sample(f->energy, rng, 0, 5, all));
  fm_ok(fm_energy_sample(f->energy, rng, 3, 2, some));
  for (int64_t i = 0; i < 2 * n; i++) fm_near(some[i], all[3 * n + i], 64 * FM_EPSILON);
  fm_ok(fm_energy_sample(f->energy, (fm_rng){6, FM_STREAM_MODEL}, 0, 1, other));
  for (int64_t i = 0; i < n; i++) differ |= other[i] != all[i];
  assert_true(differ);
  for (int64_t i = 0; i < n; i++) assert_true(all[i] != all[n + i]);
}

static void likelihood_cannot_sample(void **state) {
  energy_fixture f;
  fm_real x[ENERGY_MOST];

  case_open(&f, &energy_cases[0], PETSC_COMM_WORLD, 1);
  fm_expect_error(fm_energy_sample(f.energy, (fm_rng){5, FM_STREAM_MODEL}, 0, 1, x),
                  "no exact sampler");
  case_close(&f);
}

/* Moments, where known, are those of 20,000 samples within 5 standard errors; that of a
   variance is sqrt((E(x - mean)^4 - std^4) / N), estimated. */
static void moments_are_those_of_samples(energy_fixture *f) {
  const int64_t n = f->c->n, N = 20000;
  double mean[ENERGY_MOST], std[ENERGY_MOST];
  PetscBool known;
  fm_real *x;

  fm_ok(fm_energy_moments(f->energy, mean, std, &known));
  if (!known || !can_sample(f)) return;
  fm_ok(PetscMalloc1(N * n, &x));
  fm_ok(fm_energy_sample(f->energy, (fm_rng){5, FM_STREAM_MODEL}, 0, N, x));
  for (int64_t i = 0; i < n; i++) {
    double m1 = 0, m2 = 0, m4 = 0;

    for (int64_t s = 0; s < N; s++) {
      const double r = (double)x[s * n + i] - mean[i];

      m1 += r / (double)N;
      m2 += r * r / (double)N;
      m4 += r * r * r * r / (double)N;
    }
    within(m1 / (std[i] / sqrt((double)N)), 5);
    within((m2 - std[i] * std[i]) / sqrt((m4 - m2 * m2) / (double)N), 5);
  }
  fm_ok(PetscFree(x));
}

/* The mean of (x - c) . grad E over exact samples is n (Stein's identity): sampler and gradient
   belong to one density. Within 5 standard errors, estimated. */
static void sampler_and_gradient_agree(energy_fixture *f) {
  const int64_t n = f->c->n, N = 20000;
  double sum = 0, square = 0;
  fm_real *x;

  if (!can_sample(f)) return;
  fm_ok(PetscMalloc1(N * n, &x));
  fm_ok(fm_energy_sample(f->energy, (fm_rng){5, FM_STREAM_MODEL}, 0, N, x));
  for (int64_t s = 0; s < N; s++) {
    fm_real g[ENERGY_MOST];
    double value;
    double t = 0;

    case_evaluate(f, 1, x + s * n, &value, g);
    for (int64_t i = 0; i < n; i++) t += ((double)x[s * n + i] - 0.1) * (double)g[i];
    sum += t / (double)N;
    square += t * t / (double)N;
  }
  within((sum - (double)n) / sqrt((square - sum * sum) / (double)N), 5);
  fm_ok(PetscFree(x));
}

#define FOR_EACH(body)                                                                         \
  static void for_##body(void **state) { for_each(body); }
FOR_EACH(described)
FOR_EACH(gradient_is_that_of_the_value)
FOR_EACH(each_component_is_right)
FOR_EACH(value_needs_no_gradient)
FOR_EACH(gradient_is_added)
FOR_EACH(batch_is_its_samples)
FOR_EACH(bad_samples_are_marked)
FOR_EACH(bad_samples_without_gradient)
FOR_EACH(samples_are_named)
FOR_EACH(moments_are_those_of_samples)
FOR_EACH(sampler_and_gradient_agree)

FM_TEST_MAIN(cmocka_unit_test(everything_registered_is_tested), cmocka_unit_test(for_described),
             cmocka_unit_test(for_gradient_is_that_of_the_value),
             cmocka_unit_test(for_each_component_is_right),
             cmocka_unit_test(for_value_needs_no_gradient),
             cmocka_unit_test(for_gradient_is_added),
             cmocka_unit_test(for_batch_is_its_samples),
             cmocka_unit_test(for_bad_samples_are_marked),
             cmocka_unit_test(for_bad_samples_without_gradient),
             cmocka_unit_test(for_samples_are_named),
             cmocka_unit_test(likelihood_cannot_sample),
             cmocka_unit_test(for_moments_are_those_of_samples),
             cmocka_unit_test(for_sampler_and_gradient_agree))
