/* What a flow is made of: networks, layers, tensors and their starting numbers. */
#include "flow/flow_impl.h"

#define FM_LAYER(name, help) extern const fm_layer_ops fm_layer_##name;
#include "flow/layers.def"
#undef FM_LAYER
#define FM_LAYER(name, help) {#name, help, &fm_layer_##name},
static const fm_layer_kind layer_kinds[] = {
#include "flow/layers.def"
};
#undef FM_LAYER

#define FM_NETWORK(name, help) PetscErrorCode fm_network_##name(fm_flow *);
#include "flow/networks.def"
#undef FM_NETWORK
#define FM_NETWORK(name, help) {#name, fm_network_##name},
static const struct {
  const char *name;
  fm_network build;
} networks[] = {
#include "flow/networks.def"
};
#undef FM_NETWORK
#define FM_NETWORK(name, help) " " #name
static const char network_names[] =
#include "flow/networks.def"
    ;
#undef FM_NETWORK
#define FM_LAYER(name, help) " " #name
static const char layer_names[] =
#include "flow/layers.def"
    ;
#undef FM_LAYER

enum { NLAYER_KIND = sizeof(layer_kinds) / sizeof(layer_kinds[0]) };
enum { NNETWORK = sizeof(networks) / sizeof(networks[0]) };

const fm_layer_kind *fm_layer_kinds(int64_t *count) {
  *count = NLAYER_KIND;
  return layer_kinds;
}

static const fm_layer_kind *find_kind(const char *name) {
  for (int i = 0; i < NLAYER_KIND; i++)
    if (!strcmp(layer_kinds[i].name, name)) return &layer_kinds[i];
  return NULL;
}

static fm_network find_network(const char *name) {
  for (int i = 0; i < NNETWORK; i++)
    if (!strcmp(networks[i].name, name)) return networks[i].build;
  return NULL;
}

static PetscErrorCode check_spec(const fm_flow_spec *spec) {
  PetscFunctionBegin;
  fm_check(fm_shape_size(spec->x) >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "a flow needs an x of size 1 or more, not %" PRId64, fm_shape_size(spec->x));
  fm_check(fm_shape_size(spec->y) >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "the size of y is %" PRId64 "; it must be 0 (no condition) or more",
           fm_shape_size(spec->y));
  fm_check(
      spec->depth >= 1 && spec->hidden >= 1 && spec->reflections >= 0, PETSC_COMM_SELF,
      PETSC_ERR_ARG_OUTOFRANGE,
      "a flow needs depth and hidden of 1 or more and reflections of 0 or more, not %" PRId64
      ", %" PRId64 " and %" PRId64,
      spec->depth, spec->hidden, spec->reflections);
  fm_check(spec->scales <= spec->depth, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "%" PRId64 " scales (-flow_scales) of %" PRId64
           " blocks (-flow_depth): a scale has a block or more",
           spec->scales, spec->depth);
  fm_check(!strcmp(spec->network, "hint") || (spec->squeezes <= 0 && spec->scales <= 1),
           PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
           "network '%s' takes images as vectors: squeezes and scales are of -flow hint",
           spec->network);
  fm_check(!strcmp(spec->variant, "default") || !strcmp(spec->variant, "official") ||
               !strcmp(spec->variant, "bounded"),
           PETSC_COMM_SELF, PETSC_ERR_ARG_UNKNOWN_TYPE,
           "unknown conditioner variant '%s'; known: default official bounded", spec->variant);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_empty(const fm_flow_spec *spec, fm_flow **flow) {
  PetscFunctionBegin;
  *flow = NULL;
  PetscCall(check_spec(spec));
  PetscCall(PetscNew(flow));
  (*flow)->spec = *spec;
  (*flow)->now[FM_LANE_X] = spec->x;
  (*flow)->now[FM_LANE_Y] = spec->y;
  PetscCall(fm_layout_create(&(*flow)->layout));
  PetscCall(PetscNew(&(*flow)->scratch));
  PetscCall(PetscNew(&(*flow)->part));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_create(const fm_flow_spec *spec, fm_flow **flow) {
  const fm_network build = find_network(spec->network);

  PetscFunctionBegin;
  fm_check(build, PETSC_COMM_SELF, PETSC_ERR_ARG_UNKNOWN_TYPE, "unknown network '%s'; known:%s",
           spec->network, network_names);
  PetscCall(create_empty(spec, flow));
  PetscCall(build(*flow));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_create_layer(const fm_flow_spec *spec, const char *kind, fm_lane lane,
                                    fm_flow **flow) {
  PetscFunctionBegin;
  PetscCall(create_empty(spec, flow));
  PetscCall(fm_flow_add(*flow, "", lane, kind));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_destroy(fm_flow **flow) {
  PetscFunctionBegin;
  if (!*flow) PetscFunctionReturn(0);
  for (int64_t i = 0; i < (*flow)->nlayer; i++) {
    PetscCall(PetscFree((*flow)->layer[i]->data));
    PetscCall(PetscFree((*flow)->layer[i]));
  }
  PetscCall(PetscFree((*flow)->layer));
  PetscCall(PetscFree((*flow)->deviation));
  PetscCall(fm_flow_destroy_nets(*flow));
  PetscCall(PetscFree((*flow)->scratch->p));
  PetscCall(PetscFree((*flow)->scratch));
  PetscCall(PetscFree((*flow)->part->p));
  PetscCall(PetscFree((*flow)->part));
  PetscCall(fm_layout_destroy(&(*flow)->layout));
  PetscCall(PetscFree(*flow));
  PetscFunctionReturn(0);
}

const fm_flow_spec *fm_flow_get_spec(const fm_flow *flow) { return &flow->spec; }
const fm_layout *fm_flow_layout(const fm_flow *flow) { return flow->layout; }

static PetscErrorCode new_layer(fm_flow *flow, fm_layer **layer) {
  PetscFunctionBegin;
  if (flow->nlayer == flow->layer_capacity) {
    fm_layer **larger;

    flow->layer_capacity = 2 * flow->layer_capacity + 16;
    PetscCall(fm_calloc(flow->layer_capacity, &larger));
    PetscCall(PetscArraycpy(larger, flow->layer, flow->nlayer));
    PetscCall(PetscFree(flow->layer));
    flow->layer = larger;
  }
  PetscCall(PetscNew(layer));
  flow->layer[flow->nlayer++] = *layer;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_add(fm_flow *flow, const char *block, fm_lane lane, const char *name) {
  const fm_layer_kind *kind = find_kind(name);
  fm_layer *layer;

  PetscFunctionBegin;
  fm_check(kind, PETSC_COMM_SELF, PETSC_ERR_ARG_UNKNOWN_TYPE, "unknown layer '%s'; known:%s",
           name, layer_names);
  fm_check(fm_flow_size_y(flow) || !(lane == FM_LANE_Y || kind->ops->reads_y), PETSC_COMM_SELF,
           PETSC_ERR_ARG_SIZ, "layer '%s' needs a y, but the size of y is 0", name);
  PetscCall(new_layer(flow, &layer));
  layer->kind = kind;
  layer->lane = lane;
  layer->shape = flow->now[lane];
  layer->y = flow->now[FM_LANE_Y];
  layer->size = fm_shape_size(layer->shape);
  layer->size_y = fm_flow_size_y(flow);
  layer->first = flow->layout->size;
  layer->reader = kind->ops->reads_y ? flow->nreader++ : 0;
  PetscCall(PetscSNPrintf(layer->name, sizeof(layer->name), "%s%s%s.%s", block,
                          *block ? "." : "", lane == FM_LANE_X ? "x" : "y", name));
  PetscCall(kind->ops->build(layer, flow));
  layer->nparameter = flow->layout->size - layer->first;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_split(fm_flow *flow) {
  PetscFunctionBegin;
  for (int lane = 0; lane < 2; lane++) {
    fm_check(flow->now[lane].c != 1, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
             "a scale of one channel cannot be split (-flow_scales, -flow_squeezes)");
    flow->now[lane].c -= flow->now[lane].c / 2;
  }
  flow->splits = 1;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layer_reshape(fm_flow *flow, const fm_layer *layer, fm_shape out) {
  PetscFunctionBegin;
  PetscAssert(fm_shape_size(out) == layer->size, PETSC_COMM_SELF, PETSC_ERR_PLIB,
              "layer %s changes the size of its lane", layer->name);
  flow->now[layer->lane] = out;
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_deviation(fm_flow *flow, int64_t tensor, double deviation) {
  PetscFunctionBegin;
  if (tensor == flow->ntensor_capacity) {
    double *larger;

    flow->ntensor_capacity = 2 * flow->ntensor_capacity + 16;
    PetscCall(fm_calloc(flow->ntensor_capacity, &larger));
    PetscCall(PetscArraycpy(larger, flow->deviation, tensor));
    PetscCall(PetscFree(flow->deviation));
    flow->deviation = larger;
  }
  flow->deviation[tensor] = deviation;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layer_tensor(fm_flow *flow, fm_layer *layer, const char *name, int ndim,
                               const int64_t *shape, double deviation, int64_t *offset) {
  char full[2 * FM_NAME_MAX];
  int64_t size = 1, begin = flow->layout->size;

  PetscFunctionBegin;
  for (int d = 0; d < ndim; d++) size *= shape[d];
  if (size) {
    PetscCall(PetscSNPrintf(full, sizeof(full), "%s.%s", layer->name, name));
    PetscCall(fm_layout_add(flow->layout, full, layer->lane, ndim, shape, &begin));
    PetscCall(keep_deviation(flow, flow->layout->ntensor - 1, deviation));
  }
  if (offset) *offset = begin;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_initialize(const fm_flow *flow, fm_rng rng, fm_real *theta) {
  PetscFunctionBegin;
  for (int64_t t = 0; t < flow->layout->ntensor; t++) {
    const fm_tensor *tensor = &flow->layout->tensor[t];
    fm_real *p = theta + tensor->offset;

    PetscCall(PetscArrayzero(p, tensor->size));
    if (flow->deviation[t] == 0) continue;
    fm_rng_normal(rng, (uint64_t)t, 0, (size_t)tensor->size, p);
    for (int64_t i = 0; i < tensor->size; i++) p[i] *= (fm_real)flow->deviation[t];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_scratch_reserve(fm_scratch *scratch, int64_t size) {
  PetscFunctionBegin;
  if (size > scratch->size) {
    PetscCall(PetscFree(scratch->p));
    scratch->size = 0;
    PetscCall(fm_calloc(size, &scratch->p));
    scratch->size = size;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_reserve(const fm_flow *flow, int64_t nb, int64_t extra, fm_real **p) {
  int64_t most = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = flow->layer[i];

    if (layer->kind->ops->work) most = PetscMax(most, layer->kind->ops->work(layer, nb));
  }
  PetscCall(fm_scratch_reserve(flow->scratch, most + extra));
  *p = flow->scratch->p;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_visit_layers(const fm_flow *flow, fm_layer_visitor visit,
                                    void *context) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = flow->layer[i];
    const fm_layer_ops *ops = layer->kind->ops;
    const fm_layer_facts facts = {.name = layer->name,
                                  .kind = layer->kind->name,
                                  .lane = layer->lane,
                                  .shape = layer->shape,
                                  .nparameter = layer->nparameter,
                                  .flop =
                                      ops->flop ? ops->flop(layer) : 2. * (double)layer->size};

    PetscCall(visit(&facts, context));
  }
  PetscFunctionReturn(0);
}
