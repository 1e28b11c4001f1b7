#include "reader.h"
#include <sys/stat.h>

#define CACHE_LEAST ((size_t)1 << 20)
#define CACHE_MOST ((size_t)1 << 26)

static int64_t length_of(const fm_store *store) {
  struct stat status;
  void *handle;

  if (H5Fget_vfd_handle(store->file, H5P_DEFAULT, &handle) < 0) return -1;
  return fstat(*(int *)handle, &status) ? -1 : (int64_t)status.st_size;
}

/* bytes of a chunk, 0 where there are none; *rows: that must be unpacked for one */
static size_t chunk_bytes(hid_t set, int64_t *rows) {
  const hid_t list = H5Dget_create_plist(set), type = H5Dget_type(set);
  hsize_t dims[H5S_MAX_RANK];
  size_t bytes = 0;

  *rows = 1;
  if (H5Pget_layout(list) == H5D_CHUNKED) {
    const int n = H5Pget_chunk(list, H5S_MAX_RANK, dims);

    bytes = H5Tget_size(type);
    for (int i = 0; i < n; i++) bytes *= (size_t)dims[i];
    if (H5Pget_nfilters(list) > 0) *rows = (int64_t)dims[0];
  }
  H5Tclose(type);
  H5Pclose(list);
  return bytes;
}

static hid_t open_cached(hid_t file, const char *name, size_t cache) {
  const hid_t list = H5Pcreate(H5P_DATASET_ACCESS);
  hid_t set;

  H5Pset_chunk_cache(list, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, cache, H5D_CHUNK_CACHE_W0_DEFAULT);
  set = H5Dopen2(file, name, list);
  H5Pclose(list);
  return set;
}

void fm_reader_open(const fm_store *store, const char *name, fm_reader *r, fm_verdict *v) {
  size_t chunk;

  *r = (fm_reader){store, name, H5I_INVALID_HID, length_of(store), 1};
  r->set = open_cached(store->file, name, CACHE_LEAST);
  if (r->set >= 0) {
    chunk = chunk_bytes(r->set, &r->unpacked);
    if (chunk > CACHE_LEAST) {
      H5Dclose(r->set);
      r->set = open_cached(store->file, name, PetscMin(2 * chunk, CACHE_MOST));
    }
  }
  if (r->set < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s of '%s'", name, store->path);
}

void fm_reader_rows(const fm_reader *r, int64_t first, int64_t count, fm_real *out,
                    fm_verdict *v) {
  hid_t space[2] = {H5I_INVALID_HID, H5I_INVALID_HID};
  int64_t length;

  if (fm_h5_select(r->set, first, count, space) < 0 ||
      H5Dread(r->set, fm_h5_type(FM_TYPE_REAL), space[1], space[0], H5P_DEFAULT, out) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read rows %lld..%lld of %s of '%s'",
               (long long)first, (long long)(first + count - 1), r->name, r->store->path);
  H5Sclose(space[0]);
  H5Sclose(space[1]);
  length = length_of(r->store);
  if (length < r->length)
    fm_fail(v, PETSC_ERR_FILE_READ,
            "'%s' was cut off while it was in use: it has %lld bytes and had %lld",
            r->store->path, (long long)length, (long long)r->length);
}

void fm_reader_close(fm_reader *r) {
  if (r->set > 0) H5Dclose(r->set);
  r->set = H5I_INVALID_HID;
}
