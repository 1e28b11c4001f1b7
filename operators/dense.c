/* dense - d = A x, one part. Every rank holds all of A and of the input and computes the
   rows it owns, each by one loop in one order: the result has the same bits on any number of
   ranks. Meant for problems of a few thousand unknowns. */
#include "fathom/gather.h"
#include "fathom/operator_impl.h"
#include "fathom/store.h"
#include <math.h>

const fm_option fm_dense_options[] = {
    {"dense_matrix", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "matrix A of the operator dense: a list row by row, square unless -dense_rows is given, "
     "or FILE:/dataset of shape [m][n]"},
    {"dense_rows", FM_OPTION_INTEGER, "", FM_COMMANDS_PHYSICS,
     "rows of a -dense_matrix that is given as a list"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct dense {
  int64_t m, n;
  double *a;              /* [m][n] */
  fm_gather *of_x, *of_d; /* copies of a model and of data */
} dense;

/* out_i = sum_j a[i row + j column] in_j, for the rows that this rank owns. Cost: one gather of
   `in`, 2 m n / ranks operations. */
static PetscErrorCode multiply(const double *a, int64_t row, int64_t column, fm_gather *gather,
                               Vec in, Vec out) {
  const double *all;
  PetscInt n, low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(gather, in, &all));
  PetscCall(VecGetSize(in, &n));
  PetscCall(VecGetOwnershipRange(out, &low, &high));
  PetscCall(VecGetArrayWrite(out, &mine));
  for (PetscInt i = low; i < high; i++) {
    double sum = 0;

    for (PetscInt j = 0; j < n; j++) sum += a[i * row + j * column] * all[j];
    mine[i - low] = sum;
  }
  PetscCall(VecRestoreArrayWrite(out, &mine));
  PetscFunctionReturn(0);
}

static PetscErrorCode dense_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd) {
  dense *s = (dense *)op->data;

  PetscFunctionBegin;
  PetscCall(multiply(s->a, s->n, 1, s->of_x, dx, dd));
  PetscFunctionReturn(0);
}

static PetscErrorCode dense_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  dense *s = (dense *)op->data;

  PetscFunctionBegin;
  PetscCall(multiply(s->a, 1, s->n, s->of_d, dd, gx));
  PetscFunctionReturn(0);
}

/* Linear: F is its own Jacobian, and there is no tape to keep. */
static PetscErrorCode dense_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                      PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(dense_jvp(op, part, x, d));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_vec(MPI_Comm comm, int64_t size, Vec *v) {
  PetscFunctionBegin;
  PetscCall(VecCreate(comm, v));
  PetscCall(VecSetSizes(*v, PETSC_DECIDE, (PetscInt)size));
  PetscCall(VecSetType(*v, VECSTANDARD));
  PetscFunctionReturn(0);
}

static PetscErrorCode dense_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d) {
  PetscFunctionBegin;
  PetscCall(create_vec(op->space, op->x_size, x));
  PetscCall(create_vec(op->space, op->d_size, d));
  PetscFunctionReturn(0);
}

static PetscErrorCode dense_destroy(fm_operator *op) {
  dense *s = (dense *)op->data;

  PetscFunctionBegin;
  PetscCall(fm_gather_destroy(&s->of_x));
  PetscCall(fm_gather_destroy(&s->of_d));
  PetscCall(PetscFree(s->a));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

static const fm_operator_ops dense_ops = {.linearize = dense_linearize,
                                          .jvp = dense_jvp,
                                          .vjp = dense_vjp,
                                          .create_vecs = dense_create_vecs,
                                          .destroy = dense_destroy};

/* Rows of a list of `count` numbers: -dense_rows, else those of a square matrix. */
static PetscErrorCode rows_of_list(MPI_Comm comm, int64_t count, int64_t *rows) {
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_given("dense_rows", &given));
  *rows = llround(sqrt((double)count));
  fm_check(given || (count > 0 && *rows * *rows == count), comm, PETSC_ERR_USER,
           "-dense_matrix has %lld numbers, which fill no square matrix: give -dense_rows too",
           (long long)count);
  if (given) PetscCall(fm_option_integer_in("dense_rows", 1, PETSC_MAX_INT, rows));
  fm_check(count % *rows == 0, comm, PETSC_ERR_USER,
           "-dense_matrix has %lld numbers, which do not divide into -dense_rows %lld",
           (long long)count, (long long)*rows);
  PetscFunctionReturn(0);
}

/* The shape [m][n] of the matrix as given: a list, or a dataset of two dimensions. */
static PetscErrorCode settle_shape(MPI_Comm comm, dense *s, int ndim, const int64_t *shape) {
  PetscBool given;

  PetscFunctionBegin;
  fm_check(ndim == 1 || ndim == 2, comm, PETSC_ERR_USER,
           "-dense_matrix has %d dimensions: a matrix of shape [m][n] is needed", ndim);
  if (ndim == 1) {
    PetscCall(rows_of_list(comm, shape[0], &s->m));
    s->n = shape[0] / s->m;
    PetscFunctionReturn(0);
  }
  s->m = shape[0];
  s->n = shape[1];
  PetscCall(fm_option_given("dense_rows", &given));
  if (given) PetscCall(fm_option_integer_in("dense_rows", shape[0], shape[0], &s->m));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_matrix(MPI_Comm comm, dense *s) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, "dense_matrix", &ndim, shape, &s->a));
  fm_check(ndim, comm, PETSC_ERR_USER,
           "the operator dense needs -dense_matrix: numbers a,b,c,d or FILE:/dataset");
  PetscCall(settle_shape(comm, s, ndim, shape));
  fm_check(s->m > 0 && s->n > 0 && s->m <= PETSC_MAX_INT && s->n <= PETSC_MAX_INT, comm,
           PETSC_ERR_USER, "-dense_matrix of shape [%lld][%lld]: 1 to 2^31 rows and columns",
           (long long)s->m, (long long)s->n);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dense_create(fm_operator *op) {
  dense *s;
  Vec x, d;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  op->data = s;
  op->ops = &dense_ops;
  PetscCall(read_matrix(op->space, s));
  op->x_size = s->n;
  op->d_size = s->m;
  PetscCall(dense_create_vecs(op, 0, &x, &d));
  PetscCall(fm_gather_create(x, &s->of_x));
  PetscCall(fm_gather_create(d, &s->of_d));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&d));
  PetscCall(PetscSNPrintf(op->description, sizeof(op->description), "dense %lldx%lld",
                          (long long)s->m, (long long)s->n));
  PetscFunctionReturn(0);
}
