/* What the layers of a pass leave for its vjp (-flow_memory store). */
#include "flow/flow_impl.h"

PetscErrorCode fm_kept_create(const fm_flow *flow, fm_kept **kept) {
  PetscFunctionBegin;
  PetscCall(PetscNew(kept));
  (*kept)->flow = flow;
  PetscCall(fm_calloc(flow->nlayer, &(*kept)->first));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_kept_destroy(fm_kept **kept) {
  PetscFunctionBegin;
  if (!*kept) PetscFunctionReturn(0);
  PetscCall(PetscFree((*kept)->block.p));
  PetscCall(PetscFree((*kept)->first));
  PetscCall(PetscFree(*kept));
  PetscFunctionReturn(0);
}

int64_t fm_kept_bytes(const fm_kept *kept) {
  return kept->block.size * (int64_t)sizeof(fm_real);
}

PetscErrorCode fm_kept_begin(fm_kept *kept, const fm_flow *flow, int64_t nb, int with_y) {
  int64_t size = 0;

  PetscFunctionBegin;
  PetscAssert(kept->flow == flow, PETSC_COMM_SELF, PETSC_ERR_PLIB, "kept for another flow");
  for (int64_t i = 0; i < flow->nlayer; i++) {
    const fm_layer *layer = flow->layer[i];
    const int idle = layer->lane == FM_LANE_Y && !with_y;

    kept->first[i] = size;
    if (layer->kind->ops->keep && !idle) size += layer->kind->ops->keep(layer, nb);
  }
  kept->nb = 0;
  PetscCall(fm_scratch_reserve(&kept->block, size));
  kept->nb = nb;
  kept->with_y = with_y;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_kept_check(const fm_kept *kept, const fm_flow *flow, int64_t nb, int with_y) {
  PetscFunctionBegin;
  fm_check(kept->flow == flow && kept->nb == nb && kept->with_y == with_y, PETSC_COMM_SELF,
           PETSC_ERR_ORDER,
           "a vjp of %" PRId64 " samples was given what an apply of %" PRId64
           " samples kept, of another flow or other lanes",
           nb, kept->nb);
  PetscFunctionReturn(0);
}
