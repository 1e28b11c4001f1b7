/* The 3x3 convolution hidden -> hidden by Winograd's F(4x4, 3x3): tiles of 6x6 pixels to 4x4,
   with 36 products of hidden x hidden matrices for 16 pixels instead of 144. Its error is a few
   times that of the direct sum, about 1e-6 of the norm in float.

   Images lie in blocks of channels as convnet_vector.h says.
   Source: Lavin and Gray (2016), "Fast algorithms for convolutional neural networks". */
#ifndef FATHOM_FLOW_CONVNET_WINOGRAD_H
#define FATHOM_FLOW_CONVNET_WINOGRAD_H

#include "flow/convnet_vector.h"

typedef struct fm_winograd {
  int64_t hidden; /* a multiple of FM_LANES */
  int64_t height, width;
} fm_winograd;

/* Numbers of transformed weights (or of their gradient), and of scratch. */
int64_t fm_winograd_weights(const fm_winograd *w);
int64_t fm_winograd_work(const fm_winograd *w);

/* fm_winograd_transform - of w2 [hidden out][hidden in][3][3]. adjoint: for the transposed
   convolution. */
void fm_winograd_transform(const fm_winograd *w, int adjoint, const fm_real *w2, fm_real *u);

/* fm_winograd_apply - h2 = relu(h1 + W2 * h1 + b2). */
void fm_winograd_apply(const fm_winograd *w, const fm_real *u, const fm_real *b2,
                       const fm_real *h1, fm_real *h2, fm_real *work);

/* fm_winograd_vjp - h1_bar = h2_bar + W2^T * h2_bar where h1 > 0, else 0; u of the adjoint. */
void fm_winograd_vjp(const fm_winograd *w, const fm_real *u, const fm_real *h1,
                     const fm_real *h2_bar, fm_real *h1_bar, fm_real *work);

/* fm_winograd_gradient - u_bar = an image's gradient to the transformed weights. */
void fm_winograd_gradient(const fm_winograd *w, const fm_real *h1, const fm_real *h2_bar,
                          fm_real *u_bar, fm_real *work);

/* fm_winograd_transform_vjp - w2_bar += the transform's adjoint of u_bar. */
void fm_winograd_transform_vjp(const fm_winograd *w, const fm_real *u_bar, fm_real *w2_bar);

#endif
