/* How the file of a rows store comes to be. HDF5 does not survive a disk that fills under it
   (its close fails, and the end of the program crashes), so it never meets one: an empty file
   comes from memory, all bytes that HDF5 will want are reserved behind it, and only then HDF5
   opens it and lays it out. Its close cuts off what was too much. */
#include "file.h"
#include "h5.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* for HDF5's own: headers, attributes, what lies in its caches */
#define AHEAD ((int64_t)1 << 20)

static int64_t data_bytes(int nfield, const fm_field *field, int64_t nrow) {
  int64_t bytes = 0;

  for (int i = 0; i < nfield; i++)
    bytes += nrow * fm_h5_entries(field[i].ndim, field[i].shape) *
             (int64_t)fm_h5_size(field[i].type);
  return bytes;
}

static void put_empty(fm_store *s, fm_verdict *v) {
  size_t length = 0;
  void *image = NULL;

  fm_image_build(s, v);
  if (!v->code) image = fm_image_take(s, &length, v);
  if (!v->code) fm_file_put(s->temporary, image, length, "", v);
  free(image);
}

static void open_alone(fm_store *s, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);

  H5Pset_file_locking(list, 0, 1);
  H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
  s->file = H5Fopen(s->temporary, H5F_ACC_RDWR, list);
  if (s->file < 0) fm_fail_h5(v, PETSC_ERR_FILE_OPEN, "cannot open '%s'", s->temporary);
  H5Pclose(list);
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

void fm_skeleton_create(fm_store *s, int nfield, const fm_field *field, fm_verdict *v) {
  put_empty(s, v);
  if (v->code) return;
  fm_file_reserve(s->temporary, data_bytes(nfield, field, s->nrow) + AHEAD, v);
  if (!v->code) open_alone(s, v);
  for (int i = 0; i < nfield && !v->code; i++) create_field(s, &field[i], v);
  if (!v->code) fm_skeleton_reserve(s, 0, v);
  if (v->code && s->file < 0) unlink(s->temporary);
}

/* in steps, so that a small attribute asks the disk for nothing */
void fm_skeleton_reserve(const fm_store *s, size_t more, fm_verdict *v) {
  haddr_t end = 0;
  struct stat status;

  if (H5Fget_eoa(s->file, &end) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot write '%s'", s->temporary);
  else if (stat(s->temporary, &status) || status.st_size < (off_t)end + (off_t)more + AHEAD / 2)
    fm_file_reserve(s->temporary, (int64_t)end + (int64_t)more + AHEAD, v);
}

void fm_skeleton_settle(fm_store *s, fm_verdict *v) {
  if (H5Fclose(s->file) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot close '%s'", s->temporary);
  s->file = H5I_INVALID_HID;
  if (!v->code) fm_file_flush(s->temporary, v);
}
