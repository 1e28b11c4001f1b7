/* What is in a store: members of groups, attributes with their values as text. */
#include "h5.h"
#include <stdio.h>

/* filled on rank 0; a first pass with name == NULL counts */
typedef struct fm_list {
  int n;
  char **name, **value;
  PetscBool *is_group;
  fm_verdict *v;
} fm_list;

static void keep(fm_list *l, const char *text, char **place) {
  if (PetscStrallocpy(text, place)) fm_fail(l->v, PETSC_ERR_MEM, "no memory for '%s'", text);
}

static void allot(fm_list *l, int n, char ***texts) {
  if (fm_calloc(n, texts)) fm_fail(l->v, PETSC_ERR_MEM, "no memory for %d names", n);
}

/* ---- members ---- */

static herr_t add_member(hid_t group, const char *name, const H5L_info_t *info, void *context) {
  fm_list *l = (fm_list *)context;
  const int i = l->n++;
  hid_t object;

  if (!l->name) return 0;
  keep(l, name, &l->name[i]);
  object = H5Oopen(group, name, H5P_DEFAULT); /* a link may lead nowhere */
  l->is_group[i] = object >= 0 && H5Iget_type(object) == H5I_GROUP ? PETSC_TRUE : PETSC_FALSE;
  if (object >= 0) H5Oclose(object);
  return l->v->code ? -1 : 0;
}

static herr_t visit_members(hid_t group, fm_list *l) {
  l->n = 0;
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_member, l);
}

static void list_members(const fm_store *s, const char *name, fm_list *l) {
  const hid_t group = fm_h5_object(s, name, l->v);

  if (group < 0) return;
  if (H5Iget_type(group) != H5I_GROUP)
    fm_fail(l->v, PETSC_ERR_FILE_UNEXPECTED, "%s of '%s' is no group", name, s->path);
  else if (visit_members(group, l) < 0)
    fm_fail_h5(l->v, PETSC_ERR_FILE_READ, "cannot list %s of '%s'", name, s->path);
  if (!l->v->code) {
    allot(l, l->n, &l->name);
    if (fm_calloc(l->n, &l->is_group)) fm_fail(l->v, PETSC_ERR_MEM, "no memory to list names");
  }
  if (!l->v->code && visit_members(group, l) < 0)
    fm_fail_h5(l->v, PETSC_ERR_FILE_READ, "cannot list %s of '%s'", name, s->path);
  H5Oclose(group);
}

PetscErrorCode fm_store_list(fm_store *s, const char *group, int *n, char ***names,
                             PetscBool **is_group) {
  fm_verdict v = {0};
  fm_list l = {.v = &v};
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!s->rank) list_members(s, group, &l);
  code = fm_verdict_share_texts(s->comm, &v, &l.n, &l.name);
  if (code) PetscCall(PetscFree(l.is_group));
  PetscCall(code);
  if (s->rank) PetscCall(fm_calloc(l.n, &l.is_group));
  PetscCall(fm_broadcast(s->comm, (size_t)l.n * sizeof(PetscBool), l.is_group));
  *n = l.n;
  *names = l.name;
  *is_group = l.is_group;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_free_list(int n, char ***names, PetscBool **is_group) {
  PetscFunctionBegin;
  PetscCall(fm_store_free_texts(n, names));
  PetscCall(PetscFree(*is_group));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_free_texts(int n, char ***texts) {
  PetscFunctionBegin;
  if (!*texts) PetscFunctionReturn(0);
  for (int i = 0; i < n; i++) PetscCall(PetscFree((*texts)[i]));
  PetscCall(PetscFree(*texts));
  PetscFunctionReturn(0);
}

/* ---- attributes ---- */

/* the shortest of two spellings that reads back the same */
static void format_real(double x, char *text, size_t length) {
  snprintf(text, length, "%.15g", x);
  if (strtod(text, NULL) != x) snprintf(text, length, "%.17g", x);
}

static void format_integer(hid_t attribute, char *text, size_t length) {
  int64_t i = 0;

  H5Aread(attribute, H5T_NATIVE_INT64, &i);
  snprintf(text, length, "%lld", (long long)i);
}

static char *format_value(hid_t attribute, const char *name, fm_verdict *v) {
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  const H5T_class_t kind = H5Tget_class(type);
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  char text[64], *copy = NULL;
  double x = 0.;

  snprintf(text, sizeof(text), "(%lld values)", (long long)n);
  if (n == 1 && kind == H5T_INTEGER) format_integer(attribute, text, sizeof(text));
  if (n == 1 && kind == H5T_FLOAT && H5Aread(attribute, H5T_NATIVE_DOUBLE, &x) >= 0)
    format_real(x, text, sizeof(text));
  H5Sclose(space);
  H5Tclose(type);
  if (n == 1 && kind == H5T_STRING) return fm_h5_get_text(attribute, name, v);
  if (PetscStrallocpy(text, &copy)) fm_fail(v, PETSC_ERR_MEM, "no memory for '%s'", name);
  return copy;
}

static herr_t add_attribute(hid_t object, const char *name, const H5A_info_t *info,
                            void *context) {
  fm_list *l = (fm_list *)context;
  const int i = l->n++;
  hid_t attribute;

  if (!l->name) return 0;
  keep(l, name, &l->name[i]);
  attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return -1;
  l->value[i] = format_value(attribute, name, l->v);
  H5Aclose(attribute);
  return l->v->code ? -1 : 0;
}

static herr_t visit_attributes(hid_t object, fm_list *l) {
  l->n = 0;
  return H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, add_attribute, l);
}

static void list_attributes(const fm_store *s, const char *name, fm_list *l) {
  const hid_t object = fm_h5_object(s, name, l->v);

  if (object < 0) return;
  if (visit_attributes(object, l) < 0)
    fm_fail_h5(l->v, PETSC_ERR_FILE_READ, "cannot list the attributes of %s", name);
  if (!l->v->code) {
    allot(l, l->n, &l->name);
    allot(l, l->n, &l->value);
  }
  if (!l->v->code && visit_attributes(object, l) < 0)
    fm_fail_h5(l->v, PETSC_ERR_FILE_READ, "cannot list the attributes of %s", name);
  H5Oclose(object);
}

PetscErrorCode fm_store_list_attributes(fm_store *s, const char *object, int *n, char ***names,
                                        char ***values) {
  fm_verdict v = {0};
  fm_list l = {.v = &v};
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!s->rank) list_attributes(s, object, &l);
  code = fm_verdict_share_texts(s->comm, &v, &l.n, &l.name);
  if (code) PetscCall(fm_store_free_texts(l.n, &l.value));
  PetscCall(code);
  PetscCall(fm_verdict_share_texts(s->comm, &v, &l.n, &l.value));
  *n = l.n;
  *names = l.name;
  *values = l.value;
  PetscFunctionReturn(0);
}
