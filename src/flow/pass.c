/* Passes over the layers of a flow: apply, vjp, start. */
#include "flow/flow_impl.h"

/* The lanes of one pass, both in place. y.p NULL: a condition or an unconditional flow. */
typedef struct lanes {
  fm_real *x;
  fm_rows y;
  const fm_condition *condition;
} lanes;

static PetscErrorCode check_lanes(const fm_flow *flow, int64_t nb, fm_lanes in) {
  const fm_condition *c = in.condition;

  PetscFunctionBegin;
  fm_check(nb >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a batch of %" PRId64, nb);
  fm_check(!(in.y && c), PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
           "a flow was given both a y and a condition; give one of them");
  fm_check(in.y || c || !flow->nreader, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL,
           "a conditional flow was given neither a y nor a condition");
  fm_check(!c || (c->nreader == flow->nreader && c->size_y == fm_flow_size_y(flow)),
           PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
           "the condition belongs to another flow: %" PRId64 " layers and a y of %" PRId64
           ", not %" PRId64 " and %" PRId64,
           c ? c->nreader : 0, c ? c->size_y : 0, flow->nreader, fm_flow_size_y(flow));
  PetscFunctionReturn(0);
}

static PetscErrorCode copy(fm_real *to, const fm_real *from, int64_t count) {
  PetscFunctionBegin;
  if (to != from) PetscCall(PetscArraymove(to, from, count));
  PetscFunctionReturn(0);
}

/* What a layer that reads y sees now. */
static fm_rows seen(const fm_layer *layer, const lanes *at) {
  if (!at->condition) return at->y;
  return (fm_rows){at->condition->values + (1 + layer->reader) * layer->size_y, 1,
                   layer->size_y};
}

static void zero(fm_real *p, int64_t count) {
  for (int64_t i = 0; p && i < count; i++) p[i] = 0;
}

/* Is this layer part of the pass? Not in the y lane when a condition stands for it. */
static int takes_part(const fm_layer *layer, const lanes *at) {
  return layer->lane == FM_LANE_X || at->y.p;
}

/* Where the index-th layer of a pass leaves its activations, or finds them. */
static fm_real *kept_of(const fm_kept *kept, const fm_layer *layer, int64_t index) {
  return kept && layer->kind->ops->keep ? kept->block.p + kept->first[index] : NULL;
}

static void layer_apply(const fm_layer *layer, fm_pass *pass, int64_t nb, const lanes *at,
                        fm_logdet logdet) {
  const int on_x = layer->lane == FM_LANE_X;

  pass->nb = on_x ? nb : at->y.count;
  pass->y = seen(layer, at);
  layer->kind->ops->apply(layer, pass, on_x ? at->x : at->y.p, on_x ? logdet.x : logdet.y);
}

PetscErrorCode fm_flow_apply(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                             int64_t nb, fm_lanes in, fm_lanes out, fm_logdet logdet) {
  const int64_t ny = in.y ? nb * fm_flow_size_y(flow) : 0;
  fm_pass pass = {.theta = theta, .direction = direction};
  fm_real *scratch;
  lanes at;

  PetscFunctionBegin;
  PetscCall(check_lanes(flow, nb, in));
  PetscCall(fm_flow_reserve(flow, nb, ny, &scratch));
  pass.work = scratch + ny;
  if (out.kept) PetscCall(fm_kept_begin(out.kept, flow, direction, nb, in.y != NULL));
  at = (lanes){
      out.x, {in.y && !out.y ? scratch : out.y, nb, fm_flow_size_y(flow)}, in.condition};
  if (!in.y) at.y.p = NULL;
  PetscCall(copy(at.x, in.x, nb * fm_flow_size_x(flow)));
  if (in.y) PetscCall(copy(at.y.p, in.y, ny));
  zero(logdet.x, nb);
  zero(logdet.y, nb);
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);

    if (!takes_part(layer, &at)) continue;
    pass.kept = kept_of(out.kept, layer, i);
    layer_apply(layer, &pass, nb, &at, logdet);
  }
  PetscFunctionReturn(0);
}

/* Cotangents, in place beside the lanes. */
typedef struct cotangents {
  fm_real *x;
  fm_rows y; /* p NULL: not wanted, for a condition is a constant */
  fm_logdet logdet;
} cotangents;

static void layer_vjp(const fm_layer *layer, fm_pass *pass, const lanes *at,
                      const cotangents *bar) {
  pass->y = seen(layer, at);
  pass->y_bar = bar->y;
  if (layer->lane == FM_LANE_X)
    layer->kind->ops->vjp(layer, pass, at->x, bar->x, bar->logdet.x);
  else
    layer->kind->ops->vjp(layer, pass, at->y.p, bar->y.p, bar->logdet.y);
}

/* Where the y lane of a vjp is done: in the caller's arrays, or in scratch where there are
   none. */
static PetscErrorCode place_y(int64_t nb, int64_t size_y, fm_lanes out, fm_lanes out_bar,
                              fm_lanes in, fm_lanes in_bar, fm_real *scratch, lanes *at,
                              cotangents *bar) {
  PetscFunctionBegin;
  at->y = (fm_rows){in.y ? in.y : scratch, nb, size_y};
  bar->y = (fm_rows){in_bar.y ? in_bar.y : scratch + nb * size_y, nb, size_y};
  if (out_bar.y)
    PetscCall(copy(bar->y.p, out_bar.y, nb * size_y));
  else
    zero(bar->y.p, nb * size_y);
  PetscCall(copy(at->y.p, out.y, nb * size_y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_vjp(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                           int64_t nb, fm_lanes out, fm_lanes out_bar, fm_logdet logdet_bar,
                           fm_lanes in, fm_lanes in_bar, fm_real *theta_bar) {
  const int64_t size_x = fm_flow_size_x(flow), size_y = fm_flow_size_y(flow);
  const int64_t ny = out.y ? 2 * nb * size_y : 0;
  fm_pass pass = {.theta = theta, .theta_bar = theta_bar, .direction = direction, .nb = nb};
  lanes at = {.x = in.x, .condition = out.condition};
  cotangents bar = {.x = in_bar.x, .logdet = logdet_bar};
  fm_real *scratch;

  PetscFunctionBegin;
  PetscCall(check_lanes(flow, nb, out));
  PetscCall(fm_flow_reserve(flow, nb, ny, &scratch));
  pass.work = scratch + ny;
  if (out.kept) PetscCall(fm_kept_check(out.kept, flow, direction, nb, out.y != NULL));
  PetscCall(copy(bar.x, out_bar.x, nb * size_x));
  PetscCall(copy(at.x, out.x, nb * size_x));
  if (out.y) PetscCall(place_y(nb, size_y, out, out_bar, in, in_bar, scratch, &at, &bar));
  for (int64_t i = flow->nlayer - 1; i >= 0; i--) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);

    if (!takes_part(layer, &at)) continue;
    pass.kept = kept_of(out.kept, layer, i);
    layer_vjp(layer, &pass, &at, &bar);
  }
  PetscFunctionReturn(0);
}

/* The batch itself, or the condition, or one row of zeros that all samples share. */
static PetscErrorCode start_lanes(const fm_flow *flow, int64_t nb, fm_lanes in,
                                  fm_real *scratch, lanes *at) {
  const int64_t size_x = fm_flow_size_x(flow), size_y = fm_flow_size_y(flow);

  PetscFunctionBegin;
  *at = (lanes){.x = scratch, .y = {scratch + nb * size_x, in.y ? nb : 1, size_y}};
  PetscCall(copy(at->x, in.x, nb * size_x));
  at->condition = in.condition;
  if (in.condition)
    at->y.p = NULL;
  else if (in.y)
    PetscCall(copy(at->y.p, in.y, nb * size_y));
  else
    zero(at->y.p, size_y);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_start(const fm_flow *flow, fm_real *theta, fm_direction direction,
                             int64_t nb, fm_lanes in) {
  const int64_t extra = nb * (fm_flow_size_x(flow) + fm_flow_size_y(flow));
  fm_pass pass = {.theta = theta, .direction = direction};
  fm_real *scratch;
  lanes at;

  PetscFunctionBegin;
  fm_check(nb >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a start from no samples");
  PetscCall(fm_flow_reserve(flow, nb, extra, &scratch));
  pass.work = scratch + extra;
  PetscCall(start_lanes(flow, nb, in, scratch, &at));
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);
    const int on_x = layer->lane == FM_LANE_X;

    if (!takes_part(layer, &at)) continue;
    if (layer->kind->ops->start && (on_x || in.y))
      layer->kind->ops->start(layer, theta, direction, nb, on_x ? at.x : at.y.p);
    layer_apply(layer, &pass, nb, &at, (fm_logdet){NULL, NULL});
  }
  PetscFunctionReturn(0);
}
