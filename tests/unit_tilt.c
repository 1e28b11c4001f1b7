/* Chains that are sent where the means of exp(x) come from, and what is said of their weighted
   draws. In closed form: E exp(x_i) = exp(mu_i + s_i^2/2) of a Gaussian (golds/
   linear_gaussian.py); its relative standard deviation sqrt(exp(s_i^2) - 1) reaches 22 here. */
#include "cli/reference.h"
#include "hmc_cases.h"
#include "infer_cases.h"

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

static void tilted(PetscBool latent) {
  double mu[LG_N], std[LG_N], mean[LG_N], *weight, *v, of[FM_SERIES];
  fm_potential *potential;
  infer_fixture f;
  fm_sampler *s;

  gold("mu", LG_N, mu);
  gold("std", LG_N, std);
  infer_open(&f, &linear_gaussian, PETSC_COMM_WORLD, 1, hint_spec(&linear_gaussian, 2, 8));
  fm_ok(fm_potential_of_target(f.target, latent ? f.transport : NULL, f.theta, &potential));
  for (int i = 0; i < LG_N; i++) /* rough: any gives the same means */
    mean[i] = exp(mu[i] + std[i] * std[i] / 2) * (i % 2 ? 0.5 : 2);
  fm_ok(fm_potential_tilt(potential, mean));
  s = hmc_sampler(&f.comm, potential, f.target->op, hmc_settings(500), 4, 6000, 1);
  fm_ok(fm_sampler_start(s));
  fm_ok(fm_sampler_run(s, fm_sampler_total(s)));
  fm_ok(PetscMalloc2(24000, &weight, 24000, &v));
  for (int i = 0; i < LG_N; i++) {
    const double exact = exp(mu[i] + std[i] * std[i] / 2);

    weights_and_values(s, i, weight, v);
    fm_ok(fm_describe(4, 6000, weight, v, of));
    expect("the mean", i, of, mu[i]);
    fm_near(of[FM_STD] / std[i], 1., 0.1);
    fm_near(of[FM_QUANTILES + 1], mu[i], 0.2);
    fm_near(of[FM_QUANTILES + 2], mu[i] + 1.6449 * std[i], 0.4);
    fm_ok(fm_describe_exp(4, 6000, weight, v, of));
    expect("the mean of exp", i, of, exact);
    assert_true(of[FM_MCSE] < 0.15 * exact); /* plain draws: 22/sqrt(24000) at the very best */
  }
  fm_ok(PetscFree2(weight, v));
  fm_ok(fm_sampler_destroy(&s));
  fm_ok(fm_potential_destroy(&potential));
  infer_close(&f);
}

static void means_of_exponentials(void **state) { tilted(PETSC_FALSE); }
static void means_of_exponentials_through_a_flow(void **state) { tilted(PETSC_TRUE); }

/* U less log t, and its gradient, by hand. */
static void the_tilt_is_what_it_says(void **state) {
  const double mean[2] = {3, 0.2}, q[2] = {0.4, -0.7}, tolerance = 10 * FM_EPSILON;
  const double a = exp(q[0]) / 3, b = exp(q[1]) / 0.2, t = 0.2 + 0.4 * (a + b);
  double plain, value, g[2], tilted_g[2];
  const uint64_t sample = 0;
  const fm_key key = {.step = 0, .sample = &sample};
  fm_potential *potential;
  infer_fixture f;
  PetscBool ok;
  fm_real x[2];

  infer_open(&f, &toy, PETSC_COMM_WORLD, 1, hint_spec(&toy, 2, 8));
  fm_ok(fm_potential_of_target(f.target, NULL, NULL, &potential));
  fm_ok(potential->evaluate(potential->context, key, q, &plain, g, x, &ok));
  assert_null(potential->log_weight);
  fm_ok(fm_potential_tilt(potential, mean));
  fm_ok(potential->evaluate(potential->context, key, q, &value, tilted_g, x, &ok));
  fm_near(plain - value, log(t), tolerance);
  fm_near(potential->log_weight(potential->context, x), -log(t), tolerance);
  fm_near(g[0] - tilted_g[0], 0.4 * a / t, 10 * tolerance);
  fm_near(g[1] - tilted_g[1], 0.4 * b / t, 10 * tolerance);
  x[0] = 900; /* its exponential is above every double */
  fm_near(potential->log_weight(potential->context, x), log(3.) - log(0.4) - 900, tolerance);
  fm_ok(fm_potential_destroy(&potential));
  infer_close(&f);
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

FM_TEST_MAIN(cmocka_unit_test(means_of_exponentials),
             cmocka_unit_test(means_of_exponentials_through_a_flow),
             cmocka_unit_test(the_tilt_is_what_it_says), cmocka_unit_test(weighted_figures))
