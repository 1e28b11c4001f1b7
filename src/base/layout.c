#include "fathom/layout.h"

PetscErrorCode fm_layout_create(fm_layout **layout) {
  PetscFunctionBegin;
  PetscCall(PetscNew(layout));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layout_destroy(fm_layout **layout) {
  PetscFunctionBegin;
  if (*layout) PetscCall(PetscFree((*layout)->tensor));
  PetscCall(PetscFree(*layout));
  PetscFunctionReturn(0);
}

static PetscErrorCode grow(fm_layout *layout) {
  fm_tensor *larger;

  PetscFunctionBegin;
  if (layout->ntensor == layout->capacity) {
    layout->capacity += layout->capacity / 2 + 16;
    PetscCall(fm_calloc(layout->capacity, &larger));
    PetscCall(PetscArraycpy(larger, layout->tensor, layout->ntensor));
    PetscCall(PetscFree(layout->tensor));
    layout->tensor = larger;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_layout_add(fm_layout *layout, const char *name, fm_lane lane, int ndim,
                             const int64_t *shape, int64_t *offset) {
  fm_tensor *tensor;

  PetscFunctionBegin;
  fm_check(strlen(name) < FM_NAME_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
           "tensor name '%s' is longer than %d", name, FM_NAME_MAX - 1);
  fm_check(!fm_layout_find(layout, name), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
           "tensor name '%s' is taken", name);
  PetscAssert(ndim >= 1 && ndim <= FM_NDIM_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
              "ndim %d", ndim);
  PetscCall(grow(layout));
  tensor = &layout->tensor[layout->ntensor++];
  PetscCall(PetscStrncpy(tensor->name, name, sizeof(tensor->name)));
  tensor->lane = lane;
  tensor->ndim = ndim;
  tensor->offset = layout->size;
  tensor->size = 1;
  for (int d = 0; d < ndim; d++) tensor->size *= tensor->shape[d] = shape[d];
  layout->size += tensor->size;
  *offset = tensor->offset;
  PetscFunctionReturn(0);
}

const fm_tensor *fm_layout_find(const fm_layout *layout, const char *name) {
  for (int64_t i = 0; i < layout->ntensor; i++)
    if (!strcmp(layout->tensor[i].name, name)) return &layout->tensor[i];
  return NULL;
}

char *fm_tensor_shape_text(const fm_tensor *tensor, char *text, size_t length) {
  size_t used = 0;

  text[0] = 0;
  for (int d = 0; d < tensor->ndim && used < length; d++)
    used += (size_t)snprintf(text + used, length - used, "[%lld]", (long long)tensor->shape[d]);
  return text;
}
