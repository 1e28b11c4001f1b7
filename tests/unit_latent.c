/* The latent correction x = T0(s z + b), and tempering: gradients against differences, the
   linear-Gaussian row where the exact correction is known, and what a checkpoint keeps. */
#include "fathom/checkpoint.h"
#include "infer_cases.h"
#include "io_test.h"

#define SAMPLES 32

static const double tight = sizeof(fm_real) == 4 ? 2e-3 : 1e-10;

/* theta of a correction, somewhere. */
static void open_latent(infer_fixture *f, const infer_problem *p, fm_flow_spec spec) {
  fm_real *correction;
  const int64_t n = p->n;

  infer_open(f, p, PETSC_COMM_SELF, 1, spec);
  fm_ok(fm_calloc(2 * n, &correction));
  fm_ok(fm_transport_freeze(f->transport, f->theta, correction));
  for (int64_t i = 0; i < n; i++) {
    assert_true(correction[i] == 0 && correction[n + i] == 0);
    correction[i] = (fm_real)(0.2 * sin(1. + (double)i));
    correction[n + i] = (fm_real)(0.3 * cos(2. + (double)i));
  }
  fm_ok(PetscFree(f->theta));
  f->theta = correction;
  f->size = fm_transport_layout(f->transport)->size;
  assert_int_equal(f->size, 2 * n);
  fm_ok(fm_share_destroy(&f->share));
  fm_ok(fm_share_create(f->size, &f->share));
}

/* ---- gradients ---- */

static double objective_at(infer_fixture *f, int64_t step) {
  infer_add(f, f->theta, step, 0, 6);
  return fm_share_term(f->share, FM_TERM_OBJECTIVE);
}

/* Every entry of the step's gradient is met by one of three five-point differences: ReLUs have
   corners. */
static void check_gradient(infer_fixture *f, int64_t step) {
  static const double steps[2][3] = {{2e-3, 2e-4, 2e-5}, {3e-2, 1e-2, 3e-3}};
  static const double weight[4] = {1, -8, 8, -1};
  const double tolerance = sizeof(fm_real) == 4 ? 1e-2 : 2e-7;
  double most = 0;

  infer_add(f, f->theta, step, 0, 6);
  fm_ok(fm_share_gradient(f->share, 1, f->grad));
  for (int64_t i = 0; i < f->size; i++) most = fmax(most, fabs((double)f->grad[i]));
  for (int64_t i = 0; i < f->size; i++) {
    const fm_real at = f->theta[i];
    double best = INFINITY;

    for (int h = 0; h < 3; h++) {
      double sum = 0;

      for (int k = 0; k < 4; k++) {
        const double move = steps[sizeof(fm_real) == 4][h] * (k < 2 ? k - 2 : k - 1);

        f->theta[i] = (fm_real)((double)at + move);
        sum += weight[k] * objective_at(f, step);
      }
      f->theta[i] = at;
      sum /= 12 * steps[sizeof(fm_real) == 4][h];
      best = fmin(best, fabs(sum - (double)f->grad[i]));
    }
    assert_true(f->grad[i] != 0);
    if (!(best <= tolerance * most))
      fail_msg("theta %d: gradient %.9g is off by %.3g", (int)i, (double)f->grad[i], best);
  }
}

static void gradient_of_the_correction(void **state) {
  infer_fixture f;

  open_latent(&f, &toy, hint_spec(&toy, 2, 8));
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 16);
  check_gradient(&f, 3);
  infer_close(&f);
}

static void tempered_gradient(void **state) {
  infer_fixture f;

  open_latent(&f, &toy, hint_spec(&toy, 2, 8));
  f.tempering = (fm_tempering){50, 8};
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 16);
  check_gradient(&f, 2);
  infer_close(&f);
}

/* Means over many samples of the two estimators. */
static void estimators_agree(void **state) {
  const int64_t batches = 400;
  double mean[2][4] = {{0}}, square[2][4] = {{0}};
  infer_fixture f;

  open_latent(&f, &toy, hint_spec(&toy, 2, 8));
  for (int e = 0; e < 2; e++) {
    infer_posterior(&f, e ? FM_ESTIMATOR_PATH : FM_ESTIMATOR_TOTAL, 0, 16);
    for (int64_t step = 0; step < batches; step++) {
      fm_share_begin(f.share, FM_SHARE_WINDOW);
      fm_ok(fm_objective_add(f.objective, f.theta, step, 0, 16, f.share));
      fm_ok(fm_share_gradient(f.share, 1. / 16, f.grad));
      for (int i = 0; i < 4; i++) {
        mean[e][i] += (double)f.grad[i] / (double)batches;
        square[e][i] += (double)f.grad[i] * (double)f.grad[i] / (double)batches;
      }
    }
  }
  for (int i = 0; i < 4; i++) {
    const double a = square[0][i] - mean[0][i] * mean[0][i];
    const double b = square[1][i] - mean[1][i] * mean[1][i];

    assert_true(fabs(mean[0][i] - mean[1][i]) <= 4 * sqrt((a + b) / (double)batches));
  }
  infer_close(&f);
}

/* ---- the linear-Gaussian row ---- */

static double wrong_scale(int i) { return 0.6 + 0.1 * i; }
static double wrong_shift(int i) { return 0.5 * cos(1. * i); }

/* z = C^-1 (x - mu) is exact; the flow gets v = (z - shift) / scale instead, so that
   s = 1/scale and b = -shift/scale correct it exactly. */
static void set_wrong(const infer_problem *p, fm_real *theta) {
  double mu[LG_N], c[LG_N][LG_N], inverse[LG_N][LG_N];
  fm_real *diagonal = theta, *shift = theta + LG_N, *lower = theta + 2 * LG_N;

  gold("mu", LG_N, mu);
  gold("Sigma", LG_N * LG_N, &c[0][0]);
  lg_factorize(c, inverse);
  for (int i = 0; i < LG_N; i++) {
    const double d = wrong_scale(i);
    double b = -wrong_shift(i);

    for (int j = 0; j <= i; j++) b += inverse[i][j] * (p->mean[j] - mu[j]);
    for (int j = 0; j < i; j++) *lower++ = (fm_real)(inverse[i][j] * p->std[j] / d);
    shift[i] = (fm_real)(b / d);
    diagonal[i] = (fm_real)log(inverse[i][i] * p->std[i] / d);
  }
}

static void open_wrong(infer_fixture *f) {
  fm_real weights[LG_N * (LG_N + 5) / 2];

  open_latent(f, &linear_gaussian, triangular_spec(&linear_gaussian));
  set_wrong(f->p, weights);
  assert_int_equal(fm_flow_layout(f->transport->flow)->size, 2 * LG_N + LG_N * (LG_N - 1) / 2);
  fm_ok(fm_transport_freeze(f->transport, weights, f->theta));
}

static void set_exact(infer_fixture *f) {
  for (int i = 0; i < LG_N; i++) {
    f->theta[i] = (fm_real)-log(wrong_scale(i));
    f->theta[LG_N + i] = (fm_real)(-wrong_shift(i) / wrong_scale(i));
  }
}

static double kl_of(infer_fixture *f, double *se) {
  double log_evidence;
  fm_diagnosis d;

  gold("log_evidence", 1, &log_evidence);
  fm_ok(fm_diagnose(f->target, f->transport, f->theta, 3, FM_STREAM_EVALUATE, 400, log_evidence,
                    PETSC_FALSE, &d));
  fm_ok(fm_diagnosis_clear(&d));
  *se = d.kl_se;
  return d.kl;
}

/* KL of the wrong flow, which gives z the law N(shift, scale^2) in the place of N(0, 1). */
static double wrong_kl(void) {
  double sum = 0;

  for (int i = 0; i < LG_N; i++) {
    const double d = wrong_scale(i), e = wrong_shift(i);

    sum += (d * d + e * e - 1) / 2 - log(d);
  }
  return sum;
}

static void path_gradient_vanishes_at_the_optimum(void **state) {
  infer_fixture f;
  double se;

  open_wrong(&f);
  infer_posterior(&f, FM_ESTIMATOR_PATH, 0, SAMPLES);
  set_exact(&f);
  fm_near(kl_of(&f, &se), 0, sizeof(fm_real) == 4 ? 5e-4 : 1e-10);
  for (int64_t s = 0; s < SAMPLES; s++) {
    infer_add(&f, f.theta, 2, s, 1);
    fm_ok(fm_share_gradient(f.share, 1, f.grad));
    for (int64_t i = 0; i < f.size; i++) fm_near(f.grad[i], 0, tight);
  }
  f.theta[3] += (fm_real)0.01;
  infer_add(&f, f.theta, 2, 0, SAMPLES);
  fm_ok(fm_share_gradient(f.share, 1, f.grad));
  assert_true(fabs((double)f.grad[3]) > 5e-3 * SAMPLES);
  infer_close(&f);
}

static void corrects_a_wrong_flow(void **state) {
  fm_trainer_inputs in;
  infer_fixture f;
  fm_trainer *t;
  double se, kl;

  open_wrong(&f);
  memset(f.theta, 0, 2 * LG_N * sizeof(*f.theta));
  kl = kl_of(&f, &se);
  assert_true(fabs(kl - wrong_kl()) <= 4 * se && wrong_kl() > 1);
  infer_posterior(&f, FM_ESTIMATOR_PATH, 0, 16);
  in = infer_trainer_inputs(&f, 16);
  in.schedule = (fm_schedule){FM_DECAY_COSINE, 0.05, 1, 1e-3, 1500, 16, 0};
  in.clip = 0;
  t = infer_trainer(&in, f.theta);
  assert_int_equal(t->layout->size, 2 * LG_N);
  assert_non_null(fm_layout_find(t->layout, "latent.log_scale"));
  assert_non_null(fm_layout_find(t->layout, "latent.shift"));
  infer_steps(t, 1500);
  memcpy(f.theta, t->theta, (size_t)f.size * sizeof(*f.theta));
  fm_near(kl_of(&f, &se), 0, 1e-4);
  for (int i = 0; i < LG_N; i++) {
    fm_near(f.theta[i], -log(wrong_scale(i)), 2e-3);
    fm_near(f.theta[LG_N + i], -wrong_shift(i) / wrong_scale(i), 5e-3);
  }
  fm_ok(fm_trainer_destroy(&t));
  infer_close(&f);
}

/* ---- log q and its gradient ---- */

static void score_is_the_gradient_of_log_q(void **state) {
  const double h = sizeof(fm_real) == 4 ? 2e-2 : 1e-4;
  fm_real z[2] = {(fm_real)0.4, (fm_real)-0.7}, x[2], logdet, logq, score[2];
  infer_fixture f;

  open_latent(&f, &toy, hint_spec(&toy, 2, 8));
  fm_ok(fm_transport_generate(f.transport, f.theta, 1, z, x, &logdet));
  fm_ok(fm_transport_score(f.transport, f.theta, 1, x, &logq, score));
  fm_near(logq, fm_log_normal(2, z) - (double)logdet, sizeof(fm_real) == 4 ? 1e-4 : 1e-10);
  for (int i = 0; i < 2; i++) {
    double sum = 0;

    for (int k = -1; k < 2; k += 2) {
      fm_real there[2] = {x[0], x[1]};

      there[i] += (fm_real)(k * h);
      fm_ok(fm_transport_score(f.transport, f.theta, 1, there, &logq, NULL));
      sum += k * (double)logq / (2 * h);
    }
    fm_near(sum, score[i], sizeof(fm_real) == 4 ? 3e-2 : 1e-6);
  }
  infer_close(&f);
}

/* ---- tempering ---- */

static void temperatures_are_geometric(void **state) {
  fm_examined plain, hot;
  infer_fixture f;
  double kl[2];

  open_latent(&f, &toy, hint_spec(&toy, 2, 8));
  for (int hotter = 0; hotter < 2; hotter++) {
    f.tempering = (fm_tempering){hotter ? 100. : 1., 10};
    infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 16);
    infer_add(&f, f.theta, 5, 0, 8);
    kl[hotter] = fm_share_term(f.share, FM_TERM_KL);
    fm_ok(fm_posterior_examine(f.objective, f.theta, 5, 1, hotter ? &hot : &plain));
    if (!hotter) assert_true(fm_objective_temperature(f.objective, 5) == 1.);
  }
  assert_true(kl[0] == kl[1]); /* -ELBO is of the posterior itself */
  fm_near(fm_objective_temperature(f.objective, 0), 100, 1e-9);
  fm_near(fm_objective_temperature(f.objective, 5), 10, 1e-9);
  assert_true(fm_objective_temperature(f.objective, 10) == 1.);
  assert_true(fm_objective_temperature(f.objective, 99) == 1.);
  assert_true(hot.part[0] == plain.part[0] && hot.part[1] == plain.part[1]);
  infer_close(&f);
}

/* ---- checkpoints ---- */

static fm_trainer *open_run(infer_fixture *f) {
  fm_trainer_inputs in;

  open_latent(f, &toy, hint_spec(&toy, 2, 8));
  f->tempering = (fm_tempering){20, 9};
  infer_posterior(f, FM_ESTIMATOR_PATH, 0, 10);
  in = infer_trainer_inputs(f, 4);
  return infer_trainer(&in, f->theta);
}

static void stopped_and_resumed(void **state) {
  infer_fixture f, g;
  fm_trainer *a, *b;

  a = open_run(&f);
  infer_steps(a, 7);
  fm_ok(fm_checkpoint_save(a, in_folder("latent.h5"), &(fm_keep){.files = 2}));
  b = open_run(&g);
  g.transport->frozen[0] += 1; /* which the checkpoint knows better */
  fm_ok(fm_checkpoint_resume(b, in_folder("latent.h5")));
  same_trainer(a, b);
  infer_steps(a, 5);
  infer_steps(b, 5);
  same_trainer(a, b);
  assert_int_equal(fm_history_find(a->history, "temperature")->n, 12);
  fm_near(fm_history_find(a->history, "temperature")->value[0], 20, 1e-9);
  fm_near(fm_history_last(a->history, "temperature"), 1, 0);
  fm_ok(fm_trainer_destroy(&a));
  fm_ok(fm_trainer_destroy(&b));
  infer_close(&f);
  infer_close(&g);
}

static void same_map(fm_transport *t, const fm_real *theta, fm_transport *other,
                     const fm_real *its) {
  const fm_real z[4] = {1, (fm_real)-0.5, 0, 2};
  fm_real x[2][4], logdet[2][2];

  fm_ok(fm_transport_generate(t, theta, 2, z, x[0], logdet[0]));
  fm_ok(fm_transport_generate(other, its, 2, z, x[1], logdet[1]));
  assert_memory_equal(x[0], x[1], sizeof(x[0]));
  assert_memory_equal(logdet[0], logdet[1], sizeof(logdet[0]));
}

/* Loaded it is the same map; trained on as a flow it keeps the correction, and that comes back,
   too; as weights alone it is refused. */
static void the_correction_is_never_lost(void **state) {
  fm_trainer_inputs in;
  fm_transport *loaded, *again;
  fm_real *theta, *weights;
  infer_fixture f;
  fm_trainer *t;

  t = open_run(&f);
  infer_steps(t, 5);
  fm_ok(fm_checkpoint_save(t, in_folder("latent.h5"), &(fm_keep){.files = 2}));
  fm_ok(fm_checkpoint_load(PETSC_COMM_SELF, in_folder("latent.h5"), FM_WEIGHTS_LAST, &loaded,
                           &theta));
  assert_int_equal(loaded->train, FM_TRAIN_XLANE);
  same_map(f.transport, t->theta, loaded, theta);
  fm_ok(fm_trainer_destroy(&t));
  fm_ok(fm_objective_destroy(&f.objective));
  fm_ok(fm_transport_destroy(&f.transport));
  f.transport = loaded;
  infer_posterior(&f, FM_ESTIMATOR_PATH, 0, 10);
  in = infer_trainer_inputs(&f, 4);
  t = infer_trainer(&in, theta);
  assert_int_equal(t->layout->size, fm_flow_layout(loaded->flow)->size);
  infer_steps(t, 3);
  fm_ok(fm_checkpoint_save(t, in_folder("flow.h5"), &(fm_keep){.files = 2}));
  fm_ok(fm_checkpoint_load(PETSC_COMM_SELF, in_folder("flow.h5"), FM_WEIGHTS_LAST, &again,
                           &weights));
  assert_non_null(again->latent);
  same_map(loaded, t->theta, again, weights);
  for (int k = 0; k < 2; k++) {
    fm_expect_error(
        fm_checkpoint_warm_start(PETSC_COMM_SELF, in_folder(k ? "flow.h5" : "latent.h5"),
                                 FM_WEIGHTS_LAST, fm_flow_layout(again->flow), weights),
        "has a latent correction");
  }
  fm_ok(PetscFree(theta));
  fm_ok(PetscFree(weights));
  fm_ok(fm_transport_destroy(&again));
  fm_ok(fm_trainer_destroy(&t));
  infer_close(&f);
}

FM_TEST_MAIN(cmocka_unit_test(gradient_of_the_correction), cmocka_unit_test(tempered_gradient),
             cmocka_unit_test(estimators_agree),
             cmocka_unit_test(path_gradient_vanishes_at_the_optimum),
             cmocka_unit_test(corrects_a_wrong_flow),
             cmocka_unit_test(score_is_the_gradient_of_log_q),
             cmocka_unit_test(temperatures_are_geometric), io_test(stopped_and_resumed),
             io_test(the_correction_is_never_lost))
