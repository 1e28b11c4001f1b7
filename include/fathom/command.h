/* A command of the program: one file in src/cli and one line in commands.def,
       FM_COMMAND(foo, writes to -out, "one help sentence")
   with   PetscErrorCode fm_command_foo(fm_run *run);                                         */
#ifndef FATHOM_COMMAND_H
#define FATHOM_COMMAND_H

#include "fathom/checkpoint.h"
#include "fathom/diagnostics.h"
#include "fathom/comm.h"
#include "fathom/journal.h"
#include "fathom/results.h"

/* What every command starts with. Owned by main(). */
typedef struct fm_run {
  fm_comm comm;
  const char *command;  /* "refine" */
  const char *argument; /* the word after it, or "" */
  const char *out;      /* output folder; made and locked for commands that write */
  char *settings;       /* the block of settings */
  uint64_t seed;
  fm_lock *lock;
  double begin;      /* of the program, seconds since 1970 */
  PetscBool resumed; /* goes on from a file of OUT */
  PetscBool stopped; /* by a signal or the time limit, with a checkpoint: exit status 75 */
  fm_results *results;
  fm_journal *journal; /* of solves; NULL: none */
} fm_run;

typedef PetscErrorCode (*fm_command)(fm_run *run);

/* fm_main - everything but MPI_Init: options, settings block, folder, lock, command, results.
   Returns the exit status. */
int fm_main(int argc, char **argv);

/* ---- set-up shared by commands ---- */

/* fm_run_path - "OUT/name" into path. */
PetscErrorCode fm_run_path(const fm_run *run, const char *name, char path[PETSC_MAX_PATH_LEN]);
/* fm_run_checkpoint - the checkpoint to read: -warm_start, else OUT/checkpoint.h5. */
PetscErrorCode fm_run_checkpoint(const fm_run *run, char path[PETSC_MAX_PATH_LEN]);
/* fm_run_flow_spec - network from the options; fields that the user did not give keep what
   *spec says when `keep`. */
PetscErrorCode fm_run_flow_spec(fm_shape x, fm_shape y, PetscBool keep, fm_flow_spec *spec);
/* fm_run_target_spec - the same for a flow of a target's unknowns and data: images where the
   operator has grids and -flow_squeezes is given, else vectors. */
PetscErrorCode fm_run_target_spec(const fm_target *target, fm_flow_spec *spec);
/* fm_run_flow_memory - -flow_memory, for training. */
PetscErrorCode fm_run_flow_memory(fm_transport *transport);
/* fm_run_network_fits - refuse to put weights of one network into another: names the options
   that differ. */
PetscErrorCode fm_run_network_fits(const fm_run *run, const char *path,
                                   const fm_flow_spec *trained, const fm_flow_spec *asked);
/* fm_run_resume_fits - before fm_checkpoint_resume: refuse other data, shapes or networks with
   what is likely the cause. Where precision, objective or seed are others it says nothing. */
PetscErrorCode fm_run_resume_fits(const fm_run *run, const fm_trainer *trainer,
                                  const char *path);
/* fm_run_target_fits - refuse a flow of images whose pixels lie otherwise than the operator's.
   */
PetscErrorCode fm_run_target_fits(const fm_run *run, const fm_transport *transport,
                                  const fm_target *target);
/* fm_run_not_over - refuse to write OUT/name over the file that -option names, FILE or
   FILE:/dataset. */
PetscErrorCode fm_run_not_over(const fm_run *run, const char *name, const char *option);
/* fm_run_image_fits - refuse an array, the value of -option, that is an image of other sides
   than `image` is (fm_store_image_fits). */
PetscErrorCode fm_run_image_fits(const fm_run *run, const char *option, int ndim,
                                 const int64_t *shape, fm_shape image);
/* fm_run_divisor_fits - refuse an array, the value of -option, that was divided by another
   constant (attribute `scale`) than what the flow was trained on; where one of the two is 1,
   which may mean not known, warn. */
PetscErrorCode fm_run_divisor_fits(const fm_run *run, const char *option,
                                   const fm_transport *transport);
/* fm_run_prior_fits - the same of a flow that is the prior (-prior_flow). */
PetscErrorCode fm_run_prior_fits(const fm_run *run, const fm_transport *transport);
/* fm_run_prior_divisor - the divisor of a flow that is the prior; 0: it is no flow. */
PetscErrorCode fm_run_prior_divisor(const fm_run *run, double *scale);
/* fm_run_pairs_fit - refuse pairs of another shape than the flow's, or divided by another
   constant than those that it was trained on. */
PetscErrorCode fm_run_pairs_fit(const fm_run *run, const fm_transport *transport,
                                const fm_dataset *data, const char *path);
/* fm_run_shape_text - "1x64x64" of an image, "8" of a vector. */
void fm_run_shape_text(fm_shape shape, char *text, size_t length);
/* fm_run_observe - condition on y [m] unless the checkpoint was refined at that very y; warns
   where it was refined at another. */
PetscErrorCode fm_run_observe(fm_transport *transport, const fm_real *theta, const double *y);
/* fm_run_whiten - for a flow that no pairs have whitened: x by the prior's moments where it
   knows them, y by the root mean square of the observation. */
PetscErrorCode fm_run_whiten(fm_target *target, fm_transport *transport);
/* fm_run_agree - to be called by every rank after its item, whether that went wrong (`reason`,
   a sentence) or not ("", or no item at all): where one went wrong, every rank fails (user
   error) with the sentence of the lowest index, so that rank 0 can say it and none waits.
   Collective on world. */
PetscErrorCode fm_run_agree(const fm_run *run, int64_t index, const char *reason);
/* fm_run_all_shots - say that -shots_per_sample and -shots_encode, which a job's files may
   share, are not for this command: what it reports needs every shot. */
PetscErrorCode fm_run_all_shots(const fm_run *run);
/* fm_run_micro_batch - -micro_batch, or what suits the model; says so when ranks stay idle. */
PetscErrorCode fm_run_micro_batch(const fm_run *run, const fm_transport *transport,
                                  int64_t batch, int64_t *micro_batch);
/* fm_run_load - flow, whitening, observation and weights of fm_run_checkpoint, by -weights. */
PetscErrorCode fm_run_load(const fm_run *run, fm_transport **transport, fm_real **theta);
/* fm_run_log_evidence - -log_evidence, or NaN. */
PetscErrorCode fm_run_log_evidence(double *value);
/* fm_run_trainer_inputs - schedule, clipping, averaging and the rest of a training run from the
   options. */
PetscErrorCode fm_run_trainer_inputs(const fm_run *run, fm_transport *transport,
                                     fm_objective *objective, const char *operator_text,
                                     fm_trainer_inputs *inputs);

/* fm_train - the loop of pretrain and refine: evaluate, step, report, checkpoint. `evaluate` is
   called before the first step, every `every` steps and at the end (0: only then), and may
   append to the history. `first` is what the one before the first step costs of a later one;
   0: as much. The last checkpoint is written before the last evaluation, and again with it. */
typedef struct fm_watch {
  int64_t every;
  PetscErrorCode (*evaluate)(fm_trainer *trainer, void *context);
  void *context;
  double first;
} fm_watch;
PetscErrorCode fm_train(fm_run *run, fm_trainer *trainer, const fm_watch *watch);
/* fm_run_time - the end of the job's time, which rank 0 watches: -time_limit, and what Slurm
   says (SLURM_JOB_END_TIME, or FATHOM_END_TIME of jobs/run.sbatch). From now on signals are
   kept (stop.h). */
PetscErrorCode fm_run_time(const fm_run *run);
/* fm_train_resume - -resume: continue from the newest checkpoint of OUT that is whole, where
   there
   is one. */
PetscErrorCode fm_train_resume(fm_run *run, fm_trainer *trainer, PetscBool *resumed);

/* fm_report_moments - mean, std, covariance and 5/50/95 % quantiles of [count][n] samples on
   rank 0 as results (n <= 16). */
PetscErrorCode fm_report_moments(fm_run *run, int64_t count, int64_t n, const double *x);

#endif
