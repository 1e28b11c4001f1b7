#include "io_test.h"
#include "fathom/dataset.h"

#define WORLD PETSC_COMM_WORLD

static void all_ranks_hold_the_same(void **state) {
  const int64_t shape[2] = {4, 2}, rows[2] = {3, 1};
  const double v[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  double mean[2], std[2], first[4];
  fm_real x[4];
  fm_store *s;
  fm_dataset *d;

  fm_ok(fm_store_create(WORLD, in_folder("d.h5"), &s));
  fm_ok(fm_store_write(s, "/x", FM_FLOAT64, 2, shape, v));
  fm_ok(fm_store_commit(&s, NULL));
  fm_ok(fm_dataset_open(WORLD, in_folder("d.h5"), &d));
  fm_ok(fm_dataset_rows(d, 2, rows, x, NULL));
  assert_true(x[0] == 7 && x[1] == 8 && x[2] == 3 && x[3] == 4);
  fm_ok(fm_dataset_moments(d, 2, rows, mean, std, NULL, NULL));
  memcpy(first, mean, sizeof(mean));
  memcpy(first + 2, std, sizeof(std));
  (void)MPI_Bcast(first, 4, MPI_DOUBLE, 0, WORLD);
  assert_memory_equal(first, mean, sizeof(mean));
  assert_memory_equal(first + 2, std, sizeof(std));
  fm_ok(fm_dataset_close(&d));
}

static void all_ranks_refuse(void **state) {
  const int64_t shape[2] = {4, 2};
  const double v[8] = {1, 2, 3, 4, 5, NAN, 7, 8};
  fm_store *s;
  fm_dataset *d;

  fm_ok(fm_store_create(WORLD, in_folder("d.h5"), &s));
  fm_ok(fm_store_write(s, "/x", FM_FLOAT64, 2, shape, v));
  fm_ok(fm_store_commit(&s, NULL));
  fm_expect_error(fm_dataset_open(WORLD, in_folder("d.h5"), &d), "row 2 of /x");
  same_sentence();
  fm_expect_error(fm_dataset_open(WORLD, in_folder("e.h5"), &d), "no such file");
  same_sentence();
}

FM_TEST_MAIN(io_test(all_ranks_hold_the_same), io_test(all_ranks_refuse))
