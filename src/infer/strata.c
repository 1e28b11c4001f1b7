#include "strata.h"
#include <math.h>

double fm_between(double u, double low, double high) { return low + u * (high - low); }

const double *fm_fold_read(const fm_fold_law *law, const double *u, fm_fold *f) {
  f->dip = fm_between(*u++, -law->dip, law->dip);
  for (int j = 0; j < FM_FOLDS; j++, u += 4) {
    f->a[j] = u[0] * law->fold;
    f->k[j] = 1. / fm_between(u[1], law->wave_low, law->wave_high);
    f->l[j] = fm_between(u[2], -law->shear, law->shear);
    f->phase[j] = u[3];
  }
  return u;
}

double fm_fold_at(const fm_fold *f, double depth, double across) {
  double t = depth + f->dip * across;

  for (int j = 0; j < FM_FOLDS; j++)
    t += f->a[j] * sin(2. * PETSC_PI * (f->k[j] * across + f->l[j] * depth + f->phase[j]));
  return t;
}

double fm_strata_first(double thickness, double thinnest, const double u[2]) {
  const double share = thinnest / thickness;

  if (u[0] < share) return u[0] / share * thinnest;
  return thinnest - (thickness - thinnest) * log(u[1]);
}

double fm_strata_gap(double thickness, double thinnest, double u) {
  return thinnest - (thickness - thinnest) * log(u);
}
