/* One observation, pushed once through the y lane: what each layer that reads y sees. */
#include "flow/flow_impl.h"

static PetscErrorCode create(const fm_flow *flow, fm_condition **condition) {
  const int64_t size_y = fm_flow_size_y(flow);

  PetscFunctionBegin;
  PetscCall(PetscNew(condition));
  (*condition)->size_y = size_y;
  (*condition)->nreader = flow->nreader;
  (*condition)->count = size_y * (1 + flow->nreader);
  PetscCall(fm_calloc((*condition)->count, &(*condition)->values));
  PetscFunctionReturn(0);
}

/* y [size_y] is overwritten with what comes out; the readers' rows are filled on the way. */
static PetscErrorCode push(const fm_flow *flow, const fm_real *theta, fm_direction direction,
                           fm_condition *condition, fm_real *y) {
  fm_pass pass = {.theta = theta, .direction = direction, .nb = 1};

  PetscFunctionBegin;
  PetscCall(fm_flow_reserve(flow, 1, 0, &pass.work));
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = fm_flow_layer(flow, direction, i);
    fm_real *row = condition->values + (1 + layer->reader) * condition->size_y;

    if (layer->kind->ops->reads_y) PetscCall(PetscArraycpy(row, y, condition->size_y));
    if (layer->lane == FM_LANE_Y) layer->kind->ops->apply(layer, &pass, y, NULL);
  }
  PetscCall(fm_flow_check_nets(flow));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_flow_condition(const fm_flow *flow, const fm_real *theta, const fm_real *y,
                                 fm_condition **condition) {
  PetscFunctionBegin;
  PetscCall(create(flow, condition));
  PetscCall(PetscArraycpy((*condition)->values, y, (*condition)->size_y));
  PetscCall(push(flow, theta, FM_NORMALIZE, *condition, (*condition)->values));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_condition_from_latent(const fm_flow *flow, const fm_real *theta,
                                        const fm_real *z_y, fm_condition **condition) {
  fm_real *y;

  PetscFunctionBegin;
  PetscCall(create(flow, condition));
  PetscCall(PetscArraycpy((*condition)->values, z_y, (*condition)->size_y));
  PetscCall(fm_calloc((*condition)->size_y, &y));
  PetscCall(PetscArraycpy(y, z_y, (*condition)->size_y));
  PetscCall(push(flow, theta, FM_GENERATE, *condition, y));
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_condition_destroy(fm_condition **condition) {
  PetscFunctionBegin;
  if (*condition) PetscCall(PetscFree((*condition)->values));
  PetscCall(PetscFree(*condition));
  PetscFunctionReturn(0);
}

const fm_real *fm_condition_latent(const fm_condition *condition) { return condition->values; }

const fm_real *fm_condition_values(const fm_condition *condition, int64_t *count) {
  *count = condition->count;
  return condition->values;
}

PetscErrorCode fm_condition_restore(const fm_flow *flow, int64_t count, const fm_real *values,
                                    fm_condition **condition) {
  const int64_t wanted = fm_flow_size_y(flow) * (1 + flow->nreader);

  PetscFunctionBegin;
  fm_check(count == wanted, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
           "a condition of this flow holds %" PRId64 " numbers, not %" PRId64
           "; it was kept by a flow of another depth or size of y",
           wanted, count);
  PetscCall(create(flow, condition));
  PetscCall(PetscArraycpy((*condition)->values, values, count));
  PetscFunctionReturn(0);
}
