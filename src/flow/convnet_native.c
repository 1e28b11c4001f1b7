/* The convolutional network by kernels of our own: Winograd's for hidden -> hidden, and vectors
   along the hidden channels where an end has few. Both precisions.

   Activations of an image: h1 and h2, in blocks of FM_LANES channels. */
#include "flow/convnet_impl.h"
#include "flow/convnet_narrow.h"
#include "flow/convnet_winograd.h"
#include <string.h>

typedef struct native {
  fm_winograd middle;
  fm_narrow first, last;
  /* where in work: */
  int64_t u, u_bar, tiles;    /* Winograd's weights, their gradient, scratch */
  int64_t w1, w1_bar, w3_bar; /* [nin or nout][3][3][hidden] */
  int64_t in, out_bar;        /* with zeros around */
  int64_t h1_bar, h2_bar;
} native;

static int64_t take(fm_convnet *net, int64_t count) {
  const int64_t first = net->work;

  net->work += fm_convnet_align(count);
  return first;
}

static PetscErrorCode accept(const fm_convnet_spec *spec) {
  PetscFunctionBegin;
  fm_check(spec->hidden % FM_LANES == 0, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
           "fathom's own convolutions take hidden channels in multiples of %d, not %" PRId64
           "; use such a number, oneDNN or im2col",
           (int)FM_LANES, spec->hidden);
  PetscFunctionReturn(0);
}

static PetscErrorCode create(fm_convnet *net) {
  const fm_convnet_spec *s = &net->spec;
  const int64_t h = s->hidden, field = h * s->height * fm_wide_row(s->width);
  native *n;

  PetscFunctionBegin;
  PetscCall(fm_calloc(1, &n));
  net->data = n;
  n->middle = (fm_winograd){h, s->height, s->width};
  n->first = (fm_narrow){s->nin, h, s->height, s->width};
  n->last = (fm_narrow){s->nout, h, s->height, s->width};
  n->u = take(net, fm_winograd_weights(&n->middle));
  n->u_bar = take(net, fm_winograd_weights(&n->middle));
  n->tiles = take(net, fm_winograd_work(&n->middle));
  n->w1 = take(net, 9 * s->nin * h);
  n->w1_bar = take(net, 9 * s->nin * h);
  n->w3_bar = take(net, 9 * s->nout * h);
  n->in = take(net, fm_narrow_padded(&n->first));
  n->out_bar = take(net, fm_narrow_padded(&n->last));
  n->h1_bar = take(net, field);
  n->h2_bar = take(net, field);
  net->activations = 2 * fm_convnet_align(field);
  PetscFunctionReturn(0);
}

/* w1 [hidden][9 nin] to [9 nin][hidden], and the adjoint. */
static void turn(int64_t rows, int64_t hidden, const fm_real *w1, fm_real *turned) {
  for (int64_t c = 0; c < hidden; c++)
    for (int64_t k = 0; k < rows; k++) turned[k * hidden + c] = w1[c * rows + k];
}

static void turn_add(int64_t rows, int64_t hidden, const fm_real *turned, fm_real *w1_bar) {
  for (int64_t c = 0; c < hidden; c++)
    for (int64_t k = 0; k < rows; k++) w1_bar[c * rows + k] += turned[k * hidden + c];
}

static void apply(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                  fm_real *activations, fm_real *work) {
  const fm_convnet_parts w = fm_convnet_parts_of(net, theta);
  const fm_convnet_spec *s = &net->spec;
  const native *n = net->data;

  turn(9 * s->nin, s->hidden, w.w1, work + n->w1);
  fm_winograd_transform(&n->middle, 0, w.w2, work + n->u);
  for (int64_t b = 0; b < in.count; b++) {
    fm_real *h1 = activations + b * net->activations, *h2 = h1 + net->activations / 2;
    fm_real *image = out.p + b * out.stride;

    fm_narrow_pad(&n->first, in.p + b * in.stride, work + n->in);
    fm_narrow_spread(&n->first, 1, work + n->w1, work + n->in, w.b1, NULL, h1);
    fm_winograd_apply(&n->middle, work + n->u, w.b2, h1, h2, work + n->tiles);
    memset(image, 0, (size_t)(s->nout * net->pixels) * sizeof(fm_real));
    fm_narrow_collect(&n->last, -1, w.w3, h2, image);
  }
}

/* ---- vjp ---- */

static void weights_vjp(const fm_convnet *net, const fm_real *in, const fm_real *h1,
                        const fm_real *h2, const fm_convnet_parts *bar, fm_real *work) {
  const fm_convnet_spec *s = &net->spec;
  const native *n = net->data;
  const fm_real *h1_bar = work + n->h1_bar, *h2_bar = work + n->h2_bar;
  const fm_real *w3_bar = work + n->w3_bar;

  fm_narrow_gradient(&n->last, -1, work + n->out_bar, h2, work + n->w3_bar);
  for (int64_t k = 0; k < 9 * s->nout * s->hidden; k++) bar->w3[k] += w3_bar[k];
  fm_wide_sum_add(&n->last, h2_bar, bar->b2);
  fm_winograd_gradient(&n->middle, h1, h2_bar, work + n->u_bar, work + n->tiles);
  fm_winograd_transform_vjp(&n->middle, work + n->u_bar, bar->w2);
  fm_wide_sum_add(&n->first, h1_bar, bar->b1);
  fm_narrow_pad(&n->first, in, work + n->in);
  fm_narrow_gradient(&n->first, 1, work + n->in, h1_bar, work + n->w1_bar);
  turn_add(9 * s->nin, s->hidden, work + n->w1_bar, bar->w1);
}

static void vjp(const fm_convnet *net, const fm_real *theta, fm_rows in,
                const fm_real *activations, fm_rows out_bar, fm_rows in_bar, fm_real *theta_bar,
                fm_real *work) {
  const fm_convnet_parts w = fm_convnet_parts_of(net, theta);
  const fm_convnet_parts bar = fm_convnet_parts_of(net, theta_bar ? theta_bar : theta);
  const native *n = net->data;

  turn(9 * net->spec.nin, net->spec.hidden, w.w1, work + n->w1);
  fm_winograd_transform(&n->middle, 1, w.w2, work + n->u);
  for (int64_t b = 0; b < in.count; b++) {
    const fm_real *h1 = activations + b * net->activations, *h2 = h1 + net->activations / 2;

    fm_narrow_pad(&n->last, out_bar.p + b * out_bar.stride, work + n->out_bar);
    fm_narrow_spread(&n->last, -1, w.w3, work + n->out_bar, NULL, h2, work + n->h2_bar);
    fm_winograd_vjp(&n->middle, work + n->u, h1, work + n->h2_bar, work + n->h1_bar,
                    work + n->tiles);
    if (theta_bar) weights_vjp(net, in.p + b * in.stride, h1, h2, &bar, work);
    if (in_bar.p)
      fm_narrow_collect(&n->first, 1, work + n->w1, work + n->h1_bar,
                        in_bar.p + b * in_bar.stride);
  }
}

const fm_convnet_ops fm_convnet_native = {
    .name = "native", .accept = accept, .create = create, .apply = apply, .vjp = vjp};
