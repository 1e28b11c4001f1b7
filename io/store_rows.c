/* A store that all ranks write. A write that fails (a full disk, a quota, a limit) must end on
   every rank with a sentence, and MPI's collective writes do not give that: with a failing
   write on one of four ranks OMPIO 4.1.4 reported success and hung in the close, ROMIO hung at
   once. So rank 0 alone makes the file and reserves every byte of it (store_skeleton.c), and
   the ranks, which hold whole blocks of rows, write independently of each other and then
   agree. Until the first rows are written rank 0 alone has the file open: attributes are plain
   serial writes. */
#include "file.h"
#include "h5.h"
#include <stdio.h>
#include <unistd.h>

/* ---- creation ---- */

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
  if (!(*store)->rank && !v.code) fm_skeleton_create(*store, nfield, field, &v);
  code = fm_verdict_agree(comm, &v);
  if (code) PetscCall(fm_store_close(store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* ---- from rank 0 to all ---- */

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

/* a failed step is the end of the file: HDF5 is not asked again, for its close could wait for
   ever */
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
  if (!s->rank) fm_skeleton_settle(s, &v);
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

/* rows [done, done + count) of the caller's */
static void write_piece(const fm_store *s, const fm_rows *r, int64_t done, int64_t count,
                        fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_DATASET_XFER);
  hid_t space[2] = {H5I_INVALID_HID, H5I_INVALID_HID};

  H5Pset_dxpl_mpio(list, H5FD_MPIO_INDEPENDENT);
  if (fm_h5_select(r->set, r->first + done, count, space) < 0 ||
      H5Dwrite(r->set, r->type, space[1], space[0], list, r->data + done * r->width) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE,
               "cannot write rows of %s of '%s' (look for a quota or a limit on files)",
               r->name, s->temporary);
  H5Sclose(space[0]);
  H5Sclose(space[1]);
  H5Pclose(list);
}

static void write_pieces(const fm_store *s, const fm_rows *r, fm_verdict *v) {
  const int64_t most = PetscMax((int64_t)1, fm_rows_piece / r->width);

  for (int64_t done = 0; done < r->count && !v->code; done += most)
    write_piece(s, r, done, PetscMin(most, r->count - done), v);
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
  if (!code) write_pieces(s, &r, &v);
  if (!code) code = agree(s, &v);
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
    fm_skeleton_settle(s, &v);
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
