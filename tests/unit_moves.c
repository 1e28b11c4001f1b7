/* Samples of a flow moved on: their law is the posterior's, the step finds the acceptance that
   is asked for, samples that cannot be evaluated stay, and what is told is true. */
#include "moves_cases.h"

static fm_comm comm;

static int open_comm(void **state) { return (int)fm_comm_create(PETSC_COMM_WORLD, 1, &comm); }
static int close_comm(void **state) { return (int)fm_comm_destroy(&comm); }
#define moves_test(f) cmocka_unit_test_setup_teardown(f, open_comm, close_comm)

static fm_moves *moved(nearly *p, fm_potential *potential, int64_t total, int rounds) {
  const double edge = p->edge;
  fm_moves_inputs in;
  fm_moves *m;
  fm_real *z;

  *potential = nearly_potential(p);
  p->edge = edge;
  in = nearly_inputs(&comm, potential, total, &z);
  fm_ok(fm_moves_create(&in, z, &m));
  for (int k = 0; k < rounds; k++) round_of(m);
  fm_ok(PetscFree(z));
  return m;
}

/* Mean of q_i - SHIFT, or of the product with that of j. */
static double moment(const fm_moves *m, int i, int j) {
  double sum = 0;

  for (int64_t s = 0; s < m->in.count; s++) {
    const double *q = m->z + s * m->n;

    sum += (q[i] - SHIFT) * (j < 0 ? 1 : q[j] - SHIFT);
  }
  return sum / (double)m->in.count;
}

/* 4,000 independent samples: means to 1/63 of a std, variances to 1/45, five of these. */
static void law_is_the_posteriors(void **state) {
  nearly p = {.edge = 1e300};
  fm_potential potential;
  fm_moves *m = moved(&p, &potential, 4000, 0);

  assert_true(moment(m, 0, -1) < -0.2); /* the flow's own law is another */
  assert_true(moment(m, 0, 0) < 1.2 && fabs(moment(m, 0, 1) - SHIFT * SHIFT) < 0.1);
  for (int k = 0; k < 6; k++) round_of(m);
  for (int i = 0; i < NEARLY_N; i++) {
    const double variance = i < 2 ? LARGE : 1;

    fm_near(moment(m, i, -1), 0, 5 * sqrt(variance) / 63);
    fm_near(moment(m, i, i), variance, 5 * variance / 45);
  }
  fm_near(moment(m, 0, 1), RHO * LARGE, 5 * LARGE / 45);
  fm_near(moment(m, 4, 5), 0, 5. / 63);
  for (int64_t k = 0; k < m->in.count * m->n; k++)
    assert_true(fabs((double)m->x[k] - 10 * m->z[k]) <= 1e-5 * (1 + fabs(m->z[k])));
  fm_ok(fm_moves_destroy(&m));
}

static void step_finds_the_acceptance(void **state) {
  nearly p = {.edge = 1e300};
  fm_potential potential;
  fm_moves *m = moved(&p, &potential, 2000, 5);

  fm_near(m->acceptance, 0.75, 0.05);
  assert_int_equal(p.evaluations, 2000 + m->leapfrogs);
  fm_near(fm_moves_step(0.3, 0.75, 0.75), 0.3, 1e-9);
  fm_near(fm_moves_step(0.3, 0.999, 0.75), 0.3 * 1.4, 1e-9);
  fm_near(fm_moves_step(0.3, 0., 0.75), 0.15, 1e-9);
  assert_true(fm_moves_step(0.3, 0.6, 0.75) < 0.3);
  fm_ok(fm_moves_destroy(&m));
}

/* E U = n/2 at the posterior; at the flow's samples by their known moments. */
static void change_is_told(void **state) {
  const double c = LARGE * (1 - RHO * RHO), d = SHIFT * SHIFT;
  const double pair = (1 + d) / c - RHO * d / c;
  const double start = pair + (NEARLY_N - 2) * (1 + d) / 2;
  nearly p = {.edge = 1e300};
  fm_potential potential;
  fm_moves *m = moved(&p, &potential, 4000, 6);
  fm_moved told;

  fm_ok(fm_moves_tell(m, &told));
  assert_int_equal(told.failed, 0);
  fm_near(told.change, NEARLY_N / 2. - start, 5 * told.se);
  assert_true(told.se > 0 && told.se < 0.15 && fabs(told.last) < 5 * told.last_se);
  fm_near(told.latent, (2 * LARGE + NEARLY_N - 2) / NEARLY_N + d, 0.03);
  fm_ok(fm_moves_destroy(&m));
}

static void what_fails_stays(void **state) {
  nearly p = {.edge = 0.8};
  fm_potential potential;
  fm_moves *m = moved(&p, &potential, 500, 0), *still = moved(&p, &potential, 500, 0);
  int64_t failed = 0;
  fm_moved told;

  for (int k = 0; k < 3; k++) round_of(m);
  for (int64_t s = 0; s < 500; s++) {
    const double *q = m->z + s * m->n, *begin = still->z + s * m->n;

    assert_true(q[0] <= 0.8 || q[0] == begin[0]);
    failed += begin[0] > 0.8;
    assert_int_equal(isfinite(m->value[s]), begin[0] <= 0.8);
  }
  fm_ok(fm_moves_tell(m, &told));
  assert_true(failed > 50);
  assert_int_equal(told.failed, failed);
  assert_true(isfinite(told.change) && isfinite(told.latent));
  fm_ok(fm_moves_destroy(&m));
  fm_ok(fm_moves_destroy(&still));
}

/* All fail: nothing is moved, and it is said. */
static void nothing_to_move(void **state) {
  nearly p = {.edge = -1e300};
  fm_potential potential;
  fm_moves *m = moved(&p, &potential, 20, 2);
  fm_moved told;

  fm_ok(fm_moves_tell(m, &told));
  assert_int_equal(told.failed, 20);
  assert_true(isnan(m->acceptance) && m->step > 0);
  fm_ok(fm_moves_destroy(&m));
}

FM_TEST_MAIN(moves_test(law_is_the_posteriors), moves_test(step_finds_the_acceptance),
             moves_test(change_is_told), moves_test(what_fails_stays),
             moves_test(nothing_to_move))
