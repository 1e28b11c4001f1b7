#include "fathom/dataset.h"
#include "fathom/store.h"

typedef struct fm_part {
  const char *name;
  fm_shape shape;
  int64_t size;  /* of a row; 0: absent */
  fm_real *data; /* [n][size] */
} fm_part;

struct fm_dataset {
  MPI_Comm comm;
  int64_t n;
  fm_part x, y;
};

/* ---- shapes ---- */

/* [n] is n numbers, [n][d] vectors, [n][c][h] and [n][c][h][w] channels first */
static fm_shape row_shape(int ndim, const int64_t *shape) {
  fm_shape s = fm_shape_vector(ndim > 1 ? shape[1] : 1);

  for (int i = 2; i < ndim; i++) s.n[i - 2] = shape[i];
  return s;
}

static PetscErrorCode get_part(fm_store *store, const char *path, MPI_Comm comm, fm_part *part,
                               int64_t *n) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, part->name, &ndim, shape));
  fm_check(ndim >= 1, comm, PETSC_ERR_ARG_SIZ,
           "%s of '%s' is a single number, expected rows [n][...]", part->name, path);
  part->shape = row_shape(ndim, shape);
  part->size = fm_shape_size(part->shape);
  *n = shape[0];
  fm_check(*n >= 1 && part->size >= 1, comm, PETSC_ERR_ARG_SIZ,
           "%s of '%s' is empty: %lld rows of %lld numbers", part->name, path, (long long)*n,
           (long long)part->size);
  PetscFunctionReturn(0);
}

static PetscErrorCode get_shapes(fm_store *store, const char *path, fm_dataset *d) {
  PetscBool has;
  int64_t n;

  PetscFunctionBegin;
  PetscCall(get_part(store, path, d->comm, &d->x, &d->n));
  d->y.shape = fm_shape_vector(0);
  PetscCall(fm_store_has(store, d->y.name, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(get_part(store, path, d->comm, &d->y, &n));
  fm_check(n == d->n, d->comm, PETSC_ERR_ARG_SIZ,
           "'%s' has %lld rows in /x and %lld in /y, expected the same number", path,
           (long long)d->n, (long long)n);
  PetscFunctionReturn(0);
}

/* ---- numbers ---- */

/* every rank has the same bytes and so the same verdict */
static PetscErrorCode check_rows(MPI_Comm comm, const char *path, const fm_part *part,
                                 int64_t first, int64_t count) {
  const fm_real *row = part->data + first * part->size;

  PetscFunctionBegin;
  for (int64_t i = 0; i < count * part->size; i++)
    fm_check(
        isfinite(row[i]), comm, PETSC_ERR_USER,
        "row %lld of %s of '%s' has %s at place %lld, expected finite numbers (" FM_PRECISION
        ")",
        (long long)(first + i / part->size), part->name, path, isnan(row[i]) ? "nan" : "inf",
        (long long)(i % part->size));
  PetscFunctionReturn(0);
}

static PetscErrorCode load_part(fm_store *store, const char *path, MPI_Comm comm, int64_t n,
                                fm_part *part) {
  const int64_t bytes = part->size * (int64_t)sizeof(fm_real);
  const int64_t block = bytes ? PetscMax((int64_t)1, ((int64_t)1 << 26) / bytes) : n;

  PetscFunctionBegin;
  if (!part->size) PetscFunctionReturn(0);
  PetscCall(fm_calloc(n * part->size, &part->data));
  for (int64_t first = 0; first < n; first += block) {
    const int64_t count = PetscMin(block, n - first);

    PetscCall(fm_store_read_rows(store, part->name, FM_TYPE_REAL, first, count,
                                 part->data + first * part->size));
    PetscCall(check_rows(comm, path, part, first, count));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode load(fm_store *store, const char *path, fm_dataset *d) {
  PetscFunctionBegin;
  PetscCall(get_shapes(store, path, d));
  PetscCall(load_part(store, path, d->comm, d->n, &d->x));
  PetscCall(load_part(store, path, d->comm, d->n, &d->y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dataset_open(MPI_Comm comm, const char *path, fm_dataset **data) {
  fm_store *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  *data = NULL;
  PetscCall(fm_store_open(comm, path, &store));
  PetscCall(PetscNew(data));
  (*data)->comm = comm;
  (*data)->x.name = "/x";
  (*data)->y.name = "/y";
  code = load(store, path, *data);
  PetscCall(fm_store_close(&store));
  if (code) PetscCall(fm_dataset_close(data));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dataset_close(fm_dataset **data) {
  PetscFunctionBegin;
  if (!*data) PetscFunctionReturn(0);
  PetscCall(PetscFree((*data)->x.data));
  PetscCall(PetscFree((*data)->y.data));
  PetscCall(PetscFree(*data));
  PetscFunctionReturn(0);
}

int64_t fm_dataset_count(const fm_dataset *data) { return data->n; }
fm_shape fm_dataset_shape_x(const fm_dataset *data) { return data->x.shape; }
fm_shape fm_dataset_shape_y(const fm_dataset *data) { return data->y.shape; }

/* ---- use ---- */

static void gather(const fm_part *part, int64_t nb, const int64_t *rows, fm_real *out) {
  const size_t bytes = (size_t)part->size * sizeof(fm_real);

  if (!part->size) return;
  for (int64_t i = 0; i < nb; i++)
    memcpy(out + i * part->size, part->data + rows[i] * part->size, bytes);
}

static PetscErrorCode check_indices(const fm_dataset *d, int64_t nb, const int64_t *rows) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < nb; i++)
    PetscCheck(rows[i] >= 0 && rows[i] < d->n, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
               "row %lld of a dataset of %lld rows", (long long)rows[i], (long long)d->n);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dataset_rows(fm_dataset *data, int64_t nb, const int64_t *rows, fm_real *x,
                               fm_real *y) {
  PetscFunctionBegin;
  PetscCall(check_indices(data, nb, rows));
  if (x) gather(&data->x, nb, rows, x);
  if (y) gather(&data->y, nb, rows, y);
  PetscFunctionReturn(0);
}

/* sums of x - x_first: a component that does not vary has exactly zero everywhere */
static void part_mean(const fm_part *part, int64_t n, const int64_t *rows, double *mean) {
  const fm_real *origin = part->data + rows[0] * part->size;

  for (int64_t j = 0; j < part->size; j++) mean[j] = 0.;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < part->size; j++)
      mean[j] += (double)part->data[rows[i] * part->size + j] - (double)origin[j];
  for (int64_t j = 0; j < part->size; j++) mean[j] = (double)origin[j] + mean[j] / (double)n;
}

static void part_std(const fm_part *part, int64_t n, const int64_t *rows, const double *mean,
                     double *std) {
  for (int64_t j = 0; j < part->size; j++) std[j] = 0.;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < part->size; j++) {
      const double d = (double)part->data[rows[i] * part->size + j] - mean[j];

      std[j] += d * d;
    }
  for (int64_t j = 0; j < part->size; j++) std[j] = std[j] > 0. ? sqrt(std[j] / (double)n) : 1.;
}

PetscErrorCode fm_dataset_moments(fm_dataset *data, int64_t nrow, const int64_t *rows,
                                  double *x_mean, double *x_std, double *y_mean,
                                  double *y_std) {
  PetscFunctionBegin;
  PetscCheck(nrow >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "moments of no rows");
  PetscCall(check_indices(data, nrow, rows));
  part_mean(&data->x, nrow, rows, x_mean);
  part_std(&data->x, nrow, rows, x_mean, x_std);
  if (!data->y.size || !y_mean) PetscFunctionReturn(0);
  part_mean(&data->y, nrow, rows, y_mean);
  part_std(&data->y, nrow, rows, y_mean, y_std);
  PetscFunctionReturn(0);
}
