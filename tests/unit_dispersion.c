/* Time-dispersion transforms on an oscillator u'' + w^2 u = f(t), whose exact solution is an
   integral; the adjoint; what is left alone. */
#include "../operators/dispersion.h"
#include "fathom/ricker.h"
#include "fathom/rng.h"
#include "fm_test.h"

#define STEPS 1000
#define MORE (STEPS + 32)

static void leapfrog(double w, double dt, int64_t steps, const double *s, fm_real *u) {
  double before = 0, now = 0;

  for (int64_t n = 0; n < steps; n++) {
    const double next = 2 * now - before + dt * dt * (-w * w * now + s[n]);

    u[n] = (fm_real)now;
    before = now;
    now = next;
  }
}

/* u(t) = int_0^t f(s) sin(w (t - s)) / w ds of the Ricker wavelet by Simpson's rule, 2 x 16
   pieces a step. */
static void exact(double w, double dt, double peak, int64_t steps, double *u) {
  double c = 0, s = 0;

  for (int64_t n = 0; n < steps; n++) {
    const double t = (double)n * dt;

    u[n] = (sin(w * t) * c - cos(w * t) * s) / w;
    for (int k = 0; k <= 32; k++) {
      const double at = t + dt * k / 32, weight = (k % 32 ? (k % 2 ? 4 : 2) : 1) * dt / 96;
      const double a = pow(M_PI * peak * (at - FM_RICKER_DELAY / peak), 2);
      const double f = weight * (1 - 2 * a) * exp(-a);

      c += f * cos(w * at);
      s += f * sin(w * at);
    }
  }
}

static double largest(int64_t n, const fm_real *a, const double *b) {
  double most = 0;

  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i] - (b ? b[i] : 0)));
  return most;
}

/* Largest error over the first samples of a trace, relative to the largest value, at frequency
   f of the oscillator and of the wavelet's peak. */
static double error_over(int samples, PetscBool transform, double f, double peak, double dt) {
  const fm_dispersion_spec spec = {transform, STEPS, 1, dt, FM_RICKER_MAXIMUM * peak};
  static double wavelet[STEPS], source[MORE], truth[STEPS];
  static fm_real trace[MORE], data[STEPS], scale[STEPS];
  fm_dispersion *d;

  fm_ricker(peak, FM_RICKER_DELAY / peak, dt, STEPS, wavelet);
  exact(2 * M_PI * f, dt, peak, STEPS, truth);
  fm_ok(fm_dispersion_create(&spec, &d));
  assert_int_equal(fm_dispersion_samples(d), STEPS);
  assert_true(fm_dispersion_steps(d) <= STEPS + 16);
  fm_dispersion_wavelet(d, wavelet, source);
  leapfrog(2 * M_PI * f, dt, fm_dispersion_steps(d), source, trace);
  fm_dispersion_record(d, 1, trace, data);
  fm_ok(fm_dispersion_destroy(&d));
  for (int i = 0; i < STEPS; i++) scale[i] = (fm_real)truth[i];
  return largest(samples, data, truth) / largest(samples, scale, NULL);
}

static double error_of(PetscBool transform, double f, double peak, double dt) {
  return error_over(STEPS, transform, f, peak, dt);
}

/* 10 points per wavelength at CFL 0.4: 25 samples a period at the maximum frequency. */
static void oscillators(void **state) {
  const double peak = 10, dt = 1 / (25 * FM_RICKER_MAXIMUM * peak);
  const double rough = sizeof(fm_real) == 4 ? 3e-4 : 0;

  for (double f = 2; f <= 30; f *= 1.25) {
    const double none = error_of(PETSC_FALSE, f, peak, dt);
    const double transformed = error_of(PETSC_TRUE, f, peak, dt);

    print_message("f/max %.2f: error without %.1e, transformed %.1e\n", f / 25, none,
                  transformed);
    assert_true(transformed < 3e-4 + rough);
    if (f > 4) assert_true(none > 50 * transformed || sizeof(fm_real) == 4);
  }
}

/* Fewer samples a period: 8 at the maximum frequency. */
static void coarse_steps(void **state) {
  const double peak = 10, dt = 1 / (8 * FM_RICKER_MAXIMUM * peak);

  for (double f = 3; f <= 30; f *= 1.6) {
    const double transformed = error_of(PETSC_TRUE, f, peak, dt);

    print_message("8 samples a period, f/max %.2f: %.1e\n", f / 25, transformed);
    assert_true(transformed < 3e-3);
  }
}

/* Without the transform the scheme is of second order. */
static void second_order(void **state) {
  const double coarse = error_over(STEPS / 2, PETSC_FALSE, 12, 6, 1e-3);
  const double fine = error_over(STEPS, PETSC_FALSE, 12, 6, 5e-4);

  fm_near(log2(coarse / fine), 2, 0.1);
}

static void fill(uint64_t name, int64_t n, fm_real *out) {
  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, name, (size_t)n, out);
}

/* <Q u, d> = <u, Q^T d>, for numbers of receivers below, at and above the tile. */
static void adjoint_is_the_transpose(void **state) {
  const int64_t receivers[] = {1, 5, 64, 70};

  for (int k = 0; k < 8; k++) {
    const int64_t nr = receivers[k % 4], every = k / 4 ? 3 : 1;
    const fm_dispersion_spec spec = {PETSC_TRUE, 150, every, 1e-3, 60};
    double left = 0, right = 0, size = 0;
    fm_real *u, *d, *qu, *qd;
    fm_dispersion *t;
    int64_t m, n;

    fm_ok(fm_dispersion_create(&spec, &t));
    n = fm_dispersion_steps(t) * nr;
    m = fm_dispersion_samples(t) * nr;
    assert_int_equal(m, ((150 - 1) / every + 1) * nr);
    fm_ok(PetscMalloc4(n, &u, m, &d, m, &qu, n, &qd));
    fill(1, n, u);
    fill(2, m, d);
    fm_dispersion_record(t, nr, u, qu);
    fm_dispersion_adjoint(t, nr, d, qd);
    for (int64_t i = 0; i < m; i++) left += (double)qu[i] * (double)d[i];
    for (int64_t i = 0; i < n; i++) right += (double)u[i] * (double)qd[i];
    for (int64_t i = 0; i < m; i++) size += (double)qu[i] * (double)qu[i];
    fm_near((left - right) / sqrt(size * (double)m), 0, sizeof(fm_real) == 4 ? 1e-6 : 1e-14);
    fm_ok(PetscFree4(u, d, qu, qd));
    fm_ok(fm_dispersion_destroy(&t));
  }
}

/* Every third sample is every third row; a receiver's numbers do not depend on the others. */
static void rows_and_receivers(void **state) {
  const fm_dispersion_spec every = {PETSC_TRUE, 100, 1, 1e-3, 60};
  const fm_dispersion_spec third = {PETSC_TRUE, 100, 3, 1e-3, 60};
  static fm_real many[116 * 70], one[116], all[100 * 70], some[34 * 70], alone[100];
  fm_dispersion *a, *b;

  fm_ok(fm_dispersion_create(&every, &a));
  fm_ok(fm_dispersion_create(&third, &b));
  assert_true(fm_dispersion_steps(a) <= 116 &&
              fm_dispersion_steps(a) == fm_dispersion_steps(b));
  assert_int_equal(fm_dispersion_samples(b), 34);
  fill(3, 116 * 70, many);
  fm_dispersion_record(a, 70, many, all);
  fm_dispersion_record(b, 70, many, some);
  for (int i = 0; i < 34; i++)
    assert_memory_equal(some + (size_t)i * 70, all + (size_t)3 * i * 70, 70 * sizeof(fm_real));
  for (int j = 0; j < 70; j += 23) {
    for (int i = 0; i < 116; i++) one[i] = many[i * 70 + j];
    fm_dispersion_record(a, 1, one, alone);
    for (int i = 0; i < 100; i++) assert_true(alone[i] == all[i * 70 + j]);
  }
  fm_ok(fm_dispersion_destroy(&a));
  fm_ok(fm_dispersion_destroy(&b));
}

/* Without a correction nothing changes, samples are picked. */
static void none_is_the_identity(void **state) {
  const fm_dispersion_spec spec = {PETSC_FALSE, 21, 4, 1e-3, 60};
  fm_real u[21], data[6], back[21];
  double in[21], out[21];
  fm_dispersion *d;

  fm_ok(fm_dispersion_create(&spec, &d));
  assert_int_equal(fm_dispersion_steps(d), 21);
  assert_int_equal(fm_dispersion_samples(d), 6);
  for (int i = 0; i < 21; i++) in[i] = 1 + i, u[i] = (fm_real)(1 + i);
  fm_dispersion_wavelet(d, in, out);
  assert_memory_equal(in, out, sizeof(in));
  fm_dispersion_record(d, 1, u, data);
  fm_dispersion_adjoint(d, 1, data, back);
  for (int i = 0; i < 6; i++) assert_true(data[i] == 1 + 4 * i);
  for (int i = 0; i < 21; i++) assert_true(back[i] == (i % 4 ? 0 : 1 + i));
  fm_ok(fm_dispersion_destroy(&d));
}

/* Gain of the rows beyond the band: noise is not blown up. */
static void noise_is_not_amplified(void **state) {
  const fm_dispersion_spec spec = {PETSC_TRUE, STEPS, 1, 1e-3, 40};
  static fm_real u[MORE], data[STEPS];
  fm_dispersion *d;

  fm_ok(fm_dispersion_create(&spec, &d));
  for (double angle = 0.4; angle < 3.1; angle += 0.03) {
    for (int i = 0; i < MORE; i++) u[i] = (fm_real)cos(angle * i);
    fm_dispersion_record(d, 1, u, data);
    assert_true(largest(STEPS, data, NULL) < 4);
  }
  fm_ok(fm_dispersion_destroy(&d));
}

static void too_long(void **state) {
  const fm_dispersion_spec spec = {PETSC_TRUE, 100000, 1, 1e-3, 100};
  fm_dispersion *d;

  fm_expect_error(fm_dispersion_create(&spec, &d), "-acoustic_time_order 4");
}

FM_TEST_MAIN(cmocka_unit_test(oscillators), cmocka_unit_test(coarse_steps),
             cmocka_unit_test(second_order), cmocka_unit_test(adjoint_is_the_transpose),
             cmocka_unit_test(rows_and_receivers), cmocka_unit_test(none_is_the_identity),
             cmocka_unit_test(noise_is_not_amplified), cmocka_unit_test(too_long))
