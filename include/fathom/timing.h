/* Where a run's time goes: seconds of this rank, added up under a few names. They are for the
   reader alone: nothing that is computed depends on them. */
#ifndef FATHOM_TIMING_H
#define FATHOM_TIMING_H

typedef enum fm_timed {
  FM_TIME_OPERATOR,   /* likelihood: forward and adjoint solves, misfit */
  FM_TIME_PRIOR,      /* the other energies */
  FM_TIME_STEP,       /* a step's samples, with operator and prior: the rest is the flow */
  FM_TIME_IDLE,       /* waiting for other ranks before the sum over samples */
  FM_TIME_REDUCTION,  /* that sum */
  FM_TIME_FILES,      /* checkpoints, as far as training waits for them */
  FM_TIME_EVALUATION, /* evaluations, with operator and prior */
  FM_TIMES
} fm_timed;

/* fm_time_add - seconds since `begin` (MPI_Wtime). */
void fm_time_add(fm_timed what, double begin);
/* fm_time_of - seconds so far. */
double fm_time_of(fm_timed what);

#endif
