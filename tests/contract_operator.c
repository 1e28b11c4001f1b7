/* What every operator in operators.def promises, whatever it computes. */
#include "operator_cases.h"

typedef struct fixture {
  fm_operator *op;
  PetscInt part;
  PetscBool linear;
  double rough;            /* of its case, in float */
  Vec x, dx, gx, d, dd, w; /* w: data, scratch */
} fixture;

static void fixture_vecs(fixture *f, const operator_case *c) {
  fm_ok(fm_operator_create_vecs(f->op, f->part, &f->x, &f->d));
  fm_ok(VecDuplicate(f->x, &f->dx));
  fm_ok(VecDuplicate(f->x, &f->gx));
  fm_ok(VecDuplicate(f->d, &f->dd));
  fm_ok(VecDuplicate(f->d, &f->w));
  case_fill(f->x, 1, c->centre);
  case_fill(f->dx, 2, NULL);
  case_fill(f->dd, 3, NULL);
}

static void fixture_free(fixture *f) {
  Vec *all[] = {&f->x, &f->dx, &f->gx, &f->d, &f->dd, &f->w};

  for (int k = 0; k < 6; k++) fm_ok(VecDestroy(all[k]));
}

static void linearize(fixture *f, Vec x, Vec d) {
  PetscBool ok = PETSC_FALSE;

  fm_ok(fm_operator_linearize(f->op, f->part, x, d, &ok));
  assert_true(ok);
}

static double norm(Vec v) {
  double n;

  fm_ok(VecNorm(v, NORM_2, &n));
  return n;
}

static double dot(Vec a, Vec b) {
  double n;

  fm_ok(VecDot(a, b, &n));
  return n;
}

/* Run `body` for every part of every case. */
static void for_each(void (*body)(fixture *)) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fixture f = {.op = case_create(&operator_cases[k], PETSC_COMM_WORLD)};
    PetscInt nparts;

    fm_ok(fm_operator_parts(f.op, &nparts));
    assert_true(nparts > 0);
    f.linear = operator_cases[k].linear;
    f.rough = sizeof(fm_real) == 4 ? operator_cases[k].rough : 0;
    for (f.part = 0; f.part < nparts; f.part++) {
      fixture_vecs(&f, &operator_cases[k]);
      body(&f);
      fixture_free(&f);
    }
    fm_ok(fm_operator_destroy(&f.op));
    assert_null(f.op);
  }
}

/* <J dx, dd> = <dx, J^T dd> */
static void dot_test(fixture *f) {
  double left, right, scale;

  linearize(f, f->x, f->d);
  fm_ok(fm_operator_jvp(f->op, f->part, f->dx, f->w));
  fm_ok(fm_operator_vjp(f->op, f->part, f->dd, f->gx));
  left = dot(f->w, f->dd);
  right = dot(f->dx, f->gx);
  scale = norm(f->w) * norm(f->dd);
  assert_true(scale > 0);
  fm_near((left - right) / scale, 0, f->rough > 0 ? 1e-5 : 1e-12);
}

/* |F(x + h dx) - F(x) - h J dx|, without the Jacobian where jdx is NULL. */
static double remainder_at(fixture *f, double h, Vec jdx, Vec base) {
  Vec x;
  double r;

  fm_ok(VecDuplicate(f->x, &x));
  fm_ok(VecWAXPY(x, h, f->dx, f->x));
  linearize(f, x, f->w);
  fm_ok(VecAXPY(f->w, -1, base));
  if (jdx) fm_ok(VecAXPY(f->w, -h, jdx));
  r = norm(f->w);
  fm_ok(VecDestroy(&x));
  return r;
}

/* Slope 1 without the Jacobian and 2 with it; a linear operator leaves rounding only. */
static void taylor_test(fixture *f) {
  const double h = f->rough > 0 ? f->rough / 2 : 1. / 64;
  const double k = f->rough > 0 ? f->rough / 16 : 1. / 1024;
  const double rounding = f->rough > 0 ? 1e-5 : 1e-14;
  Vec jdx, base;
  double far, near;

  fm_ok(VecDuplicate(f->d, &jdx));
  fm_ok(VecDuplicate(f->d, &base));
  linearize(f, f->x, base);
  fm_ok(fm_operator_jvp(f->op, f->part, f->dx, jdx));
  far = remainder_at(f, h, NULL, base);
  near = remainder_at(f, k, NULL, base);
  fm_near(log(far / near) / log(h / k), 1, 0.1);
  far = remainder_at(f, h, jdx, base);
  near = remainder_at(f, k, jdx, base);
  if (f->linear)
    assert_true(PetscMax(far, near) <= rounding * (1 + norm(base)));
  else
    fm_near(log(far / near) / log(h / k), 2, 0.1);
  fm_ok(VecDestroy(&jdx));
  fm_ok(VecDestroy(&base));
}

/* jvp against (F(x + h dx) - F(x - h dx)) / 2h. */
static void difference_test(fixture *f) {
  const double h = f->rough > 0 ? f->rough / 50 : 1e-4;
  Vec jdx, back;

  fm_ok(VecDuplicate(f->d, &jdx));
  fm_ok(VecDuplicate(f->d, &back));
  fm_ok(VecWAXPY(f->gx, -h, f->dx, f->x));
  linearize(f, f->gx, back);
  fm_ok(VecWAXPY(f->gx, h, f->dx, f->x));
  linearize(f, f->gx, f->w);
  fm_ok(VecAXPY(f->w, -1, back));
  linearize(f, f->x, f->d);
  fm_ok(fm_operator_jvp(f->op, f->part, f->dx, jdx));
  fm_ok(VecAXPY(f->w, -2 * h, jdx));
  fm_near(norm(f->w) / (2 * h * norm(jdx)), 0, f->rough > 0 ? 2e-3 : 1e-6);
  fm_ok(VecDestroy(&jdx));
  fm_ok(VecDestroy(&back));
}

/* linearize and vjp overwrite, and say the same twice. */
static void overwrite_test(fixture *f) {
  Vec again;

  fm_ok(VecDuplicate(f->x, &again));
  linearize(f, f->x, f->d);
  fm_ok(VecSet(f->w, 17));
  linearize(f, f->x, f->w);
  fm_ok(VecAXPY(f->w, -1, f->d));
  assert_true(norm(f->w) == 0);
  fm_ok(fm_operator_vjp(f->op, f->part, f->dd, f->gx));
  fm_ok(VecSet(again, -3));
  fm_ok(fm_operator_vjp(f->op, f->part, f->dd, again));
  fm_ok(VecAXPY(again, -1, f->gx));
  assert_true(norm(again) == 0);
  fm_ok(VecDestroy(&again));
}

static void for_dot(void **state) { for_each(dot_test); }
static void for_taylor(void **state) { for_each(taylor_test); }
static void for_difference(void **state) { for_each(difference_test); }
static void for_overwrite(void **state) { for_each(overwrite_test); }

/* ---- the subspace where the data lie ---- */

static double product(int64_t m, const double *a, const double *b) {
  double sum = 0;

  for (int64_t i = 0; i < m; i++) sum += a[i] * b[i];
  return sum;
}

static double difference(int64_t m, const double *a, const double *b) {
  double most = 0;

  for (int64_t i = 0; i < m; i++) most = fmax(most, fabs(a[i] - b[i]));
  return most;
}

/* e_k -> P e_k: <P e_k, e_k>; the sum over k is the trace, that is the rank. */
static double restricted_entry(fm_operator *op, int64_t m, int64_t k, double *scratch) {
  memset(scratch, 0, (size_t)m * sizeof(double));
  scratch[k] = 1;
  fm_ok(fm_operator_restrict(op, scratch));
  return scratch[k];
}

/* d, a and b: [m] F(x) and random numbers. P a = P P a, <P a, b> = <a, P b>, P d = d. */
static void check_projection(fm_operator *op, int64_t m, const double *d, const double *a,
                             const double *b) {
  double *pa, *pb, *again, trace = 0;

  fm_ok(PetscMalloc3(m, &pa, m, &pb, m, &again));
  memcpy(pa, a, (size_t)m * sizeof(double));
  memcpy(pb, b, (size_t)m * sizeof(double));
  fm_ok(fm_operator_restrict(op, pa));
  fm_ok(fm_operator_restrict(op, pb));
  memcpy(again, pa, (size_t)m * sizeof(double));
  fm_ok(fm_operator_restrict(op, again));
  fm_near(difference(m, again, pa), 0, 1e-14);
  fm_near(product(m, pa, b), product(m, a, pb), 1e-13);
  memcpy(again, d, (size_t)m * sizeof(double));
  fm_ok(fm_operator_restrict(op, again));
  fm_near(difference(m, again, d), 0, 1e-14);
  for (int64_t k = 0; k < m; k++) trace += restricted_entry(op, m, k, again);
  fm_near(trace, (double)fm_operator_rank(op), 1e-13);
  fm_ok(PetscFree3(pa, pb, again));
}

/* P is an orthogonal projection that leaves every F(x) alone and has the rank that is said;
   where that is all of the data, P is nothing at all. */
static void data_lie_in_their_subspace(void **state) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fm_operator *op = case_create(&operator_cases[k], PETSC_COMM_WORLD);
    int64_t n, m;
    fm_real *x, *e;
    double *d;
    PetscBool ok;

    fm_ok(fm_operator_sizes(op, &n, &m));
    fm_ok(PetscMalloc3(n, &x, 2 * m, &e, 3 * m, &d));
    fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, (size_t)n, x);
    fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 2, (size_t)(2 * m), e);
    for (int64_t i = 0; operator_cases[k].centre && i < n; i++)
      x[i] += operator_cases[k].centre[i];
    for (int64_t i = 0; i < 2 * m; i++) d[m + i] = (double)e[i];
    fm_ok(fm_operator_forward(op, x, d, &ok));
    assert_true(ok);
    check_projection(op, m, d, d + m, d + 2 * m);
    fm_ok(PetscFree3(x, e, d));
    fm_ok(fm_operator_destroy(&op));
  }
}

/* Grids are those of the sizes. */
static void grids_have_the_sizes(void **state) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fm_operator *op = case_create(&operator_cases[k], PETSC_COMM_WORLD);
    int64_t n, m, rows, columns;

    fm_ok(fm_operator_sizes(op, &n, &m));
    fm_operator_grid(op, &rows, &columns);
    assert_true(rows * columns == n || (rows == 0 && columns == 0));
    fm_operator_data_grid(op, &rows, &columns);
    assert_true(rows * columns == m || (rows == 0 && columns == 0));
    fm_ok(fm_operator_destroy(&op));
  }
}

/* Every registered operator has cases, a rectangular one among them, or one whose data lie in a
   subspace. */
static void everything_registered_is_tested(void **state) {
  for (int i = 0; i < fm_operator_count(); i++) {
    PetscBool rectangular = PETSC_FALSE;

    assert_true(strlen(fm_operator_help(i)) > 10);
    for (int k = 0; k < OPERATOR_CASES; k++) {
      int64_t n, m;

      if (strcmp(operator_cases[k].name, fm_operator_name(i))) continue;
      fm_operator *op = case_create(&operator_cases[k], PETSC_COMM_WORLD);
      fm_ok(fm_operator_sizes(op, &n, &m));
      if (n != m || fm_operator_rank(op) < m) rectangular = PETSC_TRUE;
      assert_true(strlen(fm_operator_describe(op)) > 0);
      fm_ok(fm_operator_destroy(&op));
    }
    if (!rectangular)
      fail_msg("operator %s has no rectangular case in operator_cases.h", fm_operator_name(i));
  }
}

/* Parts follow one another in y and fill it; their Vecs have their sizes. */
static void parts_fill_the_data(void **state) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fm_operator *op = case_create(&operator_cases[k], PETSC_COMM_WORLD);
    int64_t n, m, first, count, next = 0;
    PetscInt nparts, size;
    Vec x, d;

    fm_ok(fm_operator_sizes(op, &n, &m));
    fm_ok(fm_operator_parts(op, &nparts));
    for (PetscInt part = 0; part < nparts; part++, next += count) {
      fm_ok(fm_operator_part_range(op, part, &first, &count));
      assert_int_equal(first, next);
      fm_ok(fm_operator_create_vecs(op, part, &x, &d));
      fm_ok(VecGetSize(x, &size));
      assert_int_equal(size, n);
      fm_ok(VecGetSize(d, &size));
      assert_int_equal(size, count);
      fm_ok(VecDestroy(&x));
      fm_ok(VecDestroy(&d));
    }
    assert_int_equal(next, m);
    fm_ok(fm_operator_destroy(&op));
  }
}

/* fm_operator_forward is linearize of every part. */
static void forward_gathers_all_parts(void **state) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fm_operator *op = case_create(&operator_cases[k], PETSC_COMM_WORLD);
    int64_t n, m, first, count;
    const double *values;
    fm_real *x;
    double *d;
    PetscBool ok;
    Vec xv, dv;

    fm_ok(fm_operator_sizes(op, &n, &m));
    fm_ok(PetscMalloc2(n, &x, m, &d));
    fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, (size_t)n, x);
    for (int64_t i = 0; operator_cases[k].centre && i < n; i++)
      x[i] += operator_cases[k].centre[i];
    fm_ok(fm_operator_forward(op, x, d, &ok));
    assert_true(ok);
    fm_ok(fm_operator_part_range(op, 0, &first, &count));
    fm_ok(fm_operator_create_vecs(op, 0, &xv, &dv));
    fm_ok(fm_vec_set(xv, x));
    fm_ok(fm_operator_linearize(op, 0, xv, dv, &ok));
    fm_ok(VecGetArrayRead(dv, &values));
    assert_memory_equal(values, d, (size_t)count * sizeof(double));
    fm_ok(VecRestoreArrayRead(dv, &values));
    fm_ok(VecDestroy(&xv));
    fm_ok(VecDestroy(&dv));
    fm_ok(PetscFree2(x, d));
    fm_ok(fm_operator_destroy(&op));
  }
}

/* ---- order and ledger ---- */

static void order_test(fixture *f) {
  fm_operator *fresh = f->op;
  PetscInt nparts;

  fm_ok(fm_operator_parts(fresh, &nparts));
  fm_expect_error(fm_operator_linearize(fresh, nparts, f->x, f->d, &(PetscBool){0}), "part");
  if (f->part == 0) {
    fm_expect_error(fm_operator_vjp(fresh, 0, f->dd, f->gx), "nothing was linearized");
    fm_expect_error(fm_operator_jvp(fresh, 0, f->dx, f->w), "nothing was linearized");
  }
  linearize(f, f->x, f->d);
  fm_ok(fm_operator_vjp(fresh, f->part, f->dd, f->gx));
  if (nparts > 1)
    fm_expect_error(fm_operator_vjp(fresh, (f->part + 1) % nparts, f->dd, f->gx),
                    "the last linearize was of part");
}

static void for_order(void **state) { for_each(order_test); }

static void order_error_has_its_code(void **state) {
  fm_operator *op = case_create(&operator_cases[0], PETSC_COMM_WORLD);
  Vec x, d;
  int code;

  fm_ok(fm_operator_create_vecs(op, 0, &x, &d));
  PetscPushErrorHandler(fm_test_keep, NULL);
  code = (int)fm_operator_vjp(op, 0, d, x);
  PetscPopErrorHandler();
  assert_int_equal(code, PETSC_ERR_ORDER);
  fm_ok(VecDestroy(&x));
  fm_ok(VecDestroy(&d));
  fm_ok(fm_operator_destroy(&op));
}

/* One solve more of each kind under one purpose, none under the other. */
static void ledger_test(fixture *f) {
  fm_ledger before, after;
  fm_purpose old;

  for (int p = 0; p < FM_PURPOSES; p++) {
    fm_ok(fm_operator_set_purpose(f->op, (fm_purpose)p, &old));
    fm_ok(fm_operator_ledger(f->op, &before));
    linearize(f, f->x, f->d);
    linearize(f, f->x, f->d);
    linearize(f, f->x, f->d);
    fm_ok(fm_operator_jvp(f->op, f->part, f->dx, f->w));
    fm_ok(fm_operator_vjp(f->op, f->part, f->dd, f->gx));
    fm_ok(fm_operator_vjp(f->op, f->part, f->dd, f->gx));
    fm_ok(fm_operator_ledger(f->op, &after));
    for (int q = 0; q < FM_PURPOSES; q++) {
      const int expected[] = {q == p ? 3 : 0, q == p ? 1 : 0, q == p ? 2 : 0};

      for (int s = 0; s < FM_SOLVE_KINDS; s++)
        assert_int_equal(after.count[q][s] - before.count[q][s], expected[s]);
    }
  }
  fm_ok(fm_operator_set_purpose(f->op, FM_USEFUL, &old));
  assert_int_equal(old, FM_DIAGNOSTIC);
}

static void for_ledger(void **state) { for_each(ledger_test); }

FM_TEST_MAIN(cmocka_unit_test(everything_registered_is_tested),
             cmocka_unit_test(parts_fill_the_data),
             cmocka_unit_test(data_lie_in_their_subspace),
             cmocka_unit_test(grids_have_the_sizes), cmocka_unit_test(for_dot),
             cmocka_unit_test(for_taylor), cmocka_unit_test(for_difference),
             cmocka_unit_test(for_overwrite), cmocka_unit_test(forward_gathers_all_parts),
             cmocka_unit_test(for_order), cmocka_unit_test(order_error_has_its_code),
             cmocka_unit_test(for_ledger))
