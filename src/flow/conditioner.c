#include "flow/conditioner.h"
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

PetscErrorCode fm_conditioner_build(fm_conditioner *net, fm_flow *flow, fm_layer *layer,
                                    const char *prefix, int64_t nin, int64_t nout) {
  const fm_flow_spec *spec = fm_flow_get_spec(flow);
  const int64_t h = spec->hidden;
  const double gain =
      strcmp(spec->variant, "official") ? LAST_GAIN_DEFAULT : LAST_GAIN_OFFICIAL;

  PetscFunctionBegin;
  *net = (fm_conditioner){fm_flow_layout(flow)->size, nin, h, nout};
  PetscCall(add(flow, layer, prefix, "w1", nin, h, weight_deviation(nin, h)));
  PetscCall(add(flow, layer, prefix, "b1", 1, h, 0));
  PetscCall(add(flow, layer, prefix, "w2", h, h, weight_deviation(h, h)));
  PetscCall(add(flow, layer, prefix, "b2", 1, h, 0));
  PetscCall(add(flow, layer, prefix, "w3", nout, h, gain * weight_deviation(h, nout)));
  PetscFunctionReturn(0);
}

int64_t fm_conditioner_work(const fm_conditioner *net, int64_t rows) {
  return rows * (4 * net->hidden + 2 * net->nout);
}

static fm_activations place(const fm_conditioner *net, int64_t rows, fm_real *work) {
  const int64_t h = rows * net->hidden;

  return (fm_activations){.h1 = work,
                          .h2 = work + h,
                          .h1_bar = work + 2 * h,
                          .h2_bar = work + 3 * h,
                          .out = work + 4 * h,
                          .out_bar = work + 4 * h + rows * net->nout};
}

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

fm_activations fm_conditioner_apply(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                                    fm_real *work) {
  const int64_t m = in.count, h = net->hidden;
  const parts p = parts_of(net, theta);
  fm_activations act = place(net, m, work);

  fm_bias(m, h, p.b1, NULL, act.h1);
  fm_multiply_add(m, h, net->nin, in.p, in.stride, 1, p.w1, act.h1);
  fm_relu(m * h, act.h1);
  fm_bias(m, h, p.b2, act.h1, act.h2);
  fm_multiply_add(m, h, h, act.h1, h, 1, p.w2, act.h2);
  fm_relu(m * h, act.h2);
  memset(act.out, 0, (size_t)(m * net->nout) * sizeof(fm_real));
  fm_multiply_transposed_add(m, net->nout, h, act.h2, p.w3, act.out, net->nout);
  return act;
}

static void weights_vjp(const fm_conditioner *net, fm_rows in, const fm_activations *act,
                        parts bar) {
  const int64_t m = in.count, h = net->hidden;

  fm_multiply_add(net->nout, h, m, act->out_bar, 1, net->nout, act->h2, bar.w3);
  fm_rows_sum_add(m, h, act->h2_bar, bar.b2);
  fm_multiply_add(h, h, m, act->h1, 1, h, act->h2_bar, bar.w2);
  fm_rows_sum_add(m, h, act->h1_bar, bar.b1);
  fm_multiply_add(net->nin, h, m, in.p, 1, in.stride, act->h1_bar, bar.w1);
}

void fm_conditioner_vjp(const fm_conditioner *net, const fm_real *theta, fm_rows in,
                        const fm_activations *act, fm_rows in_bar, fm_real *theta_bar) {
  const int64_t m = in.count, h = net->hidden;
  const parts p = parts_of(net, theta);

  if (!in_bar.p && !theta_bar) return;
  memset(act->h2_bar, 0, (size_t)(m * h) * sizeof(fm_real));
  fm_multiply_add(m, h, net->nout, act->out_bar, net->nout, 1, p.w3, act->h2_bar);
  fm_relu_vjp(m * h, act->h2, act->h2_bar);
  memcpy(act->h1_bar, act->h2_bar, (size_t)(m * h) * sizeof(fm_real));
  fm_multiply_transposed_add(m, h, h, act->h2_bar, p.w2, act->h1_bar, h);
  fm_relu_vjp(m * h, act->h1, act->h1_bar);
  if (in_bar.p)
    fm_multiply_transposed_add(m, net->nin, h, act->h1_bar, p.w1, in_bar.p, in_bar.stride);
  if (theta_bar) weights_vjp(net, in, act, parts_of(net, theta_bar));
}
