/* The wish to end before the work is done: SIGTERM, SIGUSR1 or SIGINT, or the end of the time
   that the job has. One rank's wish is everybody's at the next step boundary: it travels as a
   count in the step's own reduction. */
#ifndef FATHOM_STOP_H
#define FATHOM_STOP_H

#include "fathom/types.h"

/* Exit status of a run that stopped early and can go on with -resume (sysexits' EX_TEMPFAIL): a
   batch script requeues on it. */
#define FM_STOP_STATUS 75

/* fm_stop_watch - from now on the first signal is kept, for loops that look at fm_stop_wanted;
   a second one leaves at once, unless it is the same within two seconds (the same wish,
   forwarded twice). Before it signals do what they do by default. Not collective; the handler
   does nothing but store and leave. */
void fm_stop_watch(void);
/* fm_stop_watched - whether this process keeps signals, or minds the clock. */
PetscBool fm_stop_watched(void);
/* fm_stop_over - all that matters is saved: a signal now leaves at once with FM_STOP_STATUS.
   Where the run was stopped, that holds from the second signal on: the first may be the wish
   that stops it, come late to this rank, and a rank that left by it would take others down. */
void fm_stop_over(PetscBool stopped);

/* fm_stop_set_end - the wall clock (seconds since 1970) by which this job must have left; 0:
   never. Only the rank that is told of an end looks at the clock. */
void fm_stop_set_end(double end);
/* fm_stop_set_spare - seconds before that time which are set apart for leaving (0). */
void fm_stop_set_spare(double seconds);

/* fm_stop_wanted - 1 where a signal has come to this rank, or where less than `needed` seconds
   are left to it before those set apart, else 0. Not collective. */
int fm_stop_wanted(double needed);

/* fm_stop_age - seconds since the signal came to this rank; 0: none came. */
double fm_stop_age(void);

/* fm_stop_reason - "SIGUSR1", "the time limit", or "another rank's wish" where this rank knows
   of nothing. */
const char *fm_stop_reason(void);

#endif
