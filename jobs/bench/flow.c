/* bench_flow - a flow of images under training, for jobs/bench.sh flow. One word says what:

     peak                                   multiply-adds of this core
     pairs FILE SIDE COUNT                  write so many pairs of images
     same FILE BATCH STEPS FOLDER           the network into FOLDER for flow_torch.py
     step | ranks | sample FILE BATCH STEPS seconds, flow_clock.h
     convolutions FILE BATCH                share of the step
     memory FILE BATCH STEPS DEPTH store|recompute

   The depth is 12 but for memory. */
#include "flow_clock.h"
#include "machine.h"
#include "report.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 12 };

static PetscErrorCode usage(void) {
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER,
          "usage: bench_flow peak | pairs FILE SIDE COUNT | same FILE BATCH STEPS FOLDER | "
          "step|ranks|sample FILE BATCH STEPS | convolutions FILE BATCH | memory FILE BATCH "
          "STEPS DEPTH store|recompute");
}

static PetscErrorCode on_pairs(const fm_comm *comm, fm_dataset *data, int argc, char **argv) {
  const char *what = argv[1];
  const int64_t batch = atoi(argv[3]), steps = argc > 4 ? atoi(argv[4]) : 0;

  PetscFunctionBegin;
  if (!strcmp(what, "same") && argc > 5)
    PetscCall(bench_same(comm, data, DEPTH, batch, argv[5], steps));
  else if (!strcmp(what, "step") && steps)
    PetscCall(bench_step(comm, data, DEPTH, batch, steps));
  else if (!strcmp(what, "ranks") && steps)
    PetscCall(bench_ranks(comm, data, DEPTH, batch, steps));
  else if (!strcmp(what, "sample") && steps)
    PetscCall(bench_sample(comm, data, DEPTH, batch, steps));
  else if (!strcmp(what, "convolutions"))
    PetscCall(bench_convolutions(comm, data, DEPTH, batch));
  else if (!strcmp(what, "memory") && argc > 6)
    PetscCall(bench_memory_peak(comm, data, atoi(argv[5]), batch,
                                strcmp(argv[6], "store") ? BENCH_RECOMPUTE : BENCH_STORE,
                                steps));
  else
    PetscCall(usage());
  PetscFunctionReturn(0);
}

static PetscErrorCode bench(int argc, char **argv) {
  fm_dataset *data;
  fm_comm comm;

  PetscFunctionBegin;
  if (argc == 2 && !strcmp(argv[1], "peak")) {
    bench_result_once("machine_multiply_add_peak", bench_peak() / 1e9, "GFLOP/s");
    PetscFunctionReturn(0);
  }
  if (argc < 4) PetscCall(usage());
  if (!strcmp(argv[1], "pairs")) {
    if (argc < 5) PetscCall(usage());
    PetscCall(bench_pairs_write(argv[2], atoi(argv[3]), atoi(argv[4])));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  PetscCall(fm_dataset_open(comm.world, argv[2], &data));
  PetscCall(on_pairs(&comm, data, argc, argv));
  PetscCall(fm_dataset_close(&data));
  PetscCall(fm_comm_destroy(&comm));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv) {
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  PetscCall(bench(argc, argv));
  PetscCall(PetscFinalize());
  return 0;
}
