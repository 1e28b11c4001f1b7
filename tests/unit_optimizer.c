/* Adam against PyTorch, clipping, schedules, averaging.

   The tables, in double by PyTorch 1.13 (the second clips by itself, since PyTorch adds 1e-6):

       theta = torch.nn.Parameter(torch.tensor([0.5, -1.25, 2.0]))
       opt = torch.optim.Adam([theta], lr=0.1)            # betas .9, .999, eps 1e-8
       for step in range(5):
           opt.param_groups[0]["lr"] = 0.1 * 0.8**step
           theta.grad = tensor([sin(step + i) * 10.0**(i - 1) for i in range(3)])
           opt.step(); print(theta)
       print(opt.state[theta]["exp_avg"], opt.state[theta]["exp_avg_sq"])

       opt = torch.optim.Adam([theta], lr=0.1)
       for step in range(4):
           g = torch.tensor([3.0 - step, 4.0 * (-1) ** step, 2.0 * step])
           theta.grad = g * min(1.0, 4.5 / g.norm().item())
           opt.step(); print(g.norm(), theta)                                              */
#include "fm_test.h"
#include "fathom/optimizer.h"

static const double tight = sizeof(fm_real) == 4 ? 1e-6 : 1e-14;

static const double adam_table[5][3] = {
    {0.5, -1.3499999988116, 1.90000000010998},
    {0.440469064117174, -1.43010147842704, 1.83789591750231},
    {0.385457774448979, -1.48394808864071, 1.83423105937581},
    {0.346270396035777, -1.49865166756159, 1.85102888349631},
    {0.335228920671896, -1.49466997540523, 1.86622202016526}};
static const double adam_m[3] = {0.00720168775599711, -0.0310772376623399, -1.0559908389792};
static const double adam_v[3] = {2.12376527388614e-05, 0.00304117727315048, 0.241166899167189};

static void adam_is_pytorchs(void **state) {
  fm_real theta[3] = {(fm_real)0.5, (fm_real)-1.25, 2}, g[3];
  fm_optimizer *o;
  double norm;

  fm_ok(fm_optimizer_create(3, 0, &o));
  for (int step = 0; step < 5; step++) {
    double square = 0;

    for (int i = 0; i < 3; i++) {
      g[i] = (fm_real)(sin(step + i) * pow(10, i - 1));
      square += (double)g[i] * (double)g[i];
    }
    fm_ok(fm_optimizer_step(o, step, 0.1 * pow(0.8, step), g, theta, &norm));
    fm_near(norm, sqrt(square), 1e-15);
    for (int i = 0; i < 3; i++) fm_near(theta[i], adam_table[step][i], tight);
  }
  for (int i = 0; i < 3; i++) {
    fm_near((double)o->m[i] / adam_m[i], 1, 10 * tight);
    fm_near((double)o->v[i] / adam_v[i], 1, 10 * tight);
  }
  fm_ok(fm_optimizer_destroy(&o));
  assert_null(o);
}

/* norm, then theta */
static const double clip_table[4][4] = {
    {5, 0.40000000037037, -1.34999999972222, 2},
    {4.89897948556636, 0.302735261081591, -1.34371668666567, 1.925586318216},
    {5.74456264653803, 0.214714221812753, -1.37282035665634, 1.84138856107325},
    {7.21110255092798, 0.142612742414831, -1.3725721457038, 1.7516573810908}};

static void clipping_is_by_the_global_norm(void **state) {
  fm_real theta[3] = {(fm_real)0.5, (fm_real)-1.25, 2};
  fm_optimizer *o;
  double norm;

  fm_ok(fm_optimizer_create(3, 4.5, &o));
  for (int step = 0; step < 4; step++) {
    fm_real g[3] = {(fm_real)(3 - step), (fm_real)(step % 2 ? -4 : 4), (fm_real)(2 * step)};
    const fm_real before = g[1];

    fm_ok(fm_optimizer_step(o, step, 0.1, g, theta, &norm));
    fm_near(norm, clip_table[step][0], tight);
    fm_near(g[1], before * 4.5 / norm, tight);
    for (int i = 0; i < 3; i++) fm_near(theta[i], clip_table[step][1 + i], tight);
  }
  for (int k = 0; k < 3; k++) { /* none, at the limit and below it: untouched */
    fm_real g[3] = {3, -4, 0};

    o->clip = k == 2 ? 8 : 5 * k;
    fm_ok(fm_optimizer_step(o, 4, 0.1, g, theta, &norm));
    assert_true(g[0] == 3 && g[1] == -4 && g[2] == 0);
  }
  fm_ok(fm_optimizer_destroy(&o));
}

/* Long enough for the partial sums of eight, and a remainder. */
static void norm_of_many(void **state) {
  fm_real g[21], theta[21] = {0};
  fm_optimizer *o;
  double norm, square = 0;

  for (int i = 0; i < 21; i++) g[i] = (fm_real)(i - 7);
  for (int i = 0; i < 21; i++) square += (i - 7) * (i - 7);
  fm_ok(fm_optimizer_create(21, 0, &o));
  fm_ok(fm_optimizer_step(o, 0, 0.5, g, theta, &norm));
  fm_near(norm, sqrt(square), 1e-15);
  for (int i = 0; i < 21; i++) /* the first step of Adam is the sign of the gradient */
    fm_near(theta[i], i == 7 ? 0 : i < 7 ? 0.5 : -0.5, 1e-6);
  fm_ok(fm_optimizer_destroy(&o));
}

/* ---- schedules ---- */

static void constant_rate(void **state) {
  const fm_schedule s = {FM_DECAY_CONSTANT, 3e-3, 0.5, 0.1, 100, 10, 0};

  for (int64_t step = 0; step < 200; step++) assert_true(fm_schedule_rate(&s, step) == 3e-3);
}

/* 0.9 an epoch of the RATE, held within an epoch. */
static void exponential_rate(void **state) {
  const fm_schedule s = {FM_DECAY_EXPONENTIAL, 1e-3, 0.9, 0, 25 * 79, 79, 0};
  double rate = 1e-3;

  for (int64_t epoch = 0; epoch < 25; epoch++, rate *= 0.9)
    for (int64_t k = 0; k < 79; k += 39)
      fm_near(fm_schedule_rate(&s, 79 * epoch + k) / rate, 1, 1e-13);
  assert_true(fm_schedule_rate(&s, 78) == 1e-3);
  fm_near(fm_schedule_rate(&s, 79), 9e-4, 1e-18);
}

static void cosine_rate(void **state) {
  const fm_schedule s = {FM_DECAY_COSINE, 2, 0.5, 0.25, 40, 10, 0};

  fm_near(fm_schedule_rate(&s, 0), 2, 1e-15);
  fm_near(fm_schedule_rate(&s, 20), 1.25, 1e-15);
  fm_near(fm_schedule_rate(&s, 10), 2 * (0.25 + 0.375 * (1 + sqrt(0.5))), 1e-15);
  fm_near(fm_schedule_rate(&s, 40), 0.5, 1e-15);
  fm_near(fm_schedule_rate(&s, 4000), 0.5, 1e-15); /* stays there */
  for (int64_t step = 0; step < 40; step++)
    assert_true(fm_schedule_rate(&s, step + 1) < fm_schedule_rate(&s, step));
}

static void warm_up(void **state) {
  fm_schedule s = {FM_DECAY_CONSTANT, 1, 0.5, 0, 100, 10, 8};

  for (int64_t step = 0; step < 20; step++)
    fm_near(fm_schedule_rate(&s, step), step < 8 ? (double)(step + 1) / 8 : 1, 1e-15);
  s.decay = FM_DECAY_EXPONENTIAL;
  s.warmup = 15;
  fm_near(fm_schedule_rate(&s, 11), 0.5 * 12 / 15, 1e-15); /* rises to what the decay says */
}

/* ---- averaging ---- */

/* Directly: theta_k weighs w_k prod_{j > k} (1 - w_j), w_j = (p + 1)/(j + 1 + p). */
static void average_is_the_weighted_sum(void **state) {
  static const double powers[] = {0, 1, 8};

  for (int k = 0; k < 3; k++) {
    const double p = powers[k];
    fm_real average[2] = {0, 0};

    for (int step = 0; step < 60; step++) {
      double direct = 0, total = 0, later = 1;

      for (int j = step; j >= 0; j--) {
        const double w = (p + 1) / (j + 1 + p) * later;

        later *= 1 - (p + 1) / (j + 1 + p);
        direct += w * sin(j);
        total += w;
      }
      const fm_real theta[2] = {(fm_real)sin(step), 3};

      fm_average_update(2, step, p, theta, average);
      fm_near(total, 1, 1e-12); /* the first step forgets what was there */
      fm_near(average[0], direct, 10 * tight);
      fm_near(average[1], 3, 10 * tight);
    }
  }
}

/* Power 0 is the plain mean; of power p the last 1/(p + 1) of the steps hold 1 - 1/e, nearly.
   */
static void average_of_powers(void **state) {
  fm_real plain = 0, late = 0;

  for (int step = 0; step < 900; step++) {
    const fm_real ramp = (fm_real)step, recent = step >= 800;

    fm_average_update(1, step, 0, &ramp, &plain);
    fm_average_update(1, step, 8, &recent, &late);
  }
  fm_near(plain, 449.5, 100 * tight);
  fm_near(late, 1 - pow(8. / 9., 9), 0.01);
}

FM_TEST_MAIN(cmocka_unit_test(adam_is_pytorchs),
             cmocka_unit_test(clipping_is_by_the_global_norm), cmocka_unit_test(norm_of_many),
             cmocka_unit_test(constant_rate), cmocka_unit_test(exponential_rate),
             cmocka_unit_test(cosine_rate), cmocka_unit_test(warm_up),
             cmocka_unit_test(average_is_the_weighted_sum), cmocka_unit_test(average_of_powers))
