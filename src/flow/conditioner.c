#include "flow/conditioner.h"
#include "flow/flow_impl.h"
#include "flow/kernels.h"
#include <string.h>

/* Starting weights have the standard deviation of Glorot and Bengio (2010), times a gain for
   w3. Without a ReLU on out the scales S reach 0, and generating divides by them: with gain 1,
   depth 8 and hidden 64 every x of 8 or more unknowns overflows before the data-dependent start
   can help; from .3 (8 unknowns) and .2 (64) downwards none does. The official variant has S >=
   1/2 and keeps gain 1. */
static const double LAST_GAIN_DEFAULT = 0.2, LAST_GAIN_OFFICIAL = 1;

static double weight_deviation(int64_t nin, int64_t nout) {
  return sqrt(2. / (double)(nin + nout));
}

/* A weight matrix [rows][columns], or with deviation 0 a bias [columns]. */
static PetscErrorCode add(fm_flow *flow, fm_layer *layer, const char *prefix, const char *name,
                          int64_t rows, int64_t columns, double deviation) {
  const int64_t shape[] = {rows, columns};
  const int weight = deviation > 0;
  char full[FM_NAME_MAX];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(full, sizeof(full), "%s%s", prefix, name));
  PetscCall(fm_layer_tensor(flow, layer, full, weight ? 2 : 1, weight ? shape : shape + 1,
                            deviation, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_dense(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                const char *prefix, double gain) {
  const int64_t nin = net->nin, h = net->hidden, nout = net->nout;

  PetscFunctionBegin;
  PetscCall(add(flow, layer, prefix, "w1", nin, h, weight_deviation(nin, h)));
  PetscCall(add(flow, layer, prefix, "b1", 1, h, 0));
  PetscCall(add(flow, layer, prefix, "w2", h, h, weight_deviation(h, h)));
  PetscCall(add(flow, layer, prefix, "b2", 1, h, 0));
  PetscCall(add(flow, layer, prefix, "w3", nout, h, gain * weight_deviation(h, nout)));
  PetscFunctionReturn(0);
}

#define LEAST_ONEDNN 16 /* hidden channels: fewer take its reference code, 100 times slower */

/* The quickest that takes this width. */
static fm_convnet_implementation implementation(int64_t hidden, PetscBool bf16) {
  if (bf16) return FM_CONVNET_ONEDNN;
  if (hidden % fm_convnet_lanes() == 0) return FM_CONVNET_NATIVE;
  if (hidden < LEAST_ONEDNN) return FM_CONVNET_IM2COL;
  return sizeof(fm_real) == sizeof(float) ? FM_CONVNET_ONEDNN : FM_CONVNET_IM2COL;
}

/* A kernel of 3x3 has nine times the inputs and outputs. */
static PetscErrorCode add_image(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                const char *prefix, fm_shape image, double gain) {
  const PetscBool bf16 = flow->spec.bf16;
  const fm_convnet_spec spec = {.nin = net->nin,
                                .hidden = net->hidden,
                                .nout = net->nout,
                                .height = image.n[0],
                                .width = image.n[1],
                                .implementation = implementation(net->hidden, bf16),
                                .bf16 = bf16};
  const double deviation[] = {weight_deviation(9 * net->nin, 9 * net->hidden), 0,
                              weight_deviation(9 * net->hidden, 9 * net->hidden), 0,
                              gain * weight_deviation(9 * net->hidden, 9 * net->nout)};
  fm_convnet_tensor tensor[FM_CONVNET_TENSORS];
  char full[FM_NAME_MAX];

  PetscFunctionBegin;
  fm_check(image.n[2] == 1, PETSC_COMM_SELF, PETSC_ERR_SUP,
           "convolutions take images of two dimensions, not %" PRId64 " x %" PRId64
           " x %" PRId64,
           image.n[0], image.n[1], image.n[2]);
  if (!net->nin) PetscFunctionReturn(0);
  PetscCall(fm_flow_convnet(flow, &spec, &net->image));
  (void)fm_convnet_layout(&spec, tensor);
  for (int i = 0; i < FM_CONVNET_TENSORS; i++) {
    PetscCall(PetscSNPrintf(full, sizeof(full), "%s%s", prefix, tensor[i].name));
    PetscCall(fm_layer_tensor(flow, layer, full, tensor[i].ndim, tensor[i].shape, deviation[i],
                              NULL));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_conditioner_build(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                    const char *prefix, fm_shape image, int64_t nin,
                                    int64_t nout) {
  const fm_flow_spec *spec = fm_flow_get_spec(flow);
  const double gain =
      strcmp(spec->variant, "official") ? LAST_GAIN_DEFAULT : LAST_GAIN_OFFICIAL;

  PetscFunctionBegin;
  *net = (fm_conditioner){.first = fm_flow_layout(flow)->size,
                          .nin = nin,
                          .hidden = spec->hidden,
                          .nout = nout,
                          .pixels = fm_shape_pixels(image)};
  if (net->pixels > 1)
    PetscCall(add_image(net, flow, layer, prefix, image, gain));
  else
    PetscCall(add_dense(net, flow, layer, prefix, gain));
  PetscFunctionReturn(0);
}

double fm_conditioner_flop(const fm_conditioner *net) {
  const double nin = (double)net->nin, h = (double)net->hidden, nout = (double)net->nout;

  return net->nin ? (net->pixels > 1 ? 9. : 1.) * (double)net->pixels * 2. *
                        (nin * h + h * h + h * nout)
                  : 0.;
}

/* ---- memory ---- */

static int64_t out_size(const fm_conditioner *net, int64_t rows) {
  return rows * net->nout * net->pixels;
}

int64_t fm_conditioner_keep(const fm_conditioner *net, int64_t rows) {
  return out_size(net, rows) +
         (net->image ? fm_convnet_activations(net->image, rows) : 2 * rows * net->hidden);
}

int64_t fm_conditioner_work(const fm_conditioner *net, int64_t rows) {
  return out_size(net, rows) +
         (net->image ? fm_convnet_work(net->image) : 2 * rows * net->hidden);
}

fm_activations fm_conditioner_place(const fm_conditioner *net, int64_t rows, fm_real *keep,
                                    fm_real *work) {
  const int64_t out = out_size(net, rows);

  return (fm_activations){
      .out = keep, .hidden = keep + out, .out_bar = work, .work = work + out};
}

/* ---- dense ---- */

/* The net's numbers within theta, or their cotangents within theta_bar. */
typedef struct parts {
  fm_real *w1, *b1, *w2, *b2, *w3;
} parts;

static parts parts_of(const fm_conditioner *net, const fm_real *theta) {
  const int64_t h = net->hidden;
  fm_real *p = (fm_real *)theta + net->first;

  return (parts){.w1 = p,
                 .b1 = p + net->nin * h,
                 .w2 = p + (net->nin + 1) * h,
                 .b2 = p + (net->nin + 1 + h) * h,
                 .w3 = p + (net->nin + 2 + h) * h};
}

/* [rows][hidden] each */
typedef struct layers {
  fm_real *h1, *h2, *h1_bar, *h2_bar;
} layers;

static layers layers_of(const fm_conditioner *net, int64_t rows, const fm_activations *act) {
  const int64_t h = rows * net->hidden;

  return (layers){act->hidden, act->hidden + h, act->work, act->work + h};
}

static void dense_apply(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                        const fm_activations *act) {
  const int64_t m = in.count, h = net->hidden;
  const parts p = parts_of(net, theta);
  const layers l = layers_of(net, m, act);

  fm_bias(m, h, p.b1, NULL, l.h1);
  fm_multiply_add(m, h, net->nin, in.p, in.stride, 1, p.w1, l.h1);
  fm_relu(m * h, l.h1);
  fm_bias(m, h, p.b2, l.h1, l.h2);
  fm_multiply_add(m, h, h, l.h1, h, 1, p.w2, l.h2);
  fm_relu(m * h, l.h2);
  memset(act->out, 0, (size_t)(m * net->nout) * sizeof(fm_real));
  fm_multiply_transposed_add(m, net->nout, h, l.h2, p.w3, act->out, net->nout);
}

static void weights_vjp(const fm_conditioner *net, fm_rows in, const fm_real *out_bar, layers l,
                        parts bar) {
  const int64_t m = in.count, h = net->hidden;

  fm_multiply_add(net->nout, h, m, out_bar, 1, net->nout, l.h2, bar.w3);
  fm_rows_sum_add(m, h, l.h2_bar, bar.b2);
  fm_multiply_add(h, h, m, l.h1, 1, h, l.h2_bar, bar.w2);
  fm_rows_sum_add(m, h, l.h1_bar, bar.b1);
  fm_multiply_add(net->nin, h, m, in.p, 1, in.stride, l.h1_bar, bar.w1);
}

static void dense_vjp(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                      const fm_activations *act, fm_rows in_bar, fm_real *theta_bar) {
  const int64_t m = in.count, h = net->hidden;
  const parts p = parts_of(net, theta);
  const layers l = layers_of(net, m, act);

  memset(l.h2_bar, 0, (size_t)(m * h) * sizeof(fm_real));
  fm_multiply_add(m, h, net->nout, act->out_bar, net->nout, 1, p.w3, l.h2_bar);
  fm_relu_vjp(m * h, l.h2, l.h2_bar);
  memcpy(l.h1_bar, l.h2_bar, (size_t)(m * h) * sizeof(fm_real));
  fm_multiply_transposed_add(m, h, h, l.h2_bar, p.w2, l.h1_bar, h);
  fm_relu_vjp(m * h, l.h1, l.h1_bar);
  if (in_bar.p)
    fm_multiply_transposed_add(m, net->nin, h, l.h1_bar, p.w1, in_bar.p, in_bar.stride);
  if (theta_bar) weights_vjp(net, in, act->out_bar, l, parts_of(net, theta_bar));
}

/* ---- either ---- */

static fm_rows out_rows(const fm_conditioner *net, int64_t rows, fm_real *p) {
  return (fm_rows){p, rows, net->nout * net->pixels};
}

void fm_conditioner_apply(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                          const fm_activations *act) {
  if (net->pixels == 1)
    dense_apply(net, theta, in, act);
  else if (net->image)
    fm_convnet_apply(net->image, theta + net->first, in, out_rows(net, in.count, act->out),
                     act->hidden, act->work);
  else
    memset(act->out, 0, (size_t)(in.count * net->nout * net->pixels) * sizeof(fm_real));
}

void fm_conditioner_vjp(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                        const fm_activations *act, fm_rows in_bar, fm_real *theta_bar) {
  if (!in_bar.p && !theta_bar) return;
  if (net->pixels == 1)
    dense_vjp(net, theta, in, act, in_bar, theta_bar);
  else if (net->image)
    fm_convnet_vjp(net->image, theta + net->first, in, act->hidden,
                   out_rows(net, in.count, act->out_bar), in_bar,
                   theta_bar ? theta_bar + net->first : NULL, act->work);
}
