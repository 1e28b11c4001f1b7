/* Between the files of the command evaluate. */
#ifndef FM_CLI_EVALUATE_H
#define FM_CLI_EVALUATE_H

#include "fathom/command.h"

/* fm_weights_write - posterior means by Pareto smoothed self-normalised importance weights:
   /weighted/mean and its standard error mean_se, [n], into `store`, and with -expectation exp
   those of exp(x) and the Pareto shape of their terms w exp(x_i), /weighted/exp/... Rank 0
   computes. Collective on world. */
PetscErrorCode fm_weights_write(fm_run *run, int64_t n, const fm_diagnosis *d, fm_store *store);

#endif
