#include "io_test.h"
#include "fathom/options.h"

#define WORLD PETSC_COMM_WORLD

static const fm_option table[] = {{"noise", FM_OPTION_ARRAY, "", "", "sigma"},
                                  {"std", FM_OPTION_ARRAY, "1,2", "", "a default"},
                                  {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static int ndim;
static int64_t shape[FM_STORE_NDIM];
static double *data;

static void give(const char *text) {
  fm_ok(fm_options_declare(table));
  fm_ok(PetscOptionsSetValue(NULL, "-noise", text));
}

static int64_t get(const char *option) {
  int64_t n = 1;

  fm_ok(fm_store_option_array(WORLD, option, &ndim, shape, &data));
  for (int i = 0; i < ndim; i++) n *= shape[i];
  return n;
}

static void refused(const char *text, const char *word) {
  give(text);
  fm_expect_error(fm_store_option_array(WORLD, "noise", &ndim, shape, &data), word);
  assert_true(ndim == 0 && !data);
}

static void absent_and_default(void **state) {
  fm_ok(fm_options_declare(table));
  fm_ok(PetscOptionsClearValue(NULL, "-noise"));
  get("noise");
  assert_true(ndim == 0 && !data);
  assert_true(get("std") == 2 && ndim == 1 && data[1] == 2.);
  fm_ok(PetscFree(data));
}

static void numbers(void **state) {
  give("1e-3");
  assert_true(get("noise") == 1 && ndim == 1 && data[0] == 1e-3);
  fm_ok(PetscFree(data));
  give(" 1, -2.5 ,3e4,.5 ");
  assert_true(get("noise") == 4 && data[0] == 1. && data[1] == -2.5 && data[2] == 3e4);
  assert_true(data[3] == .5);
  fm_ok(PetscFree(data));
}

static void no_numbers(void **state) {
  refused("abc", "entry 0, 'abc', is not a number");
  assert_non_null(strstr(fm_test_message, "-noise"));
  assert_non_null(strstr(fm_test_message, "FILE:/dataset"));
  refused("1,2x,3", "entry 1, '2x'");
  refused("1,,3", "entry 1, ''");
  refused("1,2,", "entry 2, ''");
  refused("1 2", "entry 0, '1 2'");
  refused("1,nan,3", "entry [1] is nan");
  refused("inf", "entry [0] is inf");
  refused("1e999", "entry [0] is inf");
}

static void of_a_file(void **state) {
  const double a[6] = {1, 2, 3, 4, 5, 6}, bad[6] = {1, 2, 3, 4, NAN, 6};
  const int64_t n[2] = {3, 2};
  char text[300];
  fm_store *s;

  fm_ok(fm_store_make_folder(WORLD, in_folder("odd:")));
  fm_ok(fm_store_create(WORLD, in_folder("odd:/name.h5"), &s));
  fm_ok(fm_store_write(s, "/g/a", FM_FLOAT32, 0, NULL, &(float){2.5f}));
  fm_ok(fm_store_write(s, "/a", FM_FLOAT64, 2, n, a));
  fm_ok(fm_store_write(s, "/bad", FM_FLOAT64, 2, n, bad));
  fm_ok(fm_store_commit(&s, NULL));
  snprintf(text, sizeof(text), "%s:/a", in_folder("odd:/name.h5"));
  give(text);
  assert_true(get("noise") == 6 && ndim == 2 && shape[0] == 3 && data[5] == 6.);
  fm_ok(PetscFree(data));
  snprintf(text, sizeof(text), "%s:/g/a", in_folder("odd:/name.h5"));
  give(text);
  assert_true(get("noise") == 1 && ndim == 1 && data[0] == 2.5);
  fm_ok(PetscFree(data));
  snprintf(text, sizeof(text), "%s:/bad", in_folder("odd:/name.h5"));
  refused(text, "entry [2][0] is nan");
  snprintf(text, sizeof(text), "%s:/b", in_folder("odd:/name.h5"));
  refused(text, "/b not found");
  refused("nowhere.h5:/a", "cannot open 'nowhere.h5'");
}

/* "/a[1]" is row 1 of /a, unless there is a dataset of that very name. */
static void a_row_of_a_file(void **state) {
  static const char *const no_rows[] = {"-1", "", "x", "1:2", "0x1", "99999999999999999999"};
  const double a[6] = {1, 2, 3, 4, 5, 6};
  char text[300];
  fm_store *s;

  fm_ok(fm_store_create(WORLD, in_folder("rows.h5"), &s));
  fm_ok(fm_store_write(s, "/a", FM_FLOAT64, 2, (const int64_t[]){3, 2}, a));
  fm_ok(fm_store_write(s, "/b[1]", FM_FLOAT64, 1, (const int64_t[]){6}, a));
  fm_ok(fm_store_commit(&s, NULL));
  snprintf(text, sizeof(text), "%s:/a[1]", in_folder("rows.h5"));
  give(text);
  assert_true(get("noise") == 2 && ndim == 2 && shape[0] == 1 && data[0] == 3 && data[1] == 4);
  fm_ok(PetscFree(data));
  snprintf(text, sizeof(text), "%s:/b[1]", in_folder("rows.h5"));
  give(text);
  assert_true(get("noise") == 6 && ndim == 1);
  fm_ok(PetscFree(data));
  snprintf(text, sizeof(text), "%s:/a[3]", in_folder("rows.h5"));
  refused(text, "row 3 of /a is asked for, but it has 3 rows");
  for (int i = 0; i < 6; i++) {
    snprintf(text, sizeof(text), "%s:/a[%s]", in_folder("rows.h5"), no_rows[i]);
    refused(text, "names no row: FILE:/dataset[ROW] takes one number, the first row is 0");
  }
  snprintf(text, sizeof(text), "%s:/a[1", in_folder("rows.h5"));
  refused(text, "names no row");
}

static void the_scale_of_a_file(void **state) {
  const double a[6] = {1, 2, 3, 4, 5, 6};
  char text[300];
  double scale;
  fm_store *s;

  fm_ok(fm_store_create(WORLD, in_folder("scaled.h5"), &s));
  fm_ok(fm_store_write(s, "/a", FM_FLOAT64, 2, (const int64_t[]){3, 2}, a));
  fm_ok(fm_store_write(s, "/b", FM_FLOAT64, 2, (const int64_t[]){3, 2}, a));
  fm_ok(fm_store_set_real(s, "/a", "scale", 2.5));
  fm_ok(fm_store_commit(&s, NULL));
  give("1,2");
  fm_ok(fm_store_option_scale(WORLD, "noise", &scale));
  assert_true(scale == 0);
  for (int k = 0; k < 3; k++) {
    snprintf(text, sizeof(text), "%s:%s", in_folder("scaled.h5"),
             k == 0   ? "/a"
             : k == 1 ? "/a[2]"
                      : "/b");
    give(text);
    fm_ok(fm_store_option_scale(WORLD, "noise", &scale));
    assert_true(scale == (k == 2 ? 0 : 2.5));
  }
}

static void the_sides_of_an_image(void **state) {
  const int64_t good[] = {1, 1, 4, 6}, turned[] = {1, 1, 6, 4}, row[] = {1, 24, 1, 1};

  assert_true(fm_store_image_fits(4, good, 4, 6) && fm_store_image_fits(2, good + 2, 4, 6));
  assert_false(fm_store_image_fits(4, turned, 4, 6));
  assert_false(fm_store_image_fits(2, turned + 2, 4, 6));
  assert_true(fm_store_image_fits(4, row, 4, 6) && fm_store_image_fits(1, row + 1, 4, 6));
  assert_true(fm_store_image_fits(4, turned, 0, 0));
}

FM_TEST_MAIN(io_test(absent_and_default), io_test(numbers), io_test(no_numbers),
             io_test(of_a_file), io_test(a_row_of_a_file), io_test(the_scale_of_a_file),
             io_test(the_sides_of_an_image))
