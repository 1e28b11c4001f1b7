/* The array mathematics under the layers, against plain loops in long double, at sizes around
   every register tile. */
#include "fm_test.h"
#include "fathom/rng.h"
#include "flow/kernels.h"

enum { M = 9, N = 133, K = 35 };

static fm_real a[M * N * 2], b[N * N], c[M * N * 2], kept[M * N * 2], row[N];

static void fill(fm_real *p, uint64_t index, size_t count) {
  fm_rng_normal((fm_rng){21, FM_STREAM_CHECK}, 0, index, count, p);
}

static void near(long double expected, fm_real got, const char *what, int64_t m, int64_t n,
                 int64_t k) {
  if (!(fabsl(expected - (long double)got) <= 60 * FM_EPSILON * fmaxl(1, fabsl(expected))))
    fail_msg("%s at %d x %d x %d: %.17g, expected %.17Lg", what, (int)m, (int)n, (int)k,
             (double)got, expected);
}

/* C += A B with strides, and each row's bits do not depend on the rows beside it. */
static void multiply(int64_t m, int64_t n, int64_t k, int64_t a_row, int64_t a_column) {
  memcpy(c, kept, sizeof(c));
  fm_multiply_add(m, n, k, a, a_row, a_column, b, c);
  for (int64_t i = 0; i < m; i++) {
    memcpy(row, kept + i * n, (size_t)n * sizeof(fm_real));
    fm_multiply_add(1, n, k, a + i * a_row, a_row, a_column, b, row);
    assert_memory_equal(row, c + i * n, (size_t)n * sizeof(fm_real));
    for (int64_t j = 0; j < n; j++) {
      long double sum = kept[i * n + j];

      for (int64_t l = 0; l < k; l++)
        sum += (long double)a[i * a_row + l * a_column] * b[l * n + j];
      near(sum, c[i * n + j], "A B", m, n, k);
    }
  }
  assert_memory_equal(c + m * n, kept + m * n, sizeof(c) - (size_t)(m * n) * sizeof(fm_real));
}

static void multiply_transposed(int64_t m, int64_t n, int64_t k, int64_t c_row) {
  memcpy(c, kept, sizeof(c));
  fm_multiply_transposed_add(m, n, k, a, b, c, c_row);
  for (int64_t i = 0; i < m; i++) {
    memcpy(row, kept + i * c_row, (size_t)n * sizeof(fm_real));
    fm_multiply_transposed_add(1, n, k, a + i * k, b, row, n);
    assert_memory_equal(row, c + i * c_row, (size_t)n * sizeof(fm_real));
    for (int64_t j = 0; j < n; j++) {
      long double sum = kept[i * c_row + j];

      for (int64_t l = 0; l < k; l++) sum += (long double)a[i * k + l] * b[j * k + l];
      near(sum, c[i * c_row + j], "A B^T", m, n, k);
    }
    assert_memory_equal(c + i * c_row + n, kept + i * c_row + n,
                        (size_t)(c_row - n) * sizeof(fm_real));
  }
}

static void test_products(void **state) {
  const int64_t wide[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 80, 128, 133};
  const int64_t deep[] = {0, 1, 4, 15, 16, 17, 32, 35};

  fill(a, 1, M * N * 2);
  fill(b, 2, N * N);
  fill(kept, 3, M * N * 2);
  for (int64_t m = 1; m <= M; m++)
    for (int i = 0; i < 17; i++)
      for (int j = 0; j < 8; j++) {
        multiply(m, wide[i], deep[j], deep[j] + 3, 1);
        multiply(m, wide[i], deep[j], 1, m);
        multiply_transposed(m, wide[i], deep[j], wide[i] + 2);
      }
}

static void test_sums(void **state) {
  for (int64_t n = 0; n < 40; n++) {
    long double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += (long double)a[i] * b[i];
    near(sum, fm_dot(n, a, b), "dot", 1, n, 1);
  }
  memcpy(c, kept, sizeof(c));
  fm_rows_sum_add(3, 20, a, c);
  for (int j = 0; j < 20; j++)
    near((long double)kept[j] + a[j] + a[20 + j] + a[40 + j], c[j], "sum of rows", 3, 20, 1);
}

/* Scale, its logarithm and slope for raw values from tiny to beyond overflow of exp. */
static void test_scale(void **state) {
  const double raw[] = {-1e4, -200, -30, -1, -1e-9, 0, 1e-9, .5, 3, 40, 200, 1e4};
  fm_real s[12], slope[12], log_scale[12];

  for (int clipped = 0; clipped < 2; clipped++) {
    for (int i = 0; i < 12; i++) s[i] = (fm_real)raw[i];
    fm_scale(12, clipped, s, slope, log_scale);
    for (int i = 0; i < 12; i++) {
      const double v = (double)(fm_real)raw[i], u = clipped && v < 0 ? 0 : v;
      const double top = clipped ? 1 : 2, sigmoid = 1 / (1 + exp(-u));

      fm_near(s[i], top * sigmoid, 4 * FM_EPSILON);
      fm_near(log_scale[i], log(top) - (u < -30 ? -u : log1p(exp(-u))), 4 * FM_EPSILON);
      fm_near(slope[i], clipped && v <= 0 ? 0 : 1 / (1 + exp(u)), 4 * FM_EPSILON);
    }
  }
}

static void test_relu_and_bias(void **state) {
  fm_real v[] = {-1, 0, 2, 3}, v_bar[] = {5, 6, 7, 8}, bias[] = {10, 20}, out[4];
  const fm_real with[] = {10, 20, 12, 23}, without[] = {10, 20, 10, 20}, bar[] = {0, 0, 7, 8};

  fm_relu(4, v);
  fm_relu_vjp(4, v, v_bar);
  assert_memory_equal(v_bar, bar, sizeof(bar));
  fm_bias(2, 2, bias, v, out);
  assert_memory_equal(out, with, sizeof(with));
  fm_bias(2, 2, bias, NULL, out);
  assert_memory_equal(out, without, sizeof(without));
}

FM_TEST_MAIN(cmocka_unit_test(test_products), cmocka_unit_test(test_sums),
             cmocka_unit_test(test_scale), cmocka_unit_test(test_relu_and_bias))
