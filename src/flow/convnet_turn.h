/* Numbers in bfloat16 (the upper half of a float), and turning small matrices of 32-bit words
   that lie in vectors of 16. */
#ifndef FATHOM_FLOW_CONVNET_TURN_H
#define FATHOM_FLOW_CONVNET_TURN_H

#include "flow/convnet_vector.h"
#include <string.h>

/* ---- bfloat16 ---- */

static inline float fm_float_of(uint16_t v) {
  const uint32_t bits = (uint32_t)v << 16;
  float f;

  memcpy(&f, &bits, sizeof(f));
  return f;
}

/* To the nearest, ties to even; not a number stays so. */
static inline uint16_t fm_bf16(float f) {
  uint32_t bits;

  memcpy(&bits, &f, sizeof(f));
  return (uint16_t)((f == f ? bits + 0x7fff + (bits >> 16 & 1) : bits | 0x400000) >> 16);
}

/* ---- matrices ---- */

enum { FM_BLOCK = 16, FM_PAIRS = FM_BLOCK / 2 };

typedef uint32_t fm_words __attribute__((vector_size(64)));
typedef uint32_t fm_loose_words __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t fm_halves __attribute__((vector_size(64)));

/* The lower (upper) halves of a and b, number by number in turn. */
FM_INLINE fm_words fm_lower(fm_words a, fm_words b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
FM_INLINE fm_words fm_upper(fm_words a, fm_words b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}

/* `rows` rows of 16 become 16 of `rows`, in as many vectors as before: row and column make up
   an index in bits, and a pass takes the row's highest bit to the column's lowest place. */
FM_INLINE void fm_turn(const int rows, fm_words v[FM_BLOCK]) {
#pragma GCC unroll 4
  for (int bit = 1; bit < rows; bit *= 2) {
    fm_words t[FM_BLOCK];

#pragma GCC unroll 8
    for (int k = 0; k < rows / 2; k++) {
      t[2 * k] = fm_lower(v[k], v[k + rows / 2]);
      t[2 * k + 1] = fm_upper(v[k], v[k + rows / 2]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < rows; k++) v[k] = t[k];
  }
}

/* Two rows of 16 half words become 16 pairs. */
FM_INLINE fm_words fm_paired(fm_words two) {
  const fm_halves h = (fm_halves)two;

  return (fm_words)__builtin_shufflevector(h, h, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                           22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                           29, 14, 30, 15, 31);
}

#endif
