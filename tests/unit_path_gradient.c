/* Where q is the posterior exactly, every sample's path gradient vanishes and its KL is 0: a
   dense triangular layer on the linear-Gaussian row. Source: Roeder, Wu, Duvenaud (2017). */
#include "infer_cases.h"

#define SAMPLES 64

static const double tight = sizeof(fm_real) == 4 ? 2e-3 : 1e-10;

/* z = C^-1 (x - mu) with x = mean + std x_w, written as L x_w + b. */
static void set_exact(infer_fixture *f) {
  double mu[LG_N], c[LG_N][LG_N], inverse[LG_N][LG_N];
  fm_real *diagonal = f->theta, *shift = f->theta + LG_N, *lower = f->theta + 2 * LG_N;

  gold("mu", LG_N, mu);
  gold("Sigma", LG_N * LG_N, &c[0][0]);
  lg_factorize(c, inverse);
  for (int i = 0; i < LG_N; i++) {
    double b = 0;

    for (int j = 0; j <= i; j++) b += inverse[i][j] * (f->p->mean[j] - mu[j]);
    for (int j = 0; j < i; j++) *lower++ = (fm_real)(inverse[i][j] * f->p->std[j]);
    shift[i] = (fm_real)b;
    diagonal[i] = (fm_real)log(inverse[i][i] * f->p->std[i]);
  }
}

static void open_exact(infer_fixture *f, fm_estimator estimator) {
  infer_open(f, &linear_gaussian, PETSC_COMM_SELF, 1, triangular_spec(&linear_gaussian));
  set_exact(f);
  infer_posterior(f, estimator, 0, SAMPLES);
}

/* Largest entry of one sample's gradient. */
static double gradient_of(infer_fixture *f, int64_t sample) {
  double most = 0;

  infer_add(f, f->theta, 2, sample, 1);
  fm_ok(fm_share_gradient(f->share, 1, f->grad));
  for (int64_t i = 0; i < f->size; i++) most = fmax(most, fabs((double)f->grad[i]));
  return most;
}

static void every_path_gradient_vanishes(void **state) {
  infer_fixture f;

  open_exact(&f, FM_ESTIMATOR_PATH);
  for (int64_t s = 0; s < SAMPLES; s++) {
    const double most = gradient_of(&f, s);

    if (!(most < tight)) fail_msg("sample %d: %.3g", (int)s, most);
  }
  infer_add(&f, f.theta, 2, 0, SAMPLES); /* and of a whole micro-batch */
  fm_ok(fm_share_gradient(f.share, 1, f.grad));
  for (int64_t i = 0; i < f.size; i++) fm_near(f.grad[i], 0, SAMPLES * tight);
  infer_close(&f);
}

/* The same samples, the other estimator: of mean zero, but not of variance zero. */
static void total_gradients_have_variance(void **state) {
  infer_fixture f;
  int large = 0;

  open_exact(&f, FM_ESTIMATOR_TOTAL);
  for (int64_t s = 0; s < SAMPLES; s++) large += gradient_of(&f, s) > 0.5;
  assert_true(large > SAMPLES / 2);
  infer_close(&f);
}

/* A theta beside the exact one: the path gradient sees it. */
static void path_gradients_see_a_shift(void **state) {
  infer_fixture f;

  open_exact(&f, FM_ESTIMATOR_PATH);
  f.theta[LG_N + 3] += (fm_real)0.01;
  for (int64_t s = 0; s < SAMPLES; s++) assert_true(gradient_of(&f, s) > 5e-3);
  infer_close(&f);
}

static void every_sample_has_kl_zero(void **state) {
  double log_evidence;
  infer_fixture f;

  open_exact(&f, FM_ESTIMATOR_PATH);
  gold("log_evidence", 1, &log_evidence);
  for (int64_t s = 0; s < SAMPLES; s++) {
    infer_add(&f, f.theta, 2, s, 1);
    fm_near(fm_share_term(f.share, FM_TERM_KL) + log_evidence, 0,
            sizeof(fm_real) == 4 ? 2e-4 : 1e-10);
  }
  infer_close(&f);
}

static void diagnosis_of_the_exact_flow(void **state) {
  const double loose = sizeof(fm_real) == 4 ? 2e-4 : 1e-10;
  double log_evidence;
  fm_ledger ledger;
  fm_diagnosis d;
  infer_fixture f;

  open_exact(&f, FM_ESTIMATOR_PATH);
  gold("log_evidence", 1, &log_evidence);
  fm_ok(fm_diagnose(f.target, f.transport, f.theta, 9, FM_STREAM_EVALUATE, 200, log_evidence,
                    PETSC_FALSE, &d));
  fm_ok(fm_operator_ledger(f.target->op, &ledger));
  assert_int_equal(ledger.count[FM_DIAGNOSTIC][FM_SOLVE_F], 200);
  assert_int_equal(ledger.count[FM_DIAGNOSTIC][FM_SOLVE_JT], 0);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 0);
  assert_int_equal(d.count, 200);
  assert_int_equal(d.failed, 0);
  assert_null(d.x);
  fm_near(d.kl, 0, loose);
  fm_near(d.kl_se, 0, loose);
  fm_near(d.ess_fraction, 1, loose);
  fm_near(d.log_evidence, log_evidence, loose);
  assert_true(d.objective_se > 0.05); /* the objective's constant entropy has noise */
  fm_ok(fm_diagnosis_clear(&d));
  infer_close(&f);
}

FM_TEST_MAIN(cmocka_unit_test(every_path_gradient_vanishes),
             cmocka_unit_test(total_gradients_have_variance),
             cmocka_unit_test(path_gradients_see_a_shift),
             cmocka_unit_test(every_sample_has_kl_zero),
             cmocka_unit_test(diagnosis_of_the_exact_flow))
