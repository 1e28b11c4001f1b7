/* The small convolutional network that gives an affine coupling of images its scales and
   shifts; conditioner.h is the same for vectors.

       h1 = relu(W1 * in + b1)    h2 = relu(h1 + W2 * h1 + b2)    out = W3 * h2

   with 3x3 kernels, stride 1 and zeros around the image: (W * v)[o][y][x] = sum over c, i, j of
   W[o][c][i][j] v[c][y + i - 1][x + j - 1].

   Its numbers lie one after the other, within theta and within theta_bar:

       w1 [hidden][nin][3][3]   b1 [hidden]   w2 [hidden][hidden][3][3]   b2 [hidden]
       w3 [nout][3][3][hidden]

   A net holds none of them, so that one net serves every conditioner of its sizes. apply and
   vjp are kernels: they return void, cannot fail by what a user does and allocate nothing. One
   thread works, whatever OMP_NUM_THREADS says (BLAS: OPENBLAS_NUM_THREADS), and what an image
   becomes does not depend on the images beside it. A net must not be used by two threads at a
   time. */
#ifndef FATHOM_FLOW_CONVNET_H
#define FATHOM_FLOW_CONVNET_H

#include "fathom/layer.h"

enum { FM_CONVNET_TENSORS = 5 };

typedef enum fm_convnet_implementation {
  FM_CONVNET_NATIVE, /* kernels of our own, the quickest; hidden in whole vectors of numbers */
  FM_CONVNET_ONEDNN, /* oneDNN, in layouts of its choice; float library alone, and bf16 */
  FM_CONVNET_IM2COL  /* products of matrices by BLAS */
} fm_convnet_implementation;

/* fm_convnet_lanes - numbers of a vector: NATIVE takes hidden channels in multiples of it. */
int64_t fm_convnet_lanes(void);

typedef struct fm_convnet_spec {
  int64_t nin, hidden, nout; /* channels */
  int64_t height, width;     /* of the image, in pixels */
  fm_convnet_implementation implementation;
  /* what a convolution reads (in, h1, h2, weights, cotangents) is rounded to bfloat16; it sums
     in float, and out, in_bar and theta_bar are float. oneDNN alone. */
  PetscBool bf16;
} fm_convnet_spec;

typedef struct fm_convnet fm_convnet;

/* fm_convnet_create - with all primitives and memory objects that apply and vjp will need.

   Not collective. Fails on sizes below 1 or above 32768, on NATIVE with a hidden that is no
   multiple of fm_convnet_lanes(), on oneDNN in the double library, and on bf16 without oneDNN
   or on a CPU without bfloat16 instructions. */
PetscErrorCode fm_convnet_create(const fm_convnet_spec *spec, fm_convnet **net);
PetscErrorCode fm_convnet_destroy(fm_convnet **net);
const fm_convnet_spec *fm_convnet_get_spec(const fm_convnet *net);

/* A tensor of the net; first: where it begins, from the first number of the net. */
typedef struct fm_convnet_tensor {
  const char *name; /* w1 b1 w2 b2 w3 */
  int ndim;
  int64_t shape[4], first;
} fm_convnet_tensor;

/* fm_convnet_layout - the tensors, in their order; returns the count of all numbers. */
int64_t fm_convnet_layout(const fm_convnet_spec *spec,
                          fm_convnet_tensor tensor[FM_CONVNET_TENSORS]);

/* fm_convnet_flops - of one image's apply, a multiply-add counted as two: 18 height width
   (nin hidden + hidden^2 + hidden nout). vjp to in_bar and theta_bar takes twice as many. */
double fm_convnet_flops(const fm_convnet_spec *spec);

/* Memory that the caller lends, in fm_real; it may begin anywhere. fm_convnet_activations: h1
   and h2 of that many images, as apply leaves them for vjp, which must find them where they
   were. fm_convnet_work: scratch of no defined value before or after. */
int64_t fm_convnet_activations(const fm_convnet *net, int64_t images);
int64_t fm_convnet_work(const fm_convnet *net);

/* fm_convnet_apply - out = net(in) for in.count images.

   theta        in     the net's first number
   in           in     images [nin][height][width], in.stride numbers from one to the next
   out          out    overwritten; images [nout][height][width], out.stride apart
   activations  out    for vjp; fm_convnet_activations(net, in.count) numbers
   work         fm_convnet_work(net) numbers */
void fm_convnet_apply(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                      fm_real *activations, fm_real *work);

/* fm_convnet_vjp - from out_bar: in_bar += (p NULL: not wanted), theta_bar += (NULL: frozen),
   image after image in their order.

   theta, in, activations   as apply had and left them; unchanged
   out_bar      in     [in.count] images of nout channels
   in_bar       added to; [in.count] images of nin channels
   theta_bar    added to; the net's first number in it */
void fm_convnet_vjp(const fm_convnet *net, const fm_real *theta, fm_rows in,
                    const fm_real *activations, fm_rows out_bar, fm_rows in_bar,
                    fm_real *theta_bar, fm_real *work);

/* fm_convnet_check - fails if a library call inside an apply or vjp since the creation has
   failed; such a call left NaN in its results. Not collective; for after a pass. */
PetscErrorCode fm_convnet_check(const fm_convnet *net);

#endif
