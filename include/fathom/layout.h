/* fm_layout names the tensors of one flat array theta. */
#ifndef FATHOM_LAYOUT_H
#define FATHOM_LAYOUT_H

#include "fathom/types.h"

#define FM_NAME_MAX 64
#define FM_NDIM_MAX 4

typedef enum fm_lane { FM_LANE_X = 0, FM_LANE_Y = 1 } fm_lane;

typedef struct fm_tensor {
  char name
      [FM_NAME_MAX]; /* stable: a checkpoint finds its tensors by it, e.g. block3.x.hint.a.w2 */
  int64_t shape[FM_NDIM_MAX];
  int64_t offset, size; /* in fm_real, within theta */
  int ndim;
  fm_lane lane; /* the lane that it transforms: -train xlane trains FM_LANE_X */
} fm_tensor;

typedef struct fm_layout {
  fm_tensor *tensor;
  int64_t ntensor, capacity;
  int64_t size; /* of theta, in fm_real */
} fm_layout;

PetscErrorCode fm_layout_create(fm_layout **layout);
PetscErrorCode fm_layout_destroy(fm_layout **layout);

/* fm_layout_add - append a tensor; *offset is where it begins in theta. Fails on a name that is
   taken or too long. */
PetscErrorCode fm_layout_add(fm_layout *layout, const char *name, fm_lane lane, int ndim,
                             const int64_t *shape, int64_t *offset);

/* fm_layout_find - the tensor of that name, or NULL. */
const fm_tensor *fm_layout_find(const fm_layout *layout, const char *name);

/* fm_tensor_shape_text - "[64][64]" into text; returns text. */
char *fm_tensor_shape_text(const fm_tensor *tensor, char *text, size_t length);

#endif
