/* bench_acoustic machine | core | off_grid | operator | domain | shots - what jobs/bench.sh
   acoustic prints. The first four on one rank; the last two compare all ranks with rank 0
   alone, the others asleep, in the same rounds. */
#include "machine.h"
#include "operator.h"
#include "report.h"
#include "task.h"
#include <string.h>
#include <time.h>

#define ROUNDS BENCH_ROUNDS
#define SHOTS 4

/* ---- clocks ---- */

typedef PetscErrorCode (*bench_work)(bench_task *task, int64_t first, int64_t count);

/* Seconds until the last rank of comm is done. */
static PetscErrorCode clock_work(bench_work work, bench_task *task, MPI_Comm comm,
                                 int64_t first, int64_t count, double *seconds) {
  double begin;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(comm));
  begin = bench_seconds();
  PetscCall(work(task, first, count));
  PetscCallMPI(MPI_Barrier(comm));
  *seconds = bench_seconds() - begin;
  PetscFunctionReturn(0);
}

/* The other ranks sleep meanwhile, so that their cores are idle. */
static PetscErrorCode clock_alone(bench_work work, bench_task *task, int64_t count,
                                  double *seconds) {
  const struct timespec nap = {0, 1000000};
  MPI_Request request;
  PetscMPIInt rank;
  int done = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (!rank) PetscCall(clock_work(work, task, PETSC_COMM_SELF, 0, count, seconds));
  PetscCallMPI(MPI_Ibarrier(PETSC_COMM_WORLD, &request));
  while (!done) {
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (!done) nanosleep(&nap, NULL);
  }
  PetscCallMPI(MPI_Bcast(seconds, 1, MPI_DOUBLE, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* ---- one core ---- */

static PetscErrorCode bench_machine(void) {
  double bandwidth;

  PetscFunctionBegin;
  bench_result_once("machine_multiply_add_peak", bench_peak() / 1e9, "GFLOP/s");
  PetscCall(bench_bandwidth(&bandwidth));
  bench_result_once("machine_memory_bandwidth", bandwidth / 1e9, "GB/s");
  PetscFunctionReturn(0);
}

enum { ALL, BOUNDED_12, BOUNDED_5, TAPES };
static const char *const tape_name[TAPES] = {"", "_bounded_12", "_bounded_5"};
static const double tape_part[TAPES] = {1, 0.12, 0.05};

/* Page faults of the new tape included. */
static PetscErrorCode bench_first(bench_task *task) {
  const bench_task_spec spec = {PETSC_COMM_SELF, 200, SHOTS, 0, PETSC_FALSE};
  double seconds;

  PetscFunctionBegin;
  PetscCall(bench_task_create(&spec, task));
  PetscCall(clock_work(bench_task_gradient, task, PETSC_COMM_SELF, 0, 1, &seconds));
  bench_result_once("acoustic_gradient_first", task->points / seconds / 1e6, "Mpoint/s");
  PetscFunctionReturn(0);
}

static PetscErrorCode report_memory(const bench_task *task, const char *name) {
  char line[64];
  int64_t fields, tape;

  PetscFunctionBegin;
  fm_wave2d_memory(task->wave, &fields, &tape);
  if (!*name) bench_result_once("acoustic_memory_fields", (double)fields / 1e6, "MB");
  PetscCall(PetscSNPrintf(line, sizeof(line), "acoustic_memory_tape%s", name));
  bench_result_once(line, (double)tape / 1e6, "MB");
  PetscFunctionReturn(0);
}

/* Tasks with the tape bounded at parts of that of task[ALL]. */
static PetscErrorCode create_bounded(bench_task task[TAPES]) {
  bench_task_spec spec = {PETSC_COMM_SELF, 200, SHOTS, 0, PETSC_FALSE};
  int64_t fields, all;

  PetscFunctionBegin;
  fm_wave2d_memory(task[ALL].wave, &fields, &all);
  for (int k = ALL + 1; k < TAPES; k++) {
    spec.tape_bytes = (int64_t)(tape_part[k] * (double)all);
    PetscCall(bench_task_create(&spec, &task[k]));
  }
  PetscFunctionReturn(0);
}

/* The bound may change the time, not a bit of the gradient. */
static PetscErrorCode check_same(bench_task task[TAPES]) {
  PetscFunctionBegin;
  for (int k = ALL; k < TAPES; k++) {
    PetscCall(bench_task_check(&task[k]));
    fm_check(!memcmp(task[k].gradient, task[ALL].gradient,
                     sizeof(double) * (size_t)task[k].unknowns),
             PETSC_COMM_SELF, PETSC_ERR_PLIB,
             "gradient%s has other bits than the unbounded one", tape_name[k]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode report_gradients(const double *forward, double gradient[TAPES][ROUNDS]) {
  char line[64];
  double ratio[ROUNDS];

  PetscFunctionBegin;
  for (int k = ALL; k < TAPES; k++) {
    bench_ratios(gradient[k], forward, ratio);
    PetscCall(
        PetscSNPrintf(line, sizeof(line), "acoustic_gradient_over_forward%s", tape_name[k]));
    bench_result(line, ratio, "1");
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode bench_core(void) {
  double forward[ROUNDS], gradient[TAPES][ROUNDS], rate[ROUNDS], wall, cpu;
  bench_task task[TAPES];

  PetscFunctionBegin;
  PetscCall(bench_first(&task[ALL]));
  PetscCall(create_bounded(task));
  for (int k = ALL; k < TAPES; k++) PetscCall(bench_task_gradient(&task[k], 0, SHOTS));
  PetscCall(check_same(task));
  wall = bench_seconds(), cpu = bench_cpu_seconds();
  for (int i = 0; i < ROUNDS; i++) {
    PetscCall(clock_work(bench_task_forward, task, PETSC_COMM_SELF, 0, SHOTS, &forward[i]));
    for (int k = ALL; k < TAPES; k++)
      PetscCall(clock_work(bench_task_gradient, &task[k], PETSC_COMM_SELF, 0, SHOTS,
                           &gradient[k][i]));
  }
  /* less than 1: others worked on this core, and the times below are too long */
  bench_result_once("acoustic_share_of_core",
                    (bench_cpu_seconds() - cpu) / (bench_seconds() - wall), "1");
  bench_rates(SHOTS * task->points, forward, rate);
  bench_result("acoustic_forward", rate, "Mpoint/s");
  bench_rates(SHOTS * task->points, gradient[ALL], rate);
  bench_result("acoustic_gradient", rate, "Mpoint/s");
  PetscCall(report_gradients(forward, gradient));
  for (int k = ALL; k < TAPES; k++) PetscCall(report_memory(&task[k], tape_name[k]));
  for (int k = ALL; k < TAPES; k++) PetscCall(bench_task_destroy(&task[k]));
  PetscFunctionReturn(0);
}

static PetscErrorCode bench_off_grid(void) {
  const bench_task_spec spec = {PETSC_COMM_SELF, 200, SHOTS, 0, PETSC_TRUE};
  double seconds[ROUNDS], rate[ROUNDS];
  bench_task task;

  PetscFunctionBegin;
  PetscCall(bench_task_create(&spec, &task));
  PetscCall(bench_task_forward(&task, 0, 1));
  for (int i = 0; i < ROUNDS; i++)
    PetscCall(clock_work(bench_task_forward, &task, PETSC_COMM_SELF, 0, SHOTS, &seconds[i]));
  bench_rates(SHOTS * task.points, seconds, rate);
  bench_result("acoustic_forward_off_grid", rate, "Mpoint/s");
  for (int i = 0; i < ROUNDS; i++)
    PetscCall(clock_work(bench_task_gradient, &task, PETSC_COMM_SELF, 0, SHOTS, &seconds[i]));
  bench_rates(SHOTS * task.points, seconds, rate);
  bench_result("acoustic_gradient_off_grid", rate, "Mpoint/s");
  PetscCall(bench_task_check(&task));
  PetscCall(bench_task_destroy(&task));
  PetscFunctionReturn(0);
}

/* ---- all ranks over one ---- */

/* alone: all shots, by rank 0; together: shots first .. first+count-1 by this rank. */
static PetscErrorCode compare(const char *name, bench_task *alone, bench_task *together,
                              int64_t first, int64_t count) {
  const bench_work work[2] = {bench_task_forward, bench_task_gradient};
  const char *const what[2] = {"forward", "gradient"};
  double one[ROUNDS], all[ROUNDS], ratio[ROUNDS];
  PetscMPIInt size;
  char line[64];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (int k = 0; k < 2; k++) {
    PetscCall(work[k](alone, 0, 1));
    PetscCall(work[k](together, first, count));
    for (int i = 0; i < ROUNDS; i++) {
      PetscCall(clock_alone(work[k], alone, alone->nshot, &one[i]));
      PetscCall(clock_work(work[k], together, PETSC_COMM_WORLD, first, count, &all[i]));
    }
    bench_ratios(one, all, ratio);
    PetscCall(PetscSNPrintf(line, sizeof(line), "acoustic_%s_%s_%d_ranks_over_1", what[k], name,
                            size));
    bench_result(line, ratio, "1");
  }
  PetscCall(bench_task_check(together));
  PetscFunctionReturn(0);
}

static PetscErrorCode bench_domain(void) {
  bench_task_spec spec = {PETSC_COMM_SELF, 400, 2, 0, PETSC_FALSE};
  bench_task alone, together;

  PetscFunctionBegin;
  PetscCall(bench_task_create(&spec, &alone));
  spec.comm = PETSC_COMM_WORLD;
  PetscCall(bench_task_create(&spec, &together));
  PetscCall(compare("domain", &alone, &together, 0, spec.nshot));
  PetscCall(bench_task_destroy(&alone));
  PetscCall(bench_task_destroy(&together));
  PetscFunctionReturn(0);
}

static PetscErrorCode bench_shots(void) {
  const bench_task_spec spec = {PETSC_COMM_SELF, 200, SHOTS, 0, PETSC_FALSE};
  PetscMPIInt rank, size;
  bench_task task;
  int64_t first, end;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  first = rank * spec.nshot / size;
  end = (rank + 1) * spec.nshot / size;
  PetscCall(bench_task_create(&spec, &task));
  PetscCall(compare("shots", &task, &task, first, end - first));
  PetscCall(bench_task_destroy(&task));
  PetscFunctionReturn(0);
}

/* ---- */

static PetscErrorCode bench(const char *mode) {
  static const struct {
    const char *name;
    PetscErrorCode (*run)(void);
  } modes[] = {{"machine", bench_machine},   {"core", bench_core},
               {"off_grid", bench_off_grid}, {"operator", bench_operator},
               {"domain", bench_domain},     {"shots", bench_shots}};

  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
    if (!strcmp(mode, modes[i].name)) {
      PetscCall(modes[i].run());
      PetscFunctionReturn(0);
    }
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER,
          "bench_acoustic knows machine, core, off_grid, operator, domain and shots, not '%s'",
          mode);
}

int main(int argc, char **argv) {
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  PetscCall(bench(argc > 1 ? argv[1] : ""));
  PetscCall(PetscFinalize());
  return 0;
}
