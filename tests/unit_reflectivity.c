/* Generated reflectivity images: their variance is the closed form's in every pixel, the two
   geologies differ as documented, a sample does not depend on its block, faults and folds are
   there. */
#include "fathom/energy.h"
#include "fm_test.h"

#define N 2000
#define SIDE 48
#define PIXELS (SIDE * SIDE)

typedef struct ensemble {
  fm_comm comm;
  fm_energy *energy;
  fm_real *x; /* [N][SIDE][SIDE] */
} ensemble;

static void set(const char *name, const char *value) {
  fm_ok(value ? PetscOptionsSetValue(NULL, name, value) : PetscOptionsClearValue(NULL, name));
}

static void create(ensemble *e, const char *geology, const char *shape) {
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &e->comm));
  set("-reflectivity_geology", geology);
  set("-reflectivity_shape", shape);
  fm_ok(fm_energy_create("reflectivity", &(fm_energy_inputs){&e->comm, 0, NULL, 0, NULL},
                         &e->energy));
}

static void begin(ensemble *e, const char *geology) {
  create(e, geology, "48x48");
  assert_int_equal(fm_energy_size(e->energy), PIXELS);
  e->x = malloc(sizeof(*e->x) * N * PIXELS);
  fm_ok(fm_energy_sample(e->energy, (fm_rng){7, FM_STREAM_MODEL}, 0, N, e->x));
}

static void finish(ensemble *e) {
  free(e->x);
  fm_ok(fm_energy_destroy(&e->energy));
  fm_ok(fm_comm_destroy(&e->comm));
  set("-reflectivity_geology", NULL);
  set("-reflectivity_shape", NULL);
  set("-reflectivity_wavelet", NULL);
  set("-reflectivity_background", NULL);
}

/* mean over the images of the mean over pixels of x^power, and its standard error */
static void mean_of(const ensemble *e, int power, double *mean, double *se) {
  double sum = 0, square = 0;

  for (int64_t i = 0; i < N; i++) {
    double one = 0;

    for (int64_t k = 0; k < PIXELS; k++) {
      const double v = (double)e->x[i * PIXELS + k];

      one += (power == 1 ? v : power == 2 ? v * v : v * v * v * v) / PIXELS;
    }
    sum += one / N;
    square += one * one / N;
  }
  *mean = sum;
  *se = sqrt((square - sum * sum) / N);
}

static void within(const char *what, double value, double right, double se) {
  if (!(fabs(value - right) <= 4 * se))
    fail_msg("%s is %g +- %g, should be %g", what, value, se, right);
}

static double correlation(const ensemble *e, int64_t down, int64_t right) {
  double sum = 0, all = 0;

  for (int64_t i = 0; i < N; i++)
    for (int64_t t = 0; t < SIDE - down; t++)
      for (int64_t k = 0; k < SIDE - right; k++) {
        const fm_real *at = e->x + i * PIXELS + t * SIDE + k;

        sum += (double)at[0] * (double)at[down * SIDE + right];
        all += (double)at[0] * (double)at[0];
      }
  return sum / all;
}

/* in the corners too: boundaries from outside come into view as often as they leave it */
static void check_corners(const ensemble *e) {
  const int64_t at[4] = {0, SIDE - 1, PIXELS - SIDE, PIXELS - 1};

  for (int c = 0; c < 4; c++) {
    double m2 = 0, m4 = 0;

    for (int64_t i = 0; i < N; i++) {
      const double v = (double)e->x[i * PIXELS + at[c]];

      m2 += v * v / N;
      m4 += v * v * v * v / N;
    }
    within("the variance in a corner", m2, 1, sqrt((m4 - m2 * m2) / N));
  }
}

static void check_ensemble(const char *geology, const char *wavelet, const char *background) {
  ensemble e;
  double mean, se, one = 0;
  PetscBool known;

  set("-reflectivity_wavelet", wavelet);
  set("-reflectivity_background", background);
  begin(&e, geology);
  mean_of(&e, 1, &mean, &se);
  within("the mean", mean, 0, se);
  mean_of(&e, 2, &mean, &se);
  print_message("%s: variance %.4f +- %.4f\n", geology, mean, se);
  within("the variance", mean, 1, se);
  assert_true(se < 0.04);
  mean_of(&e, 4, &mean, &se);
  assert_true(mean > 4); /* a normal law has 3: some boundaries stand out */
  check_corners(&e);
  double *m = malloc(2 * PIXELS * sizeof(*m));
  fm_ok(fm_energy_moments(e.energy, m, m + PIXELS, &known));
  for (int k = 0; k < PIXELS; k++) one += m[PIXELS + k] - m[k];
  assert_true(known && one == PIXELS);
  free(m);
  finish(&e);
}

static void variance_is_one(void **state) {
  check_ensemble("gentle", NULL, NULL);
  check_ensemble("complex", NULL, NULL);
}

static void for_other_wavelets_and_noise(void **state) {
  check_ensemble("gentle", "0.15", "0");
  check_ensemble("complex", "0.06", "0.4");
}

/* across the layers a Ricker wavelet's own correlation, along them that of the folds */
static void geologies_differ(void **state) {
  ensemble g, c;

  begin(&g, "gentle");
  begin(&c, "complex");
  assert_true(correlation(&g, 2, 0) > 0.4 && correlation(&c, 2, 0) < 0.25);
  assert_true(correlation(&g, 6, 0) < -0.4);
  assert_true(correlation(&g, 0, 8) > 0.7 && correlation(&c, 0, 8) < 0.3);
  assert_true(correlation(&c, 0, 1) > 0.9);
  finish(&g);
  finish(&c);
}

/* white noise of the declared size is all that neighbouring traces do not share where nothing
   is folded: differences of a wide wavelet's images are the noise's */
static void background(void **state) {
  double sum = 0;
  ensemble e;

  set("-reflectivity_background", "0.3");
  begin(&e, "gentle");
  for (int64_t i = 0; i < N; i++) {
    fm_real *x = e.x + i * PIXELS;

    for (int64_t t = 0; t < SIDE; t++) /* third differences along a trace and across */
      for (int64_t k = 0; k + 4 < SIDE; k++) {
        const double d = (double)x[t * SIDE + k] - 4 * (double)x[t * SIDE + k + 1] +
                         6 * (double)x[t * SIDE + k + 2] - 4 * (double)x[t * SIDE + k + 3] +
                         (double)x[t * SIDE + k + 4];
        sum += d * d < 100 ? d * d : 0; /* faults aside */
      }
  }
  sum /= (double)N * SIDE * (SIDE - 4) * 70; /* 1 + 16 + 36 + 16 + 1 */
  fm_near(sum, 0.09, 0.01);
  finish(&e);
}

static void samples_do_not_depend_on_the_block(void **state) {
  fm_real some[2 * PIXELS];
  ensemble e;

  begin(&e, "complex");
  fm_ok(fm_energy_sample(e.energy, (fm_rng){7, FM_STREAM_MODEL}, 5, 2, some));
  assert_memory_equal(some, e.x + 5 * PIXELS, sizeof(some));
  assert_true(memcmp(e.x, e.x + PIXELS, PIXELS * sizeof(*e.x)) != 0);
  fm_ok(fm_energy_sample(e.energy, (fm_rng){8, FM_STREAM_MODEL}, 5, 2, some));
  assert_true(memcmp(some, e.x + 5 * PIXELS, sizeof(some)) != 0);
  finish(&e);
}

/* shapes, and what they say when they do not fit */
static void shapes(void **state) {
  fm_real x[24 * 100];
  ensemble e = {.x = NULL};

  create(&e, "complex", "24x100");
  assert_int_equal(fm_energy_size(e.energy), 2400);
  fm_ok(fm_energy_sample(e.energy, (fm_rng){7, FM_STREAM_MODEL}, 0, 1, x));
  for (int i = 0; i < 2400; i++) assert_true(isfinite(x[i]));
  fm_ok(fm_energy_destroy(&e.energy));
  fm_expect_error(fm_energy_create("reflectivity",
                                   &(fm_energy_inputs){&e.comm, 4096, NULL, 0, NULL},
                                   &e.energy),
                  "24x100 is an image of 2400 unknowns, the operator takes 4096");
  set("-reflectivity_shape", "0x3");
  fm_expect_error(fm_energy_create("reflectivity",
                                   &(fm_energy_inputs){&e.comm, 0, NULL, 0, NULL}, &e.energy),
                  "1 to 8192");
  e.energy = NULL;
  finish(&e);
}

static void no_density(void **state) {
  PetscBool ok = PETSC_TRUE;
  uint64_t sample = 0;
  ensemble e;
  double value;

  begin(&e, "gentle");
  fm_expect_error(
      fm_energy_evaluate(e.energy, (fm_key){0, &sample, NULL}, 1, e.x, &value, NULL, &ok),
      "reflectivity has no density");
  finish(&e);
}

FM_TEST_MAIN(cmocka_unit_test(variance_is_one), cmocka_unit_test(for_other_wavelets_and_noise),
             cmocka_unit_test(geologies_differ), cmocka_unit_test(background),
             cmocka_unit_test(samples_do_not_depend_on_the_block), cmocka_unit_test(shapes),
             cmocka_unit_test(no_density))
