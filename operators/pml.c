#include "pml.h"
#include <math.h>

#define REFLECTION 1e-5 /* R: what comes back at normal incidence, in theory */

/* a and b at `depth` spacings inside a layer of `nodes`. */
static void coefficients(const fm_pml *pml, double depth, int64_t nodes, double *a, double *b) {
  const double share = depth / (double)nodes, thickness = (double)nodes * pml->spacing;
  const double most = -3 * pml->velocity * log(REFLECTION) / (2 * thickness);
  const double d = most * share * share;
  const double alpha = acos(-1.) * pml->frequency * (1 - share);

  *a = *b = 0;
  if (depth <= 0) return;
  *b = exp(-(d + alpha) * pml->dt);
  *a = d / (d + alpha) * (*b - 1);
}

/* The line's first node is a whole layer deep; both layers may reach a point of a short line:
   then the nearer edge counts. */
static void at(const fm_pml *pml, double position, double *a, double *b) {
  const double before = (double)pml->before - position;
  const double behind = position - (double)(pml->nodes - 1 - pml->behind);

  *a = *b = 0;
  if (before > 0) coefficients(pml, before, pml->before, a, b);
  if (behind > 0) coefficients(pml, behind, pml->behind, a, b);
}

fm_pml_point fm_pml_at(const fm_pml *pml, int64_t node) {
  fm_pml_point point = {0, 0, 0, 0};

  if (node < 0 || node >= pml->nodes) return point;
  at(pml, (double)node, &point.a, &point.b);
  if (node < pml->nodes - 1) at(pml, (double)node + 0.5, &point.half_a, &point.half_b);
  point.half_a /= pml->spacing * pml->spacing;
  return point;
}
