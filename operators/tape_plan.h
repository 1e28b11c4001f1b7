/* tape_plan - which steps to repeat, so that a time loop runs backwards within a bound at the
   least number of forward steps.

   Steps are cut into leaves, whose records are made one leaf at a time, last leaf first. The
   states in front of leaves are checkpoints on a stack; records lie in what is left. A leaf
   reached by going forward from its checkpoint frees that checkpoint first; the last leaf is
   recorded during the first sweep and needs none. Within this, split points and leaf lengths
   are optimal, by dynamic programming over (steps, checkpoints held). Beyond 1024 steps the
   split points are multiples of a unit of steps.
   Source: the recursion is that of Griewank and Walther, "Algorithm 799: revolve", ACM TOMS 26
   (2000), here with leaves of as many steps as the memory of the moment holds. */
#ifndef FATHOM_TAPE_PLAN_H
#define FATHOM_TAPE_PLAN_H

#include "fathom/types.h"

typedef enum {
  FM_TAPE_RESET,   /* to the state before step 0 */
  FM_TAPE_SAVE,    /* the state into `slot` */
  FM_TAPE_RESTORE, /* the state in `slot` */
  FM_TAPE_RUN,     /* steps from .. to-1 without records */
  FM_TAPE_KEEP,    /* steps from .. to-1 with records, beside `slot` checkpoints */
  FM_TAPE_REVERSE  /* steps to-1 .. from backwards, with these records */
} fm_tape_verb;

typedef struct fm_tape_move {
  fm_tape_verb verb;
  int64_t slot, from, to;
} fm_tape_move;

typedef struct fm_tape_plan {
  int64_t steps, count;
  fm_tape_move *move; /* [count] */
  int64_t first;      /* moves of the first sweep, which ends with records kept */
  int64_t repeats;    /* forward steps beyond that sweep */
} fm_tape_plan;

/* fm_tape_plan_create - for a bound of `bytes`, at least record + checkpoint, or enough for
   all records. No message. Cost: steps^2 additions a checkpoint held. */
PetscErrorCode fm_tape_plan_create(int64_t steps, int64_t record, int64_t checkpoint,
                                   int64_t bytes, fm_tape_plan *plan);
PetscErrorCode fm_tape_plan_destroy(fm_tape_plan *plan);

/* fm_tape_plan_bytes - most that it holds at a time, for records and checkpoints of any
   size. */
int64_t fm_tape_plan_bytes(const fm_tape_plan *plan, int64_t record, int64_t checkpoint);

#endif
