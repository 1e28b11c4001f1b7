/* The grid that is solved on has every K-th node of the model (-acoustic_coarsen K): squared
   slowness, the coefficient of u_tt, is averaged with the weights (1 - |i|/K)(1 - |j|/K) over
   the nodes around, normalised at the edges:

       C^-2 = sum_i w_i c_i^-2,    dC/dc_i = w_i C^3 / c_i^3                                  */
#include "acoustic.h"
#include <math.h>

/* Sum of the weights of a line's nodes around coarse node n. */
static double total(int64_t k, int64_t n, int64_t nodes) {
  double sum = 0;

  for (int64_t i = PetscMax(0, n * k - k + 1); i <= PetscMin(nodes - 1, n * k + k - 1); i++)
    sum += (double)(k - llabs(i - n * k));
  return sum;
}

/* The model's nodes around coarse node (z, x), one after the other: *i its number, *weight w_i.
   Begin with i = -1; false at the end. */
static PetscBool next_node(const fm_acoustic *a, int64_t z, int64_t x, int64_t *i,
                           double *weight) {
  const int64_t k = a->coarsen, first_z = PetscMax(0, z * k - k + 1),
                first_x = PetscMax(0, x * k - k + 1);
  int64_t row = *i < 0 ? first_z : *i / a->nx, column = *i < 0 ? first_x - 1 : *i % a->nx;

  if (++column > PetscMin(a->nx - 1, x * k + k - 1)) {
    column = first_x;
    if (++row > PetscMin(a->nz - 1, z * k + k - 1)) return PETSC_FALSE;
  }
  *i = row * a->nx + column;
  *weight = (double)(k - llabs(row - z * k)) / total(k, z, a->nz) *
            (double)(k - llabs(column - x * k)) / total(k, x, a->nx);
  return PETSC_TRUE;
}

static double cube(double x) { return x * x * x; }

PetscErrorCode fm_acoustic_set_velocity(fm_acoustic *a) {
  PetscFunctionBegin;
  if (a->coarsen == 1) PetscCall(PetscArraycpy(a->coarse, a->c, (size_t)(a->nz * a->nx)));
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx && a->coarsen > 1; n++) {
    double sum = 0, w;

    for (int64_t i = -1; next_node(a, n / a->spec.nx, n % a->spec.nx, &i, &w);)
      sum += w / (a->c[i] * a->c[i]);
    a->coarse[n] = 1 / sqrt(sum);
  }
  PetscCall(fm_wave2d_set_velocity(a->wave, a->coarse));
  PetscFunctionReturn(0);
}

const double *fm_acoustic_to_grid(fm_acoustic *a, const double *dc) {
  if (a->coarsen == 1) return dc;
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx; n++) {
    double sum = 0, w;

    for (int64_t i = -1; next_node(a, n / a->spec.nx, n % a->spec.nx, &i, &w);)
      sum += w * dc[i] / cube(a->c[i]);
    a->grid[n] = sum * cube(a->coarse[n]);
  }
  return a->grid;
}

const double *fm_acoustic_from_grid(fm_acoustic *a, const double *g) {
  if (a->coarsen == 1) return g;
  for (int64_t i = 0; i < a->nz * a->nx; i++) a->node[i] = 0;
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx; n++) {
    double w;

    for (int64_t i = -1; next_node(a, n / a->spec.nx, n % a->spec.nx, &i, &w);)
      a->node[i] += w * g[n] * cube(a->coarse[n]) / cube(a->c[i]);
  }
  return a->node;
}
