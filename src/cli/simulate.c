/* simulate - pairs (x, y): x from the prior, y = F(x) + e. */
#include "cli/solves.h"
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include "fathom/log.h"
#include "fathom/options.h"

#define BLOCK 256 /* pairs written at once by a rank */

#define TO_DO                                                                                  \
  "; every draw of the prior must have a solve: give the operator a bounded unknown, or the "  \
  "prior a smaller spread"

typedef struct {
  fm_run *run;
  fm_operator *op;
  fm_energy *prior;
  int64_t n, m, count;
  double *sigma, *d;
  fm_real *x, *y, *e;
  fm_store *store;
} simulation;

static PetscErrorCode prepare(simulation *s) {
  const fm_comm *comm = &s->run->comm;
  const char *op, *prior;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_text("prior", &prior));
  PetscCall(fm_option_integer_in("pairs_count", 1, INT64_MAX / 2, &s->count));
  fm_check(op[0] && prior[0], comm->world, PETSC_ERR_USER,
           "simulate needs -operator NAME and -prior NAME");
  PetscCall(fm_operator_create(comm->space, op, &s->op));
  PetscCall(fm_operator_sizes(s->op, &s->n, &s->m));
  PetscCall(fm_energy_create(prior, &(fm_energy_inputs){comm, s->n, NULL, 0, NULL}, &s->prior));
  fm_check(fm_energy_size(s->prior) == s->n, comm->world, PETSC_ERR_USER,
           "prior %s has %lld unknowns where the operator takes %lld", prior,
           (long long)fm_energy_size(s->prior), (long long)s->n);
  PetscCall(PetscMalloc5(s->m, &s->sigma, s->m, &s->d, BLOCK * s->n, &s->x, BLOCK * s->m, &s->y,
                         s->m, &s->e));
  PetscCall(fm_likelihood_noise_std(comm->world, s->m, s->sigma));
  PetscFunctionReturn(0);
}

/* y of one model. reason: a sentence where the solve fails, else as it was. */
static PetscErrorCode one_datum(simulation *s, int64_t index, const fm_real *x, fm_real *y,
                                char *reason, size_t size) {
  const fm_rng noise = {s->run->seed, FM_STREAM_NOISE};
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(fm_operator_forward(s->op, x, s->d, &ok));
  if (!ok) {
    PetscCall(PetscSNPrintf(reason, size, "the solve for pair %lld failed%s%s",
                            (long long)index, fm_operator_reason(s->op)[0] ? ": " : "",
                            fm_operator_reason(s->op)));
    PetscCall(PetscStrlcat(reason, TO_DO, size));
    PetscFunctionReturn(0);
  }
  fm_rng_normal(noise, 0, (uint64_t)index, (size_t)s->m, s->e);
  for (int64_t i = 0; i < s->m; i++) y[i] = (fm_real)(s->d[i] + s->sigma[i] * (double)s->e[i]);
  PetscFunctionReturn(0);
}

/* nb pairs of mine; all ranks take `most` steps together: where one fails, all know at once. */
static PetscErrorCode one_block(simulation *s, int64_t first, int64_t nb, int64_t most) {
  char reason[512] = "";

  PetscFunctionBegin;
  PetscCall(
      fm_energy_sample(s->prior, (fm_rng){s->run->seed, FM_STREAM_MODEL}, first, nb, s->x));
  for (int64_t i = 0; i < most; i++) {
    if (i < nb)
      PetscCall(
          one_datum(s, first + i, s->x + i * s->n, s->y + i * s->m, reason, sizeof(reason)));
    PetscCall(fm_run_agree(s->run, first + i, reason));
  }
  PetscFunctionReturn(0);
}

/* My rows, block by block; every rank makes as many collective writes as the one with the most
   rows. Only the first rank of a space communicator writes. */
static PetscErrorCode write_rows(simulation *s) {
  int64_t first, count, most, writer;
  PetscMPIInt space;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&s->run->comm, s->count, &first, &count));
  PetscCallMPI(MPI_Allreduce(&count, &most, 1, MPI_INT64_T, MPI_MAX, s->run->comm.world));
  PetscCallMPI(MPI_Comm_rank(s->run->comm.space, &space));
  writer = space ? 0 : 1;
  for (int64_t at = 0; at < most; at += BLOCK) {
    const int64_t nb = PetscMax(0, PetscMin(BLOCK, count - at));

    PetscCall(one_block(s, first + at, nb, PetscMin(BLOCK, most - at)));
    PetscCall(
        fm_store_write_rows(s->store, "/x", first + PetscMin(at, count), nb * writer, s->x));
    PetscCall(
        fm_store_write_rows(s->store, "/y", first + PetscMin(at, count), nb * writer, s->y));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(simulation *s) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_text(s->store, "/", "settings", s->run->settings));
  PetscCall(fm_store_set_text(s->store, "/", "operator", fm_operator_describe(s->op)));
  PetscCall(write_rows(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_pairs(simulation *s) {
  const fm_field field[] = {{"/x", FM_TYPE_REAL, 1, {s->n}}, {"/y", FM_TYPE_REAL, 1, {s->m}}};
  char path[PETSC_MAX_PATH_LEN];
  PetscErrorCode error;

  PetscFunctionBegin;
  PetscCall(fm_run_path(s->run, "pairs.h5", path));
  PetscCall(fm_store_create_rows(s->run->comm.world, path, 2, field, s->count, &s->store));
  error = fill(s);
  if (error) PetscCall(fm_store_close(&s->store)); /* and its file is gone */
  PetscCall(error);
  PetscCall(fm_store_commit(&s->store, NULL));
  fm_log("wrote %lld pairs to '%s'", (long long)s->count, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_simulate(fm_run *run) {
  simulation s = {.run = run};
  fm_ledger solves;

  PetscFunctionBegin;
  PetscCall(prepare(&s));
  PetscCall(write_pairs(&s));
  PetscCall(fm_result(run->results, "pairs", (double)s.count, "1"));
  PetscCall(fm_run_solves(run, s.op, &solves));
  PetscCall(fm_result(run->results, "solves_F", (double)solves.count[FM_USEFUL][FM_SOLVE_F],
                      "solves"));
  PetscCall(PetscFree5(s.sigma, s.d, s.x, s.y, s.e));
  PetscCall(fm_energy_destroy(&s.prior));
  PetscCall(fm_operator_destroy(&s.op));
  PetscFunctionReturn(0);
}
