/* The operator laplace on the space communicator against one rank alone: the same bits where
   each rank solves on its own, 1e-10 where the solve is spread over the ranks. */
#include <petscksp.h>
#include "laplace_cases.h"

/* N(0, 1) numbers by name, the same on any number of ranks. */
static void fill(Vec v, uint64_t name) {
  fm_real all[256];
  PetscInt n;

  fm_ok(VecGetSize(v, &n));
  fm_rng_normal((fm_rng){7, FM_STREAM_CHECK}, 0, name, (size_t)n, all);
  fm_ok(fm_vec_set(v, all));
}

static void keep(Vec v, double **out) {
  const double *all;
  fm_gather *gather;
  PetscInt n;

  fm_ok(VecGetSize(v, &n));
  fm_ok(fm_gather_create(v, &gather));
  fm_ok(fm_gather_read(gather, v, &all));
  memcpy(*out, all, (size_t)n * sizeof(double));
  *out += n;
  fm_ok(fm_gather_destroy(&gather));
}

/* out = F(x), J dx, J^T dd one after the other, on every rank. */
static void compute(fm_operator *op, double *out) {
  Vec x, dx, d, dd;
  PetscBool ok;

  fm_ok(fm_operator_create_vecs(op, 0, &x, &d));
  fm_ok(VecDuplicate(x, &dx));
  fm_ok(VecDuplicate(d, &dd));
  fill(x, 1);
  fill(dx, 2);
  fill(dd, 3);
  fm_ok(fm_operator_linearize(op, 0, x, d, &ok));
  assert_true(ok);
  keep(d, &out);
  fm_ok(fm_operator_jvp(op, 0, dx, d));
  keep(d, &out);
  fm_ok(fm_operator_vjp(op, 0, dd, dx));
  keep(dx, &out);
  for (Vec *all[] = {&x, &dx, &d, &dd}, **v = all; v < all + 4; v++) fm_ok(VecDestroy(*v));
}

static double largest(int64_t n, const double *a) {
  double most = 0;

  for (int64_t i = 0; i < n; i++) most = isnan(a[i]) ? INFINITY : fmax(most, fabs(a[i]));
  return most;
}

/* max |a - b| / max |b| of F, J and J^T, against the direct solve of one rank. */
static void compare(const char *mesh, const char *solver, double tolerance) {
  fm_operator *together, *alone = laplace_create(PETSC_COMM_SELF, mesh);
  char options[512];
  int64_t n, m;
  double *a, *b;

  snprintf(options, sizeof(options), "%s %s", mesh, solver);
  together = laplace_create(PETSC_COMM_WORLD, options);
  fm_ok(fm_operator_sizes(alone, &n, &m));
  fm_ok(PetscMalloc2(2 * m + n, &a, 2 * m + n, &b));
  compute(together, a);
  compute(alone, b);
  if (tolerance == 0) assert_memory_equal(a, b, (size_t)(2 * m + n) * sizeof(double));
  for (int64_t i = 0; i < 2 * m + n; i++) a[i] -= b[i];
  fm_near(largest(m, a) / largest(m, b), 0, tolerance);
  fm_near(largest(m, a + m) / largest(m, b + m), 0, tolerance);
  fm_near(largest(n, a + 2 * m) / largest(n, b + 2 * m), 0, tolerance);
  fm_ok(PetscFree2(a, b));
  fm_ok(fm_operator_destroy(&together));
  fm_ok(fm_operator_destroy(&alone));
}

#define BENCHMARK ""
#define STRADDLING "-laplace_cells 21 -laplace_blocks 4x9 -laplace_points 5"

static void redundant_solves_have_the_same_bits(void **state) {
  compare(BENCHMARK, "", 0);
  compare(STRADDLING, "", 0);
  compare("-laplace_ksp_type cg -laplace_pc_type icc", "", 0);
}

static void spread_over_the_ranks(void **state) {
  static const char *const solver[] = {
      "", "-laplace_pc_type bjacobi", "-laplace_ksp_type preonly -laplace_pc_type redundant",
      "-laplace_pc_type mg -laplace_pc_mg_levels 3 -laplace_pc_mg_galerkin both"};

  for (size_t k = 0; k < sizeof(solver) / sizeof(solver[0]); k++) {
    char options[512];

    snprintf(options, sizeof(options), "-laplace_redundant false %s", solver[k]);
    compare(BENCHMARK, options, 1e-10);
    if (!strstr(options, "mg_levels")) compare(STRADDLING, options, 1e-10);
  }
}

static void spread_over_the_ranks_by_mumps(void **state) {
  PetscBool found, here;

  fm_ok(MatSolverTypeGet(MATSOLVERMUMPS, MATMPIAIJ, MAT_FACTOR_CHOLESKY, &found, &here, NULL));
  if (!here) {
    print_message("skipped: this PETSc has no MUMPS\n");
    skip();
  }
  compare(BENCHMARK,
          "-laplace_redundant false -laplace_ksp_type preonly -laplace_pc_type cholesky"
          " -laplace_pc_factor_mat_solver_type mumps",
          1e-10);
  compare(STRADDLING,
          "-laplace_redundant false -laplace_ksp_type preonly -laplace_pc_type lu"
          " -laplace_pc_factor_mat_solver_type mumps",
          1e-10);
}

static void spread_adjoint_is_the_transpose(void **state) {
  fm_operator *op = laplace_create(PETSC_COMM_WORLD, "-laplace_redundant false");
  fm_real model[64];
  double error;

  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, 64, model);
  fm_ok(fm_operator_dot_test(op, 0, model, 5, &error));
  fm_near(error, 0, 1e-11); /* as exact as the solves, which stop at 1e-12 */
  fm_ok(fm_operator_destroy(&op));
}

/* A mesh so small that some of its pieces hold hardly a node. */
static void smallest_mesh(void **state) {
  compare("-laplace_cells 3 -laplace_blocks 3 -laplace_points 2", "-laplace_redundant false",
          1e-10);
}

/* Every rank hears of a failed solve. */
static void failures_are_shared(void **state) {
  fm_operator *op =
      laplace_create(PETSC_COMM_WORLD, "-laplace_redundant false -laplace_ksp_max_it 2");
  fm_real model[64] = {0};
  double d[169];
  PetscBool ok;

  fm_ok(fm_operator_forward(op, model, d, &ok));
  assert_false(ok);
  model[40] = NAN;
  fm_ok(fm_operator_forward(op, model, d, &ok));
  assert_false(ok);
  fm_ok(fm_operator_destroy(&op));
}

FM_TEST_MAIN(cmocka_unit_test(redundant_solves_have_the_same_bits),
             cmocka_unit_test(spread_over_the_ranks),
             cmocka_unit_test(spread_over_the_ranks_by_mumps),
             cmocka_unit_test(spread_adjoint_is_the_transpose), cmocka_unit_test(smallest_mesh),
             cmocka_unit_test(failures_are_shared))
