/* Opening a dataset and gathering its rows; its moments are in dataset_moments.c. */
#include "dataset_impl.h"
#include "fathom/log.h"
#include <math.h>
#include <stdlib.h>

#define SWEEP_BYTES ((int64_t)1 << 24)

const fm_option fm_dataset_options[] = {
    {"pairs_memory", FM_OPTION_TEXT, "1G", "pretrain evaluate",
     "bytes of pairs that a rank may hold, as 500M or 1G; of a larger set it reads the rows "
     "that it needs"},
    {"pairs_x", FM_OPTION_TEXT, "/x", "pretrain evaluate judge",
     "what of -pairs the flow is of: /x, the unknowns, or /model, the velocities (of simulate "
     "-pairs_model true), for a flow that is to be a prior (-prior flow)"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* ---- shapes ---- */

static fm_shape rows_of(int ndim, const int64_t *shape) {
  fm_shape s = fm_shape_vector(ndim > 1 ? shape[1] : 1);

  for (int i = 2; i < ndim; i++) s.n[i - 2] = shape[i];
  return s;
}

/* [n] is n numbers, [n][d] vectors, [n][c][h] and [n][c][h][w] channels first; models [n][h][w]
   have one channel */
static fm_shape row_shape(const char *name, int ndim, const int64_t *shape) {
  if (ndim == 3 && !strcmp(name, "/model")) return (fm_shape){1, {shape[1], shape[2], 1}};
  return rows_of(ndim, shape);
}

static PetscErrorCode get_part(fm_store *store, const char *path, MPI_Comm comm, fm_part *part,
                               int64_t *n) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, part->name, &ndim, shape));
  fm_check(ndim >= 1, comm, PETSC_ERR_ARG_SIZ,
           "%s of '%s' is a single number, expected rows [n][...]", part->name, path);
  part->shape = row_shape(part->name, ndim, shape);
  part->size = fm_shape_size(part->shape);
  *n = shape[0];
  fm_check(*n >= 1 && part->size >= 1, comm, PETSC_ERR_ARG_SIZ,
           "%s of '%s' is empty: %lld rows of %lld numbers", part->name, path, (long long)*n,
           (long long)part->size);
  PetscFunctionReturn(0);
}

static PetscErrorCode get_scale(fm_store *store, fm_dataset *d) {
  PetscBool has;

  PetscFunctionBegin;
  d->scale = 1.;
  PetscCall(fm_store_has_attribute(store, d->x.name, "scale", &has));
  if (has) PetscCall(fm_store_get_real(store, d->x.name, "scale", &d->scale));
  fm_check(isfinite(d->scale) && d->scale > 0, d->comm, PETSC_ERR_ARG_OUTOFRANGE,
           "the attribute scale of %s in '%s' is %g, expected a positive number", d->x.name,
           d->path, d->scale);
  PetscFunctionReturn(0);
}

/* Of physical models: what they are in. */
static PetscErrorCode get_unit(fm_store *store, fm_dataset *d) {
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, d->x.name, "unit", &has));
  if (has) PetscCall(fm_store_get_text(store, d->x.name, "unit", d->unit, sizeof(d->unit)));
  PetscFunctionReturn(0);
}

static PetscErrorCode get_shapes(fm_store *store, fm_dataset *d) {
  PetscBool has;
  int64_t n;

  PetscFunctionBegin;
  PetscCall(get_part(store, d->path, d->comm, &d->x, &d->n));
  d->y.shape = fm_shape_vector(0);
  PetscCall(fm_store_has(store, d->y.name, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(get_part(store, d->path, d->comm, &d->y, &n));
  fm_check(n == d->n, d->comm, PETSC_ERR_ARG_SIZ,
           "'%s' has %lld rows in %s and %lld in /y, expected the same number", d->path,
           (long long)d->n, d->x.name, (long long)n);
  PetscFunctionReturn(0);
}

/* ---- numbers ---- */

static void check_rows(const char *path, const fm_part *part, int64_t first, int64_t count,
                       const fm_real *row, fm_verdict *v) {
  for (int64_t i = 0; i < count * part->size && !v->code; i++)
    if (!isfinite(row[i]))
      fm_fail(v, PETSC_ERR_USER,
              "row %lld of %s of '%s' has %s at place %lld, expected finite numbers "
              "(" FM_PRECISION ")",
              (long long)(first + i / part->size), part->name, path,
              isnan(row[i]) ? "nan" : "inf", (long long)(i % part->size));
}

int64_t fm_dataset_block(const fm_part *part) {
  return PetscMax((int64_t)1, SWEEP_BYTES / (part->size * (int64_t)sizeof(fm_real)));
}

/* the whole part on every rank, which then has the same verdict as all */
static PetscErrorCode hold(fm_store *store, const fm_dataset *d, fm_part *part) {
  const int64_t block = part->size ? fm_dataset_block(part) : d->n;
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!part->size) PetscFunctionReturn(0);
  PetscCall(fm_calloc(d->n * part->size, &part->data));
  for (int64_t first = 0; first < d->n; first += block) {
    const int64_t count = PetscMin(block, d->n - first);
    fm_real *row = part->data + first * part->size;

    PetscCall(fm_store_read_rows(store, part->name, FM_TYPE_REAL, first, count, row));
    check_rows(d->path, part, first, count, row, &v);
    PetscCall(fm_verdict_agree(d->comm, &v));
  }
  PetscFunctionReturn(0);
}

/* my share of the rows, read for the check alone */
static PetscErrorCode sweep(const fm_dataset *d, const fm_part *part, fm_verdict *v) {
  const int64_t block = fm_dataset_block(part);
  PetscMPIInt rank, size;
  int64_t first, end;
  fm_real *row;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(d->comm, &rank));
  PetscCallMPI(MPI_Comm_size(d->comm, &size));
  first = d->n / size * rank + PetscMin(rank, d->n % size);
  end = first + d->n / size + (rank < d->n % size ? 1 : 0);
  PetscCall(PetscMalloc1(PetscMin(block, d->n) * part->size, &row));
  for (; first < end && !v->code; first += block) {
    const int64_t count = PetscMin(block, end - first);

    fm_reader_rows(&part->reader, first, count, row, v);
    check_rows(d->path, part, first, count, row, v);
  }
  PetscCall(PetscFree(row));
  PetscFunctionReturn(0);
}

static PetscErrorCode watch(fm_dataset *d, fm_part *part) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!part->size) PetscFunctionReturn(0);
  fm_reader_open(d->own, part->name, &part->reader, &v);
  if (!v.code && part->reader.unpacked > 1)
    fm_warn("%s of '%s' is larger than -pairs_memory and compressed in chunks of %lld rows: "
            "reading a row unpacks them all; h5repack -f NONE -l CONTI makes a faster file",
            part->name, d->path, (long long)part->reader.unpacked);
  if (!v.code) PetscCall(sweep(d, part, &v));
  PetscCall(fm_verdict_agree(d->comm, &v));
  PetscFunctionReturn(0);
}

static PetscErrorCode open_own(fm_dataset *d) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_store_open_own(d->path, &d->own, &v));
  PetscCall(fm_verdict_agree(d->comm, &v));
  PetscCall(watch(d, &d->x));
  PetscCall(watch(d, &d->y));
  PetscFunctionReturn(0);
}

/* ---- open and close ---- */

static PetscErrorCode read_memory(MPI_Comm comm, double *bytes) {
  static const char units[] = "KMGT";
  const char *text, *unit;
  PetscBool good;
  char *end;

  PetscFunctionBegin;
  PetscCall(fm_options_declare(fm_dataset_options));
  PetscCall(fm_option_text("pairs_memory", &text));
  *bytes = strtod(text, &end);
  good = end != text && isfinite(*bytes) && *bytes >= 0;
  unit = good && *end ? strchr(units, *end) : NULL;
  fm_check(good && (!*end || (unit && !end[1])), comm, PETSC_ERR_USER,
           "-pairs_memory takes bytes, such as 500M or 1G, not '%s'", text);
  if (unit) *bytes *= pow(1024., (double)(unit - units + 1));
  PetscFunctionReturn(0);
}

static PetscErrorCode load(fm_store **store, fm_dataset *d) {
  double most;

  PetscFunctionBegin;
  PetscCall(read_memory(d->comm, &most));
  PetscCall(get_shapes(*store, d));
  PetscCall(get_scale(*store, d));
  PetscCall(get_unit(*store, d));
  d->held = (double)d->n * (double)((d->x.size + d->y.size) * (int64_t)sizeof(fm_real)) <= most;
  if (d->held) {
    PetscCall(hold(*store, d, &d->x));
    PetscCall(hold(*store, d, &d->y));
  } else {
    PetscCall(fm_store_close(store)); /* before this process opens the file again */
    PetscCall(open_own(d));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_x(MPI_Comm comm, fm_dataset *d) {
  const char *name;

  PetscFunctionBegin;
  PetscCall(fm_options_declare(fm_dataset_options));
  PetscCall(fm_option_text("pairs_x", &name));
  fm_check(name[0] == '/' && name[1], comm, PETSC_ERR_USER,
           "-pairs_x takes a dataset of -pairs, /x or /model, not '%s'", name);
  PetscCall(PetscStrallocpy(name, &d->x_name));
  d->x.name = d->x_name;
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
  (*data)->y.name = "/y";
  (*data)->x.reader.set = (*data)->y.reader.set = H5I_INVALID_HID;
  code = PetscStrallocpy(path, &(*data)->path);
  if (!code) code = choose_x(comm, *data);
  if (!code) code = load(&store, *data);
  PetscCall(fm_store_close(&store));
  if (code) PetscCall(fm_dataset_close(data));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dataset_close(fm_dataset **data) {
  PetscFunctionBegin;
  if (!*data) PetscFunctionReturn(0);
  fm_reader_close(&(*data)->x.reader);
  fm_reader_close(&(*data)->y.reader);
  PetscCall(fm_store_close(&(*data)->own));
  PetscCall(PetscFree((*data)->x.data));
  PetscCall(PetscFree((*data)->y.data));
  PetscCall(PetscFree((*data)->order));
  PetscCall(PetscFree((*data)->run));
  PetscCall(PetscFree((*data)->path));
  PetscCall(PetscFree((*data)->x_name));
  PetscCall(PetscFree(*data));
  PetscFunctionReturn(0);
}

int64_t fm_dataset_count(const fm_dataset *data) { return data->n; }
PetscBool fm_dataset_held(const fm_dataset *data) { return data->held; }
double fm_dataset_scale(const fm_dataset *data) { return data->scale; }
const char *fm_dataset_unit(const fm_dataset *data) { return data->unit; }
fm_shape fm_dataset_shape_x(const fm_dataset *data) { return data->x.shape; }
fm_shape fm_dataset_shape_y(const fm_dataset *data) { return data->y.shape; }

/* ---- rows ---- */

static void copy_held(const fm_part *part, int64_t nb, const int64_t *rows, fm_real *out) {
  const size_t bytes = (size_t)part->size * sizeof(fm_real);

  for (int64_t i = 0; i < nb; i++)
    memcpy(out + i * part->size, part->data + rows[i] * part->size, bytes);
}

static int by_index(const void *a, const void *b) {
  const int64_t *p = (const int64_t *)a, *q = (const int64_t *)b;

  return (*p > *q) - (*p < *q);
}

static PetscErrorCode sort_rows(fm_dataset *d, int64_t nb, const int64_t *rows) {
  PetscFunctionBegin;
  if (nb > d->capacity) {
    PetscCall(PetscFree(d->order));
    PetscCall(PetscMalloc1(2 * nb, &d->order));
    d->capacity = nb;
  }
  for (int64_t i = 0; i < nb; i++) {
    d->order[2 * i] = rows[i];
    d->order[2 * i + 1] = i;
  }
  qsort(d->order, (size_t)nb, 2 * sizeof(*d->order), by_index);
  PetscFunctionReturn(0);
}

static PetscErrorCode reserve_run(fm_dataset *d, int64_t numbers) {
  PetscFunctionBegin;
  if (numbers <= d->run_capacity) PetscFunctionReturn(0);
  PetscCall(PetscFree(d->run));
  PetscCall(PetscMalloc1(numbers, &d->run));
  d->run_capacity = numbers;
  PetscFunctionReturn(0);
}

/* entries of the sorted order from `from` on, at most a block, that are consecutive rows or
   repeats */
static int64_t run_length(const fm_dataset *d, int64_t nb, int64_t from, int64_t block) {
  const int64_t *order = d->order;
  int64_t end = from + 1;

  while (end < nb && order[2 * end] <= order[2 * end - 2] + 1 &&
         order[2 * end] - order[2 * from] < block)
    end++;
  return end - from;
}

PetscErrorCode fm_dataset_gather(fm_dataset *d, fm_part *part, int64_t nb, const int64_t *rows,
                                 fm_real *out, fm_verdict *v) {
  const size_t bytes = (size_t)part->size * sizeof(fm_real);

  PetscFunctionBegin;
  if (!part->size) PetscFunctionReturn(0);
  if (d->held) copy_held(part, nb, rows, out);
  if (d->held) PetscFunctionReturn(0);
  PetscCall(sort_rows(d, nb, rows));
  for (int64_t at = 0, length; at < nb && !v->code; at += length) {
    const int64_t first = d->order[2 * at];
    int64_t last;

    length = run_length(d, nb, at, fm_dataset_block(part));
    last = d->order[2 * (at + length - 1)];
    PetscCall(reserve_run(d, (last - first + 1) * part->size));
    fm_reader_rows(&part->reader, first, last - first + 1, d->run, v);
    for (int64_t i = at; i < at + length; i++)
      memcpy(out + d->order[2 * i + 1] * part->size,
             d->run + (d->order[2 * i] - first) * part->size, bytes);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_indices(const fm_dataset *d, int64_t nb, const int64_t *rows) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < nb; i++)
    PetscCheck(rows[i] >= 0 && rows[i] < d->n, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
               "row %lld of a dataset of %lld rows", (long long)rows[i], (long long)d->n);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dataset_rows(fm_dataset *d, int64_t nb, const int64_t *rows, fm_real *x,
                               fm_real *y) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(check_indices(d, nb, rows));
  if (x) PetscCall(fm_dataset_gather(d, &d->x, nb, rows, x, &v));
  if (y) PetscCall(fm_dataset_gather(d, &d->y, nb, rows, y, &v));
  PetscCheck(!v.code, PETSC_COMM_SELF, v.code, "%s", v.text);
  PetscFunctionReturn(0);
}
