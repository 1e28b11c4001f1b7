#include "flow_clock.h"
#include "machine.h"
#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 }; /* repetitions that are kept */

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static double median(int64_t count, double *value) {
  qsort(value, (size_t)count, sizeof(*value), ascending);
  return value[count / 2];
}

/* ---- the same network elsewhere ---- */

static PetscErrorCode write_numbers(const char *folder, const char *name, int64_t count,
                                    const fm_real *v) {
  char path[PETSC_MAX_PATH_LEN];
  FILE *file;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", folder, name));
  file = fopen(path, "wb");
  fm_check(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot write '%s'", path);
  (void)fwrite(v, sizeof(*v), (size_t)count, file);
  fm_check(!fclose(file), PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "cannot write '%s'", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode write_layout(const bench_subject *s, const char *folder) {
  const fm_layout *layout = s->trainer->layout;
  char path[PETSC_MAX_PATH_LEN];
  FILE *file;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/theta.txt", folder));
  file = fopen(path, "w");
  fm_check(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot write '%s'", path);
  for (int64_t t = 0; t < layout->ntensor; t++) {
    const fm_tensor *tensor = &layout->tensor[t];

    fprintf(file, "%s %lld", tensor->name, (long long)tensor->offset);
    for (int d = 0; d < tensor->ndim; d++) fprintf(file, " %lld", (long long)tensor->shape[d]);
    fprintf(file, "\n");
  }
  fm_check(!fclose(file), PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "cannot write '%s'", path);
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/side.txt", folder));
  file = fopen(path, "w");
  fm_check(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot write '%s'", path);
  fprintf(file, "%lld\n", (long long)fm_dataset_shape_x(s->data).n[0]);
  fm_check(!fclose(file), PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "cannot write '%s'", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode observe_first(bench_subject *s) {
  fm_transport *t = s->transport;
  const int64_t zero = 0;
  fm_real *x, *y;
  double *seen;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(t->n, &x, t->m, &y, t->m, &seen));
  PetscCall(fm_dataset_rows(s->data, 1, &zero, x, y));
  for (int64_t i = 0; i < t->m; i++) seen[i] = (double)y[i];
  PetscCall(fm_transport_observe(t, s->trainer->theta, seen));
  PetscCall(PetscFree3(x, y, seen));
  PetscFunctionReturn(0);
}

/* The pairs, and images generated at the first y; SAMPLES is what `sample` generates at once. */
enum { SAMPLES = 16 };

static PetscErrorCode write_images(bench_subject *s, const char *folder) {
  const int64_t n = s->transport->n, most = PetscMax(s->batch, SAMPLES);
  fm_real *x, *y, *logdet;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(most * n, &x, most * n, &y, most, &logdet));
  PetscCall(fm_dataset_rows(s->data, s->batch, s->row, x, y));
  PetscCall(write_numbers(folder, "x.f32", s->batch * n, x));
  PetscCall(write_numbers(folder, "y.f32", s->batch * n, y));
  fm_rng_normal((fm_rng){1, FM_STREAM_SAMPLE}, 0, 0, (size_t)(SAMPLES * n), x);
  PetscCall(write_numbers(folder, "z.f32", SAMPLES * n, x));
  PetscCall(observe_first(s));
  PetscCall(fm_transport_generate(s->transport, s->trainer->theta, SAMPLES, x, y, logdet));
  PetscCall(write_numbers(folder, "made.f32", SAMPLES * n, y));
  PetscCall(PetscFree3(x, y, logdet));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_same(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                          const char *folder, int64_t steps) {
  bench_subject s;
  char name[32];

  PetscFunctionBegin;
  PetscCall(bench_subject_create(comm, data, depth, batch, BENCH_STORE, &s));
  PetscCall(write_layout(&s, folder));
  PetscCall(write_numbers(folder, "theta.f32", s.trainer->layout->size, s.trainer->theta));
  PetscCall(write_images(&s, folder));
  for (int64_t k = 0; k < steps; k++) {
    PetscCall(fm_trainer_step(s.trainer));
    PetscCall(PetscSNPrintf(name, sizeof(name), "loss_%d", (int)k));
    printf("result %s %.9g nats\n", name, fm_history_last(s.trainer->history, "objective"));
  }
  PetscCall(bench_subject_destroy(&s));
  PetscFunctionReturn(0);
}

/* ---- steps ---- */

static PetscErrorCode clock_step(bench_subject *s, double *seconds) {
  double begin;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(s->comm->world));
  begin = bench_seconds();
  PetscCall(fm_trainer_step(s->trainer));
  *seconds = bench_seconds() - begin;
  PetscFunctionReturn(0);
}

/* Some CPUs have no bfloat16: then there is nothing to time. */
static PetscErrorCode create_each(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                  int64_t batch, int *modes, bench_subject *s) {
  PetscErrorCode code;

  PetscFunctionBegin;
  for (int k = 0; k < BENCH_BF16; k++)
    PetscCall(bench_subject_create(comm, data, depth, batch, (bench_memory)k, &s[k]));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  code = bench_subject_create(comm, data, depth, batch, BENCH_BF16, &s[BENCH_BF16]);
  PetscCall(PetscPopErrorHandler());
  *modes = code ? BENCH_BF16 : BENCH_MODES;
  PetscFunctionReturn(0);
}

PetscErrorCode bench_step(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                          int64_t steps) {
  double seconds[BENCH_MODES][MOST], flops;
  bench_subject s[BENCH_MODES];
  char name[64];
  int modes;

  PetscFunctionBegin;
  steps = PetscMin(steps, MOST);
  PetscCall(create_each(comm, data, depth, batch, &modes, s));
  for (int m = 0; m < modes; m++) PetscCall(clock_step(&s[m], &seconds[m][0]));
  for (int64_t k = 0; k < steps; k++)
    for (int m = 0; m < modes; m++) PetscCall(clock_step(&s[m], &seconds[m][k]));
  PetscCall(bench_subject_flops(&s[0], &flops));
  bench_result_once("step_gflop", flops / 1e9, "GFLOP");
  for (int m = 0; m < modes; m++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "step_%s_seconds", bench_memory_name[m]));
    bench_result_once(name, median(steps, seconds[m]), "s");
    PetscCall(bench_subject_destroy(&s[m]));
  }
  PetscFunctionReturn(0);
}

/* The sums of a step once more over the ranks, and the gradient from them. */
static PetscErrorCode clock_reduction(bench_subject *s, double *seconds) {
  fm_share *share = s->trainer->share;
  double begin;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(s->comm->world));
  begin = bench_seconds();
  PetscCall(fm_share_reduce(share, s->comm->sample));
  PetscCall(fm_share_gradient(share, 1., s->trainer->grad));
  *seconds = bench_seconds() - begin;
  PetscFunctionReturn(0);
}

static PetscErrorCode clock_read(bench_subject *s, fm_real *x, fm_real *y, int64_t turn,
                                 double *seconds) {
  const int64_t count = fm_dataset_count(s->data);
  double begin;

  PetscFunctionBegin;
  for (int64_t i = 0; i < s->batch; i++) s->row[i] = (turn * s->batch + 7 * i) % count;
  begin = bench_seconds();
  PetscCall(fm_dataset_rows(s->data, s->batch, s->row, x, y));
  fm_transport_whiten_lanes(s->transport, s->batch, x, y);
  *seconds = bench_seconds() - begin;
  for (int64_t i = 0; i < s->batch; i++) s->row[i] = i;
  PetscFunctionReturn(0);
}

PetscErrorCode bench_ranks(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                           int64_t steps) {
  double step[MOST], reduction[MOST], reading[MOST];
  fm_real *x, *y;
  bench_subject s;

  PetscFunctionBegin;
  steps = PetscMin(steps, MOST);
  PetscCall(bench_subject_create(comm, data, depth, batch, BENCH_STORE, &s));
  PetscCall(PetscMalloc2(batch * s.transport->n, &x, batch * s.transport->m, &y));
  PetscCall(clock_step(&s, step));
  for (int64_t k = 0; k < steps; k++) {
    PetscCall(clock_step(&s, &step[k]));
    PetscCall(clock_reduction(&s, &reduction[k]));
    PetscCall(clock_read(&s, x, y, k, &reading[k]));
  }
  bench_result_once("ranks_step_seconds", median(steps, step), "s");
  bench_result_once("ranks_reduction_seconds", median(steps, reduction), "s");
  bench_result_once("ranks_read_seconds", median(steps, reading), "s");
  PetscCall(PetscFree2(x, y));
  PetscCall(bench_subject_destroy(&s));
  PetscFunctionReturn(0);
}

/* ---- sampling ---- */

PetscErrorCode bench_sample(const fm_comm *comm, fm_dataset *data, int64_t depth, int64_t batch,
                            int64_t steps) {
  double seconds[MOST];
  fm_real *z, *x, *logdet;
  bench_subject s;

  PetscFunctionBegin;
  steps = PetscMin(steps, MOST);
  PetscCall(bench_subject_create(comm, data, depth, 1, BENCH_RECOMPUTE, &s));
  PetscCall(observe_first(&s));
  PetscCall(
      PetscMalloc3(batch * s.transport->n, &z, batch * s.transport->n, &x, batch, &logdet));
  fm_rng_normal((fm_rng){1, FM_STREAM_SAMPLE}, 0, 0, (size_t)(batch * s.transport->n), z);
  for (int64_t k = -1; k < steps; k++) {
    const double begin = bench_seconds();

    PetscCall(fm_transport_generate(s.transport, s.trainer->theta, batch, z, x, logdet));
    seconds[PetscMax(k, 0)] = bench_seconds() - begin;
  }
  bench_result_once("sample_seconds", median(steps, seconds), "s");
  PetscCall(PetscFree3(z, x, logdet));
  PetscCall(bench_subject_destroy(&s));
  PetscFunctionReturn(0);
}

/* ---- memory ---- */

/* A line of /proc/self/status, in bytes: VmRSS, VmHWM. */
static PetscErrorCode status_bytes(const char *name, double *bytes) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  double kilo = 0;

  PetscFunctionBegin;
  fm_check(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "no /proc/self/status to read");
  while (fgets(line, sizeof(line), file))
    if (!strncmp(line, name, strlen(name))) kilo = atof(line + strlen(name) + 1);
  (void)fclose(file);
  *bytes = 1024. * kilo;
  PetscFunctionReturn(0);
}

/* The peak is from now on. */
static void forget_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");

  if (!file) return;
  (void)fputs("5", file);
  (void)fclose(file);
}

PetscErrorCode bench_memory_peak(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                 int64_t batch, bench_memory memory, int64_t steps) {
  double before, peak, numbers;
  bench_subject s;

  PetscFunctionBegin;
  forget_peak();
  PetscCall(status_bytes("VmRSS", &before));
  PetscCall(bench_subject_create(comm, data, depth, batch, memory, &s));
  s.trainer->in.schedule.rate = 1e-6; /* 64 blocks from their start would not bear 1e-3 */
  for (int64_t k = 0; k < steps; k++) PetscCall(fm_trainer_step(s.trainer));
  PetscCall(status_bytes("VmHWM", &peak));
  numbers = (double)bench_subject_bytes(&s);
  bench_result_once("memory_parameters", numbers / 1048576, "MiB");
  bench_result_once("memory_rest", (peak - before - numbers) / 1048576, "MiB");
  PetscCall(bench_subject_destroy(&s));
  PetscFunctionReturn(0);
}
