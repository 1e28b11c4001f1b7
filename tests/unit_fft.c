/* Transforms against the sums that define them. */
#include "fathom/fft.h"
#include "fathom/rng.h"
#include "fm_test.h"

/* sum_j a_j exp(-2 pi i (k0 j0/n0 + k1 j1/n1)) */
static void sum_of_mode(const int64_t n[2], const fm_real *a, int64_t k0, int64_t k1,
                        double out[2]) {
  out[0] = out[1] = 0;
  for (int64_t j0 = 0; j0 < n[0]; j0++)
    for (int64_t j1 = 0; j1 < n[1]; j1++) {
      const double angle =
          -2 * PETSC_PI *
          ((double)(k0 * j0 % n[0]) / (double)n[0] + (double)(k1 * j1 % n[1]) / (double)n[1]);

      out[0] += (double)a[j0 * n[1] + j1] * cos(angle);
      out[1] += (double)a[j0 * n[1] + j1] * sin(angle);
    }
}

/* Dimensions n0, n1; n0 0: one dimension. */
static void check(int64_t n0, int64_t n1) {
  const int64_t shape[2] = {n0, n1}, n[2] = {n0 ? n0 : 1, n1}, kept = n1 / 2 + 1;
  fm_real a[200];
  fm_fft *fft;

  fm_ok(fm_fft_create(n0 ? 2 : 1, n0 ? shape : shape + 1, &fft));
  assert_int_equal(fft->size, n[0] * n[1]);
  assert_int_equal(fft->modes, n[0] * kept);
  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 5, (size_t)fft->size, a);
  for (int64_t i = 0; i < fft->size; i++) fft->real[i] = (double)a[i];
  fm_fft_forward(fft);
  for (int64_t k = 0; k < fft->modes; k++) {
    double expected[2];

    sum_of_mode(n, a, k / kept, k % kept, expected);
    fm_near(fft->spectrum[k][0], expected[0], 1e-13);
    fm_near(fft->spectrum[k][1], expected[1], 1e-13);
  }
  fm_fft_backward(fft);
  for (int64_t i = 0; i < fft->size; i++) fm_near(fft->real[i], a[i], 1e-14);
  fm_ok(fm_fft_destroy(&fft));
  assert_null(fft);
}

static void one_dimension(void **state) {
  for (int64_t n = 1; n <= 24; n++) check(0, n);
  check(0, 101);
}

static void two_dimensions(void **state) {
  check(1, 8);
  check(8, 1);
  check(8, 8);
  check(6, 9);
  check(9, 6);
  check(7, 11);
}

/* The same transform twice, by two plans. */
static void bits_repeat(void **state) {
  const int64_t n = 96;
  double kept[96];
  fm_real a[96];

  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 6, 96, a);
  for (int t = 0; t < 3; t++) {
    fm_fft *fft;

    fm_ok(fm_fft_create(1, &n, &fft));
    for (int64_t i = 0; i < n; i++) fft->real[i] = (double)a[i];
    fm_fft_forward(fft);
    fm_fft_backward(fft);
    if (!t) memcpy(kept, fft->real, sizeof(kept));
    assert_memory_equal(kept, fft->real, sizeof(kept));
    fm_ok(fm_fft_destroy(&fft));
  }
}

FM_TEST_MAIN(cmocka_unit_test(one_dimension), cmocka_unit_test(two_dimensions),
             cmocka_unit_test(bits_repeat))
