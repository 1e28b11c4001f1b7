#include "io_test.h"
#include "fathom/dataset.h"
#include <zlib.h>

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

/* ---- many rows, held or not, on all ranks or on one: the same bits ---- */

#define ROWS 1001
#define SIZE 3

static void write_many(void) {
  const int64_t shape[2] = {ROWS, SIZE}, yshape[2] = {ROWS, 1};
  double x[ROWS * SIZE], y[ROWS];
  fm_store *s;

  for (int i = 0; i < ROWS; i++) {
    x[SIZE * i] = sin(i) * 1e-7; /* sums of these depend on their order, in double */
    x[SIZE * i + 1] = 1e5 + exp(3 * sin(7 * i));
    x[SIZE * i + 2] = 2.5;
    y[i] = cos(3 * i) / 3;
  }
  fm_ok(fm_store_create(WORLD, in_folder("m.h5"), &s));
  fm_ok(fm_store_write(s, "/x", FM_FLOAT64, 2, shape, x));
  fm_ok(fm_store_write(s, "/y", FM_FLOAT64, 2, yshape, y));
  fm_ok(fm_store_commit(&s, NULL));
}

/* mean and std of x and y over all but each seventh row, from the last to the first */
static void moments_of(MPI_Comm comm, const char *memory, double *out) {
  int64_t rows[ROWS], n = 0;
  fm_dataset *d;

  for (int i = ROWS - 1; i >= 0; i--)
    if (i % 7) rows[n++] = i;
  fm_ok(PetscOptionsSetValue(NULL, "-pairs_memory", memory));
  fm_ok(fm_dataset_open(comm, in_folder("m.h5"), &d));
  assert_int_equal(fm_dataset_held(d), memory[0] == '1');
  fm_ok(fm_dataset_moments(d, n, rows, out, out + SIZE, out + 2 * SIZE, out + 2 * SIZE + 1));
  fm_ok(fm_dataset_close(&d));
  fm_ok(PetscOptionsClearValue(NULL, "-pairs_memory"));
}

static void moments_are_those_of_one_rank(void **state) {
  double serial[2 * SIZE + 2], other[2 * SIZE + 2];

  write_many();
  moments_of(PETSC_COMM_SELF, "1G", serial);
  fm_near(serial[1], 1e5 + 4.88, 1e-3); /* I0(3) = 4.8808, the mean of exp(3 sin) */
  assert_true(serial[2] == 2.5 && serial[SIZE + 2] == 1);
  moments_of(WORLD, "1G", other);
  assert_memory_equal(serial, other, sizeof(serial));
  moments_of(WORLD, "0", other);
  assert_memory_equal(serial, other, sizeof(serial));
  moments_of(PETSC_COMM_SELF, "0", other);
  assert_memory_equal(serial, other, sizeof(serial));
}

/* the checksum of the rows' bytes one after another, on any number of ranks */
static void checksum_is_that_of_the_bytes(void **state) {
  const char *memory[] = {"1G", "0"};
  int64_t rows[ROWS];
  fm_real x[SIZE], y;
  uint32_t crc;
  fm_dataset *d;

  write_many();
  for (int i = 0; i < ROWS; i++) rows[i] = (i * 377 + 5) % ROWS;
  for (int k = 0; k < 4; k++) {
    const PetscBool with_y = k < 2 ? PETSC_TRUE : PETSC_FALSE;
    uLong right = 0;

    fm_ok(PetscOptionsSetValue(NULL, "-pairs_memory", memory[k % 2]));
    fm_ok(fm_dataset_open(WORLD, in_folder("m.h5"), &d));
    for (int i = 0; i < ROWS - 3; i++) {
      fm_ok(fm_dataset_rows(d, 1, &rows[i], x, &y));
      right = crc32_z(right, (const unsigned char *)x, sizeof(x));
      if (with_y) right = crc32_z(right, (const unsigned char *)&y, sizeof(y));
    }
    fm_ok(fm_dataset_crc32(d, ROWS - 3, rows, with_y, &crc));
    assert_true(crc == (uint32_t)right);
    fm_ok(fm_dataset_close(&d));
  }
  fm_ok(PetscOptionsClearValue(NULL, "-pairs_memory"));
}

/* each rank asks for other rows, and one for none: nobody waits for anybody */
static void ranks_read_on_their_own(void **state) {
  const int64_t rows[3] = {test_rank() * 10, 500, 1000 - test_rank()};
  fm_real x[3 * SIZE], y[3];
  fm_dataset *d;

  write_many();
  fm_ok(PetscOptionsSetValue(NULL, "-pairs_memory", "0"));
  fm_ok(fm_dataset_open(WORLD, in_folder("m.h5"), &d));
  if (test_rank() != 1) fm_ok(fm_dataset_rows(d, 3, rows, x, y));
  for (int i = 0; i < 3 && test_rank() != 1; i++) {
    assert_true(x[SIZE * i] == (fm_real)(sin((double)rows[i]) * 1e-7));
    assert_true(y[i] == (fm_real)(cos(3 * (double)rows[i]) / 3));
  }
  fm_ok(fm_dataset_close(&d));
  fm_ok(PetscOptionsClearValue(NULL, "-pairs_memory"));
}

static void all_ranks_refuse_what_they_would_read(void **state) {
  fm_ok(PetscOptionsSetValue(NULL, "-pairs_memory", "0"));
  all_ranks_refuse(state);
  fm_ok(PetscOptionsClearValue(NULL, "-pairs_memory"));
}

FM_TEST_MAIN(io_test(all_ranks_hold_the_same), io_test(all_ranks_refuse),
             io_test(moments_are_those_of_one_rank), io_test(checksum_is_that_of_the_bytes),
             io_test(ranks_read_on_their_own), io_test(all_ranks_refuse_what_they_would_read))
