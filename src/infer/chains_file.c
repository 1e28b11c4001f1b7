/* The file that a run of chains goes on from:

   /            attributes chains_version, program, program_version, precision, command
   /chain/...  q, gradient, x, scale, mean, square [chains][n]; value, step, ... [chains]
   /tilt/log_c  [components], and what the chains have to say of them, where there is one
   /draws/x     [chains][kept][n] in the user's units; /draws/energy, log_weight [chains][kept]
   /ledger      as in a checkpoint; /state attributes iteration, kept, seed, settings of hmc
   /settings    the block of settings, text; /operator the operator's description */
#include "chains.h"
#include "fathom/log.h"
#include "fathom/store.h"
#include <math.h>

#define VERSION 1

static const char *const vector_name[] = {"/chain/q",     "/chain/gradient", "/chain/x",
                                          "/chain/scale", "/chain/mean",     "/chain/square"};
static const char *const scalar_name[] = {
    "/chain/value",       "/chain/step",        "/chain/mu",       "/chain/statistic",
    "/chain/log_average", "/chain/adapted",     "/chain/window",   "/chain/acceptance",
    "/chain/leapfrogs",   "/chain/divergences", "/chain/unsettled"};
static const char *const ledger_name[] = {"useful_F",     "useful_J",     "useful_JT",
                                          "diagnostic_F", "diagnostic_J", "diagnostic_JT"};
static const char *const spent_name[] = {"spent_F", "spent_J", "spent_JT"};

/* What must be the same in the job that goes on. */
typedef struct {
  const char *name;
  int64_t value;
} integer;
typedef struct {
  const char *name;
  double value;
} number;
enum { INTEGERS = 8, NUMBERS = 3 };

static void same_settings(const fm_sampler *s, integer i[INTEGERS], number x[NUMBERS]) {
  const fm_hmc *h = &s->in.hmc;
  const integer integers[] = {{"seed", (int64_t)h->seed},
                              {"chains", s->in.chains},
                              {"unknowns", s->n},
                              {"warmup", h->warmup},
                              {"tilt", h->tilt},
                              {"thin", s->in.thin},
                              {"leapfrog_steps", h->leapfrogs},
                              {"max_leapfrog_steps", h->most}};
  const number numbers[] = {{"target_accept", h->target_accept},
                            {"trajectory", h->trajectory},
                            {"jitter", h->jitter}};

  memcpy(i, integers, sizeof(integers));
  memcpy(x, numbers, sizeof(numbers));
}

/* ---- writing ---- */

static PetscErrorCode write_identity(const fm_sampler *s, fm_store *store) {
  integer i[INTEGERS];
  number x[NUMBERS];

  PetscFunctionBegin;
  same_settings(s, i, x);
  PetscCall(fm_store_set_integer(store, "/", "chains_version", VERSION));
  PetscCall(fm_store_set_text(store, "/", "program", "fathom"));
  PetscCall(fm_store_set_text(store, "/", "program_version", FM_VERSION));
  PetscCall(fm_store_set_text(store, "/", "precision", FM_PRECISION));
  PetscCall(fm_store_set_text(store, "/", "command", "reference"));
  PetscCall(fm_store_write_text(store, "/settings", s->in.settings));
  PetscCall(fm_store_write_text(store, "/operator", s->in.operator_text));
  PetscCall(fm_store_set_integer(store, "/state", "iteration", s->iteration));
  PetscCall(fm_store_set_integer(store, "/state", "kept", s->kept));
  for (int k = 0; k < INTEGERS; k++)
    PetscCall(fm_store_set_integer(store, "/state", i[k].name, i[k].value));
  for (int k = 0; k < NUMBERS; k++)
    PetscCall(fm_store_set_real(store, "/state", x[k].name, x[k].value));
  for (int k = 0; k < 6; k++)
    PetscCall(fm_store_set_integer(store, "/ledger", ledger_name[k], s->ledger[k]));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    PetscCall(fm_store_set_integer(store, "/ledger", spent_name[k], s->ledger_spent[k]));
  PetscFunctionReturn(0);
}

/* Entries [at, at + width) of all chains' states as one dataset. */
static PetscErrorCode write_states(const fm_sampler *s, const char *name, int64_t at,
                                   int64_t width, int ndim, fm_store *store) {
  const int64_t shape[] = {s->in.chains, width};
  double *mine, *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(s->count * width, &mine, s->in.chains * width, &all));
  for (int64_t c = 0; c < s->count; c++)
    PetscCall(PetscArraycpy(mine + c * width, s->chain[c].state + at, width));
  PetscCall(fm_sampler_collect(s, 0, MPI_DOUBLE, width, mine, all));
  PetscCall(fm_store_write(store, name, FM_FLOAT64, ndim, shape, all));
  PetscCall(PetscFree2(mine, all));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_tilt(const fm_sampler *s, fm_store *store) {
  const fm_tilt *t = s->tilt;

  PetscFunctionBegin;
  PetscCall(fm_store_write(store, "/tilt/log_c", FM_FLOAT64, 1, &t->count, t->log_c));
  PetscCall(write_states(s, "/chain/learnt", FM_CHAIN_SCALARS + FM_CHAIN_VECTORS * s->n,
                         2 * t->count, 2, store));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_draws(const fm_sampler *s, fm_store *store) {
  static const char *const name[] = {"/draws/energy", "/draws/log_weight"};
  const int64_t shape[] = {s->in.chains, s->kept, s->n};
  double *column;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(fm_sampler_gather_x(s, &x));
  PetscCall(fm_store_write(store, "/draws/x", FM_TYPE_REAL, 3, shape, x));
  PetscCall(PetscFree(x));
  PetscCall(fm_calloc(s->in.chains * s->kept, &column));
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_sampler_column(s, s->n + k, 0, column));
    PetscCall(fm_store_write(store, name[k], FM_FLOAT64, 2, shape, column));
  }
  PetscCall(PetscFree(column));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_save(const fm_sampler *s, const char *path, const fm_keep *keep) {
  const int64_t n = s->n;
  fm_writer *writer;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_create(s->in.comm->world, path, &store));
  PetscCall(write_identity(s, store));
  for (int v = 0; v < FM_CHAIN_VECTORS; v++)
    PetscCall(write_states(s, vector_name[v], FM_CHAIN_SCALARS + v * n, n, 2, store));
  for (int k = 0; k < FM_CHAIN_SCALARS; k++)
    PetscCall(write_states(s, scalar_name[k], k, 1, 1, store));
  if (s->tilt) PetscCall(write_tilt(s, store));
  if (s->kept) PetscCall(write_draws(s, store));
  PetscCall(fm_store_commit_begin(&store, keep, &writer));
  PetscCall(fm_writer_finish(&writer, NULL));
  PetscFunctionReturn(0);
}

/* ---- reading ---- */

static PetscErrorCode check_kind(const fm_sampler *s, fm_store *store, const char *path) {
  MPI_Comm world = s->in.comm->world;
  char precision[32] = "";
  int64_t version;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, "/chain", &has));
  fm_check(has, world, PETSC_ERR_USER,
           "'%s' is an HDF5 file without /chain: not from fathom reference", path);
  PetscCall(fm_store_get_integer(store, "/", "chains_version", &version));
  fm_check(version <= VERSION, world, PETSC_ERR_USER,
           "'%s' has version %lld of chains, this program reads up to %d: use a newer fathom",
           path, (long long)version, VERSION);
  PetscCall(fm_store_get_text(store, "/", "precision", precision, sizeof(precision)));
  fm_check(!strcmp(precision, FM_PRECISION), world, PETSC_ERR_USER,
           "cannot resume: precision was '%s' in '%s' and is '%s' now", precision, path,
           FM_PRECISION);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_settings(const fm_sampler *s, fm_store *store) {
  integer i[INTEGERS];
  number x[NUMBERS];

  PetscFunctionBegin;
  same_settings(s, i, x);
  for (int k = 0; k < INTEGERS; k++) {
    int64_t was;

    PetscCall(fm_store_get_integer(store, "/state", i[k].name, &was));
    fm_check(was == i[k].value, s->in.comm->world, PETSC_ERR_USER,
             "cannot resume: %s was %lld in the file and is %lld now (to change it, begin anew "
             "without -resume)",
             i[k].name, (long long)was, (long long)i[k].value);
  }
  for (int k = 0; k < NUMBERS; k++) {
    double was;

    PetscCall(fm_store_get_real(store, "/state", x[k].name, &was));
    fm_check(was == x[k].value, s->in.comm->world, PETSC_ERR_USER,
             "cannot resume: %s was %.6g in the file and is %.6g now (to change it, begin anew "
             "without -resume)",
             x[k].name, was, x[k].value);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_states(fm_sampler *s, const char *name, int64_t at, int64_t width,
                                  fm_store *store) {
  double *all;

  PetscFunctionBegin;
  PetscCall(fm_calloc(s->in.chains * width, &all));
  PetscCall(fm_store_read(store, name, FM_FLOAT64, s->in.chains * width, all));
  for (int64_t c = 0; c < s->count; c++)
    PetscCall(PetscArraycpy(s->chain[c].state + at, all + (s->first + c) * width, width));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_tilt(fm_sampler *s, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(fm_store_read(store, "/tilt/log_c", FM_FLOAT64, s->tilt->count, s->tilt->log_c));
  PetscCall(read_states(s, "/chain/learnt", FM_CHAIN_SCALARS + FM_CHAIN_VECTORS * s->n,
                        2 * s->tilt->count, store));
  PetscFunctionReturn(0);
}

/* Chain by chain, so that no rank holds all draws. */
static PetscErrorCode read_draws(fm_sampler *s, fm_store *store) {
  const int64_t width = s->kept * s->n, most = s->in.iterations;
  double *energy, *weight;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(width, &x, s->kept, &energy, s->kept, &weight));
  for (int64_t k = 0; k < s->in.chains; k++) {
    const int64_t c = k - s->first;

    PetscCall(fm_store_read_rows(store, "/draws/x", FM_TYPE_REAL, k, 1, x));
    PetscCall(fm_store_read_rows(store, "/draws/energy", FM_FLOAT64, k, 1, energy));
    PetscCall(fm_store_read_rows(store, "/draws/log_weight", FM_FLOAT64, k, 1, weight));
    if (c < 0 || c >= s->count) continue;
    PetscCall(PetscArraycpy(s->x + c * most * s->n, x, width));
    PetscCall(PetscArraycpy(s->energy + c * most, energy, s->kept));
    PetscCall(PetscArraycpy(s->log_weight + c * most, weight, s->kept));
  }
  PetscCall(PetscFree3(x, energy, weight));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_counts(fm_sampler *s, fm_store *store, const char *path) {
  PetscFunctionBegin;
  PetscCall(fm_store_get_integer(store, "/state", "iteration", &s->iteration));
  PetscCall(fm_store_get_integer(store, "/state", "kept", &s->kept));
  fm_check(s->kept <= s->in.iterations, s->in.comm->world, PETSC_ERR_USER,
           "cannot resume: '%s' has %lld draws a chain already, more than -iterations %lld",
           path, (long long)s->kept, (long long)s->in.iterations);
  for (int k = 0; k < 6; k++)
    PetscCall(fm_store_get_integer(store, "/ledger", ledger_name[k], &s->before[k]));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    PetscCall(fm_store_get_integer(store, "/ledger", spent_name[k], &s->spent_before[k]));
  PetscFunctionReturn(0);
}

/* Is the posterior the same? U at the chains' points anew. */
static PetscErrorCode check_posterior(fm_sampler *s) {
  fm_potential *p = s->in.potential;
  double worst = 0., now, all;
  fm_purpose purpose;

  PetscFunctionBegin;
  if (s->in.op) PetscCall(fm_operator_set_purpose(s->in.op, FM_DIAGNOSTIC, &purpose));
  for (int64_t c = 0; c < s->count; c++) {
    fm_chain *chain = &s->chain[c];
    const uint64_t sample = (uint64_t)chain->index;
    const double was = fm_chain_scalars(chain)[FM_CHAIN_VALUE];
    PetscBool ok;

    PetscCall(p->evaluate(p->context, (fm_key){.step = 0, .sample = &sample},
                          fm_chain_vector(chain, FM_CHAIN_Q), &now, chain->work, chain->x,
                          &ok));
    worst = PetscMax(worst, ok ? fabs(now - was) / (1. + fabs(was)) : INFINITY);
  }
  if (s->in.op) PetscCall(fm_operator_set_purpose(s->in.op, purpose, NULL));
  PetscCallMPI(MPI_Allreduce(&worst, &all, 1, MPI_DOUBLE, MPI_MAX, s->in.comm->world));
  fm_check(all <= 1e3 * FM_EPSILON, s->in.comm->world, PETSC_ERR_USER,
           "cannot resume: -log p at the chains' points has changed by a factor of 1 + %.3g: "
           "operator, data, noise, prior or flow are not those of the file",
           all);
  if (all > 0.)
    fm_warn("-log p at the chains' points differs in its last bits (another CPU or library?): "
            "the continuation may, too");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(fm_sampler *s, fm_store *store, const char *path) {
  const int64_t n = s->n;

  PetscFunctionBegin;
  PetscCall(check_kind(s, store, path));
  PetscCall(check_settings(s, store));
  PetscCall(read_counts(s, store, path));
  for (int v = 0; v < FM_CHAIN_VECTORS; v++)
    PetscCall(read_states(s, vector_name[v], FM_CHAIN_SCALARS + v * n, n, store));
  for (int k = 0; k < FM_CHAIN_SCALARS; k++)
    PetscCall(read_states(s, scalar_name[k], k, 1, store));
  if (s->tilt) PetscCall(read_tilt(s, store));
  if (s->kept) PetscCall(read_draws(s, store));
  PetscCall(check_posterior(s));
  PetscCall(fm_sampler_count(s));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sampler_resume(fm_sampler *s, const char *path) {
  PetscErrorCode error;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_open(s->in.comm->world, path, &store));
  error = read_all(s, store, path);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}
