/* Strings in HDF5 come in two kinds (variable and fixed length) and two places (datasets and
   attributes). */
#include "h5.h"
#include <stdio.h>

hid_t fm_h5_text_type(void) {
  const hid_t type = H5Tcopy(H5T_C_S1);

  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

static herr_t get(hid_t id, hid_t type, void *data) {
  return H5Iget_type(id) == H5I_ATTR ? H5Aread(id, type, data)
                                     : H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
}

static char *copy_text(const char *text, const char *what, fm_verdict *v) {
  char *copy = NULL;

  if (PetscStrallocpy(text, &copy)) fm_fail(v, PETSC_ERR_MEM, "no memory for %s", what);
  return copy;
}

static char *get_variable(hid_t id, hid_t type, const char *what, fm_verdict *v) {
  char *text = NULL, *copy;

  if (get(id, type, &text) < 0) {
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s", what);
    return NULL;
  }
  copy = copy_text(text ? text : "", what, v);
  H5free_memory(text);
  return copy;
}

/* the file's character set is kept: HDF5 converts none */
static char *get_fixed(hid_t id, hid_t type, const char *what, fm_verdict *v) {
  const hid_t ours = H5Tcopy(type);
  char *text = NULL;

  H5Tset_size(ours, H5Tget_size(type) + 1);
  H5Tset_strpad(ours, H5T_STR_NULLTERM);
  if ((double)H5Tget_size(type) > fm_h5_believable(id))
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "%s is a text of %zu characters by its header, which its file cannot hold", what,
            H5Tget_size(type));
  else if (PetscCalloc1(H5Tget_size(type) + 1, &text))
    fm_fail(v, PETSC_ERR_MEM, "no memory for %s", what);
  else if (get(id, ours, text) < 0)
    fm_fail_h5(v, PETSC_ERR_FILE_READ, "cannot read %s", what);
  H5Tclose(ours);
  if (v->code) (void)!PetscFree(text);
  return text;
}

static hssize_t entries(hid_t id) {
  const hid_t space = H5Iget_type(id) == H5I_ATTR ? H5Aget_space(id) : H5Dget_space(id);
  const hssize_t n = H5Sget_simple_extent_npoints(space);

  H5Sclose(space);
  return n;
}

char *fm_h5_get_text(hid_t id, const char *what, fm_verdict *v) {
  const hid_t type = H5Iget_type(id) == H5I_ATTR ? H5Aget_type(id) : H5Dget_type(id);
  const hssize_t n = entries(id);
  char *text = NULL;

  if (H5Iget_type(id) == H5I_DATASET) fm_h5_check_size(id, what, v);
  if (v->code) {
    H5Tclose(type);
    return NULL;
  }
  if (H5Tget_class(type) != H5T_STRING)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s holds no text", what);
  else if (n != 1)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "%s holds %lld texts, expected one", what,
            (long long)n);
  else if (H5Tis_variable_str(type) > 0)
    text = get_variable(id, type, what, v);
  else
    text = get_fixed(id, type, what, v);
  H5Tclose(type);
  return text;
}
