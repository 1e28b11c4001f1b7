/* The range of what pairs have, against chi^2 (whose tail is tested in unit_calibration) and
   the exponential distribution, and through a flow that is exact. */
#include "fathom/calibration.h"
#include "fathom/dataset.h"
#include "fathom/rng.h"
#include "fathom/typical.h"
#include "io_test.h"

#define TAIL 0.001

/* The x below which chi^2 with `dof` is with probability p. */
static double chi2_quantile(double p, int64_t dof) {
  double low = 0, high = 10 * (double)dof + 60;

  for (int k = 0; k < 200; k++) {
    const double x = (low + high) / 2;

    if (fm_chi2_survival(x, dof) > 1 - p)
      low = x;
    else
      high = x;
  }
  return low;
}

/* |z|^2 / m of m standard normal numbers, draw by draw. */
static void draw_squares(uint64_t seed, int64_t count, int64_t m, double *v) {
  fm_real z[64];

  for (int64_t i = 0; i < count; i++) {
    fm_rng_normal((fm_rng){seed, FM_STREAM_CHECK}, 0, (uint64_t)i, (size_t)m, z);
    v[i] = 0;
    for (int64_t k = 0; k < m; k++) v[i] += (double)z[k] * (double)z[k] / (double)m;
  }
}

/* Of 1,900 quantiles of chi^2 the fit finds the outermost ones, which it was not shown, as well
   as Wilson and Hilferty's formula has them: (1 - 2/9m -+ 3.09 sqrt(2/9m))^3. */
static void fit_of_chi_square(void **state) {
  const struct {
    int64_t dof;
    double low, high; /* relative */
  } cases[] = {{2, 2, 0.03}, {8, 0.12, 0.01}, {16, 0.03, 0.005}, {128, 0.003, 0.003}};
  static double v[1900];

  for (int c = 0; c < 4; c++) {
    const int64_t m = cases[c].dof;
    const double low = chi2_quantile(TAIL, m), high = chi2_quantile(1 - TAIL, m);
    fm_typical t;

    for (int i = 0; i < 1900; i++) v[i] = chi2_quantile((i + 0.5) / 1900, m) / (double)m;
    fm_typical_of_squares(1900, v, &t);
    fm_near(t.mean, 1, 2e-3);
    if (fabs(t.low * (double)m / low - 1) > cases[c].low) fail_msg("low %g", t.low);
    if (fabs(t.high * (double)m / high - 1) > cases[c].high) fail_msg("high %g", t.high);
    assert_int_equal(t.pairs, 1900);
  }
}

/* What is promised: one more leaves the range with probability .1 % on either side, on average
   over sets of any size. */
static void one_more_leaves_it(void **state) {
  const struct {
    int64_t count;
    int sets;
    double error; /* of the mean, with room for four standard errors of the sets */
  } cases[] = {{12, 3000, 2.5e-4}, {64, 1000, 2.5e-4}, {2500, 60, 4e-4}};
  static double v[2500];
  const int64_t m = 16;

  for (int c = 0; c < 3; c++) {
    double below = 0, above = 0;

    for (int s = 0; s < cases[c].sets; s++) {
      fm_typical t;

      draw_squares((uint64_t)(100000 * c + s), cases[c].count, m, v);
      fm_typical_of_squares(cases[c].count, v, &t);
      above += fm_chi2_survival(t.high * (double)m, m) / cases[c].sets;
      below += (1 - fm_chi2_survival(t.low * (double)m, m)) / cases[c].sets;
    }
    if (fabs(above - TAIL) > cases[c].error || fabs(below - TAIL) > cases[c].error)
      fail_msg("of %d: %g below, %g above", (int)cases[c].count, below, above);
  }
}

/* Values that may be negative: -log p of the exponential distribution, whose skewness is 2, and
   of a normal one, whose is 0. */
static void fit_of_values(void **state) {
  static double v[1900];
  fm_typical t;

  for (int i = 0; i < 1900; i++) v[i] = -7 - 3 * log(1 - (i + 0.5) / 1900);
  fm_typical_of_values(1900, v, &t);
  fm_near(t.high, -7 - 3 * log(TAIL), 0.03);
  fm_near(t.low, -7, 0.02);
  for (int i = 0; i < 1900; i++) {
    fm_real z;

    fm_rng_normal((fm_rng){4, FM_STREAM_CHECK}, 0, (uint64_t)(i / 2), 1, &z);
    v[i] = -40 + (i % 2 ? 5 : -5) * (double)z; /* in pairs: no skewness */
  }
  fm_typical_of_values(1900, v, &t);
  fm_near((t.high + t.low) / 2, -40, 1e-9);
  fm_near((t.high - t.mean) / t.std, 3.0902, 3e-3);
}

static void few_values(void **state) {
  double v[] = {3, 1, 2, 5, 4, 7, 6, 8};
  fm_typical t;

  fm_typical_of_squares(7, v, &t);
  assert_false(fm_typical_has_range(&t));
  assert_int_equal(fm_typical_side(&t, 1e9), 0);
  fm_typical_of_squares(8, v, &t);
  assert_true(fm_typical_has_range(&t));
  assert_int_equal(fm_typical_side(&t, 4), 0);
  assert_int_equal(fm_typical_side(&t, 1e3), 1);
  assert_int_equal(fm_typical_side(&t, NAN), 1);
  t.low = 0.5;
  assert_int_equal(fm_typical_side(&t, 0.4), -1);
}

/* ---- through a flow ---- */

#define N 4
#define M 16

/* The identity, which is exact for pairs of N(0, 1). */
static fm_transport *identity(fm_real **theta) {
  const fm_flow_spec spec = {.network = "hint",
                             .linear = "none",
                             .scales = 1,
                             .variant = "default",
                             .depth = 1,
                             .hidden = 2,
                             .x = fm_shape_vector(N),
                             .y = fm_shape_vector(M)};
  fm_transport *t;

  fm_ok(fm_transport_create(&spec, &t));
  fm_ok(fm_calloc(fm_flow_layout(t->flow)->size, theta));
  return t;
}

/* x ~ N(0, 1), y ~ N(0, factor^2). */
static fm_dataset *pairs(int64_t count, double factor) {
  const int64_t x_shape[] = {count, N}, y_shape[] = {count, M};
  fm_dataset *data;
  fm_store *store;
  fm_real *x, *y;

  fm_ok(PetscMalloc2(count * N, &x, count * M, &y));
  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 0, (size_t)(count * N), x);
  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 1, (size_t)(count * M), y);
  for (int64_t i = 0; i < count * M; i++) y[i] *= (fm_real)factor;
  fm_ok(fm_store_create(PETSC_COMM_WORLD, in_folder("pairs.h5"), &store));
  fm_ok(fm_store_write(store, "/x", FM_TYPE_REAL, 2, x_shape, x));
  fm_ok(fm_store_write(store, "/y", FM_TYPE_REAL, 2, y_shape, y));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(PetscFree2(x, y));
  fm_ok(fm_dataset_open(PETSC_COMM_WORLD, in_folder("pairs.h5"), &data));
  return data;
}

static fm_transport *measured(int64_t count, double factor) {
  fm_dataset *data = pairs(count, factor);
  fm_transport *t;
  fm_real *theta;
  int64_t *row;
  fm_comm comm;

  t = identity(&theta);
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  fm_ok(PetscMalloc1(count, &row));
  for (int64_t i = 0; i < count; i++) row[i] = i;
  fm_ok(fm_typical_of_pairs(&comm, t, theta, data, count, row, PETSC_TRUE));
  fm_ok(PetscFree(row));
  fm_ok(PetscFree(theta));
  fm_ok(fm_dataset_close(&data));
  fm_ok(fm_comm_destroy(&comm));
  return t;
}

static void likely(double p) {
  if (!(p > 1e-4 && p < 4e-3)) fail_msg("probability %g is far from .001", p);
}

/* 3,000 pairs are read off, 400 fitted. */
static void an_exact_flow_has_chi_square(void **state) {
  const int64_t counts[] = {3000, 400};
  const double constant = log(2 * PETSC_PI) / 2; /* -log q = n constant + |z|^2 / 2 */

  for (int k = 0; k < 2; k++) {
    fm_transport *t = measured(counts[k], 1);
    const fm_typical *x = &t->typical[FM_TYPICAL_X], *y = &t->typical[FM_TYPICAL_Y];
    const fm_typical *energy = &t->typical[FM_TYPICAL_ENERGY];

    likely(fm_chi2_survival(y->high * M, M));
    likely(1 - fm_chi2_survival(y->low * M, M));
    likely(fm_chi2_survival(x->high * N, N));
    likely(fm_chi2_survival(2 * N * (energy->high - constant), N));
    fm_near(energy->mean, constant + x->mean / 2, 1e-5);
    fm_near(energy->std, x->std / 2, 1e-5);
    fm_near(y->std, sqrt(2. / M), 0.05);
    assert_int_equal(y->pairs, counts[k]);
    assert_true(y->held_out);
    fm_ok(fm_transport_destroy(&t));
  }
}

/* Data of another scale leave it on their side. */
static void data_of_another_kind(void **state) {
  fm_transport *t = measured(400, 1);
  const fm_typical *y = &t->typical[FM_TYPICAL_Y];
  double v[M];
  fm_real *theta, z[M];

  fm_ok(fm_calloc(fm_flow_layout(t->flow)->size, &theta));
  fm_rng_normal((fm_rng){6, FM_STREAM_CHECK}, 0, 0, M, z);
  assert_true(isnan(fm_typical_observed(t)));
  for (int scale = -1; scale <= 1; scale++) {
    for (int i = 0; i < M; i++) v[i] = pow(4, scale) * (double)z[i];
    fm_ok(fm_transport_observe(t, theta, v));
    assert_int_equal(fm_typical_side(y, fm_typical_observed(t)), scale);
  }
  fm_ok(PetscFree(theta));
  fm_ok(fm_transport_destroy(&t));
}

/* ---- in a checkpoint ---- */

static fm_transport *there_and_back(const fm_transport *t, PetscBool old) {
  fm_transport *other;
  fm_store *store;
  fm_real *theta;

  fm_ok(fm_store_create(PETSC_COMM_WORLD, in_folder("c.h5"), &store));
  if (old) { /* as version 0.5.0 wrote it: mean and std alone */
    const double two[] = {1.1, 0.2, 1.3, 0.4, 2.5, 0.6};

    fm_ok(fm_store_write(store, "/whitening/typical", FM_FLOAT64, 1, &(int64_t){6}, two));
  } else
    fm_ok(fm_typical_write(t, store));
  fm_ok(fm_store_commit(&store, NULL));
  other = identity(&theta);
  fm_ok(PetscFree(theta));
  fm_ok(fm_store_open(PETSC_COMM_WORLD, in_folder("c.h5"), &store));
  fm_ok(fm_typical_read(store, other));
  fm_ok(fm_store_close(&store));
  return other;
}

static void checkpoints_keep_it(void **state) {
  fm_transport *t = measured(400, 1), *other = there_and_back(t, PETSC_FALSE);

  for (int k = 0; k < FM_TYPICALS; k++) {
    assert_true(t->typical[k].mean == other->typical[k].mean);
    assert_true(t->typical[k].std == other->typical[k].std);
    assert_true(t->typical[k].low == other->typical[k].low);
    assert_true(t->typical[k].high == other->typical[k].high);
    assert_int_equal(other->typical[k].pairs, 400);
    assert_true(other->typical[k].held_out);
  }
  fm_ok(fm_transport_destroy(&other));
  other = there_and_back(t, PETSC_TRUE);
  assert_true(other->typical[FM_TYPICAL_Y].mean == 1.3 &&
              other->typical[FM_TYPICAL_ENERGY].std == 0.6);
  assert_false(fm_typical_has_range(&other->typical[FM_TYPICAL_Y]));
  fm_ok(fm_transport_destroy(&other));
  fm_ok(fm_transport_destroy(&t));
}

FM_TEST_MAIN(cmocka_unit_test(fit_of_chi_square), cmocka_unit_test(one_more_leaves_it),
             cmocka_unit_test(fit_of_values), cmocka_unit_test(few_values),
             io_test(an_exact_flow_has_chi_square), io_test(data_of_another_kind),
             io_test(checkpoints_keep_it))
