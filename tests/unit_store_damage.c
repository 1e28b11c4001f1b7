/* What is not what it should be is refused with a sentence, and never crashes. */
#include "io_test.h"

#define WORLD PETSC_COMM_WORLD

static void refused(const char *path, const char *word) {
  fm_store *s = NULL;

  fm_expect_error(fm_store_open(WORLD, path, &s), word);
  assert_null(s);
}

static void what_is_no_file(void **state) {
  refused(in_folder("absent.h5"), "no such file");
  refused("absent.h5", "looked from folder '/");
  refused(test_folder, "is a folder");
  refused("/dev/null", "is no regular file");
  save_bytes(in_folder("empty.h5"), "", 0);
  refused(in_folder("empty.h5"), "is empty");
  refused(in_folder("empty.h5/x"), "Not a directory");
}

static void what_is_foreign(void **state) {
  save_bytes(in_folder("note.txt"), "a text, not a file of numbers\n", 30);
  refused(in_folder("note.txt"), "is not an HDF5 file");
  save_bytes(in_folder("sly.h5"), "\x89HDF\r\n\x1a\nthat is all", 20);
  refused(in_folder("sly.h5"), "damaged or truncated");
  save_bytes(in_folder("fathom.txt"), "fathom crc32 00000000 length 0\n", 31);
  refused(in_folder("fathom.txt"), "is not an HDF5 file"); /* its checksum is right */
}

static void every_flipped_byte_is_found(void **state) {
  size_t n;
  unsigned char *bytes;
  fm_store *s;

  commit_small(WORLD, in_folder("a.h5"), 1.5, NULL);
  bytes = load_bytes(in_folder("a.h5"), &n);
  for (size_t i = 0; i < n; i += i < 96 || i + 96 > n ? 1 : 1 + n / 200) {
    bytes[i] ^= (unsigned char)(1u << (i % 8));
    save_bytes(in_folder("b.h5"), bytes, n);
    refused(in_folder("b.h5"), "previous checkpoint");
    bytes[i] ^= (unsigned char)(1u << (i % 8));
  }
  save_bytes(in_folder("b.h5"), bytes, n); /* and nothing else is wrong */
  fm_ok(fm_store_open(WORLD, in_folder("b.h5"), &s));
  fm_ok(fm_store_close(&s));
  bytes[n] = 0; /* one byte too many */
  save_bytes(in_folder("b.h5"), bytes, n + 1);
  refused(in_folder("b.h5"), "damaged");
  free(bytes);
}

static void the_sentence_has_both_checksums(void **state) {
  size_t n;
  unsigned char *bytes;
  char *line;

  commit_small(WORLD, in_folder("a.h5"), 1.5, NULL);
  bytes = load_bytes(in_folder("a.h5"), &n);
  bytes[n] = 0;
  line = (char *)bytes + n - 1;
  while (strncmp(line, "fathom crc32 ", 13)) line--;
  bytes[100] ^= 1;
  save_bytes(in_folder("b.h5"), bytes, n);
  refused(in_folder("b.h5"), " stored, ");
  line[13 + 8] = 0;
  assert_non_null(strstr(fm_test_message, line + 13));
  free(bytes);
}

static void every_truncation_is_found(void **state) {
  size_t n;
  unsigned char *bytes;

  commit_small(WORLD, in_folder("a.h5"), 1.5, NULL);
  bytes = load_bytes(in_folder("a.h5"), &n);
  for (size_t i = 1; i < n; i += i < 8 || i + 50 > n ? 1 : 1 + n / 50) {
    save_bytes(in_folder("b.h5"), bytes, i);
    refused(in_folder("b.h5"), in_folder("b.h5"));
  }
  save_bytes(in_folder("b.h5"), bytes, n / 2);
  refused(in_folder("b.h5"), "bytes where its superblock says");
  save_bytes(in_folder("b.h5"), bytes, n - 1);
  refused(in_folder("b.h5"), "checksum");
  free(bytes);
}

/* no checksum guards a foreign file: anything may come out, but a sentence or a number, not a
   crash */
static void damage_without_checksum_does_not_crash(void **state) {
  const double a[4] = {1., 2., 3., 4.};
  const fm_field field = {"/a", FM_FLOAT64, 0, {0}};
  size_t n;
  unsigned char *bytes;
  fm_store *s;
  double b[4];
  int fine = 0;

  fm_ok(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &field, 4, &s));
  fm_ok(fm_store_write_rows(s, "/a", 0, 4, a));
  fm_ok(fm_store_commit(&s, NULL));
  bytes = load_bytes(in_folder("a.h5"), &n);
  PetscPushErrorHandler(fm_test_keep, NULL);
  for (size_t i = 0; i < n; i += 1 + n / 400) {
    bytes[i] ^= 0x41;
    save_bytes(in_folder("b.h5"), bytes, n);
    bytes[i] ^= 0x41;
    if (fm_store_open(WORLD, in_folder("b.h5"), &s)) continue;
    fine += !fm_store_read(s, "/a", FM_FLOAT64, 4, b);
    fm_store_close(&s);
  }
  PetscPopErrorHandler();
  assert_true(fine > 0);
  free(bytes);
}

static void a_commit_keeps_the_previous(void **state) {
  const char *path = in_folder("a.h5"), *old = in_folder("old.h5");

  commit_small(WORLD, path, 1., old);
  assert_false(exists(old));
  commit_small(WORLD, path, 2., old);
  assert_true(read_small(WORLD, path) == 2. && read_small(WORLD, old) == 1.);
  commit_small(WORLD, path, 3., old);
  assert_true(read_small(WORLD, path) == 3. && read_small(WORLD, old) == 2.);
  commit_small(WORLD, path, 4., NULL);
  assert_true(read_small(WORLD, path) == 4. && read_small(WORLD, old) == 2.);
  assert_false(exists(in_folder("a.h5.tmp")));
}

static void fails_to_commit(const char *path, const char *previous, const char *word) {
  fm_store *s;

  fm_ok(fm_store_create(WORLD, path, &s));
  fm_expect_error(fm_store_commit(&s, previous), word);
  assert_null(s);
}

static void a_failed_commit_leaves_the_old(void **state) {
  const char *path = in_folder("a.h5");

  commit_small(WORLD, path, 1., NULL);
  fails_to_commit(path, in_folder("no/such/old.h5"), "cannot keep the old file");
  assert_true(read_small(WORLD, path) == 1.);
  assert_false(exists(in_folder("a.h5.tmp")));
  assert_int_equal(mkdir(in_folder("a.h5.tmp"), 0777), 0); /* as root may write anywhere */
  fails_to_commit(path, in_folder("old.h5"), "cannot create");
  assert_true(read_small(WORLD, path) == 1.);
  assert_false(exists(in_folder("old.h5")));
  assert_int_equal(mkdir(in_folder("sub"), 0777), 0);
  fails_to_commit(in_folder("sub"), NULL, "Is a directory");
  assert_false(exists(in_folder("sub.tmp")));
  fails_to_commit(in_folder("no/such/folder.h5"), NULL, "cannot create");
}

static void folders_are_made(void **state) {
  fm_ok(fm_store_make_folder(WORLD, in_folder("a/b//c/")));
  fm_ok(fm_store_make_folder(WORLD, in_folder("a/b/c")));
  assert_true(exists(in_folder("a/b/c")));
  fm_ok(fm_store_make_folder(WORLD, "/"));
  fm_ok(fm_store_make_folder(WORLD, "."));
  save_bytes(in_folder("file"), "x", 1);
  fm_expect_error(fm_store_make_folder(WORLD, in_folder("file")), "is a file");
  fm_expect_error(fm_store_make_folder(WORLD, in_folder("file/sub")), "Not a directory");
  fm_expect_error(fm_store_make_folder(WORLD, "/dev/null/x"), "/dev/null/x");
  fm_expect_error(fm_store_make_folder(WORLD, "/proc/x"), "cannot make folder '/proc/x'");
  fm_expect_error(fm_store_make_folder(WORLD, ""), "0 characters");
}

FM_TEST_MAIN(io_test(what_is_no_file), io_test(what_is_foreign),
             io_test(every_flipped_byte_is_found), io_test(the_sentence_has_both_checksums),
             io_test(every_truncation_is_found),
             io_test(damage_without_checksum_does_not_crash),
             io_test(a_commit_keeps_the_previous), io_test(a_failed_commit_leaves_the_old),
             io_test(folders_are_made))
