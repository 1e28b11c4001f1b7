#include "h5.h"
#include <stdio.h>

/* "attribute 'step' of /training of 'x.h5'" */
typedef struct fm_label {
  char text[500];
} fm_label;

static fm_label label(const fm_store *s, const char *object, const char *name) {
  fm_label l;

  snprintf(l.text, sizeof(l.text), "attribute '%.100s' of %.150s of '%.200s'", name, object,
           s->path);
  return l;
}

PetscErrorCode fm_store_has_attribute(fm_store *s, const char *object, const char *name,
                                      PetscBool *has) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) {
    const hid_t id = H5Oopen(s->file, object, H5P_DEFAULT);

    *has = id >= 0 && H5Aexists(id, name) > 0 ? PETSC_TRUE : PETSC_FALSE;
    if (id >= 0) H5Oclose(id);
  }
  PetscCall(fm_verdict_share(s->comm, &v, sizeof(*has), has));
  PetscFunctionReturn(0);
}

/* ---- get ---- */

static hid_t open_attribute(const fm_store *s, const char *object, const char *name,
                            fm_verdict *v) {
  const hid_t id = fm_h5_object(s, object, v);
  hid_t attribute;

  if (id < 0) return id;
  attribute = H5Aopen(id, name, H5P_DEFAULT);
  if (attribute < 0)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s not found", label(s, object, name).text);
  H5Oclose(id);
  return attribute;
}

static void read_number(hid_t attribute, hid_t type, void *value, const char *what,
                        fm_verdict *v) {
  const hid_t space = H5Aget_space(attribute), kind = H5Aget_type(attribute);
  const H5T_class_t c = H5Tget_class(kind);

  if (H5Sget_simple_extent_npoints(space) != 1 || (c != H5T_INTEGER && c != H5T_FLOAT))
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s is not one number", what);
  else if (c == H5T_FLOAT && H5Tequal(type, H5T_NATIVE_INT64) > 0)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s is a real number, expected an integer", what);
  else if (H5Aread(attribute, type, value) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s", what);
  H5Tclose(kind);
  H5Sclose(space);
}

static PetscErrorCode get_number(fm_store *s, const char *object, const char *name, hid_t type,
                                 void *value) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  if (!s->rank) {
    const hid_t attribute = open_attribute(s, object, name, &v);

    if (attribute >= 0) {
      read_number(attribute, type, value, label(s, object, name).text, &v);
      H5Aclose(attribute);
    }
  }
  PetscCall(fm_verdict_share(s->comm, &v, 8, value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_get_integer(fm_store *s, const char *object, const char *name,
                                    int64_t *value) {
  PetscFunctionBegin;
  PetscCall(get_number(s, object, name, H5T_NATIVE_INT64, value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_get_real(fm_store *s, const char *object, const char *name,
                                 double *value) {
  PetscFunctionBegin;
  PetscCall(get_number(s, object, name, H5T_NATIVE_DOUBLE, value));
  PetscFunctionReturn(0);
}

static char *read_text(const fm_store *s, const char *object, const char *name, fm_verdict *v) {
  const hid_t attribute = open_attribute(s, object, name, v);
  char *text;

  if (attribute < 0) return NULL;
  text = fm_h5_get_text(attribute, label(s, object, name).text, v);
  H5Aclose(attribute);
  return text;
}

PetscErrorCode fm_store_get_text(fm_store *s, const char *object, const char *name, char *text,
                                 size_t length) {
  fm_verdict v = {0};
  char *found = NULL;

  PetscFunctionBegin;
  if (!s->rank) found = read_text(s, object, name, &v);
  if (found && strlen(found) >= length)
    fm_fail(&v, PETSC_ERR_ARG_SIZ, "%s has %zu characters, at most %zu",
            label(s, object, name).text, strlen(found), length - 1);
  PetscCall(fm_verdict_share_text(s->comm, &v, &found));
  PetscCall(PetscStrncpy(text, found, length));
  PetscCall(PetscFree(found));
  PetscFunctionReturn(0);
}

/* ---- set ---- */

/* the object, made as a group where it is missing */
static hid_t object_for(const fm_store *s, const char *object, fm_verdict *v) {
  const hid_t links = fm_h5_links();
  hid_t id = H5Oopen(s->file, object, H5P_DEFAULT);

  if (id < 0) id = H5Gcreate2(s->file, object, links, H5P_DEFAULT, H5P_DEFAULT);
  if (id < 0) fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot make %s in '%s'", object, s->path);
  H5Pclose(links);
  return id;
}

static void put(hid_t id, const char *name, hid_t type, const void *value, const char *what,
                fm_verdict *v) {
  const hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute;

  if (H5Aexists(id, name) > 0) H5Adelete(id, name);
  attribute = H5Acreate2(id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_WRITE, "cannot write %s", what);
  if (attribute >= 0) H5Aclose(attribute);
  H5Sclose(space);
}

static void set_on_root(const fm_store *s, const char *object, const char *name, hid_t type,
                        const void *value, fm_verdict *v) {
  const fm_label what = label(s, object, name);
  const hid_t id = object_for(s, object, v);

  if (id < 0) return;
  put(id, name, type, value, what.text, v);
  H5Oclose(id);
}

static PetscErrorCode set(fm_store *s, const char *object, const char *name, hid_t type,
                          const void *value, size_t bytes) {
  fm_verdict v = {0};
  const PetscBool fits =
      s->kind == FM_STORE_IMAGE || (s->kind == FM_STORE_ROWS && !s->shared && !s->failed)
          ? PETSC_TRUE
          : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, fits, "set an attribute"));
  if (!s->rank && s->kind == FM_STORE_ROWS) fm_skeleton_reserve(s, bytes, &v);
  if (!s->rank && !v.code) set_on_root(s, object, name, type, value, &v);
  PetscCall(fm_verdict_agree(s->comm, &v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_set_integer(fm_store *s, const char *object, const char *name,
                                    int64_t value) {
  PetscFunctionBegin;
  PetscCall(set(s, object, name, H5T_NATIVE_INT64, &value, sizeof(value)));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_set_real(fm_store *s, const char *object, const char *name,
                                 double value) {
  PetscFunctionBegin;
  PetscCall(set(s, object, name, H5T_NATIVE_DOUBLE, &value, sizeof(value)));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_set_text(fm_store *s, const char *object, const char *name,
                                 const char *value) {
  const hid_t type = fm_h5_text_type();
  PetscErrorCode code;

  PetscFunctionBegin;
  code = set(s, object, name, type, &value, strlen(value));
  H5Tclose(type);
  PetscCall(code);
  PetscFunctionReturn(0);
}
