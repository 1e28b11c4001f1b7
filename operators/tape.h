/* tape - what a time loop keeps so that it can be run backwards, within a bound of memory.

   A step makes one record that its reverse needs. Where all records fit, all are kept.
   Otherwise states are saved as checkpoints and the records of one segment at a time are made
   again, the last segment's during the first sweep: with one extra sweep where that fits, with
   binomial checkpoints over segments below. tape_plan.h has the least number of repeats.
   1000 steps, a checkpoint being 2.7 records: 0.9 of a sweep is repeated at 12 % of all
   records, 1.5 at 5 %.
   Source: Griewank and Walther, "Algorithm 799: revolve", ACM TOMS 26 (2000). */
#ifndef FATHOM_TAPE_H
#define FATHOM_TAPE_H

#include "fathom/types.h"

typedef struct fm_tape fm_tape;

/* The time loop. Each call is collective where its steps are. */
typedef struct fm_tape_loop {
  void *context;
  PetscErrorCode (*reset)(void *context); /* to the state before step 0 */
  PetscErrorCode (*save)(void *context, void *checkpoint);
  PetscErrorCode (*restore)(void *context, const void *checkpoint);
  /* step n of the forward loop; record NULL: not wanted; again: called by fm_tape_reverse, so
     that what a step has for others (traces) is not wanted */
  PetscErrorCode (*forward)(void *context, int64_t n, void *record, PetscBool again);
  PetscErrorCode (*reverse)(void *context, int64_t n, const void *record);
} fm_tape_loop;

/* fm_tape_create - for `steps` steps; bytes 0: no limit. Memory is allocated here, touched
   once and reused; records and checkpoints begin at multiples of 64 bytes and are counted in
   such. Fails (user error) where bytes is less than one checkpoint and one record (or than all
   records); the sentence has the option's name, the value and the least. Not collective: every
   rank must be given the same steps, totals and bound, so that all make the same plan. The
   bound is met to the byte where checkpoint / record is the same on all ranks; else it is where
   total_checkpoint_bytes is total_record_bytes times the largest such ratio.
   option  in  the name said in that sentence, e.g. "tape_memory" */
typedef struct fm_tape_spec {
  int64_t steps;
  int64_t record_bytes, checkpoint_bytes; /* on this rank */
  int64_t total_record_bytes,
      total_checkpoint_bytes; /* on all ranks: the plan is made of them */
  int64_t bytes;              /* bound over all ranks; 0: none */
  const char *option;
} fm_tape_spec;
PetscErrorCode fm_tape_create(const fm_tape_spec *spec, fm_tape **tape);
PetscErrorCode fm_tape_destroy(fm_tape **tape);

/* fm_tape_forward - all steps once, keeping what the plan says. */
PetscErrorCode fm_tape_forward(fm_tape *tape, const fm_tape_loop *loop);
/* fm_tape_reverse - all steps backwards. Begins with a forward sweep (`again` true) where the
   last forward was not taped or the tape is used up, which it never is where it holds all
   records. */
PetscErrorCode fm_tape_reverse(fm_tape *tape, const fm_tape_loop *loop);
/* fm_tape_forget - the records are of another model or shot now. */
void fm_tape_forget(fm_tape *tape);

int64_t fm_tape_bytes(const fm_tape *tape); /* held on this rank */
/* fm_tape_repeats - forward steps beyond the first sweep that forward and reverse make. */
int64_t fm_tape_repeats(const fm_tape *tape);

#endif
