#include "layers.h"
#include <math.h>

#define THINNEST 0.3 /* layer */
#define BED 0.22     /* thickness of a thin bed */
#define BED_THINNEST 0.08

enum { FAULT = 6, BEDS = 4 }; /* uniform numbers that each takes */

/* of the surfaces between sequences */
static const fm_fold_law surface = {0.05, 0.3, 10, 34, 0};

const fm_geology fm_geologies[] = {
    /* basin */
    {.layers = 11,
     .cover = 0.6,
     .basement = 0.25,
     .cover_low = 0.2,
     .cover_high = 0.5,
     .base_low = 0.75,
     .base_high = 0.95,
     .law = {{{0.02, 0.12, 10, 34, 0.02}, 1, 0.2, 0.7, 55, 75, 0.1, 0.5},
             {{0.07, 0.38, 8, 28, 0.04}, 3, 0.4, 1.5, 52, 75, 0.25, 0.6},
             {{0.16, 0.4, 9, 26, 0.04}, 2, 0.5, 1.5, 50, 70, 0.2, 0}},
     .start_low = 0.02,
     .start_high = 0.12,
     .growth_low = 0.45,
     .growth_high = 0.75,
     .strata = 0.55,
     .contrast = 0.055,
     .slow = 0.1,
     .fast = 0.06,
     .beds = 0.014},
    /* thrust */
    {.layers = 13,
     .cover = 0.6,
     .basement = 0.7,
     .cover_low = 0.08,
     .cover_high = 0.3,
     .base_low = 0.62,
     .base_high = 0.92,
     .law = {{{0.06, 0.25, 9, 30, 0.02}, 1, 0.2, 0.8, 50, 75, 0.2, 0.3},
             {{0.3, 0.65, 8.5, 26, 0.035}, 6, -3, -0.7, 32, 68, 0.9, 0},
             {{0.3, 0.6, 9, 26, 0.03}, 2, -1.5, -0.4, 40, 70, 0.4, 0}},
     .start_low = 0.04,
     .start_high = 0.18,
     .growth_low = 0.4,
     .growth_high = 0.65,
     .strata = 0.75,
     .contrast = 0.085,
     .slow = 0.1,
     .fast = 0.12,
     .beds = 0.02}};

/* ---- a draw ---- */

/* N(0, 1) of two uniform numbers */
static double normal(const double u[2]) {
  return sqrt(-2. * log(u[0])) * cos(2. * PETSC_PI * u[1]);
}

/* Tops from -margin on, and what each layer adds to the trend. */
static const double *read_beds(double thickness, double thinnest, double contrast, double slow,
                               double fast, double margin, const double *u, fm_beds *b) {
  double depth = -margin - fm_strata_first(thickness, thinnest, u);

  u += 2;
  for (int64_t k = 0; k < b->most; k++, u += BEDS) {
    const double n = normal(u + 1);

    b->top[k] = depth;
    b->value[k] = contrast * n;
    if (u[3] < slow) b->value[k] = -contrast * (1.2 + fabs(n));
    if (u[3] > 1 - fast) b->value[k] = contrast * (1.8 + 1.5 * fabs(n));
    depth += fm_strata_gap(thickness, thinnest, u[0]);
  }
  return u;
}

/* Evenly over the width, more or less; four of five dip the same way. */
static const double *read_faults(const fm_layers *l, const fm_sequence_law *law,
                                 const double *u, fm_sequence *s) {
  const double way = u[1] < 0.5 ? -1 : 1;

  s->faults = (int)(u[0] * (law->faults + 1));
  u += 2;
  for (int k = 0; k < s->faults; k++) {
    const double *v = u + FAULT * k;
    const double angle = fm_between(v[2], law->steep_low, law->steep_high) * PETSC_PI / 180.;
    fm_fault *f = &s->fault[k];

    f->x = l->width * 1.2 * (((double)k + v[0]) / s->faults - 0.5);
    f->z = l->depth / 2;
    f->sine = sin(angle);
    f->cosine = (v[1] < 0.8 ? way : -way) * cos(angle);
    f->slip = fm_between(v[3], law->slip_low, law->slip_high);
    f->drag = (f->slip < 0 ? -1 : 1) * v[4] * law->drag;
    f->taper = law->tip > 0 ? l->depth / 3 : 0;
    f->tip = fm_between(v[5], -0.5, 1) * law->tip * l->depth;
  }
  return u + FAULT * FM_FAULTS;
}

static double margin_of(const fm_layers *l, const fm_sequence_law *law) {
  return law->fold.dip * l->width / 2 + FM_FOLDS * law->fold.fold +
         law->faults * (law->drag + fmax(fabs(law->slip_low), fabs(law->slip_high)));
}

static const double *read_sequence(fm_layers *l, int which, const double *u) {
  const fm_geology *g = &l->g;
  const fm_sequence_law *law = &g->law[which];
  const double margin = margin_of(l, law);
  fm_sequence *s = &l->sequence[which];

  u = fm_fold_read(&surface, u, &s->top);
  u = fm_fold_read(&law->fold, u, &s->fold);
  u = read_faults(l, law, u, s);
  u = read_beds(1, THINNEST, g->contrast, g->slow, g->fast, margin, u, &s->layers);
  return read_beds(BED, BED_THINNEST, g->beds, 0, 0, margin, u, &s->beds);
}

void fm_layers_read(fm_layers *l, const double *u) {
  const fm_geology *g = &l->g;

  l->first = u[0] < g->cover ? 0 : 1;
  l->sequences = (u[1] < g->basement ? FM_SEQUENCES : FM_SEQUENCES - 1) - l->first;
  l->start = fm_between(u[2], g->start_low, g->start_high);
  l->growth = fm_between(u[3], g->growth_low, g->growth_high);
  l->sequence[0].top_depth = 0;
  l->sequence[1].top_depth = l->depth * fm_between(u[4], g->cover_low, g->cover_high);
  l->sequence[2].top_depth = l->depth * fm_between(u[5], g->base_low, g->base_high);
  u += 6;
  for (int k = 0; k < FM_SEQUENCES; k++) u = read_sequence(l, k, u);
}

/* ---- at a point ---- */

/* What lies above the plane goes back to where it was before it slipped. */
static void undo(const fm_fault *f, double *z, double *x) {
  const double side = f->cosine < 0 ? -1 : 1;
  const double above = side * (*x - f->x) * f->sine - (*z - f->z) * fabs(f->cosine);
  double share = 1;

  if (above < 0) return;
  if (f->taper > 0) {
    const double t = PetscMin(1., PetscMax(0., (*z - f->tip) / f->taper));

    share = t * t * (3 - 2 * t);
  }
  *x -= share * f->slip * f->cosine;
  *z -= share * (f->slip * f->sine + f->drag * exp(-above / 3));
}

int fm_layers_where(const fm_layers *l, double z, double x, double *u) {
  int which = l->first;

  for (int k = l->first + 1; k < l->first + l->sequences; k++) {
    const fm_sequence *s = &l->sequence[k];

    if (z >= fm_fold_at(&s->top, s->top_depth, x)) which = k;
  }
  const fm_sequence *s = &l->sequence[which];
  for (int k = s->faults - 1; k >= 0; k--) undo(&s->fault[k], &z, &x);
  *u = fm_fold_at(&s->fold, z, x);
  return which;
}

/* the last layer whose top is not below u */
static int64_t find(const fm_beds *b, double u) {
  int64_t low = 0, high = b->most;

  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;

    if (b->top[middle] <= u)
      low = middle;
    else
      high = middle;
  }
  return low;
}

double fm_layers_at(const fm_layers *l, double z, double x, double buried) {
  const fm_geology *g = &l->g;
  const double firm = PetscMin(1., 0.5 + 1.5 * buried / l->depth); /* what is shallow is soft */
  double u, laid;
  const fm_sequence *s = &l->sequence[fm_layers_where(l, z, x, &u)];
  const int64_t k = find(&s->layers, u);

  laid = k + 1 < s->layers.most ? (s->layers.top[k] + s->layers.top[k + 1]) / 2 : u;
  laid = fm_layers_squash(laid / l->depth, -0.2, 1.2, 0.4);
  return l->start + l->growth * (g->strata * laid + (1 - g->strata) * buried / l->depth) +
         firm * s->layers.value[k] + s->beds.value[find(&s->beds, u)];
}

double fm_layers_squash(double v, double low, double high, double soft) {
  if (v > high - soft) return high - soft * exp(-(v - (high - soft)) / soft);
  if (v < low + soft) return low + soft * exp(-(low + soft - v) / soft);
  return v;
}

/* ---- set-up ---- */

static PetscErrorCode make_beds(double length, double thinnest, fm_beds *b) {
  PetscFunctionBegin;
  b->most = 2 + (int64_t)(length / thinnest);
  PetscCall(fm_calloc(b->most, &b->top));
  PetscCall(fm_calloc(b->most, &b->value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layers_create(int geology, double depth, double width, fm_layers **out) {
  fm_layers *l;

  PetscFunctionBegin;
  PetscCall(PetscNew(&l));
  l->g = fm_geologies[geology];
  l->depth = depth;
  l->width = width;
  l->number = 6;
  for (int k = 0; k < FM_SEQUENCES; k++) {
    const double length = depth + 2 * margin_of(l, &l->g.law[k]) + 2;
    fm_sequence *s = &l->sequence[k];

    PetscCall(make_beds(length, THINNEST, &s->layers));
    PetscCall(make_beds(length, BED_THINNEST, &s->beds));
    l->number += 2 * FM_FOLD_NUMBERS + 2 + FAULT * FM_FAULTS + 2 * 2 +
                 BEDS * (s->layers.most + s->beds.most);
  }
  *out = l;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layers_destroy(fm_layers **l) {
  PetscFunctionBegin;
  if (!*l) PetscFunctionReturn(0);
  for (int k = 0; k < FM_SEQUENCES; k++) {
    fm_sequence *s = &(*l)->sequence[k];

    PetscCall(PetscFree(s->layers.top));
    PetscCall(PetscFree(s->layers.value));
    PetscCall(PetscFree(s->beds.top));
    PetscCall(PetscFree(s->beds.value));
  }
  PetscCall(PetscFree(*l));
  PetscFunctionReturn(0);
}
