#include "io_test.h"

#define WORLD PETSC_COMM_WORLD

static const int64_t shape[4] = {2, 3, 1, 2};

static fm_store *build(const char *path) {
  const double d[12] = {0.5, -1.25, 2, 3, 4, 5, 6, 7, 8, 9, 10, 200};
  const float f[3] = {1.5f, -2.f, 3e-7f};
  const int64_t i[2] = {INT64_MAX, -5}, one = 1, two = 2, three = 3, none = 0;
  const uint8_t u[2] = {0, 255};
  fm_store *s;

  fm_ok(fm_store_create(WORLD, path, &s));
  fm_ok(fm_store_write(s, "/deep/er/d", FM_FLOAT64, 4, shape, d));
  fm_ok(fm_store_write(s, "/f", FM_FLOAT32, 1, &three, f));
  fm_ok(fm_store_write(s, "/i", FM_INT64, 1, &two, i));
  fm_ok(fm_store_write(s, "/u", FM_UINT8, 1, &two, u));
  fm_ok(fm_store_write(s, "/scalar", FM_FLOAT64, 0, NULL, d));
  fm_ok(fm_store_write(s, "/one", FM_FLOAT64, 1, &one, d));
  fm_ok(fm_store_write(s, "/empty", FM_FLOAT64, 1, &none, NULL));
  fm_ok(fm_store_write_text(s, "/text", "two\nlines \xc3\xa9"));
  fm_ok(fm_store_write_text(s, "/blank", ""));
  fm_ok(fm_store_set_integer(s, "/training", "step", 7));
  fm_ok(fm_store_set_integer(s, "/training", "step", -8000000000)); /* the last one counts */
  fm_ok(fm_store_set_real(s, "/training", "rate", 0.1));
  fm_ok(fm_store_set_text(s, "/training", "name", "adam"));
  fm_ok(fm_store_set_text(s, "/f", "unit", "m/s"));
  return s;
}

/* nothing but the file is open in HDF5; then close it */
static void close_clean(fm_store **s) {
  assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 1);
  fm_ok(fm_store_close(s));
  assert_null(*s);
}

static fm_store *built(const char *path) {
  fm_store *s = build(path);

  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(fm_store_open(WORLD, path, &s));
  return s;
}

static void every_type_reads_back(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  double d[12];
  float f[3];
  int64_t i[2];
  uint8_t u[2];

  fm_ok(fm_store_read(s, "/deep/er/d", FM_FLOAT64, 12, d));
  assert_true(d[0] == 0.5 && d[1] == -1.25 && d[11] == 200.);
  fm_ok(fm_store_read(s, "/f", FM_FLOAT32, 3, f));
  assert_true(f[0] == 1.5f && f[1] == -2.f && f[2] == 3e-7f);
  fm_ok(fm_store_read(s, "/i", FM_INT64, 2, i));
  assert_true(i[0] == INT64_MAX && i[1] == -5);
  fm_ok(fm_store_read(s, "/u", FM_UINT8, 2, u));
  assert_true(u[0] == 0 && u[1] == 255);
  fm_ok(fm_store_read(s, "/scalar", FM_FLOAT64, 1, d));
  assert_true(d[0] == 0.5);
  fm_ok(fm_store_read(s, "/empty", FM_FLOAT64, 0, NULL));
  close_clean(&s);
}

static void types_convert(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  double d[3];
  float f[12];
  int64_t i[12];

  fm_ok(fm_store_read(s, "/f", FM_FLOAT64, 3, d));
  assert_true(d[0] == 1.5 && d[2] == (double)3e-7f);
  fm_ok(fm_store_read(s, "/deep/er/d", FM_FLOAT32, 12, f));
  assert_true(f[1] == -1.25f && f[11] == 200.f);
  fm_ok(fm_store_read(s, "/deep/er/d", FM_INT64, 12, i));
  assert_true(i[2] == 2 && i[11] == 200);
  fm_ok(fm_store_read(s, "/u", FM_FLOAT64, 2, d));
  assert_true(d[1] == 255.);
  close_clean(&s);
}

static void shapes_and_rows(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  int ndim;
  int64_t n[FM_STORE_NDIM];
  double d[6];

  fm_ok(fm_store_shape(s, "/deep/er/d", &ndim, n));
  assert_int_equal(ndim, 4);
  assert_memory_equal(n, shape, sizeof(n));
  fm_ok(fm_store_shape(s, "/scalar", &ndim, n));
  assert_int_equal(ndim, 0);
  fm_ok(fm_store_read_rows(s, "/deep/er/d", FM_FLOAT64, 1, 1, d));
  assert_true(d[0] == 6. && d[5] == 200.);
  fm_ok(fm_store_read_rows(s, "/deep/er/d", FM_FLOAT64, 2, 0, NULL));
  fm_expect_error(fm_store_read_rows(s, "/deep/er/d", FM_FLOAT64, 1, 2, d), "which has 2");
  fm_expect_error(fm_store_read_rows(s, "/scalar", FM_FLOAT64, 0, 1, d), "which has 0");
  fm_expect_error(fm_store_read_rows(s, "/i", FM_FLOAT64, -1, 1, d), "rows -1..-1 of /i");
  close_clean(&s);
}

static void texts(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  char *text, small[4];

  fm_ok(fm_store_read_text(s, "/text", &text));
  assert_string_equal(text, "two\nlines \xc3\xa9");
  fm_ok(PetscFree(text));
  fm_ok(fm_store_read_text(s, "/blank", &text));
  assert_string_equal(text, "");
  fm_ok(PetscFree(text));
  fm_expect_error(fm_store_read_text(s, "/f", &text), "/f of ");
  fm_expect_error(fm_store_read_text(s, "/f", &text), "holds no text");
  fm_expect_error(fm_store_read_text(s, "/training", &text), "is a group");
  fm_ok(fm_store_get_text(s, "/f", "unit", small, sizeof(small)));
  assert_string_equal(small, "m/s");
  fm_expect_error(fm_store_get_text(s, "/training", "name", small, 4), "at most 3");
  close_clean(&s);
}

static void attributes(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  int64_t i;
  double x;
  PetscBool has;

  fm_ok(fm_store_get_integer(s, "/training", "step", &i));
  assert_true(i == -8000000000);
  fm_ok(fm_store_get_real(s, "/training", "rate", &x));
  assert_true(x == 0.1);
  fm_ok(fm_store_get_real(s, "/training", "step", &x));
  assert_true(x == -8e9);
  fm_ok(fm_store_has_attribute(s, "/training", "rate", &has));
  assert_true(has);
  fm_ok(fm_store_has_attribute(s, "/training", "rat", &has));
  assert_false(has);
  fm_ok(fm_store_has_attribute(s, "/nowhere", "rate", &has));
  assert_false(has);
  fm_expect_error(fm_store_get_integer(s, "/training", "steps", &i), "attribute 'steps'");
  fm_expect_error(fm_store_get_integer(s, "/training", "rate", &i), "expected an integer");
  fm_expect_error(fm_store_get_real(s, "/training", "name", &x), "is not one number");
  fm_expect_error(fm_store_get_integer(s, "/nowhere", "steps", &i), "/nowhere not found");
  close_clean(&s);
}

static void lists(void **state) {
  static const char *const right[] = {"blank", "deep",   "empty", "f",        "i",
                                      "one",   "scalar", "text",  "training", "u"};
  fm_store *s = built(in_folder("a.h5"));
  int n;
  char **names, **values;
  PetscBool *is_group;

  fm_ok(fm_store_list(s, "/", &n, &names, &is_group));
  assert_int_equal(n, 10);
  for (int i = 0; i < n; i++) {
    assert_string_equal(names[i], right[i]);
    assert_int_equal(is_group[i], i == 1 || i == 8);
  }
  fm_ok(fm_store_free_list(n, &names, &is_group));
  fm_ok(fm_store_list(s, "/training", &n, &names, &is_group));
  assert_int_equal(n, 0);
  fm_ok(fm_store_free_list(n, &names, &is_group));
  fm_expect_error(fm_store_list(s, "/f", &n, &names, &is_group), "is no group");
  fm_expect_error(fm_store_list(s, "/z", &n, &names, &is_group), "/z not found");
  fm_ok(fm_store_list_attributes(s, "/training", &n, &names, &values));
  assert_int_equal(n, 3);
  assert_string_equal(names[0], "name");
  assert_string_equal(values[0], "adam");
  assert_string_equal(values[1], "0.1");
  assert_string_equal(values[2], "-8000000000");
  fm_ok(fm_store_free_texts(n, &names));
  fm_ok(fm_store_free_texts(n, &values));
  close_clean(&s);
}

static void what_is_missing_or_misshapen(void **state) {
  fm_store *s = built(in_folder("a.h5"));
  double d[30];
  int ndim;
  int64_t n[FM_STORE_NDIM];
  PetscBool has;

  fm_ok(fm_store_has(s, "/deep/er", &has));
  assert_true(has);
  fm_ok(fm_store_has(s, "/no/such/thing", &has));
  assert_false(has);
  fm_expect_error(fm_store_read(s, "/y", FM_FLOAT64, 1, d), "/y not found in ");
  assert_non_null(strstr(fm_test_message, "it has: /blank, /deep, /empty"));
  fm_expect_error(fm_store_shape(s, "/deep/er/e", &ndim, n), "it has: /deep/er/d");
  fm_expect_error(fm_store_read(s, "/deep/er/d", FM_FLOAT64, 30, d), "has shape [2][3][1][2]");
  assert_non_null(strstr(fm_test_message, "expected [30]"));
  fm_expect_error(fm_store_read(s, "/deep", FM_FLOAT64, 1, d), "is a group");
  fm_expect_error(fm_store_read(s, "/text", FM_FLOAT64, 1, d), "expected numbers");
  close_clean(&s);
}

static void an_image_refuses_what_it_cannot(void **state) {
  const double d[2] = {1., 2.};
  const int64_t two = 2;
  fm_store *s = build(in_folder("a.h5")), *r;

  fm_expect_error(fm_store_write(s, "/f", FM_FLOAT64, 1, &two, d), "cannot write /f");
  fm_expect_error(fm_store_write(s, "/f/g", FM_FLOAT64, 1, &two, d), "cannot write /f/g");
  fm_expect_error(fm_store_write_rows(s, "/f", 0, 1, d), "cannot write rows");
  close_clean(&s); /* and is discarded */
  assert_false(exists(in_folder("a.h5")));
  assert_false(exists(in_folder("a.h5.tmp")));
  r = built(in_folder("a.h5"));
  fm_expect_error(fm_store_write(r, "/q", FM_FLOAT64, 1, &two, d), "cannot write a dataset");
  fm_expect_error(fm_store_set_real(r, "/", "q", 1.), "cannot set an attribute");
  close_clean(&r);
}

static void two_images_at_once(void **state) {
  fm_store *s = build(in_folder("a.h5")), *t = build(in_folder("a.h5"));

  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(fm_store_commit(&t, in_folder("b.h5")));
  assert_true(exists(in_folder("b.h5")));
}

static void same_content_same_bytes(void **state) {
  size_t n, m;
  unsigned char *a, *b;
  fm_store *s = build(in_folder("a.h5"));

  fm_ok(fm_store_commit(&s, NULL));
  sleep(1); /* a time stamp would show */
  s = build(in_folder("b.h5"));
  fm_ok(fm_store_commit(&s, NULL));
  a = load_bytes(in_folder("a.h5"), &n);
  b = load_bytes(in_folder("b.h5"), &m);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, n);
  free(a);
  free(b);
}

FM_TEST_MAIN(io_test(every_type_reads_back), io_test(types_convert), io_test(shapes_and_rows),
             io_test(texts), io_test(attributes), io_test(lists),
             io_test(what_is_missing_or_misshapen), io_test(an_image_refuses_what_it_cannot),
             io_test(two_images_at_once), io_test(same_content_same_bytes))
