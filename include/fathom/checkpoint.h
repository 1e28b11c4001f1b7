/* A checkpoint is everything: what a run needs to go on bit by bit, and what another run, h5py
   or h5dump may want to read.

   /                    attributes schema_version, program_version, precision, command,
   objective
                        pairs_prior, pairs_prior_print, prior_mismatch (cli/priors.h);
                        tempering: of the last step, where there is such a schedule
   /architecture        attributes network, variant, depth, hidden, reflections, squeezes;
                        x_shape, y_shape
   /theta/NAME          tensors by name and shape (also /theta_average, /theta_best, /adam_m,
   /adam_v)
   /frozen/NAME         with -train latent the flow's tensors: /theta is then the correction
   /latent              log_scale, shift of a correction that is kept; absent: none
   /whitening           x_mean x_std y_mean y_std
   /observation         y, z_y, condition: the very bits of the cached y lane; attribute train
   /history/NAME        series of the method; /timing/NAME wall times
   /ledger              attributes useful_F ... spent_F ...
   /state               attributes step, seed, window, micro_batch, ranks_per_sample, threads,
   cpu, ...
   /settings            the block of settings, text; /operator the operator's description */
#ifndef FATHOM_CHECKPOINT_H
#define FATHOM_CHECKPOINT_H

#include "fathom/store.h"
#include "fathom/trainer.h"

#define FM_SCHEMA_VERSION 1

typedef enum fm_weights {
  FM_WEIGHTS_AUTO,
  FM_WEIGHTS_LAST,
  FM_WEIGHTS_AVERAGE,
  FM_WEIGHTS_BEST
} fm_weights;
#define FM_WEIGHTS_CHOICES "auto|last|average|best"

/* fm_checkpoint_begin - rank 0 makes the file in memory, and a thread writes it to PATH
   atomically
   while training goes on; what becomes of the files there `keep` says (store.h). Collective on
   world. Cost for the training: about .15 s for 100 MB. */
PetscErrorCode fm_checkpoint_begin(const fm_trainer *trainer, const char *path,
                                   const fm_keep *keep, fm_writer **writer);
/* fm_checkpoint_save - the same, and wait for it. */
PetscErrorCode fm_checkpoint_save(const fm_trainer *trainer, const char *path,
                                  const fm_keep *keep);

/* fm_checkpoint_exists - whether PATH is there, agreed by all ranks. Collective. */
PetscErrorCode fm_checkpoint_exists(MPI_Comm comm, const char *path, PetscBool *exists);

/* fm_checkpoint_resume - everything, for an identical continuation. The trainer was made from
   the same settings; what differs in
   architecture, precision, seed, batch or objective is refused, in rank-independent
   surroundings (threads, CPU) warned of. */
PetscErrorCode fm_checkpoint_resume(fm_trainer *trainer, const char *path);

/* fm_checkpoint_load - the flow with its whitening, observation and latent correction, and the
   chosen weights: for warm starts, sampling, evaluation. Of a -train latent checkpoint the
   weights choose the correction, which is kept from now on, and theta is the frozen flow's.
   auto: best where present, else average, else last. The caller destroys transport and frees
   theta with PetscFree. */
PetscErrorCode fm_checkpoint_load(MPI_Comm comm, const char *path, fm_weights weights,
                                  fm_transport **transport, fm_real **theta);

/* fm_checkpoint_warm_start - theta by name into an existing flow: a tensor that is missing or
   of another shape is refused with a
   readable difference. Across precisions allowed. */
PetscErrorCode fm_checkpoint_warm_start(MPI_Comm comm, const char *path, fm_weights weights,
                                        const fm_layout *layout, fm_real *theta);

#endif
