/* Copies into and out of blocks of 16 channels: 16 x 16 numbers at a time are turned in
   registers. Float library alone. */
#ifdef FM_SINGLE
#include "flow/convnet_blocked.h"
#include "flow/convnet_turn.h"

enum { BLOCK = FM_BLOCK, PAIRS = FM_PAIRS };

typedef float floats __attribute__((vector_size(64)));

static int64_t blocks_of(int64_t channels) { return (channels + BLOCK - 1) / BLOCK; }

/* The first `count` of 16 numbers, at most all and at least none of them; zeros beyond. */
FM_INLINE fm_words load(const uint32_t *p, int64_t count) {
  fm_words v = {0};

  if (count >= BLOCK) return *(const fm_loose_words *)p;
  for (int64_t i = 0; i < count; i++) v[i] = p[i];
  return v;
}

FM_INLINE void store(uint32_t *p, int64_t count, fm_words v) {
  if (count >= BLOCK)
    *(fm_loose_words *)p = v;
  else
    for (int64_t i = 0; i < count; i++) p[i] = v[i];
}

/* bfloat16 of floats, in the lower halves. */
FM_INLINE fm_words rounded(fm_words bits) {
  const floats f = (floats)bits;
  const fm_words number = (fm_words)(f == f);
  const fm_words nearest = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;

  return ((nearest & number) | (quiet & ~number)) >> 16;
}

/* ---- images ---- */

/* 16 pixels of the channels from `first` on; `left`: how many pixels there are from p on. */
FM_INLINE void block_pixels(int64_t channels, int64_t pixels, int64_t left,
                            const uint32_t *plane, uint32_t *to) {
  fm_words v[BLOCK];

#pragma GCC unroll 8
  for (int k = 0; k < PAIRS; k++) {
    const int64_t even = 2 * k < channels ? left : 0, odd = 2 * k + 1 < channels ? left : 0;

    v[k] = rounded(load(plane + 2 * k * pixels, even)) |
           rounded(load(plane + (2 * k + 1) * pixels, odd)) << 16;
  }
  fm_turn(PAIRS, v);
#pragma GCC unroll 8
  for (int k = 0; k < PAIRS; k++) store(to + k * BLOCK, (left - 2 * k) * PAIRS, v[k]);
}

void fm_blocked_image(const int64_t n[4], const void *from, void *to) {
  const int64_t channels = n[1], pixels = n[2] * n[3], size = blocks_of(channels) * BLOCK;

  for (int64_t i = 0; i < n[0]; i++)
    for (int64_t c = 0; c < channels; c += BLOCK)
      for (int64_t p = 0; p < pixels; p += BLOCK)
        block_pixels(channels - c, pixels, pixels - p,
                     (const uint32_t *)from + (i * channels + c) * pixels + p,
                     (uint32_t *)to + ((i * size + c) * pixels + p * BLOCK) / 2);
}

FM_INLINE void plain_pixels(int64_t channels, int64_t pixels, int64_t left,
                            const uint32_t *from, uint32_t *plane) {
  fm_words v[BLOCK];

#pragma GCC unroll 16
  for (int k = 0; k < BLOCK; k++) v[k] = load(from + k * BLOCK, k < left ? BLOCK : 0);
  fm_turn(BLOCK, v);
#pragma GCC unroll 16
  for (int k = 0; k < BLOCK; k++)
    if (k < channels) store(plane + k * pixels, left, v[k]);
}

void fm_blocked_image_plain(const int64_t n[4], const void *from, void *to) {
  const int64_t channels = n[1], pixels = n[2] * n[3], size = blocks_of(channels) * BLOCK;

  for (int64_t i = 0; i < n[0]; i++)
    for (int64_t c = 0; c < channels; c += BLOCK)
      for (int64_t p = 0; p < pixels; p += BLOCK)
        plain_pixels(channels - c, pixels, pixels - p,
                     (const uint32_t *)from + (i * size + c) * pixels + p * BLOCK,
                     (uint32_t *)to + (i * channels + c) * pixels + p);
}

/* ---- weights ---- */

/* A block of weights: its corner among all and how much of it there is. */
typedef struct patch {
  int64_t taps, row;   /* row: numbers from a `to` to the next */
  int64_t to, columns; /* of 16 and of 16 taps */
  int64_t next;        /* to the patch after this one */
} patch;

/* The patch after this one is on its way from memory meanwhile: its rows lie far apart, which
   no CPU guesses. */
FM_INLINE void fetch(const patch *p, const void *w, int k, int64_t q) {
  __builtin_prefetch((const float *)w + p->next + k * p->row + q);
}

static patch patch_of(const int64_t n[4], int64_t to, int64_t from) {
  const int64_t taps = n[2] * n[3], row = n[1] * taps;
  const int64_t columns = row - from * taps;

  const int64_t across = from + BLOCK < n[1];

  return (patch){taps, row, n[0] - to, columns < BLOCK * taps ? columns : BLOCK * taps,
                 across ? BLOCK * taps : BLOCK * row - from * taps};
}

/* Forward: of a tap 8 vectors of pairs of `from`, each [16 to][2 from]. */
static void pack(const patch *p, const uint32_t *w, fm_words packed[FM_BLOCKED_TAPS * PAIRS]) {
  fm_words all[FM_BLOCKED_TAPS * BLOCK];

  for (int64_t q = 0; q < p->taps * BLOCK; q += BLOCK) {
    fm_words v[BLOCK];

#pragma GCC unroll 16
    for (int k = 0; k < BLOCK; k++) {
      v[k] = rounded(load(w + k * p->row + q, k < p->to ? p->columns - q : 0));
      fetch(p, w, k, q);
    }
    fm_turn(BLOCK, v);
#pragma GCC unroll 16
    for (int k = 0; k < BLOCK; k++) all[q + k] = v[k];
  }
  for (int64_t tap = 0; tap < p->taps; tap++)
    for (int64_t k = 0; k < PAIRS; k++)
      packed[tap * PAIRS + k] = all[2 * k * p->taps + tap] | all[(2 * k + 1) * p->taps + tap]
                                                                 << 16;
}

/* Of each tap, [8 from][16 to][2 from] to [8 to][16 from][2 to]. */
static void exchange_taps(int64_t taps, fm_words packed[FM_BLOCKED_TAPS * PAIRS]) {
  for (int64_t tap = 0; tap < taps; tap++) {
    fm_words v[BLOCK];

#pragma GCC unroll 8
    for (int k = 0; k < PAIRS; k++) v[k] = packed[tap * PAIRS + k];
    fm_turn(PAIRS, v);
#pragma GCC unroll 8
    for (int k = 0; k < PAIRS; k++) packed[tap * PAIRS + k] = fm_paired(v[k]);
  }
}

FM_INLINE void block_weights(const int64_t n[4], const int backward, const int turned,
                             const uint32_t *w, uint32_t *packed) {
  const int64_t blocks_to = blocks_of(n[0]), blocks_from = blocks_of(n[1]);
  fm_words v[FM_BLOCKED_TAPS * PAIRS];

  for (int64_t a = 0; a < blocks_to; a++)
    for (int64_t b = 0; b < blocks_from; b++) {
      const patch p = patch_of(n, a * BLOCK, b * BLOCK);
      const int64_t block = turned ? b * blocks_to + a : a * blocks_from + b;
      fm_loose_words *out = (fm_loose_words *)packed + block * p.taps * PAIRS;

      pack(&p, w + a * BLOCK * p.row + b * BLOCK * p.taps, v);
      if (backward) exchange_taps(p.taps, v);
      for (int64_t k = 0; k < p.taps * PAIRS; k++) out[k] = v[k];
    }
}

void fm_blocked_forward(const int64_t n[4], const void *from, void *to) {
  block_weights(n, 0, 0, from, to);
}

void fm_blocked_backward(const int64_t n[4], const void *from, void *to) {
  block_weights(n, 1, 0, from, to);
}

void fm_blocked_backward_turned(const int64_t n[4], const void *from, void *to) {
  block_weights(n, 1, 1, from, to);
}

/* ---- gradient ---- */

FM_INLINE void add(float *sum, int64_t count, fm_words v) {
  typedef float loose_floats __attribute__((vector_size(64), aligned(4), may_alias));
  const floats f = (floats)v;

  if (count >= BLOCK)
    *(loose_floats *)sum += f;
  else
    for (int64_t i = 0; i < count; i++) sum[i] += f[i];
}

static void add_patch(const patch *p, const uint32_t *block, float *w_bar) {
  for (int64_t q = 0; q < p->columns; q += BLOCK) {
    fm_words v[BLOCK];

    for (int64_t k = 0; k < BLOCK; k++) {
      const int64_t from = (q + k) / p->taps, tap = (q + k) % p->taps;

      v[k] = *(const fm_loose_words *)(block + (tap * BLOCK + from) * BLOCK);
    }
    fm_turn(BLOCK, v);
#pragma GCC unroll 16
    for (int k = 0; k < BLOCK; k++) {
      if (k < p->to) add(w_bar + k * p->row + q, p->columns - q, v[k]);
      fetch(p, w_bar, k, q);
    }
  }
}

void fm_blocked_gradient_add(const int64_t n[4], const void *from, void *to) {
  const int64_t blocks_from = blocks_of(n[1]);

  for (int64_t a = 0; a < blocks_of(n[0]); a++)
    for (int64_t b = 0; b < blocks_from; b++) {
      const patch p = patch_of(n, a * BLOCK, b * BLOCK);
      const uint32_t *block =
          (const uint32_t *)from + (a * blocks_from + b) * p.taps * BLOCK * BLOCK;

      add_patch(&p, block, (float *)to + a * BLOCK * p.row + b * BLOCK * p.taps);
    }
}
#endif
