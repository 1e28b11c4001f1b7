/* The split of a training run's time, of the mean rank. */
#include "cli/times.h"
#include "fathom/log.h"
#include "fathom/timing.h"
#include <math.h>

enum { OPERATOR, PRIOR, FLOW, REDUCTIONS, IDLE, FILES, OTHER, PARTS };

static const char *const names[PARTS] = {"operator", "prior", "flow", "reductions",
                                         "idle",     "files", "other"};

fm_times fm_times_now(void) {
  return (fm_times){MPI_Wtime(), fm_time_of(FM_TIME_OPERATOR), fm_time_of(FM_TIME_PRIOR)};
}

/* Evaluations and steps but for operator and prior are the flow. */
static void split(const fm_times *begin, double part[PARTS]) {
  const double all = MPI_Wtime() - begin->wall;
  double rest = all;

  part[OPERATOR] = fm_time_of(FM_TIME_OPERATOR) - begin->operators;
  part[PRIOR] = fm_time_of(FM_TIME_PRIOR) - begin->prior;
  part[FLOW] =
      fm_time_of(FM_TIME_STEP) + fm_time_of(FM_TIME_EVALUATION) - part[OPERATOR] - part[PRIOR];
  part[REDUCTIONS] = fm_time_of(FM_TIME_REDUCTION);
  part[IDLE] = fm_time_of(FM_TIME_IDLE);
  part[FILES] = fm_time_of(FM_TIME_FILES);
  for (int k = 0; k < OTHER; k++) rest -= part[k];
  part[OTHER] = rest;
}

PetscErrorCode fm_times_report(fm_run *run, const fm_times *begin) {
  double part[PARTS], all = 0;
  char name[64], line[256] = "";
  PetscMPIInt size;
  size_t used = 0;

  PetscFunctionBegin;
  split(begin, part);
  PetscCallMPI(MPI_Comm_size(run->comm.world, &size));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, part, PARTS, MPI_DOUBLE, MPI_SUM, run->comm.world));
  for (int k = 0; k < PARTS; k++) all += part[k] /= size;
  for (int k = 0; k < PARTS; k++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "time_%s", names[k]));
    PetscCall(fm_result(run->results, name, part[k], "s"));
    used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %.3g %%", k ? ", " : "",
                             names[k], 100 * part[k] / all);
  }
  PetscCall(fm_result(run->results, "time_total", all, "s"));
  fm_log("time: %s of %.3g s", line, all);
  PetscFunctionReturn(0);
}
