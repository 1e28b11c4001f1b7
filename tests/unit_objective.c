/* The two objectives: gradients against differences, both estimators against each other, failed
   samples, and the KL estimate. */
#include "infer_cases.h"
#include "io_test.h"
static const double loose = sizeof(fm_real) == 4 ? 2e-4 : 1e-10;

/* ---- gradients ---- */

static double objective_at(infer_fixture *f, const fm_real *theta, int64_t count) {
  infer_add(f, theta, 3, 0, count);
  return fm_share_term(f->share, FM_TERM_OBJECTIVE);
}

/* Five-point difference in theta_i. */
static double difference(infer_fixture *f, int64_t i, double h, int64_t count) {
  const fm_real at = f->theta[i];
  const double weight[4] = {1, -8, 8, -1};
  double sum = 0;

  for (int k = 0; k < 4; k++) {
    f->theta[i] = (fm_real)((double)at + h * (k < 2 ? k - 2 : k - 1));
    sum += weight[k] * objective_at(f, f->theta, count);
  }
  f->theta[i] = at;
  return sum / (12 * h);
}

/* Each entry must be met by one of three steps: the ReLUs have corners, and a step across one
   of them says nothing. Returns the number of entries that are not 0. */
static int64_t check_gradient(infer_fixture *f, int64_t count) {
  static const double step[2][3] = {{2e-4, 2e-5, 2e-6}, {3e-3, 1e-3, 3e-4}};
  const double tolerance = sizeof(fm_real) == 4 ? 2e-2 : 2e-7;
  int64_t moving = 0;
  double most = 0;

  infer_add(f, f->theta, 3, 0, count);
  fm_ok(fm_share_gradient(f->share, 1, f->grad));
  for (int64_t i = 0; i < f->size; i++) most = fmax(most, fabs((double)f->grad[i]));
  for (int64_t i = 0; i < f->size; i++) {
    double best = INFINITY;

    for (int k = 0; k < 3 && !(best < tolerance * most); k++) {
      const double d = difference(f, i, step[sizeof(fm_real) == 4][k], count);

      best = fmin(best, fabs(d - (double)f->grad[i]));
    }
    if (!(best <= tolerance * most))
      fail_msg("theta %d: gradient %.9g is off by %.3g, largest %.3g", (int)i,
               (double)f->grad[i], best, most);
    moving += f->grad[i] != 0;
  }
  return moving;
}

static int64_t lane_size(const infer_fixture *f, fm_lane lane) {
  const fm_layout *layout = fm_flow_layout(f->transport->flow);
  int64_t size = 0;

  for (int64_t k = 0; k < layout->ntensor; k++)
    size += layout->tensor[k].lane == lane ? layout->tensor[k].size : 0;
  return size;
}

/* The x lane alone: the y lane's gradient is exactly 0. */
static void posterior_gradient_of_the_x_lane(void **state) {
  const fm_layout *layout;
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 2, 8));
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 16);
  assert_true(check_gradient(&f, 6) > lane_size(&f, FM_LANE_X) / 2);
  infer_add(&f, f.theta, 3, 0, 6);
  fm_ok(fm_share_gradient(f.share, 1, f.grad));
  layout = fm_flow_layout(f.transport->flow);
  for (int64_t k = 0; k < layout->ntensor; k++)
    for (int64_t i = 0; i < layout->tensor[k].size; i++)
      if (layout->tensor[k].lane == FM_LANE_Y)
        assert_true(f.grad[layout->tensor[k].offset + i] == 0);
  infer_close(&f);
}

/* Both lanes, at a fixed z_y. */
static void posterior_gradient_of_all(void **state) {
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 2, 8));
  f.transport->train = FM_TRAIN_ALL;
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 16, 8); /* a fixed set: the other way to draw */
  assert_true(check_gradient(&f, 6) > lane_size(&f, FM_LANE_X) / 2 + 20);
  infer_close(&f);
}

typedef struct pairs_fixture {
  infer_fixture f;
  fm_dataset *data;
  int64_t row[40];
} pairs_fixture;

static void open_pairs(pairs_fixture *p, int64_t nrow) {
  infer_open(&p->f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 2, 8));
  infer_write_pairs(PETSC_COMM_SELF, in_folder("pairs.h5"), 40);
  fm_ok(fm_dataset_open(PETSC_COMM_SELF, in_folder("pairs.h5"), &p->data));
  for (int k = 0; k < 40; k++) p->row[k] = (7 * k + 3) % 40;
  const fm_pairs_inputs in = {p->f.transport, p->data, nrow, p->row, 5, 16};
  fm_ok(fm_pairs_create(&in, &p->f.objective));
}

static void close_pairs(pairs_fixture *p) {
  fm_ok(fm_dataset_close(&p->data));
  infer_close(&p->f);
}

static void pairs_gradient(void **state) {
  pairs_fixture p;

  open_pairs(&p, 40);
  assert_true(check_gradient(&p.f, 6) > p.f.size / 2);
  close_pairs(&p);
}

/* The sum of an epoch's terms is the loss over the same rows; a short last batch is short. */
static void an_epoch_is_the_loss(void **state) {
  double sum = 0, nll, se, nll_y;
  pairs_fixture p;

  open_pairs(&p, 37);
  assert_int_equal(fm_objective_steps_per_epoch(p.f.objective), 3);
  for (int step = 3; step < 6; step++) {
    const int64_t batch = fm_objective_batch(p.f.objective, step);

    assert_int_equal(batch, step < 5 ? 16 : 5);
    infer_add(&p.f, p.f.theta, step, 0, batch);
    assert_int_equal(fm_share_count(p.f.share, FM_COUNT_KEPT), batch);
    sum += fm_share_term(p.f.share, FM_TERM_OBJECTIVE);
  }
  fm_ok(
      fm_pairs_loss(&p.f.comm, p.f.transport, p.f.theta, p.data, 37, p.row, &nll, &se, &nll_y));
  fm_near(nll, sum / 37, loose);
  assert_true(nll_y < nll && nll_y > 0 && se > 0 && se < nll);
  p.f.theta[0] = (fm_real)NAN; /* no loss is better than one that is not finite */
  fm_ok(
      fm_pairs_loss(&p.f.comm, p.f.transport, p.f.theta, p.data, 37, p.row, &nll, &se, &nll_y));
  assert_true(isinf(nll) && nll > 0 && isinf(se) && isinf(nll_y));
  close_pairs(&p);
}

/* Where the flow is the identity the loss is that of independent Gaussians, in the user's
   units. */
static void normalisers_of_the_loss(void **state) {
  const double mean[] = {0.5, -1}, std[] = {2, 0.3}, y_mean[] = {1, 0.2}, y_std[] = {0.7, 3};
  double nll, se, nll_y, sum = 0, sum_y = 0;
  fm_flow_spec spec = triangular_spec(&toy);
  fm_transport *t;
  pairs_fixture p;

  open_pairs(&p, 40);
  spec.y = fm_shape_vector(2);
  fm_ok(fm_transport_create(&spec, &t));
  fm_ok(fm_transport_whiten(t, mean, std, y_mean, y_std));
  memset(p.f.theta, 0, (size_t)p.f.size * sizeof(fm_real));
  for (int64_t k = 0; k < 40; k++) {
    fm_real x[2], y[2];

    fm_ok(fm_dataset_rows(p.data, 1, &k, x, y));
    for (int i = 0; i < 2; i++) {
      sum += pow(((double)x[i] - mean[i]) / std[i], 2) / 2 + log(std[i]);
      sum_y += pow(((double)y[i] - y_mean[i]) / y_std[i], 2) / 2 + log(y_std[i]);
    }
  }
  fm_ok(fm_pairs_loss(&p.f.comm, t, p.f.theta, p.data, 40, p.row, &nll, &se, &nll_y));
  fm_near(nll_y, sum_y / 40 + log(2 * PETSC_PI), loose);
  fm_near(nll, (sum + sum_y) / 40 + 2 * log(2 * PETSC_PI), loose);
  fm_ok(fm_transport_destroy(&t));
  close_pairs(&p);
}

/* ---- total and path ---- */

#define LATENTS 1500

/* Per sample total - path is the score of q in theta at x, of mean zero: at each entry. */
static void compare_estimators(fm_trained train, uint64_t seed) {
  infer_fixture f[2];
  double *sum, *square, most = 0;
  int64_t noisy = 0;

  for (int e = 0; e < 2; e++) {
    infer_open(&f[e], &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 2, 8));
    infer_random_theta(&f[e], seed, 0.1);
    fm_ok(fm_transport_observe(f[e].transport, f[e].theta, f[e].target->y));
    f[e].transport->train = train;
    infer_posterior(&f[e], (fm_estimator)e, 0, LATENTS);
  }
  fm_ok(PetscCalloc2(f[0].size, &sum, f[0].size, &square));
  for (int64_t s = 0; s < LATENTS; s++) {
    for (int e = 0; e < 2; e++) infer_add(&f[e], f[e].theta, 0, s, 1);
    for (int e = 0; e < 2; e++) fm_ok(fm_share_gradient(f[e].share, 1, f[e].grad));
    for (int64_t i = 0; i < f[0].size; i++) {
      const double d = (double)f[0].grad[i] - (double)f[1].grad[i];

      sum[i] += d / LATENTS;
      square[i] += d * d / LATENTS;
    }
  }
  for (int64_t i = 0; i < f[0].size; i++) {
    const double se = sqrt((square[i] - sum[i] * sum[i]) / LATENTS);

    noisy += se > 1e-4;
    if (se > 1e-6) most = fmax(most, fabs(sum[i]) / se);
  }
  print_message("largest difference of %d entries: %.2f standard errors\n", (int)noisy, most);
  assert_true(noisy > f[0].size / 4);
  assert_true(most < 4);
  fm_ok(PetscFree2(sum, square));
  for (int e = 0; e < 2; e++) infer_close(&f[e]);
}

static void estimators_agree_on_the_x_lane(void **state) {
  compare_estimators(FM_TRAIN_XLANE, 1);
}

static void estimators_agree_on_all(void **state) { compare_estimators(FM_TRAIN_ALL, 2); }

static void path_needs_fresh_latents(void **state) {
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 1, 4));
  const fm_posterior_inputs in = {.estimator = FM_ESTIMATOR_PATH, .latents = 100};
  fm_expect_error(fm_posterior_create(&in, &f.objective), "-latents 100 with -estimator path");
  infer_close(&f);
}

/* ---- samples that fail ---- */

/* J of one kept sample of the cliff, written down anew. */
static double cliff_objective(const fm_real *x, double logdet) {
  double sum = -logdet;

  for (int i = 0; i < 2; i++)
    sum += 50.5 * (double)x[i] * (double)x[i] + log(2 * PETSC_PI) + 307 * log(10.);
  return sum;
}

static void leave_out_failed(fm_estimator estimator) {
  const int64_t batch = 64;
  int64_t kept = 0;
  double sum = 0;
  infer_fixture f;
  fm_real *whole;

  infer_open(&f, &cliff, PETSC_COMM_SELF, 1, hint_spec(&cliff, 1, 4));
  infer_posterior(&f, estimator, 0, batch);
  fm_ok(fm_calloc(f.size, &whole));
  for (int64_t s = 0; s < batch; s++) {
    fm_real z[2], x[2], logdet;

    fm_rng_normal((fm_rng){5, FM_STREAM_LATENT}, 2, (uint64_t)s, 2, z);
    fm_ok(fm_transport_generate(f.transport, f.theta, 1, z, x, &logdet));
    infer_add(&f, f.theta, 2, s, 1);
    fm_ok(fm_share_gradient(f.share, 1, f.grad));
    if (fabs((double)x[0]) < CLIFF_AT && fabs((double)x[1]) < CLIFF_AT) {
      kept++;
      sum += cliff_objective(x, (double)logdet);
      assert_int_equal(fm_share_count(f.share, FM_COUNT_KEPT), 1);
    } else {
      assert_int_equal(fm_share_count(f.share, FM_COUNT_FAILED), 1);
      assert_int_equal(fm_share_count(f.share, FM_COUNT_KEPT), 0);
      for (int64_t i = 0; i < f.size; i++) assert_true(f.grad[i] == 0);
    }
    for (int64_t i = 0; i < f.size; i++) whole[i] += f.grad[i];
  }
  assert_true(kept > batch / 4 && kept < batch - 4);
  infer_add(&f, f.theta, 2, 0, batch);
  fm_ok(fm_share_gradient(f.share, 1, f.grad));
  assert_int_equal(fm_share_count(f.share, FM_COUNT_KEPT), kept);
  assert_int_equal(fm_share_count(f.share, FM_COUNT_FAILED), batch - kept);
  fm_near(fm_share_term(f.share, FM_TERM_OBJECTIVE), sum, loose);
  for (int64_t i = 0; i < f.size; i++) fm_near(f.grad[i], whole[i], 10 * loose);
  fm_ok(PetscFree(whole));
  infer_close(&f);
}

static void failed_samples_are_left_out(void **state) {
  leave_out_failed(FM_ESTIMATOR_TOTAL);
  leave_out_failed(FM_ESTIMATOR_PATH);
}

/* A step divides by the kept; more failures than allowed stop the run. */
static void too_many_failures_stop_a_step(void **state) {
  fm_trainer_inputs in;
  fm_trainer *t;
  infer_fixture f;
  double kept;

  infer_open(&f, &cliff, PETSC_COMM_SELF, 1, hint_spec(&cliff, 1, 4));
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 32);
  in = infer_trainer_inputs(&f, 32);
  in.clip = 0;
  t = infer_trainer(&in, f.theta);
  fm_expect_error(fm_trainer_step(t), "more than -max_failed_fraction 0");
  assert_int_equal(t->step, 0);
  assert_memory_equal(t->theta, f.theta, (size_t)f.size * sizeof(fm_real));
  t->in.max_failed_fraction = 0.9;
  fm_ok(fm_trainer_step(t));
  infer_add(&f, f.theta, 0, 0, 32);
  kept = (double)fm_share_count(f.share, FM_COUNT_KEPT);
  fm_near(fm_history_last(t->history, "objective"),
          fm_share_term(f.share, FM_TERM_OBJECTIVE) / kept, loose);
  fm_ok(fm_share_gradient(f.share, 1 / kept, f.grad));
  for (int64_t i = 0; i < f.size; i++) fm_near(t->grad[i], f.grad[i], loose);
  fm_near(fm_history_last(t->history, "failed"),
          (double)fm_share_count(f.share, FM_COUNT_FAILED), 0);
  assert_int_equal(t->ledger[FM_SOLVE_F], 32);
  assert_int_equal(t->ledger_spent[FM_SOLVE_F], 64);
  fm_ok(fm_trainer_destroy(&t));
  infer_close(&f);
}

/* ---- KL ---- */

static void kl_is_never_negative(void **state) {
  static const infer_problem *const problem[] = {&toy, &linear_gaussian};

  for (int k = 0; k < 2; k++) {
    double log_evidence = TOY_EVIDENCE;
    infer_fixture f;

    infer_open(&f, problem[k], PETSC_COMM_SELF, 1, hint_spec(problem[k], 2, 8));
    if (k) gold("log_evidence", 1, &log_evidence);
    for (uint64_t seed = 1; seed <= 30; seed++) {
      fm_diagnosis d;

      infer_random_theta(&f, seed, 0.01 * (double)seed);
      fm_ok(fm_transport_observe(f.transport, f.theta, f.target->y));
      fm_ok(fm_diagnose(f.target, f.transport, f.theta, seed, FM_STREAM_EVALUATE, 256,
                        log_evidence, PETSC_FALSE, &d));
      if (!(d.kl >= -4 * d.kl_se && d.kl_se > 0 && isfinite(d.kl)))
        fail_msg("theta %d of problem %d: KL %g +- %g", (int)seed, k, d.kl, d.kl_se);
      fm_ok(fm_diagnosis_clear(&d));
    }
    infer_close(&f);
  }
}

/* log p(x, y) - log q(x) sample by sample: from z by generating, from x by normalizing. */
static void kl_is_the_same_in_x_and_in_z(void **state) {
  const int64_t count = 100;
  double *value, near = sizeof(fm_real) == 4 ? 1e-3 : 1e-9;
  fm_real *x, *logq;
  uint64_t sample[100] = {0};
  PetscBool ok[100];
  infer_fixture f;
  fm_diagnosis d;
  double kl = 0;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 4, 16));
  fm_ok(fm_diagnose(f.target, f.transport, f.theta, 4, FM_STREAM_EVALUATE, count, TOY_EVIDENCE,
                    PETSC_TRUE, &d));
  fm_ok(PetscMalloc3(2 * count, &x, count, &logq, count, &value));
  for (int64_t i = 0; i < 2 * count; i++) x[i] = (fm_real)d.x[i];
  fm_ok(fm_transport_score(f.transport, f.theta, count, x, logq, NULL));
  const fm_key all = {0, sample, NULL};
  fm_ok(fm_target_evaluate(f.target, all, count, x, value, NULL, NULL, ok));
  for (int64_t s = 0; s < count; s++) {
    assert_true(ok[s]);
    fm_near(-(double)value[s] - (double)logq[s], d.log_weight[s], near);
    kl += ((double)value[s] + (double)logq[s] + TOY_EVIDENCE) / (double)count;
  }
  fm_near(kl, d.kl, near);
  fm_ok(PetscFree3(x, logq, value));
  fm_ok(fm_diagnosis_clear(&d));
  infer_close(&f);
}

/* The score is the gradient of log q in the user's units. */
static void score_is_the_gradient_of_log_q(void **state) {
  const double h = sizeof(fm_real) == 4 ? 1e-2 : 1e-5,
               near = sizeof(fm_real) == 4 ? 2e-2 : 1e-7;
  fm_real x[2 * 9], logq[9], score[2 * 9];
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 2, 8));
  for (int s = 0; s < 5; s++) {
    for (int k = 0; k < 5; k++) {
      x[2 * k] = (fm_real)(0.4 * s - 0.5 + (k == 1 ? h : k == 2 ? -h : 0));
      x[2 * k + 1] = (fm_real)(1.1 - 0.3 * s + (k == 3 ? h : k == 4 ? -h : 0));
    }
    fm_ok(fm_transport_score(f.transport, f.theta, 5, x, logq, score));
    for (int i = 0; i < 2; i++)
      fm_near(score[i], ((double)logq[1 + 2 * i] - (double)logq[2 + 2 * i]) / (2 * h), near);
  }
  infer_close(&f);
}

/* ---- the toy's exact posterior ---- */

#define GRID 6000

typedef struct exact_map {
  double below[GRID + 1], evidence; /* P(x1 <= node), p(y) */
} exact_map;

static double node(int i) { return -2 + 6. * i / GRID; }

/* x2 | x1, y is Gaussian: its mean and precision, and the density p(x1, y). */
static double conditional(double x1, const double *y, double *mean, double *precision) {
  const double a[2] = {0.97184667938860603, 0.17669939625247383};
  const double b[2] = {-0.23559919500329846, 0.73624748438530763}, w = 1 / 0.16;
  const double r[2] = {y[0] - a[0] * x1, y[1] - a[1] * x1};
  double energy;

  *precision = 2 + w * (b[0] * b[0] + b[1] * b[1]);
  *mean = (2 * x1 * x1 + w * (b[0] * r[0] + b[1] * r[1])) / *precision;
  energy = x1 * x1 / 2 + pow(*mean - x1 * x1, 2) + log(PETSC_PI * sqrt(2.));
  for (int i = 0; i < 2; i++) energy += w / 2 * pow(r[i] - b[i] * *mean, 2);
  return exp(-energy - log(2 * PETSC_PI / w)) * sqrt(2 * PETSC_PI / *precision);
}

static void build_map(exact_map *map, const double *y) {
  double mean, precision, sum = 0;

  for (int i = 0; i <= GRID; i++) {
    const double p = conditional(node(i), y, &mean, &precision) * 6 / GRID;

    map->below[i] = sum + p / 2;
    sum += p;
  }
  map->evidence = sum;
  for (int i = 0; i <= GRID; i++) map->below[i] /= sum;
}

/* Knothe and Rosenblatt: z to x of the posterior; returns log p(x | y). */
static double push(const exact_map *map, const double *y, const fm_real *z, fm_real *x) {
  const double u = 0.5 * erfc(-(double)z[0] / sqrt(2.));
  double mean, precision, x1, p1;
  int i = 0, end = GRID;

  while (end - i > 1) *(map->below[(i + end) / 2] <= u ? &i : &end) = (i + end) / 2;
  x1 = node(i) + 6. / GRID * (u - map->below[i]) / (map->below[i + 1] - map->below[i]);
  x[0] = (fm_real)x1;
  p1 = conditional((double)x[0], y, &mean, &precision) / map->evidence;
  x[1] = (fm_real)(mean + (double)z[1] / sqrt(precision));
  return log(p1) + 0.5 * log(precision / (2 * PETSC_PI)) -
         precision / 2 * pow((double)x[1] - mean, 2);
}

/* At every x the target is log p(x | y) + log p(y); the posterior's moments and quantiles are
   the golds; its mean gradient is 0. */
static void the_exact_posterior(void **state) {
  static const double p[] = {0.05, 0.5, 0.95};
  static const double gold_mean[] = {1.82896, 3.47695}, gold_std[] = {0.21315, 0.50927};
  static const double gold_quantile[2][3] = {{1.46386, 1.83816, 2.16283},
                                             {2.64103, 3.47591, 4.31643}};
  const int64_t count = 20000;
  double *x, mean[2], cov[4], quantile[3], gradient[2] = {0, 0}, square[2] = {0, 0};
  exact_map map;
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 1, 4));
  build_map(&map, f.target->y);
  fm_near(log(map.evidence), TOY_EVIDENCE, 2e-6);
  fm_ok(PetscMalloc1(2 * count, &x));
  for (int64_t s = 0; s < count; s++) {
    fm_real z[2], at[2], x_bar[2];
    uint64_t sample = (uint64_t)s;
    PetscBool ok;
    fm_rng_normal((fm_rng){8, FM_STREAM_CHECK}, 0, sample, 2, z);
    double value, logp = push(&map, f.target->y, z, at);
    const fm_key key = {0, &sample, NULL};
    fm_ok(fm_target_evaluate(f.target, key, 1, at, &value, NULL, x_bar, &ok));
    fm_near(-(double)value - logp, log(map.evidence), loose);
    for (int i = 0; i < 2; i++) {
      x[2 * s + i] = (double)at[i];
      gradient[i] += (double)x_bar[i];
      square[i] += (double)x_bar[i] * (double)x_bar[i];
    }
  }
  fm_samples_mean(count, 2, x, NULL, mean);
  fm_samples_covariance(count, 2, x, NULL, mean, cov);
  for (int i = 0; i < 2; i++) {
    assert_true(fabs(gradient[i]) < 4 * sqrt(square[i]));
    assert_true(fabs(mean[i] - gold_mean[i]) < 4 * gold_std[i] / sqrt((double)count));
    fm_near(sqrt(cov[3 * i]) / gold_std[i], 1, 0.025);
    fm_ok(fm_samples_quantiles(count, 2, x, i, 3, p, quantile));
    for (int k = 0; k < 3; k++)
      assert_true(fabs(quantile[k] - gold_quantile[i][k]) < 0.06 * gold_std[i]);
  }
  fm_ok(PetscFree(x));
  infer_close(&f);
}

FM_TEST_MAIN(
    cmocka_unit_test(posterior_gradient_of_the_x_lane),
    cmocka_unit_test(posterior_gradient_of_all), io_test(pairs_gradient),
    io_test(an_epoch_is_the_loss), io_test(normalisers_of_the_loss),
    cmocka_unit_test(estimators_agree_on_the_x_lane), cmocka_unit_test(estimators_agree_on_all),
    cmocka_unit_test(path_needs_fresh_latents), cmocka_unit_test(failed_samples_are_left_out),
    cmocka_unit_test(too_many_failures_stop_a_step), cmocka_unit_test(kl_is_never_negative),
    cmocka_unit_test(kl_is_the_same_in_x_and_in_z),
    cmocka_unit_test(score_is_the_gradient_of_log_q), cmocka_unit_test(the_exact_posterior))
