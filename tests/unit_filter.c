/* Filters and resampling against closed forms: the raised cosine's impulse response, Ricker
   pulses at other times, and the integrals that noise and length stand for. */
#include "fathom/filter.h"
#include "fm_test.h"

static const fm_band band = {{4, 7, 20, 31}};

static void gains(void **state) {
  const fm_band all = FM_BAND_ALL, steep = {{0, 0, 10, 10}};

  assert_true(fm_band_gain(&band, 4) == 0 && fm_band_gain(&band, 31) == 0);
  assert_true(fm_band_gain(&band, 7) == 1 && fm_band_gain(&band, -20) == 1);
  fm_near(fm_band_gain(&band, 5.5), 0.5, 1e-15);
  fm_near(fm_band_gain(&band, 25.5), 0.5, 1e-15);
  fm_near(fm_band_gain(&band, 5), 0.25, 1e-15); /* sin^2(30 degrees) */
  fm_near(fm_band_gain(&band, 20 + 11 / 3.), 0.75, 1e-15);
  assert_true(fm_band_gain(&all, 0) == 1 && fm_band_gain(&all, 1e9) == 1);
  assert_true(fm_band_gain(&steep, 0) == 1 && fm_band_gain(&steep, 10.1) == 0);
  assert_true(fm_band_limited(&band) && !fm_band_limited(&all));
}

static void below_nyquist(void **state) {
  const fm_band cut = fm_band_below(band, 25), kept = fm_band_below(band, 31);
  const fm_band all = fm_band_below(FM_BAND_ALL, 10);

  assert_true(cut.f[0] == 4 && cut.f[1] == 7 && cut.f[2] == 20 && cut.f[3] == 25);
  assert_true(kept.f[2] == 20 && kept.f[3] == 31);
  assert_true(all.f[1] == 0 && all.f[2] == 8 && all.f[3] == 10);
}

/* the rule of midpoints */
static void noise(void **state) {
  const fm_band all = FM_BAND_ALL;
  const int n = 100000;
  double sum = 0;

  for (int i = 0; i < n; i++) sum += pow(fm_band_gain(&band, 50 * (i + 0.5) / n), 2) / n;
  fm_near(fm_band_noise(&band, 50), sqrt(sum), 1e-8);
  assert_true(fm_band_noise(&all, 50) == 1);
}

static double sinc(double x) { return x == 0 ? 1 : sin(PETSC_PI * x) / (PETSC_PI * x); }

/* int of cos(2 pi f t) over |f| < f3 with a raised-cosine taper from f2 (Nyquist 1928; any
   textbook on pulse shaping) */
static double low_pass(double f2, double f3, double t) {
  const double rate = f2 + f3, roll = (f3 - f2) * t, pole = 1 - 4 * roll * roll;

  if (fabs(pole) < 1e-9) return rate * PETSC_PI / 4 * sinc(rate * t);
  return rate * sinc(rate * t) * cos(PETSC_PI * roll) / pole;
}

static double response(double t) { return low_pass(20, 31, t) - low_pass(4, 7, t); }

/* the transform's period of 1,024 samples folds the tails back */
static double folded(double t) {
  double sum = 0;

  for (int i = -200; i <= 200; i++) sum += response(t + i * 1024 * 0.004);
  return sum;
}

enum { IN = 400, OUT = 777 };

/* h of a unit impulse at sample 150, at times that are samples and that are not, in front of
   the trace and beyond it */
static void impulse(void **state) {
  const double dt_out[] = {0.004, 0.002, 0.003, 0.00217, 0.02};
  double in[IN] = {0}, out[OUT];

  in[150] = 1 / 0.004;
  for (int c = 0; c < 5; c++) {
    const fm_filter_spec spec = {IN, OUT, 0.004, dt_out[c], 0.3, 0.1, band};
    fm_filter *filter;

    fm_ok(fm_filter_create(&spec, &filter));
    fm_filter_apply(filter, in, out);
    for (int k = 0; k < OUT; k++) {
      const double t = 0.1 + k * dt_out[c] - 0.3 - 150 * 0.004;

      if (t < 1.1) fm_near(out[k], folded(t), 1e-9);
    }
    fm_ok(fm_filter_destroy(&filter));
    assert_null(filter);
  }
}

static double ricker(double t) {
  const double a = pow(PETSC_PI * 12 * t, 2);

  return (1 - 2 * a) * exp(-a);
}

/* A Ricker pulse of 12 Hz ends below 60 Hz (amplitude 1e-9): without a filter's limits in its
   band it is known at any time. */
static void resampled(void **state) {
  const double dt_out[] = {0.001, 0.0037, 0.00531};
  double in[IN], out[OUT];

  for (int i = 0; i < IN; i++) in[i] = ricker(i * 0.004 - 0.6);
  for (int c = 0; c < 3; c++) {
    const fm_filter_spec spec = {IN,
                                 OUT,
                                 0.004,
                                 dt_out[c],
                                 0.2,
                                 -0.05,
                                 fm_band_below(FM_BAND_ALL, 0.5 / fmax(0.004, dt_out[c]))};
    fm_filter *filter;

    fm_ok(fm_filter_create(&spec, &filter));
    fm_filter_apply(filter, in, out);
    for (int k = 0; k < OUT; k++)
      fm_near(out[k], ricker(k * dt_out[c] - 0.05 - 0.2 - 0.6), 1e-8);
    fm_ok(fm_filter_destroy(&filter));
  }
}

/* tones inside the band pass, those outside do not: under a Gaussian of 0.2 s */
static void tones(void **state) {
  static const double tone[][2] = {{1.5, 0}, {12, 1}, {25.5, 0.5}, {38, 0}};
  const fm_filter_spec spec = {IN, IN, 0.005, 0.005, 0, 0, band};
  double in[IN], out[IN];
  fm_filter *filter;

  fm_ok(fm_filter_create(&spec, &filter));
  for (int c = 0; c < 4; c++) {
    for (int i = 0; i < IN; i++)
      in[i] = exp(-pow((i * 0.005 - 1) / 0.2, 2) / 2) *
              cos(2 * PETSC_PI * tone[c][0] * (i * 0.005 - 1));
    fm_filter_apply(filter, in, out);
    /* the line is 0.8 Hz wide: of the curved taper the mean */
    fm_near(out[200], tone[c][1], c == 2 ? 1e-6 : 2e-3);
  }
  fm_ok(fm_filter_destroy(&filter));
}

/* samples that are there are copied, with their bits */
static void copies(void **state) {
  const fm_filter_spec spec = {IN, 50, 0.004, 0.012, 0.1, 0.06, FM_BAND_ALL};
  double in[IN], out[50];
  fm_filter *filter;

  for (int i = 0; i < IN; i++) in[i] = sin(1. + i * i);
  fm_ok(fm_filter_create(&spec, &filter));
  fm_filter_apply(filter, in, out);
  for (int k = 0; k < 50; k++) assert_true(out[k] == (3 * k < 10 ? 0 : in[3 * k - 10]));
  fm_ok(fm_filter_destroy(&filter));
}

/* between samples without a filter: those that are there stay, half of Nyquist's line on either
   side */
static void interpolated(void **state) {
  const fm_filter_spec spec = {IN, 2 * IN, 0.004, 0.002, 0, 0, FM_BAND_ALL};
  double in[IN] = {0}, out[2 * IN];
  fm_filter *filter;

  in[100] = 1;
  fm_ok(fm_filter_create(&spec, &filter));
  fm_filter_apply(filter, in, out);
  for (int k = 0; k < IN; k++) fm_near(out[2 * k], in[k], 1e-14);
  fm_near(out[201], sin(PETSC_PI / 2) / (PETSC_PI / 2), 1e-5); /* of the period, 1,024 */
  fm_ok(fm_filter_destroy(&filter));
}

/* 1 % of int |h| lies beyond the length */
static void length(void **state) {
  const fm_band all = FM_BAND_ALL;
  const double step = 1e-4;
  double all_of_it = 0, beyond = 0, t;

  fm_ok(fm_band_length(&band, &t));
  for (int i = 0; i < 100000; i++) {
    all_of_it += fabs(response((i + 0.5) * step));
    if ((i + 0.5) * step > t) beyond += fabs(response((i + 0.5) * step));
  }
  assert_true(beyond <= 0.0105 * all_of_it && beyond > 0.008 * all_of_it);
  fm_ok(fm_band_length(&all, &t));
  assert_true(t == 0);
}

FM_TEST_MAIN(cmocka_unit_test(gains), cmocka_unit_test(below_nyquist), cmocka_unit_test(noise),
             cmocka_unit_test(impulse), cmocka_unit_test(resampled), cmocka_unit_test(tones),
             cmocka_unit_test(copies), cmocka_unit_test(interpolated), cmocka_unit_test(length))
