#include "task.h"
#include <math.h>

#define SPACING TASK_SPACING
#define FAST TASK_FAST
#define PEAK_HZ TASK_PEAK_HZ

static fm_wave2d_spec wave_spec(const bench_task_spec *spec) {
  fm_wave2d_spec wave = {.comm = spec->comm,
                         .nz = spec->nodes,
                         .nx = spec->nodes,
                         .dz = SPACING,
                         .dx = SPACING,
                         .dt = TASK_DT,
                         .steps = TASK_STEPS,
                         .order = 8,
                         .time_order = 2,
                         .layer_velocity = FAST,
                         .layer_frequency = PEAK_HZ,
                         .tape_bytes = spec->tape_bytes};

  for (int side = 0; side < FM_SIDES; side++) wave.layer[side] = TASK_LAYER;
  return wave;
}

double bench_task_velocity(int64_t n, int64_t node) {
  const double depth = (double)(node / n) / (double)n, across = (double)(node % n) / (double)n;

  return TASK_SLOW + (FAST - TASK_SLOW) * depth * (1 - 0.2 * sin(3.14159 * across));
}

static PetscErrorCode set_model(bench_task *task, int64_t n) {
  double *c;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n * n, &c));
  for (int64_t i = 0; i < n * n; i++) c[i] = bench_task_velocity(n, i);
  PetscCall(fm_wave2d_set_velocity(task->wave, c));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(0);
}

static PetscErrorCode set_shots(bench_task *task, const bench_task_spec *spec,
                                const fm_wave2d_spec *wave) {
  static const double amplitude = 1 / (SPACING * SPACING);
  const double away = spec->off_grid ? 0.37 * SPACING : 0, deep = TASK_DEPTH;
  const int64_t step = PetscMax(1, spec->nodes / 200);

  PetscFunctionBegin;
  for (int64_t i = 0; i < task->nshot; i++) {
    const int64_t node = (2 * i + 1) * spec->nodes / (2 * task->nshot);

    PetscCall(fm_survey_point(spec->comm, wave, "a source", deep, (double)node * SPACING,
                              &task->point[i]));
    task->shot[i] = (fm_wave2d_shot){
        1,          task->nreceiver, &task->point[i], task->point + task->nshot,
        &amplitude, task->wavelet};
  }
  for (int64_t k = 0; k < task->nreceiver; k++)
    PetscCall(fm_survey_point(spec->comm, wave, "a receiver", deep + away,
                              (double)(k * step) * SPACING + (k ? -away : away),
                              &task->point[task->nshot + k]));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_task_create(const bench_task_spec *spec, bench_task *task) {
  const fm_wave2d_spec wave = wave_spec(spec);
  const double side = (double)(spec->nodes + 2 * TASK_LAYER);

  PetscFunctionBegin;
  *task = (bench_task){
      .comm = spec->comm, .nshot = spec->nshot, .points = side * side * TASK_STEPS};
  task->nreceiver = PetscMin(200, spec->nodes);
  task->unknowns = spec->nodes * spec->nodes;
  PetscCall(fm_wave2d_create(&wave, &task->wave));
  PetscCall(fm_calloc(task->nshot, &task->shot));
  PetscCall(fm_calloc(task->nshot + task->nreceiver, &task->point));
  PetscCall(fm_calloc(TASK_STEPS, &task->wavelet));
  PetscCall(fm_calloc(task->unknowns, &task->gradient));
  PetscCall(fm_calloc(TASK_STEPS * task->nreceiver, &task->trace));
  for (int64_t n = 0; n < TASK_STEPS; n++) {
    const double p = 3.14159 * PEAK_HZ * ((double)n * wave.dt - 1.2 / PEAK_HZ);

    task->wavelet[n] = (1 - 2 * p * p) * exp(-p * p);
  }
  PetscCall(set_model(task, spec->nodes));
  PetscCall(set_shots(task, spec, &wave));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_task_destroy(bench_task *task) {
  PetscFunctionBegin;
  PetscCall(fm_wave2d_destroy(&task->wave));
  PetscCall(PetscFree(task->shot));
  PetscCall(PetscFree(task->point));
  PetscCall(PetscFree(task->wavelet));
  PetscCall(PetscFree(task->gradient));
  PetscCall(PetscFree(task->trace));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_task_forward(bench_task *task, int64_t first, int64_t count) {
  PetscFunctionBegin;
  for (int64_t i = first; i < first + count; i++)
    PetscCall(fm_wave2d_forward(task->wave, &task->shot[i], PETSC_FALSE, task->trace));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_task_gradient(bench_task *task, int64_t first, int64_t count) {
  PetscFunctionBegin;
  for (int64_t i = first; i < first + count; i++) {
    PetscCall(fm_wave2d_forward(task->wave, &task->shot[i], PETSC_TRUE, task->trace));
    PetscCall(fm_wave2d_adjoint(task->wave, &task->shot[i], task->trace, task->gradient));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode bench_task_check(const bench_task *task) {
  double traces = 0, gradient = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < TASK_STEPS * task->nreceiver; i++)
    traces += (double)task->trace[i] * (double)task->trace[i];
  for (int64_t i = 0; i < task->unknowns; i++)
    gradient += task->gradient[i] * task->gradient[i];
  fm_check(isfinite(traces) && traces > 0 && isfinite(gradient) && gradient > 0, task->comm,
           PETSC_ERR_PLIB,
           "the sum of squared traces is %g, of the gradient %g: nothing to time", traces,
           gradient);
  PetscFunctionReturn(0);
}
