/* The linear-Gaussian row with the dense triangular layer, trained by the library from
   scratch as jobs/linear_gaussian/triangular.yaml does: its KL in closed form, and the
   estimate beside it. */
#include "infer_cases.h"

#define STEPS 14000

typedef struct gaussian {
  double mean[LG_N], root[LG_N][LG_N]; /* x = mean + root z */
} gaussian;

/* The flow is affine: mean T(0), columns T(e_i) - T(0). */
static void gaussian_of_flow(infer_fixture *f, gaussian *g) {
  fm_real z[(LG_N + 1) * LG_N] = {0}, x[(LG_N + 1) * LG_N], logdet[LG_N + 1];

  for (int i = 0; i < LG_N; i++) z[(i + 1) * LG_N + i] = 1;
  fm_ok(fm_transport_generate(f->transport, f->theta, LG_N + 1, z, x, logdet));
  for (int k = 0; k < LG_N; k++) {
    g->mean[k] = (double)x[k];
    for (int i = 0; i < LG_N; i++) g->root[k][i] = (double)x[(i + 1) * LG_N + k] - (double)x[k];
  }
}

/* log|det| by Gaussian elimination; b [n][n] becomes a^-1 b. */
static double solve(double a[LG_N][LG_N], double b[LG_N][LG_N]) {
  double logdet = 0;

  for (int k = 0; k < LG_N; k++) {
    int pivot = k;

    for (int i = k; i < LG_N; i++)
      if (fabs(a[i][k]) > fabs(a[pivot][k])) pivot = i;
    for (int j = 0; j < LG_N; j++) {
      const double swap_a = a[k][j], swap_b = b[k][j];

      a[k][j] = a[pivot][j], a[pivot][j] = swap_a;
      b[k][j] = b[pivot][j], b[pivot][j] = swap_b;
    }
    logdet += log(fabs(a[k][k]));
    for (int i = 0; i < LG_N; i++) {
      const double factor = a[i][k] / a[k][k];

      if (i == k) continue;
      for (int j = 0; j < LG_N; j++) a[i][j] -= factor * a[k][j], b[i][j] -= factor * b[k][j];
    }
  }
  for (int i = 0; i < LG_N; i++)
    for (int j = 0; j < LG_N; j++) b[i][j] /= a[i][i];
  return logdet;
}

/* KL(N(m, R R^T) || N(mu, Sigma)) = 1/2 [tr(Sigma^-1 (R R^T + (m - mu)(m - mu)^T)) - n
   + log det Sigma] - log|det R|. */
static double closed_kl(const gaussian *g) {
  double mu[LG_N], sigma[LG_N][LG_N], second[LG_N][LG_N], root[LG_N][LG_N];
  double ignored[LG_N][LG_N] = {{0}}, trace = -LG_N;

  gold("mu", LG_N, mu);
  gold("Sigma", LG_N * LG_N, &sigma[0][0]);
  for (int i = 0; i < LG_N; i++)
    for (int j = 0; j < LG_N; j++) {
      second[i][j] = (g->mean[i] - mu[i]) * (g->mean[j] - mu[j]);
      for (int k = 0; k < LG_N; k++) second[i][j] += g->root[i][k] * g->root[j][k];
    }
  memcpy(root, g->root, sizeof(root));
  trace += solve(sigma, second);
  for (int i = 0; i < LG_N; i++) trace += second[i][i];
  return 0.5 * trace - solve(root, ignored);
}

static fm_diagnosis diagnose(infer_fixture *f, int64_t count) {
  double log_evidence;
  fm_diagnosis d;

  gold("log_evidence", 1, &log_evidence);
  fm_ok(fm_diagnose(f->target, f->transport, f->theta, 3, FM_STREAM_EVALUATE, count,
                    log_evidence, PETSC_FALSE, &d));
  fm_ok(fm_diagnosis_clear(&d));
  return d;
}

static void trained_from_scratch(void **state) {
  fm_trainer_inputs in;
  fm_trainer *t;
  infer_fixture f;
  gaussian g;
  double start, end;

  infer_open(&f, &linear_gaussian, PETSC_COMM_SELF, 1, triangular_spec(&linear_gaussian));
  fm_ok(fm_flow_initialize(f.transport->flow, (fm_rng){1, FM_STREAM_INITIAL}, f.theta));
  infer_posterior(&f, FM_ESTIMATOR_PATH, 0, 16);
  gaussian_of_flow(&f, &g);
  start = closed_kl(&g);
  in = infer_trainer_inputs(&f, 16);
  in.schedule = (fm_schedule){FM_DECAY_COSINE, 0.02, 1, 1e-3, STEPS, 16, 0};
  in.clip = 0;
  t = infer_trainer(&in, f.theta);
  infer_steps(t, STEPS);
  memcpy(f.theta, t->theta, (size_t)f.size * sizeof(*f.theta));
  gaussian_of_flow(&f, &g);
  end = closed_kl(&g);
  print_message("closed-form KL %.6g -> %.3g nats\n", start, end);
  assert_true(start > 1);
  assert_true(end <= 1e-3 && end > -1e-5);
  fm_near(diagnose(&f, 500).kl, end, 1e-3);
  assert_int_equal(t->ledger[FM_SOLVE_F], STEPS * 16);
  assert_int_equal(t->ledger[FM_SOLVE_JT], STEPS * 16);
  assert_int_equal(t->ledger[FM_SOLVE_J], 0);
  fm_ok(fm_trainer_destroy(&t));
  infer_close(&f);
}

/* Thirty random Gaussians: the estimate is the closed form within 4 standard errors, and never
   below -4 of them. */
static void estimate_is_the_closed_form(void **state) {
  infer_fixture f;

  infer_open(&f, &linear_gaussian, PETSC_COMM_SELF, 1, triangular_spec(&linear_gaussian));
  for (uint64_t seed = 1; seed <= 30; seed++) {
    fm_diagnosis d;
    gaussian g;
    double kl;

    infer_random_theta(&f, seed, 0.02 * (double)seed);
    gaussian_of_flow(&f, &g);
    kl = closed_kl(&g);
    d = diagnose(&f, 400);
    if (!(fabs(d.kl - kl) <= 4 * d.kl_se && d.kl >= -4 * d.kl_se && d.kl_se < 0.3 * kl))
      fail_msg("theta %d: KL %.6g +- %.3g, closed form %.6g", (int)seed, d.kl, d.kl_se, kl);
  }
  infer_close(&f);
}

FM_TEST_MAIN(cmocka_unit_test(trained_from_scratch),
             cmocka_unit_test(estimate_is_the_closed_form))
