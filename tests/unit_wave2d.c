/* Derivatives of the discrete scheme: dot test, Taylor test, gradients under every bound on the
   tape. */
#include "wave2d_cases.h"

#define DOUBLE (sizeof(fm_real) == 8)

static void each_case(void (*check)(const wave_case *, int order, int time_order)) {
  for (int k = 0; k < WAVE_CASES; k++)
    for (int order = 2; order <= 8; order += 2)
      for (int time_order = 2; time_order <= 4; time_order += 2)
        check(&wave_cases[k], order, time_order);
}

/* |<J dc, r> - <dc, J^T r>| over |J dc| |r|. */
static void check_dot(const wave_case *c, int order, int time_order) {
  double left, right = 0, scale;
  wave_fixture f;

  wave_begin(&f, c, PETSC_COMM_SELF, order, time_order, 160, 0);
  fm_ok(fm_wave2d_born(f.wave, &f.shot, f.dc, f.dtrace));
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_TRUE, f.trace));
  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 0, (size_t)f.ntrace, f.other);
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g));
  left = wave_dot(f.ntrace, f.dtrace, f.other);
  for (int64_t i = 0; i < f.nmodel; i++) right += f.dc[i] * f.g[i];
  scale = sqrt(wave_dot(f.ntrace, f.dtrace, f.dtrace) * wave_dot(f.ntrace, f.other, f.other));
  print_message("%s, order %d, %d: %.3g, %.3g of %.3g: %.2g\n", c->name, order, time_order,
                left, right, scale, fabs(left - right) / scale);
  assert_true(scale > 0);
  fm_near(fabs(left - right) / scale, 0, DOUBLE ? 1e-12 : 1e-5);
  wave_end(&f);
}

static void dot_test(void **state) { each_case(check_dot); }

FM_TEST_MAIN(cmocka_unit_test(dot_test))
