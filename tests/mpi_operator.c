/* The same numbers, bit for bit, on any number of space ranks; solves counted once. */
#include "operator_cases.h"

/* Results of one part, on every rank: d = F(x), dd = J dx, gx = J^T w, one after the other. */
static void compute(fm_operator *op, PetscInt part, const fm_real *centre, double *out) {
  fm_gather *of_x, *of_d;
  Vec x, dx, gx, d, w;
  PetscInt n, m;
  const double *all;
  PetscBool ok;

  fm_ok(fm_operator_create_vecs(op, part, &x, &d));
  fm_ok(VecDuplicate(x, &dx));
  fm_ok(VecDuplicate(x, &gx));
  fm_ok(VecDuplicate(d, &w));
  fm_ok(VecGetSize(x, &n));
  fm_ok(VecGetSize(d, &m));
  fm_ok(fm_gather_create(x, &of_x));
  fm_ok(fm_gather_create(d, &of_d));
  case_fill(x, 1, centre);
  case_fill(dx, 2, NULL);
  case_fill(w, 3, NULL);
  fm_ok(fm_operator_linearize(op, part, x, d, &ok));
  assert_true(ok);
  fm_ok(fm_gather_read(of_d, d, &all));
  memcpy(out, all, (size_t)m * sizeof(double));
  fm_ok(fm_operator_jvp(op, part, dx, d));
  fm_ok(fm_gather_read(of_d, d, &all));
  memcpy(out + m, all, (size_t)m * sizeof(double));
  fm_ok(fm_operator_vjp(op, part, w, gx));
  fm_ok(fm_gather_read(of_x, gx, &all));
  memcpy(out + 2 * m, all, (size_t)n * sizeof(double));
  fm_ok(fm_gather_destroy(&of_x));
  fm_ok(fm_gather_destroy(&of_d));
  Vec *vecs[] = {&x, &dx, &gx, &d, &w};
  for (int k = 0; k < 5; k++) fm_ok(VecDestroy(vecs[k]));
}

static void compare(const operator_case *c, fm_operator *together, fm_operator *alone) {
  int64_t n, m, count;
  PetscInt nparts;
  double *a, *b;

  fm_ok(fm_operator_sizes(together, &n, &m));
  fm_ok(fm_operator_parts(together, &nparts));
  fm_ok(PetscMalloc2(2 * m + n, &a, 2 * m + n, &b));
  for (PetscInt part = 0; part < nparts; part++) {
    fm_ok(fm_operator_part_range(together, part, &(int64_t){0}, &count));
    compute(together, part, c->centre, a);
    compute(alone, part, c->centre, b);
    for (int64_t i = 0; i < 2 * count + n; i++)
      if (memcmp(&a[i], &b[i], sizeof(double)))
        fail_msg("%s, number %d: %.17g on all ranks, %.17g on one", c->name, (int)i, a[i],
                 b[i]);
  }
  fm_ok(PetscFree2(a, b));
}

static void same_bits_on_any_number_of_ranks(void **state) {
  for (int k = 0; k < OPERATOR_CASES; k++) {
    fm_operator *together = case_create(&operator_cases[k], PETSC_COMM_WORLD);
    fm_operator *alone = case_create(&operator_cases[k], PETSC_COMM_SELF);

    compare(&operator_cases[k], together, alone);
    fm_ok(fm_operator_destroy(&together));
    fm_ok(fm_operator_destroy(&alone));
  }
}

/* Replicated in, replicated out. */
static void forward_is_the_same_everywhere(void **state) {
  const operator_case *c = &operator_cases[2];
  fm_operator *together = case_create(c, PETSC_COMM_WORLD);
  fm_operator *alone = case_create(c, PETSC_COMM_SELF);
  fm_real x[7];
  double a[5], b[5];
  PetscBool ok;

  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, 7, x);
  fm_ok(fm_operator_forward(together, x, a, &ok));
  assert_true(ok);
  fm_ok(fm_operator_forward(alone, x, b, &ok));
  assert_memory_equal(a, b, sizeof(a));
  fm_ok(fm_operator_destroy(&together));
  fm_ok(fm_operator_destroy(&alone));
}

/* A solve shared by the ranks of space counts once, and every rank hears of it. */
static void one_rank_counts(void **state) {
  fm_operator *op = case_create(&operator_cases[1], PETSC_COMM_WORLD);
  const fm_real x[3] = {1, 2, 3};
  fm_ledger ledger;
  double d[2];
  PetscBool ok;

  fm_ok(fm_operator_forward(op, x, d, &ok));
  fm_ok(fm_operator_ledger(op, &ledger));
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 1);
  fm_ok(fm_operator_destroy(&op));
}

FM_TEST_MAIN(cmocka_unit_test(same_bits_on_any_number_of_ranks),
             cmocka_unit_test(forward_is_the_same_everywhere),
             cmocka_unit_test(one_rank_counts))
