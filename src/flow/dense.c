/* Small dense products, register-blocked on vectors of the CPU's width. At a conditioner's 16 x
   64 x 64 they take the time of OpenBLAS (float: 1.35, 1.4 and 1.8 us against 1.45, 1.4 and 1.9
   for A B, A^T B and A B^T), for one row, which is what a condition needs, a quarter of it; and
   unlike a BLAS they sum each row in one order whatever the number of rows. */
#include "flow/kernels.h"
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define BYTES 64
enum { WIDE = 4 }; /* vectors across a register tile */
#else
#define BYTES 32
enum { WIDE = 2 };
#endif
#ifdef FM_SINGLE
#define LANES (BYTES / 4)
#else
#define LANES (BYTES / 8)
#endif
enum { TALL = 4 }; /* rows of a register tile */

typedef fm_real vector __attribute__((vector_size(BYTES)));
typedef fm_real loose __attribute__((vector_size(BYTES), aligned(sizeof(fm_real)), may_alias));

#pragma GCC diagnostic ignored "-Wpsabi" /* no vector passes a call: all is inlined */
#define INLINE static inline __attribute__((always_inline))

/* a b + c, rounded once wherever the CPU can: said outright, because compilers fuse or do not
   fuse as the loop around it pleases, and then one row's bits would depend on the number of
   rows. */
INLINE vector fused(vector a, vector b, vector c) {
#if defined(__AVX512F__) && defined(FM_SINGLE)
  return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX512F__)
  return (vector)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__) && defined(FM_SINGLE)
  return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__FMA__)
  return (vector)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}

/* a in every lane. */
INLINE vector every(fm_real a) { return a - (vector){0}; }

/* The first `count` numbers at p, then zeros. */
INLINE vector load(const fm_real *p, int64_t count) {
  if (count >= LANES) return *(const loose *)p;
  vector v = {0};
  memcpy(&v, p, (size_t)count * sizeof(fm_real));
  return v;
}

INLINE void store(fm_real *p, int64_t count, vector v) {
  if (count >= LANES)
    *(loose *)p = v;
  else
    memcpy(p, &v, (size_t)count * sizeof(fm_real));
}

/* rows x (columns vectors) of C stay in registers while k runs; `width` numbers of a single,
   partial vector count. */
INLINE void tile(const int rows, const int columns, int64_t width, int64_t n, int64_t count,
                 const fm_real *a, int64_t a_row, int64_t a_column, const fm_real *b,
                 fm_real *c) {
  vector sum[TALL][WIDE], right[WIDE];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) sum[i][j] = load(c + i * n + j * LANES, width);
  for (int64_t k = 0; k < count; k++) {
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) right[j] = load(b + k * n + j * LANES, width);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
      for (int j = 0; j < columns; j++)
        sum[i][j] = fused(every(a[i * a_row + k * a_column]), right[j], sum[i][j]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) store(c + i * n + j * LANES, width, sum[i][j]);
}

INLINE void strip(const int rows, int64_t n, int64_t count, const fm_real *a, int64_t a_row,
                  int64_t a_column, const fm_real *b, fm_real *c) {
  int64_t j = 0;
  for (; j + WIDE * LANES <= n; j += WIDE * LANES)
    tile(rows, WIDE, LANES, n, count, a, a_row, a_column, b + j, c + j);
  for (; j + LANES <= n; j += LANES)
    tile(rows, 1, LANES, n, count, a, a_row, a_column, b + j, c + j);
  if (j < n) tile(rows, 1, n - j, n, count, a, a_row, a_column, b + j, c + j);
}

void fm_multiply_add(int64_t m, int64_t n, int64_t count, const fm_real *a, int64_t a_row,
                     int64_t a_column, const fm_real *b, fm_real *c) {
  int64_t i = 0;
  for (; i + TALL <= m; i += TALL)
    strip(TALL, n, count, a + i * a_row, a_row, a_column, b, c + i * n);
  for (; i < m; i++) strip(1, n, count, a + i * a_row, a_row, a_column, b, c + i * n);
}

typedef fm_real quad __attribute__((vector_size(4 * sizeof(fm_real))));
typedef fm_real octet __attribute__((vector_size(8 * sizeof(fm_real))));

INLINE quad fold_octet(octet v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}

/* Four numbers whose sum is that of v. */
INLINE quad fold(vector v) {
#if LANES == 16
  return fold_octet(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
#elif LANES == 8
  return fold_octet(v);
#else
  return v;
#endif
}

/* {sum of v[0], sum of v[1], sum of v[2], sum of v[3]}. */
INLINE quad totals(const vector v[4]) {
  quad a = fold(v[0]), b = fold(v[1]), c = fold(v[2]), d = fold(v[3]);
  quad ab =
      __builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7);
  quad cd =
      __builtin_shufflevector(c, d, 0, 4, 2, 6) + __builtin_shufflevector(c, d, 1, 5, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
         __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* rows x columns of dot products along the contiguous index of both factors. */
INLINE void dots(const int rows, const int columns, int64_t count, const fm_real *a,
                 const fm_real *b, fm_real *c, int64_t c_row) {
  vector sum[TALL][4] = {{{0}}}, right[4];
  for (int64_t k = 0; k < count; k += LANES) {
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) right[j] = load(b + j * count + k, count - k);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      vector left = load(a + i * count + k, count - k);
#pragma GCC unroll 8
      for (int j = 0; j < columns; j++) sum[i][j] = fused(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
    quad t = totals(sum[i]);
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) c[i * c_row + j] += t[j];
  }
}

INLINE void dots_strip(const int rows, int64_t n, int64_t count, const fm_real *a,
                       const fm_real *b, fm_real *c, int64_t c_row) {
  int64_t j = 0;
  for (; j + TALL <= n; j += TALL) dots(rows, TALL, count, a, b + j * count, c + j, c_row);
  for (; j + 2 <= n; j += 2) dots(rows, 2, count, a, b + j * count, c + j, c_row);
  for (; j < n; j++) dots(rows, 1, count, a, b + j * count, c + j, c_row);
}

void fm_multiply_transposed_add(int64_t m, int64_t n, int64_t count, const fm_real *a,
                                const fm_real *b, fm_real *c, int64_t c_row) {
  int64_t i = 0;
  for (; i + TALL <= m; i += TALL)
    dots_strip(TALL, n, count, a + i * count, b, c + i * c_row, c_row);
  for (; i < m; i++) dots_strip(1, n, count, a + i * count, b, c + i * c_row, c_row);
}

fm_real fm_dot(int64_t count, const fm_real *a, const fm_real *b) {
  fm_real sum = 0;
  dots(1, 1, count, a, b, &sum, 1);
  return sum;
}

void fm_rows_sum_add(int64_t m, int64_t n, const fm_real *a, fm_real *sum) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) sum[j] += a[i * n + j];
}
