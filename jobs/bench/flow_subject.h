/* flow_subject - a flow of images under training by forward KL, as fm_trainer_step trains it: the
   network of the paper (one squeeze, hidden 64, three reflections), micro-batches of one image,
   Adam. */
#ifndef FATHOM_BENCH_FLOW_SUBJECT_H
#define FATHOM_BENCH_FLOW_SUBJECT_H

#include "fathom/trainer.h"

typedef enum bench_memory {
  BENCH_STORE,
  BENCH_RECOMPUTE,
  BENCH_BF16,
  BENCH_MODES
} bench_memory;
extern const char *const bench_memory_name[BENCH_MODES];

typedef struct bench_subject {
  const fm_comm *comm; /* borrowed */
  fm_dataset *data;    /* borrowed; x and y of one channel and equal sides */
  int64_t batch, *row; /* trained on: the first rows of the data */
  fm_transport *transport;
  fm_objective *objective;
  fm_trainer *trainer;
} bench_subject;

/* bench_subject_create - weights from fm_flow_initialize and the data-dependent start. Fails
   where bf16 is asked of a CPU without it. Collective. */
PetscErrorCode bench_subject_create(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                    int64_t batch, bench_memory memory, bench_subject *subject);
PetscErrorCode bench_subject_destroy(bench_subject *subject);
/* bench_subject_flops - of a training step without recomputation: three passes of every layer. */
PetscErrorCode bench_subject_flops(const bench_subject *subject, double *flops);
/* bench_subject_bytes - of all that a trainer holds a parameter: theta, its average, gradient,
   two moments, and the share: two limbs and four micro-batches that wait. */
int64_t bench_subject_bytes(const bench_subject *subject);
/* bench_pairs_write - a file of so many pairs of images: x normal and smoothed, y = x and noise.
 */
PetscErrorCode bench_pairs_write(const char *path, int64_t side, int64_t count);

#endif
