#include "fathom/optimizer.h"
#include <math.h>

PetscErrorCode fm_optimizer_create(int64_t n, double clip, fm_optimizer **optimizer) {
  PetscFunctionBegin;
  PetscCall(PetscNew(optimizer));
  **optimizer = (fm_optimizer){n, 0.9, 0.999, 1e-8, clip, NULL, NULL};
  PetscCall(fm_calloc(n, &(*optimizer)->m));
  PetscCall(fm_calloc(n, &(*optimizer)->v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_optimizer_destroy(fm_optimizer **optimizer) {
  PetscFunctionBegin;
  if (*optimizer) {
    PetscCall(PetscFree((*optimizer)->m));
    PetscCall(PetscFree((*optimizer)->v));
  }
  PetscCall(PetscFree(*optimizer));
  PetscFunctionReturn(0);
}

/* Eight partial sums in a fixed order: vectorised, and the same on every rank. */
static double norm_of(int64_t n, const fm_real *g) {
  double part[8] = {0.}, sum = 0.;
  int64_t i = 0;

  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++) part[k] += (double)g[i + k] * (double)g[i + k];
  for (; i < n; i++) sum += (double)g[i] * (double)g[i];
  for (int k = 0; k < 8; k++) sum += part[k];
  return sqrt(sum);
}

static void scale_by(int64_t n, fm_real factor, fm_real *g) {
  for (int64_t i = 0; i < n; i++) g[i] *= factor;
}

static void update(const fm_optimizer *o, fm_real rate, fm_real scale_v,
                   const fm_real *restrict g, fm_real *restrict m, fm_real *restrict v,
                   fm_real *restrict theta) {
  const fm_real b1 = (fm_real)o->beta1, b2 = (fm_real)o->beta2, epsilon = (fm_real)o->epsilon;
  const fm_real rest1 = (fm_real)(1. - o->beta1), rest2 = (fm_real)(1. - o->beta2);

  for (int64_t i = 0; i < o->n; i++) {
    m[i] = b1 * m[i] + rest1 * g[i];
    v[i] = b2 * v[i] + rest2 * g[i] * g[i];
#ifdef FM_SINGLE
    theta[i] -= rate * m[i] / (sqrtf(v[i] * scale_v) + epsilon);
#else
    theta[i] -= rate * m[i] / (sqrt(v[i] * scale_v) + epsilon);
#endif
  }
}

PetscErrorCode fm_optimizer_step(fm_optimizer *o, int64_t step, double rate, fm_real *grad,
                                 fm_real *theta, double *norm) {
  const double t = (double)(step + 1);
  const double correct_m = 1. - pow(o->beta1, t), correct_v = 1. - pow(o->beta2, t);

  PetscFunctionBegin;
  *norm = norm_of(o->n, grad);
  if (o->clip > 0. && *norm > o->clip) scale_by(o->n, (fm_real)(o->clip / *norm), grad);
  update(o, (fm_real)(rate / correct_m), (fm_real)(1. / correct_v), grad, o->m, o->v, theta);
  PetscFunctionReturn(0);
}
