/* The convolutional network as products of matrices with shifted copies of the image, through
   BLAS. Activations of an image: h1, h2 [hidden][pixels]. Work: the shifted copies [9 times the
   most channels][pixels], h1_bar, h2_bar [hidden][pixels]. */
#include "flow/convnet_impl.h"
#include "flow/kernels.h"
#include <cblas.h>
#include <string.h>

#ifdef FM_SINGLE
#define gemm cblas_sgemm
#else
#define gemm cblas_dgemm
#endif

static PetscErrorCode create(fm_convnet *net) {
  const fm_convnet_spec *s = &net->spec;
  const int64_t most = PetscMax(s->hidden, PetscMax(s->nin, s->nout));
  const int64_t field = fm_convnet_align(s->hidden * net->pixels);

  PetscFunctionBegin;
  net->activations = 2 * field;
  net->work = fm_convnet_align(9 * most * net->pixels) + 2 * field;
  PetscFunctionReturn(0);
}

/* C [rows][columns] += op(A) op(B), the middle index running over `count`; all contiguous. */
static void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t rows, int64_t columns,
                     int64_t count, const fm_real *a, const fm_real *b, fm_real *c) {
  gemm(CblasRowMajor, ta, tb, (int)rows, (int)columns, (int)count, 1, a,
       (int)(ta == CblasNoTrans ? count : rows), b, (int)(tb == CblasNoTrans ? columns : count),
       1, c, (int)columns);
}

static void add_bias(int64_t channels, int64_t pixels, const fm_real *bias, fm_real *v) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t p = 0; p < pixels; p++) v[c * pixels + p] += bias[c];
}

static void add_bias_bar(int64_t channels, int64_t pixels, const fm_real *v_bar,
                         fm_real *bias_bar) {
  for (int64_t c = 0; c < channels; c++) {
    fm_real sum = 0;

    for (int64_t p = 0; p < pixels; p++) sum += v_bar[c * pixels + p];
    bias_bar[c] += sum;
  }
}

/* ---- one image ---- */

typedef struct fields {
  fm_real *h1, *h2, *columns, *h1_bar, *h2_bar;
} fields;

static fields place(const fm_convnet *net, int64_t image, const fm_real *activations,
                    fm_real *work) {
  const int64_t field = net->activations / 2;
  fm_real *kept = (fm_real *)activations + image * net->activations;

  return (fields){.h1 = kept,
                  .h2 = kept + field,
                  .h1_bar = work,
                  .h2_bar = work + field,
                  .columns = work + 2 * field};
}

static void apply_image(const fm_convnet *net, const fm_convnet_parts *w, const fm_real *in,
                        fm_real *out, const fields *f) {
  const fm_convnet_spec *s = &net->spec;
  const int64_t n = net->pixels, h = s->hidden;

  memset(f->h1, 0, (size_t)(h * n) * sizeof(fm_real));
  add_bias(h, n, w->b1, f->h1);
  fm_convnet_columns(s, s->nin, 1, in, f->columns);
  multiply(CblasNoTrans, CblasNoTrans, h, n, 9 * s->nin, w->w1, f->columns, f->h1);
  fm_relu(h * n, f->h1);
  memcpy(f->h2, f->h1, (size_t)(h * n) * sizeof(fm_real));
  add_bias(h, n, w->b2, f->h2);
  fm_convnet_columns(s, h, 1, f->h1, f->columns);
  multiply(CblasNoTrans, CblasNoTrans, h, n, 9 * h, w->w2, f->columns, f->h2);
  fm_relu(h * n, f->h2);
  memset(f->columns, 0, (size_t)(9 * s->nout * n) * sizeof(fm_real));
  multiply(CblasNoTrans, CblasNoTrans, 9 * s->nout, n, h, w->w3, f->h2, f->columns);
  memset(out, 0, (size_t)(s->nout * n) * sizeof(fm_real));
  fm_convnet_fold(s, s->nout, 1, f->columns, out);
}

/* h2_bar, and w3_bar. bar NULL: frozen. */
static void last_vjp(const fm_convnet *net, const fm_convnet_parts *w, const fm_real *out_bar,
                     const fields *f, const fm_convnet_parts *bar) {
  const int64_t n = net->pixels, h = net->spec.hidden, count = 9 * net->spec.nout;

  fm_convnet_columns(&net->spec, net->spec.nout, -1, out_bar, f->columns);
  if (bar) multiply(CblasNoTrans, CblasTrans, count, h, n, f->columns, f->h2, bar->w3);
  memset(f->h2_bar, 0, (size_t)(h * n) * sizeof(fm_real));
  multiply(CblasTrans, CblasNoTrans, h, n, count, w->w3, f->columns, f->h2_bar);
  fm_relu_vjp(h * n, f->h2, f->h2_bar);
}

/* h1_bar, b2_bar and w2_bar. */
static void middle_vjp(const fm_convnet *net, const fm_convnet_parts *w, const fields *f,
                       const fm_convnet_parts *bar) {
  const int64_t n = net->pixels, h = net->spec.hidden;

  if (bar) {
    add_bias_bar(h, n, f->h2_bar, bar->b2);
    fm_convnet_columns(&net->spec, h, 1, f->h1, f->columns);
    multiply(CblasNoTrans, CblasTrans, h, 9 * h, n, f->h2_bar, f->columns, bar->w2);
  }
  memset(f->columns, 0, (size_t)(9 * h * n) * sizeof(fm_real));
  multiply(CblasTrans, CblasNoTrans, 9 * h, n, h, w->w2, f->h2_bar, f->columns);
  memcpy(f->h1_bar, f->h2_bar, (size_t)(h * n) * sizeof(fm_real));
  fm_convnet_fold(&net->spec, h, -1, f->columns, f->h1_bar);
  fm_relu_vjp(h * n, f->h1, f->h1_bar);
}

/* in_bar, b1_bar and w1_bar. */
static void first_vjp(const fm_convnet *net, const fm_convnet_parts *w, const fm_real *in,
                      fm_real *in_bar, const fields *f, const fm_convnet_parts *bar) {
  const int64_t n = net->pixels, h = net->spec.hidden, count = 9 * net->spec.nin;

  if (bar) {
    add_bias_bar(h, n, f->h1_bar, bar->b1);
    fm_convnet_columns(&net->spec, net->spec.nin, 1, in, f->columns);
    multiply(CblasNoTrans, CblasTrans, h, count, n, f->h1_bar, f->columns, bar->w1);
  }
  if (!in_bar) return;
  memset(f->columns, 0, (size_t)(count * n) * sizeof(fm_real));
  multiply(CblasTrans, CblasNoTrans, count, n, h, w->w1, f->h1_bar, f->columns);
  fm_convnet_fold(&net->spec, net->spec.nin, -1, f->columns, in_bar);
}

/* ---- all images ---- */

static void apply(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                  fm_real *activations, fm_real *work) {
  const fm_convnet_parts w = fm_convnet_parts_of(net, theta);

  for (int64_t b = 0; b < in.count; b++) {
    const fields f = place(net, b, activations, work);

    apply_image(net, &w, in.p + b * in.stride, out.p + b * out.stride, &f);
  }
}

static void vjp(const fm_convnet *net, const fm_real *theta, fm_rows in,
                const fm_real *activations, fm_rows out_bar, fm_rows in_bar, fm_real *theta_bar,
                fm_real *work) {
  const fm_convnet_parts w = fm_convnet_parts_of(net, theta);
  const fm_convnet_parts bars = fm_convnet_parts_of(net, theta_bar ? theta_bar : theta);
  const fm_convnet_parts *bar = theta_bar ? &bars : NULL;

  for (int64_t b = 0; b < in.count; b++) {
    const fields f = place(net, b, activations, work);

    last_vjp(net, &w, out_bar.p + b * out_bar.stride, &f, bar);
    middle_vjp(net, &w, &f, bar);
    first_vjp(net, &w, in.p + b * in.stride, in_bar.p ? in_bar.p + b * in_bar.stride : NULL, &f,
              bar);
  }
}

const fm_convnet_ops fm_convnet_im2col = {
    .name = "im2col", .create = create, .apply = apply, .vjp = vjp};
