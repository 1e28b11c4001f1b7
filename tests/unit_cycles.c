/* Cycle skipping: lags of traces that are shifted by a known part of a period.
   What a run says of them is in journey_latent.sh. */
#include "fathom/cycles.h"
#include "fathom/rng.h"
#include "fm_test.h"

#define N 400
#define DT 0.002
#define PEAK 15.

/* A Ricker wavelet about the time `at`, in seconds. */
static double ricker(double t, double at) {
  const double u = M_PI * PEAK * (t - at);

  return (1 - 2 * u * u) * exp(-u * u);
}

static double lag_of(double shift, double noise) {
  double o[N], p[N];
  fm_real e[2 * N];

  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 0, 2 * N, e);
  for (int t = 0; t < N; t++) {
    o[t] = ricker(t * DT, 0.3) - 0.4 * ricker(t * DT, 0.52) + noise * (double)e[t];
    p[t] = 2 * ricker(t * DT, 0.3 + shift) - 0.9 * ricker(t * DT, 0.52 + shift) +
           noise * (double)e[N + t];
  }
  return fm_trace_lag(N, o, p, (int64_t)ceil(1 / (PEAK * DT)));
}

static void lags_are_the_shifts(void **state) {
  const double period = 1 / (PEAK * DT);

  for (int k = -9; k <= 9; k++) fm_near(lag_of(0.1 * k / PEAK, 0), 0.1 * k * period, 0.03);
  for (int k = -9; k <= 9; k++) fm_near(lag_of(0.1 * k / PEAK, 0.03), 0.1 * k * period, 0.2);
}

static void half_a_period_is_the_limit(void **state) {
  const double half = 0.5 / (PEAK * DT);

  assert_true(fabs(lag_of(0.4 / PEAK, 0.03)) < half && fabs(lag_of(-0.4 / PEAK, 0.03)) < half);
  assert_true(fabs(lag_of(0.6 / PEAK, 0.03)) > half && fabs(lag_of(-0.6 / PEAK, 0.03)) > half);
}

static void silence_has_no_lag(void **state) {
  double o[N] = {0}, p[N] = {0};

  o[100] = p[100] = 1;
  fm_near(fm_trace_lag(N, o, p, 20), 0, 1e-12);
  p[100] = -1;
  assert_true(isnan(fm_trace_lag(N, o, p, 20)));
  p[100] = 0;
  assert_true(isnan(fm_trace_lag(N, o, p, 20)));
}

FM_TEST_MAIN(cmocka_unit_test(lags_are_the_shifts),
             cmocka_unit_test(half_a_period_is_the_limit), cmocka_unit_test(silence_has_no_lag))
