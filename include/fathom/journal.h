/* fm_journal - finished solves on disk, so that a run that is killed need not make them again:
   misfit and gradient of one part for one sample of one training step, under a key and a hash
   of all that determines them.

       FOLDER/rank-RRRRR-GGGGG     what one rank wrote, in one piece of one job (generation G)
       record                      head: "fmsolve1", key, misfit, n, CRC32 of data and of head
                                   data: the gradient, [n] doubles

   Plain files, appended to: a record is one writev. Each file has one writer in its life, so
   that a kill leaves at most one torn record, at its end. A record is believed where its magic,
   its key and both its checksums are right; a reader that meets anything else looks for the
   next magic and counts one damaged place. Numbers are in this machine's order of bytes.

   The journal never ends a run: where it cannot read it finds nothing, where it cannot write it
   says so once and keeps no more. */
#ifndef FATHOM_JOURNAL_H
#define FATHOM_JOURNAL_H

#include "fathom/share.h"

typedef struct fm_journal fm_journal;

/* Which solve: `index` is its place in the sample's list of solves, `hash` is of all that
   determines its result. */
typedef struct fm_journal_key {
  uint64_t seed, step, sample, index, hash;
} fm_journal_key;

/* sync_seconds: between fsyncs. A process that is killed loses nothing that it wrote; a node
   that is lost may lose what was written since. */
typedef struct fm_journal_limits {
  double min_seconds; /* a solve that took less is not kept */
  double sync_seconds;
  double bytes; /* of all files together; each rank has an equal share of it */
} fm_journal_limits;

/* What this rank's journal did and found; `damaged` and `found` are of the reading at opening,
   the same on every rank, and `damaged` grows with records that turn out damaged later. */
typedef struct fm_journal_tally {
  int64_t found, damaged, recalled, kept;
} fm_journal_tally;

/* fm_journal_open - the journal in `folder`, which need not exist: it is made with the first
   record. keep: what is there may be recalled, whatever number of ranks wrote it; else it is
   removed. Collective on comm, which is kept.
   Cost: rank 0 reads the heads of all records and broadcasts them; memory 96 bytes a record on
   every rank. */
PetscErrorCode fm_journal_open(MPI_Comm comm, const char *folder, PetscBool keep,
                               const fm_journal_limits *limits, fm_journal **journal);
/* fm_journal_close - remove: the run has published what the records were for, and the folder
   goes. Says how many solves were recalled. Collective. */
PetscErrorCode fm_journal_close(fm_journal **journal, PetscBool remove);

/* fm_journal_find - the misfit and data [n] of a record that was there at opening; *found false
   and nothing set where there is none that can be believed. Not collective. Cost: one read. */
PetscErrorCode fm_journal_find(fm_journal *journal, const fm_journal_key *key, int64_t n,
                               fm_exact *misfit, double *data, PetscBool *found);

/* fm_journal_keep - append one record, if the solve took long enough and there is room. Not
   collective. Cost: one write of 80 + 8 n bytes, and an fsync where one is due. */
PetscErrorCode fm_journal_keep(fm_journal *journal, const fm_journal_key *key, double seconds,
                               int64_t n, fm_exact misfit, const double *data);

/* fm_journal_forget - a checkpoint of `step` is published: records of steps before it are not
   needed any more, and files that hold no others are removed. A file that holds both goes with
   a later call. journal NULL: nothing. To be called by every rank, soon or late: not
   collective. */
PetscErrorCode fm_journal_forget(fm_journal *journal, int64_t step);

fm_journal_tally fm_journal_count(const fm_journal *journal);

#endif
