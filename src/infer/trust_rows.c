/* What the gradient of log p says at a sample. */
#include "fathom/likelihood.h"
#include "infer/collect.h"
#include "infer/trust_impl.h"
#include <math.h>

/* Arrays of one block of samples. */
typedef struct {
  uint64_t *sample;
  PetscBool *ok;
  double *value;
  fm_real *z, *white, *user;    /* latents, models in either unit */
  fm_real *lik, *score, *again; /* gradient of the misfit, of log q; rebuilt latents */
  fm_real *logdet;
} block;

static PetscErrorCode block_create(int64_t n, int64_t most, block *b) {
  const size_t all = (size_t)(most * n);

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(most, &b->sample, most, &b->ok, most, &b->value));
  PetscCall(PetscCalloc7(all, &b->z, all, &b->white, all, &b->user, all, &b->lik, all,
                         &b->score, all, &b->again, most, &b->logdet));
  PetscFunctionReturn(0);
}

static PetscErrorCode block_destroy(block *b) {
  PetscFunctionBegin;
  PetscCall(PetscFree3(b->sample, b->ok, b->value));
  PetscCall(PetscFree7(b->z, b->white, b->user, b->lik, b->score, b->again, b->logdet));
  PetscFunctionReturn(0);
}

static fm_trust_rows row_at(const fm_trust_rows *r, int64_t s, int64_t n) {
  return (fm_trust_rows){r->count,     r->width,     r->scalar + s * r->width,
                         r->z + s * n, r->x + s * n, r->d + s * n,
                         r->p + s * n, r->g + s * n};
}

/* Latents of samples [first, first + nb) and their models. */
static PetscErrorCode draw(block *b, fm_transport *t, const fm_real *theta, fm_rng rng,
                           int64_t first, int64_t nb) {
  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    b->sample[s] = (uint64_t)(first + s);
    b->ok[s] = PETSC_TRUE;
    fm_rng_normal(rng, 0, b->sample[s], (size_t)t->n, b->z + s * t->n);
  }
  PetscCall(PetscArraycpy(b->white, b->z, nb * t->n));
  PetscCall(fm_transport_push(t, theta, nb, b->white, b->logdet));
  PetscCall(PetscArraycpy(b->user, b->white, nb * t->n));
  fm_transport_unwhiten(t, nb, b->user);
  PetscFunctionReturn(0);
}

/* Gradients of the misfit, b->lik, and of all energies, r->p, in the user's units; misfits. */
static PetscErrorCode energies(block *b, fm_target *target, int64_t nb, fm_trust_rows *r) {
  const fm_key key = {0, b->sample, NULL};
  const int64_t parts = r->width - 1;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(r->p, nb * target->n));
  for (int e = 0; e < target->nenergy; e++) {
    PetscCall(fm_energy_evaluate(target->energy[e], key, nb, b->user, b->value, r->p, b->ok));
    if (!e) PetscCall(PetscArraycpy(b->lik, r->p, nb * target->n));
    for (int64_t s = 0; s < nb; s++)
      if (!isfinite(b->value[s])) b->ok[s] = PETSC_FALSE;
  }
  for (int64_t s = 0; s < nb; s++)
    PetscCall(PetscArraycpy(r->scalar + s * r->width + 1,
                            fm_likelihood_misfits(target->energy[0], s), parts));
  PetscFunctionReturn(0);
}

/* Zeros in the place of a sample that failed, so that nothing of it reaches the others. */
static void neutralize(block *b, int64_t nb, int64_t n, fm_trust_rows *r) {
  for (int64_t s = 0; s < nb; s++) {
    const size_t bytes = (size_t)n * sizeof(fm_real);

    if (b->ok[s]) continue;
    memset(b->white + s * n, 0, bytes);
    memset(b->user + s * n, 0, bytes);
    memset(b->lik + s * n, 0, bytes);
    memset(r->p + s * n, 0, bytes);
  }
}

/* From the user's units to the flow's: gradients times std. */
static void whiten(const block *b, const fm_transport *t, int64_t nb, fm_trust_rows *r) {
  for (int64_t k = 0; k < nb * t->n; k++) {
    const double std = t->x_std[k % t->n];

    r->x[k] = b->white[k];
    r->d[k] = (fm_real)(std * ((double)b->score[k] + (double)r->p[k]));
    r->p[k] = (fm_real)(std * (double)r->p[k]);
    r->g[k] = (fm_real)(std * (double)b->lik[k]);
  }
}

/* bar = J^T bar at b->white. */
static PetscErrorCode pull_back(block *b, fm_transport *t, const fm_real *theta, int64_t nb,
                                fm_real *bar) {
  PetscFunctionBegin;
  PetscCall(fm_transport_pull(t, theta, nb, b->white, NULL, b->again, bar));
  PetscFunctionReturn(0);
}

/* 1/2 |J^T d|^2, not finite where the sample failed. */
static void fisher(const block *b, int64_t nb, int64_t n, const fm_real *v, fm_trust_rows *r) {
  for (int64_t s = 0; s < nb; s++) {
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += (double)v[s * n + i] * (double)v[s * n + i] / 2;
    r->scalar[s * r->width] = b->ok[s] ? sum : (double)NAN;
  }
}

static PetscErrorCode run_block(block *b, fm_target *target, fm_transport *t,
                                const fm_real *theta, fm_rng rng, int64_t first, int64_t nb,
                                fm_trust_rows *r) {
  PetscFunctionBegin;
  PetscCall(draw(b, t, theta, rng, first, nb));
  PetscCall(PetscArraycpy(r->z, b->z, nb * t->n));
  PetscCall(energies(b, target, nb, r));
  neutralize(b, nb, t->n, r);
  PetscCall(fm_transport_score(t, theta, nb, b->user, b->logdet, b->score));
  whiten(b, t, nb, r);
  PetscCall(pull_back(b, t, theta, nb, r->g));
  PetscCall(PetscArraycpy(b->score, r->d, nb * t->n));
  PetscCall(pull_back(b, t, theta, nb, b->score));
  fisher(b, nb, t->n, b->score, r);
  PetscFunctionReturn(0);
}

static PetscErrorCode collect(MPI_Comm comm, int64_t n, int64_t mine, int64_t total,
                              fm_trust_rows *r) {
  const size_t row = (size_t)n * sizeof(fm_real);

  PetscFunctionBegin;
  PetscCall(fm_collect_rows(comm, (size_t)r->width * sizeof(double), mine, total, &r->scalar));
  PetscCall(fm_collect_rows(comm, row, mine, total, &r->z));
  PetscCall(fm_collect_rows(comm, row, mine, total, &r->x));
  PetscCall(fm_collect_rows(comm, row, mine, total, &r->d));
  PetscCall(fm_collect_rows(comm, row, mine, total, &r->p));
  PetscCall(fm_collect_rows(comm, row, mine, total, &r->g));
  PetscFunctionReturn(0);
}

/* Drop failed samples, in place, where the rows are. */
static void keep_good(int64_t total, int64_t n, fm_trust_rows *r) {
  const size_t row = (size_t)n * sizeof(fm_real);

  for (int64_t s = 0; s < total && r->scalar; s++) {
    const fm_trust_rows from = row_at(r, s, n), to = row_at(r, r->count, n);

    if (!isfinite(from.scalar[0])) continue;
    memmove(to.scalar, from.scalar, (size_t)r->width * sizeof(double));
    memmove(to.z, from.z, row);
    memmove(to.x, from.x, row);
    memmove(to.d, from.d, row);
    memmove(to.p, from.p, row);
    memmove(to.g, from.g, row);
    r->count++;
  }
}

static PetscErrorCode create(fm_target *target, int64_t mine, fm_trust_rows *r) {
  const size_t all = (size_t)(mine * target->n);
  PetscInt parts;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(target->op, &parts));
  *r = (fm_trust_rows){.width = 1 + parts};
  PetscCall(fm_calloc(mine * r->width, &r->scalar));
  PetscCall(PetscCalloc1(all, &r->z));
  PetscCall(PetscCalloc1(all, &r->x));
  PetscCall(PetscCalloc1(all, &r->d));
  PetscCall(PetscCalloc1(all, &r->p));
  PetscCall(PetscCalloc1(all, &r->g));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trust_rows_measure(fm_target *target, fm_transport *t, const fm_real *theta,
                                     const fm_trust_inputs *in, fm_trust_rows *r) {
  const int64_t most = fm_transport_block(t);
  int64_t first, mine;
  block b;

  PetscFunctionBegin;
  PetscCall(fm_comm_share_blocks(target->comm, in->latents, most, &first, &mine));
  PetscCall(create(target, mine, r));
  PetscCall(block_create(t->n, most, &b));
  PetscCall(fm_likelihood_split(target->energy[0], PETSC_TRUE));
  for (int64_t at = 0; at < mine; at += most) {
    fm_trust_rows here = row_at(r, at, t->n);

    PetscCall(run_block(&b, target, t, theta, (fm_rng){in->seed, FM_STREAM_EVALUATE},
                        first + at, PetscMin(most, mine - at), &here));
  }
  PetscCall(fm_likelihood_split(target->energy[0], PETSC_FALSE));
  PetscCall(block_destroy(&b));
  PetscCall(collect(target->comm->sample, t->n, mine, in->latents, r));
  keep_good(in->latents, t->n, r);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trust_rows_clear(fm_trust_rows *r) {
  PetscFunctionBegin;
  PetscCall(PetscFree(r->scalar));
  PetscCall(PetscFree(r->z));
  PetscCall(PetscFree(r->x));
  PetscCall(PetscFree(r->d));
  PetscCall(PetscFree(r->p));
  PetscCall(PetscFree(r->g));
  PetscFunctionReturn(0);
}
