/* A user's HDF5 file: as pairs, held in memory and read by rows, as the value of an option, and
   listed as `fathom inspect` does. */
#include "alone.h"
#include "fathom/dataset.h"
#include "fathom/store.h"
#include <math.h>

#define DEEP 8 /* groups within groups that are walked */

static const fm_option options[] = {{"array", FM_OPTION_ARRAY, "", "", "an array"},
                                    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* ---- pairs ---- */

static void use_pairs(fm_dataset *d) {
  const int64_t n = fm_dataset_count(d), nx = fm_shape_size(fm_dataset_shape_x(d)),
                ny = fm_shape_size(fm_dataset_shape_y(d));
  const int64_t row[3] = {n - 1, 0, n / 2};
  double *moments = malloc((size_t)(2 * (nx + ny)) * sizeof(double));
  fm_real *x = malloc((size_t)(3 * (nx + ny)) * sizeof(fm_real));
  uint32_t crc;

  if (n < 1 || nx < 1 || ny < 0) fuzz_fault("a dataset without rows");
  (void)!fm_dataset_rows(d, 3, row, x, ny ? x + 3 * nx : NULL);
  (void)!fm_dataset_crc32(d, 3, row, ny ? PETSC_TRUE : PETSC_FALSE, &crc);
  (void)!fm_dataset_moments(d, 3, row, moments, moments + nx, moments + 2 * nx,
                            moments + 2 * nx + ny);
  free(x);
  free(moments);
}

static void read_pairs(const char *path, const char *memory) {
  fm_dataset *d = NULL;

  fuzz_ok(PetscOptionsSetValue(NULL, "-pairs_memory", memory));
  if (fm_dataset_open(PETSC_COMM_SELF, path, &d)) return;
  use_pairs(d);
  fuzz_ok(fm_dataset_close(&d));
}

/* ---- the value of an option ---- */

static PetscErrorCode read_option(const char *path, const char *name) {
  PetscErrorCode code;
  int64_t shape[FM_STORE_NDIM];
  double *data = NULL, scale;
  char text[128];
  int ndim;

  snprintf(text, sizeof(text), "%s:%s", path, name);
  fuzz_ok(PetscOptionsSetValue(NULL, "-array", text));
  code = fm_store_option_array(PETSC_COMM_SELF, "array", &ndim, shape, &data);
  fuzz_ok(PetscFree(data));
  (void)!fm_store_option_scale(PETSC_COMM_SELF, "array", &scale);
  return code;
}

/* ---- everything in the file ---- */

static void list_attributes(fm_store *s, const char *object) {
  char **name = NULL, **value = NULL, text[32];
  int64_t integer;
  double real;
  int n = 0;

  if (fm_store_list_attributes(s, object, &n, &name, &value)) return;
  for (int i = 0; i < n; i++) {
    (void)!fm_store_get_integer(s, object, name[i], &integer);
    (void)!fm_store_get_real(s, object, name[i], &real);
    (void)!fm_store_get_text(s, object, name[i], text, sizeof(text));
  }
  fuzz_ok(fm_store_free_texts(n, &name));
  fuzz_ok(fm_store_free_texts(n, &value));
}

static void read_object(fm_store *s, const char *name) {
  int64_t shape[FM_STORE_NDIM], first[64];
  fm_content content;
  char *text = NULL;
  int ndim;

  if (fm_store_content(s, name, &content)) return;
  (void)!fm_store_shape(s, name, &ndim, shape);
  if (!fm_store_read_text(s, name, &text)) fuzz_ok(PetscFree(text));
  (void)!fm_store_read(s, name, FM_INT64, 4, first);
}

static void walk(fm_store *s, const char *group, int depth) {
  PetscBool *is_group;
  char **name, path[512];
  int n;

  list_attributes(s, group);
  if (fm_store_list(s, group, &n, &name, &is_group)) return;
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof(path), "%s/%s", group[1] ? group : "", name[i]);
    if (!is_group[i]) read_object(s, path);
    if (!is_group[i]) list_attributes(s, path);
    if (is_group[i] && depth < DEEP && n < 32) walk(s, path, depth + 1);
  }
  fuzz_ok(fm_store_free_list(n, &name, &is_group));
}

static void list_file(const char *path) {
  fm_store *s = NULL;

  if (fm_store_open(PETSC_COMM_SELF, path, &s)) return;
  walk(s, "/", 0);
  fuzz_ok(fm_store_close(&s));
}

/* ---- one input ---- */

static void one(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);
  fuzz_before before;

  (void)!read_option(path, "/x"); /* PETSc keeps the options */
  read_pairs(path, "0");
  before = fuzz_note();
  read_pairs(path, "1");
  read_pairs(path, "1G");
  (void)!read_option(path, "/x");
  (void)!read_option(path, "/y[1]");
  (void)!read_option(path, "/group/z");
  if (!read_option(path, "/y[1)")) fuzz_fault("a row that is no number is read");
  list_file(path);
  fuzz_compare(before);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_begin();
  fuzz_share();
  H5open();
  fuzz_ok(fm_options_declare(options));
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_alone(one, data, size);
  return 0;
}
