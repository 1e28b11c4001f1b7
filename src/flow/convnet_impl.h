/* Inside the convolutional network: what an implementation fills in, and what all share. */
#ifndef FATHOM_FLOW_CONVNET_IMPL_H
#define FATHOM_FLOW_CONVNET_IMPL_H

#include "flow/convnet.h"

typedef struct fm_convnet_ops {
  const char *name;
  /* fails on what it cannot do, with nothing allocated yet; NULL: it can do all */
  PetscErrorCode (*accept)(const fm_convnet_spec *spec);
  PetscErrorCode (*create)(fm_convnet *net); /* sets activations, work and data */
  PetscErrorCode (*destroy)(fm_convnet *net);
  void (*apply)(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                fm_real *activations, fm_real *work);
  void (*vjp)(const fm_convnet *net, const fm_real *theta, fm_rows in,
              const fm_real *activations, fm_rows out_bar, fm_rows in_bar, fm_real *theta_bar,
              fm_real *work);
  PetscErrorCode (*check)(const fm_convnet *net); /* NULL: nothing can have failed */
} fm_convnet_ops;

struct fm_convnet {
  fm_convnet_spec spec;
  const fm_convnet_ops *ops;
  int64_t pixels;            /* height width */
  int64_t activations, work; /* fm_real an image, fm_real */
  void *data;
};

extern const fm_convnet_ops fm_convnet_native, fm_convnet_im2col;
#ifdef FM_SINGLE
extern const fm_convnet_ops fm_convnet_onednn;
#endif

/* The net's numbers, from the first one on. */
typedef struct fm_convnet_parts {
  fm_real *w1, *b1, *w2, *b2, *w3;
} fm_convnet_parts;

fm_convnet_parts fm_convnet_parts_of(const fm_convnet *net, const fm_real *first);

/* Numbers rounded up to whole lines of 64 bytes. */
int64_t fm_convnet_align(int64_t numbers);

/* A 3x3 convolution is a product with shifted copies of its image. With s(i, j) the shift by
   sign (i - 1) rows and sign (j - 1) columns, and 0 outside the image:

   fm_convnet_columns   columns[c][i][j][p] = v[c][p + s(i, j)]          overwritten
   fm_convnet_fold      v[c][p] += sum_ij columns[c][i][j][p + s(i, j)]  columns are destroyed

   Either is the other's adjoint at the opposite sign. v [channels][height][width]. */
void fm_convnet_columns(const fm_convnet_spec *spec, int64_t channels, int sign,
                        const fm_real *v, fm_real *columns);
void fm_convnet_fold(const fm_convnet_spec *spec, int64_t channels, int sign, fm_real *columns,
                     fm_real *v);

#endif
