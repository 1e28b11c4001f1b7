#include "h5.h"
#include <stdarg.h>
#include <stdio.h>

void fm_h5_quiet(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *context) {
  const char **found = (const char **)context;

  if (n == 0) *found = error->desc;
  return 0;
}

/* of "..., error message = 'No space left on device', ..." the quoted words */
static void shorten(char *why) {
  char *from = strstr(why, "error message = '"), *to;

  if (!from) return;
  from += strlen("error message = '");
  to = strchr(from, '\'');
  if (!to) return;
  *to = 0;
  memmove(why, from, strlen(from) + 1);
}

void fm_h5_why(char *why, size_t length) {
  const char *found = NULL;

  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &found);
  snprintf(why, length, "%s", found ? found : "HDF5 gives no reason");
  shorten(why);
}

void fm_fail_h5(fm_verdict *v, PetscErrorCode code, const char *format, ...) {
  char why[400], text[1300];
  va_list arguments;

  if (v->code) return;
  fm_h5_why(why, sizeof(why));
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  fm_fail(v, code, "%s: %s", text, why);
}

hid_t fm_h5_type(fm_type type) {
  switch (type) {
  case FM_FLOAT32: return H5T_NATIVE_FLOAT;
  case FM_FLOAT64: return H5T_NATIVE_DOUBLE;
  case FM_INT64: return H5T_NATIVE_INT64;
  default: return H5T_NATIVE_UINT8;
  }
}

size_t fm_h5_size(fm_type type) { return H5Tget_size(fm_h5_type(type)); }

int64_t fm_h5_entries(int ndim, const int64_t *shape) {
  int64_t n = 1;

  for (int i = 0; i < ndim; i++) n *= shape[i];
  return n;
}

void fm_h5_shape_text(int ndim, const int64_t *shape, char *text, size_t length) {
  size_t used = 0;

  snprintf(text, length, "[]");
  for (int i = 0; i < ndim && used < length; i++)
    used += (size_t)snprintf(text + used, length - used, "[%lld]", (long long)shape[i]);
}

hid_t fm_h5_links(void) {
  const hid_t list = H5Pcreate(H5P_LINK_CREATE);

  H5Pset_create_intermediate_group(list, 1);
  return list;
}

/* "/a, /b/": at most about 400 characters of what lies in a group */
typedef struct fm_members {
  char text[500];
  const char *folder;
} fm_members;

static herr_t add_member(hid_t group, const char *name, const H5L_info_t *info, void *context) {
  fm_members *m = (fm_members *)context;
  const size_t used = strlen(m->text);

  if (used > 400) {
    snprintf(m->text + used, sizeof(m->text) - used, ", ...");
    return 1;
  }
  snprintf(m->text + used, sizeof(m->text) - used, "%s%s/%.60s", used ? ", " : "", m->folder,
           name);
  return 0;
}

/* the group that should hold `name`, or the root where that is missing too */
static hid_t nearest_group(const fm_store *s, const char *name, char *folder, size_t length) {
  char *slash;
  hid_t group;

  snprintf(folder, length, "%s", name);
  slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  group = folder[0] ? H5Gopen2(s->file, folder, H5P_DEFAULT) : H5I_INVALID_HID;
  if (group >= 0) return group;
  folder[0] = 0;
  return H5Gopen2(s->file, "/", H5P_DEFAULT);
}

static void fail_missing(const fm_store *s, const char *name, fm_verdict *v) {
  char folder[256];
  fm_members m = {"", folder};
  const hid_t group = nearest_group(s, name, folder, sizeof(folder));

  if (group >= 0) {
    H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_member, &m);
    H5Gclose(group);
  }
  fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s not found in '%s'; it has: %s", name, s->path,
          m.text[0] ? m.text : "nothing");
}

hid_t fm_h5_object(const fm_store *s, const char *name, fm_verdict *v) {
  const hid_t object = H5Oopen(s->file, name, H5P_DEFAULT);

  if (object < 0) fail_missing(s, name, v);
  return object;
}

/* what makes an object no array of numbers that we can read; NULL where nothing does */
static const char *unfit(hid_t object) {
  H5T_class_t kind;
  hid_t type;

  if (H5Iget_type(object) == H5I_GROUP) return "is a group, expected a dataset";
  if (H5Iget_type(object) != H5I_DATASET) return "is no dataset";
  type = H5Dget_type(object);
  kind = H5Tget_class(type);
  H5Tclose(type);
  if (kind == H5T_STRING) return "holds text, expected numbers";
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return "holds no plain numbers";
  return NULL;
}

/* ---- headers that lie ---- */

/* The most bytes that a file of `length` may unpack to: deflate packs 1032 to 1. */
#define BELIEVED (double)((int64_t)1 << 25)
#define PACKED 2000.

double fm_h5_believable(hid_t id) {
  const hid_t file = H5Iget_file_id(id);
  hsize_t length = 0;

  if (file >= 0) H5Fget_filesize(file, &length);
  if (file >= 0) H5Fclose(file);
  return PetscMax(BELIEVED, PACKED * (double)length);
}

/* What a dataset's header says of its bytes. */
typedef struct fm_extent {
  double all, chunk, stored; /* chunk 0: no chunks */
  H5D_layout_t layout;
  PetscBool elsewhere; /* in other files */
} fm_extent;

static double product(double each, int n, const hsize_t *dims) {
  for (int i = 0; i < n; i++) each *= (double)dims[i];
  return each;
}

static fm_extent extent_of(hid_t set, int ndim, const hsize_t *dims) {
  const hid_t list = H5Dget_create_plist(set), type = H5Dget_type(set);
  const double each = (double)H5Tget_size(type);
  fm_extent e = {product(each, ndim, dims), 0, 0, H5D_COMPACT, PETSC_FALSE};
  hsize_t chunk[H5S_MAX_RANK];

  if (list >= 0) {
    e.layout = H5Pget_layout(list);
    e.elsewhere =
        e.layout == H5D_VIRTUAL || H5Pget_external_count(list) > 0 ? PETSC_TRUE : PETSC_FALSE;
    if (e.layout == H5D_CHUNKED)
      e.chunk = product(each, H5Pget_chunk(list, H5S_MAX_RANK, chunk), chunk);
    H5Pclose(list);
  }
  if (e.layout != H5D_CHUNKED) /* there HDF5 would visit every chunk */
    e.stored = (double)H5Dget_storage_size(set);
  H5Tclose(type);
  return e;
}

/* HDF5 copies what the shape asks for, whatever is stored; a contiguous dataset that was never
   written has nothing. */
static PetscBool is_short(const fm_extent *e) {
  if (e->elsewhere || e->layout == H5D_CHUNKED) return PETSC_FALSE;
  return e->stored < e->all && (e->layout == H5D_COMPACT || e->stored > 0) ? PETSC_TRUE
                                                                           : PETSC_FALSE;
}

void fm_h5_check_size(hid_t set, const char *what, fm_verdict *v) {
  const hid_t space = H5Dget_space(set);
  hsize_t dims[H5S_MAX_RANK];
  const int ndim = H5Sget_simple_extent_dims(space, dims, NULL);
  const fm_extent e = extent_of(set, PetscMax(ndim, 0), dims);

  H5Sclose(space);
  for (int i = 0; i < ndim && e.all == 0; i++) /* empty, whatever the rest: no product of it */
    if (dims[i] > INT32_MAX)
      fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s is damaged: it is empty and has %llu rows",
              what, (unsigned long long)dims[i]);
  if (!e.elsewhere && PetscMax(e.all, e.chunk) > fm_h5_believable(set))
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "%s has %.3g bytes by its header (a chunk %.3g), which its file cannot hold: it is "
            "damaged, or nothing was written",
            what, e.all, e.chunk);
  else if (e.all > 0x1p60 || is_short(&e))
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "%s is damaged: %.15g bytes by its shape, but %.15g are stored", what, e.all,
            e.stored);
}

static void get_shape(const fm_store *s, const char *name, hid_t set, int *ndim, int64_t *shape,
                      fm_verdict *v) {
  const hid_t space = H5Dget_space(set);
  hsize_t dims[H5S_MAX_RANK];
  char what[400];

  *ndim = H5Sget_simple_extent_dims(space, dims, NULL);
  if (*ndim < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s of '%s'", name, s->path);
  else if (H5Sget_simple_extent_type(space) == H5S_NULL || *ndim > FM_STORE_NDIM)
    fm_fail(v, PETSC_ERR_ARG_SIZ, "%s of '%s' has %d dimensions, at most %d are read", name,
            s->path, *ndim, FM_STORE_NDIM);
  else if (s->kind == FM_STORE_READ) {
    snprintf(what, sizeof(what), "%.150s of '%.200s'", name, s->path);
    fm_h5_check_size(set, what, v);
  }
  for (int i = 0; i < *ndim && !v->code; i++) shape[i] = (int64_t)dims[i];
  H5Sclose(space);
}

hid_t fm_h5_dataset(const fm_store *s, const char *name, int *ndim, int64_t *shape,
                    fm_verdict *v) {
  const hid_t set = fm_h5_object(s, name, v);
  const char *fault;

  if (set < 0) return set;
  fault = unfit(set);
  if (fault)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s of '%s' %s", name, s->path, fault);
  else
    get_shape(s, name, set, ndim, shape, v);
  if (!v->code) return set;
  H5Oclose(set);
  return H5I_INVALID_HID;
}

herr_t fm_h5_select(hid_t set, int64_t first, int64_t count, hid_t space[2]) {
  hsize_t dims[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0};

  space[0] = H5Dget_space(set);
  if (H5Sget_simple_extent_dims(space[0], dims, NULL) < 1) return -1;
  start[0] = (hsize_t)first;
  dims[0] = (hsize_t)count;
  space[1] = H5Screate_simple(H5Sget_simple_extent_ndims(space[0]), dims, NULL);
  if (count == 0) return H5Sselect_none(space[0]) < 0 ? -1 : H5Sselect_none(space[1]);
  return H5Sselect_hyperslab(space[0], H5S_SELECT_SET, start, NULL, dims, NULL);
}
