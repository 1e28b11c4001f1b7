#include "h5.h"

PetscErrorCode fm_store_has(fm_store *s, const char *name, PetscBool *has) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) {
    const hid_t object = H5Oopen(s->file, name, H5P_DEFAULT);

    *has = object >= 0 ? PETSC_TRUE : PETSC_FALSE;
    if (object >= 0) H5Oclose(object);
  }
  PetscCall(fm_verdict_share(s->comm, &v, sizeof(*has), has));
  PetscFunctionReturn(0);
}

static fm_content content_of(const fm_store *s, const char *name) {
  fm_content content = FM_CONTENT_NUMBERS;
  fm_verdict no_numbers = {0}, no_text = {0};
  int64_t shape[FM_STORE_NDIM];
  hid_t object = fm_h5_dataset(s, name, &(int){0}, shape, &no_numbers);
  char *text = NULL;

  if (no_numbers.code) {
    object = fm_h5_object(s, name, &no_text);
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET)
      text = fm_h5_get_text(object, name, &no_text);
    content = text ? FM_CONTENT_TEXT : FM_CONTENT_OTHER;
  }
  if (object >= 0) H5Oclose(object);
  (void)!PetscFree(text);
  return content;
}

PetscErrorCode fm_store_content(fm_store *s, const char *name, fm_content *content) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  *content = FM_CONTENT_OTHER;
  if (!s->rank) *content = content_of(s, name);
  PetscCall(fm_verdict_share(s->comm, &v, sizeof(*content), content));
  PetscFunctionReturn(0);
}

typedef struct fm_extent {
  int64_t ndim, shape[FM_STORE_NDIM];
} fm_extent;

static void get_extent(const fm_store *s, const char *name, fm_extent *e, fm_verdict *v) {
  int ndim = 0;
  const hid_t set = fm_h5_dataset(s, name, &ndim, e->shape, v);

  e->ndim = ndim;
  if (set >= 0) H5Oclose(set);
}

PetscErrorCode fm_store_shape(fm_store *s, const char *name, int *ndim,
                              int64_t shape[FM_STORE_NDIM]) {
  fm_extent e = {0};
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) get_extent(s, name, &e, &v);
  PetscCall(fm_verdict_share(s->comm, &v, sizeof(e), &e));
  *ndim = (int)e.ndim;
  for (int i = 0; i < FM_STORE_NDIM; i++) shape[i] = i < e.ndim ? e.shape[i] : 0;
  PetscFunctionReturn(0);
}

static void fail_size(const fm_store *s, const char *name, int ndim, const int64_t *shape,
                      int64_t count, fm_verdict *v) {
  char text[128];

  fm_h5_shape_text(ndim, shape, text, sizeof(text));
  fm_fail(v, PETSC_ERR_ARG_SIZ, "%s of '%s' has shape %s (%lld numbers), expected [%lld]", name,
          s->path, text, (long long)fm_h5_entries(ndim, shape), (long long)count);
}

static void read_whole(const fm_store *s, const char *name, fm_type type, int64_t count,
                       void *data, fm_verdict *v) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;
  const hid_t set = fm_h5_dataset(s, name, &ndim, shape, v);

  if (set < 0) return;
  if (fm_h5_entries(ndim, shape) != count)
    fail_size(s, name, ndim, shape, count, v);
  else if (count > 0 && H5Dread(set, fm_h5_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s of '%s'", name, s->path);
  H5Oclose(set);
}

PetscErrorCode fm_store_read(fm_store *s, const char *name, fm_type type, int64_t count,
                             void *data) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) read_whole(s, name, type, count, data, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)count * fm_h5_size(type), data));
  PetscFunctionReturn(0);
}

static void read_selected(const fm_store *s, const char *name, hid_t set, fm_type type,
                          int64_t first, int64_t count, void *data, fm_verdict *v) {
  hid_t space[2] = {H5I_INVALID_HID, H5I_INVALID_HID};

  if (fm_h5_select(set, first, count, space) < 0 ||
      H5Dread(set, fm_h5_type(type), space[1], space[0], H5P_DEFAULT, data) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read rows %lld..%lld of %s of '%s'",
               (long long)first, (long long)(first + count - 1), name, s->path);
  H5Sclose(space[0]);
  H5Sclose(space[1]);
}

/* bytes of one row come back in *width */
static void read_some(const fm_store *s, const char *name, fm_type type, int64_t first,
                      int64_t count, void *data, int64_t *width, fm_verdict *v) {
  int64_t shape[FM_STORE_NDIM] = {0};
  int ndim;
  const hid_t set = fm_h5_dataset(s, name, &ndim, shape, v);

  if (set < 0) return;
  if (ndim < 1 || first < 0 || count < 0 || first + count > shape[0])
    fm_fail(v, PETSC_ERR_ARG_OUTOFRANGE, "rows %lld..%lld of %s of '%s', which has %lld",
            (long long)first, (long long)(first + count - 1), name, s->path,
            (long long)(ndim < 1 ? 0 : shape[0]));
  else
    read_selected(s, name, set, type, first, count, data, v);
  *width = fm_h5_entries(ndim - 1, shape + 1) * (int64_t)fm_h5_size(type);
  H5Oclose(set);
}

PetscErrorCode fm_store_read_rows(fm_store *s, const char *name, fm_type type, int64_t first,
                                  int64_t count, void *data) {
  fm_verdict v = {0};
  int64_t width = 0;

  PetscFunctionBegin;
  if (!s->rank) read_some(s, name, type, first, count, data, &width, &v);
  PetscCall(fm_verdict_share(s->comm, &v, sizeof(width), &width));
  PetscCall(fm_broadcast(s->comm, (size_t)(count * width), data));
  PetscFunctionReturn(0);
}

static char *read_text(const fm_store *s, const char *name, fm_verdict *v) {
  const hid_t set = fm_h5_object(s, name, v);
  char *text = NULL, what[400];

  if (set < 0) return NULL;
  snprintf(what, sizeof(what), "%.150s of '%.200s'", name, s->path);
  if (H5Iget_type(set) == H5I_DATASET)
    text = fm_h5_get_text(set, what, v);
  else
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s is a group, expected a text", what);
  H5Oclose(set);
  return text;
}

PetscErrorCode fm_store_read_text(fm_store *s, const char *name, char **text) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  *text = NULL;
  if (!s->rank) *text = read_text(s, name, &v);
  PetscCall(fm_verdict_share_text(s->comm, &v, text));
  PetscFunctionReturn(0);
}
