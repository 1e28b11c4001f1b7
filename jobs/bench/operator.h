/* The same task through the door of fathom/operator.h. */
#ifndef FATHOM_BENCH_OPERATOR_H
#define FATHOM_BENCH_OPERATOR_H

#include "fathom/types.h"

/* bench_operator - result lines of linearize and vjp of all shots, 200 x 200 nodes. */
PetscErrorCode bench_operator(void);

#endif
