/* What a density of velocities c becomes as one of the unknown x,

       p(x) = p(c(x)) |det dc/dx|,   c = velocity of the node fields s,   s = B x,

       log |det dc/dx| = sum_i log |dc_i/ds_i| + log |det B|

   with B of coordinates.h, whose determinant is exact. */
#include "acoustic.h"
#include <math.h>

/* log |det B|; NaN: B is not square. */
static double log_det_coordinates(const fm_coordinates *c) {
  double sum = 0;

  if (c->kind == FM_COORDINATES_MODES) return (double)NAN;
  if (c->kind == FM_COORDINATES_MATERN) sum -= fm_matern_log_det(c->matern);
  if (c->informed) sum -= 0.5 * fm_informed_log_det(c->informed);
  return sum;
}

/* d log |dc/ds| / ds of a node with the field s, velocity c and slope dc/ds */
static double log_slope_gradient(const fm_velocity *v, double s, double c, double slope) {
  if (v->unknown == FM_UNKNOWN_SLOWNESS2) return -1.5 / s;
  if (v->unknown == FM_UNKNOWN_BOUNDED) return slope * (1 / (c - v->low) - 1 / (v->high - c));
  return 0;
}

PetscErrorCode fm_acoustic_model_density(fm_operator *op, const double *x,
                                         const double *model_bar, double *x_bar,
                                         double *log_det) {
  fm_acoustic *a = (fm_acoustic *)op->data;
  const int64_t nodes = a->nz * a->nx;
  double *c = a->next, *slope = a->node;

  PetscFunctionBegin;
  PetscCall(fm_coordinates_map(a->coordinates, x, a->field));
  fm_velocity_map(a->velocity, a->field, c, slope);
  *log_det = log_det_coordinates(a->coordinates);
  for (int64_t i = 0; i < nodes; i++) *log_det += log(fabs(slope[i]));
  if (!x_bar) PetscFunctionReturn(0);
  for (int64_t i = 0; i < nodes; i++)
    a->field[i] =
        slope[i] * model_bar[i] + log_slope_gradient(a->velocity, a->field[i], c[i], slope[i]);
  PetscCall(fm_coordinates_transpose(a->coordinates, a->field, x_bar));
  PetscFunctionReturn(0);
}
