/* Inside the oneDNN implementation of the convolutional network.

   The 3x3 convolution hidden -> hidden is oneDNN's own: Winograd's where the image is large
   enough for it to win, else direct. The two with few channels at one end become 1x1
   convolutions with the shifted copies of that end's image (fm_convnet_columns and
   fm_convnet_fold): nine times the channels, but no padding of 4 channels to 16 nine times
   over. h1 and h2 stay in oneDNN's layout; images and weights are plain outside.

   In bf16 the gradients to the weights are ours (convnet_gradient.h), and so are copies between
   layouts (convnet_blocked.h), where oneDNN's layouts are as those expect; else oneDNN's own.

   Everything is laid out at creation: slots (arrays, with their layout and memory object) and
   steps (primitives, with the slots that they read and write). apply and vjp point the slots at
   the caller's memory and run the steps. */
#ifndef FATHOM_FLOW_CONVNET_ONEDNN_H
#define FATHOM_FLOW_CONVNET_ONEDNN_H

#include "flow/convnet_blocked.h"
#include "flow/convnet_gradient.h"
#include "flow/convnet_impl.h"
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

enum { FIRST, MIDDLE, LAST, CONVOLUTIONS };
/* Of each convolution: its weights as theta has them and as its primitives want them; its
   gradient as computed and as theta_bar has it; its bias likewise. */
enum { PLAIN, FORWARD, BACKWARD, GRADIENT, PLAIN_BAR, BIAS, BIAS_BAR, OF_CONVOLUTION };
#define OF(convolution, what) ((convolution)*OF_CONVOLUTION + (what))
enum {
  X_PLAIN = OF(CONVOLUTIONS, 0), /* columns of in [9 nin][pixels], or their cotangents */
  X,                             /* the same, as the first convolution wants them */
  X_BAR,
  Q_PLAIN, /* what folds to out [9 nout][pixels], or its cotangents */
  Q,
  Q_BAR,
  H1,
  H2,
  H2_BAR,
  SUM, /* W2^T h2_bar in float; h1_bar where that is float too */
  H1_BAR,
  SCRATCHPAD,
  SLOTS
};

typedef struct fm_slot {
  dnnl_memory_desc_t layout;
  dnnl_memory_t memory;
  int64_t offset; /* in work; -1: lies elsewhere */
} fm_slot;

enum { APPLY, DATA, WEIGHTS, TO_FORWARD, TO_BACKWARD, ADD_GRADIENT, STEPS_OF_CONVOLUTION };
#define STEP(convolution, what) ((convolution)*STEPS_OF_CONVOLUTION + (what))
enum { BLOCK_X = STEP(CONVOLUTIONS, 0), UNBLOCK_X_BAR, UNBLOCK_Q, BLOCK_Q_BAR, STEPS };

enum { ARGUMENTS = 5 };
typedef struct fm_step {
  fm_blocked_copy *copy; /* of ours, from slot 0 to slot 1; else the primitive */
  dnnl_dims_t n;         /* of the copy */
  dnnl_primitive_t primitive;
  int count, slot[ARGUMENTS];
  dnnl_exec_arg_t argument[ARGUMENTS];
} fm_step;

typedef struct fm_onednn {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_data_type_t type;    /* of what a convolution reads */
  size_t scratchpad, field; /* bytes; field: of h1, and of h2 */
  fm_slot slot[SLOTS];
  fm_step step[STEPS];
  int gradients;        /* of the weights by ours; 0: by oneDNN's */
  dnnl_status_t failed; /* the first status that was not success, in apply or vjp */
} fm_onednn;

/* oneDNN's loops are cut by OpenMP threads; with one, nothing depends on how many there are. */
static inline int fm_onednn_one_thread(void) {
  const int before = omp_get_max_threads();

  omp_set_num_threads(1);
  return before;
}

/* Of a gradient with few channels: numbers in front of its scratch. */
static inline int64_t fm_onednn_sums(int64_t channels, int64_t hidden) {
  return fm_convnet_align((channels + 1) * 9 * hidden);
}

PetscErrorCode fm_onednn_accept(const fm_convnet_spec *spec);
PetscErrorCode fm_onednn_create(fm_convnet *net);
PetscErrorCode fm_onednn_destroy(fm_convnet *net);

#endif
