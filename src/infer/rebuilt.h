/* The backward pass rebuilds its input by inverting the layers; what rounding makes of that is
   watched: every FM_REBUILT_EVERY steps the rebuilt whitened samples are held against what went
   in, and a relative error |rebuilt - in| / |in| beyond FM_REBUILT_LIMIT is warned of. bf16
   conditioners amplify it with the depth; a flow close to singular does in any precision. Costs
   a copy of the batch. Nothing to watch where activations are stored: scales and shifts are
   then those of the forward pass. */
#ifndef FATHOM_REBUILT_H
#define FATHOM_REBUILT_H

#include "fathom/transport.h"

#define FM_REBUILT_EVERY 64
#define FM_REBUILT_LIMIT 1e-3

typedef struct fm_rebuilt {
  fm_real *was; /* [capacity][n]; the holder frees it */
  int64_t capacity;
} fm_rebuilt;

/* fm_rebuilt_begin - before the forward pass of nb samples v [nb][n]; does nothing between the
   watched steps. Not collective. */
PetscErrorCode fm_rebuilt_begin(fm_rebuilt *r, const fm_transport *t, int64_t step, int64_t nb,
                                const fm_real *v);
/* fm_rebuilt_end - after the backward pass, with what it rebuilt; samples whose ok is false
   (ok NULL: none) are left out. */
void fm_rebuilt_end(fm_rebuilt *r, const fm_transport *t, int64_t step, int64_t nb,
                    const fm_real *v, const PetscBool *ok);

#endif
