/* The Ricker wavelet and the maximum frequency of wavelets. */
#include "fathom/ricker.h"
#include "fm_test.h"

static void values(void **state) {
  double w[101];

  fm_ricker(10, 0.1, 0.002, 101, w);
  fm_near(w[50], 1, 1e-15);                                      /* the peak */
  for (int n = 0; n < 50; n++) fm_near(w[n], w[100 - n], 1e-12); /* is symmetric */
  fm_near(w[50 + 10], (1 - 2 * M_PI * M_PI * 0.04) * exp(-M_PI * M_PI * 0.04), 1e-14);
  for (int n = 0; n < 101; n++) assert_true(w[n] <= 1 && w[n] >= -2 * exp(-1.5) - 1e-12);
}

/* The spectrum of a Ricker wavelet peaks at its frequency and is f^2 exp(-(f/peak)^2). */
static void maximum_of_a_ricker(void **state) {
  const double dt = 0.001;
  double w[2000];

  for (double peak = 5; peak < 60; peak *= 1.7) {
    const double line = 0.5 / dt / 2048;

    fm_ricker(peak, FM_RICKER_DELAY / peak, dt, 2000, w);
    assert_true(fabs(fm_wavelet_maximum(dt, 2000, w) - FM_RICKER_MAXIMUM * peak) <
                1.5 * line + 0.01 * peak);
  }
}

static void maximum_of_others(void **state) {
  double w[400] = {0};

  assert_true(fm_wavelet_maximum(0.002, 400, w) == 0);
  w[17] = -3; /* white: up to Nyquist */
  fm_near(fm_wavelet_maximum(0.002, 400, w), 250, 1e-12);
  /* 40 Hz in an envelope exp(-(t/0.05)^2/2) falls to 1/30 at 40 Hz + 2.608 / (2 pi 0.05) */
  for (int n = 0; n < 400; n++) {
    const double t = n * 0.002 - 0.4;

    w[n] = exp(-t * t / (2 * 0.05 * 0.05)) * cos(2 * M_PI * 40 * t);
  }
  assert_true(fabs(fm_wavelet_maximum(0.002, 400, w) -
                   (40 + sqrt(2 * log(30)) / (2 * M_PI * 0.05))) < 0.4);
}

FM_TEST_MAIN(cmocka_unit_test(values), cmocka_unit_test(maximum_of_a_ricker),
             cmocka_unit_test(maximum_of_others))
