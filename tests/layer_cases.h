/* The subjects of contract_layer.c: every registered layer in every lane, at several sizes, and
   whole networks, with parameters, a batch and a linear functional of what comes out. */
#ifndef FM_LAYER_CASES_H
#define FM_LAYER_CASES_H

#include "fm_test.h"
#include "fathom/layer.h"

#ifdef FM_SINGLE
enum { SINGLE = 1 };
#else
enum { SINGLE = 0 };
#endif
static const double STEP = SINGLE ? 1e-3 : 4e-6; /* of the finite differences */

/* ---- subjects ---- */

typedef struct subject {
  char label[160];
  fm_flow *flow;
  int64_t n, m, nb, nx, ny, size; /* nx = nb n, ny = nb m: numbers of a lane; of theta */
  fm_real *theta, *x, *y;
  fm_real *cx, *cy, *lx, *ly; /* L = cx . x' + cy . y' + lx . logdet_x + ly . logdet_y */
  fm_condition *condition;    /* if set, y is NULL and one observation stands for it */
} subject;

static fm_real *random_array(uint64_t index, int64_t count, double deviation) {
  fm_real *p;

  fm_ok(fm_calloc(count + 1, &p));
  fm_rng_normal((fm_rng){11, FM_STREAM_CHECK}, index, 0, (size_t)count, p);
  for (int64_t i = 0; i < count; i++) p[i] *= (fm_real)deviation;
  return p;
}

static void prepare(subject *s) {
  const fm_flow_spec *spec = fm_flow_get_spec(s->flow);
  fm_real *kick;

  s->n = fm_shape_size(spec->x);
  s->m = fm_shape_size(spec->y);
  s->nb = 5;
  s->nx = s->nb * s->n;
  s->ny = s->nb * s->m;
  s->size = fm_flow_layout(s->flow)->size;
  fm_ok(fm_calloc(s->size + 1, &s->theta));
  fm_ok(fm_flow_initialize(s->flow, (fm_rng){3, FM_STREAM_INITIAL}, s->theta));
  kick = random_array(1, s->size, 0.1);
  for (int64_t i = 0; i < s->size; i++) s->theta[i] = (fm_real)0.6 * s->theta[i] + kick[i];
  fm_ok(PetscFree(kick));
  s->x = random_array(2, s->nx, 1);
  s->y = s->m ? random_array(3, s->ny, 1) : NULL;
  s->cx = random_array(4, s->nx, 1);
  s->cy = random_array(5, s->ny, 1);
  s->lx = random_array(6, s->nb, 1);
  s->ly = random_array(7, s->nb, 1);
}

static void clear(subject *s) {
  fm_ok(fm_condition_destroy(&s->condition));
  fm_ok(fm_flow_destroy(&s->flow));
  fm_ok(PetscFree(s->theta));
  fm_ok(PetscFree(s->x));
  fm_ok(PetscFree(s->y));
  fm_ok(PetscFree(s->cx));
  fm_ok(PetscFree(s->cy));
  fm_ok(PetscFree(s->lx));
  fm_ok(PetscFree(s->ly));
}

static fm_flow_spec spec_of(const char *network, const char *variant, fm_shape x, fm_shape y,
                            int64_t depth, int64_t hidden) {
  /* few bins in float: its coarse differences see the kinks of log g' at the knots */
  fm_flow_spec spec = {.depth = depth,
                       .hidden = hidden,
                       .bins = SINGLE ? 3 : 5,
                       .bound = 3,
                       .reflections = 3,
                       .x = x,
                       .y = y};

  snprintf(spec.network, sizeof(spec.network), "%s", network);
  snprintf(spec.variant, sizeof(spec.variant), "%s", variant);
  return spec;
}

/* From here on one observation stands for y. */
static void use_condition(subject *s) {
  fm_ok(fm_flow_condition(s->flow, s->theta, s->y, &s->condition));
  fm_ok(PetscFree(s->y));
  s->ny = 0;
  strcat(s->label, ", condition");
}

typedef void (*check)(subject *s, fm_direction direction);

static void both_directions(subject *s, check run) {
  run(s, FM_NORMALIZE);
  run(s, FM_GENERATE);
  clear(s);
}

static void one_layer(const fm_layer_kind *kind, fm_lane lane, fm_shape shape,
                      const char *variant, check run) {
  /* the y of an image's affine coupling has its pixels */
  const fm_shape image = {3, {shape.n[0], shape.n[1], 1}}, none = fm_shape_vector(0);
  const fm_shape other = strcmp(kind->name, "conditional") ? fm_shape_vector(3) : image;
  const int reads = kind->ops->reads_y;
  const fm_flow_spec spec = spec_of("", variant, lane == FM_LANE_X ? shape : other,
                                    lane == FM_LANE_X ? (reads ? other : none) : shape, 1,
                                    fm_shape_pixels(shape) > 1 ? 16 : 10);
  subject s = {.flow = NULL};

  snprintf(s.label, sizeof(s.label), "layer %s (%s), lane %c, size %d x %d x %d", kind->name,
           variant, lane == FM_LANE_X ? 'x' : 'y', (int)shape.c, (int)shape.n[0],
           (int)shape.n[1]);
  fm_ok(fm_flow_create_layer(&spec, kind->name, lane, &s.flow));
  prepare(&s);
  both_directions(&s, run);
}

/* A layer of every lane that it can have. */
static void vectors(const fm_layer_kind *kind, fm_lane lane, check run) {
  const int64_t sizes[] = {1, 2, 3, 6, 8, 16};

  for (int i = 0; i < 6; i++) one_layer(kind, lane, fm_shape_vector(sizes[i]), "default", run);
  one_layer(kind, lane, fm_shape_vector(6), "official", run);
}

static void images(const fm_layer_kind *kind, fm_lane lane, check run) {
  if (strcmp(kind->name, "haar")) {
    one_layer(kind, lane, (fm_shape){2, {3, 1, 1}}, "default", run);
    one_layer(kind, lane, (fm_shape){5, {2, 3, 1}}, "default", run);
    if (!strstr(kind->name, "spline")) /* it knows no variants */
      one_layer(kind, lane, (fm_shape){3, {2, 2, 1}}, "official", run);
  } else {
    one_layer(kind, lane, (fm_shape){1, {2, 2, 1}}, "default", run);
    one_layer(kind, lane, (fm_shape){3, {4, 2, 1}}, "default", run);
  }
}

static void every_layer(check run) {
  int64_t count;
  const fm_layer_kind *kind = fm_layer_kinds(&count);

  assert_true(count >= 7);
  for (int64_t k = 0; k < count; k++)
    for (int lane = 0; lane < (kind[k].ops->reads_y ? 1 : 2); lane++) {
      if (strcmp(kind[k].name, "haar")) vectors(&kind[k], (fm_lane)lane, run);
      images(&kind[k], (fm_lane)lane, run);
    }
}

static void one_network(const char *network, const char *variant, int64_t n, int64_t m,
                        int conditioned, check run) {
  const fm_flow_spec spec =
      spec_of(network, variant, fm_shape_vector(n), fm_shape_vector(m), 2, 7);
  subject s = {.flow = NULL};

  snprintf(s.label, sizeof(s.label), "network %s (%s), n = %d, m = %d", network, variant,
           (int)n, (int)m);
  fm_ok(fm_flow_create(&spec, &s.flow));
  prepare(&s);
  if (conditioned) use_condition(&s);
  both_directions(&s, run);
}

/* HINT of images, conditioned on images of the same pixels, or on none. */
static void one_image_network(fm_shape x, int64_t y_channels, int64_t squeezes, int conditioned,
                              check run) {
  const fm_shape y = {y_channels, {x.n[0], x.n[1], 1}};
  /* native kernels take 16, oneDNN or im2col 5 */
  fm_flow_spec spec = spec_of("hint", "default", x, y, 2, conditioned ? 5 : 16);
  subject s = {.flow = NULL};

  spec.squeezes = squeezes;
  snprintf(s.label, sizeof(s.label), "network hint of images %d x %d x %d, %d channels of y",
           (int)x.c, (int)x.n[0], (int)x.n[1], (int)y_channels);
  fm_ok(fm_flow_create(&spec, &s.flow));
  prepare(&s);
  if (conditioned) use_condition(&s);
  both_directions(&s, run);
}

/* Two scales, the second with half of the channels, behind a linear layer of the model. */
static void one_scaled_network(const char *linear, int64_t y_channels, int conditioned,
                               check run) {
  /* 4: the second scale has one pixel; a float's step crosses too many kinks of 8 */
  const int64_t width = conditioned || SINGLE ? 4 : 8;
  const fm_shape x = {1, {4, width, 1}}, y = {y_channels, {4, width, 1}};
  fm_flow_spec spec = spec_of("hint", "default", x, y, 2, 16);
  subject s = {.flow = NULL};

  spec.squeezes = 1;
  spec.scales = 2;
  strcpy(spec.linear, linear);
  snprintf(s.label, sizeof(s.label), "network hint of two scales, %s, %d channels of y", linear,
           (int)y_channels);
  fm_ok(fm_flow_create(&spec, &s.flow));
  prepare(&s);
  if (conditioned) use_condition(&s);
  both_directions(&s, run);
}

static void image_networks(check run) {
  one_scaled_network("elementwise", 1, 0, run);
  one_scaled_network("triangular", 1, 1, run);
  one_image_network((fm_shape){1, {4, 2, 1}}, 1, 1, 0, run);
  one_image_network((fm_shape){1, {2, 4, 1}}, 2, 1, 1, run);
  one_image_network((fm_shape){3, {3, 2, 1}}, 0, 0, 0, run);
}

static void every_network(check run) {
  const int64_t size[][2] = {{2, 2}, {8, 6}, {3, 1}, {5, 0}};

  for (int i = 0; i < 4; i++)
    for (int conditioned = 0; conditioned < (size[i][1] ? 2 : 1); conditioned++) {
      one_network("hint", "default", size[i][0], size[i][1], conditioned, run);
      one_network("hint", "official", size[i][0], size[i][1], conditioned, run);
      one_network("hint", "bounded", size[i][0], size[i][1], conditioned, run);
      one_network("spline", "default", size[i][0], size[i][1], conditioned, run);
      one_network("triangular", "default", size[i][0], size[i][1], conditioned, run);
      one_network("elementwise", "default", size[i][0], size[i][1], conditioned, run);
    }
}

static void everything(check run) {
  every_layer(run);
  every_network(run);
  image_networks(run);
}

/* ---- what is measured ---- */

typedef struct result {
  fm_real *x, *y, *logdet_x, *logdet_y;
} result;

static void new_result(const subject *s, result *r) {
  fm_ok(fm_calloc(s->nx, &r->x));
  fm_ok(fm_calloc(s->ny + 1, &r->y));
  fm_ok(fm_calloc(s->nb, &r->logdet_x));
  fm_ok(fm_calloc(s->nb, &r->logdet_y));
}

static void free_result(result *r) {
  fm_ok(PetscFree(r->x));
  fm_ok(PetscFree(r->y));
  fm_ok(PetscFree(r->logdet_x));
  fm_ok(PetscFree(r->logdet_y));
}

static fm_lanes lanes_of(const subject *s, fm_real *x, fm_real *y) {
  return (fm_lanes){x, s->ny ? y : NULL, s->condition, NULL};
}

static void apply(const subject *s, fm_direction direction, fm_real *x, fm_real *y, result *r) {
  fm_ok(fm_flow_apply(s->flow, s->theta, direction, s->nb, lanes_of(s, x, y),
                      lanes_of(s, r->x, r->y), (fm_logdet){r->logdet_x, r->logdet_y}));
}

static double dot(int64_t count, const fm_real *a, const fm_real *b) {
  double sum = 0;

  for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static double value(const subject *s, fm_direction direction) {
  double sum;
  result r;

  new_result(s, &r);
  apply(s, direction, s->x, s->y, &r);
  sum = dot(s->nx, s->cx, r.x) + dot(s->ny, s->cy, r.y) + dot(s->nb, s->lx, r.logdet_x);
  if (s->ny) sum += dot(s->nb, s->ly, r.logdet_y);
  free_result(&r);
  return sum;
}

/* The largest |a - b| / max(1, |a|, |b|) may be `tolerance`. */
static void near_all(const subject *s, const char *what, int64_t count, const fm_real *a,
                     const fm_real *b, double tolerance) {
  for (int64_t i = 0; i < count; i++) {
    const double scale = fmax(1, fmax(fabs((double)a[i]), fabs((double)b[i])));

    if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * scale))
      fail_msg("%s: %s[%d]: %.17g and %.17g, difference above %.3g", s->label, what, (int)i,
               (double)a[i], (double)b[i], tolerance);
  }
}

static void same_bits(const subject *s, const char *what, int64_t count, const fm_real *a,
                      const fm_real *b) {
  if (count && memcmp(a, b, (size_t)count * sizeof(*a)))
    fail_msg("%s: %s: not the same bits", s->label, what);
}

/* d value(v + t d) / dt at t = 0, v [count], by central differences of two steps, extrapolated;
   in float of one. */
static double slope(subject *s, fm_direction direction, int64_t count, fm_real *v,
                    const fm_real *d, double step) {
  fm_real *keep;
  double f[4];

  fm_ok(fm_calloc(count, &keep));
  fm_ok(PetscArraycpy(keep, v, count));
  for (int i = SINGLE; i < 4 - SINGLE; i++) {
    const int at[] = {-2, -1, 1, 2};

    for (int64_t j = 0; j < count; j++) v[j] = keep[j] + (fm_real)(at[i] * step) * d[j];
    f[i] = value(s, direction);
  }
  fm_ok(PetscArraycpy(v, keep, count));
  fm_ok(PetscFree(keep));
  return SINGLE ? (f[2] - f[1]) / (2 * step)
                : (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * step);
}

/* How far slope() is from the gradient's g; a difference crosses the kink of a ReLU now and
   then, and is made again by a smaller step, in double. */
static double slope_error(subject *s, fm_direction direction, int64_t count, fm_real *v,
                          const fm_real *d, double g) {
  double error = fabs(slope(s, direction, count, v, d, STEP) - g) / fmax(1, fabs(g));

  for (int k = 8; !SINGLE && !(error <= 1e-7) && k < 1000; k *= 8)
    error = fabs(slope(s, direction, count, v, d, STEP / k) - g) / fmax(1, fabs(g));
  return error;
}

#endif
