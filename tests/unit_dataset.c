#include "io_test.h"
#include "fathom/dataset.h"

#define WORLD PETSC_COMM_WORLD

/* a file with /x of that shape, filled with 0, 1, 2, ..., and /y [ny][2] where ny > 0 */
static const char *make(int ndim, const int64_t *shape, int64_t ny) {
  double v[200];
  const int64_t yshape[2] = {ny, 2};
  fm_store *s;

  for (int i = 0; i < 200; i++) v[i] = i;
  fm_ok(fm_store_create(WORLD, in_folder("d.h5"), &s));
  fm_ok(fm_store_write(s, "/x", FM_FLOAT64, ndim, shape, v));
  if (ny) fm_ok(fm_store_write(s, "/y", FM_INT64, 2, yshape, memset(v, 0, sizeof(v))));
  fm_ok(fm_store_commit(&s, NULL));
  return in_folder("d.h5");
}

static void has_shape(const char *path, int64_t n, fm_shape right) {
  fm_dataset *d;
  fm_shape x, y;

  fm_ok(fm_dataset_open(WORLD, path, &d));
  x = fm_dataset_shape_x(d);
  y = fm_dataset_shape_y(d);
  assert_true(fm_dataset_count(d) == n);
  assert_memory_equal(&x, &right, sizeof(x));
  assert_true(fm_shape_size(y) == 0 && y.n[0] == 1);
  fm_ok(fm_dataset_close(&d));
  assert_null(d);
}

static void shapes(void **state) {
  const int64_t n[4] = {3, 2, 4, 5};

  has_shape(make(1, n, 0), 3, fm_shape_vector(1));
  has_shape(make(2, n, 0), 3, fm_shape_vector(2));
  has_shape(make(3, n, 0), 3, (fm_shape){2, {4, 1, 1}});
  has_shape(make(4, n, 0), 3, (fm_shape){2, {4, 5, 1}});
}

/* -pairs_x: models [n][rows][columns] are images of one channel, in a unit */
static void models_in_place_of_x(void **state) {
  const int64_t n[3] = {3, 4, 5};
  double v[60];
  fm_dataset *d;
  fm_store *s;
  fm_shape x;

  for (int i = 0; i < 60; i++) v[i] = i;
  fm_ok(fm_store_create(WORLD, in_folder("m.h5"), &s));
  fm_ok(fm_store_write(s, "/model", FM_FLOAT64, 3, n, v));
  fm_ok(fm_store_set_text(s, "/model", "unit", "m/s"));
  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(PetscOptionsSetValue(NULL, "-pairs_x", "/model"));
  fm_ok(fm_dataset_open(WORLD, in_folder("m.h5"), &d));
  x = fm_dataset_shape_x(d);
  assert_true(x.c == 1 && x.n[0] == 4 && x.n[1] == 5 && x.n[2] == 1);
  assert_string_equal(fm_dataset_unit(d), "m/s");
  fm_ok(fm_dataset_close(&d));
  fm_ok(PetscOptionsSetValue(NULL, "-pairs_x", "model"));
  fm_expect_error(fm_dataset_open(WORLD, in_folder("m.h5"), &d), "-pairs_x takes a dataset");
  fm_ok(PetscOptionsClearValue(NULL, "-pairs_x"));
  fm_ok(fm_dataset_open(WORLD, make(2, n, 0), &d));
  assert_string_equal(fm_dataset_unit(d), "");
  fm_ok(fm_dataset_close(&d));
}

static void rows_are_gathered(void **state) {
  const int64_t n[2] = {5, 3}, rows[3] = {4, 0, 4};
  fm_real x[9], y[6] = {9, 9, 9, 9, 9, 9};
  fm_dataset *d;

  fm_ok(fm_dataset_open(WORLD, make(2, n, 5), &d));
  fm_ok(fm_dataset_rows(d, 3, rows, x, y));
  assert_true(x[0] == 12 && x[2] == 14 && x[3] == 0 && x[8] == 14);
  assert_true(y[0] == 0 && y[5] == 0);
  fm_ok(fm_dataset_rows(d, 1, rows, x, NULL));
  fm_expect_error(fm_dataset_rows(d, 1, &(int64_t){5}, x, y), "row 5 of a dataset of 5");
  fm_expect_error(fm_dataset_rows(d, 1, &(int64_t){-1}, x, y), "row -1");
  fm_ok(fm_dataset_close(&d));
}

static const char *make_values(const double *x, int64_t n, int64_t d, const double *y,
                               int64_t dy) {
  const int64_t xs[2] = {n, d}, ys[2] = {n, dy};
  fm_store *s;

  fm_ok(fm_store_create(WORLD, in_folder("v.h5"), &s));
  fm_ok(fm_store_write(s, "/x", FM_FLOAT64, 2, xs, x));
  if (y) fm_ok(fm_store_write(s, "/y", FM_FLOAT64, 2, ys, y));
  fm_ok(fm_store_commit(&s, NULL));
  return in_folder("v.h5");
}

static void moments(void **state) {
  /* component 0: 0.1 always; 1: 1, 2, 4 and one row left out; 2: large with a small spread */
  const double x[12] = {0.1, 1, 1e6, 0.1, 2, 1e6 + 1, 0.1, 99, 0, 0.1, 4, 1e6 + 2};
  const double y[4] = {-3, -3, 5, 7};
  const int64_t rows[3] = {3, 0, 1};
  double mean[3], std[3], ymean, ystd;
  fm_dataset *d;

  fm_ok(fm_dataset_open(WORLD, make_values(x, 4, 3, y, 1), &d));
  fm_ok(fm_dataset_moments(d, 3, rows, mean, std, &ymean, &ystd));
  assert_true(mean[0] == (double)(fm_real)0.1 && std[0] == 1.);
  fm_near(mean[1], 7. / 3., 1e-15);
  fm_near(std[1], sqrt(14. / 9.), 1e-15);
  assert_true(mean[2] == 1e6 + 1);
  fm_near(std[2], sqrt(2. / 3.), 1e-15);
  fm_near(ymean, 1. / 3., 1e-15);
  fm_near(ystd, sqrt((49. + 9. + 9.) / 3. - 1. / 9.), 1e-15);
  fm_ok(fm_dataset_moments(d, 1, rows, mean, std, NULL, NULL));
  assert_true(mean[1] == 4. && std[1] == 1.);
  fm_expect_error(fm_dataset_moments(d, 0, rows, mean, std, NULL, NULL), "no rows");
  fm_ok(fm_dataset_close(&d));
}

static void refused(const char *path, const char *word) {
  fm_dataset *d;

  fm_expect_error(fm_dataset_open(WORLD, path, &d), word);
  assert_null(d);
}

static void what_is_refused(void **state) {
  const int64_t n[2] = {5, 3}, none[2] = {0, 3}, flat[2] = {3, 0};
  double x[6] = {1, 2, 3, 4, NAN, 6};
  fm_store *s;

  refused(make(2, n, 4), "5 rows in /x and 4 in /y");
  refused(make(2, none, 0), "/x of ");
  refused(make(2, none, 0), "is empty: 0 rows");
  refused(make(2, flat, 0), "3 rows of 0 numbers");
  refused(make(0, NULL, 0), "is a single number");
  refused(make_values(x, 3, 2, NULL, 0), "row 2 of /x of ");
  refused(make_values(x, 2, 3, NULL, 0), "row 1 of /x of ");
  assert_non_null(strstr(fm_test_message, "has nan at place 1"));
  x[4] = INFINITY;
  refused(make_values((double[3]){1, 2, 3}, 3, 1, x + 3, 1), "row 1 of /y of ");
  refused(in_folder("absent.h5"), "no such file");
  fm_ok(fm_store_create(WORLD, in_folder("t.h5"), &s));
  fm_ok(fm_store_write_text(s, "/theta", "nothing"));
  fm_ok(fm_store_commit(&s, NULL));
  refused(in_folder("t.h5"), "/x not found");
#ifdef FM_SINGLE
  x[4] = 1e300; /* more than a float holds */
  refused(make_values(x, 3, 2, NULL, 0), "has inf at place 0");
#endif
}

/* blocks of 64 MiB: rows at their borders arrive where they belong */
static void more_than_a_block(void **state) {
  const fm_field field = {"/x", FM_TYPE_REAL, 1, {1000}};
  const int64_t n = 20000, block = ((int64_t)1 << 26) / (1000 * (int64_t)sizeof(fm_real));
  const int64_t rows[4] = {0, block - 1, block, n - 1};
  fm_real *row = calloc(4000, sizeof(*row));
  fm_store *s;
  fm_dataset *d;

  assert_true(block < n - 1);
  fm_ok(fm_store_create_rows(WORLD, in_folder("big.h5"), 1, &field, n, &s));
  for (int i = 0; i < 4; i++) {
    row[999] = (fm_real)rows[i] + 1;
    fm_ok(fm_store_write_rows(s, "/x", rows[i], 1, row));
  }
  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(fm_dataset_open(WORLD, in_folder("big.h5"), &d));
  fm_ok(fm_dataset_rows(d, 4, rows, row, NULL));
  for (int i = 0; i < 4; i++) assert_true(row[1000 * i + 999] == (fm_real)rows[i] + 1);
  fm_ok(fm_dataset_close(&d));
  free(row);
}

static void scale(void **state) {
  const int64_t n[2] = {2, 1};
  const double v[2] = {1, 2}, scales[] = {2.5, -1};
  fm_dataset *d;
  fm_store *s;

  fm_ok(fm_dataset_open(WORLD, make(2, n, 0), &d));
  assert_true(fm_dataset_scale(d) == 1);
  fm_ok(fm_dataset_close(&d));
  for (int i = 0; i < 2; i++) {
    fm_ok(fm_store_create(WORLD, in_folder("s.h5"), &s));
    fm_ok(fm_store_write(s, "/x", FM_FLOAT64, 2, n, v));
    fm_ok(fm_store_set_real(s, "/x", "scale", scales[i]));
    fm_ok(fm_store_commit(&s, NULL));
    if (i) break;
    fm_ok(fm_dataset_open(WORLD, in_folder("s.h5"), &d));
    assert_true(fm_dataset_scale(d) == 2.5);
    fm_ok(fm_dataset_close(&d));
  }
  refused(in_folder("s.h5"), "scale of /x in");
}

/* ---- sets that are not held ---- */

static void memory(const char *value) {
  fm_ok(value ? PetscOptionsSetValue(NULL, "-pairs_memory", value)
              : PetscOptionsClearValue(NULL, "-pairs_memory"));
}

static PetscBool is_held(const char *most, const char *path) {
  fm_dataset *d;
  PetscBool held;

  memory(most);
  fm_ok(fm_dataset_open(WORLD, path, &d));
  held = fm_dataset_held(d);
  fm_ok(fm_dataset_close(&d));
  memory(NULL);
  return held;
}

/* 5 rows of 3 + 2 numbers */
static void what_is_held(void **state) {
  const int64_t n[2] = {5, 3};
  const char *path = make(2, n, 5);
  char most[32];
  fm_dataset *d;

  snprintf(most, sizeof(most), "%d", 25 * (int)sizeof(fm_real));
  assert_true(is_held(most, path) && is_held(NULL, path) && is_held("1K", path));
  snprintf(most, sizeof(most), "%d", 25 * (int)sizeof(fm_real) - 1);
  assert_false(is_held(most, path) || is_held("0", path) || is_held("0.01K", path));
  for (int i = 0; i < 4; i++) {
    memory((const char *[]){"-1", "1X", "many", "1GB"}[i]);
    fm_expect_error(fm_dataset_open(WORLD, path, &d), "-pairs_memory takes bytes");
  }
  memory(NULL);
}

/* the same tests once more, from the file */
static void rows_are_gathered_from_the_file(void **state) {
  memory("0");
  rows_are_gathered(state);
  memory(NULL);
}

static void moments_from_the_file(void **state) {
  memory("0");
  moments(state);
  memory(NULL);
}

static void what_is_refused_from_the_file(void **state) {
  memory("0");
  what_is_refused(state);
  memory(NULL);
}

static void more_than_a_block_of_the_file(void **state) {
  memory("1M");
  more_than_a_block(state);
  memory(NULL);
}

/* /x [64][7] doubles in gzipped chunks of 5 rows, by plain HDF5: v[i][j] = 10 i + j */
static const char *make_chunked(void) {
  const hsize_t dims[2] = {64, 7}, chunk[2] = {5, 7};
  const char *path = in_folder("chunked.h5");
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(2, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
  double v[64 * 7];
  hid_t set;

  for (int i = 0; i < 64 * 7; i++) v[i] = 10 * (i / 7) + i % 7;
  H5Pset_chunk(list, 2, chunk);
  H5Pset_deflate(list, 4);
  set = H5Dcreate2(file, "/x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
  H5Dclose(set);
  H5Pclose(list);
  H5Sclose(space);
  H5Fclose(file);
  return path;
}

/* neighbours, repeats, any order */
static void rows_of_chunks(void **state) {
  const int64_t rows[9] = {63, 4, 5, 6, 4, 0, 40, 39, 63};
  fm_real x[9 * 7];
  fm_dataset *d;

  memory("1K");
  fm_ok(fm_dataset_open(WORLD, make_chunked(), &d));
  assert_false(fm_dataset_held(d));
  fm_ok(fm_dataset_rows(d, 9, rows, x, NULL));
  for (int i = 0; i < 9; i++)
    for (int j = 0; j < 7; j++) assert_true(x[7 * i + j] == (fm_real)(10 * rows[i] + j));
  fm_ok(fm_dataset_close(&d));
  memory(NULL);
}

/* HDF5 reads zeros behind the end of a file */
static void cut_off_in_use(void **state) {
  const int64_t n[2] = {5, 3}, rows[2] = {1, 3};
  const char *path = make(2, n, 0);
  fm_real x[6];
  fm_dataset *d;

  memory("0");
  fm_ok(fm_dataset_open(WORLD, path, &d));
  fm_ok(fm_dataset_rows(d, 2, rows, x, NULL));
  assert_int_equal(truncate(path, 900), 0);
  fm_expect_error(fm_dataset_rows(d, 2, rows, x, NULL), "was cut off while it was in use");
  assert_non_null(strstr(fm_test_message, "it has 900 bytes"));
  fm_ok(fm_dataset_close(&d));
  memory(NULL);
}

FM_TEST_MAIN(io_test(shapes), io_test(models_in_place_of_x), io_test(rows_are_gathered),
             io_test(moments), io_test(what_is_refused), io_test(more_than_a_block),
             io_test(what_is_held), io_test(scale), io_test(rows_are_gathered_from_the_file),
             io_test(moments_from_the_file), io_test(what_is_refused_from_the_file),
             io_test(more_than_a_block_of_the_file), io_test(rows_of_chunks),
             io_test(cut_off_in_use))
