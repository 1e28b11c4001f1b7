/* flow_clock - what bench_flow measures on a flow of images under training. Each prints its
   results; report.h has their form. */
#ifndef FATHOM_BENCH_FLOW_CLOCK_H
#define FATHOM_BENCH_FLOW_CLOCK_H

#include "flow_subject.h"

/* bench_same - write weights, pairs, latents and generated images into `folder` for another
   program, and print the loss of so many steps. */
PetscErrorCode bench_same(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                          const char *folder, int64_t steps);
/* bench_step - seconds of a training step, stored, recomputed and stored with bf16 in turn. */
PetscErrorCode bench_step(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                          int64_t steps);
/* bench_ranks - seconds of a stored step on these ranks, of the exact reduction in it and of
   reading its batch. */
PetscErrorCode bench_ranks(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                           int64_t steps);
/* bench_sample - seconds of generating `batch` images at one y. */
PetscErrorCode bench_sample(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                            int64_t steps);
/* bench_convolutions - share of a stored step that its conditioners take when they run alone,
   as often and on as many different weights and activations. */
PetscErrorCode bench_convolutions(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                  int64_t batch);
/* bench_memory_peak - what this process took for `steps` steps, for each parameter's numbers and
   for all else; for a fresh process. */
PetscErrorCode bench_memory_peak(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                 int64_t batch, bench_memory memory, int64_t steps);

#endif
