/* The chains of a run, shared over the sample ranks. */
#include "chains.h"
#include <math.h>

#define TOGETHER 4   /* iterations between two words about the tilt */
#define MOST_RISE 2. /* of a log C then */

PetscErrorCode fm_sampler_create(const fm_sampler_inputs *inputs, fm_sampler **sampler) {
  const int64_t n = inputs->potential->n;
  fm_sampler *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *sampler = s;
  s->in = *inputs;
  s->n = n;
  PetscCall(fm_comm_share(inputs->comm, inputs->chains, &s->first, &s->count));
  if (inputs->hmc.tilt) PetscCall(fm_tilt_create(n, &s->tilt));
  PetscCall(fm_calloc(s->count, &s->chain));
  for (int64_t c = 0; c < s->count; c++)
    PetscCall(fm_chain_create(n, s->first + c, s->tilt, &s->chain[c]));
  PetscCall(fm_calloc(s->count * inputs->iterations * n, &s->x));
  PetscCall(fm_calloc(s->count * inputs->iterations, &s->energy));
  PetscCall(fm_calloc(s->count * inputs->iterations, &s->log_weight));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_destroy(fm_sampler **sampler) {
  fm_sampler *s = *sampler;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  for (int64_t c = 0; s->chain && c < s->count; c++) PetscCall(fm_chain_destroy(&s->chain[c]));
  PetscCall(PetscFree(s->chain));
  PetscCall(PetscFree(s->x));
  PetscCall(PetscFree(s->energy));
  PetscCall(PetscFree(s->log_weight));
  PetscCall(fm_tilt_destroy(&s->tilt));
  PetscCall(PetscFree(*sampler));
  PetscFunctionReturn(0);
}

int64_t fm_sampler_total(const fm_sampler *s) {
  return s->in.hmc.warmup + s->in.hmc.tilt + s->in.iterations * s->in.thin;
}

/* ---- ledger ---- */

PetscErrorCode fm_sampler_count(fm_sampler *s) {
  fm_ledger mine = {{{0}}};
  int64_t sum[8], all[8];

  PetscFunctionBegin;
  if (s->in.op) PetscCall(fm_operator_ledger(s->in.op, &mine));
  memcpy(sum, mine.count, 6 * sizeof(*sum));
  memcpy(sum + 6, s->mine, 2 * sizeof(*sum));
  PetscCallMPI(MPI_Allreduce(sum, all, 8, MPI_INT64_T, MPI_SUM, s->in.comm->sample));
  memcpy(s->all, all + 6, 2 * sizeof(*all));
  for (int k = 0; k < 6; k++) s->ledger[k] = s->before[k] + all[k];
  for (int k = 0; k < FM_SOLVE_KINDS; k++) s->ledger_spent[k] = s->spent_before[k] + all[k];
  PetscFunctionReturn(0);
}

/* ---- sampling ---- */

PetscErrorCode fm_sampler_start(fm_sampler *s) {
  int stuck = 0, worst;

  PetscFunctionBegin;
  for (int64_t c = 0; c < s->count; c++) {
    PetscBool ok;

    PetscCall(fm_chain_start(&s->chain[c], &s->in.hmc, s->in.potential, &ok));
    if (!ok) stuck = (int)s->chain[c].index + 1;
  }
  PetscCall(fm_comm_agree(s->in.comm->world, stuck, &worst));
  fm_check(
      !worst, s->in.comm->world, PETSC_ERR_USER,
      "chain %d cannot start: the posterior or its gradient is not finite at 100 draws, or "
      "no step size keeps it; are model, data and prior in the same units? (fathom check)",
      worst - 1);
  PetscCall(fm_sampler_count(s));
  PetscFunctionReturn(0);
}

static void keep(fm_sampler *s, int64_t c) {
  const double *x = fm_chain_vector(&s->chain[c], FM_CHAIN_X);
  const int64_t row = c * s->in.iterations + s->kept;

  for (int64_t i = 0; i < s->n; i++) s->x[row * s->n + i] = (fm_real)x[i];
  s->energy[row] = fm_chain_scalars(&s->chain[c])[FM_CHAIN_VALUE];
  s->log_weight[row] = fm_chain_log_weight(&s->chain[c]);
}

/* Of the chains' sums, whose logarithms they are. */
static double log_total(const fm_sampler *s, const double *of_j) {
  const int64_t width = 2 * s->tilt->count;
  double sum = 0., top = -INFINITY;

  for (int64_t c = 0; c < s->in.chains; c++) top = PetscMax(top, of_j[c * width]);
  for (int64_t c = 0; c < s->in.chains; c++) sum += exp(of_j[c * width] - top);
  return top + log(sum);
}

static double rise_of_constant(const fm_sampler *s, const double *of_j) {
  double sum = 0.;

  for (int64_t c = 0; c < s->in.chains; c++) sum += of_j[c * 2 * s->tilt->count];
  return PetscMax(-MOST_RISE, PetscMin(MOST_RISE, sum));
}

/* C from what all chains have learnt, in their order. */
static void take(fm_sampler *s, const double *all) {
  const int64_t count = s->tilt->count, last = s->in.hmc.warmup + s->in.hmc.tilt;
  const PetscBool first = s->iteration == fm_hmc_tilted(&s->in.hmc) ? PETSC_TRUE : PETSC_FALSE;

  for (int64_t j = 1; j < count; j++) {
    if (first || s->iteration == last)
      s->tilt->log_c[j] = log_total(s, all + count + j) - log_total(s, all + count);
    else
      s->tilt->log_c[j] += rise_of_constant(s, all + j);
  }
}

/* The tilt is the same for all chains and on every rank. */
static PetscErrorCode merge(fm_sampler *s) {
  const int64_t count = s->tilt->count, width = 2 * count;
  double *mine, *all;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(s->count * width, &mine, s->in.chains * width, &all));
  for (int64_t c = 0; c < s->count; c++) {
    PetscCall(PetscArraycpy(mine + c * width, s->chain[c].learnt, width));
    PetscCall(PetscArrayzero(s->chain[c].learnt, count));
  }
  PetscCall(fm_sampler_collect(s, 0, MPI_DOUBLE, width, mine, all));
  take(s, all);
  PetscCallMPI(MPI_Bcast(s->tilt->log_c, (int)count, MPI_DOUBLE, 0, s->in.comm->sample));
  PetscCall(PetscFree2(mine, all));
  PetscFunctionReturn(0);
}

static PetscBool merge_due(const fm_sampler *s) {
  const int64_t since = s->iteration - fm_hmc_tilted(&s->in.hmc);
  const int64_t last = s->in.hmc.warmup + s->in.hmc.tilt;

  if (!s->tilt || since < 0 || s->iteration > last) return PETSC_FALSE;
  return since % TOGETHER == 0 || s->iteration == last ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fm_sampler_run(fm_sampler *s, int64_t count) {
  PetscFunctionBegin;
  for (int64_t k = 0; k < count; k++) {
    const int64_t after = s->iteration + 1 - s->in.hmc.warmup - s->in.hmc.tilt;
    const PetscBool due = after > 0 && after % s->in.thin == 0 ? PETSC_TRUE : PETSC_FALSE;

    for (int64_t c = 0; c < s->count; c++) {
      PetscCall(fm_chain_iterate(&s->chain[c], &s->in.hmc, s->in.potential, s->iteration));
      if (due) keep(s, c);
    }
    s->iteration++;
    s->kept += due;
    if (merge_due(s)) PetscCall(merge(s));
  }
  PetscCall(fm_sampler_count(s));
  PetscFunctionReturn(0);
}

/* ---- from the ranks ---- */

/* How many chains each rank of the sample communicator has, and where they begin. */
static PetscErrorCode shares(const fm_sampler *s, PetscMPIInt **counts, PetscMPIInt **starts) {
  PetscMPIInt size, mine = (PetscMPIInt)s->count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->in.comm->sample, &size));
  PetscCall(PetscCalloc2(size, counts, size, starts));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT, *counts, 1, MPI_INT, s->in.comm->sample));
  for (int r = 1; r < size; r++) (*starts)[r] = (*starts)[r - 1] + (*counts)[r - 1];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_collect(const fm_sampler *s, PetscMPIInt root, MPI_Datatype type,
                                  int64_t width, const void *mine, void *all) {
  PetscMPIInt *counts, *starts;
  MPI_Datatype row;

  PetscFunctionBegin;
  PetscCall(shares(s, &counts, &starts));
  PetscCallMPI(MPI_Type_contiguous((int)width, type, &row));
  PetscCallMPI(MPI_Type_commit(&row));
  PetscCallMPI(MPI_Gatherv(mine, (PetscMPIInt)s->count, row, all, counts, starts, row, root,
                           s->in.comm->sample));
  PetscCallMPI(MPI_Type_free(&row));
  PetscCall(PetscFree2(counts, starts));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_sum(const fm_sampler *s, int scalar, double *sum) {
  double *mine, *all;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(s->count, &mine, s->in.chains, &all));
  for (int64_t c = 0; c < s->count; c++) mine[c] = fm_chain_scalars(&s->chain[c])[scalar];
  PetscCall(fm_sampler_collect(s, 0, MPI_DOUBLE, 1, mine, all));
  *sum = 0.;
  for (int64_t c = 0; c < s->in.chains; c++) *sum += all[c];
  PetscCallMPI(MPI_Bcast(sum, 1, MPI_DOUBLE, 0, s->in.comm->sample));
  PetscCall(PetscFree2(mine, all));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_column(const fm_sampler *s, int64_t i, PetscMPIInt root,
                                 double *column) {
  double *mine;

  PetscFunctionBegin;
  PetscCall(fm_calloc(s->count * s->kept, &mine));
  for (int64_t c = 0; c < s->count; c++)
    for (int64_t k = 0; k < s->kept; k++) {
      const int64_t row = c * s->in.iterations + k;

      mine[c * s->kept + k] = i < s->n    ? (double)s->x[row * s->n + i]
                              : i == s->n ? s->energy[row]
                                          : s->log_weight[row];
    }
  PetscCall(fm_sampler_collect(s, root, MPI_DOUBLE, s->kept, mine, column));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_gather_x(const fm_sampler *s, fm_real **x) {
  const int64_t width = s->kept * s->n;
  PetscMPIInt rank;
  fm_real *mine;

  PetscFunctionBegin;
  *x = NULL;
  PetscCallMPI(MPI_Comm_rank(s->in.comm->sample, &rank));
  if (!rank) PetscCall(fm_calloc(s->in.chains * width, x));
  PetscCall(fm_calloc(s->count * width, &mine));
  for (int64_t c = 0; c < s->count; c++)
    PetscCall(PetscArraycpy(mine + c * width, s->x + c * s->in.iterations * s->n, width));
  PetscCall(fm_sampler_collect(s, 0, FM_MPI_REAL, width, mine, *x));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}
