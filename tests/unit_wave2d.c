/* Derivatives of the discrete scheme: dot and Taylor tests, gradients under every bound on the
   tape, models and shots one after the other. Against exact solutions: unit_wave2d_exact.c. */
#include "wave2d_cases.h"

#define DOUBLE (sizeof(fm_real) == 8)

static void each_case(void (*check)(const wave_case *, int order, int time_order)) {
  for (int k = 0; k < WAVE_CASES; k++)
    for (int order = 2; order <= 8; order += 2)
      for (int time_order = 2; time_order <= 4; time_order += 2)
        check(&wave_cases[k], order, time_order);
}

/* ---- <J dc, r> = <dc, J^T r> ---- */

static void check_dot(const wave_case *c, int order, int time_order) {
  double left, right = 0, scale;
  wave_fixture f;

  wave_begin(&f, c, PETSC_COMM_SELF, order, time_order, 160, 0);
  fm_ok(fm_wave2d_born(f.wave, &f.shot, f.dc, f.dtrace));
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_TRUE, f.trace));
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g));
  left = wave_dot(f.ntrace, f.dtrace, f.other);
  for (int64_t i = 0; i < f.nmodel; i++) right += f.dc[i] * f.g[i];
  scale = sqrt(wave_dot(f.ntrace, f.dtrace, f.dtrace) * wave_dot(f.ntrace, f.other, f.other));
  assert_true(scale > 0);
  if (!(fabs(left - right) <= (DOUBLE ? 1e-12 : 1e-5) * fmin(scale, 100 * fabs(left))))
    fail_msg("%s, order %d, %d in time: %.17g and %.17g of %.3g", c->name, order, time_order,
             left, right, scale);
  wave_end(&f);
}

static void dot_test(void **state) { each_case(check_dot); }

/* ---- F(c + h dc) = F(c) + h J dc + O(h^2) ---- */

/* |F(c + h dc) - F(c) - h J dc|. */
static double remainder_at(wave_fixture *f, double h) {
  double *c, sum = 0;

  fm_ok(PetscMalloc1(f->nmodel, &c));
  for (int64_t i = 0; i < f->nmodel; i++) c[i] = f->c[i] + h * f->dc[i];
  fm_ok(fm_wave2d_set_velocity(f->wave, c));
  fm_ok(fm_wave2d_forward(f->wave, &f->shot, PETSC_FALSE, f->other));
  for (int64_t i = 0; i < f->ntrace; i++) {
    const double r = (double)f->other[i] - (double)f->trace[i] - h * (double)f->dtrace[i];

    sum += r * r;
  }
  fm_ok(PetscFree(c));
  return sqrt(sum);
}

/* In float rounding is larger than the second-order term at any h of use: J dc is held to
   central differences instead. */
static void check_taylor(const wave_case *c, int order, int time_order) {
  double jump, difference;
  wave_fixture f;

  wave_begin(&f, c, PETSC_COMM_SELF, order, time_order, 160, 0);
  fm_ok(fm_wave2d_born(f.wave, &f.shot, f.dc, f.dtrace));
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_FALSE, f.trace));
  if (DOUBLE) {
    fm_near(log(remainder_at(&f, 1) / remainder_at(&f, 1. / 8)) / log(8) / 2, 1, 0.05);
  } else {
    jump = sqrt(wave_dot(f.ntrace, f.dtrace, f.dtrace));
    difference = remainder_at(&f, 8) / 8;
    if (!(difference <= 0.05 * jump))
      fail_msg("%s, order %d, %d in time: F(c + h dc) - F(c) is off J dc by %.3g of %.3g",
               c->name, order, time_order, difference, jump);
  }
  wave_end(&f);
}

static void taylor_test(void **state) { each_case(check_taylor); }

/* ---- bounds on the tape ---- */

static void gradient(wave_fixture *f, double *g) {
  fm_ok(fm_wave2d_forward(f->wave, &f->shot, PETSC_TRUE, f->trace));
  fm_ok(fm_wave2d_adjoint(f->wave, &f->shot, f->other, g));
}

/* The least that the sentence names. */
static long long least_tape(const wave_case *c, int time_order) {
  fm_wave2d_spec s = wave_spec(c, PETSC_COMM_SELF, 8, time_order, 160);
  long long least = 0;
  fm_wave2d *wave;
  const char *at;

  s.tape_bytes = 1;
  fm_expect_error(fm_wave2d_create(&s, &wave), "tape_memory 1");
  at = strstr(fm_test_message, "at least ");
  assert_non_null(at);
  assert_int_equal(sscanf(at, "at least %lld", &least), 1);
  return least;
}

static void check_bound(const wave_case *c, int time_order, int64_t bytes, const double *g) {
  int64_t fields, tape;
  wave_fixture f;

  wave_begin(&f, c, PETSC_COMM_SELF, 8, time_order, 160, bytes);
  fm_wave2d_memory(f.wave, &fields, &tape);
  assert_true(fields > 0 && tape > 0 && tape <= bytes);
  gradient(&f, f.g);
  assert_memory_equal(f.g, g, (size_t)f.nmodel * sizeof(double));
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g)); /* the tape is used up */
  assert_memory_equal(f.g, g, (size_t)f.nmodel * sizeof(double));
  wave_end(&f);
}

static void check_bounds(const wave_case *c, int time_order) {
  int64_t fields, tape;
  wave_fixture f;
  double *g;

  wave_begin(&f, c, PETSC_COMM_SELF, 8, time_order, 160, 0);
  fm_ok(PetscMalloc1(f.nmodel, &g));
  gradient(&f, g);
  fm_wave2d_memory(f.wave, &fields, &tape);
  assert_true(tape >= 159 * c->nz * c->nx * (int64_t)sizeof(fm_real));
  check_bound(c, time_order, tape * 12 / 100, g);
  check_bound(c, time_order, tape * 5 / 100, g);
  check_bound(c, time_order, least_tape(c, time_order), g);
  fm_ok(PetscFree(g));
  wave_end(&f);
}

static void every_bound_gives_the_same_bits(void **state) {
  for (int k = 0; k < WAVE_CASES; k++)
    for (int time_order = 2; time_order <= 4; time_order += 2)
      check_bounds(&wave_cases[k], time_order);
}

/* ---- one thing after the other ---- */

static void same(const wave_fixture *f, const double *g) {
  assert_memory_equal(f->g, g, (size_t)f->nmodel * sizeof(double));
}

/* A tape serves again; a forward without one, J dc and another model leave no trace. */
static void nothing_is_left_behind(void **state) {
  wave_fixture f;
  double *g, *c;

  wave_begin(&f, &wave_cases[3], PETSC_COMM_SELF, 8, 2, 100, 0);
  fm_ok(PetscMalloc2(f.nmodel, &g, f.nmodel, &c));
  for (int64_t i = 0; i < f.nmodel; i++) c[i] = f.c[i] - 100 * wave_uniform(5, i);
  gradient(&f, g);
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g));
  same(&f, g);
  fm_ok(fm_wave2d_born(f.wave, &f.shot, f.dc, f.dtrace));
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g));
  same(&f, g);
  fm_ok(fm_wave2d_set_velocity(f.wave, c));
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_FALSE, f.dtrace));
  assert_memory_not_equal(f.dtrace, f.trace, (size_t)f.ntrace * sizeof(fm_real));
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g));
  assert_memory_not_equal(f.g, g, (size_t)f.nmodel * sizeof(double));
  fm_ok(fm_wave2d_set_velocity(f.wave, f.c));
  fm_ok(fm_wave2d_adjoint(f.wave, &f.shot, f.other, f.g)); /* nothing is taped */
  same(&f, g);
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_FALSE, f.dtrace));
  assert_memory_equal(f.dtrace, f.trace, (size_t)f.ntrace * sizeof(fm_real));
  fm_ok(PetscFree2(g, c));
  wave_end(&f);
}

/* Another shot's records are not taken for this one's, sources in another order are another
   shot, and one sample of time has no wave. */
static void shots_are_told_apart(void **state) {
  wave_fixture f;
  double *g;

  wave_begin(&f, &wave_cases[1], PETSC_COMM_SELF, 4, 2, 100, 0);
  fm_ok(PetscMalloc1(f.nmodel, &g));
  gradient(&f, g);
  f.shot.nsource = 1;
  gradient(&f, f.g);
  assert_memory_not_equal(f.g, g, (size_t)f.nmodel * sizeof(double));
  f.shot.nsource = 3;
  gradient(&f, f.g);
  same(&f, g);
  fm_ok(PetscFree(g));
  wave_end(&f);
  wave_begin(&f, &wave_cases[1], PETSC_COMM_SELF, 4, 2, 1, 0);
  gradient(&f, f.g);
  for (int k = 0; k < 7; k++) assert_true(f.trace[k] == 0);
  for (int64_t i = 0; i < f.nmodel; i++) assert_true(f.g[i] == 0);
  wave_end(&f);
}

/* What is not finite is left in the traces, not hidden. */
static void an_unstable_step_shows(void **state) {
  PetscBool finite = PETSC_TRUE;
  wave_fixture f;

  wave_begin(&f, &wave_cases[1], PETSC_COMM_SELF, 8, 2, 1500, 0);
  for (int64_t i = 0; i < f.nmodel; i++) f.c[i] *= 3;
  fm_ok(fm_wave2d_set_velocity(f.wave, f.c));
  fm_ok(fm_wave2d_forward(f.wave, &f.shot, PETSC_FALSE, f.trace));
  for (int64_t i = 0; i < f.ntrace; i++)
    if (!isfinite((double)f.trace[i])) finite = PETSC_FALSE;
  assert_false(finite);
  wave_end(&f);
}

FM_TEST_MAIN(cmocka_unit_test(dot_test), cmocka_unit_test(taylor_test),
             cmocka_unit_test(every_bound_gives_the_same_bits),
             cmocka_unit_test(nothing_is_left_behind), cmocka_unit_test(shots_are_told_apart),
             cmocka_unit_test(an_unstable_step_shows))
