/* The contract of a layer, for every line of layers.def in every lane, and for whole networks:
   round trip, log-determinant against a numerical Jacobian, vjp in x, y and theta against
   finite differences, the rebuilt input, frozen weights, in-place use, cut batches and the
   data-dependent start. */
#include "layer_cases.h"

/* ---- round trip, and the two directions' log-determinants ---- */

static void round_trip(subject *s, fm_direction direction) {
  const fm_direction back = direction == FM_NORMALIZE ? FM_GENERATE : FM_NORMALIZE;
  result there, here;

  new_result(s, &there);
  new_result(s, &here);
  apply(s, direction, s->x, s->y, &there);
  apply(s, back, there.x, there.y, &here);
  near_all(s, "x there and back", s->nx, s->x, here.x, SINGLE ? 1e-4 : 1e-12);
  near_all(s, "y there and back", s->ny, s->y, here.y, SINGLE ? 1e-4 : 1e-12);
  for (int64_t b = 0; b < s->nb; b++) {
    here.logdet_x[b] *= -1;
    here.logdet_y[b] *= -1;
  }
  near_all(s, "logdet x", s->nb, there.logdet_x, here.logdet_x, SINGLE ? 1e-4 : 1e-12);
  near_all(s, "logdet y", s->nb, there.logdet_y, here.logdet_y, SINGLE ? 1e-4 : 1e-12);
  free_result(&there);
  free_result(&here);
}

static void test_round_trip(void **state) { everything(round_trip); }

/* ---- log-determinant ---- */

/* log|det a|, a [k][k] destroyed, by Gauss elimination with pivots. */
static double log_abs_det(int64_t k, double *a) {
  double sum = 0;

  for (int64_t c = 0; c < k; c++) {
    int64_t pivot = c;

    for (int64_t r = c + 1; r < k; r++)
      if (fabs(a[r * k + c]) > fabs(a[pivot * k + c])) pivot = r;
    for (int64_t j = 0; j < k; j++) {
      const double swap = a[c * k + j];

      a[c * k + j] = a[pivot * k + j];
      a[pivot * k + j] = swap;
    }
    sum += log(fabs(a[c * k + c]));
    for (int64_t r = c + 1; r < k; r++) {
      const double factor = a[r * k + c] / a[c * k + c];

      for (int64_t j = c; j < k; j++) a[r * k + j] -= factor * a[c * k + j];
    }
  }
  return sum;
}

/* jac[b][i][j] = d out_i / d in_j of one lane, of size k, for every sample. */
static void lane_jacobian(subject *s, fm_direction direction, int of_y, double step,
                          double *jac) {
  const int64_t k = of_y ? s->m : s->n;
  fm_real *in = of_y ? s->y : s->x;
  result plus, minus;

  new_result(s, &plus);
  new_result(s, &minus);
  for (int64_t j = 0; j < k; j++) {
    for (int64_t b = 0; b < s->nb; b++) in[b * k + j] += (fm_real)step;
    apply(s, direction, s->x, s->y, &plus);
    for (int64_t b = 0; b < s->nb; b++) in[b * k + j] -= (fm_real)(2 * step);
    apply(s, direction, s->x, s->y, &minus);
    for (int64_t b = 0; b < s->nb; b++) in[b * k + j] += (fm_real)step;
    for (int64_t b = 0; b < s->nb; b++)
      for (int64_t i = 0; i < k; i++) {
        const fm_real *p = of_y ? plus.y : plus.x, *q = of_y ? minus.y : minus.x;

        jac[(b * k + i) * k + j] = ((double)p[b * k + i] - (double)q[b * k + i]) / (2 * step);
      }
  }
  free_result(&plus);
  free_result(&minus);
}

/* The largest error of logdet [nb] against the numerical Jacobian of that step. */
static double logdet_error(subject *s, fm_direction direction, int of_y, double step,
                           const fm_real *logdet) {
  const int64_t k = of_y ? s->m : s->n;
  double *jac, most = 0;

  fm_ok(fm_calloc(s->nb * k * k, &jac));
  lane_jacobian(s, direction, of_y, step, jac);
  for (int64_t b = 0; b < s->nb; b++) {
    const double numerical = log_abs_det(k, jac + b * k * k);
    const double error = fabs(numerical - (double)logdet[b]) / fmax(1, fabs(numerical));

    if (!(error <= most)) most = error;
  }
  fm_ok(PetscFree(jac));
  return most;
}

/* As in against_differences, a kink is passed over by a smaller step, in double. */
static void lane_logdet(subject *s, fm_direction direction, int of_y, const fm_real *logdet) {
  const double bar = SINGLE ? 1e-2 : 1e-7;
  double error = logdet_error(s, direction, of_y, STEP, logdet);

  for (int k = 8; !SINGLE && !(error <= bar) && k < 1000; k *= 8)
    error = logdet_error(s, direction, of_y, STEP / k, logdet);
  if (!(error <= bar))
    fail_msg("%s: logdet of %c is off by %.3g", s->label, of_y ? 'y' : 'x', error);
}

static void logdet_check(subject *s, fm_direction direction) {
  result r;

  new_result(s, &r);
  apply(s, direction, s->x, s->y, &r);
  lane_logdet(s, direction, 0, r.logdet_x);
  if (s->ny) lane_logdet(s, direction, 1, r.logdet_y);
  free_result(&r);
}

static void test_logdet(void **state) { everything(logdet_check); }

/* ---- vjp ---- */

typedef struct gradient {
  fm_real *x, *y, *theta; /* cotangents */
  fm_real *in_x, *in_y;   /* the rebuilt input */
} gradient;

static void new_gradient(const subject *s, gradient *g) {
  fm_ok(fm_calloc(s->nx, &g->x));
  fm_ok(fm_calloc(s->ny + 1, &g->y));
  fm_ok(fm_calloc(s->size + 1, &g->theta));
  fm_ok(fm_calloc(s->nx, &g->in_x));
  fm_ok(fm_calloc(s->ny + 1, &g->in_y));
}

static void free_gradient(gradient *g) {
  fm_ok(PetscFree(g->x));
  fm_ok(PetscFree(g->y));
  fm_ok(PetscFree(g->theta));
  fm_ok(PetscFree(g->in_x));
  fm_ok(PetscFree(g->in_y));
}

/* The gradient of value(); theta_bar is added to g->theta unless frozen. */
static void differentiate(const subject *s, fm_direction direction, int frozen, gradient *g) {
  result r;

  new_result(s, &r);
  apply(s, direction, s->x, s->y, &r);
  fm_ok(fm_flow_vjp(s->flow, s->theta, direction, s->nb, lanes_of(s, r.x, r.y),
                    lanes_of(s, s->cx, s->cy), (fm_logdet){s->lx, s->ny ? s->ly : NULL},
                    lanes_of(s, g->in_x, g->in_y), lanes_of(s, g->x, g->y),
                    frozen ? NULL : g->theta));
  free_result(&r);
}

/* All of v [count] at once, along a random direction of length 1, in double. */
static void against_direction(subject *s, fm_direction direction, const char *what,
                              int64_t count, fm_real *v, const fm_real *g) {
  fm_real *d = random_array(8, count, 1);
  double square = 0, along = 0, error;

  for (int64_t i = 0; i < count; i++) square += (double)d[i] * (double)d[i];
  for (int64_t i = 0; i < count; i++) {
    d[i] /= (fm_real)sqrt(square);
    along += (double)d[i] * (double)g[i];
  }
  error = slope_error(s, direction, count, v, d, along);
  if (!(error <= 1e-7))
    fail_msg("%s: direction %d: gradient of %s along a direction is %.17g, off by %.3g",
             s->label, (int)direction, what, along, error);
  fm_ok(PetscFree(d));
}

/* slope() of v [count] against g: number by number where they are few, else of so many, evenly
   spread, and of all along a direction. In float a fifth of the numbers may be off: kinks. */
static void against_differences(subject *s, fm_direction direction, const char *what,
                                int64_t count, fm_real *v, const fm_real *g) {
  const int64_t few = PetscMin(count, 24);
  const fm_real one = 1;
  int64_t off = 0;

  for (int64_t k = 0; k < few; k++) {
    const int64_t i = k * count / few;
    const double error = slope_error(s, direction, 1, &v[i], &one, (double)g[i]);

    if (!(error <= (SINGLE ? 3e-2 : 1e-7)) && ++off > (SINGLE ? few / 5 + 1 : 0))
      fail_msg("%s: direction %d: gradient of %s[%d] is %.17g, off by %.3g", s->label,
               (int)direction, what, (int)i, (double)g[i], error);
  }
  if (!SINGLE && few < count) against_direction(s, direction, what, count, v, g);
}

/* What an apply kept serves the opposite direction's vjp too, from where it started. */
static void other_direction(subject *s, fm_direction direction, fm_lanes end, fm_kept *kept) {
  const fm_direction back = direction == FM_NORMALIZE ? FM_GENERATE : FM_NORMALIZE;
  fm_lanes in = lanes_of(s, s->x, s->y);
  const fm_logdet none = {NULL, NULL};
  gradient g[2];
  result r;

  new_result(s, &r);
  fm_ok(fm_flow_apply(s->flow, s->theta, direction, s->nb, in, end, none));
  for (int with = 0; with < 2; with++) {
    fm_lanes rebuilt = lanes_of(s, r.x, r.y);

    new_gradient(s, &g[with]);
    in.kept = with ? kept : NULL;
    fm_ok(fm_flow_vjp(
        s->flow, s->theta, back, s->nb, in, lanes_of(s, s->cx, s->cy), (fm_logdet){s->lx, NULL},
        rebuilt, (fm_lanes){.x = g[with].x, .y = s->ny ? g[with].y : NULL}, g[with].theta));
  }
  near_all(s, "x_bar, kept by the other direction", s->nx, g[0].x, g[1].x,
           SINGLE ? 1e-4 : 1e-11);
  near_all(s, "theta_bar, kept by the other direction", s->size, g[0].theta, g[1].theta,
           SINGLE ? 1e-4 : 1e-11);
  free_gradient(&g[0]);
  free_gradient(&g[1]);
  free_result(&r);
}

/* The same by what the apply kept, and again after another apply that keeps. */
static void kept_check(subject *s, fm_direction direction) {
  const fm_logdet bar = {s->lx, s->ny ? s->ly : NULL};
  gradient g, h;
  fm_kept *kept;
  fm_lanes out;
  result r;

  new_result(s, &r);
  new_gradient(s, &g);
  differentiate(s, direction, 0, &g);
  fm_ok(fm_kept_create(s->flow, &kept));
  out = lanes_of(s, r.x, r.y);
  out.kept = kept;
  for (int i = 0; i < 2; i++) {
    new_gradient(s, &h);
    fm_ok(fm_flow_apply(s->flow, s->theta, direction, s->nb, lanes_of(s, s->x, s->y), out,
                        (fm_logdet){r.logdet_x, r.logdet_y}));
    fm_ok(fm_flow_vjp(s->flow, s->theta, direction, s->nb, out, lanes_of(s, s->cx, s->cy), bar,
                      lanes_of(s, h.in_x, h.in_y), lanes_of(s, h.x, h.y), h.theta));
    near_all(s, "x_bar, kept", s->nx, g.x, h.x, SINGLE ? 1e-4 : 1e-11);
    near_all(s, "y_bar, kept", s->ny, g.y, h.y, SINGLE ? 1e-4 : 1e-11);
    near_all(s, "theta_bar, kept", s->size, g.theta, h.theta, SINGLE ? 1e-4 : 1e-11);
    free_gradient(&h);
  }
  other_direction(s, direction, out, kept);
  fm_ok(fm_kept_destroy(&kept));
  free_gradient(&g);
  free_result(&r);
}

static void test_kept(void **state) { everything(kept_check); }

static void vjp_check(subject *s, fm_direction direction) {
  const fm_layout *layout = fm_flow_layout(s->flow);
  gradient g;

  new_gradient(s, &g);
  differentiate(s, direction, 0, &g);
  near_all(s, "rebuilt x", s->nx, s->x, g.in_x, SINGLE ? 1e-4 : 1e-12);
  near_all(s, "rebuilt y", s->ny, s->y, g.in_y, SINGLE ? 1e-4 : 1e-12);
  against_differences(s, direction, "x", s->nx, s->x, g.x);
  against_differences(s, direction, "y", s->ny, s->y, g.y);
  for (int64_t t = 0; t < layout->ntensor; t++)
    against_differences(s, direction, layout->tensor[t].name, layout->tensor[t].size,
                        s->theta + layout->tensor[t].offset,
                        g.theta + layout->tensor[t].offset);
  free_gradient(&g);
}

static void test_vjp(void **state) { everything(vjp_check); }

/* theta_bar is added to, and without it x_bar and y_bar are the same bits. */
static void frozen_check(subject *s, fm_direction direction) {
  gradient once, twice, frozen;

  new_gradient(s, &once);
  new_gradient(s, &twice);
  new_gradient(s, &frozen);
  differentiate(s, direction, 0, &once);
  differentiate(s, direction, 0, &twice);
  differentiate(s, direction, 0, &twice);
  for (int64_t i = 0; i < s->size; i++) once.theta[i] *= 2;
  near_all(s, "theta_bar added twice", s->size, once.theta, twice.theta, SINGLE ? 1e-4 : 1e-12);
  differentiate(s, direction, 1, &frozen);
  same_bits(s, "frozen x_bar", s->nx, once.x, frozen.x);
  same_bits(s, "frozen y_bar", s->ny, once.y, frozen.y);
  free_gradient(&once);
  free_gradient(&twice);
  free_gradient(&frozen);
}

static void test_frozen(void **state) { everything(frozen_check); }

/* ---- one array for input and output, and lanes that are not wanted ---- */

static void in_place_check(subject *s, fm_direction direction) {
  gradient g, h;
  result apart, inside;

  new_result(s, &apart);
  new_result(s, &inside);
  new_gradient(s, &g);
  new_gradient(s, &h);
  apply(s, direction, s->x, s->y, &apart);
  fm_ok(PetscArraycpy(inside.x, s->x, s->nx));
  if (s->ny) fm_ok(PetscArraycpy(inside.y, s->y, s->ny));
  apply(s, direction, inside.x, inside.y, &inside);
  same_bits(s, "x in place", s->nx, apart.x, inside.x);
  same_bits(s, "y in place", s->ny, apart.y, inside.y);
  differentiate(s, direction, 0, &g);
  fm_ok(PetscArraycpy(h.x, s->cx, s->nx));
  fm_ok(fm_flow_vjp(s->flow, s->theta, direction, s->nb, lanes_of(s, inside.x, inside.y),
                    lanes_of(s, h.x, s->cy), (fm_logdet){s->lx, s->ly},
                    (fm_lanes){.x = inside.x}, (fm_lanes){.x = h.x}, h.theta));
  same_bits(s, "x_bar in place", s->nx, g.x, h.x);
  same_bits(s, "x rebuilt in place", s->nx, g.in_x, inside.x);
  same_bits(s, "theta_bar in place", s->size, g.theta, h.theta);
  free_result(&apart);
  free_result(&inside);
  free_gradient(&g);
  free_gradient(&h);
}

static void test_in_place(void **state) { everything(in_place_check); }

/* ---- a batch may be cut anywhere: the same bits for every sample ---- */

static void cut_check(subject *s, fm_direction direction) {
  result whole, cut;

  new_result(s, &whole);
  new_result(s, &cut);
  apply(s, direction, s->x, s->y, &whole);
  for (int64_t b = 0; b < s->nb; b++) {
    const fm_lanes in = lanes_of(s, s->x + b * s->n, s->y + (s->ny ? b * s->m : 0));
    const fm_lanes out = lanes_of(s, cut.x + b * s->n, cut.y + (s->ny ? b * s->m : 0));

    fm_ok(fm_flow_apply(s->flow, s->theta, direction, 1, in, out,
                        (fm_logdet){cut.logdet_x + b, cut.logdet_y + b}));
  }
  same_bits(s, "x of a cut batch", s->nx, whole.x, cut.x);
  same_bits(s, "y of a cut batch", s->ny, whole.y, cut.y);
  same_bits(s, "logdet of a cut batch", s->nb, whole.logdet_x, cut.logdet_x);
  free_result(&whole);
  free_result(&cut);
}

static void test_cut(void **state) { everything(cut_check); }

/* ---- a condition stands for a y that all samples share ---- */

static void condition_check(subject *s, fm_direction direction) {
  subject shared = *s;
  result with_y, with_condition;
  gradient g, h;

  if (!s->m) return;
  new_result(s, &with_y);
  new_result(s, &with_condition);
  new_gradient(s, &g);
  new_gradient(s, &h);
  for (int64_t i = s->m; i < s->ny; i++) s->y[i] = s->y[i % s->m];
  if (direction == FM_NORMALIZE)
    fm_ok(fm_flow_condition(s->flow, s->theta, s->y, &shared.condition));
  else
    fm_ok(fm_condition_from_latent(s->flow, s->theta, s->y, &shared.condition));
  shared.ny = 0;
  for (int64_t i = 0; i < s->ny; i++) s->cy[i] = 0; /* both ask for the x lane alone */
  for (int64_t b = 0; b < s->nb; b++) s->ly[b] = 0;
  apply(s, direction, s->x, s->y, &with_y);
  apply(&shared, direction, s->x, NULL, &with_condition);
  near_all(s, "x with condition", s->nx, with_y.x, with_condition.x, SINGLE ? 1e-5 : 1e-13);
  near_all(s, "logdet with condition", s->nb, with_y.logdet_x, with_condition.logdet_x,
           SINGLE ? 1e-5 : 1e-13);
  differentiate(s, direction, 0, &g);
  differentiate(&shared, direction, 0, &h);
  near_all(s, "x_bar with condition", s->nx, g.x, h.x, SINGLE ? 1e-4 : 1e-12);
  for (int64_t t = 0; t < fm_flow_layout(s->flow)->ntensor; t++) {
    const fm_tensor *tensor = &fm_flow_layout(s->flow)->tensor[t];

    if (tensor->lane == FM_LANE_Y)
      fm_ok(PetscArrayzero(g.theta + tensor->offset, tensor->size));
  }
  near_all(s, "theta_bar with condition", s->size, g.theta, h.theta, SINGLE ? 1e-4 : 1e-12);
  fm_ok(fm_condition_destroy(&shared.condition));
  free_result(&with_y);
  free_result(&with_condition);
  free_gradient(&g);
  free_gradient(&h);
}

static void test_condition(void **state) {
  const int64_t size[][2] = {{2, 2}, {8, 6}, {3, 1}};

  every_layer(condition_check);
  one_image_network((fm_shape){1, {4, 2, 1}}, 1, 1, 0, condition_check);
  for (int i = 0; i < 3; i++) {
    one_network("hint", "default", size[i][0], size[i][1], 0, condition_check);
    one_network("spline", "default", size[i][0], size[i][1], 0, condition_check);
  }
}

/* ---- data-dependent start ---- */

/* Every channel of v has mean 0 and standard deviation 1. */
static void standard(const subject *s, fm_shape shape, const fm_real *v) {
  const int64_t size = fm_shape_size(shape), group = size / shape.c;

  for (int64_t c = 0; c < shape.c; c++) {
    double sum = 0, square = 0;

    for (int64_t i = 0; i < s->nb * group; i++) {
      const double a = (double)v[i / group * size + c * group + i % group];

      sum += a;
      square += a * a;
    }
    sum /= (double)(s->nb * group);
    square /= (double)(s->nb * group);
    if (fabs(sum) > (SINGLE ? 1e-5 : 1e-12) || fabs(square - 1) > (SINGLE ? 1e-4 : 1e-12))
      fail_msg("%s: channel %d starts with mean %g and mean square %g", s->label, (int)c, sum,
               square);
  }
}

static void start_check(subject *s, fm_direction direction) {
  const fm_flow_spec *spec = fm_flow_get_spec(s->flow);
  fm_real *kept;
  result r;

  new_result(s, &r);
  fm_ok(fm_calloc(s->nx, &kept));
  fm_ok(PetscArraycpy(kept, s->x, s->nx));
  fm_ok(fm_flow_start(s->flow, s->theta, direction, s->nb, lanes_of(s, s->x, s->y)));
  same_bits(s, "x after a start", s->nx, kept, s->x);
  apply(s, direction, s->x, s->y, &r);
  if (!strcmp(spec->network, "hint") ? direction == FM_GENERATE : !s->ny)
    standard(s, spec->x, r.x);
  if (!strcmp(spec->network, "hint") ? direction == FM_GENERATE && s->ny : s->ny > 0)
    standard(s, spec->y, r.y);
  fm_ok(PetscFree(kept));
  free_result(&r);
}

static void test_start(void **state) {
  int64_t count;
  const fm_layer_kind *kind = fm_layer_kinds(&count);
  int tested = 0;

  for (int64_t k = 0; k < count; k++) {
    if (!kind[k].ops->start) continue;
    for (int lane = 0; lane < 2; lane++) {
      one_layer(&kind[k], (fm_lane)lane, fm_shape_vector(4), "default", start_check);
      one_layer(&kind[k], (fm_lane)lane, (fm_shape){2, {3, 1, 1}}, "default", start_check);
    }
    tested++;
  }
  assert_true(tested >= 1);
  one_network("hint", "default", 3, 2, 0, start_check);
  one_network("hint", "default", 5, 0, 0, start_check);
}

FM_TEST_MAIN(cmocka_unit_test(test_round_trip), cmocka_unit_test(test_logdet),
             cmocka_unit_test(test_kept), cmocka_unit_test(test_vjp),
             cmocka_unit_test(test_frozen), cmocka_unit_test(test_in_place),
             cmocka_unit_test(test_cut), cmocka_unit_test(test_condition),
             cmocka_unit_test(test_start))
