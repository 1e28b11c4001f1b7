/* Chains under an umbrella: the bias itself, and the weighted means of what is rare. In closed
   form: E exp(x_i) = exp(mu_i + s_i^2/2) of a Gaussian (golds/linear_gaussian.py), with
   relative
   standard deviations sqrt(exp(s_i^2) - 1) up to 22, and a mixture whose second mode has a
   thousandth of the mass. */
#include "cli/reference.h"
#include "hmc_cases.h"
#include "infer_cases.h"

/* ---- the bias ---- */

static fm_umbrella *hilly(int64_t n) {
  const double centre[3] = {1, -2, 0}, scale[3] = {2, 0.5, 1};
  fm_umbrella *u;
  fm_real e[3];

  fm_ok(fm_umbrella_create(n, centre, scale, &u));
  for (int64_t j = 0; j < FM_UMBRELLA_NODES; j++) {
    fm_rng_normal((fm_rng){2, FM_STREAM_CHECK}, 0, (uint64_t)j, 3, e);
    for (int64_t k = 0; k < n; k++) u->v[j * n + k] = fabs((double)e[k]);
  }
  return u;
}

static void flat_ground_has_no_bias(void **state) {
  const double centre[2] = {0, 5}, scale[2] = {1, 3}, q[2] = {0.3, 400};
  double g[2] = {1, 2};
  fm_umbrella *u;

  fm_ok(fm_umbrella_create(2, centre, scale, &u));
  fm_near(fm_umbrella_log(u, q, g), 0., 1e-15);
  assert_true(g[0] == 1 && g[1] == 2);
  for (int j = 0; j < FM_UMBRELLA_NODES; j++) u->v[2 * j] = 7; /* a constant is none either */
  fm_near(fm_umbrella_log(u, q, g), 0., 1e-14);
  fm_ok(fm_umbrella_destroy(&u));
}

/* A tent of height 3 over node 20 of the first unknown: beside it t is higher by exp(3). */
static void a_tent_by_hand(void **state) {
  const double centre[2] = {0, 5}, scale[2] = {1, 3};
  double q[2] = {0, 5}, g[2] = {0, 0}, rise[2 * FM_UMBRELLA_NODES] = {0};
  const double there = 0.2 + 0.4 + 0.4, beside = 0.2 + 0.4 * exp(3) + 0.4;
  const double half = 0.2 + 0.4 * exp(1.5) + 0.4;
  fm_umbrella *u;

  fm_ok(fm_umbrella_create(2, centre, scale, &u));
  u->v[2 * 20] = 3;
  fm_near(fm_umbrella_log(u, q, NULL), log(there), 1e-14);
  q[0] = -1;
  fm_near(fm_umbrella_log(u, q, NULL), log(beside), 1e-14);
  q[0] = -80; /* beyond the last node: as at it */
  fm_near(fm_umbrella_log(u, q, g), log(beside), 1e-14);
  assert_true(g[0] == 0 && g[1] == 0);
  q[0] = 0.125; /* spacing 10/40: half way down; the slope of V is -3/.25 */
  fm_near(fm_umbrella_log(u, q, g), log(half), 1e-14);
  fm_near(g[0], -0.4 * exp(1.5) / half * 12, 1e-12);
  fm_umbrella_learn(u, 0.02, q, rise);
  fm_near(rise[2 * 20], 0.02 * exp(1.5) / half * exp(-1.5 / 2) / 2, 1e-14);
  fm_near(rise[2 * 21], rise[2 * 20], 1e-14);
  fm_near(rise[2 * 20 + 1], 0.02 / half, 1e-14);
  assert_true(rise[2 * 19] == 0 && rise[2 * 22] == 0);
  fm_ok(fm_umbrella_destroy(&u));
}

static void its_gradient_is_that_of_its_value(void **state) {
  double q[3] = {0.4, -1.1, 3.77}, g[3] = {0, 0, 0}, high, low;
  fm_umbrella *u = hilly(3);

  fm_umbrella_log(u, q, g);
  for (int i = 0; i < 3; i++) {
    const double at = q[i], h = 1e-6;

    q[i] = at + h;
    high = fm_umbrella_log(u, q, NULL);
    q[i] = at - h;
    low = fm_umbrella_log(u, q, NULL);
    q[i] = at;
    assert_true(fabs(g[i]) > 1e-3);
    fm_near((high - low) / (2 * h), -g[i], 1e-8);
  }
  fm_ok(fm_umbrella_destroy(&u));
}

/* ---- weighted means ---- */

static void weights_and_values(const fm_sampler *s, int64_t i, double *weight, double *v) {
  const int64_t count = s->in.chains * s->kept;
  double mean = 0.;

  fm_ok(fm_sampler_column(s, i, 0, v));
  fm_ok(fm_sampler_column(s, s->n + 1, 0, weight));
  for (int64_t k = 0; k < count; k++) mean += (weight[k] = exp(weight[k])) / (double)count;
  for (int64_t k = 0; k < count; k++) weight[k] /= mean;
}

static void expect(const char *what, int i, const double *of, double exact) {
  if (!(fabs(of[FM_MEAN] - exact) <= 4.5 * of[FM_MCSE]))
    fail_msg("%s of x_%d is %.6g, not %.6g: %.1f standard errors of %.2g", what, i, of[FM_MEAN],
             exact, (of[FM_MEAN] - exact) / of[FM_MCSE], of[FM_MCSE]);
  if (!(of[FM_RHAT] < 1.02)) fail_msg("%s of x_%d: R-hat %.4f", what, i, of[FM_RHAT]);
}

static fm_sampler *sample(const fm_comm *comm, fm_potential *potential, fm_operator *op,
                          int64_t flatten, int64_t draws) {
  fm_hmc hmc = hmc_settings(300);
  fm_sampler *s;

  hmc.flatten = flatten;
  s = hmc_sampler(comm, potential, op, hmc, 4, draws, 1);
  fm_ok(fm_sampler_start(s));
  fm_ok(fm_sampler_run(s, fm_sampler_total(s)));
  assert_int_equal(s->kept, draws);
  return s;
}

static void means_of_exponentials(void **state) {
  enum { DRAWS = 5000 };
  double mu[LG_N], std[LG_N], *weight, *v, of[FM_SERIES];
  fm_potential *potential;
  infer_fixture f;
  fm_sampler *s;

  gold("mu", LG_N, mu);
  gold("std", LG_N, std);
  infer_open(&f, &linear_gaussian, PETSC_COMM_WORLD, 1, hint_spec(&linear_gaussian, 2, 8));
  fm_ok(fm_potential_of_target(f.target, NULL, NULL, &potential));
  s = sample(&f.comm, potential, f.target->op, 1000, DRAWS);
  fm_ok(PetscMalloc2(4 * DRAWS, &weight, 4 * DRAWS, &v));
  for (int i = 0; i < LG_N; i++) {
    const double exact = exp(mu[i] + std[i] * std[i] / 2);

    weights_and_values(s, i, weight, v);
    fm_ok(fm_describe(4, DRAWS, weight, v, of));
    expect("the mean", i, of, mu[i]);
    fm_near(of[FM_STD] / std[i], 1., 0.1);
    fm_near(of[FM_QUANTILES + 1], mu[i], 0.2);
    fm_near(of[FM_QUANTILES + 2], mu[i] + 1.6449 * std[i], 0.4);
    fm_ok(fm_describe_exp(4, DRAWS, weight, v, of));
    expect("the mean of exp", i, of, exact);
    assert_true(of[FM_MCSE] < 0.15 * exact); /* plain draws: 22/sqrt(20000) at the very best */
  }
  fm_ok(PetscFree2(weight, v));
  fm_ok(fm_sampler_destroy(&s));
  fm_ok(fm_potential_destroy(&potential));
  infer_close(&f);
}

/* Without known moments of the prior there is no range for the nodes. */
static void it_needs_a_range(void **state) {
  fm_potential potential;
  fm_sampler *s = NULL;
  fm_comm comm;
  gauss g;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  potential = gauss_potential(&g);
  const fm_sampler_inputs in = {.comm = &comm,
                                .potential = &potential,
                                .hmc = {.flatten = 10},
                                .chains = 1,
                                .iterations = 4,
                                .thin = 1};
  fm_expect_error(fm_sampler_create(&in, &s), "-flatten needs a prior that knows its means");
  fm_ok(fm_sampler_destroy(&s));
  fm_ok(fm_comm_destroy(&comm));
}

/* Weights 1 are no weights; 0 and 2 leave half of the draws. */
static void weighted_figures(void **state) {
  double v[800], weight[800], plain[FM_SERIES], of[FM_SERIES], sum = 0., square = 0.;
  fm_real e[800];

  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, 0, 800, e);
  for (int k = 0; k < 800; k++) v[k] = 2 + 3 * (double)e[k];
  for (int k = 0; k < 800; k++) weight[k] = 1;
  fm_ok(fm_describe(4, 200, NULL, v, plain));
  fm_ok(fm_describe(4, 200, weight, v, of));
  for (int k = 0; k < FM_QUANTILES; k++) fm_near(of[k], plain[k], k == FM_STD ? 2e-3 : 1e-10);
  for (int k = 0; k < 3; k++) fm_near(of[FM_QUANTILES + k], plain[FM_QUANTILES + k], 0.02);
  for (int k = 0; k < 800; k++) weight[k] = v[k] > 2 ? 2 : 0;
  for (int k = 0; k < 800; k++) sum += weight[k];
  for (int k = 0; k < 800; k++) weight[k] *= 800 / sum;
  fm_ok(fm_describe(4, 200, weight, v, of));
  fm_near(of[FM_MEAN], 2 + 3 * sqrt(2 / PETSC_PI), 0.15); /* half normal */
  fm_near(of[FM_QUANTILES + 1], 2 + 3 * 0.67449, 0.2);
  for (int k = 0; k < 800; k++) square += pow(weight[k] * (v[k] - of[FM_MEAN]), 2) / 800;
  fm_near(of[FM_MCSE], sqrt(square / 800), 0.02); /* independent draws */
}

FM_TEST_MAIN(cmocka_unit_test(flat_ground_has_no_bias), cmocka_unit_test(a_tent_by_hand),
             cmocka_unit_test(its_gradient_is_that_of_its_value),
             cmocka_unit_test(means_of_exponentials), cmocka_unit_test(it_needs_a_range),
             cmocka_unit_test(weighted_figures))
