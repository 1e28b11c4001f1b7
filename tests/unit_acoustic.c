/* The operator acoustic: the exact solution in a homogeneous medium, transposes and
   derivatives with every feature, and what must be the same numbers. */
#include "../operators/acoustic.h"
#include "acoustic_fixture.h"

/* ---- exact solutions ---- */

/* u(t) = 1/(2 pi) int f(t - s) / sqrt(s^2 - r^2/c^2) ds, s = r/c cosh y, by the midpoint rule;
   f is a Ricker wavelet from t = 0 on. */
static double green(double t, double r, double c, double peak, double delay) {
  const int n = 4000;
  const double most = t * c > r ? acosh(t * c / r) : 0;
  double sum = 0;

  for (int k = 0; k < n; k++) {
    const double s = t - r / c * cosh(most * (k + 0.5) / n);
    const double a = pow(M_PI * peak * (s - delay), 2);

    sum += (1 - 2 * a) * exp(-a) * most / n;
  }
  return sum / (2 * M_PI);
}

/* Relative L2 error at the receivers; image: less the source mirrored at z = 0. */
static double error_at(const char *options, int samples, double dt, const double (*at)[2],
                       int n, const double source[2], PetscBool image) {
  double wrong = 0, size = 0;
  const double *d;
  fixture f = {.op = acoustic_make(PETSC_COMM_SELF, "acoustic", "%s", options)};

  vecs(&f, 0);
  fm_ok(VecSet(f.x, 2000));
  linearize(&f, f.x, f.d);
  fm_ok(VecGetArrayRead(f.d, &d));
  for (int r = 0; r < n; r++)
    for (int i = 0; i < samples; i++) {
      const double away = at[r][1] - source[1];
      double u = green(i * dt, hypot(at[r][0] - source[0], away), 2000, 10, 0.15);

      if (image) u -= green(i * dt, hypot(at[r][0] + source[0], away), 2000, 10, 0.15);
      wrong += pow(d[r * samples + i] - u, 2);
      size += u * u;
    }
  fm_ok(VecRestoreArrayRead(f.d, &d));
  end(&f);
  return sqrt(wrong / size);
}

/* 8 points per wavelength at the maximum frequency, CFL number 0.4; receivers on and off nodes.
   */
#define HOMOGENEOUS                                                                            \
  "-acoustic_shape 61x51 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 226 "         \
  "-acoustic_wavelet_frequency 10 -acoustic_sources 303,151 -acoustic_receivers "              \
  "303,251,404.4,188.1,160,400 -acoustic_velocity_min 2000 -acoustic_velocity_max 2000 "
static const double here[2] = {303, 151},
                    there[3][2] = {{303, 251}, {404.4, 188.1}, {160, 400}};

static void greens_function(void **state) {
  const double second = error_at(HOMOGENEOUS, 226, 0.002, there, 3, here, PETSC_FALSE);
  const double fourth =
      error_at(HOMOGENEOUS "-acoustic_time_order 4", 226, 0.002, there, 3, here, PETSC_FALSE);
  const double plain = error_at(HOMOGENEOUS "-acoustic_time_dispersion 0", 226, 0.002, there, 3,
                                here, PETSC_FALSE);
  const double sixth =
      error_at(HOMOGENEOUS "-acoustic_order 6", 226, 0.002, there, 3, here, PETSC_FALSE);

  print_message("error to the exact solution: %.2e; fourth order in time %.2e; time dispersion "
                "left in %.2e; sixth order in space %.2e\n",
                second, fourth, plain, sixth);
  assert_true(second < 8e-4 && fourth < 8e-4 && sixth < 8e-4);
  assert_true(plain > 3 * second);
}

/* The image of the source has the opposite sign. Every second sample is recorded. */
static void free_surface(void **state) {
  const double source[2] = {52, 148}, at[2][2] = {{33, 250}, {121.7, 333.3}};
  const double error = error_at(
      "-acoustic_shape 41x51 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 225 "
      "-acoustic_wavelet_frequency 10 -acoustic_sources 52,148 -acoustic_receivers "
      "33,250,121.7,333.3 -acoustic_free_surface -acoustic_velocity_min 2000 "
      "-acoustic_record_every 2",
      113, 0.004, at, 2, source, PETSC_TRUE);

  print_message("below a free surface: %.2e\n", error);
  assert_true(error < 5e-3);
}

/* ---- transposes and derivatives ---- */

static const feature features[] = {
    {FAST "-acoustic_layers 5", 2000, 80},
    {FAST "-acoustic_layers 3,0,4,2 -acoustic_record_every 3", 2000, 80},
    {FAST "-acoustic_free_surface -acoustic_layers 4 -acoustic_order 6", 2000, 80},
    {FAST "-acoustic_time_order 4 -acoustic_free_surface -acoustic_layers 3", 2000, 80},
    {FAST "-acoustic_order 4 -acoustic_unknown slowness2 -acoustic_layers 4", 2.5e-7, 2e-8},
    {FAST
     "-acoustic_order 2 -acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale "
     "80 -acoustic_layers 4",
     0, 1},
    {FAST "-acoustic_unknown bounded -acoustic_velocity_min 1500 -acoustic_velocity_max 2800 "
          "-acoustic_free_surface -acoustic_record_every 2 -acoustic_layers 4",
     0, 0.3},
    {FAST "-acoustic_shape 21x17 -acoustic_coarsen 2 -acoustic_layers 3", 2000, 80},
    {FAST "-acoustic_shape 22x22 -acoustic_coarsen 3 -acoustic_unknown slowness2", 2.5e-7,
     5e-8},
    {FAST "-acoustic_shape 20x18 -acoustic_coarsen 2 -acoustic_layers 3", 2000, 80},
    {FAST "-acoustic_shape 24x23 -acoustic_coarsen 3 -acoustic_unknown slowness2", 2.5e-7,
     5e-8},
    {FAST "-tape_memory 100K -acoustic_layers 5", 2000, 80},
};
#define FEATURES ((int)(sizeof(features) / sizeof(features[0])))

static void dot_tests(void **state) {
  double worst = 0;

  for (int k = 0; k < FEATURES; k++)
    for (PetscInt part = 0; part < 2; part++) {
      fixture f;
      double error;

      begin(&f, &features[k], "acoustic", part);
      linearize(&f, f.x, f.d);
      fm_ok(fm_operator_jvp(f.op, part, f.dx, f.w));
      fm_ok(fm_operator_vjp(f.op, part, f.dd, f.gx));
      error = fabs(dot(f.w, f.dd) - dot(f.dx, f.gx)) / (norm(f.w) * norm(f.dd));
      worst = fmax(worst, error);
      assert_true(norm(f.w) > 1e-3 * norm(f.d));
      fm_near(error, 0, tight);
      end(&f);
    }
  print_message("dot tests, worst: %.1e\n", worst);
}

/* |F(x + h dx) - F(x) - h J dx| */
static double remainder_of(fixture *f, double h, Vec jdx) {
  fm_ok(VecWAXPY(f->gx, h, f->dx, f->x));
  linearize(f, f->gx, f->w);
  fm_ok(VecAXPY(f->w, -1, f->d));
  fm_ok(VecAXPY(f->w, -h, jdx));
  return norm(f->w);
}

static void taylor_tests(void **state) {
  const double h = sizeof(fm_real) == 4 ? 0.25 : 1. / 64,
               k = sizeof(fm_real) == 4 ? 0.06 : 1. / 256;

  for (int i = 0; i < FEATURES; i++) {
    double slope;
    fixture f;
    Vec jdx;

    begin(&f, &features[i], "acoustic", 0);
    fm_ok(VecDuplicate(f.d, &jdx));
    linearize(&f, f.x, f.d);
    fm_ok(fm_operator_jvp(f.op, 0, f.dx, jdx));
    slope = log(remainder_of(&f, h, jdx) / remainder_of(&f, k, jdx)) / log(h / k);
    if (fabs(slope - 2) > 0.1) fail_msg("%s: Taylor slope %.3f", features[i].options, slope);
    fm_ok(VecDestroy(&jdx));
    end(&f);
  }
}

/* ---- the same numbers ---- */

static void data_of(const char *options, PetscInt part, Vec *d) {
  fixture f = {.op = acoustic_make(PETSC_COMM_SELF, "acoustic", SMALL FAST "%s", options)};

  vecs(&f, part);
  acoustic_fill(f.x, 1, 2000, 80);
  linearize(&f, f.x, f.d);
  fm_ok(VecDuplicate(f.d, d));
  fm_ok(VecCopy(f.d, *d));
  end(&f);
}

/* every third sample of all */
static void record_every(void **state) {
  const double *all, *some;
  Vec a, b;

  data_of("", 0, &a);
  data_of("-acoustic_record_every 3", 0, &b);
  fm_ok(VecGetArrayRead(a, &all));
  fm_ok(VecGetArrayRead(b, &some));
  for (int r = 0; r < 4; r++)
    for (int i = 0; i < 27; i++) assert_true(some[r * 27 + i] == all[r * 80 + 3 * i]);
  fm_ok(VecRestoreArrayRead(a, &all));
  fm_ok(VecRestoreArrayRead(b, &some));
  fm_ok(VecDestroy(&a));
  fm_ok(VecDestroy(&b));
}

/* On every second node: of one velocity nothing changes but the error of the grid; a layered
   model has the mean of squared slowness, [1 2 1]/4 inside, [2 1]/3 at the edge. */
static void coarser_grid(void **state) {
  const double dense = error_at(HOMOGENEOUS, 226, 0.002, there, 3, here, PETSC_FALSE);
  const double coarse =
      error_at(HOMOGENEOUS "-acoustic_coarsen 2", 226, 0.002, there, 3, here, PETSC_FALSE);
  fixture f = {.op = acoustic_make(PETSC_COMM_SELF, "acoustic", "%s",
                                   SMALL FAST "-acoustic_shape 21x17 -acoustic_coarsen 2")};
  const fm_acoustic *a = (const fm_acoustic *)f.op->data;

  assert_true(coarse > 2 * dense && coarse < 0.03);
  vecs(&f, 0);
  for (int i = 0; i < 21 * 17; i++)
    fm_ok(VecSetValue(f.x, i, 1800 + 20 * (i / 17) + (i % 17), INSERT_VALUES));
  fm_ok(VecAssemblyBegin(f.x));
  fm_ok(VecAssemblyEnd(f.x));
  linearize(&f, f.x, f.d);
  for (int z = 0; z < 11; z += 5)
    for (int x = 0; x < 9; x += 4) {
      double sum = 0, weights = 0;

      for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++) {
          const double w = (2 - abs(i)) * (2 - abs(j)), c = 1800 + 20 * (2 * z + i) + 2 * x + j;

          if (2 * z + i < 0 || 2 * z + i > 20 || 2 * x + j < 0 || 2 * x + j > 16) continue;
          sum += w / (c * c);
          weights += w;
        }
      fm_near(a->coarse[z * 9 + x] / sqrt(weights / sum), 1, 1e-6);
    }
  end(&f);
}

/* Even numbers of nodes, as flows of images have: as if the last row and column were there
   twice. */
static void coarser_grid_of_even_sides(void **state) {
  const char *const shapes[] = {"32x64", "33x65"};
  const double *x[2];
  Vec d[2];

  for (int k = 0; k < 2; k++) {
    const int rows = 32 + k, columns = 64 + k;
    fixture f = {.op = acoustic_make(PETSC_COMM_SELF, "acoustic",
                                     SMALL FAST "-acoustic_shape %s -acoustic_coarsen 2",
                                     shapes[k])};
    const fm_acoustic *a = (const fm_acoustic *)f.op->data;

    assert_true(a->spec.nz == 17 && a->spec.nx == 33);
    vecs(&f, 0);
    for (int i = 0; i < rows * columns; i++) {
      const int row = i / columns < 31 ? i / columns : 31;
      const int column = i % columns < 63 ? i % columns : 63;

      fm_ok(VecSetValue(f.x, i, 1800 + 8 * row + 200 * sin(row + 0.3 * column), INSERT_VALUES));
    }
    fm_ok(VecAssemblyBegin(f.x));
    fm_ok(VecAssemblyEnd(f.x));
    linearize(&f, f.x, f.d);
    fm_ok(VecDuplicate(f.d, &d[k]));
    fm_ok(VecCopy(f.d, d[k]));
    end(&f);
  }
  for (int k = 0; k < 2; k++) fm_ok(VecGetArrayRead(d[k], &x[k]));
  assert_memory_equal(x[0], x[1], 4 * 80 * sizeof(double));
  for (int k = 0; k < 2; k++) {
    fm_ok(VecRestoreArrayRead(d[k], &x[k]));
    fm_ok(VecDestroy(&d[k]));
  }
}

/* The same receivers for each shot, said twice. */
static void moving_receivers(void **state) {
  const double at[2][4][2] = {{{40, 24}, {61.7, 140}, {100, 155.5}, {15, 100}},
                              {{40, 24}, {100, 155.5}, {100, 155.5}, {61.7, 140}}};
  const int of_one[2][4] = {{0, 1, 2, 3}, {0, 2, 2, 1}};
  const double *x, *y;
  Vec a, b;

  acoustic_file(PETSC_COMM_SELF, "unit_acoustic.h5", "/r", 3, (int64_t[]){2, 4, 2},
                &at[0][0][0]);
  for (int part = 0; part < 2; part++) {
    data_of("", part, &a);
    data_of("-acoustic_receivers unit_acoustic.h5:/r", part, &b);
    fm_ok(VecGetArrayRead(a, &x));
    fm_ok(VecGetArrayRead(b, &y));
    for (int r = 0; r < 4; r++)
      assert_memory_equal(y + r * 80, x + of_one[part][r] * 80, 80 * sizeof(double));
    fm_ok(VecRestoreArrayRead(a, &x));
    fm_ok(VecRestoreArrayRead(b, &y));
    fm_ok(VecDestroy(&a));
    fm_ok(VecDestroy(&b));
  }
  remove("unit_acoustic.h5");
}

/* A wavelet of 1e-60 of the size gives 1e-60 of the data, in float too; a gradient likewise. */
static void any_unit(void **state) {
  double wavelet[80], tiny = ldexp(1, -200);
  fixture f[2];

  for (int i = 0; i < 80; i++) {
    const double a = pow(M_PI * 20 * (i * 0.0012 - 0.05), 2);

    wavelet[i] = (1 - 2 * a) * exp(-a);
  }
  for (int k = 0; k < 2; k++) {
    acoustic_file(PETSC_COMM_SELF, "unit_acoustic.h5", "/w", 1, (int64_t[]){80}, wavelet);
    f[k].op = acoustic_make(
        PETSC_COMM_SELF, "acoustic", "%s",
        "-acoustic_shape 20x17 -acoustic_spacing 10,12 -acoustic_steps 80 -acoustic_sources "
        "73,91.5 -acoustic_receivers 40,24,61.7,140 -acoustic_allow_dispersion " FAST
        "-acoustic_wavelet unit_acoustic.h5:/w");
    vecs(&f[k], 0);
    acoustic_fill(f[k].x, 1, 2000, 80);
    acoustic_fill(f[k].dd, 3, 0, k ? tiny : 1);
    linearize(&f[k], f[k].x, f[k].d);
    fm_ok(fm_operator_vjp(f[k].op, 0, f[k].dd, f[k].gx));
    for (int i = 0; i < 80; i++) wavelet[i] *= tiny;
  }
  assert_true(norm(f[0].d) > 0 && norm(f[0].gx) > 0);
  fm_ok(VecScale(f[1].d, 1 / tiny));
  fm_ok(VecScale(f[1].gx, 1 / tiny));
  fm_ok(VecScale(f[1].gx, 1 / tiny));
  assert_true(apart(f[1].d, f[0].d) == 0 && apart(f[1].gx, f[0].gx) == 0);
  for (int k = 0; k < 2; k++) end(&f[k]);
  remove("unit_acoustic.h5");
}

/* What is radiated from one place and received at another is the same the other way about:
   nothing absorbs here. */
static void reciprocity(void **state) {
  static const char *const ways[] = {"-acoustic_sources 73,91.5 -acoustic_receivers 40.3,40",
                                     "-acoustic_sources 40.3,40 -acoustic_receivers 73,91.5"};
  Vec d[2];

  for (int k = 0; k < 2; k++) {
    char text[256];

    snprintf(text, sizeof(text), "%s -acoustic_layers 0", ways[k]);
    data_of(text, 0, &d[k]);
  }
  fm_near(apart(d[0], d[1]), 0, sizeof(fm_real) == 4 ? 2e-5 : 1e-12);
  for (int k = 0; k < 2; k++) fm_ok(VecDestroy(&d[k]));
}

/* A supershot is the signed sum of its shots, in data and derivatives; afterwards all is as
   before. */
static void encoded_shots(void **state) {
  const double sign[2] = {1, -1};
  fixture f[2];
  Vec sum, single;

  for (int p = 0; p < 2; p++) {
    begin(&f[p], &features[0], "acoustic", p);
    linearize(&f[p], f[p].x, f[p].d);
    fm_ok(fm_operator_vjp(f[p].op, p, f[p].dd, f[p].gx));
  }
  fm_ok(VecDuplicate(f[0].d, &sum));
  fm_ok(VecDuplicate(f[0].gx, &single));
  fm_ok(VecWAXPY(sum, -1, f[1].d, f[0].d));
  fm_ok(VecCopy(f[0].gx, single));
  fm_ok(VecAXPY(f[0].gx, -1, f[1].gx));
  fm_ok(fm_operator_encode(f[1].op, sign));
  linearize(&f[1], f[1].x, f[1].d);
  fm_near(apart(f[1].d, sum), 0, tight);
  fm_ok(fm_operator_vjp(f[1].op, 1, f[1].dd, f[1].gx));
  fm_near(apart(f[1].gx, f[0].gx), 0, tight);
  fm_ok(fm_operator_encode(f[1].op, NULL));
  f[1].part = 0;
  linearize(&f[1], f[1].x, f[1].d);
  fm_ok(fm_operator_vjp(f[1].op, 0, f[1].dd, f[1].gx));
  assert_true(apart(f[1].d, f[0].d) == 0 && apart(f[1].gx, single) == 0);
  fm_ok(VecDestroy(&sum));
  fm_ok(VecDestroy(&single));
  for (int p = 0; p < 2; p++) end(&f[p]);
}

FM_TEST_MAIN(cmocka_unit_test(greens_function), cmocka_unit_test(free_surface),
             cmocka_unit_test(dot_tests), cmocka_unit_test(taylor_tests),
             cmocka_unit_test(record_every), cmocka_unit_test(coarser_grid),
             cmocka_unit_test(coarser_grid_of_even_sides), cmocka_unit_test(moving_receivers),
             cmocka_unit_test(any_unit), cmocka_unit_test(reciprocity),
             cmocka_unit_test(encoded_shots))
