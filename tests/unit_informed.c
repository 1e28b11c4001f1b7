/* Eigenpairs of the Hessian, products with the derivative and what a flow sees of data, against
   dense algebra written out here for d = A x. */
#include "fathom/conditioning.h"
#include "fathom/energy.h"
#include "fathom/hessian.h"
#include "fathom/options.h"
#include "fm_test.h"
#include <math.h>

#define N 7
#define M 5

#define MATRIX                                                                                 \
  "0.31,-0.72,1.13,0.05,-2.17,0.93,0.41,1.01,0.33,-0.77,1.91,0.13,-0.59,0.67,-1.3,0.21,0.83,"  \
  "-0.07,1.7,0.111,-0.123,0.9,-1.9,0.7,0.3,-0.1,0.2,0.77,3.1,0.17,-0.23,0.29,-1.01,0.37,0.43"

static const double a[M][N] = {{0.31, -0.72, 1.13, 0.05, -2.17, 0.93, 0.41},
                               {1.01, 0.33, -0.77, 1.91, 0.13, -0.59, 0.67},
                               {-1.3, 0.21, 0.83, -0.07, 1.7, 0.111, -0.123},
                               {0.9, -1.9, 0.7, 0.3, -0.1, 0.2, 0.77},
                               {3.1, 0.17, -0.23, 0.29, -1.01, 0.37, 0.43}};
static const double sigma[M] = {1.3, 0.7, 0.9, 2.1, 1.1};
static const double counts[M] = {1, 1, 0, 1, 1};

static fm_comm comm;
static fm_operator *op;

static int open_operator(void **state) {
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  fm_ok(PetscOptionsSetValue(NULL, "-dense_matrix", MATRIX));
  fm_ok(PetscOptionsSetValue(NULL, "-dense_rows", "5"));
  fm_ok(PetscOptionsSetValue(NULL, "-noise_std", "1.3,0.7,0.9,2.1,1.1"));
  fm_ok(PetscOptionsSetValue(NULL, "-data_mask", "1,1,0,1,1"));
  fm_ok(fm_operator_create(comm.space, "dense", &op));
  return 0;
}

static int close_operator(void **state) {
  fm_ok(fm_operator_destroy(&op));
  fm_ok(fm_comm_destroy(&comm));
  return 0;
}

static double weight(int i) { return counts[i] / (sigma[i] * sigma[i]); }

/* H v by hand */
static void hessian(const double *v, double *out) {
  memset(out, 0, N * sizeof(*out));
  for (int i = 0; i < M; i++) {
    double d = 0;

    for (int j = 0; j < N; j++) d += a[i][j] * v[j];
    for (int j = 0; j < N; j++) out[j] += a[i][j] * weight(i) * d;
  }
}

static fm_linearized *linearize(void) {
  const fm_real x0[N] = {0};
  fm_linearized *lin;

  fm_ok(fm_linearized_create(op, x0, &lin));
  return lin;
}

static void products_are_those_of_the_matrix(void **state) {
  double dd[2 * M], gx[2 * N], dx[2 * N], w[M], h[N];
  fm_linearized *lin = linearize();

  for (int i = 0; i < 2 * M; i++) dd[i] = sin(1. + i);
  for (int i = 0; i < 2 * N; i++) dx[i] = cos(3. * i);
  for (int i = 0; i < M; i++) w[i] = weight(i);
  for (int i = 0; i < M; i++) assert_true(fm_linearized_base(lin)[i] == 0);
  fm_ok(fm_linearized_vjp(lin, 2, dd, gx));
  for (int b = 0; b < 2; b++)
    for (int j = 0; j < N; j++) {
      double sum = 0;

      for (int i = 0; i < M; i++) sum += a[i][j] * dd[b * M + i];
      fm_near(gx[b * N + j], sum, 1e-13);
    }
  fm_ok(fm_linearized_normal(lin, w, 2, dx, gx));
  for (int b = 0; b < 2; b++) {
    hessian(dx + b * N, h);
    for (int j = 0; j < N; j++) fm_near(gx[b * N + j], h[j], 1e-12);
  }
  fm_ok(fm_linearized_destroy(&lin));
}

static fm_informed *find(int64_t rank, double *residual) {
  const fm_hessian_spec spec = {.rank = rank, .more = 3, .passes = 2, .seed = 5};
  fm_linearized *lin = linearize();
  fm_informed *in;
  double w[M];

  fm_ok(fm_conditioning_weight(PETSC_COMM_WORLD, op, w));
  for (int i = 0; i < M; i++) fm_near(w[i], weight(i), 1e-15);
  fm_ok(fm_hessian_informed(&comm, lin, w, &spec, N, &in, residual));
  fm_ok(fm_linearized_destroy(&lin));
  return in;
}

/* H has rank 4: the four that count. */
static void eigenpairs_are_those_of_the_hessian(void **state) {
  double residual[5], h[N], trace = 0, sum = 0;
  fm_informed *in = find(5, residual);

  assert_int_equal(in->rank, 5);
  for (int k = 0; k < 5; k++) {
    const double *v = in->vector + k * N;

    hessian(v, h);
    for (int j = 0; j < N; j++) fm_near(h[j], in->value[k] * v[j], 1e-10);
    assert_true(residual[k] < 1e-10);
    if (k) assert_true(in->value[k] <= in->value[k - 1]);
    sum += in->value[k];
  }
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) trace += weight(i) * a[i][j] * a[i][j];
  fm_near(sum, trace, 1e-10);
  assert_true(in->value[3] > 0.01 && in->value[4] < 1e-10);
  fm_ok(fm_informed_destroy(&in));
}

/* (I + V Lambda V^T)^p: p = 1 is I + H, powers add, and log det is that of I + H. */
static void powers_are_those_of_the_matrix(void **state) {
  double x[N], h[N], once[N], twice[N];
  fm_informed *in = find(4, NULL);

  for (int i = 0; i < N; i++) x[i] = sin(2. + 5 * i);
  hessian(x, h);
  fm_informed_power(in, 1, x, once);
  for (int i = 0; i < N; i++) fm_near(once[i], x[i] + h[i], 1e-10);
  fm_informed_power(in, -0.5, x, once);
  fm_informed_power(in, -0.5, once, twice);
  fm_informed_power(in, 1, twice, once);
  for (int i = 0; i < N; i++) fm_near(once[i], x[i], 1e-12);
  fm_near(fm_informed_log_det(in),
          log1p(in->value[0]) + log1p(in->value[1]) + log1p(in->value[2]) + log1p(in->value[3]),
          1e-14);
  fm_ok(fm_informed_destroy(&in));
}

/* g = A^T C^-1 y with the mask, of several data at once. */
static void a_migration_is_the_adjoint_of_the_residual(void **state) {
  fm_conditioning *c;
  double y[3 * M], g[3 * N];

  fm_ok(fm_conditioning_create(PETSC_COMM_WORLD, op, &c));
  assert_null(c); /* the data themselves, unless asked for */
  fm_ok(PetscOptionsSetValue(NULL, "-condition", "migration"));
  fm_ok(fm_conditioning_create(PETSC_COMM_WORLD, op, &c));
  assert_int_equal(fm_conditioning_size(c), N);
  for (int i = 0; i < 3 * M; i++) y[i] = cos(1. + 2 * i);
  fm_ok(fm_conditioning_apply(c, 3, y, g));
  for (int b = 0; b < 3; b++)
    for (int j = 0; j < N; j++) {
      double sum = 0;

      for (int i = 0; i < M; i++) sum += a[i][j] * weight(i) * y[b * M + i];
      fm_near(g[b * N + j], sum, 1e-12);
    }
  fm_ok(fm_conditioning_destroy(&c));
  assert_null(c);
  fm_ok(PetscOptionsClearValue(NULL, "-condition"));
}

FM_TEST_MAIN(cmocka_unit_test_setup_teardown(products_are_those_of_the_matrix, open_operator,
                                             close_operator),
             cmocka_unit_test_setup_teardown(eigenpairs_are_those_of_the_hessian, open_operator,
                                             close_operator),
             cmocka_unit_test_setup_teardown(powers_are_those_of_the_matrix, open_operator,
                                             close_operator),
             cmocka_unit_test_setup_teardown(a_migration_is_the_adjoint_of_the_residual,
                                             open_operator, close_operator))
