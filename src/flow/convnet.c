/* Dispatch of the convolutional network, the layout of its numbers, and shifted copies. */
#include "flow/convnet_impl.h"
#include "flow/convnet_vector.h"
#include <string.h>

/* ---- its numbers ---- */

int64_t fm_convnet_layout(const fm_convnet_spec *spec,
                          fm_convnet_tensor tensor[FM_CONVNET_TENSORS]) {
  const int64_t h = spec->hidden;
  const fm_convnet_tensor all[FM_CONVNET_TENSORS] = {{"w1", 4, {h, spec->nin, 3, 3}, 0},
                                                     {"b1", 1, {h, 1, 1, 1}, 0},
                                                     {"w2", 4, {h, h, 3, 3}, 0},
                                                     {"b2", 1, {h, 1, 1, 1}, 0},
                                                     {"w3", 4, {spec->nout, 3, 3, h}, 0}};
  int64_t first = 0;

  for (int k = 0; k < FM_CONVNET_TENSORS; k++) {
    const int64_t *n = all[k].shape;

    tensor[k] = all[k];
    tensor[k].first = first;
    first += n[0] * n[1] * n[2] * n[3];
  }
  return first;
}

fm_convnet_parts fm_convnet_parts_of(const fm_convnet *net, const fm_real *first) {
  fm_real *p = (fm_real *)first;
  fm_convnet_tensor t[FM_CONVNET_TENSORS];

  fm_convnet_layout(&net->spec, t);
  return (fm_convnet_parts){p + t[0].first, p + t[1].first, p + t[2].first, p + t[3].first,
                            p + t[4].first};
}

double fm_convnet_flops(const fm_convnet_spec *spec) {
  const double h = (double)spec->hidden, ends = (double)(spec->nin + spec->nout);

  return 18. * (double)spec->height * (double)spec->width * h * (h + ends);
}

/* ---- shifted copies ---- */

/* Pixels p of a plane for which p + shift lies in it: begin <= p < end. */
static void overlap(int64_t pixels, int64_t shift, int64_t *begin, int64_t *end) {
  *begin = shift < 0 ? PetscMin(-shift, pixels) : 0;
  *end = shift > 0 ? PetscMax(pixels - shift, 0) : pixels;
}

/* Zero the column at which a shift by `right` columns leaves the image. */
static void clear_edge(const fm_convnet_spec *spec, int right, fm_real *plane) {
  const int64_t w = spec->width;

  if (right)
    for (int64_t y = 0; y < spec->height; y++) plane[y * w + (right > 0 ? w - 1 : 0)] = 0;
}

void fm_convnet_columns(const fm_convnet_spec *spec, int64_t channels, int sign,
                        const fm_real *v, fm_real *columns) {
  const int64_t pixels = spec->height * spec->width;

  for (int64_t k = 0; k < 9 * channels; k++) {
    const int down = sign * (int)(k % 9 / 3 - 1), right = sign * (int)(k % 3 - 1);
    const int64_t shift = down * spec->width + right;
    const fm_real *from = v + k / 9 * pixels;
    fm_real *plane = columns + k * pixels;
    int64_t begin, end;

    overlap(pixels, shift, &begin, &end);
    memset(plane, 0, (size_t)begin * sizeof(fm_real));
    if (begin < end)
      memcpy(plane + begin, from + begin + shift, (size_t)(end - begin) * sizeof(fm_real));
    memset(plane + end, 0, (size_t)(pixels - end) * sizeof(fm_real));
    clear_edge(spec, right, plane);
  }
}

void fm_convnet_fold(const fm_convnet_spec *spec, int64_t channels, int sign, fm_real *columns,
                     fm_real *v) {
  const int64_t pixels = spec->height * spec->width;

  for (int64_t k = 0; k < 9 * channels; k++) {
    const int down = sign * (int)(k % 9 / 3 - 1), right = sign * (int)(k % 3 - 1);
    const int64_t shift = down * spec->width + right;
    fm_real *restrict sum = v + k / 9 * pixels;
    fm_real *restrict plane = columns + k * pixels;
    int64_t begin, end;

    /* p + shift must not be on the edge that p left the image by */
    clear_edge(spec, -right, plane);
    overlap(pixels, shift, &begin, &end);
    for (int64_t p = begin; p < end; p++) sum[p] += plane[p + shift];
  }
}

/* ---- the door ---- */

int64_t fm_convnet_align(int64_t numbers) {
  const int64_t line = 64 / (int64_t)sizeof(fm_real);

  return (numbers + line - 1) / line * line;
}

static PetscErrorCode check_spec(const fm_convnet_spec *s) {
  const int64_t most = 1 << 15;

  PetscFunctionBegin;
  fm_check(s->nin >= 1 && s->hidden >= 1 && s->nout >= 1 && s->nin <= most &&
               s->hidden <= most && s->nout <= most,
           PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "a convolutional conditioner takes 1 to %" PRId64 " channels, not %" PRId64
           " in, %" PRId64 " hidden and %" PRId64 " out",
           most, s->nin, s->hidden, s->nout);
  fm_check(s->height >= 1 && s->width >= 1 && s->height <= most && s->width <= most,
           PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "a convolutional conditioner takes images of 1 to %" PRId64
           " pixels a side, not %" PRId64 " x %" PRId64,
           most, s->height, s->width);
  fm_check(!s->bf16 || s->implementation == FM_CONVNET_ONEDNN, PETSC_COMM_SELF, PETSC_ERR_SUP,
           "bf16 needs convolutions by oneDNN; the others compute in " FM_PRECISION);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_ops(fm_convnet_implementation implementation,
                               const fm_convnet_ops **ops) {
  PetscFunctionBegin;
  *ops = implementation == FM_CONVNET_NATIVE ? &fm_convnet_native : &fm_convnet_im2col;
  if (implementation == FM_CONVNET_ONEDNN) {
#ifdef FM_SINGLE
    *ops = &fm_convnet_onednn;
#else
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_SUP,
            "oneDNN computes in float, and this program in double; use native or im2col here, "
            "or the program fathom");
#endif
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_convnet_create(const fm_convnet_spec *spec, fm_convnet **net) {
  const fm_convnet_ops *ops;

  PetscFunctionBegin;
  PetscCall(check_spec(spec));
  PetscCall(find_ops(spec->implementation, &ops));
  if (ops->accept) PetscCall(ops->accept(spec));
  PetscCall(fm_calloc(1, net));
  (*net)->spec = *spec;
  (*net)->ops = ops;
  (*net)->pixels = spec->height * spec->width;
  PetscCall(ops->create(*net));
  PetscFunctionReturn(0);
}

const fm_convnet_spec *fm_convnet_get_spec(const fm_convnet *net) { return &net->spec; }

PetscErrorCode fm_convnet_destroy(fm_convnet **net) {
  PetscFunctionBegin;
  if (!*net) PetscFunctionReturn(0);
  if ((*net)->ops->destroy) PetscCall((*net)->ops->destroy(*net));
  PetscCall(PetscFree((*net)->data));
  PetscCall(PetscFree(*net));
  PetscFunctionReturn(0);
}

/* oneDNN stores some of its scratch past the cache, which must begin at a line of 64 bytes. A
   PetscMalloc does not, so memory that is lent holds a line more. */
static fm_real *aligned(const fm_real *p) { return (fm_real *)(((uintptr_t)p + 63) / 64 * 64); }

int64_t fm_convnet_activations(const fm_convnet *net, int64_t images) {
  return images * net->activations + fm_convnet_align(1);
}

int64_t fm_convnet_lanes(void) { return FM_LANES; }

int64_t fm_convnet_work(const fm_convnet *net) { return net->work + fm_convnet_align(1); }

void fm_convnet_apply(const fm_convnet *net, const fm_real *theta, fm_rows in, fm_rows out,
                      fm_real *activations, fm_real *work) {
  net->ops->apply(net, theta, in, out, aligned(activations), aligned(work));
}

void fm_convnet_vjp(const fm_convnet *net, const fm_real *theta, fm_rows in,
                    const fm_real *activations, fm_rows out_bar, fm_rows in_bar,
                    fm_real *theta_bar, fm_real *work) {
  if (in_bar.p || theta_bar)
    net->ops->vjp(net, theta, in, aligned(activations), out_bar, in_bar, theta_bar,
                  aligned(work));
}

PetscErrorCode fm_convnet_check(const fm_convnet *net) {
  PetscFunctionBegin;
  if (net->ops->check) PetscCall(net->ops->check(net));
  PetscFunctionReturn(0);
}
