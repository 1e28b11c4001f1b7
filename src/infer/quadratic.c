#include "infer/quadratic.h"

PetscErrorCode fm_quadratic_create(int64_t n, fm_quadratic *q) {
  PetscFunctionBegin;
  PetscCall(PetscCalloc3(n, &q->mean, n, &q->v, n, &q->u));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_quadratic_destroy(fm_quadratic *q) {
  PetscFunctionBegin;
  PetscCall(PetscFree3(q->mean, q->v, q->u));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_quadratic_evaluate(fm_energy *e, fm_key key, int64_t nb, const fm_real *x,
                                     double *value, fm_real *x_bar, PetscBool *ok) {
  const fm_quadratic *q = (const fm_quadratic *)e->data;
  const int64_t n = e->n;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    double product = 0;

    for (int64_t i = 0; i < n; i++) q->v[i] = (double)x[s * n + i] - q->mean[i];
    PetscCall(q->precise(e->data, q->v, q->u));
    for (int64_t i = 0; i < n; i++) product += q->v[i] * q->u[i];
    value[s] = product / 2 + q->constant;
    for (int64_t i = 0; x_bar && i < n; i++) x_bar[s * n + i] += (fm_real)q->u[i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_quadratic_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                   fm_real *x) {
  const fm_quadratic *q = (const fm_quadratic *)e->data;
  const int64_t n = e->n;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    fm_real *out = x + s * n;

    fm_rng_normal(rng, 0, (uint64_t)(first + s), (size_t)n, out);
    for (int64_t i = 0; i < n; i++) q->u[i] = (double)out[i];
    PetscCall(q->colour(e->data, q->u, q->v));
    for (int64_t i = 0; i < n; i++) out[i] = (fm_real)(q->mean[i] + q->v[i]);
  }
  PetscFunctionReturn(0);
}
