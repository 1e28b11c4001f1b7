/* The gradient of a 3x3 convolution to its weights, in bf16 on CPUs with AVX-512 BF16: sums in
   float of products of bf16 numbers.

     w_bar(o, c, i, j) = sum_p h2_bar(o, p) h1(c, p + (i - 1, j - 1))
     b_bar(o) = sum_p h2_bar(o, p)

   h2_bar is of many channels, in blocks as convnet_blocked.h says. Pixels are summed in pairs
   (the instruction's own products), rows from the first to the last. w_bar and b_bar are
   overwritten. */
#ifndef FATHOM_FLOW_CONVNET_GRADIENT_H
#define FATHOM_FLOW_CONVNET_GRADIENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct fm_gradient {
  int64_t channels, hidden; /* of h1 and of h2_bar; hidden: a multiple of 16 */
  int64_t height, width;
} fm_gradient;

/* Nonzero: the compiler knows the instructions. Whether the CPU does is the caller's to ask. */
int fm_gradient_can(void);

/* Bytes of scratch, which begins at a multiple of 64. */
size_t fm_gradient_work(const fm_gradient *g);

/* fm_gradient_wide - h1 of a multiple of 16 channels, in blocks; w_bar in blocks. */
void fm_gradient_wide(const fm_gradient *g, const uint16_t *h1, const uint16_t *h2_bar,
                      float *w_bar, float *b_bar, void *work);

/* fm_gradient_narrow - h1 in plain floats [channels][height][width], which are rounded; w_bar
   [channels][3][3][hidden], with room for one channel more where they are odd. */
void fm_gradient_narrow(const fm_gradient *g, const float *image, const uint16_t *h2_bar,
                        float *w_bar, float *b_bar, void *work);

#endif
