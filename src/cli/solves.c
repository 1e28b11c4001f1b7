#include "cli/solves.h"

PetscErrorCode fm_run_solves(const fm_run *run, fm_operator *op, fm_ledger *all) {
  fm_ledger mine;

  PetscFunctionBegin;
  PetscCall(fm_operator_ledger(op, &mine));
  PetscCallMPI(MPI_Allreduce(mine.count, all->count, FM_PURPOSES * FM_SOLVE_KINDS, MPI_INT64_T,
                             MPI_SUM, run->comm.sample));
  PetscFunctionReturn(0);
}
