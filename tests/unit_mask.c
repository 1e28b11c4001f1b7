/* The operator mask: what it keeps, and bad input. */
#include "image_cases.h"

/* keep[i]: 1 where pixel i comes through; all else must be 0. */
static int64_t kept(const char *text, int64_t n, double *keep) {
  fm_operator *op = image_operator("mask", text);
  double *a;
  int64_t count = 0;

  fm_ok(PetscMalloc1(n * n, &a));
  image_matrix(op, a);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      assert_true(a[i * n + j] == 0 || (i == j && a[i * n + j] == 1));
  for (int64_t i = 0; i < n; i++) count += (keep[i] = a[i * n + i]) == 1;
  assert_int_equal(fm_operator_rank(op), count);
  fm_ok(PetscFree(a));
  fm_ok(fm_operator_destroy(&op));
  return count;
}

static void pixels(void **state) {
  double a[48], b[48], same = 0;

  assert_int_equal(kept("-mask_shape 6x8", 48, a), 24);
  assert_int_equal(kept("-mask_shape 6x8 -mask_seed 2", 48, b), 24);
  for (int i = 0; i < 48; i++) same += a[i] == b[i];
  assert_true(same < 48);
  assert_int_equal(kept("-mask_shape 6x8 -mask_keep 0.1", 48, a), 5);
  assert_int_equal(kept("-mask_shape 6x8 -mask_keep 1", 48, a), 48);
}

/* Whole columns. */
static void traces(void **state) {
  double keep[48];

  assert_int_equal(kept("-mask_shape 6x8 -mask_kind traces -mask_keep 0.25", 48, keep), 12);
  for (int i = 8; i < 48; i++) assert_true(keep[i] == keep[i % 8]);
}

static void from_a_list(void **state) {
  const double expected[6] = {1, 0, 0, 1, 1, 0};
  double keep[6];

  assert_int_equal(kept("-mask_shape 2x3 -mask_file 1,0,0,1,1,0", 6, keep), 3);
  assert_memory_equal(keep, expected, sizeof(keep));
}

static void from_a_file(void **state) {
  const int64_t shape[4] = {1, 1, 2, 3};
  const double expected[6] = {0, 1, 1, 0, 1, 1};
  char file[64], text[128];
  double keep[6];
  fm_store *store;

  snprintf(file, sizeof(file), "/tmp/fathom_mask_%d.h5", (int)getpid());
  fm_ok(fm_store_create(PETSC_COMM_WORLD, file, &store));
  fm_ok(fm_store_write(store, "/m", FM_FLOAT64, 2, shape + 2, expected));
  fm_ok(fm_store_write(store, "/image", FM_FLOAT64, 4, shape, expected));
  fm_ok(fm_store_commit(&store, NULL));
  snprintf(text, sizeof(text), "-mask_file %s:/m", file);
  assert_int_equal(kept(text, 6, keep), 4);
  assert_memory_equal(keep, expected, sizeof(keep));
  snprintf(text, sizeof(text), "-mask_shape 2x3 -mask_file %s:/image", file);
  assert_int_equal(kept(text, 6, keep), 4);
  snprintf(text, sizeof(text), "-mask_shape 3x2 -mask_file %s:/m", file);
  image_refused("mask", text, "one image of [3][2] is needed");
  unlink(file);
}

static void bad_input(void **state) {
  image_refused("mask", "", "needs -mask_shape ROWSxCOLUMNS");
  image_refused("mask", "-mask_file 1,0", "needs -mask_shape ROWSxCOLUMNS");
  image_refused("mask", "-mask_shape 3x", "takes rows and columns of the image");
  image_refused("mask", "-mask_shape 3x-1", "not '3x-1'");
  image_refused("mask", "-mask_shape 3x0", "at least 1x1");
  image_refused("mask", "-mask_shape 6x8 -mask_keep 0", "keeps none of the 48 pixels");
  image_refused("mask", "-mask_shape 6x8 -mask_keep 0.05 -mask_kind traces",
                "keeps none of the 8 traces");
  image_refused("mask", "-mask_shape 6x8 -mask_keep 1.2", "-mask_keep 1.2 is outside");
  image_refused("mask", "-mask_shape 6x8 -mask_kind rows", "pixels|traces");
  image_refused("mask", "-mask_shape 2x3 -mask_file 1,0,1,1",
                "an image of -mask_shape 2x3 has 6");
  image_refused("mask", "-mask_shape 2x2 -mask_file 1,0,2,1", "at row 1, column 0");
  image_refused("mask", "-mask_shape 2x2 -mask_file 0,0,0,0", "keeps none of the 4 pixels");
  image_refused("mask", "-mask_shape 2x2 -mask_file 0,0,0,1 -mask_keep 0.5",
                "-mask_keep is for a mask that is drawn");
}

FM_TEST_MAIN(cmocka_unit_test(pixels), cmocka_unit_test(traces), cmocka_unit_test(from_a_list),
             cmocka_unit_test(from_a_file), cmocka_unit_test(bad_input))
