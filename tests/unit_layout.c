/* The names of the tensors of theta. */
#include "fm_test.h"
#include "fathom/layout.h"

static void tensors_follow_one_another(void **state) {
  const int64_t matrix[] = {3, 4}, vector[] = {5}, image[] = {2, 3, 4, 5};
  fm_layout *layout;
  int64_t at[3];

  fm_ok(fm_layout_create(&layout));
  assert_int_equal(layout->size, 0);
  fm_ok(fm_layout_add(layout, "a", FM_LANE_X, 2, matrix, &at[0]));
  fm_ok(fm_layout_add(layout, "a.b", FM_LANE_Y, 1, vector, &at[1]));
  fm_ok(fm_layout_add(layout, "c", FM_LANE_X, 4, image, &at[2]));
  assert_int_equal(at[0], 0);
  assert_int_equal(at[1], 12);
  assert_int_equal(at[2], 17);
  assert_int_equal(layout->size, 137);
  assert_int_equal(layout->ntensor, 3);
  assert_int_equal(layout->tensor[1].lane, FM_LANE_Y);
  assert_int_equal(layout->tensor[2].size, 120);
  assert_int_equal(layout->tensor[2].shape[3], 5);
  fm_ok(fm_layout_destroy(&layout));
  assert_null(layout);
  fm_ok(fm_layout_destroy(&layout));
}

static void found_by_name_however_many(void **state) {
  fm_layout *layout;
  char name[16];

  fm_ok(fm_layout_create(&layout));
  for (int64_t i = 0; i < 200; i++) {
    int64_t shape = i + 1, at;

    snprintf(name, sizeof(name), "t%d", (int)i);
    fm_ok(fm_layout_add(layout, name, FM_LANE_X, 1, &shape, &at));
    assert_int_equal(at, i * (i + 1) / 2);
  }
  for (int64_t i = 0; i < 200; i++) {
    snprintf(name, sizeof(name), "t%d", (int)i);
    assert_non_null(fm_layout_find(layout, name));
    assert_int_equal(fm_layout_find(layout, name)->offset, i * (i + 1) / 2);
    assert_int_equal(fm_layout_find(layout, name)->size, i + 1);
  }
  assert_null(fm_layout_find(layout, "t"));
  assert_null(fm_layout_find(layout, "t2000"));
  fm_ok(fm_layout_destroy(&layout));
}

static void bad_names_are_refused(void **state) {
  const int64_t one = 1;
  char name[FM_NAME_MAX + 1];
  fm_layout *layout;
  int64_t at;

  fm_ok(fm_layout_create(&layout));
  fm_ok(fm_layout_add(layout, "twice", FM_LANE_X, 1, &one, &at));
  fm_expect_error(fm_layout_add(layout, "twice", FM_LANE_X, 1, &one, &at), "'twice' is taken");
  memset(name, 'n', FM_NAME_MAX);
  name[FM_NAME_MAX] = 0;
  fm_expect_error(fm_layout_add(layout, name, FM_LANE_X, 1, &one, &at), "is longer than 63");
  assert_int_equal(layout->ntensor, 1);
  assert_int_equal(layout->size, 1);
  name[FM_NAME_MAX - 1] = 0;
  fm_ok(fm_layout_add(layout, name, FM_LANE_X, 1, &one, &at));
  assert_string_equal(layout->tensor[1].name, name);
  fm_ok(fm_layout_destroy(&layout));
}

static void shape_as_text(void **state) {
  const fm_tensor tensor = {.name = "w", .shape = {64, 3, 1234567890123}, .ndim = 3};
  char text[96], small[6];

  assert_string_equal(fm_tensor_shape_text(&tensor, text, sizeof(text)),
                      "[64][3][1234567890123]");
  assert_string_equal(fm_tensor_shape_text(&tensor, small, sizeof(small)), "[64][");
}

FM_TEST_MAIN(cmocka_unit_test(tensors_follow_one_another),
             cmocka_unit_test(found_by_name_however_many),
             cmocka_unit_test(bad_names_are_refused), cmocka_unit_test(shape_as_text))
