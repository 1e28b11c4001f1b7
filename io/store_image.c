/* A store that rank 0 builds in memory (HDF5's core driver); the commit is plain POSIX. */
#include "file.h"
#include "h5.h"
#include <stdio.h>
#include <stdlib.h>

static void mark(hid_t file, fm_verdict *v) {
  const hid_t space = H5Screate(H5S_SCALAR), type = fm_h5_text_type();
  const hid_t attribute = H5Acreate2(file, FM_FILE_MARK, type, space, H5P_DEFAULT, H5P_DEFAULT);
  const char *text = "last line";

  if (attribute < 0 || H5Awrite(attribute, type, &text) < 0)
    fm_fail_h5(v, PETSC_ERR_MEM, "cannot build a file in memory");
  H5Aclose(attribute);
  H5Tclose(type);
  H5Sclose(space);
}

void fm_image_build(fm_store *s, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  char name[64]; /* HDF5 wants different ones for files that are open together */

  snprintf(name, sizeof(name), "fathom image %p", (void *)s);
  H5Pset_fapl_core(list, (size_t)1 << 20, 0);
  H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
  s->file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, list);
  if (s->file < 0) fm_fail_h5(v, PETSC_ERR_MEM, "cannot build '%s' in memory", s->path);
  H5Pclose(list);
}

static void create_on_root(fm_store *s, fm_verdict *v) {
  fm_image_build(s, v);
  if (!v->code) mark(s->file, v);
}

PetscErrorCode fm_store_create(MPI_Comm comm, const char *path, fm_store **store) {
  fm_verdict v = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  *store = NULL;
  PetscCall(fm_store_new(comm, path, FM_STORE_IMAGE, store));
  if (!(*store)->rank) create_on_root(*store, &v);
  code = fm_verdict_agree(comm, &v);
  if (code) PetscCall(fm_store_free(store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* HDF5's own checksum, which every reader of the file verifies: it wants one chunk. Beyond 4
   GiB a
   chunk cannot be. */
static void guard(hid_t list, int ndim, const int64_t *shape, size_t size) {
  hsize_t dims[FM_STORE_NDIM];

  if (ndim == 0 || (size_t)fm_h5_entries(ndim, shape) * size >= (size_t)1 << 32) return;
  for (int i = 0; i < ndim; i++) dims[i] = (hsize_t)shape[i];
  H5Pset_chunk(list, ndim, dims);
  H5Pset_fletcher32(list);
}

/* the same content gives the same bytes: no times are kept */
static void put(const fm_store *s, const char *name, hid_t type, hid_t space, hid_t list,
                const void *data, fm_verdict *v) {
  const hid_t links = fm_h5_links();
  hid_t set;

  H5Pset_obj_track_times(list, 0);
  set = H5Dcreate2(s->file, name, type, space, links, list, H5P_DEFAULT);
  if (set < 0 || (data && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot write %s of '%s'", name, s->path);
  if (set >= 0) H5Dclose(set);
  H5Pclose(links);
}

static void write_on_root(const fm_store *s, const char *name, fm_type type, int ndim,
                          const int64_t *shape, const void *data, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t dims[FM_STORE_NDIM];
  hid_t space;

  for (int i = 0; i < ndim; i++) dims[i] = (hsize_t)shape[i];
  space = ndim ? H5Screate_simple(ndim, dims, NULL) : H5Screate(H5S_SCALAR);
  if (fm_h5_entries(ndim, shape) == 0)
    data = NULL;
  else
    guard(list, ndim, shape, fm_h5_size(type));
  put(s, name, fm_h5_type(type), space, list, data, v);
  H5Sclose(space);
  H5Pclose(list);
}

PetscErrorCode fm_store_write(fm_store *s, const char *name, fm_type type, int ndim,
                              const int64_t *shape, const void *data) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, s->kind == FM_STORE_IMAGE, "write a dataset"));
  PetscCheck(ndim >= 0 && ndim <= FM_STORE_NDIM, s->comm, PETSC_ERR_ARG_SIZ,
             "%s has %d dimensions, at most %d", name, ndim, FM_STORE_NDIM);
  if (!s->rank) write_on_root(s, name, type, ndim, shape, data, &v);
  PetscCall(fm_verdict_agree(s->comm, &v));
  PetscFunctionReturn(0);
}

static void write_text_on_root(const fm_store *s, const char *name, const char *text,
                               fm_verdict *v) {
  const hid_t space = H5Screate(H5S_SCALAR), type = fm_h5_text_type();
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

  put(s, name, type, space, list, &text, v);
  H5Pclose(list);
  H5Tclose(type);
  H5Sclose(space);
}

PetscErrorCode fm_store_write_text(fm_store *s, const char *name, const char *text) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, s->kind == FM_STORE_IMAGE, "write a text"));
  if (!s->rank) write_text_on_root(s, name, text, &v);
  PetscCall(fm_verdict_agree(s->comm, &v));
  PetscFunctionReturn(0);
}

void *fm_image_take(fm_store *s, size_t *length, fm_verdict *v) {
  ssize_t n = H5Fflush(s->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : 0;
  void *image = NULL;

  if (n == 0) n = H5Fget_file_image(s->file, NULL, 0);
  if (n > 0) image = malloc((size_t)n);
  if (n > 0 && !image)
    fm_fail(v, PETSC_ERR_MEM, "no memory for the %zd bytes of '%s'", n, s->path);
  else if (n <= 0 || H5Fget_file_image(s->file, image, (size_t)n) != n)
    fm_fail_h5(v, PETSC_ERR_MEM, "cannot build '%s' in memory", s->path);
  *length = (size_t)n;
  H5Fclose(s->file);
  s->file = H5I_INVALID_HID;
  return image;
}

static void commit_on_root(fm_store *s, const char *previous, fm_verdict *v) {
  size_t length;
  void *image = fm_image_take(s, &length, v);
  char line[64];

  if (!v->code) {
    fm_trailer_text(image, length, line);
    fm_file_put(s->temporary, image, length, line, v);
  }
  free(image);
  if (!v->code) fm_file_publish(s->temporary, s->path, previous, v);
}

PetscErrorCode fm_image_commit(fm_store *s, const char *previous) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) commit_on_root(s, previous, &v);
  PetscCall(fm_verdict_agree(s->comm, &v));
  PetscFunctionReturn(0);
}
