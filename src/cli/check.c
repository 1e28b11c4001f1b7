/* check - adjoint and Taylor tests of the configured operator and energies, round trip and
   gradient of the configured flow: for somebody
   who just wrote an operator, an energy or a layer. */
#include "cli/check_at.h"
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define SAMPLES 8

typedef struct {
  fm_run *run;
  fm_target *target;
  fm_transport *transport;
  fm_real *theta;
  int failures;
} checking;

static PetscErrorCode verdict(checking *c, const char *name, double value, PetscBool good,
                              const char *bar) {
  PetscFunctionBegin;
  PetscCall(fm_result(c->run->results, name, value, "1"));
  fm_log("check %-22s %s (%s)", name, good ? "ok" : "FAILED", bar);
  if (!good) c->failures++;
  PetscFunctionReturn(0);
}

static void random_vector(const checking *c, uint64_t index, int64_t n, fm_real *v) {
  fm_rng_normal((fm_rng){c->run->seed, FM_STREAM_CHECK}, 0, index, (size_t)n, v);
}

/* A model to test at: a draw of the prior where it can be drawn. */
static PetscErrorCode model(checking *c, fm_real *x) {
  fm_energy *prior = c->target->energy[1];
  double *mean, *std;
  PetscBool known;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * c->target->n, &mean));
  std = mean + c->target->n;
  random_vector(c, 0, c->target->n, x);
  PetscCall(fm_energy_moments(prior, mean, std, &known));
  for (int64_t i = 0; known && i < c->target->n; i++)
    x[i] = (fm_real)(mean[i] + std[i] * (double)x[i]);
  PetscCall(PetscFree(mean));
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
  PetscCall(verdict(c, "adjoint_error", error, error <= 1e-10 ? PETSC_TRUE : PETSC_FALSE,
                    "<J dx, dd> = <dx, J^T dd>, relative, bar 1e-10"));
  PetscFunctionReturn(0);
}

/* ---- energies ---- */

static PetscErrorCode value_at(checking *c, const fm_real *x, double *value, fm_real *x_bar) {
  const uint64_t sample = 0;
  fm_real v;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(
      fm_target_evaluate(c->target, (fm_key){0, &sample, NULL}, 1, x, &v, NULL, x_bar, &ok));
  fm_check(ok, c->run->comm.world, PETSC_ERR_USER,
           "the energies are not finite at a test model");
  *value = (double)v;
  PetscFunctionReturn(0);
}

/* E(x + h dx) - E(x) - h <g, dx> = O(h^2): the steepest slope between two neighbouring h above
   rounding. */
static PetscErrorCode taylor(checking *c, const fm_real *x, const fm_real *dx, const fm_real *g,
                             double *slope) {
  const int64_t n = c->target->n;
  double base, value, dot = 0., before = 0.;
  fm_real *y;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &y));
  PetscCall(value_at(c, x, &base, NULL));
  for (int64_t i = 0; i < n; i++) dot += (double)g[i] * (double)dx[i];
  *slope = 0.;
  for (double h = 1.; h > 1e-6; h /= 4.) {
    double rest;

    for (int64_t i = 0; i < n; i++) y[i] = (fm_real)((double)x[i] + h * (double)dx[i]);
    PetscCall(value_at(c, y, &value, NULL));
    rest = fabs(value - base - h * dot);
    if (rest < 1e3 * FM_EPSILON * (fabs(base) + fabs(value) + h * fabs(dot))) break;
    if (before > 0.) *slope = log(before / rest) / log(4.);
    before = rest;
  }
  if (before == 0.) *slope = 2.; /* no remainder above rounding: the energies are linear here */
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_taylor(checking *c) {
  const int64_t n = c->target->n;
  fm_real *x, *dx, *g;
  double value, slope;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &x, n, &dx, n, &g));
  PetscCall(model(c, x));
  random_vector(c, 4, n, dx);
  for (int64_t i = 0; i < n; i++) dx[i] = (fm_real)((double)dx[i] * 0.1);
  PetscCall(value_at(c, x, &value, g));
  PetscCall(taylor(c, x, dx, g, &slope));
  PetscCall(verdict(c, "taylor_slope", slope,
                    fabs(slope - 2.) <= 0.1 ? PETSC_TRUE : PETSC_FALSE,
                    "remainder of the energies' gradient is O(h^2), bar 2 +- 0.1"));
  PetscCall(PetscFree3(x, dx, g));
  PetscFunctionReturn(0);
}

/* ---- flow ---- */

static PetscErrorCode build_flow(checking *c) {
  fm_flow_spec spec;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&spec, sizeof(spec)));
  PetscCall(fm_run_flow_spec(fm_shape_vector(c->target->n), fm_shape_vector(c->target->m),
                             PETSC_FALSE, &spec));
  PetscCall(fm_transport_create(&spec, &c->transport));
  PetscCall(fm_run_whiten(c->target, c->transport));
  PetscCall(fm_calloc(fm_flow_layout(c->transport->flow)->size, &c->theta));
  PetscCall(fm_flow_initialize(c->transport->flow, (fm_rng){c->run->seed, FM_STREAM_INITIAL},
                               c->theta));
  PetscCall(fm_transport_observe(c->transport, c->theta, c->target->y));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_round_trip(checking *c) {
  const int64_t n = c->transport->n;
  const fm_lanes none = {NULL, NULL, c->transport->condition};
  fm_lanes v = none, w = none;
  fm_real logdet[SAMPLES];
  double error = 0.;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(SAMPLES * n, &v.x, SAMPLES * n, &w.x));
  random_vector(c, 5, SAMPLES * n, v.x);
  PetscCall(fm_flow_apply(c->transport->flow, c->theta, FM_GENERATE, SAMPLES, v, w,
                          (fm_logdet){logdet, NULL}));
  PetscCall(fm_flow_apply(c->transport->flow, c->theta, FM_NORMALIZE, SAMPLES, w, w,
                          (fm_logdet){logdet, NULL}));
  for (int64_t i = 0; i < SAMPLES * n; i++)
    error = PetscMax(error, fabs((double)w.x[i] - (double)v.x[i]));
  PetscCall(verdict(c, "flow_round_trip", error,
                    error <= 1e5 * FM_EPSILON ? PETSC_TRUE : PETSC_FALSE,
                    "largest |G(G^-1(z)) - z|, bar 1e5 roundings"));
  PetscCall(PetscFree2(v.x, w.x));
  PetscFunctionReturn(0);
}

static PetscErrorCode objective_at(fm_objective *o, const fm_real *theta, fm_share *share,
                                   double *value) {
  PetscFunctionBegin;
  fm_share_begin(share, FM_SHARE_WINDOW);
  PetscCall(fm_objective_add(o, theta, 0, 0, SAMPLES, share));
  *value = fm_share_term(share, FM_TERM_OBJECTIVE);
  PetscFunctionReturn(0);
}

/* The derivative of J at fixed latents along one random direction of theta, against a central
   difference. */
static PetscErrorCode check_gradient(checking *c) {
  const fm_posterior_inputs in = {c->transport, c->target, FM_ESTIMATOR_TOTAL, 0, c->run->seed,
                                  SAMPLES,      1};
  const int64_t n = fm_flow_layout(c->transport->flow)->size;
  const double h = cbrt(FM_EPSILON), bar = 3e3 * pow(FM_EPSILON, 2. / 3.);
  fm_real *direction, *theta, *grad;
  double value, plus, minus, dot = 0., error;
  fm_objective *o;
  fm_share *share;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &direction, n, &theta, n, &grad));
  PetscCall(fm_posterior_create(&in, &o));
  PetscCall(fm_share_create(n, &share));
  random_vector(c, 6, n, direction);
  PetscCall(objective_at(o, c->theta, share, &value));
  fm_share_gradient(share, 1., grad);
  for (int64_t i = 0; i < n; i++)
    direction[i] = (fm_real)((double)direction[i] / sqrt((double)n));
  for (int64_t i = 0; i < n; i++) dot += (double)grad[i] * (double)direction[i];
  for (int64_t i = 0; i < n; i++)
    theta[i] = (fm_real)((double)c->theta[i] + h * (double)direction[i]);
  PetscCall(objective_at(o, theta, share, &plus));
  for (int64_t i = 0; i < n; i++)
    theta[i] = (fm_real)((double)c->theta[i] - h * (double)direction[i]);
  PetscCall(objective_at(o, theta, share, &minus));
  error = fabs((plus - minus) / (2. * h) - dot) / PetscMax(fabs(dot), fabs(value));
  PetscCall(verdict(c, "flow_gradient_error", error, error <= bar ? PETSC_TRUE : PETSC_FALSE,
                    "dJ/dtheta against a central difference, relative"));
  PetscCall(fm_share_destroy(&share));
  PetscCall(fm_objective_destroy(&o));
  PetscCall(PetscFree3(direction, theta, grad));
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
  PetscCall(fm_target_create(&run->comm, 0, 0, NULL, &c.target));
  PetscCall(check_adjoint(&c));
  PetscCall(check_taylor(&c));
  PetscCall(build_flow(&c));
  PetscCall(check_round_trip(&c));
  PetscCall(check_gradient(&c));
  fm_check(!c.failures, run->comm.world, PETSC_ERR_USER, "%d of the checks above failed",
           c.failures);
  PetscCall(PetscFree(c.theta));
  PetscCall(fm_transport_destroy(&c.transport));
  PetscCall(fm_target_destroy(&c.target));
  PetscFunctionReturn(0);
}
