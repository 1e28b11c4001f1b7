/* Arrays given as options: numbers, or a dataset of a file. */
#include "fathom/options.h"
#include "fathom/store.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct fm_array {
  int ndim;
  int64_t shape[FM_STORE_NDIM];
  double *data;
} fm_array;

static int64_t array_size(const fm_array *a) {
  int64_t n = 1;

  for (int i = 0; i < a->ndim; i++) n *= a->shape[i];
  return n;
}

static const char *skip_blanks(const char *text) {
  while (isspace((unsigned char)*text)) text++;
  return text;
}

/* the number at *text, which moves behind the comma that follows or to the end; 0: no number */
static int take_number(const char **text, double *value) {
  char *end;

  *value = strtod(*text, &end);
  if (end == *text) return 0;
  end = (char *)skip_blanks(end);
  if (*end && *end != ',') return 0;
  *text = *end ? end + 1 : end;
  return *end ? 2 : 1; /* 2: another must follow */
}

static PetscErrorCode parse_numbers(MPI_Comm comm, const char *option, const char *text,
                                    fm_array *a) {
  const char *at = text;
  int64_t n = 1, i = 0;
  int more = 2;

  PetscFunctionBegin;
  for (const char *c = text; *c; c++) n += *c == ',';
  PetscCall(fm_calloc(n, &a->data));
  while (more == 2 && i < n) {
    const char *here = skip_blanks(at);

    more = take_number(&at, &a->data[i]);
    if (!more) PetscCall(PetscFree(a->data));
    fm_check(more, comm, PETSC_ERR_USER,
             "-%s: entry %lld, '%.*s', is not a number; give a,b,c or FILE:/dataset", option,
             (long long)i, (int)PetscMin((size_t)60, strcspn(here, ",")), here);
    i++;
  }
  a->ndim = 1;
  a->shape[0] = i;
  PetscFunctionReturn(0);
}

/* The colon is that of the last ":/". */
PetscErrorCode fm_store_split(MPI_Comm comm, const char *text, char file[PETSC_MAX_PATH_LEN],
                              const char **name) {
  const char *colon = NULL;

  PetscFunctionBegin;
  for (const char *at = strstr(text, ":/"); at; at = strstr(at + 1, ":/")) colon = at;
  *name = colon ? colon + 1 : NULL;
  if (!colon) PetscFunctionReturn(0);
  fm_check((size_t)(colon - text) < PETSC_MAX_PATH_LEN, comm, PETSC_ERR_USER,
           "the name of a file has %zu characters, at most %d", (size_t)(colon - text),
           PETSC_MAX_PATH_LEN - 1);
  PetscCall(PetscStrncpy(file, text, (size_t)(colon - text) + 1));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_split_row(MPI_Comm comm, fm_store *store, char *name, int64_t *row) {
  const size_t length = strlen(name);
  char *bracket = strrchr(name, '['), *end;
  PetscBool has;

  PetscFunctionBegin;
  *row = -1;
  if (!bracket) PetscFunctionReturn(0);
  PetscCall(fm_store_has(store, name, &has));
  if (has) PetscFunctionReturn(0);
  errno = 0;
  *row = strtoll(bracket + 1, &end, 10);
  fm_check(isdigit((unsigned char)bracket[1]) && end == name + length - 1 && *end == ']' &&
               !errno,
           comm, PETSC_ERR_USER,
           "'%s' names no row: FILE:/dataset[ROW] takes one number, the first row is 0", name);
  *bracket = 0;
  PetscFunctionReturn(0);
}

/* One row of [rows][...], as an array [1][...]. */
static PetscErrorCode read_row(MPI_Comm comm, fm_store *store, const char *name, int64_t row,
                               fm_array *a) {
  PetscErrorCode code;

  PetscFunctionBegin;
  fm_check(a->ndim >= 1 && row < a->shape[0], comm, PETSC_ERR_USER,
           "row %lld of %s is asked for, but it has %lld rows (the first is 0)", (long long)row,
           name, (long long)(a->ndim ? a->shape[0] : 0));
  a->shape[0] = 1;
  PetscCall(fm_calloc(array_size(a), &a->data));
  code = fm_store_read_rows(store, name, FM_FLOAT64, row, 1, a->data);
  if (code) PetscCall(PetscFree(a->data));
  PetscCall(code);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_whole(fm_store *store, const char *name, fm_array *a) {
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fm_calloc(array_size(a), &a->data));
  code = fm_store_read(store, name, FM_FLOAT64, array_size(a), a->data);
  if (code) PetscCall(PetscFree(a->data));
  PetscCall(code);
  if (a->ndim == 0) a->ndim = 1, a->shape[0] = 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_open(MPI_Comm comm, fm_store *store, const char *dataset,
                                fm_array *a) {
  char name[PETSC_MAX_PATH_LEN];
  int64_t row;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, dataset, sizeof(name)));
  PetscCall(fm_store_split_row(comm, store, name, &row));
  PetscCall(fm_store_shape(store, name, &a->ndim, a->shape));
  if (row < 0)
    PetscCall(read_whole(store, name, a));
  else
    PetscCall(read_row(comm, store, name, row, a));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_file(MPI_Comm comm, const char *file, const char *name,
                                fm_array *a) {
  fm_store *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fm_store_open(comm, file, &store));
  code = read_open(comm, store, name, a);
  PetscCall(fm_store_close(&store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* "[1][0]": the place of entry i in an array */
static void place_text(const fm_array *a, int64_t i, char *text, size_t length) {
  int64_t stride = array_size(a);
  size_t used = 0;

  for (int d = 0; d < a->ndim && used < length; d++) {
    stride /= a->shape[d];
    used += (size_t)snprintf(text + used, length - used, "[%lld]", (long long)(i / stride));
    i %= stride;
  }
}

static PetscErrorCode check_finite(MPI_Comm comm, const char *option, fm_array *a) {
  const int64_t n = array_size(a);
  int64_t i = 0;
  const char *bad;
  char place[128] = "";

  PetscFunctionBegin;
  while (i < n && isfinite(a->data[i])) i++;
  if (i == n) PetscFunctionReturn(0);
  place_text(a, i, place, sizeof(place));
  bad = isnan(a->data[i]) ? "nan" : "inf";
  PetscCall(PetscFree(a->data));
  SETERRQ(comm, PETSC_ERR_USER, "-%s: entry %s is %s, expected a finite number", option, place,
          bad);
}

PetscErrorCode fm_store_option_array(MPI_Comm comm, const char *option, int *ndim,
                                     int64_t shape[FM_STORE_NDIM], double **data) {
  const char *text = NULL, *name;
  char file[PETSC_MAX_PATH_LEN];
  fm_array a = {0};

  PetscFunctionBegin;
  *ndim = 0;
  *data = NULL;
  for (int i = 0; i < FM_STORE_NDIM; i++) shape[i] = 0;
  PetscCall(fm_option_text(option, &text));
  if (!text || !*skip_blanks(text)) PetscFunctionReturn(0);
  PetscCall(fm_store_split(comm, text, file, &name));
  if (name)
    PetscCall(read_file(comm, file, name, &a));
  else
    PetscCall(parse_numbers(comm, option, text, &a));
  PetscCall(check_finite(comm, option, &a));
  *ndim = a.ndim;
  for (int i = 0; i < a.ndim; i++) shape[i] = a.shape[i];
  *data = a.data;
  PetscFunctionReturn(0);
}

static PetscErrorCode scale_of(MPI_Comm comm, fm_store *store, const char *dataset,
                               double *scale) {
  char name[PETSC_MAX_PATH_LEN];
  PetscBool has;
  int64_t row;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, dataset, sizeof(name)));
  PetscCall(fm_store_split_row(comm, store, name, &row));
  PetscCall(fm_store_has_attribute(store, name, "scale", &has));
  if (has) PetscCall(fm_store_get_real(store, name, "scale", scale));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_option_scale(MPI_Comm comm, const char *option, double *scale) {
  char file[PETSC_MAX_PATH_LEN];
  const char *text, *name;
  PetscErrorCode code;
  fm_store *store;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(fm_option_text(option, &text));
  PetscCall(fm_store_split(comm, text, file, &name));
  if (!name) PetscFunctionReturn(0);
  PetscCall(fm_store_open(comm, file, &store));
  code = scale_of(comm, store, name, scale);
  PetscCall(fm_store_close(&store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscBool fm_store_image_fits(int ndim, const int64_t *shape, int64_t rows, int64_t columns) {
  int long_ones = 0;

  for (int d = 0; d < ndim; d++) long_ones += shape[d] != 1;
  if (!rows || long_ones < 2) return PETSC_TRUE;
  return shape[ndim - 2] == rows && shape[ndim - 1] == columns ? PETSC_TRUE : PETSC_FALSE;
}
