/* One part of an acoustic operator, with its Vecs, on one rank. */
#ifndef ACOUSTIC_FIXTURE_H
#define ACOUSTIC_FIXTURE_H

#include "acoustic_cases.h"

static const double tight = sizeof(fm_real) == 4 ? 1e-5 : 1e-12;

typedef struct fixture {
  fm_operator *op;
  PetscInt part;
  Vec x, dx, gx, d, dd, w;
} fixture;

static inline void vecs(fixture *f, PetscInt part) {
  f->part = part;
  fm_ok(fm_operator_create_vecs(f->op, part, &f->x, &f->d));
  fm_ok(VecDuplicate(f->x, &f->dx));
  fm_ok(VecDuplicate(f->x, &f->gx));
  fm_ok(VecDuplicate(f->d, &f->dd));
  fm_ok(VecDuplicate(f->d, &f->w));
}

static inline void free_vecs(fixture *f) {
  Vec *all[] = {&f->x, &f->dx, &f->gx, &f->d, &f->dd, &f->w};

  for (int k = 0; k < 6; k++) fm_ok(VecDestroy(all[k]));
}

static inline void end(fixture *f) {
  free_vecs(f);
  fm_ok(fm_operator_destroy(&f->op));
}

static inline void linearize(fixture *f, Vec x, Vec d) {
  PetscBool ok;

  fm_ok(fm_operator_linearize(f->op, f->part, x, d, &ok));
  if (!ok) fail_msg("the solve failed: %s", fm_operator_reason(f->op));
}

static inline double norm(Vec v) {
  double n;

  fm_ok(VecNorm(v, NORM_2, &n));
  return n;
}

static inline double dot(Vec a, Vec b) {
  double n;

  fm_ok(VecDot(a, b, &n));
  return n;
}

/* |a - b| / |b| */
static inline double apart(Vec a, Vec b) {
  double n;
  Vec c;

  fm_ok(VecDuplicate(a, &c));
  fm_ok(VecWAXPY(c, -1, a, b));
  n = norm(c) / norm(b);
  fm_ok(VecDestroy(&c));
  return n;
}

#define SMALL                                                                                  \
  "-acoustic_shape 20x17 -acoustic_spacing 10,12 -acoustic_steps 80 "                          \
  "-acoustic_wavelet_frequency 20 -acoustic_sources 73,91.5,120,48 -acoustic_receivers "       \
  "40,24,61.7,140,100,155.5,15,100 -acoustic_allow_dispersion "
#define FAST "-acoustic_dt 0.0012 "

typedef struct feature {
  const char *options;
  double centre, scale; /* of x */
} feature;

static inline void begin(fixture *f, const feature *a, const char *name, PetscInt part) {
  f->op = acoustic_make(PETSC_COMM_SELF, name, SMALL "%s", a->options);
  vecs(f, part);
  acoustic_fill(f->x, 1, a->centre, a->scale);
  acoustic_fill(f->dx, 2, 0, a->scale);
  acoustic_fill(f->dd, 3, 0, 1);
}

#endif
