/* The small network that gives an affine coupling its scales and shifts. */
#ifndef FATHOM_FLOW_CONDITIONER_H
#define FATHOM_FLOW_CONDITIONER_H

#include "fathom/layer.h"

/* h1 = relu(x W1 + b1), h2 = relu(h1 + h1 W2 + b2), out = h2 W3^T, on rows. In theta, one after
   the other and with the hidden index last: w1 [nin][hidden], b1, w2 [hidden in][hidden out],
   b2, w3 [nout][hidden]. nin may be 0. */
typedef struct fm_conditioner {
  int64_t first; /* of its numbers in theta */
  int64_t nin, hidden, nout;
} fm_conditioner;

/* Activations of `rows` rows and their cotangents, in work memory. */
typedef struct fm_activations {
  fm_real *h1, *h2, *out, *h1_bar, *h2_bar, *out_bar; /* [rows][hidden] or [rows][nout] */
} fm_activations;

/* fm_conditioner_build - name the tensors `prefix`w1 ... w3. Weights start as normal numbers,
   biases 0. */
PetscErrorCode fm_conditioner_build(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                    const char *prefix, int64_t nin, int64_t nout);

/* Numbers of work memory for that many rows. */
int64_t fm_conditioner_work(const fm_conditioner *net, int64_t rows);

/* fm_conditioner_apply - fill h1, h2 and out, placed in work. Cost: 2 hidden (nin + hidden +
   nout) operations a row. */
fm_activations fm_conditioner_apply(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                                    fm_real *work);

/* fm_conditioner_vjp - from out_bar: in_bar += (p NULL: not wanted), theta_bar += (NULL:
   frozen). */
void fm_conditioner_vjp(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                        const fm_activations *act, fm_rows in_bar, fm_real *theta_bar);

#endif
