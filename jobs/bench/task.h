/* task - the acoustic task that is timed: a square of n x n nodes 10 m apart with 20 absorbing
   cells a side, 1500 to 2500 m/s, 1000 steps, 8th order in space and 2nd in time; sources and a
   row of receivers (at most 200) near the top, on nodes or between them. */
#ifndef FATHOM_BENCH_TASK_H
#define FATHOM_BENCH_TASK_H

#include "../../operators/survey.h"

#define TASK_LAYER 20
#define TASK_STEPS 1000
#define TASK_SPACING 10. /* m */
#define TASK_SLOW 1500.  /* m/s, on top; 7.5 nodes a wavelength of 2.5 peaks */
#define TASK_FAST 2500.  /* m/s, at the bottom */
#define TASK_DT (0.4 * TASK_SPACING / TASK_FAST) /* s */
#define TASK_PEAK_HZ 8.
#define TASK_DEPTH 50. /* m, of sources and receivers */

typedef struct bench_task {
  MPI_Comm comm;
  int64_t nshot, nreceiver, unknowns;
  fm_wave2d *wave;
  fm_wave2d_shot *shot;   /* [nshot] */
  fm_wave2d_point *point; /* [nshot + nreceiver] sources, receivers */
  double *wavelet, *gradient;
  fm_real *trace; /* [steps][nreceiver] of the last shot */
  double points;  /* of the grid with its layers, times steps */
} bench_task;

typedef struct bench_task_spec {
  MPI_Comm comm;
  int64_t nodes, nshot;
  int64_t tape_bytes; /* 0: all is kept */
  PetscBool off_grid; /* receivers between nodes */
} bench_task_spec;

/* bench_task_velocity - at a node of n x n, m/s: faster with depth, less so in the middle. */
double bench_task_velocity(int64_t n, int64_t node);
PetscErrorCode bench_task_create(const bench_task_spec *spec, bench_task *task);
PetscErrorCode bench_task_destroy(bench_task *task);
/* bench_task_forward - shots first .. first+count-1, nothing kept. */
PetscErrorCode bench_task_forward(bench_task *task, int64_t first, int64_t count);
/* bench_task_gradient - of half the squared traces, of each of these shots; the last one's
   stays in task->gradient. */
PetscErrorCode bench_task_gradient(bench_task *task, int64_t first, int64_t count);
/* bench_task_check - an error where traces or gradient are 0 or not finite: nothing to time. */
PetscErrorCode bench_task_check(const bench_task *task);

#endif
