/* reflectivity - generated images that look like migrated seismic sections, [row: depth]
   [column: trace]. Layers of random thickness, with coefficients of a Laplace law at their
   boundaries, are folded, then faulted; every boundary then adds its coefficient times a Ricker
   wavelet w at the depth where it meets a column:

       x(t, i) = scale sum_k c_k w(t - t_k(i)),
       t_k = throws(u_k + dip (i - centre) + sum_j a_j sin(2 pi (k_j i + l_j u_k) + phase_j), i)

   t_k is no integer: no staircase. Boundaries u_k are a stationary renewal process, the folds
   stationary in depth, and throws move one side of a fault as a whole; so 1 / thickness
   boundaries a pixel are expected everywhere, and the variance of a pixel is

       scale^2 E[c^2] / thickness  integral w^2,  integral w^2 = (3 / 4) sqrt(pi / 2) / (pi f),

   which is made 1 - background^2 for every geology and wavelet; white noise of std `background`
   makes it 1. Lengths are in pixels, f in cycles a pixel, so
   a larger image shows more of the same. It has no density that could be evaluated. Source of
   w: N. Ricker, Geophysics 18 (1953). */
#include "fathom/energy_impl.h"
#include "strata.h"
#include <math.h>

#define GEOLOGIES "gentle|complex"

const fm_option fm_energy_reflectivity_options[] = {
    {"reflectivity_shape", FM_OPTION_TEXT, "64x64", FM_COMMANDS_PHYSICS,
     "size of a generated image: depths and traces, as NZxNX"},
    {"reflectivity_geology", FM_OPTION_TEXT, "gentle", FM_COMMANDS_PHYSICS,
     "layers: gentle (thick, mildly folded, few faults) or complex (thin, folded and faulted): "
     "gentle|complex"},
    {"reflectivity_wavelet", FM_OPTION_REAL, "", FM_COMMANDS_PHYSICS,
     "peak frequency of the Ricker wavelet in cycles a pixel; default: that of the geology, "
     "gentle 0.07, complex 0.11"},
    {"reflectivity_background", FM_OPTION_REAL, "0.05", FM_COMMANDS_PHYSICS,
     "std of white noise in the images, whose own is 1 with it; at 0 they have no density that "
     "a flow could learn"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct {
  double thickness, thinnest; /* of a layer: mean, least */
  double wavelet;             /* peak frequency */
  fm_fold_law fold;           /* dip: depth a trace */
  double faults;              /* mean number on 64 traces */
  double throw_low, throw_high;
  double lean_low, lean_high; /* traces a depth along a fault */
} geology;

static const geology geologies[] = {
    {9, 3, 0.07, {0.08, 2.5, 90, 240, 1. / 150}, 0.3, 3, 7, 0.2, 0.5},
    {5, 2, 0.11, {0.3, 4, 40, 110, 1. / 90}, 1.6, 4, 10, 0.2, 0.7}};

typedef struct {
  geology g;
  int64_t rows, columns, number; /* number: of uniform numbers that an image takes */
  int64_t most, faults;          /* layers and faults at most */
  double margin;                 /* depths above and below that may come into view */
  double reach;                  /* of the wavelet */
  double scale, background;
  double *u, *row; /* [number], [rows] */
} reflectivity;

/* One image's structure, from uniform numbers. */
typedef struct {
  fm_fold fold;
  int64_t faults;
  const double *fault; /* [faults][FAULT] uniform */
} structure;

enum { FAULT = 3, LAYER = 2 }; /* uniform numbers that each takes */

/* ---- structure ---- */

static const double *read_structure(const reflectivity *r, const double *u, structure *s) {
  const geology *g = &r->g;
  const double mean = g->faults * (double)r->columns / 64.;

  u = fm_fold_read(&g->fold, u, &s->fold);
  s->faults = (int64_t)(2. * mean * u[0] + u[1]); /* mean: `mean` */
  s->fault = u + 2;
  return u + 2 + FAULT * r->faults;
}

/* A normal fault: what lies above its plane has gone down by the throw. What then lies below
   the plane, or lay there and above it, is not there: the move is NaN. */
static double slip(const reflectivity *r, const double *u, double t, double across) {
  const geology *g = &r->g;
  const double side = u[1] < 0.5 ? -1. : 1., v = 2. * u[1] - (u[1] < 0.5 ? 0. : 1.);
  const double lean = side * fm_between(v, g->lean_low, g->lean_high);
  const double plane =
      (double)(r->rows - 1) / 2. + (across - (u[0] - 0.5) * 1.25 * (double)r->columns) / lean;
  const double moved = t + fm_between(u[2], g->throw_low, g->throw_high);

  if (t >= plane) return t;
  return moved < plane ? moved : (double)NAN;
}

static double place(const reflectivity *r, const structure *s, double depth, double across) {
  double t = fm_fold_at(&s->fold, depth, across);

  for (int64_t k = 0; k < s->faults; k++) t = slip(r, s->fault + FAULT * k, t, across);
  return t;
}

/* ---- layers ---- */

/* variance 2 */
static double laplace(double u) { return u < 0.5 ? log(2. * u) : -log(2. * (1. - u)); }

/* row[t] += c w(t - at) */
static void add_wavelet(const reflectivity *r, double c, double at) {
  const int64_t first = PetscMax((int64_t)0, (int64_t)ceil(at - r->reach));
  const int64_t last = PetscMin(r->rows - 1, (int64_t)floor(at + r->reach));

  for (int64_t t = first; t <= last; t++) {
    const double b = PETSC_PI * r->g.wavelet * ((double)t - at), a = b * b;

    r->row[t] += c * (1. - 2. * a) * exp(-a);
  }
}

static void draw_column(const reflectivity *r, const structure *s, const double *u,
                        double across) {
  double depth = -r->margin + fm_strata_first(r->g.thickness, r->g.thinnest, u);

  PetscArrayzero(r->row, (size_t)r->rows);
  u += 2;
  for (int64_t k = 0; k < r->most && depth < (double)r->rows + r->margin; k++, u += LAYER) {
    const double t = place(r, s, depth, across);

    if (t > -r->reach && t < (double)r->rows + r->reach)
      add_wavelet(r, r->scale * laplace(u[0]), t);
    depth += fm_strata_gap(r->g.thickness, r->g.thinnest, u[1]);
  }
}

/* ---- the energy ---- */

static PetscErrorCode reflectivity_evaluate(fm_energy *e, fm_key key, int64_t nb,
                                            const fm_real *x, double *value, fm_real *x_bar,
                                            PetscBool *ok) {
  PetscFunctionBegin;
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_SUP,
          "reflectivity has no density: it is for simulate; as the prior of an inversion train "
          "a flow on its images (pretrain -flow_conditional false) and give -prior flow");
}

static PetscErrorCode reflectivity_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                          fm_real *x) {
  reflectivity *r = (reflectivity *)e->data;
  structure s;

  PetscFunctionBegin;
  for (int64_t i = 0; i < nb; i++) {
    const double *layers;

    fm_rng_uniform(rng, 0, (uint64_t)(first + i), (size_t)r->number, r->u);
    fm_rng_normal(rng, 1, (uint64_t)(first + i), (size_t)e->n, x + i * e->n);
    layers = read_structure(r, r->u, &s);
    for (int64_t k = 0; k < r->columns; k++) {
      draw_column(r, &s, layers, (double)k - (double)(r->columns - 1) / 2.);
      for (int64_t t = 0; t < r->rows; t++) {
        fm_real *at = x + (i * r->rows + t) * r->columns + k;

        *at = (fm_real)(r->row[t] + r->background * (double)*at);
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode reflectivity_moments(fm_energy *e, double *mean, double *std) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < e->n; i++) {
    mean[i] = 0.;
    std[i] = 1.;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode reflectivity_destroy(fm_energy *e) {
  reflectivity *r = (reflectivity *)e->data;

  PetscFunctionBegin;
  PetscCall(PetscFree2(r->u, r->row));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

static const fm_energy_ops reflectivity_ops = {.evaluate = reflectivity_evaluate,
                                               .sample = reflectivity_sample,
                                               .moments = reflectivity_moments,
                                               .destroy = reflectivity_destroy};

/* ---- set-up ---- */

/* How far from the image a boundary may begin and yet be seen. */
static double margin_of(const reflectivity *r) {
  const geology *g = &r->g;

  return g->fold.dip * (double)r->columns / 2. + FM_FOLDS * g->fold.fold +
         (double)r->faults * g->throw_high + r->reach;
}

static PetscErrorCode read_options(MPI_Comm comm, reflectivity *r) {
  int64_t shape[2];
  PetscBool given;
  int which;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("reflectivity_geology", GEOLOGIES, &which));
  r->g = geologies[which];
  PetscCall(fm_option_shape("reflectivity_shape", "depths and traces as NZxNX", shape));
  fm_check(shape[0] >= 1 && shape[1] >= 1 && shape[0] <= 8192 && shape[1] <= 8192, comm,
           PETSC_ERR_USER, "-reflectivity_shape %lldx%lld: 1 to 8192 a side are possible",
           (long long)shape[0], (long long)shape[1]);
  r->rows = shape[0];
  r->columns = shape[1];
  PetscCall(fm_option_given("reflectivity_wavelet", &given));
  if (given) PetscCall(fm_option_real_in("reflectivity_wavelet", 0.01, 0.2, &r->g.wavelet));
  PetscCall(fm_option_real_in("reflectivity_background", 0., 0.9, &r->background));
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare(reflectivity *r) {
  const geology *g = &r->g;
  const double energy = 0.75 * sqrt(PETSC_PI / 2.) / (PETSC_PI * g->wavelet);

  PetscFunctionBegin;
  r->reach = 5. / (PETSC_PI * g->wavelet); /* there w is 7e-10 */
  r->scale = sqrt((1. - r->background * r->background) * g->thickness / (2. * energy));
  r->faults = 1 + (int64_t)ceil(2. * g->faults * (double)r->columns / 64.);
  r->margin = margin_of(r);
  r->most = 2 + (int64_t)(((double)r->rows + 2. * r->margin) / g->thinnest);
  r->number = FM_FOLD_NUMBERS + 2 + FAULT * r->faults + 2 + LAYER * r->most;
  PetscCall(PetscMalloc2(r->number, &r->u, r->rows, &r->row));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_reflectivity_create(const fm_energy_inputs *inputs, fm_energy *e) {
  MPI_Comm comm = inputs->comm->world;
  reflectivity *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  e->data = r;
  e->ops = &reflectivity_ops;
  PetscCall(read_options(comm, r));
  e->n = r->rows * r->columns;
  fm_check(
      !inputs->n || inputs->n == e->n, comm, PETSC_ERR_USER,
      "-reflectivity_shape %lldx%lld is an image of %lld unknowns, the operator takes %lld",
      (long long)r->rows, (long long)r->columns, (long long)e->n, (long long)inputs->n);
  PetscCall(fm_operator_model_fits(inputs->op, comm, "-reflectivity_shape",
                                   (const int64_t[]){r->rows, r->columns}));
  PetscCall(prepare(r));
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "reflectivity images %lld x %lld, Ricker %g cycles a pixel",
                          (long long)r->rows, (long long)r->columns, r->g.wavelet));
  PetscFunctionReturn(0);
}
