/* What the tests of io/ share: a folder that each test gets and that goes with it, names in
   it, and raw bytes. */
#ifndef IO_TEST_H
#define IO_TEST_H

#include "fm_test.h"
#include "fathom/store.h"
#include <hdf5.h>
#include <stdlib.h>
#include <sys/stat.h>

#define io_test(f) cmocka_unit_test_setup_teardown(f, make_test_folder, remove_test_folder)

static char test_folder[64];

static inline int test_rank(void) {
  int rank;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  return rank;
}

static inline int make_test_folder(void **state) {
  snprintf(test_folder, sizeof(test_folder), "/tmp/fathom_io_XXXXXX");
  if (!test_rank() && !mkdtemp(test_folder)) return 1;
  (void)MPI_Bcast(test_folder, sizeof(test_folder), MPI_CHAR, 0, PETSC_COMM_WORLD);
  return 0;
}

/* a test that leaves something open in HDF5 has failed */
static inline int remove_test_folder(void **state) {
  char command[100];
  if (H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) > 0) return 1;
  MPI_Barrier(PETSC_COMM_WORLD);
  snprintf(command, sizeof(command), "rm -rf %s", test_folder);
  return test_rank() ? 0 : system(command);
}

/* the last eight answers stay valid */
static inline const char *in_folder(const char *name) {
  static char path[8][200];
  static int next;
  next = (next + 1) % 8;
  snprintf(path[next], sizeof(path[next]), "%s/%s", test_folder, name);
  return path[next];
}

static inline int exists(const char *path) { return access(path, F_OK) == 0; }

/* on all ranks before any goes on */
static inline int gone(const char *path) {
  int absent;
  MPI_Barrier(PETSC_COMM_WORLD);
  absent = !exists(path);
  MPI_Barrier(PETSC_COMM_WORLD);
  return absent;
}

/* the bytes of a file; free() them */
static inline unsigned char *load_bytes(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  unsigned char *bytes;
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  *n = (size_t)ftell(f);
  rewind(f);
  bytes = malloc(*n + 1);
  assert_int_equal(fread(bytes, 1, *n, f), *n);
  fclose(f);
  return bytes;
}

static inline void save_bytes(const char *path, const void *bytes, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  fclose(f);
}

/* a small committed store with /a = {value, 1, 2, 3} */
static inline void commit_small(MPI_Comm comm, const char *path, double value,
                                const char *previous) {
  const double a[4] = {value, 1., 2., 3.};
  const int64_t four = 4;
  fm_store *s;

  fm_ok(fm_store_create(comm, path, &s));
  fm_ok(fm_store_write(s, "/a", FM_FLOAT64, 1, &four, a));
  fm_ok(fm_store_set_integer(s, "/", "step", 7));
  fm_ok(fm_store_set_text(s, "/", "settings", "-seed 1"));
  fm_ok(fm_store_commit(&s, previous));
  assert_null(s);
}

/* the first number of /a */
static inline double read_small(MPI_Comm comm, const char *path) {
  double a[4] = {-1., 0., 0., 0.};
  fm_store *s;

  fm_ok(fm_store_open(comm, path, &s));
  fm_ok(fm_store_read(s, "/a", FM_FLOAT64, 4, a));
  fm_ok(fm_store_close(&s));
  return a[0];
}

/* the sentence of the last fm_expect_error is that of rank 0 on every rank */
static inline void same_sentence(void) {
  char first[sizeof(fm_test_message)];
  memcpy(first, fm_test_message, sizeof(first));
  (void)MPI_Bcast(first, sizeof(first), MPI_CHAR, 0, PETSC_COMM_WORLD);
  assert_string_equal(first, fm_test_message);
}

#endif
