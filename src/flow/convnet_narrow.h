/* 3x3 convolutions between an image of few channels ("narrow", plain [channels][height][width])
   and one of many ("wide", in blocks, convnet_vector.h). A 3x3 convolution of a library pads
   the few channels to a vector; here the vectors run along the many.

   Weights are [channels][3][3][hidden]. With sign 1 tap (i, j) of them joins the wide pixel
   (y, x) and the narrow one (y + i - 1, x + j - 1), with sign -1 (y - i + 1, x - j + 1). */
#ifndef FATHOM_FLOW_CONVNET_NARROW_H
#define FATHOM_FLOW_CONVNET_NARROW_H

#include "flow/convnet_vector.h"

typedef struct fm_narrow {
  int64_t channels, hidden; /* hidden: a multiple of FM_LANES */
  int64_t height, width;
} fm_narrow;

/* Numbers of a narrow image with a pixel of zeros around; and its filling. */
int64_t fm_narrow_padded(const fm_narrow *n);
void fm_narrow_pad(const fm_narrow *n, const fm_real *image, fm_real *padded);

/* fm_narrow_spread - wide = W applied to the narrow image; then
     gate NULL   relu(bias + wide)
     else        wide where gate > 0, else 0 (bias is not read)
   weights in, padded in, wide out. */
void fm_narrow_spread(const fm_narrow *n, int sign, const fm_real *weights,
                      const fm_real *padded, const fm_real *bias, const fm_real *gate,
                      fm_real *wide);

/* fm_narrow_collect - image += the adjoint of that, without bias and gate. */
void fm_narrow_collect(const fm_narrow *n, int sign, const fm_real *weights,
                       const fm_real *wide, fm_real *image);

/* fm_narrow_gradient - weights_bar = sums of the products of the pixels that a weight joins. */
void fm_narrow_gradient(const fm_narrow *n, int sign, const fm_real *padded,
                        const fm_real *wide, fm_real *weights_bar);

/* fm_wide_sum_add - sum[hidden] += the pixels of a wide image. */
void fm_wide_sum_add(const fm_narrow *n, const fm_real *wide, fm_real *sum);

#endif
