/* A is a sum over the two sides of the grid,

       A = I + L_0 (x) I + I (x) L_1,   L = V diag(lambda) V^T tridiagonal, one a side,

   so the eigenvalues of A are 1 + lambda_p + mu_q, and the variance of A^-1 w at node (i, j) is

       sum_pq V_ip^2 W_jq^2 / (1 + lambda_p + mu_q)^2 : two products of matrices. */
#include "matern_impl.h"
#include "fathom/store.h"
#include <math.h>
#include <petscblaslapack.h>

#define MOST_LENGTH 1e4
#define MOST_SIDE 8192 /* eigenvectors are dense */
#define ROBIN 1.42     /* Roininen, Huttunen and Lasanen (2014); Daon and Stadler (2018) */

const fm_option fm_matern_options[] = {
    {"matern_correlation", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "correlation length of the Matern field in nodes, L or down a column and along a row, "
     "LZ,LX: nodes so far apart are correlated by .14"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* ---- one side: -l^2 d^2/dx^2 on n cells of size 1 ---- */

typedef struct side {
  int64_t n;
  double square;             /* l^2 */
  double *diagonal, *values; /* [n]; values: eigenvalues */
  double *weights;           /* [n][n], [mode][node]: eigenvectors, then their squares */
} side;

/* Robin's condition lies half a node outside the last one: with the ghost value eliminated, the
   flux out is 2 l^2 b / (2 l^2 + b) u, b = l / 1.42. */
static void fill_diagonal(side *s) {
  const double l = sqrt(s->square), edge = 2 * s->square / (2 * ROBIN * l + 1);

  for (int64_t i = 0; i < s->n; i++) s->diagonal[i] = 2 * s->square;
  if (s->n == 1) {
    s->diagonal[0] = 0;
    return;
  }
  s->diagonal[0] += edge - s->square;
  s->diagonal[s->n - 1] += edge - s->square;
}

static PetscErrorCode side_decompose(side *s) {
  PetscBLASInt n, info;
  double *off, *work;

  PetscFunctionBegin;
  PetscCall(PetscBLASIntCast((PetscInt)s->n, &n));
  PetscCall(PetscMalloc2(s->n, &off, 2 * s->n, &work));
  for (int64_t i = 0; i < s->n; i++) off[i] = -s->square;
  PetscCall(PetscArraycpy(s->values, s->diagonal, (size_t)s->n));
  LAPACKsteqr_("I", &n, s->values, off, s->weights, &n, work, &info);
  PetscCheck(info == 0, PETSC_COMM_SELF, PETSC_ERR_LIB, "LAPACK's steqr returned %d",
             (int)info);
  for (int64_t i = 0; i < s->n * s->n; i++) s->weights[i] *= s->weights[i];
  PetscCall(PetscFree2(off, work));
  PetscFunctionReturn(0);
}

static PetscErrorCode side_create(int64_t n, double length, side *s) {
  PetscFunctionBegin;
  s->n = n;
  s->square = length * length / 8; /* 8 nu */
  PetscCall(PetscMalloc3(n, &s->diagonal, n, &s->values, n * n, &s->weights));
  fill_diagonal(s);
  PetscCall(side_decompose(s));
  PetscFunctionReturn(0);
}

/* ---- D and the log determinant ---- */

/* v = the variances of A^-1 w, [rows][columns]; log_det = log det A. In columns as BLAS sees
   them, v^T = W f V^T with f[p][q] = (1 + lambda_p + mu_q)^-2. */
static PetscErrorCode variances(const side s[2], double *v, double *log_det) {
  const double one = 1, zero = 0;
  PetscBLASInt rows, columns;
  double *f, *g;

  PetscFunctionBegin;
  PetscCall(PetscBLASIntCast((PetscInt)s[0].n, &rows));
  PetscCall(PetscBLASIntCast((PetscInt)s[1].n, &columns));
  PetscCall(PetscMalloc2(s[0].n * s[1].n, &f, s[0].n * s[1].n, &g));
  *log_det = 0;
  for (int64_t p = 0; p < s[0].n; p++)
    for (int64_t q = 0; q < s[1].n; q++) {
      const double value = 1 + s[0].values[p] + s[1].values[q];

      f[p * s[1].n + q] = 1 / (value * value);
      *log_det += log(value);
    }
  BLASgemm_("N", "N", &columns, &rows, &columns, &one, s[1].weights, &columns, f, &columns,
            &zero, g, &columns);
  BLASgemm_("N", "T", &columns, &rows, &rows, &one, g, &columns, s[0].weights, &rows, &zero, v,
            &columns);
  PetscCall(PetscFree2(f, g));
  PetscFunctionReturn(0);
}

static PetscErrorCode fill_d(const side s[2], fm_matern *m) {
  PetscFunctionBegin;
  PetscCall(variances(s, m->d, &m->log_det));
  for (int64_t i = 0; i < m->n; i++) m->d[i] = 1 / sqrt(m->d[i]);
  for (int64_t i = 0; i < m->n; i++) m->log_det -= log(m->d[i]);
  PetscFunctionReturn(0);
}

/* ---- A and its factor ---- */

static PetscErrorCode assemble(const side s[2], fm_matern *m) {
  const PetscInt columns = (PetscInt)m->columns, n = (PetscInt)m->n;
  const double z = -s[0].square, x = -s[1].square;

  PetscFunctionBegin;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 5, NULL, &m->a));
  for (PetscInt k = 0; k < n; k++) {
    const PetscInt i = k / columns, j = k % columns;
    const double diagonal = 1 + s[0].diagonal[i] + s[1].diagonal[j];

    if (i > 0) PetscCall(MatSetValue(m->a, k, k - columns, z, INSERT_VALUES));
    if (j > 0) PetscCall(MatSetValue(m->a, k, k - 1, x, INSERT_VALUES));
    PetscCall(MatSetValue(m->a, k, k, diagonal, INSERT_VALUES));
    if (j < columns - 1) PetscCall(MatSetValue(m->a, k, k + 1, x, INSERT_VALUES));
    if (k < n - columns) PetscCall(MatSetValue(m->a, k, k + columns, z, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(m->a, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(m->a, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(m->a, MAT_SPD, PETSC_TRUE));
  PetscCall(MatCreateVecs(m->a, &m->in, &m->out));
  PetscFunctionReturn(0);
}

/* PETSc's own Cholesky factor in nested dissection: the same bits each time. */
static PetscErrorCode factorise(fm_matern *m) {
  MatFactorInfo info;
  IS order, unused;

  PetscFunctionBegin;
  PetscCall(MatFactorInfoInitialize(&info));
  PetscCall(MatGetOrdering(m->a, MATORDERINGND, &order, &unused));
  PetscCall(MatGetFactor(m->a, MATSOLVERPETSC, MAT_FACTOR_CHOLESKY, &m->factor));
  PetscCall(MatCholeskyFactorSymbolic(m->factor, m->a, order, &info));
  PetscCall(MatCholeskyFactorNumeric(m->factor, m->a, &info));
  PetscCall(ISDestroy(&order));
  PetscCall(ISDestroy(&unused));
  PetscFunctionReturn(0);
}

/* PETSc's factor is U^T Delta U with the unit diagonal of U left out: its diagonal is Delta. */
PetscErrorCode fm_matern_factor_log_det(fm_matern *m, double *log_det) {
  const double *delta;

  PetscFunctionBegin;
  PetscCall(MatGetDiagonal(m->factor, m->out));
  PetscCall(VecGetArrayRead(m->out, &delta));
  *log_det = 0;
  for (int64_t i = 0; i < m->n; i++) *log_det += log(delta[i]) - log(m->d[i]);
  PetscCall(VecRestoreArrayRead(m->out, &delta));
  PetscFunctionReturn(0);
}

/* ---- set-up ---- */

static PetscErrorCode check(MPI_Comm comm, int64_t rows, int64_t columns,
                            const double length[2]) {
  PetscFunctionBegin;
  fm_check(rows >= 1 && columns >= 1 && PetscMax(rows, columns) <= MOST_SIDE, comm,
           PETSC_ERR_USER, "a Matern field of %lldx%lld nodes: 1 to %d a side are possible",
           (long long)rows, (long long)columns, MOST_SIDE);
  for (int d = 0; d < 2; d++)
    fm_check(length[d] > 0 && length[d] <= MOST_LENGTH, comm, PETSC_ERR_USER,
             "-matern_correlation %.6g must be positive and at most %g nodes", length[d],
             MOST_LENGTH);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_create(MPI_Comm comm, int64_t rows, int64_t columns,
                                const double length[2], fm_matern **matern) {
  side sides[2];
  fm_matern *m;

  PetscFunctionBegin;
  PetscCall(check(comm, rows, columns, length));
  PetscCall(PetscNew(&m));
  m->rows = rows;
  m->columns = columns;
  m->n = rows * columns;
  for (int d = 0; d < 2; d++) m->length[d] = length[d];
  PetscCall(fm_calloc(m->n, &m->d));
  PetscCall(side_create(rows, length[0], &sides[0]));
  PetscCall(side_create(columns, length[1], &sides[1]));
  PetscCall(fill_d(sides, m));
  PetscCall(assemble(sides, m));
  PetscCall(factorise(m));
  for (int d = 0; d < 2; d++)
    PetscCall(PetscFree3(sides[d].diagonal, sides[d].values, sides[d].weights));
  *matern = m;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_read(MPI_Comm comm, int64_t rows, int64_t columns,
                              fm_matern **matern) {
  int64_t shape[FM_STORE_NDIM];
  double *given, length[2] = {0, 0};
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_options_declare(fm_matern_options));
  PetscCall(fm_store_option_array(comm, "matern_correlation", &ndim, shape, &given));
  if (ndim == 1 && shape[0] <= 2) {
    length[0] = given[0];
    length[1] = given[shape[0] - 1];
  }
  PetscCall(PetscFree(given));
  fm_check(ndim == 1 && shape[0] <= 2, comm, PETSC_ERR_USER,
           "a Matern field needs -matern_correlation in nodes: L, or down a column and along a "
           "row, LZ,LX, such as 12 or 8,16");
  PetscCall(fm_matern_create(comm, rows, columns, length, matern));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_destroy(fm_matern **matern) {
  fm_matern *m = *matern;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(0);
  PetscCall(MatDestroy(&m->a));
  PetscCall(MatDestroy(&m->factor));
  PetscCall(VecDestroy(&m->in));
  PetscCall(VecDestroy(&m->out));
  PetscCall(PetscFree(m->d));
  PetscCall(PetscFree(*matern));
  PetscFunctionReturn(0);
}

void fm_matern_grid(const fm_matern *m, int64_t *rows, int64_t *columns) {
  *rows = m->rows;
  *columns = m->columns;
}

void fm_matern_length(const fm_matern *m, double length[2]) {
  length[0] = m->length[0];
  length[1] = m->length[1];
}

double fm_matern_log_det(const fm_matern *m) { return m->log_det; }

/* ---- products ---- */

/* out = after B before in, B = A or A^-1, D or its inverse before or after it. */
typedef PetscErrorCode (*product)(Mat, Vec, Vec);

static PetscErrorCode apply(fm_matern *m, product multiply, Mat matrix, const double *in,
                            double *out) {
  const double *result;
  double *v;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(m->in, &v));
  PetscCall(PetscArraycpy(v, in, (size_t)m->n));
  PetscCall(VecRestoreArrayWrite(m->in, &v));
  PetscCall(multiply(matrix, m->in, m->out));
  PetscCall(VecGetArrayRead(m->out, &result));
  PetscCall(PetscArraycpy(out, result, (size_t)m->n));
  PetscCall(VecRestoreArrayRead(m->out, &result));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_colour(fm_matern *m, const double *w, double *s) {
  PetscFunctionBegin;
  PetscCall(apply(m, MatSolve, m->factor, w, s));
  for (int64_t i = 0; i < m->n; i++) s[i] *= m->d[i];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_colour_transpose(fm_matern *m, const double *s_bar, double *w_bar) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < m->n; i++) w_bar[i] = m->d[i] * s_bar[i];
  PetscCall(apply(m, MatSolve, m->factor, w_bar, w_bar));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_whiten(fm_matern *m, const double *s, double *w) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < m->n; i++) w[i] = s[i] / m->d[i];
  PetscCall(apply(m, MatMult, m->a, w, w));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_matern_whiten_transpose(fm_matern *m, const double *w_bar, double *s_bar) {
  PetscFunctionBegin;
  PetscCall(apply(m, MatMult, m->a, w_bar, s_bar));
  for (int64_t i = 0; i < m->n; i++) s_bar[i] /= m->d[i];
  PetscFunctionReturn(0);
}
