/* check - adjoint and Taylor tests of the configured operator and energies, round trip and
   gradient of the configured flow: for somebody who just wrote an operator, an energy or a
   layer. */
#include "cli/check_at.h"
#include "cli/refinement.h"
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define SAMPLES 8

/* Bars for rounding. Of a transpose: that of sums of the solver's numbers. Of a central
   difference: truncation and rounding meet at h = eps^(1/3), where both are eps^(2/3) times a
   condition number, here at most 1000: 4e-8 in double, .024 in float. */
#define ADJOINT_BAR (sizeof(fm_real) == 4 ? 1e-5 : 1e-12)
#define DIFFERENCE_BAR (1e3 * pow(FM_EPSILON, 2. / 3.))

typedef struct {
  fm_run *run;
  fm_refinement problem;
  fm_target *target; /* of the problem, as are these: */
  fm_transport *transport;
  fm_real *theta;
  int failures;
} checking;

/* Good where the value is from low to high. */
static PetscErrorCode verdict(checking *c, const char *name, double value, double low,
                              double high, const char *what) {
  const PetscBool good = value >= low && value <= high ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(fm_result(c->run->results, name, value, "1"));
  if (low > 0)
    fm_log("check %-22s %s (%s, bar %.4g to %.4g)", name, good ? "ok" : "FAILED", what, low,
           high);
  else
    fm_log("check %-22s %s (%s, bar %.2g in " FM_PRECISION ")", name, good ? "ok" : "FAILED",
           what, high);
  if (!good) c->failures++;
  PetscFunctionReturn(0);
}

static void random_vector(const checking *c, uint64_t index, int64_t n, fm_real *v) {
  fm_rng_normal((fm_rng){c->run->seed, FM_STREAM_CHECK}, 0, index, (size_t)n, v);
}

/* v = at mean + scale std N(0, 1), of the prior where they are known, else scale N(0, 1). */
static PetscErrorCode draw(const checking *c, uint64_t index, double at, double scale,
                           fm_real *v) {
  fm_energy *prior = c->target->energy[1];
  double *mean, *std;
  PetscBool known;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * c->target->n, &mean));
  std = mean + c->target->n;
  random_vector(c, index, c->target->n, v);
  PetscCall(fm_energy_moments(prior, mean, std, &known));
  for (int64_t i = 0; i < c->target->n; i++)
    v[i] =
        (fm_real)(known ? at * mean[i] + scale * std[i] * (double)v[i] : scale * (double)v[i]);
  PetscCall(PetscFree(mean));
  PetscFunctionReturn(0);
}

/* A prior that knows no moments but can be drawn, as a flow. */
static PetscErrorCode drawn(const checking *c, PetscBool *drawn) {
  double *mean;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * c->target->n, &mean));
  PetscCall(fm_energy_moments(c->target->energy[1], mean, mean + c->target->n, drawn));
  *drawn = !*drawn && fm_energy_can_sample(c->target->energy[1]) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(mean));
  PetscFunctionReturn(0);
}

static PetscErrorCode sample(const checking *c, int64_t index, fm_real *v) {
  PetscFunctionBegin;
  PetscCall(fm_energy_sample(c->target->energy[1], (fm_rng){c->run->seed, FM_STREAM_CHECK},
                             index, 1, v));
  PetscFunctionReturn(0);
}

/* A model to test at: a draw of the prior where it can be drawn. */
static PetscErrorCode model(const checking *c, fm_real *x) {
  PetscBool by_sample;

  PetscFunctionBegin;
  PetscCall(drawn(c, &by_sample));
  if (by_sample)
    PetscCall(sample(c, 0, x));
  else
    PetscCall(draw(c, 0, 1, 1, x));
  PetscFunctionReturn(0);
}

/* A step from it, small beside the spread of the prior, in whatever unit: of draws it is a
   tenth of the difference of two. */
static PetscErrorCode step(const checking *c, fm_real *dx) {
  const double scale = 0.1;
  PetscBool by_sample;
  fm_real *other;

  PetscFunctionBegin;
  PetscCall(drawn(c, &by_sample));
  if (!by_sample) PetscCall(draw(c, 4, 0, scale, dx));
  if (!by_sample) PetscFunctionReturn(0);
  PetscCall(fm_calloc(c->target->n, &other));
  PetscCall(sample(c, 1, dx));
  PetscCall(sample(c, 2, other));
  for (int64_t i = 0; i < c->target->n; i++)
    dx[i] = (fm_real)(scale * ((double)dx[i] - (double)other[i]));
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
}

/* ---- operator ---- */

static PetscErrorCode check_adjoint(checking *c) {
  double error = 0.;
  PetscInt parts;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(fm_calloc(c->target->n, &x));
  PetscCall(model(c, x));
  PetscCall(fm_operator_parts(c->target->op, &parts));
  for (PetscInt p = 0; p < parts; p++) {
    double one;

    PetscCall(fm_operator_dot_test(c->target->op, p, x, c->run->seed, &one));
    error = PetscMax(error, one);
  }
  PetscCall(PetscFree(x));
  PetscCall(verdict(c, "adjoint_error", error, 0, ADJOINT_BAR,
                    "<J dx, dd> = <dx, J^T dd>, relative"));
  PetscFunctionReturn(0);
}

/* ---- a derivative by central differences ---- */

/* A function along a line: f(h), *ok false where there is none. */
typedef struct {
  PetscErrorCode (*at)(void *context, double h, double *value, PetscBool *ok);
  void *context;
} function;

typedef struct {
  double error; /* that of the best two neighbouring h; infinite where there are none */
  double kink;  /* the smallest h within which f has one, as far as was seen; 0: none */
} derivative;

/* A kink between -h and h: the one-sided differences disagree by more than the bar, and the
   slope that is said lies with one of them, not with their mean. */
static PetscBool kinked(double forward, double backward, double slope) {
  const double most = DIFFERENCE_BAR * fabs(slope);
  const double nearer = fmin(fabs(forward - slope), fabs(backward - slope));

  return fabs(forward - backward) > most && nearer < fabs(forward - backward) / 8 &&
                 fabs((forward + backward) / 2 - slope) > most
             ? PETSC_TRUE
             : PETSC_FALSE;
}

/* d->error = |(f(h) - f(-h)) / 2h - slope| / |slope| by the best two neighbouring of `count` h,
   each a quarter of the one before: no h is good by chance alone, and a kink (ReLU) at a
   distance is left behind. */
static PetscErrorCode difference(function f, double slope, double h, int count, derivative *d) {
  double before = INFINITY, here, middle;
  PetscBool known, ok[2];

  PetscFunctionBegin;
  *d = (derivative){INFINITY, 0.};
  PetscCall(f.at(f.context, 0., &middle, &known));
  for (int k = 0; k < count; k++, h /= 4, before = here) {
    double plus, minus;

    here = INFINITY;
    PetscCall(f.at(f.context, h, &plus, &ok[0]));
    PetscCall(f.at(f.context, -h, &minus, &ok[1]));
    if (!ok[0] || !ok[1]) continue;
    here = fabs((plus - minus) / (2 * h) - slope) / fabs(slope);
    d->error = fmin(d->error, fmax(before, here));
    if (known && kinked((plus - middle) / h, (middle - minus) / h, slope)) d->kink = h;
  }
  PetscFunctionReturn(0);
}

/* What the figure is worth where kinks were seen. */
static void say_kink(const derivative *d, const char *what) {
  if (d->kink > 0)
    fm_log("  a kink (ReLU) lies within a step of %.2g of %s: larger steps cross it and say "
           "nothing of the gradient%s",
           d->kink, what,
           d->error > DIFFERENCE_BAR ? "; another -seed moves the place of the check" : "");
}

/* ---- energies ---- */

/* E(x + h dx) */
typedef struct {
  checking *c;
  fm_real *x, *dx, *g, *y; /* g: the gradient at x; y: scratch */
} line;

static PetscErrorCode energy_at(checking *c, const fm_real *x, double *value, fm_real *x_bar,
                                PetscBool *ok) {
  const uint64_t sample = 0;

  PetscFunctionBegin;
  PetscCall(
      fm_target_evaluate(c->target, (fm_key){0, &sample, NULL}, 1, x, value, NULL, x_bar, ok));
  if (!isfinite(*value)) *ok = PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode energy_along(void *context, double h, double *value, PetscBool *ok) {
  const line *l = (const line *)context;

  PetscFunctionBegin;
  for (int64_t i = 0; i < l->c->target->n; i++)
    l->y[i] = (fm_real)((double)l->x[i] + h * (double)l->dx[i]);
  PetscCall(energy_at(l->c, l->y, value, NULL, ok));
  PetscFunctionReturn(0);
}

/* E(x + h dx) - E(x) - h slope = O(h^2): *order between the last two h, a quarter of each
   other, where this is above rounding and has settled, that is, the order before is the same
   to .2; 0 where it has not. */
static PetscErrorCode taylor(line *l, double base, double slope, double *order) {
  double value, before = 0., earlier = INFINITY, last = 0.;
  PetscBool ok;

  PetscFunctionBegin;
  for (double h = 1.; h > 1e-6; h /= 4.) {
    double rest;

    PetscCall(energy_along(l, h, &value, &ok));
    if (!ok) continue;
    rest = fabs(value - base - h * slope);
    if (rest < 1e3 * FM_EPSILON * (fabs(base) + fabs(value) + h * fabs(slope))) break;
    if (last != 0.) earlier = last;
    if (before > 0.) last = log(before / rest) / log(4.);
    before = rest;
  }
  *order = fabs(last - earlier) < 0.2 ? last : 0.;
  PetscFunctionReturn(0);
}

/* Where rounding hides the remainder before its order settles, as in float or of linear
   energies, the derivative is held to central differences. */
static PetscErrorCode judge_gradient(line *l, double base) {
  const double first = 4.;
  const int count = sizeof(fm_real) == 4 ? 7 : 10;
  double order, slope = 0.;
  derivative d;

  PetscFunctionBegin;
  for (int64_t i = 0; i < l->c->target->n; i++) slope += (double)l->g[i] * (double)l->dx[i];
  PetscCall(taylor(l, base, slope, &order));
  if (order != 0.) {
    PetscCall(verdict(l->c, "taylor_slope", order, 1.9, 2.1,
                      "remainder of the energies' gradient is O(h^2)"));
    PetscFunctionReturn(0);
  }
  PetscCall(difference((function){energy_along, l}, slope, first, count, &d));
  PetscCall(verdict(l->c, "gradient_error", d.error, 0, DIFFERENCE_BAR,
                    "the energies' gradient against central differences, relative; rounding "
                    "hides the Taylor remainder"));
  say_kink(&d, "the model");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_energies(checking *c) {
  const int64_t n = c->target->n;
  line l = {.c = c};
  double base;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(n, &l.x, n, &l.dx, n, &l.g, n, &l.y));
  PetscCall(model(c, l.x));
  PetscCall(step(c, l.dx));
  PetscCall(energy_at(c, l.x, &base, l.g, &ok));
  fm_check(ok, c->run->comm.world, PETSC_ERR_USER,
           "the energies are not finite at a draw of the prior%s%s: check -prior and units",
           fm_operator_reason(c->target->op)[0] ? ": " : "", fm_operator_reason(c->target->op));
  PetscCall(judge_gradient(&l, base));
  PetscCall(PetscFree4(l.x, l.dx, l.g, l.y));
  PetscFunctionReturn(0);
}

/* ---- flow ---- */

/* The target, and the flow of -warm_start or with random weights. */
static PetscErrorCode build_problem(checking *c) {
  PetscFunctionBegin;
  PetscCall(fm_refinement_problem(c->run, &c->problem));
  PetscCall(fm_refinement_observe(&c->problem));
  c->target = c->problem.target;
  c->transport = c->problem.transport;
  c->theta = c->problem.start;
  PetscFunctionReturn(0);
}

static PetscErrorCode check_round_trip(checking *c) {
  const int64_t n = c->transport->n;
  const fm_lanes none = {.condition = c->transport->condition};
  const fm_real *weights = fm_transport_weights(c->transport, c->theta);
  fm_lanes v = none, w = none;
  fm_real logdet[SAMPLES];
  double error = 0.;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(SAMPLES * n, &v.x, SAMPLES * n, &w.x));
  random_vector(c, 5, SAMPLES * n, v.x);
  PetscCall(fm_flow_apply(c->transport->flow, weights, FM_GENERATE, SAMPLES, v, w,
                          (fm_logdet){logdet, NULL}));
  PetscCall(fm_flow_apply(c->transport->flow, weights, FM_NORMALIZE, SAMPLES, w, w,
                          (fm_logdet){logdet, NULL}));
  for (int64_t i = 0; i < SAMPLES * n; i++)
    error = PetscMax(error, fabs((double)w.x[i] - (double)v.x[i]));
  PetscCall(
      verdict(c, "flow_round_trip", error, 0, 1e5 * FM_EPSILON, "largest |G(G^-1(z)) - z|"));
  PetscCall(PetscFree2(v.x, w.x));
  PetscFunctionReturn(0);
}

/* J at fixed latents, theta + h direction */
typedef struct {
  fm_objective *objective;
  fm_share *share;
  int64_t n, failed;                  /* failed: most samples left out of a value */
  fm_real *theta, *direction, *there; /* [n] */
} weights;

static PetscErrorCode objective_along(void *context, double h, double *value, PetscBool *ok) {
  weights *w = (weights *)context;

  PetscFunctionBegin;
  for (int64_t i = 0; i < w->n; i++)
    w->there[i] = (fm_real)((double)w->theta[i] + h * (double)w->direction[i]);
  fm_share_begin(w->share, FM_SHARE_WINDOW);
  PetscCall(fm_objective_add(w->objective, w->there, 0, 0, SAMPLES, w->share));
  *value = fm_share_term(w->share, FM_TERM_OBJECTIVE);
  w->failed = PetscMax(w->failed, fm_share_count(w->share, FM_COUNT_FAILED));
  *ok = isfinite(*value) ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* A random direction and the gradient's own, half each in length: the derivative is as large as
   it can be beside the rounding of J, and no part of the gradient stays out of sight. */
static void point_direction(weights *w, const fm_real *grad) {
  double random = 0., own = 0.;

  for (int64_t i = 0; i < w->n; i++) {
    random += (double)w->direction[i] * (double)w->direction[i];
    own += (double)grad[i] * (double)grad[i];
  }
  for (int64_t i = 0; i < w->n; i++)
    w->direction[i] = (fm_real)((double)w->direction[i] / sqrt(random) +
                                (own > 0. ? (double)grad[i] / sqrt(own) : 0.));
}

/* Models that the untrained flow makes need not be possible ones: J is of the others. */
static PetscErrorCode say_failed(const checking *c, int64_t failed) {
  const char *reason = fm_operator_reason(c->target->op);

  PetscFunctionBegin;
  fm_check(failed < SAMPLES, c->run->comm.world, PETSC_ERR_USER,
           "the gradient of the flow cannot be checked: none of the %d models of the untrained "
           "flow is solved%s%s; see -prior and -flow",
           SAMPLES, reason[0] ? ": " : "", reason);
  if (failed)
    fm_log(
        "%lld of %d models of the untrained flow are not solved%s%s: J is that of the others",
        (long long)failed, SAMPLES, reason[0] ? ", such as: " : "", reason);
  PetscFunctionReturn(0);
}

/* The derivative of J along it, at h from above that where truncation and rounding meet down to
   where rounding alone is left: a network of ReLUs on images has a kink within the larger. */
static PetscErrorCode judge_flow(checking *c, weights *w, fm_real *grad) {
  const int count = 8;
  double value, slope = 0.;
  derivative d;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(objective_along(w, 0., &value, &ok));
  PetscCall(fm_share_gradient(w->share, 1., grad));
  random_vector(c, 6, w->n, w->direction);
  point_direction(w, grad);
  for (int64_t i = 0; i < w->n; i++) slope += (double)grad[i] * (double)w->direction[i];
  PetscCall(
      difference((function){objective_along, w}, slope, 16. * cbrt(FM_EPSILON), count, &d));
  PetscCall(say_failed(c, w->failed));
  PetscCall(verdict(c, "flow_gradient_error", d.error, 0, DIFFERENCE_BAR,
                    "dJ/dtheta against central differences, relative"));
  say_kink(&d, "the weights");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_flow(checking *c) {
  const fm_posterior_inputs in = {.transport = c->transport,
                                  .target = c->target,
                                  .estimator = FM_ESTIMATOR_TOTAL,
                                  .seed = c->run->seed,
                                  .batch = SAMPLES,
                                  .steps_per_epoch = 1,
                                  .quiet = PETSC_TRUE};
  weights w = {.theta = c->theta, .n = fm_transport_layout(c->transport)->size};
  fm_real *grad;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(w.n, &w.direction, w.n, &w.there, w.n, &grad));
  PetscCall(fm_posterior_create(&in, &w.objective));
  PetscCall(fm_share_create(w.n, &w.share));
  PetscCall(judge_flow(c, &w, grad));
  PetscCall(fm_share_destroy(&w.share));
  PetscCall(fm_objective_destroy(&w.objective));
  PetscCall(PetscFree3(w.direction, w.there, grad));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_check(fm_run *run) {
  checking c = {.run = run};
  const char *at;

  PetscFunctionBegin;
  PetscCall(fm_option_text("at", &at));
  if (at[0]) {
    PetscCall(fm_check_at(run));
    PetscFunctionReturn(0);
  }
  PetscCall(build_problem(&c));
  PetscCall(check_adjoint(&c));
  PetscCall(check_energies(&c));
  PetscCall(check_round_trip(&c));
  PetscCall(check_flow(&c));
  fm_check(!c.failures, run->comm.world, PETSC_ERR_USER, "%d of the checks above failed",
           c.failures);
  PetscCall(fm_refinement_clear(&c.problem));
  PetscFunctionReturn(0);
}
