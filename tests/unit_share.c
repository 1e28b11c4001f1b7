/* The exact sum: no order and no grouping changes a bit, what does not fit is noticed. */
#include "fm_test.h"
#include "fathom/rng.h"
#include "fathom/share.h"

#define MANY FM_SHARE_LIMIT
#define NTHETA 7

static const fm_rng rng = {77, FM_STREAM_CHECK};

/* Awkward: of both signs, from 2^-50 to 2^20, whole multiples of 2^-60; column 0 cancels to its
   first entry. */
static fm_real awkward(int64_t s, int64_t i) {
  double u[2];

  if (i == 0 && s % 2) return s == MANY - 1 ? (fm_real)0x1p-37 : -awkward(s + 1, 0);
  fm_rng_uniform(rng, (uint64_t)i, (uint64_t)s, 2, u);
  return (fm_real)(rint((u[0] - 0.5) * 0x1p20) * exp2(floor(u[1] * 50) - 48));
}

/* The same sum in units of 2^-60 as a 128-bit integer, rounded once. */
static double reference(int64_t i) {
  __int128 sum = 0;

  for (int64_t s = 0; s < MANY; s++) sum += (__int128)ldexp((double)awkward(s, i), 60);
  return ldexp((double)sum, -60);
}

/* Sum in the order of a permutation (step 0: as they come). */
static void sum_in_order(fm_share *share, int window, uint64_t step, fm_real *grad) {
  int64_t *order;

  fm_ok(PetscMalloc1(MANY, &order));
  for (int64_t s = 0; s < MANY; s++) order[s] = s;
  if (step) fm_rng_permutation(rng, step, MANY, order);
  fm_share_begin(share, window);
  for (int64_t s = 0; s < MANY; s++) {
    for (int64_t i = 0; i < NTHETA; i++) fm_share_scratch(share)[i] += awkward(order[s], i);
    fm_share_add_gradient(share);
    fm_share_add_term(share, 3, (double)awkward(order[s], 1));
  }
  fm_ok(fm_share_reduce(share, PETSC_COMM_SELF));
  assert_int_equal(fm_share_verdict(share), FM_SHARE_GOOD);
  fm_ok(fm_share_gradient(share, 1, grad));
  fm_ok(PetscFree(order));
}

static void every_order_gives_the_same_bits(void **state) {
  fm_real first[NTHETA], grad[NTHETA];
  fm_share *share;
  double term = 0;

  fm_ok(fm_share_create(NTHETA, &share));
  for (uint64_t step = 0; step < 12; step++) {
    sum_in_order(share, FM_SHARE_WINDOW, step, grad);
    if (!step) memcpy(first, grad, sizeof(first));
    if (!step) term = fm_share_term(share, 3);
    assert_memory_equal(grad, first, sizeof(first));
    assert_true(fm_share_term(share, 3) == term);
  }
  for (int64_t i = 0; i < NTHETA; i++)
    if (first[i] != (fm_real)reference(i))
      fail_msg("%d: %.17g, exactly %.17g", (int)i, (double)first[i], reference(i));
  fm_near(term, reference(1), 1e-12); /* terms: units of 2^-40 */
  fm_ok(fm_share_destroy(&share));
  assert_null(share);
}

/* Naive sums in fm_real do depend on the order: the numbers are awkward enough. */
static void the_numbers_tell_orders_apart(void **state) {
  fm_real up = 0, down = 0;

  for (int64_t s = 0; s < MANY; s++) up += awkward(s, 2);
  for (int64_t s = MANY - 1; s >= 0; s--) down += awkward(s, 2);
  assert_true(up != down);
}

/* A wider window says the same up to its resolution, 2^-(window + 41) a term. */
static void windows_agree(void **state) {
  fm_real fine[NTHETA], coarse[NTHETA];
  fm_share *share;

  fm_ok(fm_share_create(NTHETA, &share));
  sum_in_order(share, 20, 0, fine);
  for (int window = 20; window >= -20; window -= 20) {
    sum_in_order(share, window, 5, coarse);
    for (int i = 0; i < NTHETA; i++) {
      const double allowed = MANY * exp2(-window - 41) + FM_EPSILON * fabs((double)fine[i]);

      assert_true(fabs((double)fine[i] - (double)coarse[i]) <= allowed);
    }
  }
  fm_ok(fm_share_destroy(&share));
}

static fm_share_state state_after(fm_share *share, int window, fm_real g, double term) {
  fm_share_begin(share, window);
  fm_share_scratch(share)[0] = 1;
  fm_share_scratch(share)[1] = g;
  fm_share_add_gradient(share);
  fm_share_add_term(share, 0, term);
  return fm_share_verdict(share);
}

static void the_window_has_limits(void **state) {
  fm_share *share;

  fm_ok(fm_share_create(2, &share));
  for (int window = 20; window >= -60; window -= 20) {
    const fm_real most = (fm_real)ldexp(1, 50 - window),
                  below = most * (1 - (fm_real)FM_EPSILON);
    const double top = ldexp(1, 70 - window);

    assert_int_equal(state_after(share, window, below, 0), FM_SHARE_GOOD);
    assert_int_equal(state_after(share, window, -below, 0), FM_SHARE_GOOD);
    assert_int_equal(state_after(share, window, most, 0), FM_SHARE_OUTSIDE);
    assert_int_equal(state_after(share, window, -most, 0), FM_SHARE_OUTSIDE);
    assert_int_equal(state_after(share, window, 0, top * (1 - 1e-15)), FM_SHARE_GOOD);
    assert_int_equal(state_after(share, window, 0, top), FM_SHARE_OUTSIDE);
    assert_int_equal(state_after(share, window, 0, -top), FM_SHARE_OUTSIDE);
  }
  fm_ok(fm_share_destroy(&share));
}

static void what_is_not_finite_is_noticed(void **state) {
  static const double bad[] = {NAN, INFINITY, -INFINITY};
  fm_share *share;

  fm_ok(fm_share_create(2, &share));
  for (int k = 0; k < 3; k++) {
    assert_int_equal(state_after(share, 20, (fm_real)bad[k], 0), FM_SHARE_NONFINITE);
    assert_int_equal(state_after(share, 20, 0, bad[k]), FM_SHARE_NONFINITE);
    assert_int_equal(state_after(share, 20, (fm_real)bad[k], 1e300), FM_SHARE_NONFINITE);
    assert_int_equal(state_after(share, 20, (fm_real)1e30, bad[k]), FM_SHARE_NONFINITE);
  }
  assert_int_equal(state_after(share, 20, 1, 1), FM_SHARE_GOOD); /* begin forgets */
  fm_share_flag(share);
  assert_int_equal(fm_share_verdict(share), FM_SHARE_NONFINITE);
  fm_ok(fm_share_destroy(&share));
}

/* Many bad contributions: no sum may overflow on the way (the sanitizers watch). */
static void bad_contributions_add_up_quietly(void **state) {
  static const double bad[] = {1e30, -1e30, INFINITY, NAN};
  fm_share *share;

  fm_ok(fm_share_create(2, &share));
  for (int k = 0; k < 4; k++) {
    fm_share_begin(share, 20);
    for (int s = 0; s < 9; s++) {
      fm_share_scratch(share)[1] = (fm_real)bad[k];
      fm_share_add_gradient(share);
      fm_share_add_term(share, 0, 1e270 * bad[k]);
    }
    assert_int_equal(fm_share_verdict(share),
                     isfinite(bad[k]) ? FM_SHARE_OUTSIDE : FM_SHARE_NONFINITE);
  }
  fm_ok(fm_share_destroy(&share));
}

static void scratch_is_consumed(void **state) {
  fm_real grad[3];
  fm_share *share;

  fm_ok(fm_share_create(3, &share));
  fm_share_begin(share, 20);
  for (int i = 0; i < 3; i++) fm_share_scratch(share)[i] = (fm_real)(i + 1);
  fm_share_add_gradient(share);
  for (int i = 0; i < 3; i++) assert_true(fm_share_scratch(share)[i] == 0);
  fm_share_add_gradient(share);
  fm_ok(fm_share_gradient(share, 0.25, grad));
  for (int i = 0; i < 3; i++) assert_true(grad[i] == (fm_real)(0.25 * (i + 1)));
  fm_share_scratch(share)[1] = 5;
  fm_share_begin(share, 20);
  assert_true(fm_share_scratch(share)[1] == 0);
  fm_ok(fm_share_gradient(share, 1, grad));
  for (int i = 0; i < 3; i++) assert_true(grad[i] == 0);
  fm_ok(fm_share_destroy(&share));
}

static void terms_and_counts_are_apart(void **state) {
  fm_share *share;

  fm_ok(fm_share_create(1, &share));
  fm_share_begin(share, 20);
  for (int s = 0; s < 10; s++) {
    for (int k = 0; k < FM_SHARE_TERMS; k++) fm_share_add_term(share, k, 0.125 * k - 1e9);
    for (int k = 0; k < FM_SHARE_COUNTS; k++) fm_share_add_count(share, k, k - (1ll << 40));
  }
  for (int k = 0; k < FM_SHARE_TERMS; k++)
    assert_true(fm_share_term(share, k) == 1.25 * k - 1e10);
  for (int k = 0; k < FM_SHARE_COUNTS; k++)
    assert_true(fm_share_count(share, k) == 10 * (k - (1ll << 40)));
  assert_int_equal(fm_share_verdict(share), FM_SHARE_GOOD);
  fm_ok(fm_share_destroy(&share));
}

/* ---- fm_exact ---- */

static void exact_numbers(void **state) {
  fm_exact first = {0, 0};

  for (uint64_t step = 1; step < 6; step++) {
    int64_t order[1000];
    fm_exact sum = {0, 0};
    __int128 whole = 0;

    fm_rng_permutation(rng, step, 1000, order);
    for (int s = 0; s < 1000; s++) {
      double u[2], v;

      fm_rng_uniform(rng, 1000, (uint64_t)order[s], 2, u);
      v = rint((u[0] - 0.5) * 0x1p40) * exp2(floor(u[1] * 40) - 40);
      fm_exact_add(&sum, v);
      whole += (__int128)ldexp(v, 40);
    }
    if (step == 1) first = sum;
    assert_memory_equal(&sum, &first, sizeof(sum));
    fm_near(fm_exact_value(sum), ldexp((double)whole, -40), 3e-16);
    fm_ok(fm_exact_reduce(&sum, 1, PETSC_COMM_SELF));
    assert_memory_equal(&sum, &first, sizeof(sum));
  }
}

FM_TEST_MAIN(cmocka_unit_test(every_order_gives_the_same_bits),
             cmocka_unit_test(the_numbers_tell_orders_apart), cmocka_unit_test(windows_agree),
             cmocka_unit_test(the_window_has_limits),
             cmocka_unit_test(what_is_not_finite_is_noticed),
             cmocka_unit_test(bad_contributions_add_up_quietly),
             cmocka_unit_test(scratch_is_consumed),
             cmocka_unit_test(terms_and_counts_are_apart), cmocka_unit_test(exact_numbers))
