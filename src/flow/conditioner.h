/* The small network that gives an affine coupling its scales and shifts: dense on vectors,
   convolutional on images. */
#ifndef FATHOM_FLOW_CONDITIONER_H
#define FATHOM_FLOW_CONDITIONER_H

#include "fathom/layer.h"
#include "flow/convnet.h"

/* On vectors h1 = relu(x W1 + b1), h2 = relu(h1 + h1 W2 + b2), out = h2 W3^T, on rows. In theta
   one after the other, the hidden index last: w1 [nin][hidden], b1, w2 [hidden in][hidden out],
   b2, w3 [nout][hidden]. On images the same with 3x3 kernels: convnet.h. nin may
   be 0 (on images: out is then 0). */
typedef struct fm_conditioner {
  int64_t first;             /* of its numbers in theta */
  int64_t nin, hidden, nout; /* channels; of a vector: numbers */
  int64_t pixels;            /* 1: a vector */
  fm_convnet *image;         /* the flow's; NULL on vectors */
} fm_conditioner;

/* Activations of `rows` rows and what their vjp needs, in the caller's memory. */
typedef struct fm_activations {
  fm_real *out, *out_bar; /* [rows][nout][pixels] */
  fm_real *hidden, *work; /* h1, h2; scratch */
} fm_activations;

/* fm_conditioner_build - name the tensors `prefix`w1 ... w3. Weights start as normal numbers,
   biases 0.

   image       shape of a lane whose channels nin and nout count: convolutions where it has more
               than one pixel
   nin, nout   channels; of a vector: numbers

   Fails on an image of three dimensions. */
PetscErrorCode fm_conditioner_build(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                    const char *prefix, fm_shape image, int64_t nin,
                                    int64_t nout);
double fm_conditioner_flop(const fm_conditioner *net); /* of one row's apply */

/* Numbers of memory for that many rows: what an apply leaves for the vjp, and scratch. */
int64_t fm_conditioner_keep(const fm_conditioner *net, int64_t rows);
int64_t fm_conditioner_work(const fm_conditioner *net, int64_t rows);
fm_activations fm_conditioner_place(const fm_conditioner *net, int64_t rows, fm_real *keep,
                                    fm_real *work);

/* fm_conditioner_apply - fill hidden and out. Cost: 2 hidden (nin + hidden + nout) operations a
   row, nine times as many a pixel. */
void fm_conditioner_apply(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                          const fm_activations *act);

/* fm_conditioner_vjp - from out_bar: in_bar += (p NULL: not wanted), theta_bar += (NULL:
   frozen). */
void fm_conditioner_vjp(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                        const fm_activations *act, fm_rows in_bar, fm_real *theta_bar);

#endif
