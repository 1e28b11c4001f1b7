#include "operator.h"
#include "fathom/operator.h"
#include "machine.h"
#include "report.h"
#include "task.h"

#define NODES 200
#define SHOTS 4
#define TEXT 8192

/* "z,x,z,x,..." of n places at the sources' depth, every step-th node from first on. */
static PetscErrorCode set_places(const char *option, int64_t n, int64_t first, int64_t step) {
  char text[TEXT] = "";
  size_t used = 0;

  PetscFunctionBegin;
  for (int64_t k = 0; k < n; k++) {
    PetscCall(PetscSNPrintf(text + used, TEXT - used, "%s%g,%g", k ? "," : "", TASK_DEPTH,
                            (double)(first + k * step) * TASK_SPACING));
    PetscCall(PetscStrlen(text, &used));
  }
  PetscCall(PetscOptionsSetValue(NULL, option, text));
  PetscFunctionReturn(0);
}

static PetscErrorCode set_number(const char *option, double value) {
  char text[32];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(text, sizeof(text), "%.17g", value));
  PetscCall(PetscOptionsSetValue(NULL, option, text));
  PetscFunctionReturn(0);
}

static PetscErrorCode create(fm_operator **op, Vec *x, Vec *d) {
  double *c;

  PetscFunctionBegin;
  PetscCall(PetscOptionsSetValue(NULL, "-acoustic_shape", "200x200"));
  PetscCall(set_number("-acoustic_spacing", TASK_SPACING));
  PetscCall(set_number("-acoustic_dt", TASK_DT));
  PetscCall(set_number("-acoustic_steps", TASK_STEPS));
  PetscCall(set_number("-acoustic_wavelet_frequency", TASK_PEAK_HZ));
  PetscCall(set_number("-acoustic_velocity_min", TASK_SLOW));
  PetscCall(set_number("-acoustic_velocity_max", TASK_FAST));
  PetscCall(set_places("-acoustic_sources", SHOTS, NODES / SHOTS / 2, NODES / SHOTS));
  PetscCall(set_places("-acoustic_receivers", NODES, 0, 1));
  PetscCall(fm_operators_declare_options());
  PetscCall(fm_operator_create(PETSC_COMM_SELF, "acoustic", op));
  PetscCall(fm_operator_create_vecs(*op, 0, x, d));
  PetscCall(VecGetArrayWrite(*x, &c));
  for (int64_t i = 0; i < NODES * NODES; i++) c[i] = bench_task_velocity(NODES, i);
  PetscCall(VecRestoreArrayWrite(*x, &c));
  PetscFunctionReturn(0);
}

/* Seconds of all shots, with or without the adjoint of the data themselves. */
static PetscErrorCode clock_shots(fm_operator *op, Vec x, Vec d, Vec g, PetscBool gradient,
                                  double *seconds) {
  PetscBool ok;

  PetscFunctionBegin;
  *seconds = -bench_seconds();
  for (PetscInt part = 0; part < SHOTS; part++) {
    fm_operator_set_taped(op, gradient);
    PetscCall(fm_operator_linearize(op, part, x, d, &ok));
    fm_check(ok, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s", fm_operator_reason(op));
    if (gradient) PetscCall(fm_operator_vjp(op, part, d, g));
  }
  *seconds += bench_seconds();
  PetscFunctionReturn(0);
}

PetscErrorCode bench_operator(void) {
  const double side = NODES + 2 * TASK_LAYER, work = SHOTS * side * side * TASK_STEPS;
  double forward[BENCH_ROUNDS], gradient[BENCH_ROUNDS], value[BENCH_ROUNDS], first;
  fm_operator *op;
  Vec x, d, g;

  PetscFunctionBegin;
  PetscCall(create(&op, &x, &d));
  PetscCall(VecDuplicate(x, &g));
  PetscCall(clock_shots(op, x, d, g, PETSC_TRUE, &first));
  for (int i = 0; i < BENCH_ROUNDS; i++) {
    PetscCall(clock_shots(op, x, d, g, PETSC_FALSE, &forward[i]));
    PetscCall(clock_shots(op, x, d, g, PETSC_TRUE, &gradient[i]));
  }
  bench_rates(work, forward, value);
  bench_result("acoustic_operator_forward", value, "Mpoint/s");
  bench_rates(work, gradient, value);
  bench_result("acoustic_operator_gradient", value, "Mpoint/s");
  bench_ratios(gradient, forward, value);
  bench_result("acoustic_operator_gradient_over_forward", value, "1");
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&d));
  PetscCall(VecDestroy(&g));
  PetscCall(fm_operator_destroy(&op));
  PetscFunctionReturn(0);
}
