/* The operator laplace against an independent dense solve, the exact solution for one
   coefficient, and its own derivatives; failed solves; bad input. The test vectors of the
   benchmark are in unit_laplace_vectors.c. */
#include "fathom/options.h"
#include "laplace_cases.h"

/* ---- a dense solve of our own, by quadrature ---- */

#define MOST 100

typedef struct system {
  int n; /* cells a side */
  double k[MOST][MOST + 1];
} system_of;

/* Number of an interior node, -1 on the boundary. */
static int inner(int n, int i, int j) {
  return i > 0 && i < n && j > 0 && j < n ? i - 1 + (n - 1) * (j - 1) : -1;
}

/* Add a cell by 2 x 2 Gauss points: a grad N_p . grad N_q and f N_p. */
static void add_cell(system_of *s, int cx, int cy, double a, double f) {
  const double h = 1. / s->n, g[2] = {0.5 - sqrt(3) / 6, 0.5 + sqrt(3) / 6};

  for (int k = 0; k < 4; k++) {
    const double t[2] = {g[k % 2], g[k / 2]};
    double value[4], dx[4], dy[4];

    for (int p = 0; p < 4; p++) {
      const double u = p % 2 ? t[0] : 1 - t[0], v = p / 2 ? t[1] : 1 - t[1];

      value[p] = u * v;
      dx[p] = (p % 2 ? 1 : -1) * v / h;
      dy[p] = (p / 2 ? 1 : -1) * u / h;
    }
    for (int p = 0; p < 4; p++) {
      const int row = inner(s->n, cx + p % 2, cy + p / 2);

      if (row < 0) continue;
      s->k[row][(s->n - 1) * (s->n - 1)] += f * value[p] * h * h / 4;
      for (int q = 0; q < 4; q++) {
        const int column = inner(s->n, cx + q % 2, cy + q / 2);

        if (column >= 0) s->k[row][column] += a * (dx[p] * dx[q] + dy[p] * dy[q]) * h * h / 4;
      }
    }
  }
}

/* The last column becomes the solution. */
static void eliminate(int n, double k[MOST][MOST + 1]) {
  for (int c = 0; c < n; c++)
    for (int r = 0; r < n; r++) {
      const double factor = k[r][c] / k[c][c];

      for (int j = c; j <= n && r != c; j++) k[r][j] -= factor * k[c][j];
    }
  for (int c = 0; c < n; c++) k[c][n] /= k[c][c];
}

static double at_point(const system_of *s, double x, double y) {
  const int i = (int)floor(x * s->n), j = (int)floor(y * s->n), n = (s->n - 1) * (s->n - 1);
  double sum = 0;

  for (int p = 0; p < 4; p++) {
    const int node = inner(s->n, i + p % 2, j + p / 2);
    const double u = x * s->n - i, v = y * s->n - j;

    if (node >= 0) sum += (p % 2 ? u : 1 - u) * (p / 2 ? v : 1 - v) * s->k[node][n];
  }
  return sum;
}

static void dense(int n, int bx, int by, int points, double f, const double *theta, double *d) {
  static system_of s;

  memset(&s, 0, sizeof(s));
  s.n = n;
  for (int cx = 0; cx < n; cx++)
    for (int cy = 0; cy < n; cy++) {
      const int i = (int)floor(bx * (cx + 0.5) / n), j = (int)floor(by * (cy + 0.5) / n);

      add_cell(&s, cx, cy, theta[i + bx * j], f);
    }
  eliminate((n - 1) * (n - 1), s.k);
  for (int a = 1; a <= points; a++)
    for (int b = 1; b <= points; b++)
      d[(a - 1) * points + b - 1] =
          at_point(&s, (double)a / (points + 1), (double)b / (points + 1));
}

/* Meshes on which blocks end at cells, straddle them, and meet a cell's centre (7 cells, 2
   blocks); points beside the boundary; another source. */
static void agrees_with_a_dense_solve(void **state) {
  static const struct {
    int cells, bx, by, points;
    double source;
  } cases[] = {{6, 3, 2, 4, 10},
               {7, 2, 3, 9, 10},
               {8, 3, 5, 2, -4},
               {11, 4, 11, 6, 1.5},
               {2, 1, 2, 3, 10}};

  for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
    double phi[64], theta[64], d[81], expected[81];
    char options[256];
    fixture f;

    snprintf(options, sizeof(options),
             "-laplace_cells %d -laplace_blocks %dx%d -laplace_points %d -laplace_source %g",
             cases[k].cells, cases[k].bx, cases[k].by, cases[k].points, cases[k].source);
    begin(&f, options);
    normal(k, f.n, 0.3, phi);
    for (int64_t i = 0; i < f.n; i++) theta[i] = exp(phi[i]);
    dense(cases[k].cells, cases[k].bx, cases[k].by, cases[k].points, cases[k].source, theta,
          expected);
    assert_true(forward(&f, phi, d));
    fm_near(difference(f.m, d, expected), 0, 1e-12);
    end(&f);
  }
}

/* ---- the exact solution for one coefficient ---- */

/* u of -lap u = 1, u = 0 on the boundary. */
static double exact(double x, double y) {
  const double pi = acos(-1.);
  double u = x * (1 - x) / 2;

  for (int n = 1; n < 80; n += 2)
    u -= 4 / (pi * pi * pi) * sin(n * pi * x) * cosh(n * pi * (y - 0.5)) /
         (n * n * n * cosh(n * pi / 2));
  return u;
}

/* Largest error at the points 1/4, 1/2, 3/4 squared, a = 2, f = 10. */
static double error_at(int cells) {
  double phi, d[9], most = 0;
  char options[128];
  fixture f;

  snprintf(options, sizeof(options),
           "-laplace_blocks 1 -laplace_points 3 -laplace_cells %d -laplace_unknown value",
           cells);
  begin(&f, options);
  phi = 2;
  assert_true(forward(&f, &phi, d));
  for (int a = 1; a <= 3; a++)
    for (int b = 1; b <= 3; b++)
      most = fmax(most, fabs(d[3 * (a - 1) + b - 1] - 5 * exact(a / 4., b / 4.)));
  end(&f);
  return most;
}

static void converges_in_second_order(void **state) {
  double error[4];

  for (int k = 0; k < 4; k++) error[k] = error_at(8 << k);
  for (int k = 0; k < 3; k++) fm_near(log2(error[k] / error[k + 1]), 2, 0.05);
  assert_true(error[3] < 1e-4);
}

/* Mirrored in the diagonal, theta gives mirrored data; theta times c gives data over c. */
static void mirrors_and_scales(void **state) {
  double phi[64], mirrored[64], d[169], e[169], back[169];
  fixture f;

  begin(&f, "");
  normal(5, 64, 4, phi);
  for (int i = 0; i < 64; i++) mirrored[i] = phi[i / 8 + 8 * (i % 8)] + log(3);
  assert_true(forward(&f, phi, d));
  assert_true(forward(&f, mirrored, e));
  for (int i = 0; i < 169; i++) back[i] = 3 * e[i / 13 + 13 * (i % 13)];
  fm_near(difference(169, back, d), 0, 1e-12);
  end(&f);
}

/* ---- derivatives ---- */

static double norm(Vec v) {
  double n;

  fm_ok(VecNorm(v, NORM_2, &n));
  return n;
}

/* |F(x + h dx) - F(x) - h J dx|, without the Jacobian where `first`. */
static double remainder_at(fixture *f, double h, int first, Vec base, Vec jdx) {
  PetscBool ok;
  Vec x;
  double r;

  fm_ok(VecDuplicate(f->x, &x));
  fm_ok(VecWAXPY(x, h, f->dx, f->x));
  fm_ok(fm_operator_linearize(f->op, 0, x, f->w, &ok));
  assert_true(ok);
  fm_ok(VecAXPY(f->w, -1, base));
  if (!first) fm_ok(VecAXPY(f->w, -h, jdx));
  r = norm(f->w);
  fm_ok(VecDestroy(&x));
  return r;
}

static void check_derivatives(const char *options, double centre) {
  const double h = 1. / 512, k = 1. / 4096;
  double x[64], d[169], dot[2], slope[2];
  fixture f;

  begin(&f, options);
  normal(2, f.n, 0, x);
  set(f.dx, x);
  normal(3, f.m, 0, d);
  set(f.dd, d);
  normal(1, f.n, centre, x);
  assert_true(forward(&f, x, d));
  fm_ok(fm_operator_jvp(f.op, 0, f.dx, f.w));
  fm_ok(fm_operator_vjp(f.op, 0, f.dd, f.gx));
  fm_ok(VecDot(f.w, f.dd, &dot[0]));
  fm_ok(VecDot(f.dx, f.gx, &dot[1]));
  dot[1] = fabs(dot[0] - dot[1]) / (norm(f.w) * norm(f.dd));
  fm_ok(VecCopy(f.w, f.dd)); /* J dx from here on */
  for (int first = 0; first < 2; first++)
    slope[first] =
        log(remainder_at(&f, h, first, f.d, f.dd) / remainder_at(&f, k, first, f.d, f.dd)) /
        log(h / k);
  print_message("derivatives%s: dot test %.2g, Taylor slopes %.4f and %.4f\n", options, dot[1],
                slope[1], slope[0]);
  fm_near(dot[1], 0, 1e-12);
  fm_near(slope[1], 1, 0.05);
  fm_near(slope[0] / 2, 1, 0.05);
  end(&f);
}

static void derivatives(void **state) {
  check_derivatives("", 0);
  check_derivatives(" -laplace_unknown value", 6);
  check_derivatives(" -laplace_cells 10 -laplace_blocks 4x9 -laplace_points 7", 0);
  check_derivatives(" -laplace_cells 7 -laplace_blocks 2x3 -laplace_points 9", 0);
  check_derivatives(" -laplace_redundant false", 0);
}

/* ---- one factorisation, one symbolic one ---- */

static int count_of(const char *event) {
  PetscEventPerfInfo info;
  PetscLogEvent id;

  fm_ok(PetscLogEventGetId(event, &id));
  fm_ok(PetscLogEventGetPerfInfo(PETSC_DETERMINE, id, &info));
  return (int)info.count;
}

static void factorises_once_a_linearize(void **state) {
  double x[64], d[169];
  int symbolic, numeric;
  fixture f;

  fm_ok(PetscLogDefaultBegin());
  symbolic = count_of("MatCholFctrSym");
  numeric = count_of("MatCholFctrNum");
  begin(&f, "");
  for (int k = 0; k < 3; k++) {
    normal((uint64_t)k, 64, 0, x);
    assert_true(forward(&f, x, d));
    fm_ok(fm_operator_jvp(f.op, 0, f.x, f.w));
    fm_ok(fm_operator_vjp(f.op, 0, f.w, f.gx));
  }
  assert_int_equal(count_of("MatCholFctrSym") - symbolic, 1);
  assert_int_equal(count_of("MatCholFctrNum") - numeric, 3);
  end(&f);
}

/* ---- what fails ---- */

static void check_failure(fixture *f, int64_t i, double value) {
  double x[64], d[169];

  normal(9, f->n, 3, x);
  x[i] = value;
  assert_false(forward(f, x, d));
  for (int64_t k = 0; k < f->m; k++) assert_true(isnan(d[k]));
  fm_expect_error(fm_operator_vjp(f->op, 0, f->d, f->gx), "nothing was linearized");
}

/* A sample that fails leaves no trace in the next one. */
static void failures_are_said_and_forgotten(void **state) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e4, -1e4};
  double x[64], before[169], after[169];
  fixture f;

  begin(&f, "");
  normal(1, 64, 0, x);
  assert_true(forward(&f, x, before));
  for (int k = 0; k < 5; k++) check_failure(&f, 13 * k, bad[k]);
  assert_true(forward(&f, x, after));
  assert_memory_equal(before, after, sizeof(before));
  end(&f);
  begin(&f, "-laplace_source 1e300");
  for (int i = 0; i < 64; i++) x[i] = -600;
  assert_false(forward(&f, x, after)); /* u overflows */
  end(&f);
  begin(&f, "-laplace_unknown value");
  check_failure(&f, 0, 0);
  check_failure(&f, 63, -1);
  check_failure(&f, 63, NAN);
  end(&f);
}

static void a_solve_that_does_not_converge_fails(void **state) {
  double x[64], d[169];
  const double *g;
  fixture f;

  begin(&f, "-laplace_redundant false -laplace_ksp_max_it 3");
  normal(1, 64, 0, x);
  assert_false(forward(&f, x, d));
  assert_true(isnan(d[0]) && isnan(d[168]));
  end(&f);
  begin(&f, "-laplace_redundant false -laplace_ksp_type richardson -laplace_ksp_max_it 50"
            " -laplace_pc_type cholesky");
  assert_true(forward(&f, x, d));
  fm_ok(VecSet(f.dd, 1e300)); /* the adjoint overflows: no number rather than a wrong one */
  fm_ok(VecScale(f.dd, 1e8));
  fm_ok(fm_operator_vjp(f.op, 0, f.dd, f.gx));
  fm_ok(VecGetArrayRead(f.gx, &g));
  assert_true(isnan(g[0]) && isnan(g[63]));
  fm_ok(VecRestoreArrayRead(f.gx, &g));
  end(&f);
}

/* Coefficients far from 1, alike or not, are no failure. */
static void extreme_coefficients_solve(void **state) {
  double x[64], d[169], e[169];
  fixture f;

  begin(&f, "");
  for (int i = 0; i < 64; i++) x[i] = 0;
  assert_true(forward(&f, x, d));
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < 64; i++) x[i] = k ? 60 : -60;
    assert_true(forward(&f, x, e));
    for (int i = 0; i < 169; i++) e[i] *= exp(x[0]);
    fm_near(difference(169, e, d), 0, 1e-12);
  }
  for (int i = 0; i < 64; i++) x[i] = i % 3 ? 12 : -12;
  assert_true(forward(&f, x, e));
  end(&f);
}

/* ---- options ---- */

static void refuse(const char *options, const char *word) {
  fm_operator *op = NULL;

  fm_expect_error(laplace_try(PETSC_COMM_WORLD, options, &op), word);
}

static void refuses_what_does_not_fit(void **state) {
  refuse("-laplace_cells 7", "-laplace_cells 7 is fewer than the 8 blocks a side");
  refuse("-laplace_cells 8 -laplace_blocks 4x9", "fewer than the 9 blocks");
  refuse("-laplace_cells 1 -laplace_blocks 1", "-laplace_cells 1 is outside [2, ");
  refuse("-laplace_points 0", "-laplace_points 0 is outside [1, ");
  refuse("-laplace_blocks 4x", "not '4x'");
  refuse("-laplace_blocks 4x5x6", "not '4x5x6'");
  refuse("-laplace_blocks eight", "not 'eight'");
  refuse("-laplace_blocks 0", "not '0'");
  refuse("-laplace_blocks 3x-2", "not '3x-2'");
  refuse("-laplace_unknown phi", "-laplace_unknown 'phi' is not one of log|value");
  refuse("-laplace_source strong", "-laplace_source takes a finite number, not 'strong'");
}

static void describes_itself(void **state) {
  fm_operator *op;

  op = laplace_create(PETSC_COMM_WORLD, "-laplace_cells 12 -laplace_blocks 3x4"
                                        " -laplace_ksp_type cg -laplace_pc_type icc");
  assert_string_equal(fm_operator_describe(op),
                      "laplace, 12x12 cells, 3x4 blocks (log), 13x13 points, source 10, "
                      "cg with icc, redundant");
  fm_ok(fm_operator_destroy(&op));
}

/* PETSc's options pass under the operator's prefix, and under no other. */
static void solver_options_are_known(void **state) {
  static const char *const good[] = {"-laplace_ksp_type", "-laplace_pc_type",
                                     "-laplace_mat_mumps_icntl_14", "-laplace_sub_pc_type"};
  static const char *const bad[] = {"-laplace_kps_type", "-laplace_cell", "-dense_ksp_type",
                                    "-laplace_cellsksp_type"};

  fm_ok(fm_operators_declare_options());
  for (int k = 0; k < 4; k++) fm_ok(PetscOptionsSetValue(NULL, good[k], "cg"));
  fm_ok(fm_options_check("refine"));
  for (int k = 0; k < 4; k++) fm_ok(PetscOptionsClearValue(NULL, good[k]));
  for (int k = 0; k < 4; k++) {
    fm_ok(PetscOptionsSetValue(NULL, bad[k], "5"));
    fm_expect_error(fm_options_check("refine"), bad[k]);
    fm_ok(PetscOptionsClearValue(NULL, bad[k]));
  }
}

/* What PETSc's solver never asked for is named, once it is set up; what it did ask for passes,
   if only at a solve. */
static void unused_solver_options_are_refused(void **state) {
  static const char *const good[] = {
      "-laplace_ksp_type cg -laplace_ksp_rtol 1e-9 -laplace_pc_type icc",
      "-laplace_pc_type gamg -laplace_ksp_type gmres -laplace_mg_levels_ksp_max_it 3",
      "-laplace_pc_type bjacobi -laplace_sub_pc_type ilu -laplace_sub_pc_factor_levels 1 "
      "-laplace_ksp_type cg -laplace_ksp_converged_reason -other_ksp_typ cg"};
  static const char *const bad[][2] = {
      {"-laplace_ksp_typ cg", "set up, preonly with cholesky, has no option -laplace_ksp_typ"},
      {"-laplace_ksp_type cg -laplace_pc_gamg_threshold 0.1 -laplace_mat_mumps_icntl_7 2",
       "cg with cholesky, has no option -laplace_mat_mumps_icntl_7, "
       "-laplace_pc_gamg_threshold"}};
  const int kept = fm_test_mute(stdout);
  fm_operator *op = NULL;

  for (int k = 0; k < 3; k++) {
    fm_ok(laplace_try(PETSC_COMM_SELF, good[k], &op));
    fm_ok(fm_operator_destroy(&op));
  }
  fm_test_unmute(stdout, kept);
  for (int k = 0; k < 2; k++)
    fm_expect_error(laplace_try(PETSC_COMM_SELF, bad[k][0], &op), bad[k][1]);
}

FM_TEST_MAIN(

    cmocka_unit_test(agrees_with_a_dense_solve), cmocka_unit_test(converges_in_second_order),
    cmocka_unit_test(mirrors_and_scales), cmocka_unit_test(derivatives),
    cmocka_unit_test(factorises_once_a_linearize),
    cmocka_unit_test(failures_are_said_and_forgotten),
    cmocka_unit_test(a_solve_that_does_not_converge_fails),
    cmocka_unit_test(extreme_coefficients_solve), cmocka_unit_test(refuses_what_does_not_fit),
    cmocka_unit_test(describes_itself), cmocka_unit_test(solver_options_are_known),
    cmocka_unit_test(unused_solver_options_are_refused))
