/* Trust against closed forms: an affine flow at a Gaussian posterior. */
#include "trust_cases.h"

#ifdef FM_SINGLE
#define ROUNDING 2e-5
#else
#define ROUNDING 1e-12
#endif

/* trace(I - Sigma Q), Q = I / 9 the prior's precision. */
static double exact_n_eff(const trust_case *c) {
  double sum = LG_N;

  for (int i = 0; i < LG_N; i++) sum -= c->sigma[i][i] / 9;
  return sum;
}

static void close_case(trust_case *c, fm_trust *t) {
  fm_ok(fm_trust_clear(t));
  infer_close(&c->f);
}

/* No Monte Carlo error where q = p. */
static void exact_posterior(void **state) {
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 1, 0);
  t = trust_measure(&c.f, 50, 16, 256);
  assert_int_equal(t.count, 50);
  assert_int_equal(t.failed + t.failed_draws, 0);
  assert_true(t.fisher < ROUNDING * ROUNDING * 1e4);
  for (int i = 0; i < LG_N; i++) {
    assert_true(fabs(t.bias[i]) < ROUNDING);
    fm_near(t.scale[i], 1, 10 * ROUNDING);
  }
  assert_int_equal(t.modes, LG_M); /* as many as there are data */
  assert_int_equal(t.bases, 4);
  fm_near(t.ess_fraction, 1, ROUNDING);
  fm_near(t.ess_least, 1, ROUNDING);
  close_case(&c, &t);
}

/* The trace of the misfit's Hessian, and its eigenvalues lambda / (1 + lambda). */
static void informed_directions(void **state) {
  trust_case c;
  fm_trust t;
  double square = 0, exact = 0;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 1, 0);
  t = trust_measure(&c.f, 3000, 16, 0);
  assert_true(fabs(t.n_eff - exact_n_eff(&c)) < 4 * t.n_eff_se);
  assert_true(t.n_eff_se < 0.1);
  for (int k = 0; k < t.modes; k++) square += t.informed[k] * t.informed[k];
  for (int i = 0; i < LG_N; i++) /* trace (I - Sigma / 9)^2 */
    for (int j = 0; j < LG_N; j++) {
      const double k = (i == j) - c.sigma[i][j] / 9;

      exact += k * k;
    }
  fm_near(square / exact, 1, 0.05);
  assert_true(isnan(t.ess_fraction)); /* no draws were asked for */
  close_case(&c, &t);
}

/* ESS fraction of weights where q's std is a factor s too large: (sqrt(2 - 1/s^2) / s)^n. */
static double exact_ess(double s, int n) { return pow(sqrt(2 - 1 / (s * s)) / s, n); }

static void table_of_the_method(void **state) {
  fm_near(exact_ess(0.97, 2), 0.997, 2e-3);
  fm_near(exact_ess(0.97, 16), 0.97, 2e-3);
  fm_near(exact_ess(0.97, 64), 0.89, 1e-2);
  fm_near(exact_ess(0.85, 16), 0.28, 5e-3);
}

static void wrong_std(double s) {
  const double d = LG_N * (s * s - 1) * (s * s - 1) / 2;
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, s, 0);
  t = trust_measure(&c.f, 2000, 16, 40000);
  assert_true(fabs(t.fisher - d) < 4 * t.fisher_se);
  assert_true(t.fisher_se < 0.05 * d);
  for (int i = 0; i < LG_N; i++) {
    assert_true(fabs(t.scale[i] - s * s) < 4.5 * t.scale_se[i]);
    assert_true(fabs(t.bias[i]) < 4.5 * t.bias_se[i]);
  }
  fm_near(fm_trust_mean_scale(&t, 0, LG_N), s * s, 0.05 * fabs(s * s - 1));
  assert_true(fm_trust_rms_bias(&t, 0, LG_N) < 0.02);
  fm_near(t.ess_fraction, exact_ess(s, LG_M), s == 0.85 ? 0.02 : 2e-3);
  close_case(&c, &t);
}

static void std_3_percent_wrong(void **state) {
  wrong_std(1.03);
  wrong_std(0.97);
}

static void std_15_percent_wrong(void **state) {
  wrong_std(1.15);
  wrong_std(0.85);
}

/* x = mu + R (z + delta): D = n delta^2 / 2, the same for every latent; E grad log p =
   -P R delta = -R^-T delta = -l^T delta in whitened units. */
static void shifted_mean(void **state) {
  const double delta = 0.5;
  double l[LG_N][LG_N];
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 1, delta);
  t = trust_measure(&c.f, 4000, 16, 20000);
  trust_root(&c, l);
  fm_near(t.fisher, LG_N * delta * delta / 2, 10 * ROUNDING);
  for (int i = 0; i < LG_N; i++) {
    double bias = 0, precision = 0;

    for (int k = i; k < LG_N; k++) {
      bias -= l[k][i] * delta;
      precision += l[k][i] * l[k][i];
    }
    fm_near(t.bias[i], bias / sqrt(precision), 0.05 * fabs(bias) / sqrt(precision));
    fm_near(t.scale[i], 1, 10 * ROUNDING);
  }
  assert_true(fm_trust_rms_bias(&t, 0, LG_N) > 0.3);
  /* weights of N(delta, 1) for N(0, 1): 1 / E w^2 = exp(-delta^2) a direction */
  fm_near(t.ess_fraction, exp(-LG_M * delta * delta), 0.05);
  close_case(&c, &t);
}

/* By the other route: d of the latent density, no score in x. */
static double fisher_by_latents(infer_fixture *f, int64_t count) {
  const fm_transport *t = f->transport;
  fm_real z[2], x[2], user[2], bar[2], minus = -1, logdet;
  double sum = 0, value;
  PetscBool ok;

  for (uint64_t s = 0; s < (uint64_t)count; s++) {
    const fm_lanes v = {.x = x, .condition = t->condition}, b = {.x = bar};

    fm_rng_normal((fm_rng){11, FM_STREAM_EVALUATE}, 0, s, 2, z);
    memcpy(x, z, sizeof(x));
    fm_ok(fm_flow_apply(t->flow, f->theta, FM_GENERATE, 1, v, v, (fm_logdet){&logdet, NULL}));
    for (int i = 0; i < 2; i++) user[i] = (fm_real)(t->x_mean[i] + t->x_std[i] * (double)x[i]);
    fm_ok(
        fm_target_evaluate(f->target, (fm_key){0, &s, NULL}, 1, user, &value, NULL, bar, &ok));
    assert_true(ok);
    for (int i = 0; i < 2; i++) bar[i] = (fm_real)((double)bar[i] * t->x_std[i]);
    fm_ok(fm_flow_vjp(t->flow, f->theta, FM_GENERATE, 1, v, b, (fm_logdet){&minus, NULL}, v, b,
                      NULL));
    for (int i = 0; i < 2; i++)
      sum += ((double)bar[i] - (double)z[i]) * ((double)bar[i] - (double)z[i]) / 2;
  }
  return sum / (double)count;
}

static void two_routes_to_the_divergence(void **state) {
  infer_fixture f;
  fm_trust t;
  double other;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 3, 8));
  infer_random_theta(&f, 4, 0.2);
  fm_ok(fm_transport_observe(f.transport, f.theta, f.target->y));
  t = trust_measure(&f, 100, 16, 200);
  other = fisher_by_latents(&f, 100);
  assert_true(other > 0.1);
  fm_near(t.fisher / other, 1, 1e3 * ROUNDING);
  assert_int_equal(t.modes, 2);
  assert_int_equal(t.bases, 1); /* nothing is held */
  fm_ok(fm_trust_clear(&t));
  infer_close(&f);
}

/* ---- the misfit ---- */

static double misfit(const trust_case *c, const double *x) {
  double sum = 0;

  for (int k = 0; k < LG_M; k++) {
    double r = -c->f.target->y[k];

    for (int i = 0; i < LG_N; i++) r += c->a[k][i] * x[i];
    sum += r * r / 0.2;
  }
  return sum;
}

/* 1/2 (chi^2(sample) - chi^2(mean)) = n_eff / 2. */
static void misfit_above_the_mean_model(void **state) {
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 1, 0);
  t = trust_measure(&c.f, 8000, 0, 0);
  fm_near(t.misfit - misfit(&c, c.mu), exact_n_eff(&c) / 2, 4 * sqrt(1.5 * LG_M / 8000.) / 3);
  fm_near(t.part_misfit[0], t.misfit, 1e-12);
  assert_int_equal(t.parts, 1);
  assert_int_equal(t.modes, 0);
  close_case(&c, &t);
}

/* y of a truth that the prior draws; the exact posterior of it. */
static void observe_truth(trust_case *c, uint64_t which, double *truth) {
  fm_real draw[LG_N + LG_M];

  fm_rng_normal((fm_rng){7, FM_STREAM_CHECK}, 0, which, LG_N + LG_M, draw);
  for (int i = 0; i < LG_N; i++) truth[i] = 3.14 + 3 * (double)draw[i];
  for (int k = 0; k < LG_M; k++) {
    c->f.target->y[k] = sqrt(0.1) * (double)draw[LG_N + k];
    for (int i = 0; i < LG_N; i++) c->f.target->y[k] += c->a[k][i] * truth[i];
  }
  for (int i = 0; i < LG_N; i++) {
    c->mu[i] = 0;
    for (int j = 0; j < LG_N; j++) {
      double b = 3.14 / 9;

      for (int k = 0; k < LG_M; k++) b += c->a[k][j] * c->f.target->y[k] / 0.1;
      c->mu[i] += c->sigma[i][j] * b;
    }
  }
  trust_set(c, 1, 0);
}

/* Given the data, truth and sample have one distribution: the mean excess is 0, its variance
   between n_eff / 2 and n_eff. */
static void truth_and_samples_fit_alike(void **state) {
  const int models = 400;
  double mean = 0, square = 0, truth[LG_N], variance;
  trust_case c;

  trust_open(&c, PETSC_COMM_SELF, 1);
  for (int k = 0; k < models; k++) {
    const fm_trust_inputs in = {(uint64_t)k, 200, 0, 0}; /* latents of its own */
    double excess;
    fm_trust t;

    observe_truth(&c, (uint64_t)k, truth);
    fm_ok(fm_trust_measure(c.f.target, c.f.transport, c.f.theta, &in, &t));
    excess = t.misfit - misfit(&c, truth);
    mean += excess / models;
    square += excess * excess / models;
    fm_ok(fm_trust_clear(&t));
  }
  variance = square - mean * mean;
  print_message("excess %.3f, variance %.3f of n_eff %.3f\n", mean, variance, exact_n_eff(&c));
  assert_true(fabs(mean) < 4 * sqrt(variance / models));
  assert_true(variance > 0.5 * exact_n_eff(&c) * 0.8 && variance < exact_n_eff(&c) * 1.2);
  infer_close(&c.f);
}

/* ---- failures, cost, arithmetic ---- */

static void failed_samples_are_left_out(void **state) {
  infer_fixture f;
  fm_trust t;

  infer_open(&f, &cliff, PETSC_COMM_SELF, 1, hint_spec(&cliff, 2, 8));
  t = trust_measure(&f, 300, 16, 300);
  assert_int_equal(t.count + t.failed, 300);
  assert_true(t.failed > 3 && t.count > 100 && t.failed_draws > 3);
  assert_true(isfinite(t.fisher) && isfinite(t.n_eff) && isfinite(t.misfit));
  assert_true(isfinite(t.bias[0]) && isfinite(t.scale[1]) && t.ess_fraction > 0);
  fm_ok(fm_trust_clear(&t));
  infer_close(&f);
}

static void solves_are_diagnostic(void **state) {
  fm_ledger ledger;
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 1, 0);
  t = trust_measure(&c.f, 40, 3, 130);
  fm_ok(fm_operator_ledger(c.f.target->op, &ledger));
  assert_int_equal(t.modes, 3);
  assert_int_equal(t.draws, 130); /* two bases of 65 */
  assert_int_equal(ledger.count[FM_DIAGNOSTIC][FM_SOLVE_F], 40 + 130);
  assert_int_equal(ledger.count[FM_DIAGNOSTIC][FM_SOLVE_JT], 40);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 0);
  close_case(&c, &t);
}

/* With fewer samples than unknowns the modes come from the samples' products: the same test. */
static void fewer_samples_than_unknowns(void **state) {
  trust_case c;
  fm_trust t;

  trust_open(&c, PETSC_COMM_SELF, 1);
  trust_set(&c, 0.85, 0);
  t = trust_measure(&c.f, 5, 16, 40000);
  assert_int_equal(t.modes, 4);
  fm_near(t.ess_fraction, exact_ess(0.85, 4), 0.02);
  close_case(&c, &t);
}

FM_TEST_MAIN(cmocka_unit_test(exact_posterior), cmocka_unit_test(informed_directions),
             cmocka_unit_test(table_of_the_method), cmocka_unit_test(std_3_percent_wrong),
             cmocka_unit_test(std_15_percent_wrong), cmocka_unit_test(shifted_mean),
             cmocka_unit_test(two_routes_to_the_divergence),
             cmocka_unit_test(misfit_above_the_mean_model),
             cmocka_unit_test(truth_and_samples_fit_alike),
             cmocka_unit_test(failed_samples_are_left_out),
             cmocka_unit_test(solves_are_diagnostic),
             cmocka_unit_test(fewer_samples_than_unknowns))
