#ifndef FATHOM_TIMES_H
#define FATHOM_TIMES_H

#include "fathom/command.h"

/* Where a training run's time begins. */
typedef struct fm_times {
  double wall, operators, prior;
} fm_times;
fm_times fm_times_now(void);

/* fm_times_report - seconds in operator, prior, flow, reductions, idle, files and the rest
   since `begin`, of the mean rank, as results time_* and one line. Collective on world. */
PetscErrorCode fm_times_report(fm_run *run, const fm_times *begin);

#endif
