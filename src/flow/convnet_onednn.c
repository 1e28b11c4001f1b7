/* The convolutional network by oneDNN: its kernels. Float library alone. */
#ifdef FM_SINGLE
#include "flow/convnet_onednn.h"
#include "flow/convnet_turn.h"
#include "flow/kernels.h"
#include <string.h>

static PetscErrorCode check(const fm_convnet *net) {
  const fm_onednn *o = net->data;

  PetscFunctionBegin;
  PetscCheck(!o->failed, PETSC_COMM_SELF, PETSC_ERR_LIB,
             "oneDNN says '%s' to a convolution that it had agreed to",
             dnnl_status2str(o->failed));
  PetscFunctionReturn(0);
}

static void note(fm_onednn *o, dnnl_status_t status) {
  if (status && !o->failed) o->failed = status;
}

static void copy(fm_onednn *o, const fm_step *s) {
  void *from, *to;

  note(o, dnnl_memory_get_data_handle(s->argument[0].memory, &from));
  note(o, dnnl_memory_get_data_handle(s->argument[1].memory, &to));
  s->copy(s->n, from, to);
}

static void run(fm_onednn *o, int which) {
  const fm_step *s = &o->step[which];

  if (s->copy)
    copy(o, s);
  else
    note(o, dnnl_primitive_execute(s->primitive, o->stream, s->count, s->argument));
}

static void point(fm_onednn *o, int which, const void *p) {
  note(o, dnnl_memory_set_data_handle(o->slot[which].memory, (void *)p));
}

static fm_real *at(const fm_onednn *o, int which, fm_real *work) {
  return work + o->slot[which].offset;
}

static void point_work(fm_onednn *o, fm_real *work) {
  for (int k = 0; k < SLOTS; k++)
    if (o->slot[k].offset >= 0) point(o, k, at(o, k, work));
}

/* The weights of theta, for apply or for vjp; theta_bar NULL: frozen. */
static void point_theta(const fm_convnet *net, fm_onednn *o, const fm_real *theta,
                        fm_real *theta_bar, int reorder) {
  const fm_convnet_parts w = fm_convnet_parts_of(net, theta);
  const fm_convnet_parts bar = fm_convnet_parts_of(net, theta_bar ? theta_bar : theta);
  const fm_real *weights[] = {w.w1, w.w2, w.w3}, *bars[] = {bar.w1, bar.w2, bar.w3};

  point(o, OF(FIRST, BIAS), w.b1);
  point(o, OF(MIDDLE, BIAS), w.b2);
  for (int c = 0; c < CONVOLUTIONS; c++) {
    point(o, OF(c, PLAIN), weights[c]);
    point(o, OF(c, PLAIN_BAR), theta_bar ? bars[c] : NULL);
    run(o, STEP(c, reorder));
  }
}

/* h1 and h2 of an image. */
static void point_activations(const fm_convnet *net, fm_onednn *o, int64_t image,
                              const fm_real *activations, const fm_real *h[2]) {
  h[0] = activations + image * net->activations;
  h[1] = h[0] + net->activations / 2;
  point(o, H1, h[0]);
  point(o, H2, h[1]);
}

static void apply_image(const fm_convnet *net, fm_onednn *o, const fm_real *in,
                        const fm_real *h[2], fm_real *out, fm_real *work) {
  const fm_convnet_spec *s = &net->spec;

  fm_convnet_columns(s, s->nin, 1, in, at(o, X_PLAIN, work));
  run(o, BLOCK_X);
  run(o, STEP(FIRST, APPLY));
  memcpy((void *)h[1], h[0], o->field);
  run(o, STEP(MIDDLE, APPLY));
  run(o, STEP(LAST, APPLY));
  run(o, UNBLOCK_Q);
  memset(out, 0, (size_t)(s->nout * net->pixels) * sizeof(fm_real));
  fm_convnet_fold(s, s->nout, 1, at(o, Q_PLAIN, work), out);
}

static void apply(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                  fm_real *activations, fm_real *work) {
  const int threads = fm_onednn_one_thread();
  fm_onednn *o = net->data;
  const fm_real *h[2];

  point_work(o, work);
  point_theta(net, o, theta, NULL, TO_FORWARD);
  for (int64_t b = 0; b < in.count; b++) {
    point_activations(net, o, b, activations, h);
    apply_image(net, o, in.p + b * in.stride, h, out.p + b * out.stride, work);
    if (o->failed) out.p[b * out.stride] = NAN;
  }
  omp_set_num_threads(threads);
}

static void relu_vjp_bf16(int64_t count, const uint16_t *restrict v, uint16_t *restrict v_bar) {
  for (int64_t i = 0; i < count; i++) v_bar[i] = fm_float_of(v[i]) > 0 ? v_bar[i] : 0;
}

/* ---- vjp ---- */

/* h1_bar from W2^T h2_bar, which is in `sum`; h1_bar may be sum. */
static void join_bf16(int64_t count, const uint16_t *restrict h1,
                      const uint16_t *restrict h2_bar, const float *restrict sum,
                      uint16_t *restrict h1_bar) {
  for (int64_t i = 0; i < count; i++)
    h1_bar[i] = fm_float_of(h1[i]) > 0 ? fm_bf16(sum[i] + fm_float_of(h2_bar[i])) : 0;
}

static void join(int64_t count, const fm_real *restrict h1, const fm_real *restrict h2_bar,
                 fm_real *restrict sum) {
  for (int64_t i = 0; i < count; i++) sum[i] = h1[i] > 0 ? sum[i] + h2_bar[i] : 0;
}

static void close_relu(const fm_onednn *o, const fm_real *h2, fm_real *work) {
  if (o->type == dnnl_f32)
    fm_relu_vjp((int64_t)(o->field / 4), h2, at(o, H2_BAR, work));
  else
    relu_vjp_bf16((int64_t)(o->field / 2), (const void *)h2, (void *)at(o, H2_BAR, work));
}

static void join_h1_bar(const fm_onednn *o, const fm_real *h1, fm_real *work) {
  if (o->type == dnnl_f32)
    join((int64_t)(o->field / 4), h1, at(o, H2_BAR, work), at(o, SUM, work));
  else
    join_bf16((int64_t)(o->field / 2), (const void *)h1, (void *)at(o, H2_BAR, work),
              at(o, SUM, work), (void *)at(o, H1_BAR, work));
}

static void add_bias(const fm_convnet *net, const fm_real *bias, fm_real *bias_bar) {
  for (int64_t k = 0; bias_bar && k < net->spec.hidden; k++) bias_bar[k] += bias[k];
}

static void add_gradient(const fm_convnet *net, fm_onednn *o, int c, fm_real *bias_bar,
                         fm_real *work) {
  run(o, STEP(c, WEIGHTS));
  run(o, STEP(c, ADD_GRADIENT));
  add_bias(net, at(o, OF(c, BIAS_BAR), work), bias_bar);
}

static void middle_gradient(const fm_convnet *net, fm_onednn *o, const fm_real *h1,
                            fm_real *b2_bar, fm_real *work) {
  const fm_convnet_spec *s = &net->spec;
  const fm_gradient g = {s->hidden, s->hidden, s->height, s->width};
  fm_real *bias = at(o, OF(MIDDLE, BIAS_BAR), work);

  fm_gradient_wide(&g, (const void *)h1, (const void *)at(o, H2_BAR, work),
                   at(o, OF(MIDDLE, GRADIENT), work), bias, at(o, SCRATCHPAD, work));
  run(o, STEP(MIDDLE, ADD_GRADIENT));
  add_bias(net, bias, b2_bar);
}

/* Sums [channels][3][3][hidden] of an image of few channels with a wide one. */
static const fm_real *narrow_sums(const fm_convnet *net, fm_onednn *o, int64_t channels,
                                  const fm_real *image, const fm_real *wide, fm_real *bias,
                                  fm_real *work) {
  const fm_convnet_spec *s = &net->spec;
  const fm_gradient g = {channels, s->hidden, s->height, s->width};
  fm_real *sums = at(o, SCRATCHPAD, work);

  fm_gradient_narrow(&g, image, (const void *)wide, sums, bias,
                     sums + fm_onednn_sums(channels, s->hidden));
  return sums;
}

/* w3 joins pixels the other way round: its taps are the sums' from the last to the first. */
static void last_gradient(const fm_convnet *net, fm_onednn *o, const fm_real *out_bar,
                          const fm_real *h2, fm_real *w3_bar, fm_real *work) {
  const int64_t h = net->spec.hidden, channels = net->spec.nout;
  const fm_real *sums =
      narrow_sums(net, o, channels, out_bar, h2, at(o, OF(FIRST, BIAS_BAR), work), work);

  for (int64_t k = 0; k < 9 * channels; k++) {
    const fm_real *from = sums + (k / 9 * 9 + 8 - k % 9) * h;

    for (int64_t c = 0; c < h; c++) w3_bar[k * h + c] += from[c];
  }
}

static void first_gradient(const fm_convnet *net, fm_onednn *o, const fm_real *in,
                           const fm_convnet_parts *bar, fm_real *work) {
  const int64_t h = net->spec.hidden, rows = 9 * net->spec.nin;
  fm_real *bias = at(o, OF(FIRST, BIAS_BAR), work);
  const fm_real *sums = narrow_sums(net, o, net->spec.nin, in, at(o, H1_BAR, work), bias, work);

  for (int64_t c = 0; c < h; c++)
    for (int64_t k = 0; k < rows; k++) bar->w1[c * rows + k] += sums[k * h + c];
  add_bias(net, bias, bar->b1);
}

/* A convolution's gradient once its cotangents are known: by ours, or else by oneDNN's. */
static void gradient(const fm_convnet *net, fm_onednn *o, int c, const fm_real *narrow,
                     const fm_real *h[2], const fm_convnet_parts *bar, fm_real *work) {
  fm_real *const biases[] = {bar->b1, bar->b2, NULL};

  if (!o->gradients) {
    if (c == FIRST) {
      fm_convnet_columns(&net->spec, net->spec.nin, 1, narrow, at(o, X_PLAIN, work));
      run(o, BLOCK_X);
    }
    add_gradient(net, o, c, biases[c], work);
  } else if (c == FIRST)
    first_gradient(net, o, narrow, bar, work);
  else if (c == MIDDLE)
    middle_gradient(net, o, h[0], bar->b2, work);
  else
    last_gradient(net, o, narrow, h[1], bar->w3, work);
}

/* bar NULL: frozen; in_bar NULL: not wanted. */
static void vjp_image(const fm_convnet *net, fm_onednn *o, const fm_real *in,
                      const fm_real *h[2], const fm_real *out_bar, fm_real *in_bar,
                      const fm_convnet_parts *bar, fm_real *work) {
  const fm_convnet_spec *s = &net->spec;

  fm_convnet_columns(s, s->nout, -1, out_bar, at(o, Q_PLAIN, work));
  run(o, BLOCK_Q_BAR);
  if (bar) gradient(net, o, LAST, out_bar, h, bar, work);
  run(o, STEP(LAST, DATA));
  close_relu(o, h[1], work);
  if (bar) gradient(net, o, MIDDLE, NULL, h, bar, work);
  run(o, STEP(MIDDLE, DATA));
  join_h1_bar(o, h[0], work);
  if (bar) gradient(net, o, FIRST, in, h, bar, work);
  if (!in_bar) return;
  run(o, STEP(FIRST, DATA));
  run(o, UNBLOCK_X_BAR);
  fm_convnet_fold(s, s->nin, -1, at(o, X_PLAIN, work), in_bar);
}

static void vjp(const fm_convnet *net, const fm_real *theta, fm_rows in,
                const fm_real *activations, fm_rows out_bar, fm_rows in_bar, fm_real *theta_bar,
                fm_real *work) {
  const fm_convnet_parts bar = fm_convnet_parts_of(net, theta_bar ? theta_bar : theta);
  const int threads = fm_onednn_one_thread();
  fm_onednn *o = net->data;
  const fm_real *h[2];

  point_work(o, work);
  point_theta(net, o, theta, theta_bar, TO_BACKWARD);
  for (int64_t b = 0; b < in.count; b++) {
    point_activations(net, o, b, activations, h);
    vjp_image(net, o, in.p + b * in.stride, h, out_bar.p + b * out_bar.stride,
              in_bar.p ? in_bar.p + b * in_bar.stride : NULL, theta_bar ? &bar : NULL, work);
  }
  if (o->failed && theta_bar) theta_bar[0] = NAN;
  if (o->failed && in_bar.p) in_bar.p[0] = NAN;
  omp_set_num_threads(threads);
}

const fm_convnet_ops fm_convnet_onednn = {.name = "oneDNN",
                                          .accept = fm_onednn_accept,
                                          .create = fm_onednn_create,
                                          .destroy = fm_onednn_destroy,
                                          .apply = apply,
                                          .vjp = vjp,
                                          .check = check};
#endif
