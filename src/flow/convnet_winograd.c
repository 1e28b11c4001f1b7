/* Winograd's convolution: transforms on vectors of channels, and fm_multiply_add for the 36
   products. A chunk of tiles is taken through all of it at a time, so that what lies between
   stays in the cache. */
#include "flow/convnet_winograd.h"
#include "flow/kernels.h"
#include <string.h>

enum { LANES = FM_LANES, CHUNK = 32, POINTS = 36, LINE = 64 / sizeof(fm_real) };

/* ---- in one dimension; step: from one vector to the next ---- */

/* 6 pixels to 6 points: B^T. */
FM_INLINE void points_of_pixels(const fm_loose *d, int64_t step, fm_loose *v, int64_t to) {
  const fm_vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
  const fm_vector a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);

  v[0] = 4 * d0 - 5 * d2 + d4;
  v[to] = a + b;
  v[2 * to] = a - b;
  v[3 * to] = c + e;
  v[4 * to] = c - e;
  v[5 * to] = 4 * d1 - 5 * d3 + d[5 * step];
}

/* 6 points to 4 pixels: A^T. */
FM_INLINE void pixels_of_points(const fm_loose *m, int64_t step, fm_loose *y, int64_t to) {
  const fm_vector a = m[step] + m[2 * step], b = m[step] - m[2 * step];
  const fm_vector c = m[3 * step] + m[4 * step], e = m[3 * step] - m[4 * step];

  y[0] = m[0] + a + c;
  y[to] = b + 2 * e;
  y[2 * to] = a + 4 * c;
  y[3 * to] = b + 8 * e + m[5 * step];
}

/* Its adjoint, 4 pixels to 6 points: A. */
FM_INLINE void points_of_outputs(const fm_loose *y, int64_t step, fm_loose *m, int64_t to) {
  const fm_vector y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
  const fm_vector a = y0 + y2, b = y1 + y3, c = y0 + 4 * y2, e = 2 * y1 + 8 * y3;

  m[0] = y0;
  m[to] = a + b;
  m[2 * to] = a - b;
  m[3 * to] = c + e;
  m[4 * to] = c - e;
  m[5 * to] = y3;
}

static const fm_real SIXTH = (fm_real)(1. / 6);

/* 3 weights to 6 points: G. */
FM_INLINE void points_of_weights(const fm_loose *w, int64_t step, fm_loose *u, int64_t to) {
  const fm_vector w0 = w[0], w1 = w[step], w2 = w[2 * step];
  const fm_vector a = (w0 + w2) * SIXTH, b = w1 * SIXTH;
  const fm_vector c = w0 * (SIXTH / 4) + w2 * SIXTH, e = w1 * (SIXTH / 2);

  u[0] = w0 * (fm_real)0.25;
  u[to] = -a - b;
  u[2 * to] = b - a;
  u[3 * to] = c + e;
  u[4 * to] = c - e;
  u[5 * to] = w2;
}

/* Its adjoint, 6 points to 3 weights: G^T. */
FM_INLINE void weights_of_points(const fm_loose *u, int64_t step, fm_loose *w, int64_t to) {
  const fm_vector a = (u[step] + u[2 * step]) * SIXTH, b = (u[2 * step] - u[step]) * SIXTH;
  const fm_vector c = (u[3 * step] + u[4 * step]) * SIXTH;
  const fm_vector e = (u[3 * step] - u[4 * step]) * (SIXTH / 2);

  w[0] = u[0] * (fm_real)0.25 - a + c * (fm_real)0.25;
  w[to] = b + e;
  w[2 * to] = c - a + u[5 * step];
}

/* ---- weights: u [point][in][out], of the adjoint [point][out][in] ---- */

/* Numbers from a point to the next: a line of the cache more than needed, so that the points do
   not share their places in it. */
static int64_t area(const fm_winograd *w) { return w->hidden * w->hidden + LINE; }

int64_t fm_winograd_weights(const fm_winograd *w) { return POINTS * area(w); }

/* Where the taps of a pair of channels lie in w2 [hidden][hidden][9]. */
FM_INLINE int64_t place_of(const fm_winograd *w, int adjoint, int64_t from, int64_t to) {
  return (adjoint ? from * w->hidden + to : to * w->hidden + from) * 9;
}

void fm_winograd_transform(const fm_winograd *w, int adjoint, const fm_real *w2, fm_real *u) {
  const int64_t h = w->hidden, n = area(w) / LANES;

  for (int64_t k = 0; k < h * h / LANES; k++) {
    const int64_t from = k % h, to = k / h * LANES;
    fm_loose taps[9], half[18], *p = (fm_loose *)(u + from * h + to);

    for (int l = 0; l < LANES; l++) {
      const fm_real *tap = w2 + place_of(w, adjoint, from, to + l);

      for (int i = 0; i < 9; i++) ((fm_real *)taps)[i * LANES + l] = tap[adjoint ? 8 - i : i];
    }
    for (int j = 0; j < 3; j++) points_of_weights(taps + j, 3, half + j, 3);
    for (int i = 0; i < 6; i++) points_of_weights(half + 3 * i, 1, p + 6 * i * n, n);
  }
}

void fm_winograd_transform_vjp(const fm_winograd *w, const fm_real *u_bar, fm_real *w2_bar) {
  const int64_t h = w->hidden, n = area(w) / LANES;

  for (int64_t k = 0; k < h * h / LANES; k++) {
    const int64_t from = k % h, to = k / h * LANES;
    const fm_loose *p = (const fm_loose *)(u_bar + from * h + to);
    fm_loose taps[9], half[18];

    for (int i = 0; i < 6; i++) weights_of_points(p + 6 * i * n, n, half + 3 * i, 1);
    for (int j = 0; j < 3; j++) weights_of_points(half + j, 3, taps + j, 3);
    for (int l = 0; l < LANES; l++)
      for (int i = 0; i < 9; i++)
        w2_bar[place_of(w, 0, from, to + l) + i] += ((fm_real *)taps)[i * LANES + l];
  }
}

/* ---- tiles ---- */

/* Of a chunk's transformed images [point][tile][channel]: numbers from a point to the next, a
   line of the cache more than needed, so that the points do not share their places in it. */
static int64_t stride(const fm_winograd *w) {
  return (CHUNK * w->hidden + LINE - 1) / LINE * LINE + LINE;
}

int64_t fm_winograd_work(const fm_winograd *w) { return 2 * POINTS * stride(w); }

static int64_t tiles_across(const fm_winograd *w) { return (w->width + 3) / 4; }
static int64_t tiles(const fm_winograd *w) { return (w->height + 3) / 4 * tiles_across(w); }

/* Where a tile's 4x4 pixels begin. */
typedef struct corner {
  int64_t y, x;
} corner;

static corner corner_of(const fm_winograd *w, int64_t tile) {
  return (corner){tile / tiles_across(w) * 4, tile % tiles_across(w) * 4};
}

/* The size x size pixels from (y, x) on: those of the image, or where it ends among them a copy
   in `room` with zeros outside. *step: vectors from a row to the next. */
FM_INLINE const fm_loose *tile_at(const fm_winograd *w, const fm_loose *image, int64_t y,
                                  int64_t x, const int size, fm_loose *room, int64_t *step) {
  *step = fm_wide_row(w->width);
  if (y >= 0 && x >= 0 && y + size <= w->height && x + size <= w->width)
    return image + y * *step + x;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      const int64_t r = y + i, c = x + j;

      room[i * size + j] = (fm_vector){0};
      if (r >= 0 && c >= 0 && r < w->height && c < w->width)
        room[i * size + j] = image[r * *step + c];
    }
  *step = size;
  return room;
}

/* A chunk's tiles of 6x6 pixels to their points. */
static void transform_inputs(const fm_winograd *w, int64_t first, int64_t count,
                             const fm_real *image, fm_real *v) {
  const int64_t plane = w->height * fm_wide_row(w->width) * LANES, n = stride(w) / LANES;

  for (int64_t c = 0; c < w->hidden; c += LANES)
    for (int64_t t = 0; t < count; t++) {
      const corner at = corner_of(w, first + t);
      const fm_loose *block = (const fm_loose *)(image + c / LANES * plane);
      fm_loose room[36], half[36], *to = (fm_loose *)(v + t * w->hidden + c);
      int64_t step;
      const fm_loose *d = tile_at(w, block, at.y - 1, at.x - 1, 6, room, &step);

      for (int j = 0; j < 6; j++) points_of_pixels(d + j, step, half + j, 6);
      for (int i = 0; i < 6; i++) points_of_pixels(half + 6 * i, 1, to + 6 * i * n, n);
    }
}

/* A chunk's tiles of 4x4 output cotangents to their points. */
static void transform_outputs_bar(const fm_winograd *w, int64_t first, int64_t count,
                                  const fm_real *image, fm_real *m) {
  const int64_t plane = w->height * fm_wide_row(w->width) * LANES, n = stride(w) / LANES;

  for (int64_t c = 0; c < w->hidden; c += LANES)
    for (int64_t t = 0; t < count; t++) {
      const corner at = corner_of(w, first + t);
      const fm_loose *block = (const fm_loose *)(image + c / LANES * plane);
      fm_loose room[16], half[24], *to = (fm_loose *)(m + t * w->hidden + c);
      int64_t step;
      const fm_loose *d = tile_at(w, block, at.y, at.x, 4, room, &step);

      for (int j = 0; j < 4; j++) points_of_outputs(d + j, step, half + j, 4);
      for (int i = 0; i < 6; i++) points_of_outputs(half + 4 * i, 1, to + 6 * i * n, n);
    }
}

/* Points of one tile and block of channels to its 4x4 pixels. */
FM_INLINE void pixels_of_tile(const fm_winograd *w, const fm_real *m, fm_loose *y) {
  const int64_t n = stride(w) / LANES;
  fm_loose half[24];

  for (int j = 0; j < 6; j++) pixels_of_points((const fm_loose *)m + j * n, 6 * n, half + j, 6);
  for (int i = 0; i < 4; i++) pixels_of_points(half + 6 * i, 1, y + 4 * i, 1);
}

/* ---- products ---- */

/* A chunk's points of `image` times u, into m. */
static void multiply_chunk(const fm_winograd *w, int64_t first, int64_t count,
                           const fm_real *image, const fm_real *u, fm_real *v, fm_real *m) {
  const int64_t h = w->hidden, n = stride(w);

  transform_inputs(w, first, count, image, v);
  for (int k = 0; k < POINTS; k++) {
    memset(m + k * n, 0, (size_t)(count * h) * sizeof(fm_real));
    fm_multiply_add(count, h, h, v + k * n, h, 1, u + k * area(w), m + k * n);
  }
}

static int64_t chunk(const fm_winograd *w, int64_t first) {
  const int64_t left = tiles(w) - first;

  return left < CHUNK ? left : CHUNK;
}

/* One tile of a block of channels: relu(h1 + its pixels + bias), inside the image. */
FM_INLINE void finish_apply(const fm_winograd *w, corner at, const fm_real *m,
                            const fm_real *bias, const fm_real *h1, fm_real *h2) {
  const fm_vector b = *(const fm_loose *)bias;
  fm_loose y[16];

  pixels_of_tile(w, m, y);
  for (int i = 0; i < 4 && at.y + i < w->height; i++)
    for (int j = 0; j < 4 && at.x + j < w->width; j++) {
      const int64_t p = ((at.y + i) * fm_wide_row(w->width) + at.x + j) * LANES;

      const fm_vector sum = y[4 * i + j] + *(const fm_loose *)(h1 + p) + b;

      *(fm_loose *)(h2 + p) = fm_where_positive(sum, sum);
    }
}

void fm_winograd_apply(const fm_winograd *w, const fm_real *u, const fm_real *b2,
                       const fm_real *h1, fm_real *h2, fm_real *work) {
  const int64_t plane = w->height * fm_wide_row(w->width);
  fm_real *v = work, *m = work + POINTS * stride(w);

  for (int64_t first = 0; first < tiles(w); first += CHUNK) {
    const int64_t count = chunk(w, first);

    multiply_chunk(w, first, count, h1, u, v, m);
    for (int64_t c = 0; c < w->hidden; c += LANES)
      for (int64_t t = 0; t < count; t++)
        finish_apply(w, corner_of(w, first + t), m + t * w->hidden + c, b2 + c, h1 + c * plane,
                     h2 + c * plane);
  }
}

/* One tile of a block of channels: its pixels + h2_bar where h1 > 0. */
FM_INLINE void finish_vjp(const fm_winograd *w, corner at, const fm_real *m, const fm_real *h1,
                          const fm_real *h2_bar, fm_real *h1_bar) {
  fm_loose y[16];

  pixels_of_tile(w, m, y);
  for (int i = 0; i < 4 && at.y + i < w->height; i++)
    for (int j = 0; j < 4 && at.x + j < w->width; j++) {
      const int64_t p = ((at.y + i) * fm_wide_row(w->width) + at.x + j) * LANES;
      const fm_vector sum = y[4 * i + j] + *(const fm_loose *)(h2_bar + p);

      *(fm_loose *)(h1_bar + p) = fm_where_positive(*(const fm_loose *)(h1 + p), sum);
    }
}

void fm_winograd_vjp(const fm_winograd *w, const fm_real *u, const fm_real *h1,
                     const fm_real *h2_bar, fm_real *h1_bar, fm_real *work) {
  const int64_t plane = w->height * fm_wide_row(w->width);
  fm_real *v = work, *m = work + POINTS * stride(w);

  for (int64_t first = 0; first < tiles(w); first += CHUNK) {
    const int64_t count = chunk(w, first);

    multiply_chunk(w, first, count, h2_bar, u, v, m);
    for (int64_t c = 0; c < w->hidden; c += LANES)
      for (int64_t t = 0; t < count; t++)
        finish_vjp(w, corner_of(w, first + t), m + t * w->hidden + c, h1 + c * plane,
                   h2_bar + c * plane, h1_bar + c * plane);
  }
}

void fm_winograd_gradient(const fm_winograd *w, const fm_real *h1, const fm_real *h2_bar,
                          fm_real *u_bar, fm_real *work) {
  const int64_t h = w->hidden, n = stride(w);
  fm_real *v = work, *m = work + POINTS * n;

  for (int64_t first = 0; first < tiles(w); first += CHUNK) {
    const int64_t count = chunk(w, first);

    transform_inputs(w, first, count, h1, v);
    transform_outputs_bar(w, first, count, h2_bar, m);
    for (int k = 0; k < POINTS; k++) {
      fm_real *sum = u_bar + k * area(w);

      if (!first) memset(sum, 0, (size_t)(h * h) * sizeof(fm_real));
      fm_multiply_add(h, h, count, v + k * n, 1, h, m + k * n, sum);
    }
  }
}
