/* bench_checkpoint FOLDER - a checkpoint of 100 MB (five groups of 50 tensors) as training
   writes
   it, fm_store_commit_begin and fm_writer_finish, against dd of as many bytes with conv=fsync
   to
   the same folder in the same rounds. checkpoint_stall: seconds until training goes on, with
   building the file in memory. checkpoint_write: from the begin to the file in its place;
   checkpoint_vs_dd: dd's seconds over the writing thread's. */
#include "fathom/store.h"
#include "machine.h"
#include "report.h"
#include <petscsys.h>
#include <stdlib.h>

enum { GROUPS = 5, TENSORS = 50, NUMBERS = 100000 }; /* 5 x 50 x 100,000 float: 100 MB */

static PetscErrorCode build(const char *path, const float *data, fm_store **store) {
  static const char *const group[GROUPS] = {"theta", "theta_average", "theta_best", "adam_m",
                                            "adam_v"};
  const int64_t shape[] = {NUMBERS};

  PetscFunctionBegin;
  PetscCall(fm_store_create(PETSC_COMM_WORLD, path, store));
  for (int g = 0; g < GROUPS; g++)
    for (int t = 0; t < TENSORS; t++) {
      char name[64];

      snprintf(name, sizeof(name), "/%s/tensor%02d", group[g], t);
      PetscCall(fm_store_write(*store, name, FM_FLOAT32, 1, shape,
                               data + (int64_t)(g * TENSORS + t) * NUMBERS));
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode round_of(const char *folder, const float *data, double *stall,
                               double *whole, double *write, double *dd) {
  char path[PETSC_MAX_PATH_LEN], command[2 * PETSC_MAX_PATH_LEN];
  double begin = bench_seconds();
  fm_writer *writer;
  fm_store *store;

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s/checkpoint.h5", folder);
  PetscCall(build(path, data, &store));
  PetscCall(fm_store_commit_begin(&store, &(fm_keep){.files = 2}, &writer));
  *stall = bench_seconds() - begin;
  PetscCall(fm_writer_finish(&writer, write));
  *whole = bench_seconds() - begin;
  snprintf(command, sizeof(command),
           "rm -f '%s/dd.bin'; dd if=/dev/zero of='%s/dd.bin' bs=1M count=96 conv=fsync "
           "status=none",
           folder, folder);
  begin = bench_seconds();
  fm_check(!system(command), PETSC_COMM_WORLD, PETSC_ERR_SYS, "dd into '%s' failed", folder);
  *dd = bench_seconds() - begin;
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const char *folder) {
  double stall[BENCH_ROUNDS], whole[BENCH_ROUNDS], write[BENCH_ROUNDS], dd[BENCH_ROUNDS];
  double ratio[BENCH_ROUNDS];
  float *data;

  PetscFunctionBegin;
  PetscCall(fm_calloc((int64_t)GROUPS * TENSORS * NUMBERS, &data));
  for (int64_t i = 0; i < (int64_t)GROUPS * TENSORS * NUMBERS; i++)
    data[i] = (float)(i * 2654435761u % 1000003) / 7.f;
  for (int r = 0; r < BENCH_ROUNDS; r++)
    PetscCall(round_of(folder, data, &stall[r], &whole[r], &write[r], &dd[r]));
  PetscCall(PetscFree(data));
  bench_ratios(dd, write, ratio);
  bench_result("checkpoint_stall", stall, "s");
  bench_result("checkpoint_write", whole, "s");
  bench_result("dd_fsync", dd, "s");
  bench_result("checkpoint_vs_dd", ratio, "1");
  PetscFunctionReturn(0);
}

int main(int argc, char **argv) {
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  fm_check(argc > 1, PETSC_COMM_WORLD, PETSC_ERR_USER, "usage: bench_checkpoint FOLDER");
  PetscCall(run(argv[1]));
  PetscCall(PetscFinalize());
  return 0;
}
