/* A file of `fathom informed`: what is read back, and what is refused. */
#include "fathom/informed.h"
#include "fathom/lapack.h"
#include "io_test.h"
#include <math.h>

#define N 23
#define RANK 6
#define WORLD PETSC_COMM_WORLD

static double vector[RANK * N], value[RANK], center[N];

static void make(void) {
  for (int i = 0; i < RANK * N; i++) vector[i] = sin(1 + 2.3 * i) + cos(0.1 * i * i);
  fm_ok(fm_orthonormalize(RANK, N, vector));
  for (int k = 0; k < RANK; k++) value[k] = 10 - k;
  for (int i = 0; i < N; i++) center[i] = i;
}

static const char *written(void) {
  const int64_t shape[2] = {RANK, N};
  const char *path = in_folder("informed.h5");
  fm_store *s;

  fm_ok(fm_store_create(WORLD, path, &s));
  fm_ok(fm_store_write(s, "/vectors", FM_FLOAT64, 2, shape, vector));
  fm_ok(fm_store_write(s, "/values", FM_FLOAT64, 1, shape, value));
  fm_ok(fm_store_write(s, "/center", FM_FLOAT64, 1, shape + 1, center));
  fm_ok(fm_store_commit(&s, NULL));
  return path;
}

static void refused(const char *word) {
  fm_informed *in = NULL;

  fm_expect_error(fm_informed_load(WORLD, written(), N, &in), word);
  assert_null(in);
}

static void what_was_written_is_read(void **state) {
  fm_informed *in;

  make();
  fm_ok(fm_informed_load(WORLD, written(), 0, &in));
  assert_int_equal(in->rank, RANK);
  assert_int_equal(in->n, N);
  assert_memory_equal(in->vector, vector, sizeof(vector));
  assert_memory_equal(in->value, value, sizeof(value));
  assert_memory_equal(in->center, center, sizeof(center));
  fm_ok(fm_informed_destroy(&in));
  fm_expect_error(fm_informed_load(WORLD, written(), N + 1, &in), "is for 23 unknowns");
}

/* each entry by itself, of a size at the limit and beyond it; all of a vector; twice one */
static void what_is_not_orthonormal_is_refused(void **state) {
  fm_informed *in;

  for (int i = 0; i < RANK * N; i += 7) {
    make();
    vector[i] += 1e-5 * (fabs(vector[i]) < 0.1 ? 10 : 1);
    refused("not orthonormal");
  }
  make();
  for (int i = 0; i < N; i++) vector[2 * N + i] *= 1 + 1e-6;
  refused("not orthonormal");
  make();
  memcpy(vector + 4 * N, vector + N, N * sizeof(*vector));
  refused("not orthonormal");
  make();
  vector[3 * N + 1] = NAN;
  refused("not orthonormal");
  make();
  for (int i = 0; i < N; i++) vector[2 * N + i] *= 1 + 1e-8;
  fm_ok(fm_informed_load(WORLD, written(), N, &in));
  fm_ok(fm_informed_destroy(&in));
}

static void numbers_that_are_none_are_refused(void **state) {
  make();
  value[4] = -1e-9;
  refused("number 4 is -1e-09");
  value[4] = NAN;
  refused("not 0 or more");
  make();
  center[5] = INFINITY;
  refused("number 5 is inf");
}

FM_TEST_MAIN(io_test(what_was_written_is_read), io_test(what_is_not_orthonormal_is_refused),
             io_test(numbers_that_are_none_are_refused))
