#include "wave2d_impl.h"

#define SUPPORT FM_WAVE2D_SUPPORT

static void localise(const fm_wave2d *wave, const fm_wave2d_point *p, wave2d_node *node) {
  const int64_t top = wave->spec.layer[FM_TOP] - wave->strip.first;
  const int64_t z = p->z + top, z0 = p->z0 + top, x0 = p->x0 + wave->spec.layer[FM_LEFT];
  const int64_t low = PetscClipInterval(-z0, 0, p->nz);
  const int64_t high = PetscClipInterval(wave->rows - z0, 0, p->nz);

  node->at = z0 * wave->stride + x0;
  node->row = z0;
  node->low = low;
  node->high = high;
  node->nz = p->nz;
  node->nx = p->nx;
  node->mine = z >= 0 && z < wave->rows ? PETSC_TRUE : PETSC_FALSE;
  for (int k = 0; k < SUPPORT; k++) {
    node->wz[k] = k < p->nz ? (fm_real)p->wz[k] : 0;
    node->wx[k] = k < p->nx ? (fm_real)p->wx[k] : 0;
  }
}

PetscErrorCode fm_wave2d_points_create(const fm_wave2d *wave, int64_t n,
                                       const fm_wave2d_point *point, wave2d_node **node) {
  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)n, node));
  for (int64_t k = 0; k < n; k++) localise(wave, &point[k], &(*node)[k]);
  PetscFunctionReturn(0);
}

void fm_wave2d_add(const fm_wave2d *wave, const wave2d_node *node, const fm_real *weight,
                   fm_real value, int64_t low, int64_t high, fm_real *field) {
  const int64_t first = PetscMax(node->low, low - node->row);
  const int64_t last = PetscMin(node->high, high - node->row);

  for (int64_t i = first; i < last; i++) {
    const int64_t at = node->at + i * wave->stride;
    const fm_real s = value * node->wz[i];

    for (int j = 0; j < node->nx; j++) field[at + j] += weight[at + j] * (s * node->wx[j]);
  }
}

/* Along x in columns of SUPPORT sums, so that it is done in one vector. */
static fm_real sum_of(const fm_wave2d *wave, const wave2d_node *node, const fm_real *u) {
  fm_real column[SUPPORT] = {0}, sum = 0;

  for (int i = 0; i < node->nz; i++) {
    const fm_real *row = u + node->at + i * wave->stride;

    for (int j = 0; j < SUPPORT; j++) column[j] += node->wz[i] * row[j];
  }
  for (int j = 0; j < SUPPORT; j++) sum += node->wx[j] * column[j];
  return sum;
}

void fm_wave2d_sample(const fm_wave2d *wave, const fm_real *u, fm_real *trace) {
  for (int64_t k = 0; k < wave->shot->nreceiver; k++) {
    const wave2d_node *node = &wave->receiver[k];

    if (!node->mine) continue;
    if (node->nz == 1 && node->nx == 1)
      trace[k] = node->wz[0] * node->wx[0] * u[node->at];
    else
      trace[k] = sum_of(wave, node, u);
  }
}
