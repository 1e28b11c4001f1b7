/* Hamiltonian Monte Carlo: the leapfrog method, the law of the chains on posteriors known in
   closed form or by quadrature, its adaptation, and what happens where nothing can be
   evaluated. Quadrature: golds/toy_gold.py; closed form: golds/linear_gaussian.py. */
#include "hmc_cases.h"
#include "infer_cases.h"

static fm_comm comm;

static int open_comm(void **state) { return (int)fm_comm_create(PETSC_COMM_WORLD, 1, &comm); }
static int close_comm(void **state) { return (int)fm_comm_destroy(&comm); }
#define hmc_test(f) cmocka_unit_test_setup_teardown(f, open_comm, close_comm)

static fm_sampler *run(fm_potential *potential, fm_operator *op, fm_hmc hmc, int64_t chains,
                       int64_t iterations) {
  fm_sampler *s = hmc_sampler(&comm, potential, op, hmc, chains, iterations, 1);

  fm_ok(fm_sampler_start(s));
  fm_ok(fm_sampler_run(s, fm_sampler_total(s)));
  assert_int_equal(s->kept, iterations);
  return s;
}

/* ---- the leapfrog method ---- */

typedef struct point {
  double q[GAUSS_N], r[GAUSS_N], g[GAUSS_N], value;
} point;

static double energy_of(const point *p) {
  double sum = p->value;

  for (int i = 0; i < GAUSS_N; i++) sum += p->r[i] * p->r[i] / 2;
  return sum;
}

static void begin_at(fm_chain *c, fm_potential *potential, point *p) {
  const double r[GAUSS_N] = {0.3, -1.2, 0.7, 1.9};
  const double scale[GAUSS_N] = {1, 8, 0.03, 0.7};
  PetscBool ok;

  for (int i = 0; i < GAUSS_N; i++) {
    p->q[i] = gauss_mean[i] + gauss_l[i][i] * (i - 1.3);
    p->r[i] = r[i];
    fm_chain_vector(c, FM_CHAIN_SCALE)[i] = scale[i];
  }
  fm_ok(potential->evaluate(potential->context, (fm_key){.step = 0}, p->q, &p->value, p->g,
                            c->x, &ok));
}

static void steps(fm_chain *c, fm_potential *potential, double step, int64_t count, point *p) {
  PetscBool ok;

  fm_ok(fm_chain_leapfrog(c, potential, (fm_key){.step = 0}, step, count, INFINITY, p->q, p->r,
                          p->g, &p->value, &ok));
  assert_true(ok);
}

static void leapfrog_is_reversible(void **state) {
  point from, p;
  fm_potential potential;
  fm_chain c;
  gauss g;

  potential = gauss_potential(&g);
  fm_ok(fm_chain_create(GAUSS_N, 0, NULL, &c));
  begin_at(&c, &potential, &from);
  p = from;
  steps(&c, &potential, 0.05, 37, &p);
  assert_int_equal(g.evaluations, 38);
  assert_true(fabs(p.q[0] - from.q[0]) > 0.1);
  for (int i = 0; i < GAUSS_N; i++) p.r[i] = -p.r[i];
  steps(&c, &potential, 0.05, 37, &p);
  for (int i = 0; i < GAUSS_N; i++) {
    fm_near(p.q[i], from.q[i], 1e-11);
    fm_near(-p.r[i], from.r[i], 1e-11);
  }
  fm_ok(fm_chain_destroy(&c));
}

/* Over a fixed time the error of H falls as the square of the step. */
static void energy_error_is_of_order_two(void **state) {
  double error[4];
  fm_potential potential;
  fm_chain c;
  gauss g;

  potential = gauss_potential(&g);
  fm_ok(fm_chain_create(GAUSS_N, 0, NULL, &c));
  for (int k = 0; k < 4; k++) {
    const int64_t count = 40 << k;
    double begin;
    point p;

    begin_at(&c, &potential, &p);
    begin = energy_of(&p);
    steps(&c, &potential, 1.3 / (double)count, count, &p);
    error[k] = fabs(energy_of(&p) - begin);
  }
  assert_true(error[0] > 1e-6);
  for (int k = 1; k < 4; k++) fm_near(log2(error[k - 1] / error[k]), 2., 0.05);
  fm_ok(fm_chain_destroy(&c));
}

/* ---- the law ---- */

static void check_gauss(fm_sampler *s) {
  for (int i = 0; i < GAUSS_N; i++) {
    hmc_expect(s, i, 0, 1, gauss_mean[i]);
    hmc_expect(s, i, gauss_mean[i], 2, gauss_covariance(i, i));
  }
}

/* At an acceptance of .7 the leapfrog's own law has variances off by tens of per cent: without
   the Metropolis test, or with a wrong one, the second moments fail. */
static void gaussian_moments(void **state) {
  fm_hmc hmc = hmc_settings(400);
  fm_potential potential;
  double acceptance;
  fm_sampler *s;
  gauss g;

  potential = gauss_potential(&g);
  s = run(&potential, NULL, hmc, 4, 5000);
  check_gauss(s);
  fm_ok(fm_sampler_sum(s, FM_CHAIN_ACCEPTANCE, &acceptance));
  assert_true(acceptance / 20000 > 0.5 && acceptance / 20000 < 0.95);
  fm_ok(fm_sampler_destroy(&s));
  hmc.leapfrogs = 3; /* a fixed number of large steps */
  hmc.target_accept = 0.5;
  s = run(&potential, NULL, hmc, 4, 5000);
  check_gauss(s);
  fm_ok(fm_sampler_destroy(&s));
}

static PetscErrorCode near_start(void *context, uint64_t seed, int64_t chain, int64_t attempt,
                                 double *q) {
  memcpy(q, gauss_mean, sizeof(gauss_mean));
  q[0] += 2;
  return 0;
}

/* Where nothing can be evaluated the density is zero: that half of the first unknown is cut
   off, the others follow by their regression on it. (Steps are not adapted: a trajectory meets
   the edge however small they are.) */
static void failures_are_rejections(void **state) {
  const double tail = 0.5 * erfc(0.5 / sqrt(2.)), peak = exp(-0.125) / sqrt(2 * PETSC_PI);
  const double u = peak / tail; /* E of the first whitened unknown above .5 */
  double scale[GAUSS_N], divergences;
  fm_potential potential;
  fm_sampler *s;
  gauss g;

  potential = gauss_potential(&g);
  g.edge = gauss_mean[0] + 0.5 * gauss_l[0][0];
  for (int i = 0; i < GAUSS_N; i++) scale[i] = gauss_l[i][i];
  potential.scale = scale;
  potential.start = near_start;
  s = hmc_sampler(&comm, &potential, NULL, hmc_settings(0), 4, 20000, 1);
  fm_ok(fm_sampler_start(s));
  for (int c = 0; c < 4; c++) fm_chain_scalars(&s->chain[c])[FM_CHAIN_STEP] = 0.6;
  fm_ok(fm_sampler_run(s, fm_sampler_total(s)));
  for (int i = 0; i < GAUSS_N; i++) hmc_expect(s, i, 0, 1, gauss_mean[i] + gauss_l[i][0] * u);
  hmc_expect(s, 0, gauss_mean[0], 2, 4 * (1 + 0.5 * u));
  fm_ok(fm_sampler_sum(s, FM_CHAIN_DIVERGENCES, &divergences));
  assert_true(divergences > 100);
  fm_ok(fm_sampler_destroy(&s));
}

/* A posterior of the fixture, in the user's units or (latent) through its random flow. */
static fm_sampler *sample_posterior(infer_fixture *f, const infer_problem *p, PetscBool latent,
                                    int64_t iterations, fm_potential **potential) {
  fm_ledger ledger;
  fm_sampler *s;

  infer_open(f, p, PETSC_COMM_WORLD, 1, hint_spec(p, 2, 8));
  fm_ok(fm_potential_of_target(f->target, latent ? f->transport : NULL, f->theta, potential));
  s = run(*potential, f->target->op, hmc_settings(500), 4, iterations);
  fm_ok(fm_operator_ledger(f->target->op, &ledger));
  assert_int_equal(s->ledger[FM_SOLVE_F], ledger.count[FM_USEFUL][FM_SOLVE_F]);
  assert_true(s->ledger[FM_SOLVE_F] > 4 * iterations);
  assert_int_equal(s->ledger[3 + FM_SOLVE_F], 0);
  return s;
}

static void end_posterior(infer_fixture *f, fm_sampler **s, fm_potential **potential) {
  fm_ok(fm_sampler_destroy(s));
  fm_ok(fm_potential_destroy(potential));
  infer_close(f);
}

static void check_toy(fm_sampler *s) {
  hmc_expect(s, 0, 0, 1, 1.82896);
  hmc_expect(s, 1, 0, 1, 3.47695);
  hmc_expect(s, 0, 1.82896, 2, 0.21315 * 0.21315);
  hmc_expect(s, 1, 3.47695, 2, 0.50927 * 0.50927);
}

static void toy_posterior(void **state) {
  fm_potential *potential;
  infer_fixture f;
  fm_sampler *s = sample_posterior(&f, &toy, PETSC_FALSE, 8000, &potential);

  check_toy(s);
  end_posterior(&f, &s, &potential);
}

/* Whatever the flow: a wrong log-determinant or gradient would show. */
static void toy_posterior_through_a_flow(void **state) {
  fm_potential *potential;
  infer_fixture f;
  fm_sampler *s = sample_posterior(&f, &toy, PETSC_TRUE, 8000, &potential);

  check_toy(s);
  end_posterior(&f, &s, &potential);
}

static void linear_gaussian_posterior(void **state) {
  double mu[LG_N], std[LG_N];
  fm_potential *potential;
  infer_fixture f;
  fm_sampler *s;

  gold("mu", LG_N, mu);
  gold("std", LG_N, std);
  for (int latent = 0; latent < 2; latent++) {
    s = sample_posterior(&f, &linear_gaussian, latent ? PETSC_TRUE : PETSC_FALSE, 3000,
                         &potential);
    for (int i = 0; i < LG_N; i++) {
      hmc_expect(s, i, 0, 1, mu[i]);
      hmc_expect(s, i, mu[i], 2, std[i] * std[i]);
    }
    end_posterior(&f, &s, &potential);
  }
}

/* Both potentials' gradients against central differences. */
static void gradients_are_those_of_the_value(void **state) {
  const double h = sizeof(fm_real) == 4 ? 2e-2 : 1e-5, tolerance = h == 1e-5 ? 1e-7 : 2e-2;
  double q[2] = {0.4, -0.7}, g[2], unused[2], low, high, value;
  fm_potential *potential;
  infer_fixture f;
  PetscBool ok;
  fm_real x[2];

  for (int latent = 0; latent < 2; latent++) {
    infer_open(&f, &toy, PETSC_COMM_WORLD, 1, hint_spec(&toy, 2, 8));
    fm_ok(fm_potential_of_target(f.target, latent ? f.transport : NULL, f.theta, &potential));
    const uint64_t sample = 0;
    const fm_key key = {.step = 0, .sample = &sample};

    fm_ok(potential->evaluate(potential->context, key, q, &value, g, x, &ok));
    assert_true(ok && isfinite(value));
    for (int i = 0; i < 2; i++) {
      const double at = q[i];

      q[i] = at + h;
      fm_ok(potential->evaluate(potential->context, key, q, &high, unused, x, &ok));
      q[i] = at - h;
      fm_ok(potential->evaluate(potential->context, key, q, &low, unused, x, &ok));
      q[i] = at;
      fm_near((high - low) / (2 * h), g[i], tolerance);
    }
    fm_ok(fm_potential_destroy(&potential));
    infer_close(&f);
  }
}

/* ---- adaptation ---- */

static void windows_double(void **state) {
  static const int64_t ends[] = {99, 149, 249, 799};
  PetscBool collect, close;
  int64_t at = 0;

  for (int64_t i = 0; i < 1000; i++) {
    fm_hmc_window(1000, i, &collect, &close);
    assert_int_equal(collect, i >= 75 && i < 800);
    assert_int_equal(close, at < 4 && i == ends[at]);
    at += close;
  }
  assert_int_equal(at, 4);            /* 400 more would not have fitted */
  for (int64_t i = 0; i < 100; i++) { /* too short for all of them: one window */
    fm_hmc_window(100, i, &collect, &close);
    assert_int_equal(collect, i >= 15 && i < 90);
    assert_int_equal(close, i == 89);
  }
  for (int64_t i = 0; i < 19; i++) {
    fm_hmc_window(19, i, &collect, &close);
    assert_true(!collect && !close);
  }
}

/* Every warm-up closes its last window at the end of its collecting. */
static void windows_end(void **state) {
  for (int64_t warmup = 20; warmup < 700; warmup++) {
    PetscBool collect, close, last = PETSC_FALSE;

    for (int64_t i = 0; i < warmup; i++) {
      fm_hmc_window(warmup, i, &collect, &close);
      if (collect) last = close;
    }
    assert_true(last);
  }
}

static void scales_and_step_are_found(void **state) {
  fm_hmc hmc = hmc_settings(1000);
  fm_potential potential;
  double acceptance;
  fm_sampler *s;
  gauss g;

  hmc.target_accept = 0.8;
  potential = gauss_potential(&g);
  s = run(&potential, NULL, hmc, 2, 2000);
  for (int c = 0; c < 2; c++)
    for (int i = 0; i < GAUSS_N; i++)
      fm_near(
          log(fm_chain_vector(&s->chain[c], FM_CHAIN_SCALE)[i] / sqrt(gauss_covariance(i, i))),
          0, 0.3);
  fm_ok(fm_sampler_sum(s, FM_CHAIN_ACCEPTANCE, &acceptance));
  fm_near(acceptance / 4000, 0.8, 0.1);
  fm_ok(fm_sampler_destroy(&s));
}

/* ---- starts ---- */

static PetscErrorCode late_start(void *context, uint64_t seed, int64_t chain, int64_t attempt,
                                 double *q) {
  memcpy(q, gauss_mean, sizeof(gauss_mean));
  q[0] -= attempt < 7 ? 1 : 0;
  return 0;
}

static void a_start_that_is_not_finite_is_drawn_anew(void **state) {
  fm_potential potential;
  fm_sampler *s;
  gauss g;

  potential = gauss_potential(&g);
  potential.start = late_start;
  g.edge = gauss_mean[0] - 0.5;
  s = hmc_sampler(&comm, &potential, NULL, hmc_settings(100), 2, 10, 1);
  fm_ok(fm_sampler_start(s));
  assert_true(fm_chain_vector(&s->chain[1], FM_CHAIN_Q)[0] == gauss_mean[0]);
  fm_ok(fm_sampler_destroy(&s));
  g.edge = gauss_mean[0] + 1;
  s = hmc_sampler(&comm, &potential, NULL, hmc_settings(100), 2, 10, 1);
  fm_expect_error(fm_sampler_start(s), "chain 1 cannot start");
  fm_ok(fm_sampler_destroy(&s));
}

/* Thinning keeps every third draw of the same chain. */
static void thinning_keeps_some_of_the_same(void **state) {
  fm_sampler *all, *some;
  fm_potential potential;
  gauss g;

  potential = gauss_potential(&g);
  all = run(&potential, NULL, hmc_settings(50), 2, 30);
  some = hmc_sampler(&comm, &potential, NULL, hmc_settings(50), 2, 10, 3);
  fm_ok(fm_sampler_start(some));
  fm_ok(fm_sampler_run(some, fm_sampler_total(some)));
  for (int c = 0; c < 2; c++)
    for (int k = 0; k < 10; k++)
      assert_memory_equal(some->x + (c * 10 + k) * GAUSS_N,
                          all->x + (c * 30 + 3 * k + 2) * GAUSS_N, GAUSS_N * sizeof(fm_real));
  fm_ok(fm_sampler_destroy(&all));
  fm_ok(fm_sampler_destroy(&some));
}

FM_TEST_MAIN(hmc_test(leapfrog_is_reversible), hmc_test(energy_error_is_of_order_two),
             hmc_test(gaussian_moments), hmc_test(failures_are_rejections),
             hmc_test(toy_posterior), hmc_test(toy_posterior_through_a_flow),
             hmc_test(linear_gaussian_posterior), hmc_test(gradients_are_those_of_the_value),
             hmc_test(windows_double), hmc_test(windows_end),
             hmc_test(scales_and_step_are_found),
             hmc_test(a_start_that_is_not_finite_is_drawn_anew),
             hmc_test(thinning_keeps_some_of_the_same))
