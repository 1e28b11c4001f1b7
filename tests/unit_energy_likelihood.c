/* The likelihood against its formula written down anew; several parts; failed solves; bad
   input. */
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include "fathom/operator_impl.h"
#include "energy_cases.h"

static const double tight = sizeof(fm_real) == 4 ? 1e-5 : 1e-12;

/* ---- a likelihood under options name, value, ..., NULL ---- */

typedef struct fixture {
  fm_comm comm;
  fm_operator *op;
  fm_energy *e;
} fixture;

static void set_options(const char *const *options, PetscBool set) {
  for (int k = 0; options[k]; k += 2)
    if (set)
      fm_ok(PetscOptionsSetValue(NULL, options[k], options[k + 1]));
    else
      fm_ok(PetscOptionsClearValue(NULL, options[k]));
}

#define MATRIX "-dense_matrix", "1,2,-1,0.5,-3,2", "-dense_rows", "2"
static const double matrix[2][3] = {{1, 2, -1}, {0.5, -3, 2}};
static const double observed[2] = {0.7, -1.9};
static const fm_real model[3] = {(fm_real)0.5, -1, (fm_real)0.25};

static void begin(fixture *f) {
  memset(f, 0, sizeof(*f));
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &f->comm));
}

static void end(fixture *f) {
  fm_ok(fm_energy_destroy(&f->e));
  fm_ok(fm_operator_destroy(&f->op));
  fm_ok(fm_comm_destroy(&f->comm));
}

static void make(fixture *f, const char *const *options) {
  begin(f);
  set_options(options, PETSC_TRUE);
  fm_ok(fm_operator_create(f->comm.space, "dense", &f->op));
  const fm_energy_inputs in = {&f->comm, 0, f->op, 2, observed};
  fm_ok(fm_energy_create("likelihood", &in, &f->e));
  set_options(options, PETSC_FALSE);
}

/* Value and, from zero, gradient of one sample; returns ok. */
static PetscBool one(fm_energy *e, const fm_real *x, double *value, fm_real *x_bar) {
  uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;

  if (x_bar) memset(x_bar, 0, (size_t)fm_energy_size(e) * sizeof(*x_bar));
  fm_ok(fm_energy_evaluate(e, (fm_key){0, &sample, NULL}, 1, x, value, x_bar, &ok));
  return ok;
}

/* ---- closed form ---- */

static double formula(const double *sigma, const double *mask, double g[3]) {
  double sum = 0;

  for (int j = 0; j < 3; j++) g[j] = 0;
  for (int i = 0; i < 2; i++) {
    double r = -observed[i];

    for (int j = 0; j < 3; j++) r += matrix[i][j] * (double)model[j];
    sum += mask[i] *
           (r * r / (2 * sigma[i] * sigma[i]) + 0.5 * log(2 * PETSC_PI * sigma[i] * sigma[i]));
    for (int j = 0; j < 3; j++) g[j] += mask[i] * matrix[i][j] * r / (sigma[i] * sigma[i]);
  }
  return sum;
}

static void check(const char *const *options, const double *sigma, const double *mask) {
  fm_real x_bar[3];
  double value, g[3];
  fixture f;

  make(&f, options);
  assert_true(one(f.e, model, &value, x_bar));
  fm_near(value, formula(sigma, mask, g), 1e-13); /* a float would not hold it */
  for (int j = 0; j < 3; j++) fm_near(x_bar[j], g[j], tight);
  end(&f);
}

#define OPTIONS(...) ((const char *const[]){MATRIX, __VA_ARGS__, NULL})
#define PAIR(a, b) ((const double[]){a, b})

static void one_noise_for_all(void **state) {
  check(OPTIONS("-noise_std", "0.4"), PAIR(0.4, 0.4), PAIR(1, 1));
}

static void noise_for_each_datum(void **state) {
  check(OPTIONS("-noise_std", "0.4,0.07"), PAIR(0.4, 0.07), PAIR(1, 1));
}

/* Masked-out data count neither in the misfit nor in the normaliser. */
static void masked_data_do_not_count(void **state) {
  check(OPTIONS("-noise_std", "0.4,0.07", "-data_mask", "0,1"), PAIR(0.4, 0.07), PAIR(0, 1));
  check(OPTIONS("-noise_std", "0.4,0.07", "-data_mask", "1,0"), PAIR(0.4, 0.07), PAIR(1, 0));
}

static void arrays_from_a_file(void **state) {
  const int64_t two = 2, shape[] = {2, 3};
  const double sigma[] = {0.4, 0.07}, mask[] = {1, 0};
  char file[64], a[96], s[96], m[96];
  const char *const options[] = {"-dense_matrix", a, "-noise_std", s, "-data_mask", m, NULL};
  fm_store *store;

  snprintf(file, sizeof(file), "/tmp/fathom_likelihood_%d.h5", (int)getpid());
  snprintf(a, sizeof(a), "%s:/A", file);
  snprintf(s, sizeof(s), "%s:/sigma", file);
  snprintf(m, sizeof(m), "%s:/mask", file);
  fm_ok(fm_store_create(PETSC_COMM_WORLD, file, &store));
  fm_ok(fm_store_write(store, "/A", FM_FLOAT64, 2, shape, matrix));
  fm_ok(fm_store_write(store, "/sigma", FM_FLOAT64, 1, &two, sigma));
  fm_ok(fm_store_write(store, "/mask", FM_FLOAT64, 1, &two, mask));
  fm_ok(fm_store_commit(&store, NULL));
  check(options, sigma, mask);
  unlink(file);
}

/* A value alone costs one F, a gradient one adjoint more; a bad model costs nothing. */
static void solves_are_counted(void **state) {
  const fm_real bad[3] = {0, (fm_real)NAN, 0};
  fm_real x_bar[3];
  double value;
  fm_ledger ledger;
  fixture f;

  make(&f, OPTIONS("-noise_std", "0.4"));
  assert_true(one(f.e, model, &value, NULL));
  fm_ok(fm_operator_ledger(f.op, &ledger));
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 1);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_JT], 0);
  assert_true(one(f.e, model, &value, x_bar));
  assert_false(one(f.e, bad, &value, x_bar));
  fm_ok(fm_operator_ledger(f.op, &ledger));
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 2);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_JT], 1);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_J], 0);
  end(&f);
}

/* A misfit beyond the window of the exact sum fails the sample and adds nothing. */
static void misfit_beyond_the_window_fails(void **state) {
  const fm_real far[3] = {(fm_real)1e12, 0, 0};
  fm_real x_bar[3];
  double value;
  fixture f;

  make(&f, OPTIONS("-noise_std", "0.4"));
  assert_false(one(f.e, far, &value, x_bar));
  assert_true(isnan(value));
  for (int j = 0; j < 3; j++) assert_true(x_bar[j] == 0);
  end(&f);
}

/* ---- an operator of three parts, not linear: part p has p + 1 data,
        d_k = x_p^2 + (k + 1) x_0 x_1 ---- */

#define PARTS 3
typedef struct toy {
  double x[3];
  int fails; /* part whose solve fails, -1: none */
} toy;

static double toy_datum(const double *x, PetscInt p, int64_t k) {
  return x[p] * x[p] + (double)(k + 1) * x[0] * x[1];
}

static PetscErrorCode toy_range(fm_operator *op, PetscInt p, int64_t *first, int64_t *count) {
  *first = p * (p + 1) / 2;
  *count = p + 1;
  return 0;
}

static PetscErrorCode toy_linearize(fm_operator *op, PetscInt p, Vec x, Vec d, PetscBool *ok) {
  toy *t = (toy *)op->data;
  const double *in;
  double *out;

  *ok = p == t->fails ? PETSC_FALSE : PETSC_TRUE;
  fm_ok(VecGetArrayRead(x, &in));
  fm_ok(VecGetArray(d, &out));
  memcpy(t->x, in, sizeof(t->x));
  for (int k = 0; k <= p; k++) out[k] = toy_datum(t->x, p, k);
  fm_ok(VecRestoreArray(d, &out));
  fm_ok(VecRestoreArrayRead(x, &in));
  return 0;
}

static PetscErrorCode toy_vjp(fm_operator *op, PetscInt p, Vec dd, Vec gx) {
  const toy *t = (const toy *)op->data;
  const double *in;
  double *out;

  fm_ok(VecZeroEntries(gx));
  fm_ok(VecGetArrayRead(dd, &in));
  fm_ok(VecGetArray(gx, &out));
  for (int k = 0; k <= p; k++) {
    out[p] += 2 * t->x[p] * in[k];
    out[0] += (k + 1) * t->x[1] * in[k];
    out[1] += (k + 1) * t->x[0] * in[k];
  }
  fm_ok(VecRestoreArray(gx, &out));
  fm_ok(VecRestoreArrayRead(dd, &in));
  return 0;
}

static PetscErrorCode toy_vecs(fm_operator *op, PetscInt p, Vec *x, Vec *d) {
  fm_ok(VecCreateSeq(PETSC_COMM_SELF, 3, x));
  fm_ok(VecCreateSeq(PETSC_COMM_SELF, p + 1, d));
  return 0;
}

static const fm_operator_ops toy_ops = {.linearize = toy_linearize,
                                        .vjp = toy_vjp,
                                        .create_vecs = toy_vecs,
                                        .part_range = toy_range};

static void make_toy(fixture *f, toy *t, fm_operator *op) {
  static const double y[6] = {0.3, -0.7, 1.1, 2.2, -0.4, 0.9};

  begin(f);
  t->fails = -1;
  *op = (fm_operator){.ops = &toy_ops,
                      .data = t,
                      .space = PETSC_COMM_SELF,
                      .group = PETSC_COMM_SELF,
                      .x_size = 3,
                      .d_size = 6,
                      .nparts = PARTS,
                      .name = "toy",
                      .linearized = -1};
  fm_ok(PetscOptionsSetValue(NULL, "-noise_std", "0.5,0.6,0.7,0.8,0.9,1"));
  fm_ok(PetscOptionsSetValue(NULL, "-data_mask", "1,1,1,0,1,1"));
  const fm_energy_inputs in = {&f->comm, 3, op, 6, y};
  fm_ok(fm_energy_create("likelihood", &in, &f->e));
  fm_ok(PetscOptionsClearValue(NULL, "-noise_std"));
  fm_ok(PetscOptionsClearValue(NULL, "-data_mask"));
}

static double toy_formula(const double *x) {
  static const double y[6] = {0.3, -0.7, 1.1, 2.2, -0.4, 0.9};
  double sum = 0;

  for (int p = 0, i = 0; p < PARTS; p++)
    for (int k = 0; k <= p; k++, i++) {
      const double sigma = 0.5 + 0.1 * i, r = (toy_datum(x, p, k) - y[i]) / sigma;

      if (i != 3) sum += r * r / 2 + log(sigma) + 0.5 * log(2 * PETSC_PI);
    }
  return sum;
}

static void parts_add_up(void **state) {
  const double x[3] = {0.5, -1, 0.25}, h = 1e-5;
  fm_real x_bar[3];
  double value;
  fm_operator op;
  fixture f;
  toy t;

  make_toy(&f, &t, &op);
  assert_true(one(f.e, model, &value, x_bar));
  fm_near(value, toy_formula(x), tight);
  for (int j = 0; j < 3; j++) {
    double up[3] = {x[0], x[1], x[2]}, down[3] = {x[0], x[1], x[2]};

    up[j] += h;
    down[j] -= h;
    fm_near(x_bar[j], (toy_formula(up) - toy_formula(down)) / (2 * h), fmax(tight, 1e-8));
  }
  assert_int_equal(op.ledger.count[FM_USEFUL][FM_SOLVE_F], PARTS);
  assert_int_equal(op.ledger.count[FM_USEFUL][FM_SOLVE_JT], PARTS);
  end(&f);
}

/* Each part's misfit, without its normaliser; masked data count in none. */
static void misfits_of_single_parts(void **state) {
  static const double y[6] = {0.3, -0.7, 1.1, 2.2, -0.4, 0.9};
  const double x[3] = {0.5, -1, 0.25};
  const double *misfit;
  fm_operator op;
  double value;
  fixture f;
  toy t;

  make_toy(&f, &t, &op);
  assert_true(one(f.e, model, &value, NULL));
  assert_null(fm_likelihood_misfits(f.e, 0));
  fm_ok(fm_likelihood_split(f.e, PETSC_TRUE));
  assert_true(one(f.e, model, &value, NULL));
  misfit = fm_likelihood_misfits(f.e, 0);
  for (int p = 0, i = 0; p < PARTS; p++) {
    double sum = 0;

    for (int k = 0; k <= p; k++, i++) {
      const double r = (toy_datum(x, p, k) - y[i]) / (0.5 + 0.1 * i);

      sum += i == 3 ? 0 : r * r / 2;
    }
    fm_near(misfit[p], sum, tight);
    value -= misfit[p];
  }
  fm_near(value, fm_likelihood_normaliser(f.e), tight);
  t.fails = 1;
  assert_false(one(f.e, model, &value, NULL));
  assert_true(isnan(fm_likelihood_misfits(f.e, 0)[0]));
  fm_ok(fm_likelihood_split(f.e, PETSC_FALSE));
  assert_null(fm_likelihood_misfits(f.e, 0));
  end(&f);
}

static void failed_solve_drops_the_sample(void **state) {
  fm_real x_bar[3];
  double value;
  fm_operator op;
  fixture f;
  toy t;

  make_toy(&f, &t, &op);
  t.fails = 1;
  assert_false(one(f.e, model, &value, x_bar));
  assert_true(isnan(value));
  for (int j = 0; j < 3; j++) assert_true(x_bar[j] == 0);
  t.fails = -1;
  assert_true(one(f.e, model, &value, x_bar)); /* and not the run */
  end(&f);
}

/* The tape is that of the last part linearized, and a failed solve leaves none. */
static void one_tape_lives_at_a_time(void **state) {
  fm_operator op;
  PetscBool ok;
  fixture f;
  Vec x, d;
  toy t;

  make_toy(&f, &t, &op);
  fm_ok(fm_operator_create_vecs(&op, 1, &x, &d));
  fm_ok(fm_vec_set(x, model));
  fm_ok(fm_operator_linearize(&op, 1, x, d, &ok));
  fm_expect_error(fm_operator_vjp(&op, 0, d, x), "the last linearize was of part 1");
  fm_ok(fm_operator_vjp(&op, 1, d, x));
  t.fails = 1;
  fm_ok(fm_operator_linearize(&op, 1, x, d, &ok));
  assert_false(ok);
  fm_expect_error(fm_operator_vjp(&op, 1, d, x), "nothing was linearized");
  fm_ok(VecDestroy(&x));
  fm_ok(VecDestroy(&d));
  end(&f);
}

static void forward_applies_all_parts(void **state) {
  const double x[3] = {0.5, -1, 0.25};
  fm_operator op;
  double d[6];
  PetscBool ok;
  fixture f;
  toy t;

  make_toy(&f, &t, &op);
  fm_ok(fm_operator_forward(&op, model, d, &ok));
  assert_true(ok);
  for (int p = 0, i = 0; p < PARTS; p++)
    for (int k = 0; k <= p; k++, i++) fm_near(d[i], toy_datum(x, p, k), 1e-14);
  t.fails = 1;
  fm_ok(fm_operator_forward(&op, model, d, &ok));
  assert_false(ok);
  assert_true(isfinite(d[0]) && isnan(d[1]) && isnan(d[5]));
  end(&f);
}

/* ---- sentences ---- */

static void refuse(const char *word, int64_t n, int64_t m, const char *const *options) {
  fixture f;

  begin(&f);
  set_options(OPTIONS("-noise_std", "0.4"), PETSC_TRUE);
  fm_ok(fm_operator_create(f.comm.space, "dense", &f.op));
  set_options(options, PETSC_TRUE);
  const fm_energy_inputs in = {&f.comm, n, f.op, m, observed};
  fm_expect_error(fm_energy_create("likelihood", &in, &f.e), word);
  set_options(options, PETSC_FALSE);
  set_options(OPTIONS("-noise_std", "0.4"), PETSC_FALSE);
  end(&f);
}

#define REFUSE(word, ...) refuse(word, 0, 2, (const char *const[]){__VA_ARGS__, NULL})

static void noise_must_be_positive(void **state) {
  REFUSE("-noise_std must be positive: got -0.4 at entry 0 of 1", "-noise_std", "-0.4");
  REFUSE("-noise_std must be positive: got 0 at entry 1 of 2", "-noise_std", "1,0");
  REFUSE("-noise_std", "-noise_std", "nan");
  REFUSE("-noise_std has 3 numbers: one, or one for each of the 2 data", "-noise_std", "1,1,1");
}

static void mask_must_fit(void **state) {
  REFUSE("-data_mask has 3 entries: one for each of the 2 data", "-data_mask", "1,1,1");
  REFUSE("-data_mask has 1 entries", "-data_mask", "1");
  REFUSE("-data_mask takes 0 and 1: got 0.5 at entry 1", "-data_mask", "1,0.5");
  REFUSE("-data_mask leaves out every one of the 2 data", "-data_mask", "0,0");
}

static void sizes_must_fit(void **state) {
  refuse("takes 3 unknowns, this problem has 4", 4, 2, (const char *const[]){NULL});
  refuse("predicts 2 data, but 5 are observed", 3, 5, (const char *const[]){NULL});
}

static void inputs_must_be_there(void **state) {
  const double y[2] = {1, NAN};
  fixture f;

  begin(&f);
  set_options(OPTIONS("-noise_std", "1"), PETSC_TRUE);
  fm_ok(fm_operator_create(f.comm.space, "dense", &f.op));
  set_options(OPTIONS("-noise_std", "1"), PETSC_FALSE);
  fm_energy_inputs in = {&f.comm, 0, f.op, 2, observed};
  fm_expect_error(fm_energy_create("likelihood", &in, &f.e), "needs -noise_std");
  in.y = y;
  fm_expect_error(fm_energy_create("likelihood", &in, &f.e), "observed datum 1 is nan");
  in.y = NULL;
  fm_expect_error(fm_energy_create("likelihood", &in, &f.e), "needs observed data");
  in.op = NULL;
  fm_expect_error(fm_energy_create("likelihood", &in, &f.e), "needs an operator");
  end(&f);
}

static void refuse_dense(const char *name, const char *word, const char *const *options) {
  fm_operator *op = NULL;

  fm_ok(fm_operators_declare_options());
  set_options(options, PETSC_TRUE);
  fm_expect_error(fm_operator_create(PETSC_COMM_WORLD, name, &op), word);
  set_options(options, PETSC_FALSE);
  assert_null(op);
}

#define REFUSE_DENSE(word, ...)                                                                \
  refuse_dense("dense", word, (const char *const[]){__VA_ARGS__, NULL})

static void matrix_must_be_one(void **state) {
  REFUSE_DENSE("needs -dense_matrix", NULL);
  REFUSE_DENSE("-dense_matrix", "-dense_matrix", "1,nan,0,1");
  REFUSE_DENSE("fill no square matrix: give -dense_rows", "-dense_matrix", "1,2,3");
  REFUSE_DENSE("do not divide into -dense_rows 2", "-dense_matrix", "1,2,3", "-dense_rows",
               "2");
  REFUSE_DENSE("-dense_rows", "-dense_matrix", "1,2,3", "-dense_rows", "0");
}

static void unknown_operator_names_the_nearest(void **state) {
  refuse_dense("dens", "unknown operator 'dens' (nearest: dense; known: dense",
               (const char *const[]){NULL});
  refuse_dense("xyzzy", "unknown operator 'xyzzy' (known: dense", (const char *const[]){NULL});
}

FM_TEST_MAIN(cmocka_unit_test(one_noise_for_all), cmocka_unit_test(noise_for_each_datum),
             cmocka_unit_test(masked_data_do_not_count), cmocka_unit_test(arrays_from_a_file),
             cmocka_unit_test(solves_are_counted),
             cmocka_unit_test(misfit_beyond_the_window_fails), cmocka_unit_test(parts_add_up),
             cmocka_unit_test(misfits_of_single_parts),
             cmocka_unit_test(failed_solve_drops_the_sample),
             cmocka_unit_test(one_tape_lives_at_a_time),
             cmocka_unit_test(forward_applies_all_parts),
             cmocka_unit_test(noise_must_be_positive), cmocka_unit_test(mask_must_fit),
             cmocka_unit_test(sizes_must_fit), cmocka_unit_test(inputs_must_be_there),
             cmocka_unit_test(matrix_must_be_one),
             cmocka_unit_test(unknown_operator_names_the_nearest))
