/* The range that pairs of one kind have: by order statistics, or by a fit. */
#include "fathom/typical.h"
#include <math.h>
#include <stdlib.h>

#define TAIL 0.001
#define NORMAL 3.090232306167813 /* of N(0, 1), at 1 - TAIL */
#define LEAST 8                  /* values for a fit */

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

/* At (N + 1) p: one more value is below with probability p. */
static double order_statistic(int64_t count, const double *sorted, double p) {
  const double place = ((double)count + 1) * p;
  const int64_t below = (int64_t)floor(place);

  return sorted[below - 1] + (place - (double)below) * (sorted[below] - sorted[below - 1]);
}

static void moments(int64_t count, const double *v, double *mean, double *std, double *skew) {
  const double n = (double)count;
  double square = 0, cube = 0;

  *mean = 0;
  for (int64_t i = 0; i < count; i++) *mean += v[i] / n;
  for (int64_t i = 0; i < count; i++) {
    const double d = v[i] - *mean;

    square += d * d;
    cube += d * d * d;
  }
  *std = count > 1 ? sqrt(square / (n - 1)) : 0;
  *skew = square > 0 ? cube / n / pow(square / n, 1.5) : 0;
}

/* How many standard deviations, both estimated from `count` normal values, one more is within:
   Student's quantile by its expansion in 1 / dof. */
static double reach(int64_t count) {
  const double z = NORMAL, f = (double)count - 1;
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, z9 = z7 * z * z;
  const double t =
      z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f) +
      (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * f * f * f) +
      (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * f * f * f * f);

  return t * sqrt(1 + 1 / (double)count);
}

/* Standardised Pearson III of skewness g where the standard normal has z. */
static double pearson(double g, double z) {
  if (fabs(g) < 1e-6) return z;
  return 2 / g * (pow(fmax(0, 1 + g * z / 6 - g * g / 36), 3) - 1);
}

/* Sorts; mean and std, and the range where order statistics have it. True: it has. */
static PetscBool begin(int64_t count, double *values, fm_typical *t, double *skew) {
  qsort(values, (size_t)count, sizeof(*values), ascending);
  moments(count, values, &t->mean, &t->std, skew);
  t->pairs = count;
  t->low = t->high = 0;
  if (count < FM_TYPICAL_EMPIRICAL) return PETSC_FALSE;
  t->low = order_statistic(count, values, TAIL);
  t->high = order_statistic(count, values, 1 - TAIL);
  return PETSC_TRUE;
}

void fm_typical_of_squares(int64_t count, double *values, fm_typical *t) {
  double mean, std, skew;

  if (begin(count, values, t, &skew) || count < LEAST) return;
  for (int64_t i = 0; i < count; i++) values[i] = cbrt(values[i]);
  moments(count, values, &mean, &std, &skew);
  for (int64_t i = 0; i < count; i++) values[i] = pow(values[i], 3);
  t->low = pow(fmax(0, mean - reach(count) * std), 3);
  t->high = pow(mean + reach(count) * std, 3);
}

void fm_typical_of_values(int64_t count, double *values, fm_typical *t) {
  double skew;

  if (begin(count, values, t, &skew) || count < LEAST) return;
  t->low = t->mean + t->std * pearson(skew, -reach(count));
  t->high = t->mean + t->std * pearson(skew, reach(count));
}

PetscBool fm_typical_has_range(const fm_typical *t) {
  return t->high > t->low ? PETSC_TRUE : PETSC_FALSE;
}

int fm_typical_side(const fm_typical *t, double value) {
  if (!fm_typical_has_range(t)) return 0;
  return value < t->low ? -1 : value <= t->high ? 0 : 1; /* NaN is above */
}
