/* Vectors of channels, for the kernels of images in blocks: [channels / lanes][height]
   [fm_wide_row of the width][lanes]. */
#ifndef FATHOM_FLOW_CONVNET_VECTOR_H
#define FATHOM_FLOW_CONVNET_VECTOR_H

#include "fathom/real.h"

#ifdef __AVX512F__
#define FM_VECTOR_BYTES 64
#else
#define FM_VECTOR_BYTES 32
#endif
enum { FM_LANES = FM_VECTOR_BYTES / (int)sizeof(fm_real) };

typedef fm_real fm_vector __attribute__((vector_size(FM_VECTOR_BYTES)));
/* The same wherever it lies. */
typedef fm_real fm_loose
    __attribute__((vector_size(FM_VECTOR_BYTES), aligned(sizeof(fm_real)), may_alias));
typedef __typeof__((fm_vector){0} > (fm_vector){0}) fm_vector_bits;

#pragma GCC diagnostic ignored "-Wpsabi" /* no vector passes a call: all is inlined */
#define FM_INLINE static inline __attribute__((always_inline))

/* Pixels from a row to the next: an odd number of cache lines, so that neighbouring rows do not
   share their places in the cache. What lies between width and that is not used. */
static inline int64_t fm_wide_row(int64_t width) { return width | 1; }

/* v where gate > 0, else 0. */
FM_INLINE fm_vector fm_where_positive(fm_vector gate, fm_vector v) {
  return (fm_vector)((fm_vector_bits)v & (fm_vector_bits)(gate > 0));
}

#endif
