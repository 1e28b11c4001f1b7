/* The gradient to 3x3 weights in bf16: a register tile holds the sums of 64 channels of h2_bar
   with two of h1 at the three taps of a row. Float library alone. */
#ifdef FM_SINGLE
#include "flow/convnet_gradient.h"
#include "flow/convnet_turn.h"
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define INLINE_BF16 static inline __attribute__((always_inline)) BF16

enum { BLOCK = FM_BLOCK, PAIRS = FM_PAIRS, BLOCKS = 4 };
enum { CHUNK = 16 << 10 }; /* bytes of h2_bar's pairs that all tiles pass over in turn */

enum { BAND = 512 << 10 }; /* bytes of work: it stays in the cache */

/* In work, of a band of rows: pairs [rows][pairs across][hidden][2] of h2_bar, with zeros after
   an odd width, and [channels, made even][rows + 2][row] of h1 with zeros outside the image. */
typedef struct plan {
  int64_t blocks, pairs, row, plane;
  int64_t rows; /* of a band, at most */
  uint32_t *pair;
  uint16_t *image;
} plan;

/* Where the sums of a channel of h1, a tap and a block of h2_bar's channels go: numbers from a
   block of either's channels, from a channel of h1 and from a tap to the next. */
typedef struct sums {
  float *at;
  int64_t block, from_block, from, tap;
} sums;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t channels_of(const fm_gradient *g) { return (g->channels + 1) / 2 * 2; }

static plan plan_of(const fm_gradient *g, void *work) {
  const int64_t pairs = (g->width + 1) / 2, row = 2 * pairs + 2;
  const int64_t fitting = BAND / (g->hidden * pairs * 4 + channels_of(g) * row * 2);
  const int64_t rows = least(fitting > 1 ? fitting : 1, g->height);
  uint32_t *pair = work;

  return (plan){g->hidden / BLOCK,
                pairs,
                row,
                (rows + 2) * row,
                rows,
                pair,
                (uint16_t *)(pair + rows * pairs * g->hidden)};
}

int fm_gradient_can(void) { return 1; }

size_t fm_gradient_work(const fm_gradient *g) {
  const plan p = plan_of(g, NULL);

  return (size_t)(g->hidden * p.rows * p.pairs * 4 + channels_of(g) * p.plane * 2);
}

/* Two pixels of a block, channel by channel in pairs; zeros for those that there are not. */
INLINE_BF16 fm_words two_pixels(const uint16_t *block, int64_t left) {
  fm_words v = {0};

  if (left >= 2)
    v = *(const fm_loose_words *)block;
  else if (left == 1)
    memcpy(&v, block, BLOCK * sizeof(*block));
  return fm_paired(v);
}

/* Rows y to y + rows. */
BF16 static void pair_pixels(const fm_gradient *g, const plan *p, int64_t y, int64_t rows,
                             const uint16_t *h2_bar, float *b_bar) {
  const __m512bh one = (__m512bh)_mm512_set1_epi32(0x3f803f80);

  for (int64_t b = 0; b < p->blocks; b++) {
    __m512 sum = y ? _mm512_loadu_ps(b_bar + b * BLOCK) : _mm512_setzero_ps();

    for (int64_t r = 0; r < rows; r++)
      for (int64_t x = 0; x < p->pairs; x++) {
        const int64_t pixel = (b * g->height + y + r) * g->width + 2 * x;
        const fm_words v = two_pixels(h2_bar + pixel * BLOCK, g->width - 2 * x);

        sum = _mm512_dpbf16_ps(sum, (__m512bh)v, one);
        *(fm_loose_words *)(p->pair + ((r * p->pairs + x) * p->blocks + b) * BLOCK) = v;
      }
    _mm512_storeu_ps(b_bar + b * BLOCK, sum);
  }
}

/* 16 pixels of a row, of a block, into its 16 planes. */
INLINE_BF16 void turn_pixels(const plan *p, const uint16_t *block, int64_t left, uint16_t *to) {
  const size_t size = (size_t)(left < BLOCK ? left : BLOCK) * sizeof(*to);
  fm_words v[BLOCK];

#pragma GCC unroll 8
  for (int k = 0; k < PAIRS; k++) v[k] = two_pixels(block + 2 * k * BLOCK, left - 2 * k);
  fm_turn(PAIRS, v);
  for (int k = 0; k < BLOCK; k++) {
    const uint16_t *from = (const uint16_t *)&v[k / 2] + k % 2 * BLOCK;

    if (left >= BLOCK)
      memcpy(to + k * p->plane, from, BLOCK * sizeof(*to));
    else
      memcpy(to + k * p->plane, from, size);
  }
}

/* Rows y - 1 to y + rows. */
BF16 static void turn_image(const fm_gradient *g, const plan *p, int64_t y, int64_t rows,
                            const uint16_t *h1) {
  const int64_t first = y ? -1 : 0, end = y + rows < g->height ? rows + 1 : rows;

  memset(p->image, 0, (size_t)(channels_of(g) * p->plane) * sizeof(*p->image));
  for (int64_t b = 0; b < p->blocks; b++)
    for (int64_t r = first; r < end; r++)
      for (int64_t x = 0; x < g->width; x += BLOCK)
        turn_pixels(p, h1 + ((b * g->height + y + r) * g->width + x) * BLOCK, g->width - x,
                    p->image + b * BLOCK * p->plane + (r + 1) * p->row + x + 1);
}

/* The same from plain floats. */
BF16 static void round_image(const fm_gradient *g, const plan *p, int64_t y, int64_t rows,
                             const float *plain) {
  const int64_t first = y ? -1 : 0, end = y + rows < g->height ? rows + 1 : rows;

  memset(p->image, 0, (size_t)(channels_of(g) * p->plane) * sizeof(*p->image));
  for (int64_t c = 0; c < g->channels; c++)
    for (int64_t r = first; r < end; r++) {
      const float *restrict from = plain + (c * g->height + y + r) * g->width;
      uint16_t *restrict to = p->image + c * p->plane + (r + 1) * p->row + 1;

      for (int64_t x = 0; x < g->width; x++) to[x] = fm_bf16(from[x]);
    }
}

INLINE_BF16 __m512bh twice(const uint16_t *p) {
  float both; /* its bits alone: so the compiler loads to all lanes at once */

  memcpy(&both, p, sizeof(both));
  return (__m512bh)_mm512_set1_ps(both);
}

/* `rows` rows' sums of `blocks` blocks of h2_bar's channels with two channels of h1, image, at
   three taps. */
INLINE_BF16 void tile(const plan *p, const int blocks, int64_t rows, int fresh,
                      const uint16_t *image, const uint32_t *pair, const sums *to, float *at) {
  __m512 sum[2][3][BLOCKS];

#pragma GCC unroll 24
  for (int k = 0; k < 6 * blocks; k++)
    sum[k / blocks / 3][k / blocks % 3][k % blocks] =
        fresh ? _mm512_setzero_ps()
              : _mm512_loadu_ps(at + k % blocks * to->block + k / blocks / 3 * to->from +
                                k / blocks % 3 * to->tap);
  for (int64_t y = 0; y < rows; y++, image += p->row)
    for (int64_t x = 0; x < p->pairs; x++, pair += p->blocks * BLOCK) {
      __m512bh v[BLOCKS];

#pragma GCC unroll 4
      for (int b = 0; b < blocks; b++) v[b] = (__m512bh)_mm512_loadu_si512(pair + b * BLOCK);
#pragma GCC unroll 6
      for (int k = 0; k < 6; k++) {
        const __m512bh near = twice(image + k / 3 * p->plane + 2 * x + k % 3);

#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
          sum[k / 3][k % 3][b] = _mm512_dpbf16_ps(sum[k / 3][k % 3][b], v[b], near);
      }
    }
#pragma GCC unroll 24
  for (int k = 0; k < 6 * blocks; k++)
    _mm512_storeu_ps(at + k % blocks * to->block + k / blocks / 3 * to->from +
                         k / blocks % 3 * to->tap,
                     sum[k / blocks / 3][k / blocks % 3][k % blocks]);
}

/* `rows` rows from a band's row r on, of all tiles of `blocks` blocks from block b on. */
INLINE_BF16 void tiles(const fm_gradient *g, const plan *p, const int blocks, int64_t b,
                       int64_t r, int64_t rows, int fresh, const sums *to) {
  const uint32_t *pair = p->pair + (r * p->pairs * p->blocks + b) * BLOCK;

  for (int64_t c = 0; c < g->channels; c += 2)
    for (int64_t i = 0; i < 3; i++)
      tile(p, blocks, rows, fresh, p->image + c * p->plane + (r + i) * p->row, pair, to,
           to->at + b * to->block + c / BLOCK * to->from_block + c % BLOCK * to->from +
               3 * i * to->tap);
}

BF16 static void band(const fm_gradient *g, const plan *p, int64_t count, int fresh,
                      const sums *to) {
  const int64_t fitting = CHUNK / (p->pairs * least(p->blocks, BLOCKS) * 64);
  const int64_t most = fitting > 1 ? fitting : 1;

  for (int64_t r = 0; r < count; r += most) {
    const int64_t rows = least(most, count - r);
    const int none = fresh && r == 0;
    int64_t b = 0;

    for (; b + 4 <= p->blocks; b += 4) tiles(g, p, 4, b, r, rows, none, to);
    for (; b + 2 <= p->blocks; b += 2) tiles(g, p, 2, b, r, rows, none, to);
    for (; b < p->blocks; b++) tiles(g, p, 1, b, r, rows, none, to);
  }
}

/* Of h1 one is NULL. */
static void all_bands(const fm_gradient *g, const uint16_t *h1, const float *plain,
                      const uint16_t *h2_bar, float *b_bar, const sums *to, void *work) {
  const plan p = plan_of(g, work);

  for (int64_t y = 0; y < g->height; y += p.rows) {
    const int64_t rows = least(p.rows, g->height - y);

    pair_pixels(g, &p, y, rows, h2_bar, b_bar);
    if (h1)
      turn_image(g, &p, y, rows, h1);
    else
      round_image(g, &p, y, rows, plain);
    band(g, &p, rows, y == 0, to);
  }
}

void fm_gradient_wide(const fm_gradient *g, const uint16_t *h1, const uint16_t *h2_bar,
                      float *w_bar, float *b_bar, void *work) {
  const int64_t patch = 9 * BLOCK * BLOCK;
  const sums to = {w_bar, g->channels / BLOCK * patch, patch, BLOCK, BLOCK * BLOCK};

  all_bands(g, h1, NULL, h2_bar, b_bar, &to, work);
}

void fm_gradient_narrow(const fm_gradient *g, const float *image, const uint16_t *h2_bar,
                        float *w_bar, float *b_bar, void *work) {
  const int64_t n = g->hidden;
  const sums to = {w_bar, BLOCK, BLOCK * 9 * n, 9 * n, n};

  all_bands(g, NULL, image, h2_bar, b_bar, &to, work);
}
#else
int fm_gradient_can(void) { return 0; }
size_t fm_gradient_work(const fm_gradient *g) { return 0; }
void fm_gradient_wide(const fm_gradient *g, const uint16_t *h1, const uint16_t *h2_bar,
                      float *w_bar, float *b_bar, void *work) {}
void fm_gradient_narrow(const fm_gradient *g, const float *image, const uint16_t *h2_bar,
                        float *w_bar, float *b_bar, void *work) {}
#endif
#endif
