/* A full disk: a small tmpfs that only root can mount. A commit and a rows store fail on all ranks with a sentence, the
   old file stands, and nobody hangs. */
#include "io_test.h"
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define WORLD PETSC_COMM_WORLD

/* 1: mounted on every rank */
static int mount_small(void) {
  int mounted = 0;

  if (!test_rank()) mounted = !mount("tmpfs", test_folder, "tmpfs", 0, "size=256k");
  if (!test_rank() && !mounted) print_message("skipped: no tmpfs here (%s)\n", strerror(errno));
  (void)MPI_Bcast(&mounted, 1, MPI_INT, 0, WORLD);
  return mounted;
}

static int make_mount(void **state) {
  if (make_test_folder(state)) return 1;
  *state = mount_small() ? test_folder : NULL;
  return 0;
}

static int remove_mount(void **state) {
  MPI_Barrier(WORLD);
  if (*state && !test_rank() && umount(test_folder)) return 1;
  return remove_test_folder(state);
}

#define full_test(f) cmocka_unit_test_setup_teardown(f, make_mount, remove_mount)

static void a_commit_fails_whole(void **state) {
  const char *path = in_folder("a.h5");
  const int64_t n = 40000;
  double *a;
  fm_store *s;

  if (!*state) return;
  commit_small(WORLD, path, 3., NULL);
  a = calloc((size_t)n, sizeof(*a));
  fm_ok(fm_store_create(WORLD, path, &s));
  fm_ok(fm_store_write(s, "/a", FM_FLOAT64, 1, &n, a));
  fm_expect_error(fm_store_commit(&s, in_folder("old.h5")), "No space left");
  same_sentence();
  assert_non_null(strstr(fm_test_message, "cannot reserve 32"));
  assert_false(exists(in_folder("a.h5.tmp")) || exists(in_folder("old.h5")));
  assert_true(read_small(WORLD, path) == 3.);
  free(a);
}

static void rows_fail_at_once(void **state) {
  const fm_field field = {"/x", FM_FLOAT64, 1, {10}};
  fm_store *s;

  if (!*state) return;
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &field, 4000, &s),
                  "No space left");
  same_sentence();
  assert_null(s);
  assert_false(exists(in_folder("a.h5.tmp")));
}

/* the last page is taken by somebody else after the bytes were reserved: nobody notices */
static void reserved_bytes_are_there(void **state) {
  const fm_field field = {"/x", FM_FLOAT64, 1, {10}};
  const int rank = test_rank();
  double a[500];
  char waste[4096] = "";
  fm_store *s;
  FILE *f;

  if (!*state) return;
  fm_ok(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &field, 2000, &s));
  if (!rank) { /* fill the disk */
    f = fopen(in_folder("waste"), "w");
    while (fwrite(waste, 1, sizeof(waste), f) == sizeof(waste) && !fflush(f)) {
    }
    fclose(f);
  }
  MPI_Barrier(WORLD);
  for (int i = 0; i < 500; i++) a[i] = i + 500 * rank;
  fm_ok(fm_store_write_rows(s, "/x", 50 * rank, 50, a));
  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(fm_store_open(WORLD, in_folder("a.h5"), &s));
  fm_ok(fm_store_read_rows(s, "/x", FM_FLOAT64, 50 * rank - 50 * rank, 50, a));
  assert_true(a[499] == 499.);
  fm_ok(fm_store_close(&s));
}

/* a file that may not grow is a disk that fills while HDF5 makes the file */
static void the_first_bytes_fail(void **state) {
  const fm_field field = {"/x", FM_FLOAT64, 1, {10}};
  const struct rlimit none = {256, RLIM_INFINITY};
  struct rlimit old;
  fm_store *s;

  if (!*state) return;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &none);
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &field, 40, &s), "a.h5");
  setrlimit(RLIMIT_FSIZE, &old);
  same_sentence();
  assert_false(exists(in_folder("a.h5.tmp")));
}

FM_TEST_MAIN(full_test(a_commit_fails_whole), full_test(rows_fail_at_once),
             full_test(reserved_bytes_are_there), full_test(the_first_bytes_fail))
