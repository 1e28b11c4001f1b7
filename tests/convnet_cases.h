/* What the tests of the convolutional network share: sizes, a net with its arrays, and the same
   network in plain loops in double. */
#ifndef CONVNET_CASES_H
#define CONVNET_CASES_H

#include "fm_test.h"
#include "fathom/rng.h"
#include "flow/convnet.h"

static const fm_convnet_spec sizes[] = {
    {1, 1, 1, 1, 1, FM_CONVNET_IM2COL, PETSC_FALSE},
    {1, 3, 1, 3, 5, FM_CONVNET_IM2COL, PETSC_FALSE},
    {3, 1, 3, 5, 3, FM_CONVNET_IM2COL, PETSC_FALSE},
    {2, 5, 3, 1, 7, FM_CONVNET_IM2COL, PETSC_FALSE},
    {3, 4, 1, 7, 1, FM_CONVNET_IM2COL, PETSC_FALSE},
    {1, 2, 1, 2, 2, FM_CONVNET_IM2COL, PETSC_FALSE},
    {2, 16, 4, 5, 6, FM_CONVNET_IM2COL, PETSC_FALSE},
    {4, 40, 8, 9, 11, FM_CONVNET_IM2COL, PETSC_FALSE},
    {2, 40, 4, 23, 31, FM_CONVNET_IM2COL, PETSC_FALSE},
    {2, 16, 4, 16, 16, FM_CONVNET_IM2COL, PETSC_FALSE},
    {5, 48, 7, 23, 31, FM_CONVNET_IM2COL, PETSC_FALSE},
    {17, 16, 20, 3, 14, FM_CONVNET_IM2COL, PETSC_FALSE},
    {3, 16, 1, 1, 1, FM_CONVNET_IM2COL, PETSC_FALSE},
    {2, 64, 4, 32, 32, FM_CONVNET_IM2COL, PETSC_FALSE},
};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), IMAGES = 3, GAP = 5 };

/* ---- one net and its arrays ---- */

typedef struct fixture {
  fm_convnet_spec spec;
  fm_convnet *net;
  int64_t nin, nout, ntheta, nactivation, nwork; /* numbers of an image; of theta, ... */
  fm_real *theta, *theta_bar, *activations, *work;
  fm_rows in, out, out_bar, in_bar;
} fixture;

static fm_rows rows(int64_t size) {
  fm_rows r = {NULL, IMAGES, size + GAP};

  fm_ok(fm_calloc(IMAGES * (size + GAP), &r.p));
  return r;
}

static inline void fill(fm_real *p, uint64_t index, int64_t count, double scale) {
  fm_rng_normal((fm_rng){33, FM_STREAM_CHECK}, 0, index, (size_t)count, p);
  for (int64_t i = 0; i < count; i++) p[i] *= (fm_real)scale;
}

/* Weights of the size that they start with, so that no image grows or fades. */
static void fill_theta(fixture *f) {
  fm_convnet_tensor t[FM_CONVNET_TENSORS];

  f->ntheta = fm_convnet_layout(&f->spec, t);
  fm_ok(fm_calloc(f->ntheta, &f->theta));
  fm_ok(fm_calloc(f->ntheta, &f->theta_bar));
  for (int k = 0; k < FM_CONVNET_TENSORS; k++) {
    const int64_t *n = t[k].shape, count = n[0] * n[1] * n[2] * n[3];
    const double fan = (double)(k == 4 ? 9 * n[3] : 9 * n[1]);

    fill(f->theta + t[k].first, (uint64_t)k, count, t[k].ndim == 1 ? .3 : sqrt(1 / fan));
  }
}

static void setup(fixture *f, fm_convnet_spec spec) {
  const int64_t pixels = spec.height * spec.width;

  *f = (fixture){.spec = spec, .nin = spec.nin * pixels, .nout = spec.nout * pixels};
  fm_ok(fm_convnet_create(&f->spec, &f->net));
  fill_theta(f);
  f->in = rows(f->nin), f->in_bar = rows(f->nin);
  f->out = rows(f->nout), f->out_bar = rows(f->nout);
  fill(f->in.p, 10, IMAGES * f->in.stride, 1);
  fill(f->out_bar.p, 11, IMAGES * f->out_bar.stride, 1);
  f->nactivation = fm_convnet_activations(f->net, IMAGES);
  f->nwork = fm_convnet_work(f->net);
  fm_ok(fm_calloc(f->nactivation, &f->activations));
  fm_ok(fm_calloc(f->nwork, &f->work));
}

static void teardown(fixture *f) {
  fm_real *all[] = {f->theta, f->theta_bar, f->activations, f->work,
                    f->in.p,  f->in_bar.p,  f->out.p,       f->out_bar.p};

  fm_ok(fm_convnet_check(f->net));
  for (int k = 0; k < 8; k++) fm_ok(PetscFree(all[k]));
  fm_ok(fm_convnet_destroy(&f->net));
  assert_null(f->net);
}

static fm_rows image(fm_rows all, int64_t b, int64_t count) {
  return (fm_rows){all.p ? all.p + b * all.stride : NULL, count, all.stride};
}

static void run(fixture *f) {
  fm_convnet_apply(f->net, f->theta, f->in, f->out, f->activations, f->work);
  fm_convnet_vjp(f->net, f->theta, f->in, f->activations, f->out_bar, f->in_bar, f->theta_bar,
                 f->work);
}

/* ---- plain loops in double ---- */

typedef struct kernel {
  int64_t to, from, step_to, step_from, step_tap; /* w[to step_to + ...] */
} kernel;

enum { APPLY, DATA, WEIGHTS };

/* out += W * v, or v += its transpose of out, or W += the gradient. */
static void convolve(const fm_convnet_spec *s, int what, kernel k, double *w, double *v,
                     double *out) {
  const int64_t n = s->height * s->width;

  for (int64_t o = 0; o < k.to; o++)
    for (int64_t c = 0; c < k.from; c++)
      for (int tap = 0; tap < 9; tap++)
        for (int64_t p = 0; p < n; p++) {
          const int64_t y = p / s->width + tap / 3 - 1, x = p % s->width + tap % 3 - 1;
          double *weight = w + o * k.step_to + c * k.step_from + tap * k.step_tap;

          if (y < 0 || y >= s->height || x < 0 || x >= s->width) continue;
          if (what == APPLY) out[o * n + p] += *weight * v[c * n + y * s->width + x];
          if (what == DATA) v[c * n + y * s->width + x] += *weight * out[o * n + p];
          if (what == WEIGHTS) *weight += out[o * n + p] * v[c * n + y * s->width + x];
        }
}

typedef struct reference {
  double *theta, *theta_bar, *in, *in_bar, *out, *out_bar, *h1, *h2, *h1_bar, *h2_bar;
  kernel k[3];
} reference;

static inline void widen(int64_t count, const fm_real *from, double *to) {
  for (int64_t i = 0; i < count; i++) to[i] = (double)from[i];
}

static void reference_apply(const fixture *f, const fm_convnet_tensor *t, reference *r) {
  const int64_t n = f->spec.height * f->spec.width, h = f->spec.hidden;

  for (int64_t i = 0; i < h * n; i++) r->h1[i] = r->theta[t[1].first + i / n];
  convolve(&f->spec, APPLY, r->k[0], r->theta, r->in, r->h1);
  for (int64_t i = 0; i < h * n; i++) r->h1[i] = fmax(r->h1[i], 0);
  for (int64_t i = 0; i < h * n; i++) r->h2[i] = r->h1[i] + r->theta[t[3].first + i / n];
  convolve(&f->spec, APPLY, r->k[1], r->theta + t[2].first, r->h1, r->h2);
  for (int64_t i = 0; i < h * n; i++) r->h2[i] = fmax(r->h2[i], 0);
  memset(r->out, 0, (size_t)f->nout * sizeof(double));
  convolve(&f->spec, APPLY, r->k[2], r->theta + t[4].first, r->h2, r->out);
}

static void reference_vjp(const fixture *f, const fm_convnet_tensor *t, reference *r) {
  const int64_t n = f->spec.height * f->spec.width, h = f->spec.hidden;

  memset(r->h2_bar, 0, (size_t)(h * n) * sizeof(double));
  convolve(&f->spec, DATA, r->k[2], r->theta + t[4].first, r->h2_bar, r->out_bar);
  convolve(&f->spec, WEIGHTS, r->k[2], r->theta_bar + t[4].first, r->h2, r->out_bar);
  for (int64_t i = 0; i < h * n; i++) {
    r->h2_bar[i] = r->h2[i] > 0 ? r->h2_bar[i] : 0;
    r->theta_bar[t[3].first + i / n] += r->h2_bar[i];
    r->h1_bar[i] = r->h2_bar[i];
  }
  convolve(&f->spec, DATA, r->k[1], r->theta + t[2].first, r->h1_bar, r->h2_bar);
  convolve(&f->spec, WEIGHTS, r->k[1], r->theta_bar + t[2].first, r->h1, r->h2_bar);
  for (int64_t i = 0; i < h * n; i++) {
    r->h1_bar[i] = r->h1[i] > 0 ? r->h1_bar[i] : 0;
    r->theta_bar[t[1].first + i / n] += r->h1_bar[i];
  }
  memset(r->in_bar, 0, (size_t)f->nin * sizeof(double));
  convolve(&f->spec, DATA, r->k[0], r->theta, r->in_bar, r->h1_bar);
  convolve(&f->spec, WEIGHTS, r->k[0], r->theta_bar, r->in, r->h1_bar);
}

static void reference_setup(const fixture *f, reference *r) {
  const int64_t h = f->spec.hidden, field = h * f->spec.height * f->spec.width;
  double **const fields[] = {&r->h1, &r->h2, &r->h1_bar, &r->h2_bar};
  double **const ends[] = {&r->in, &r->in_bar, &r->out, &r->out_bar};

  fm_ok(fm_calloc(f->ntheta, &r->theta));
  fm_ok(fm_calloc(f->ntheta, &r->theta_bar));
  for (int k = 0; k < 4; k++) fm_ok(fm_calloc(field, fields[k]));
  for (int k = 0; k < 4; k++) fm_ok(fm_calloc(k < 2 ? f->nin : f->nout, ends[k]));
  widen(f->ntheta, f->theta, r->theta);
  r->k[0] = (kernel){h, f->spec.nin, 9 * f->spec.nin, 9, 1};
  r->k[1] = (kernel){h, h, 9 * h, 9, 1};
  r->k[2] = (kernel){f->spec.nout, h, 9 * h, 1, h};
}

static void reference_teardown(reference *r) {
  double *all[] = {r->theta,   r->theta_bar, r->in, r->in_bar, r->out,
                   r->out_bar, r->h1,        r->h2, r->h1_bar, r->h2_bar};

  for (int k = 0; k < 10; k++) fm_ok(PetscFree(all[k]));
}

#endif
