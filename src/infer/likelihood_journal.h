/* What the likelihood asks its journal: has this solve been made by a job that was killed?

   The ranks of a group ask and keep together; the first of them reads and writes. The hash of a
   solve is of the version and precision of the program, ranks per sample, operator, every
   setting that the command `forward` reads (those are what F depends on), the options of
   PETSc's solvers, data, noise and mask, the model, the part or supershot. Of files that
   options name it has the length and the time of writing. */
#ifndef FATHOM_LIKELIHOOD_JOURNAL_H
#define FATHOM_LIKELIHOOD_JOURNAL_H

#include "fathom/energy.h"
#include "fathom/journal.h"
#include "infer/shots.h"

typedef struct fm_recall {
  fm_journal *journal; /* borrowed; NULL: none */
  MPI_Comm group;      /* the ranks that make a solve together */
  int first;           /* of the group: reads, writes, counts */
  uint64_t run, model; /* hashes: of what all solves share; and of the model of this sample */
  PetscBool on;        /* for this sample */
  fm_journal_key key;
  int64_t taken; /* solves that this rank answers for, since the counter was read */
} fm_recall;

/* fm_recall_hash - `hash` and `bytes` of anything, mixed. */
uint64_t fm_recall_hash(uint64_t hash, const void *data, size_t bytes);

/* fm_recall_attach - with a hash of the settings and of the operator; the caller mixes its data
   into r->run. Not collective. */
PetscErrorCode fm_recall_attach(fm_recall *r, fm_journal *journal, MPI_Comm space,
                                MPI_Comm group, fm_operator *op);

/* fm_recall_begin - the solves that follow are of this sample; off where no step of training
   asks or no gradient is wanted. */
void fm_recall_begin(fm_recall *r, const fm_key *key, int64_t sample, int64_t n,
                     const fm_real *x, PetscBool wanted);

/* fm_recall_take - solve i of the plan, if the journal has it: its misfit is added to *sum on
   one rank of the group, adjoint [n] is set on all. Collective on the group. */
PetscErrorCode fm_recall_take(fm_recall *r, const fm_shots *shots, int64_t i, int64_t n,
                              fm_exact *sum, double *adjoint, PetscBool *found);
/* fm_recall_keep - after solve i of the plan, which fm_recall_take did not have. misfit: this
   rank's share. Collective on the group. */
PetscErrorCode fm_recall_keep(fm_recall *r, double seconds, int64_t n, fm_exact misfit,
                              const double *adjoint);

#endif
