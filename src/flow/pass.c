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

/* Where the step-th layer of a pass leaves its activations, or finds them. */
static fm_real *kept_of(const fm_kept *kept, const fm_flow *flow, fm_direction direction,
                        int64_t step) {
  const int64_t index = direction == FM_NORMALIZE ? step : flow->nlayer - 1 - step;

  if (!kept || !flow->layer[index]->kind->ops->keep) return NULL;
  return kept->block.p + kept->first[index];
}

/* ---- layers that have part of a lane ---- */

static int64_t lane_size(const fm_flow *flow, const fm_layer *layer) {
  return layer->lane == FM_LANE_X ? fm_flow_size_x(flow) : fm_flow_size_y(flow);
}

/* Room for that many batches of parts of a lane. */
static PetscErrorCode reserve_parts(const fm_flow *flow, int64_t batches, int64_t nb) {
  const int64_t most = PetscMax(fm_flow_size_x(flow), fm_flow_size_y(flow));

  PetscFunctionBegin;
  if (flow->splits) PetscCall(fm_scratch_reserve(flow->part, batches * nb * most));
  PetscFunctionReturn(0);
}

static void copy_rows(int64_t nb, int64_t width, const fm_real *from, int64_t from_stride,
                      fm_real *to, int64_t to_stride) {
  for (int64_t b = 0; b < nb; b++)
    memcpy(to + b * to_stride, from + b * from_stride, (size_t)width * sizeof(*to));
}

/* What the layer has of a lane's rows v, packed in `part`; v itself where it has all. */
static fm_real *pack(const fm_flow *flow, const fm_layer *layer, int64_t nb, fm_real *v,
                     fm_real *part) {
  const int64_t stride = lane_size(flow, layer);

  if (layer->size == stride || nb == 1) return v;
  copy_rows(nb, layer->size, v, stride, part, layer->size);
  return part;
}

static void unpack(const fm_flow *flow, const fm_layer *layer, int64_t nb, const fm_real *part,
                   fm_real *v) {
  if (part != v) copy_rows(nb, layer->size, part, layer->size, v, lane_size(flow, layer));
}

/* ---- apply ---- */

static void layer_apply(const fm_flow *flow, const fm_layer *layer, fm_pass *pass, int64_t nb,
                        const lanes *at, fm_logdet logdet) {
  const int on_x = layer->lane == FM_LANE_X;
  fm_real *const v = on_x ? at->x : at->y.p, *part;

  pass->nb = on_x ? nb : at->y.count;
  pass->y = seen(layer, at);
  part = pack(flow, layer, pass->nb, v, flow->part->p);
  layer->kind->ops->apply(layer, pass, part, on_x ? logdet.x : logdet.y);
  unpack(flow, layer, pass->nb, part, v);
}

static PetscErrorCode apply_rows(const fm_flow *flow, const fm_real *theta,
                                 fm_direction direction, int64_t nb, fm_lanes in, fm_lanes out,
                                 fm_logdet logdet) {
  const int64_t ny = in.y ? nb * fm_flow_size_y(flow) : 0;
  fm_pass pass = {.theta = theta, .direction = direction};
  fm_real *scratch;
  lanes at;

  PetscFunctionBegin;
  PetscCall(fm_flow_reserve(flow, nb, ny, &scratch));
  PetscCall(reserve_parts(flow, 1, nb));
  pass.work = scratch + ny;
  if (out.kept) PetscCall(fm_kept_begin(out.kept, flow, nb, in.y != NULL));
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
    pass.kept = kept_of(out.kept, flow, direction, i);
    layer_apply(flow, layer, &pass, nb, &at, logdet);
  }
  PetscCall(fm_flow_check_nets(flow));
  PetscFunctionReturn(0);
}

/* Rows that go through all layers together. Images go a few at a time, so that scratch does not
   grow with the batch; what is kept must be kept of all. */
enum { IMAGES = 16 };

static int64_t rows_at_once(const fm_flow *flow, int64_t nb, const fm_kept *kept) {
  const int image = fm_shape_pixels(flow->spec.x) > 1;

  return image && !kept && nb > IMAGES ? IMAGES : PetscMax(1, nb);
}

static fm_real *from(fm_real *p, int64_t numbers) { return p ? p + numbers : NULL; }

/* The lanes of the rows from `row` on. */
static fm_lanes lanes_from(const fm_flow *flow, fm_lanes v, int64_t row) {
  v.x = from(v.x, row * fm_flow_size_x(flow));
  v.y = from(v.y, row * fm_flow_size_y(flow));
  return v;
}

static fm_logdet logdet_from(fm_logdet logdet, int64_t row) {
  return (fm_logdet){from(logdet.x, row), from(logdet.y, row)};
}

PetscErrorCode fm_flow_apply(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                             int64_t nb, fm_lanes in, fm_lanes out, fm_logdet logdet) {
  const int64_t block = rows_at_once(flow, nb, out.kept);

  PetscFunctionBegin;
  PetscCall(check_lanes(flow, nb, in));
  for (int64_t b = 0; b < nb; b += block)
    PetscCall(apply_rows(flow, theta, direction, PetscMin(block, nb - b),
                         lanes_from(flow, in, b), lanes_from(flow, out, b),
                         logdet_from(logdet, b)));
  PetscFunctionReturn(0);
}

/* ---- vjp ---- */

/* Cotangents, in place beside the lanes. */
typedef struct cotangents {
  fm_real *x;
  fm_rows y; /* p NULL: not wanted, for a condition is a constant */
  fm_logdet logdet;
} cotangents;

static void layer_vjp(const fm_flow *flow, const fm_layer *layer, fm_pass *pass,
                      const lanes *at, const cotangents *bar) {
  const int on_x = layer->lane == FM_LANE_X;
  fm_real *const v = on_x ? at->x : at->y.p, *const v_bar = on_x ? bar->x : bar->y.p;
  fm_real *part, *part_bar;

  pass->y = seen(layer, at);
  pass->y_bar = bar->y;
  part = pack(flow, layer, pass->nb, v, flow->part->p);
  part_bar = pack(flow, layer, pass->nb, v_bar, flow->part->p + pass->nb * layer->size);
  layer->kind->ops->vjp(layer, pass, part, part_bar, on_x ? bar->logdet.x : bar->logdet.y);
  unpack(flow, layer, pass->nb, part, v);
  unpack(flow, layer, pass->nb, part_bar, v_bar);
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

static PetscErrorCode vjp_rows(const fm_flow *flow, const fm_real *theta,
                               fm_direction direction, int64_t nb, fm_lanes out,
                               fm_lanes out_bar, fm_logdet logdet_bar, fm_lanes in,
                               fm_lanes in_bar, fm_real *theta_bar) {
  const int64_t size_x = fm_flow_size_x(flow), size_y = fm_flow_size_y(flow);
  const int64_t ny = out.y ? 2 * nb * size_y : 0;
  fm_pass pass = {.theta = theta, .theta_bar = theta_bar, .direction = direction, .nb = nb};
  lanes at = {.x = in.x, .condition = out.condition};
  cotangents bar = {.x = in_bar.x, .logdet = logdet_bar};
  fm_real *scratch;

  PetscFunctionBegin;
  PetscCall(fm_flow_reserve(flow, nb, ny, &scratch));
  PetscCall(reserve_parts(flow, 2, nb));
  pass.work = scratch + ny;
  if (out.kept) PetscCall(fm_kept_check(out.kept, flow, nb, out.y != NULL));
  PetscCall(copy(bar.x, out_bar.x, nb * size_x));
  PetscCall(copy(at.x, out.x, nb * size_x));
  if (out.y) PetscCall(place_y(nb, size_y, out, out_bar, in, in_bar, scratch, &at, &bar));
  for (int64_t i = flow->nlayer - 1; i >= 0; i--) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);

    if (!takes_part(layer, &at)) continue;
    pass.kept = kept_of(out.kept, flow, direction, i);
    layer_vjp(flow, layer, &pass, &at, &bar);
  }
  PetscCall(fm_flow_check_nets(flow));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_vjp(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                           int64_t nb, fm_lanes out, fm_lanes out_bar, fm_logdet logdet_bar,
                           fm_lanes in, fm_lanes in_bar, fm_real *theta_bar) {
  const int64_t block = rows_at_once(flow, nb, out.kept);

  PetscFunctionBegin;
  PetscCall(check_lanes(flow, nb, out));
  for (int64_t b = 0; b < nb; b += block)
    PetscCall(vjp_rows(flow, theta, direction, PetscMin(block, nb - b),
                       lanes_from(flow, out, b), lanes_from(flow, out_bar, b),
                       logdet_from(logdet_bar, b), lanes_from(flow, in, b),
                       lanes_from(flow, in_bar, b), theta_bar));
  PetscFunctionReturn(0);
}

/* ---- start ---- */

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
  PetscCall(reserve_parts(flow, 1, nb));
  PetscCall(start_lanes(flow, nb, in, scratch, &at));
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);
    const int on_x = layer->lane == FM_LANE_X;

    if (!takes_part(layer, &at)) continue;
    if (layer->kind->ops->start && (on_x || in.y))
      layer->kind->ops->start(layer, theta, direction, nb,
                              pack(flow, layer, nb, on_x ? at.x : at.y.p, flow->part->p));
    layer_apply(flow, layer, &pass, nb, &at, (fm_logdet){NULL, NULL});
  }
  PetscFunctionReturn(0);
}
