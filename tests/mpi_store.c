/* Rank 0 reads and builds, everybody knows; all ranks write rows. */
#include "io_test.h"
#include "../io/h5.h"

#define WORLD PETSC_COMM_WORLD

static int nranks(void) {
  int size;
  MPI_Comm_size(WORLD, &size);
  return size;
}

/* ---- read and image ---- */

static void all_ranks_get_the_same(void **state) {
  const char *path = in_folder("a.h5");
  fm_store *s;
  int n, ndim;
  int64_t shape[FM_STORE_NDIM], step;
  char **names, **values, text[100];
  PetscBool *is_group, has;

  commit_small(WORLD, path, 1.5, NULL);
  assert_true(read_small(WORLD, path) == 1.5);
  fm_ok(fm_store_open(WORLD, path, &s));
  fm_ok(fm_store_shape(s, "/a", &ndim, shape));
  assert_true(ndim == 1 && shape[0] == 4);
  fm_ok(fm_store_has(s, "/a", &has));
  assert_true(has);
  fm_ok(fm_store_get_integer(s, "/", "step", &step));
  assert_true(step == 7);
  fm_ok(fm_store_get_text(s, "/", "settings", text, sizeof(text)));
  assert_string_equal(text, "-seed 1");
  fm_ok(fm_store_list(s, "/", &n, &names, &is_group));
  assert_true(n == 1 && !strcmp(names[0], "a") && !is_group[0]);
  fm_ok(fm_store_free_list(n, &names, &is_group));
  fm_ok(fm_store_list_attributes(s, "/", &n, &names, &values));
  assert_true(n == 3 && !strcmp(names[2], "step") && !strcmp(values[2], "7"));
  fm_ok(fm_store_free_texts(n, &names));
  fm_ok(fm_store_free_texts(n, &values));
  fm_ok(fm_store_close(&s));
}

static void all_ranks_fail_together(void **state) {
  fm_store *s;
  double a[4];
  char *text, **names, **values;
  int64_t i;
  int n;
  PetscBool *is_group;

  fm_expect_error(fm_store_open(WORLD, in_folder("absent.h5"), &s), "no such file");
  same_sentence();
  commit_small(WORLD, in_folder("a.h5"), 1., NULL);
  fm_ok(fm_store_open(WORLD, in_folder("a.h5"), &s));
  fm_expect_error(fm_store_read(s, "/b", FM_FLOAT64, 4, a), "it has: /a");
  same_sentence();
  fm_expect_error(fm_store_read(s, "/a", FM_FLOAT64, 3, a), "expected [3]");
  fm_expect_error(fm_store_read_rows(s, "/a", FM_FLOAT64, 3, 2, a), "rows 3..4");
  fm_expect_error(fm_store_read_text(s, "/a", &text), "holds no text");
  fm_expect_error(fm_store_get_integer(s, "/a", "b", &i), "attribute 'b' of /a");
  fm_expect_error(fm_store_list(s, "/b", &n, &names, &is_group), "/b not found");
  fm_expect_error(fm_store_list_attributes(s, "/b", &n, &names, &values), "/b not found");
  same_sentence();
  fm_ok(fm_store_close(&s));
  fm_ok(fm_store_create(WORLD, in_folder("no/such/b.h5"), &s));
  fm_expect_error(fm_store_commit(&s, NULL), "No such file");
  same_sentence();
  fm_expect_error(fm_store_make_folder(WORLD, "/dev/null/x"), "/dev/null/x");
  same_sentence();
}

/* ---- rows ---- */

enum { NROW = 37, WIDTH = 6 };

static double entry(int64_t row, int64_t i) { return (double)(100 * row + i) + 0.25; }

static const fm_field fields[3] = {{"/x", FM_FLOAT64, 2, {2, 3}},
                                   {"/group/y", FM_TYPE_REAL, 0, {0}},
                                   {"/id", FM_INT64, 1, {1}}};

static void write_all_rows(fm_store *s, int64_t first, int64_t count) {
  double x[NROW][WIDTH];
  fm_real y[NROW];
  int64_t id[NROW];

  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < WIDTH; j++) x[i][j] = entry(first + i, j);
    y[i] = (fm_real)(first + i) / 4;
    id[i] = -(first + i);
  }
  fm_ok(fm_store_write_rows(s, "/x", first, count, count ? x : NULL));
  fm_ok(fm_store_write_rows(s, "/group/y", first, count, count ? y : NULL));
  fm_ok(fm_store_write_rows(s, "/id", first, count, count ? id : NULL));
}

static void check_all_rows(const char *path) {
  double x[NROW * WIDTH];
  fm_real y[NROW];
  int64_t id[NROW], seed;
  fm_store *s;

  fm_ok(fm_store_open(WORLD, path, &s));
  fm_ok(fm_store_read(s, "/x", FM_FLOAT64, NROW * WIDTH, x));
  fm_ok(fm_store_read(s, "/group/y", FM_TYPE_REAL, NROW, y));
  fm_ok(fm_store_read(s, "/id", FM_INT64, NROW, id));
  for (int64_t i = 0; i < NROW; i++) {
    for (int64_t j = 0; j < WIDTH; j++) assert_true(x[i * WIDTH + j] == entry(i, j));
    assert_true(y[i] == (fm_real)i / 4 && id[i] == -i);
  }
  fm_ok(fm_store_get_integer(s, "/", "seed", &seed));
  assert_true(seed == 11);
  fm_ok(fm_store_close(&s));
}

static void write_file(const char *path, int64_t first, int64_t count) {
  fm_store *s;

  fm_ok(fm_store_create_rows(WORLD, path, 3, fields, NROW, &s));
  fm_ok(fm_store_set_integer(s, "/", "seed", 11));
  fm_ok(fm_store_set_text(s, "/x", "unit", "m"));
  write_all_rows(s, first, count);
  assert_true(gone(path)); /* until it is whole */
  fm_ok(fm_store_commit(&s, NULL));
  assert_true(exists(path));
}

static void rows_of_n_ranks_are_those_of_one(void **state) {
  const int rank = test_rank(), size = nranks();
  const int64_t first = NROW * rank / size, last = NROW * (rank + 1) / size;
  size_t n, m;
  unsigned char *a, *b;

  write_file(in_folder("shared.h5"), first, last - first);
  check_all_rows(in_folder("shared.h5"));
  write_file(in_folder("last.h5"), 0, rank == size - 1 ? NROW : 0); /* the others have none */
  check_all_rows(in_folder("last.h5"));
  a = load_bytes(in_folder("shared.h5"), &n);
  b = load_bytes(in_folder("last.h5"), &m);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, n);
  free(a);
  free(b);
}

static void pieces_make_the_whole(void **state) {
  const int rank = test_rank(), size = nranks();
  const int64_t first = rank == 0 ? 0 : 30 + rank, last = rank == size - 1 ? NROW : 31 + rank;
  const int64_t normal = fm_rows_piece;

  fm_rows_piece = 5 * 48; /* 5 rows of /x; rank 0 has 31 where others have 1 */
  write_file(in_folder("a.h5"), first, last - first);
  check_all_rows(in_folder("a.h5"));
  fm_rows_piece = 1; /* less than a row */
  write_file(in_folder("b.h5"), first, last - first);
  check_all_rows(in_folder("b.h5"));
  fm_rows_piece = normal;
}

static void rows_replace_and_keep(void **state) {
  const char *path = in_folder("a.h5");
  fm_store *s;

  commit_small(WORLD, path, 5., NULL);
  fm_ok(fm_store_create_rows(WORLD, path, 3, fields, NROW, &s));
  write_all_rows(s, 0, 0);
  fm_ok(fm_store_close(&s)); /* discarded */
  assert_true(read_small(WORLD, path) == 5.);
  assert_true(gone(in_folder("a.h5.tmp")));
  fm_ok(fm_store_create_rows(WORLD, path, 3, fields, NROW, &s));
  fm_ok(fm_store_commit(&s, in_folder("old.h5"))); /* no rows at all: zeros */
  assert_true(read_small(WORLD, in_folder("old.h5")) == 5.);
  assert_true(gone(in_folder("a.h5.tmp")));
}

static void rows_refuse(void **state) {
  const fm_field flat = {"/x", FM_FLOAT64, 1, {0}}, vast = {"/x", FM_FLOAT64, 1, {1 << 28}};
  const fm_field twice[2] = {{"/x", FM_FLOAT64, 0, {0}}, {"/x", FM_FLOAT64, 0, {0}}};
  const double a[2] = {1., 2.};
  const int64_t mine = test_rank() == nranks() - 1 ? 36 : 0;
  fm_store *s;

  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &flat, 5, &s), "0 bytes");
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 1, &vast, 5, &s), "bytes");
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 2, twice, 5, &s), "/x in");
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("a.h5"), 3, fields, 0, &s), "0 rows");
  fm_expect_error(fm_store_create_rows(WORLD, in_folder("n/a.h5"), 3, fields, 5, &s), "cannot");
  same_sentence();
  assert_null(s);
  assert_true(gone(in_folder("a.h5.tmp")));
  fm_ok(fm_store_create_rows(WORLD, in_folder("a.h5"), 3, fields, NROW, &s));
  fm_expect_error(fm_store_write_rows(s, "/group/y", mine, mine ? 2 : 0, a), "rows 36..37");
  same_sentence();
  fm_expect_error(fm_store_write_rows(s, "/z", 0, 1, a), "/z not found");
  fm_expect_error(fm_store_set_integer(s, "/", "late", 1), "cannot set an attribute");
  fm_expect_error(fm_store_write(s, "/w", FM_FLOAT64, 0, NULL, a), "cannot write a dataset");
  fm_ok(fm_store_close(&s));
}

FM_TEST_MAIN(io_test(all_ranks_get_the_same), io_test(all_ranks_fail_together),
             io_test(rows_of_n_ranks_are_those_of_one), io_test(pieces_make_the_whole),
             io_test(rows_replace_and_keep), io_test(rows_refuse))
