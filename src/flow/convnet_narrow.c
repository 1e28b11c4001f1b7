/* Convolutions between few channels and many: vectors run along the many, and a register tile
   holds several pixels of them. */
#include "flow/convnet_narrow.h"
#include <string.h>

enum { PIXELS = 8, GROUP = 4, TAPS = 9 };

static int64_t padded_width(const fm_narrow *n) { return n->width + 2; }
static int64_t padded_plane(const fm_narrow *n) { return padded_width(n) * (n->height + 2); }

int64_t fm_narrow_padded(const fm_narrow *n) { return n->channels * padded_plane(n); }

void fm_narrow_pad(const fm_narrow *n, const fm_real *image, fm_real *padded) {
  memset(padded, 0, (size_t)fm_narrow_padded(n) * sizeof(fm_real));
  for (int64_t c = 0; c < n->channels; c++)
    for (int64_t y = 0; y < n->height; y++)
      memcpy(padded + c * padded_plane(n) + (y + 1) * padded_width(n) + 1,
             image + (c * n->height + y) * n->width, (size_t)n->width * sizeof(fm_real));
}

/* Of a tap, from a pixel to the one that it joins, in an image of that width. */
FM_INLINE int64_t shift(int sign, int tap, int64_t width) {
  return sign * ((tap / 3 - 1) * width + tap % 3 - 1);
}

/* ---- few to many ---- */

/* `pixels` pixels from p of `blocks` blocks of channels; near: the first pixel's own place in
   the padded image. */
FM_INLINE void spread(const fm_narrow *n, const int blocks, const int pixels, int sign,
                      const fm_real *weights, const fm_real *near, const fm_real *bias,
                      const fm_real *gate, fm_real *wide) {
  const int64_t plane = n->height * fm_wide_row(n->width) * FM_LANES;
  fm_vector sum[2][PIXELS];

#pragma GCC unroll 8
  for (int b = 0; b < blocks; b++)
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
      sum[b][p] = gate ? (fm_vector){0} : (fm_vector) * (const fm_loose *)(bias + b * FM_LANES);
  for (int64_t c = 0; c < n->channels; c++, near += padded_plane(n))
#pragma GCC unroll 9
    for (int tap = 0; tap < TAPS; tap++, weights += n->hidden) {
      const fm_real *from = near + shift(sign, tap, padded_width(n));

#pragma GCC unroll 8
      for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int b = 0; b < blocks; b++)
          sum[b][p] += from[p] * *(const fm_loose *)(weights + b * FM_LANES);
    }
#pragma GCC unroll 8
  for (int b = 0; b < blocks; b++)
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
      const int64_t at = b * plane + p * FM_LANES;
      const fm_vector open = gate ? (fm_vector) * (const fm_loose *)(gate + at) : sum[b][p];

      *(fm_loose *)(wide + at) = fm_where_positive(open, sum[b][p]);
    }
}

FM_INLINE void spread_row(const fm_narrow *n, const int blocks, int sign,
                          const fm_real *weights, const fm_real *near, const fm_real *bias,
                          const fm_real *gate, fm_real *wide) {
  int64_t x = 0;

  for (; x + PIXELS <= n->width; x += PIXELS)
    spread(n, blocks, PIXELS, sign, weights, near + x, bias, gate ? gate + x * FM_LANES : NULL,
           wide + x * FM_LANES);
  for (; x < n->width; x++)
    spread(n, blocks, 1, sign, weights, near + x, bias, gate ? gate + x * FM_LANES : NULL,
           wide + x * FM_LANES);
}

void fm_narrow_spread(const fm_narrow *n, int sign, const fm_real *weights,
                      const fm_real *padded, const fm_real *bias, const fm_real *gate,
                      fm_real *wide) {
  const int64_t row = fm_wide_row(n->width), pixels = n->height * row;

  for (int64_t y = 0; y < n->height; y++)
    for (int64_t c = 0; c < n->hidden; c += 2 * FM_LANES) {
      const int64_t at = c * pixels + y * row * FM_LANES;
      const fm_real *near = padded + (y + 1) * padded_width(n) + 1;
      const fm_real *b = bias ? bias + c : NULL, *g = gate ? gate + at : NULL;

      if (c + FM_LANES < n->hidden)
        spread_row(n, 2, sign, weights + c, near, b, g, wide + at);
      else
        spread_row(n, 1, sign, weights + c, near, b, g, wide + at);
    }
}

/* ---- many to few ---- */

#if FM_VECTOR_BYTES == 64 && defined(FM_SINGLE)
/* Sums over the lanes of 16 vectors: two by two they fold to half as many, four times. */
FM_INLINE fm_vector by_8(fm_vector a, fm_vector b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30,
                                 31);
}
FM_INLINE fm_vector by_4(fm_vector a, fm_vector b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26,
                                 27) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30,
                                 31);
}
FM_INLINE fm_vector by_2(fm_vector a, fm_vector b) {
  return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28,
                                 29) +
         __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30,
                                 31);
}
FM_INLINE fm_vector by_1(fm_vector a, fm_vector b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                 30) +
         __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29,
                                 31);
}
FM_INLINE void lane_sums(const fm_vector v[GROUP * GROUP], fm_real *sum) {
  fm_vector a[8], b[4], c[2];

#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) a[i] = by_8(v[2 * i], v[2 * i + 1]);
#pragma GCC unroll 8
  for (int i = 0; i < 4; i++) b[i] = by_4(a[2 * i], a[2 * i + 1]);
#pragma GCC unroll 8
  for (int i = 0; i < 2; i++) c[i] = by_2(b[2 * i], b[2 * i + 1]);
  *(fm_loose *)sum = by_1(c[0], c[1]);
}
#else
FM_INLINE void lane_sums(const fm_vector v[GROUP * GROUP], fm_real *sum) {
  for (int i = 0; i < GROUP * GROUP; i++) {
    sum[i] = 0;
    for (int l = 0; l < FM_LANES; l++) sum[i] += v[i][l];
  }
}
#endif

/* What all pixels of one row of the narrow image have in common. */
typedef struct line {
  const fm_narrow *n;
  int sign;
  int64_t y;
  const fm_real *weights, *wide; /* the weights of the first channel of a group */
} line;

/* The wide pixel that a tap joins to (y, x): of one block of channels, its row given; zeros
   outside of it. */
FM_INLINE fm_vector joined(const line *r, const int inside, const fm_real *from, int64_t x) {
  static const fm_vector outside;

  return inside || (x >= 0 && x < r->n->width)
             ? (fm_vector) * (const fm_loose *)(from + x * FM_LANES)
             : outside;
}

/* `pixels` of a row from x on, of `channels` channels; inside: no tap leaves the row. */
FM_INLINE void collect(const line *r, const int channels, const int pixels, const int inside,
                       int64_t x, fm_real *sum) {
  const fm_narrow *n = r->n;
  fm_vector all[GROUP * GROUP] = {{0}};

  for (int i = 0; i < 3; i++) {
    const int64_t y = r->y + r->sign * (i - 1);

    if (y < 0 || y >= n->height) continue;
    for (int64_t c = 0; c < n->hidden; c += FM_LANES) {
      const fm_real *from = r->wide + (c * n->height + y * FM_LANES) * fm_wide_row(n->width);
      const fm_real *weights = r->weights + 3 * i * n->hidden + c;

      for (int j = 0; j < 3; j++, weights += n->hidden) {
        fm_vector v[8];

#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
          v[p] = joined(r, inside, from, x + p + r->sign * (j - 1));
#pragma GCC unroll 8
        for (int o = 0; o < channels; o++) {
          const fm_vector weight = *(const fm_loose *)(weights + o * TAPS * n->hidden);

#pragma GCC unroll 8
          for (int p = 0; p < pixels; p++) all[o * pixels + p] += weight * v[p];
        }
      }
    }
  }
  lane_sums(all, sum);
}

FM_INLINE void collect_row(const line *r, const int channels, const int pixels,
                           fm_real *image) {
  const int64_t plane = r->n->height * r->n->width, width = r->n->width;

  for (int64_t x = 0; x < width; x += pixels) {
    fm_real sum[GROUP * GROUP];

    if (x > 0 && x + pixels < width)
      collect(r, channels, pixels, 1, x, sum);
    else
      collect(r, channels, pixels, 0, x, sum);
    for (int o = 0; o < channels; o++)
      for (int64_t p = 0; p < pixels && x + p < width; p++)
        image[o * plane + r->y * width + x + p] += sum[o * pixels + p];
  }
}

void fm_narrow_collect(const fm_narrow *n, int sign, const fm_real *weights,
                       const fm_real *wide, fm_real *image) {
  const int64_t plane = n->height * n->width;

  for (int64_t y = 0; y < n->height; y++) {
    int64_t o = 0;

    for (; o + GROUP <= n->channels; o += GROUP) {
      const line r = {n, -sign, y, weights + o * TAPS * n->hidden, wide};

      collect_row(&r, GROUP, GROUP, image + o * plane);
    }
    for (; o + 2 <= n->channels; o += 2) {
      const line r = {n, -sign, y, weights + o * TAPS * n->hidden, wide};

      collect_row(&r, 2, 8, image + o * plane);
    }
    for (; o < n->channels; o++) {
      const line r = {n, -sign, y, weights + o * TAPS * n->hidden, wide};

      collect_row(&r, 1, 8, image + o * plane);
    }
  }
}

/* ---- gradient ---- */

/* One row, one narrow channel, `blocks` blocks; sums of a row are added to those before. */
FM_INLINE void gradient_row(const fm_narrow *n, const int blocks, int sign, const fm_real *near,
                            const fm_real *wide, fm_real *weights_bar) {
  const int64_t plane = n->height * fm_wide_row(n->width) * FM_LANES;
  fm_vector sum[TAPS][2] = {{{0}}};

  for (int64_t x = 0; x < n->width; x++) {
    fm_vector v[2];

#pragma GCC unroll 8
    for (int b = 0; b < blocks; b++)
      v[b] = *(const fm_loose *)(wide + b * plane + x * FM_LANES);
#pragma GCC unroll 9
    for (int tap = 0; tap < TAPS; tap++)
#pragma GCC unroll 8
      for (int b = 0; b < blocks; b++)
        sum[tap][b] += near[x + shift(sign, tap, padded_width(n))] * v[b];
  }
#pragma GCC unroll 9
  for (int tap = 0; tap < TAPS; tap++)
#pragma GCC unroll 8
    for (int b = 0; b < blocks; b++)
      *(fm_loose *)(weights_bar + tap * n->hidden + b * FM_LANES) += sum[tap][b];
}

void fm_narrow_gradient(const fm_narrow *n, int sign, const fm_real *padded,
                        const fm_real *wide, fm_real *weights_bar) {
  const int64_t row = fm_wide_row(n->width), pixels = n->height * row;

  memset(weights_bar, 0, (size_t)(TAPS * n->channels * n->hidden) * sizeof(fm_real));
  for (int64_t y = 0; y < n->height; y++)
    for (int64_t c = 0; c < n->hidden; c += 2 * FM_LANES)
      for (int64_t k = 0; k < n->channels; k++) {
        const fm_real *near = padded + k * padded_plane(n) + (y + 1) * padded_width(n) + 1;
        const fm_real *v = wide + c * pixels + y * row * FM_LANES;
        fm_real *bar = weights_bar + k * TAPS * n->hidden + c;

        if (c + FM_LANES < n->hidden)
          gradient_row(n, 2, sign, near, v, bar);
        else
          gradient_row(n, 1, sign, near, v, bar);
      }
}

void fm_wide_sum_add(const fm_narrow *n, const fm_real *wide, fm_real *sum) {
  const int64_t row = fm_wide_row(n->width);

  for (int64_t c = 0; c < n->hidden; c += FM_LANES) {
    fm_vector all = {0};

    for (int64_t y = 0; y < n->height; y++) {
      fm_vector one = {0};

      for (int64_t x = 0; x < n->width; x++)
        one += *(const fm_loose *)(wide + (c * n->height + y * FM_LANES) * row + x * FM_LANES);
      all += one;
    }
    *(fm_loose *)(sum + c) += all;
  }
}
