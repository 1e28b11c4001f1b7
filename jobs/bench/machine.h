/* machine - what one core can do, measured beside what it does. */
#ifndef FATHOM_BENCH_MACHINE_H
#define FATHOM_BENCH_MACHINE_H

#include "fathom/types.h"

/* bench_seconds - of a clock that only goes forward. */
double bench_seconds(void);
/* bench_cpu_seconds - that this process had a core for. */
double bench_cpu_seconds(void);
/* bench_peak - multiply-adds in float counted as two operations, per second: the best of 5. */
double bench_peak(void);
/* bench_bandwidth - of a = b + f c over 3 x 128 MiB, 12 bytes a number: the best of 10. */
PetscErrorCode bench_bandwidth(double *bytes_a_second);

#endif
