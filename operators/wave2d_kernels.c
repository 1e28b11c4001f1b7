#include "wave2d_kernels.h"
#include <string.h>
#ifdef __SSE__
#include <immintrin.h>
#endif

/* Of the orders 2, 4, 6, 8: B. Fornberg, "Generation of finite difference formulas on
   arbitrarily spaced grids", Mathematics of Computation 51 (1988), 699-706, table 1. */
static const double second[4][5] = {
    {-2, 1, 0, 0, 0},
    {-5. / 2, 4. / 3, -1. / 12, 0, 0},
    {-49. / 18, 3. / 2, -3. / 20, 1. / 90, 0},
    {-205. / 72, 8. / 5, -1. / 5, 8. / 315, -1. / 560},
};

void fm_stencil_set(fm_stencil *stencil, int order, double dz, double dx) {
  stencil->radius = order / 2;
  for (int k = 0; k < 5; k++) {
    stencil->z[k] = (fm_real)(second[order / 2 - 1][k] / (dz * dz));
    stencil->x[k] = (fm_real)(second[order / 2 - 1][k] / (dx * dx));
  }
}

/* The signs alternate: the shortest wave on the grid has the sum of all magnitudes. */
double fm_stencil_spectral_radius(int order, double dz, double dx) {
  double sum = -second[order / 2 - 1][0];

  for (int k = 1; k < 5; k++)
    sum += 2 * (k % 2 ? second[order / 2 - 1][k] : -second[order / 2 - 1][k]);
  return sum / (dz * dz) + sum / (dx * dx);
}

#define INLINE static inline __attribute__((always_inline))

/* a b + c, rounded once where the machine does that in one instruction. Said so, the compiler
   has no choice of what to fuse: all copies of an expression give the same bits. */
INLINE fm_real fma_of(fm_real a, fm_real b, fm_real c) {
#if !defined(__FMA__) && !defined(__ARM_FEATURE_FMA)
  return a * b + c;
#elif defined(FM_SINGLE)
  return __builtin_fmaf(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

/* A row in vectors, whatever their length: the inner loop has a constant number of turns and no
   remainder. */
#define EACH(i)                                                                                \
  for (int64_t i##0 = 0; i##0 < width; i##0 += FM_WAVE2D_LANES)                                \
  _Pragma("GCC ivdep") for (int64_t i = i##0; i < i##0 + FM_WAVE2D_LANES; i++)

/* ---- differences; m is the radius, a constant wherever this is inlined ---- */

/* Rows are done together so that each is loaded once for the differences along z. */
INLINE void laplace(const int m, const int n, const fm_stencil *s, const fm_real *const *row,
                    int64_t width, fm_real *out) {
  const fm_real centre = s->z[0] + s->x[0];
  const fm_stencil c = *s;

  EACH(i) {
    fm_real column[FM_WAVE2D_BLOCK + 8];

#pragma GCC unroll 16
    for (int k = 0; k < n + 2 * m; k++) column[k] = row[k - m][i];
#pragma GCC unroll 4
    for (int r = 0; r < n; r++) {
      fm_real sum = centre * column[r + m];

#pragma GCC unroll 4
      for (int k = 1; k <= m; k++) {
        sum = fma_of(c.z[k], column[r + m - k] + column[r + m + k], sum);
        sum = fma_of(c.x[k], row[r][i - k] + row[r][i + k], sum);
      }
      out[r * width + i] = sum;
    }
  }
}

INLINE void laplace_rows(const int m, const fm_stencil *s, const fm_real *const *row, int n,
                         int64_t width, fm_real *out) {
  if (n == FM_WAVE2D_BLOCK) {
    laplace(m, FM_WAVE2D_BLOCK, s, row, width, out);
  } else {
    for (int r = 0; r < n; r++) laplace(m, 1, s, row + r, width, out + r * width);
  }
}

void fm_rows_laplace(const fm_stencil *s, const fm_real *const *row, int n, int64_t width,
                     fm_real *out) {
  switch (s->radius) {
  case 1: laplace_rows(1, s, row, n, width, out); break;
  case 2: laplace_rows(2, s, row, n, width, out); break;
  case 3: laplace_rows(3, s, row, n, width, out); break;
  default: laplace_rows(4, s, row, n, width, out);
  }
}

/* ---- layers ---- */

/* The second difference of v at i along one direction. */
INLINE fm_real second_at(const int m, const fm_real *c, const fm_real *v, int64_t i,
                         int64_t stride) {
  fm_real sum = c[0] * v[i];

#pragma GCC unroll 4
  for (int k = 1; k <= m; k++) sum = fma_of(c[k], v[i - k * stride] + v[i + k * stride], sum);
  return sum;
}

/* CALL(m) with the radius a constant. */
#define WITH_RADIUS(radius, CALL)                                                              \
  switch (radius) {                                                                            \
  case 1: CALL(1); break;                                                                      \
  case 2: CALL(2); break;                                                                      \
  case 3: CALL(3); break;                                                                      \
  default: CALL(4);                                                                            \
  }

INLINE void layer_row(const int m, const fm_layer_coefficients *c, const fm_stencil *s,
                      int64_t width, int64_t stride, const fm_real *u, const fm_real *above,
                      fm_real *psi, fm_real *zeta, fm_real *out) {
  const fm_layer_coefficients l = *c;
  const fm_stencil t = *s;

  EACH(i) {
    const fm_real p = fma_of(l.half_a, u[i + stride] - u[i], l.half_b * psi[i]);
    const fm_real d = p - above[i];
    const fm_real z = fma_of(l.a, second_at(m, t.z, u, i, stride) + d, l.b * zeta[i]);

    psi[i] = p;
    zeta[i] = z;
    out[i] += d + z;
  }
}

void fm_layer_row(const fm_layer_coefficients *c, const fm_stencil *s, int64_t width,
                  int64_t stride, const fm_real *u, const fm_real *above, fm_real *psi,
                  fm_real *zeta, fm_real *out) {
#define CALL(m) layer_row(m, c, s, width, stride, u, above, psi, zeta, out)
  WITH_RADIUS(s->radius, CALL)
#undef CALL
}

void fm_layer_row_filter(const fm_layer_coefficients *c, int64_t width, const fm_real *h,
                         fm_real *zeta) {
  const fm_layer_coefficients l = *c;

  EACH(i) zeta[i] = fma_of(l.a, h[i], l.b * zeta[i]);
}

INLINE void layer_row_transposed(const int m, const fm_layer_coefficients *c,
                                 const fm_stencil *s, int64_t width, int64_t stride,
                                 const fm_real *h, const fm_real *above, fm_real *psi,
                                 const fm_real *zeta, fm_real *out) {
  const fm_layer_coefficients l = *c;
  const fm_stencil t = *s;

  EACH(i) {
    const fm_real change = (h[i + stride] - h[i]) + (zeta[i + width] - zeta[i]);
    const fm_real p = fma_of(l.half_a, change, l.half_b * psi[i]);

    psi[i] = p;
    out[i] += second_at(m, t.z, zeta, i, width) + (p - above[i]);
  }
}

void fm_layer_row_transposed(const fm_layer_coefficients *c, const fm_stencil *s, int64_t width,
                             int64_t stride, const fm_real *h, const fm_real *above,
                             fm_real *psi, const fm_real *zeta, fm_real *out){
#define CALL(m) layer_row_transposed(m, c, s, width, stride, h, above, psi, zeta, out)
    WITH_RADIUS(s->radius, CALL)
#undef CALL
}

#define EACH_ROW(n, r) for (int r = 0; r < n; r++)

INLINE void columns_add(const int m, const fm_layer_columns *c, const fm_stencil *s, int n,
                        const fm_real *u, int64_t stride, fm_real *psi, fm_real *zeta,
                        fm_real *out, int64_t out_stride) {
  const int64_t width = c->width;
  const fm_stencil t = *s;

  EACH_ROW(n, r) {
    const fm_real *v = u + r * stride;
    fm_real *p = psi + r * c->stride;

    EACH(i) p[i] = fma_of(c->half_a[i], v[i + 1] - v[i], c->half_b[i] * p[i]);
  }
  EACH_ROW(n, r) {
    const fm_real *v = u + r * stride, *p = psi + r * c->stride;
    fm_real *z = zeta + r * c->stride, *o = out + r * out_stride;

    EACH(i) {
      const fm_real d = p[i] - p[i - 1];
      const fm_real e = fma_of(c->a[i], second_at(m, t.x, v, i, 1) + d, c->b[i] * z[i]);

      z[i] = e;
      o[i] += d + e;
    }
  }
}

void fm_columns_add(const fm_layer_columns *c, const fm_stencil *s, int n, const fm_real *u,
                    int64_t stride, fm_real *psi, fm_real *zeta, fm_real *out,
                    int64_t out_stride){
#define CALL(m) columns_add(m, c, s, n, u, stride, psi, zeta, out, out_stride)
    WITH_RADIUS(s->radius, CALL)
#undef CALL
}

INLINE void columns_add_transposed(const int m, const fm_layer_columns *c, const fm_stencil *s,
                                   int n, const fm_real *h, int64_t stride, fm_real *psi,
                                   fm_real *zeta, fm_real *out, int64_t out_stride) {
  const int64_t width = c->width;
  const fm_stencil t = *s;

  EACH_ROW(n, r) {
    const fm_real *g = h + r * stride;
    fm_real *z = zeta + r * c->stride;

    EACH(i) z[i] = fma_of(c->a[i], g[i], c->b[i] * z[i]);
  }
  EACH_ROW(n, r) {
    const fm_real *g = h + r * stride, *z = zeta + r * c->stride;
    fm_real *p = psi + r * c->stride;

    EACH(i)
    p[i] = fma_of(c->half_a[i], (g[i + 1] - g[i]) + (z[i + 1] - z[i]), c->half_b[i] * p[i]);
  }
  EACH_ROW(n, r) {
    const fm_real *z = zeta + r * c->stride, *p = psi + r * c->stride;
    fm_real *o = out + r * out_stride;

    EACH(i) o[i] += second_at(m, t.x, z, i, 1) + (p[i] - p[i - 1]);
  }
}

void fm_columns_add_transposed(const fm_layer_columns *c, const fm_stencil *s, int n,
                               const fm_real *h, int64_t stride, fm_real *psi, fm_real *zeta,
                               fm_real *out, int64_t out_stride) {
#define CALL(m) columns_add_transposed(m, c, s, n, h, stride, psi, zeta, out, out_stride)
  WITH_RADIUS(s->radius, CALL)
#undef CALL
}

/* ---- updates ---- */

void fm_row_step(int64_t width, const fm_real *now, const fm_real *v, const fm_real *a,
                 fm_real *next) {
  EACH(i) next[i] = fma_of(v[i], a[i], 2 * now[i] - next[i]);
}

/* Whole lines past the caches: a record is read much later. */
INLINE void store_lanes(const fm_real *from, fm_real *to) {
#if defined(__AVX512F__)
  for (int k = 0; k < FM_WAVE2D_LANES; k += 64 / (int)sizeof(fm_real))
    _mm512_stream_si512((void *)(to + k), _mm512_load_si512((const void *)(from + k)));
#elif defined(__SSE2__)
  for (int k = 0; k < FM_WAVE2D_LANES; k += 16 / (int)sizeof(fm_real))
    _mm_stream_si128((__m128i *)(to + k), _mm_load_si128((const __m128i *)(from + k)));
#else
  memcpy(to, from, FM_WAVE2D_LANES * sizeof(fm_real));
#endif
}

void fm_row_step_record(int64_t width, const fm_real *now, const fm_real *v, const fm_real *a,
                        fm_real *next, fm_real *record) {
  for (int64_t k = 0; k < width; k += FM_WAVE2D_LANES) {
#pragma GCC ivdep
    for (int64_t i = k; i < k + FM_WAVE2D_LANES; i++)
      next[i] = fma_of(v[i], a[i], 2 * now[i] - next[i]);
    store_lanes(a + k, record + k);
  }
}

void fm_row_step_back(int64_t width, const fm_real *q, const fm_real *v, const fm_real *a,
                      const fm_real *record, fm_real *image, fm_real *next) {
  EACH(i) {
    image[i] = fma_of(q[i], record[i], image[i]);
    next[i] = fma_of(v[i], a[i], 2 * q[i] - next[i]);
  }
}

void fm_row_step_fourth(int64_t width, const fm_real *now, const fm_real *v, const fm_real *w,
                        const fm_real *y, fm_real *next) {
  const fm_real twelfth = (fm_real)(1. / 12);

  EACH(i) next[i] = fma_of(twelfth * v[i], y[i], (2 * now[i] - next[i]) + w[i]);
}

void fm_row_copy(int64_t width, const fm_real *a, fm_real *out) {
  memcpy(out, a, (size_t)width * sizeof(fm_real));
}

void fm_row_multiply(int64_t width, const fm_real *a, const fm_real *b, fm_real *out) {
  EACH(i) out[i] = a[i] * b[i];
}

void fm_row_multiply_add(int64_t width, const fm_real *a, const fm_real *b, fm_real *out) {
  EACH(i) out[i] = fma_of(a[i], b[i], out[i]);
}

void fm_row_multiply_add_12th(int64_t width, const fm_real *a, const fm_real *b, fm_real *out) {
  const fm_real twelfth = (fm_real)(1. / 12);

  EACH(i) out[i] = fma_of(twelfth * a[i], b[i], out[i]);
}

void fm_row_store(int64_t width, const fm_real *a, fm_real *record) {
  for (int64_t k = 0; k < width; k += FM_WAVE2D_LANES) store_lanes(a + k, record + k);
}
