/* A store that all ranks write. What keeps it from hanging on a full disk (OMPIO and ROMIO alike): rank 0 alone makes
   the file and reserves every byte of it; HDF5's collective writes then find their blocks waiting. Until the first
   rows are written rank 0 alone has the file open, so that attributes are plain serial writes. */
#include "file.h"
#include "h5.h"
#include <stdio.h>
#include <unistd.h>

/* ---- creation, by rank 0 ---- */

static hid_t create_file(const char *path, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  hid_t file;

  H5Pset_file_locking(list, 0, 1);
  H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
  file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, list);
  if (file < 0) fm_fail_h5(v, PETSC_ERR_FILE_OPEN, "cannot create '%s'", path);
  H5Pclose(list);
  return file;
}

static hid_t field_space(const fm_field *f, int64_t nrow) {
  hsize_t dims[FM_STORE_NDIM] = {(hsize_t)nrow};

  for (int i = 0; i < f->ndim; i++) dims[i + 1] = (hsize_t)f->shape[i];
  return H5Screate_simple(f->ndim + 1, dims, NULL);
}

static void create_field(const fm_store *s, const fm_field *f, fm_verdict *v) {
  const hid_t space = field_space(f, s->nrow);
  const hid_t links = fm_h5_links(), list = H5Pcreate(H5P_DATASET_CREATE);
  hid_t set;

  H5Pset_obj_track_times(list, 0);
  H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
  set = H5Dcreate2(s->file, f->name, fm_h5_type(f->type), space, links, list, H5P_DEFAULT);
  if (set < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot make %s in '%s'", f->name, s->path);
  else
    H5Dclose(set);
  H5Pclose(list);
  H5Pclose(links);
  H5Sclose(space);
}

/* every byte that HDF5 has given out so far; its own length is a hole until then */
static void reserve(const fm_store *s, fm_verdict *v) {
  hsize_t length = 0;

  if (H5Fflush(s->file, H5F_SCOPE_GLOBAL) < 0 || H5Fget_filesize(s->file, &length) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot write '%s'", s->temporary);
  else
    fm_file_reserve(s->temporary, (int64_t)length, v);
}

static void create_on_root(fm_store *s, int nfield, const fm_field *field, fm_verdict *v) {
  s->file = create_file(s->temporary, v);
  for (int i = 0; i < nfield && !v->code; i++) create_field(s, &field[i], v);
  if (!v->code) reserve(s, v);
}

static void check_fields(MPI_Comm comm, int nfield, const fm_field *field, int64_t nrow,
                         fm_verdict *v) {
  if (nrow < 1)
    fm_fail(v, PETSC_ERR_ARG_SIZ, "%lld rows to write, at least 1", (long long)nrow);
  for (int i = 0; i < nfield; i++) {
    const fm_field *f = &field[i];
    int64_t width;

    if (f->ndim < 0 || f->ndim > FM_STORE_NDIM - 1)
      fm_fail(v, PETSC_ERR_ARG_SIZ, "%s has rows of %d dimensions, at most %d", f->name,
              f->ndim, FM_STORE_NDIM - 1);
    if (v->code) return;
    width = fm_h5_entries(f->ndim, f->shape) * (int64_t)fm_h5_size(f->type);
    if (width < 1 || width > INT32_MAX)
      fm_fail(v, PETSC_ERR_ARG_SIZ, "a row of %s has %lld bytes, expected 1 to %d", f->name,
              (long long)width, INT32_MAX);
  }
}

PetscErrorCode fm_store_create_rows(MPI_Comm comm, const char *path, int nfield,
                                    const fm_field *field, int64_t nrow, fm_store **store) {
  fm_verdict v = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  *store = NULL;
  PetscCall(fm_store_new(comm, path, FM_STORE_ROWS, store));
  (*store)->nrow = nrow;
  check_fields(comm, nfield, field, nrow, &v);
  if (!(*store)->rank && !v.code) create_on_root(*store, nfield, field, &v);
  code = fm_verdict_agree(comm, &v);
  if (code) PetscCall(fm_store_close(store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* ---- from rank 0 to all ---- */

/* attributes may have lengthened the file since its bytes were reserved */
static void hand_over(fm_store *s, fm_verdict *v) {
  reserve(s, v);
  if (!v->code && H5Fclose(s->file) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot close '%s'", s->temporary);
  if (!v->code) s->file = H5I_INVALID_HID;
  if (!v->code) fm_file_flush(s->temporary, v);
}

static void open_shared(fm_store *s, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);

  H5Pset_fapl_mpio(list, s->comm, MPI_INFO_NULL);
  H5Pset_all_coll_metadata_ops(list, 1);
  H5Pset_coll_metadata_write(list, 1);
  s->file = H5Fopen(s->temporary, H5F_ACC_RDWR, list);
  if (s->file < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_OPEN, "cannot open '%s' on all ranks", s->temporary);
  H5Pclose(list);
}

/* a failed step is the end of the file: HDF5 is not asked again, for its close could wait for ever */
static PetscErrorCode agree(fm_store *s, const fm_verdict *v) {
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fm_verdict_agree(s->comm, v);
  if (code) s->failed = PETSC_TRUE;
  if (code && !s->rank) unlink(s->temporary);
  PetscCall(code);
  PetscFunctionReturn(0);
}

static PetscErrorCode share_file(fm_store *s) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) hand_over(s, &v);
  PetscCall(agree(s, &v));
  s->shared = PETSC_TRUE;
  open_shared(s, &v);
  PetscCall(agree(s, &v));
  PetscFunctionReturn(0);
}

/* ---- rows ---- */

typedef struct fm_rows {
  const char *name;
  hid_t set, type;
  int64_t width; /* bytes of a row */
  int64_t first, count;
  const char *data;
} fm_rows;

static void open_rows(const fm_store *s, fm_rows *r, fm_verdict *v) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  r->set = fm_h5_dataset(s, r->name, &ndim, shape, v);
  if (r->set < 0) return;
  r->type = H5Dget_type(r->set);
  r->width = fm_h5_entries(ndim - 1, shape + 1) * (int64_t)H5Tget_size(r->type);
  if (r->first < 0 || r->count < 0 || r->first + r->count > shape[0])
    fm_fail(v, PETSC_ERR_ARG_OUTOFRANGE, "rows %lld..%lld of %s of '%s', which has %lld",
            (long long)r->first, (long long)(r->first + r->count - 1), r->name, s->path,
            (long long)shape[0]);
}

/* rows [done, done + count) of the caller's; count 0 takes part with nothing */
static void write_piece(const fm_store *s, const fm_rows *r, int64_t done, int64_t count,
                        fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_DATASET_XFER);
  hid_t space[2] = {H5I_INVALID_HID, H5I_INVALID_HID};
  const char nothing[1] = {0};
  const void *from = count ? r->data + done * r->width : nothing;

  H5Pset_dxpl_mpio(list, H5FD_MPIO_COLLECTIVE);
  if (fm_h5_select(r->set, r->first + done, count, space) < 0 ||
      H5Dwrite(r->set, r->type, space[1], space[0], list, from) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot write rows of %s of '%s'", r->name,
               s->temporary);
  H5Sclose(space[0]);
  H5Sclose(space[1]);
  H5Pclose(list);
}

static PetscErrorCode write_pieces(fm_store *s, const fm_rows *r) {
  const int64_t most = PetscMax((int64_t)1, fm_rows_piece / r->width);
  int64_t longest;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(&r->count, &longest, 1, MPI_INT64_T, MPI_MAX, s->comm));
  for (int64_t done = 0; done < longest; done += most) {
    const int64_t left = r->count - done, count = PetscMax(0, PetscMin(left, most));
    fm_verdict v = {0};

    write_piece(s, r, count ? done : 0, count, &v);
    PetscCall(agree(s, &v));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_write_rows(fm_store *s, const char *name, int64_t first, int64_t count,
                                   const void *data) {
  fm_rows r = {name, H5I_INVALID_HID, H5I_INVALID_HID, 0, first, count, (const char *)data};
  fm_verdict v = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, s->kind == FM_STORE_ROWS && !s->failed, "write rows"));
  if (!s->shared) PetscCall(share_file(s));
  open_rows(s, &r, &v);
  code = fm_verdict_agree(s->comm, &v);
  if (!code) code = write_pieces(s, &r);
  if (r.set >= 0 && !s->failed) H5Dclose(r.set);
  if (r.type >= 0) H5Tclose(r.type);
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* ---- the end ---- */

static void close_shared(fm_store *s, fm_verdict *v) {
  if (H5Fflush(s->file, H5F_SCOPE_GLOBAL) < 0 || H5Fclose(s->file) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot close '%s'", s->temporary);
  else
    s->file = H5I_INVALID_HID;
}

static void publish(fm_store *s, const char *previous, fm_verdict *v) {
  fm_file_flush(s->temporary, v);
  if (!v->code) fm_file_publish(s->temporary, s->path, previous, v);
}

PetscErrorCode fm_rows_commit(fm_store *s, const char *previous) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, !s->failed, "commit after a failed write"));
  if (s->shared)
    close_shared(s, &v);
  else if (!s->rank)
    hand_over(s, &v);
  PetscCall(agree(s, &v));
  if (!s->rank) publish(s, previous, &v);
  PetscCall(agree(s, &v));
  PetscFunctionReturn(0);
}

/* what is still open or lies about is given up; after a commit there is neither */
PetscErrorCode fm_rows_discard(fm_store *s) {
  PetscFunctionBegin;
  if (s->file >= 0) {
    if (!s->failed) H5Fclose(s->file);
    s->file = H5I_INVALID_HID;
    if (!s->rank) unlink(s->temporary);
  }
  PetscFunctionReturn(0);
}
