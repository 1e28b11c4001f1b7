/* The grid that is solved on has every K-th node of the model (-acoustic_coarsen K), and where
   the nodes less one are no multiple of K one more row or column beyond the model's end, which
   the model's edge continues. Squared slowness, the coefficient of u_tt, is averaged with the
   weights (1 - |i|/K)(1 - |j|/K) over the nodes around, normalised where the grid ends:

       C^-2 = sum_i w_i c_i^-2,    dC/dc_i = w_i C^3 / c_i^3                                  */
#include "acoustic.h"
#include <math.h>

/* Of a line: the nodes around coarse node n, and the last that there is, continued ones
   included. */
static int64_t first_of(int64_t k, int64_t n) { return PetscMax(0, n * k - k + 1); }
static int64_t last_of(int64_t k, int64_t n, int64_t end) {
  return PetscMin(end, n * k + k - 1);
}

/* Sum of their weights. */
static double total(int64_t k, int64_t n, int64_t end) {
  double sum = 0;

  for (int64_t i = first_of(k, n); i <= last_of(k, n, end); i++)
    sum += (double)(k - llabs(i - n * k));
  return sum;
}

/* The nodes around a coarse node, one after the other. */
typedef struct {
  int64_t z, x;        /* the coarse node */
  int64_t row, column; /* of the node, perhaps beyond the model's end */
  int64_t i;           /* the model's node that it is, or that it continues */
  double weight;       /* of it */
} around;

static around begin(const fm_acoustic *a, int64_t n) {
  around at = {.z = n / a->spec.nx, .x = n % a->spec.nx};

  at.row = first_of(a->coarsen, at.z);
  at.column = first_of(a->coarsen, at.x) - 1;
  return at;
}

/* False at the end. */
static PetscBool next_node(const fm_acoustic *a, around *at) {
  const int64_t k = a->coarsen, end_z = (a->spec.nz - 1) * k, end_x = (a->spec.nx - 1) * k;

  if (++at->column > last_of(k, at->x, end_x)) {
    at->column = first_of(k, at->x);
    if (++at->row > last_of(k, at->z, end_z)) return PETSC_FALSE;
  }
  at->i = PetscMin(at->row, a->nz - 1) * a->nx + PetscMin(at->column, a->nx - 1);
  at->weight = (double)(k - llabs(at->row - at->z * k)) / total(k, at->z, end_z) *
               (double)(k - llabs(at->column - at->x * k)) / total(k, at->x, end_x);
  return PETSC_TRUE;
}

static double cube(double x) { return x * x * x; }

PetscErrorCode fm_acoustic_set_velocity(fm_acoustic *a) {
  PetscFunctionBegin;
  if (a->coarsen == 1) PetscCall(PetscArraycpy(a->coarse, a->c, (size_t)(a->nz * a->nx)));
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx && a->coarsen > 1; n++) {
    around at = begin(a, n);
    double sum = 0;

    while (next_node(a, &at)) sum += at.weight / (a->c[at.i] * a->c[at.i]);
    a->coarse[n] = 1 / sqrt(sum);
  }
  PetscCall(fm_wave2d_set_velocity(a->wave, a->coarse));
  PetscFunctionReturn(0);
}

const double *fm_acoustic_to_grid(fm_acoustic *a, const double *dc) {
  if (a->coarsen == 1) return dc;
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx; n++) {
    around at = begin(a, n);
    double sum = 0;

    while (next_node(a, &at)) sum += at.weight * dc[at.i] / cube(a->c[at.i]);
    a->grid[n] = sum * cube(a->coarse[n]);
  }
  return a->grid;
}

const double *fm_acoustic_from_grid(fm_acoustic *a, const double *g) {
  if (a->coarsen == 1) return g;
  for (int64_t i = 0; i < a->nz * a->nx; i++) a->node[i] = 0;
  for (int64_t n = 0; n < a->spec.nz * a->spec.nx; n++) {
    around at = begin(a, n);

    while (next_node(a, &at))
      a->node[at.i] += at.weight * g[n] * cube(a->coarse[n]) / cube(a->c[at.i]);
  }
  return a->node;
}
