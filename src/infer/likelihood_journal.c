#include "infer/likelihood_journal.h"
#include "fathom/options.h"
#include <ctype.h>
#include <sys/stat.h>

/* ---- hashes: to notice what differs, not to withstand anybody ---- */

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

uint64_t fm_recall_hash(uint64_t hash, const void *data, size_t bytes) {
  const char *at = (const char *)data;
  uint64_t word;

  for (size_t i = 0; i + sizeof(word) <= bytes; i += sizeof(word)) {
    memcpy(&word, at + i, sizeof(word));
    hash = mix(hash, word);
  }
  word = 0;
  memcpy(&word, at + bytes - bytes % sizeof(word), bytes % sizeof(word));
  return mix(mix(hash, word), (uint64_t)bytes);
}

static uint64_t hash_text(uint64_t hash, const char *text) {
  return fm_recall_hash(hash, text, strlen(text));
}

/* The options of the solver with this prefix, which no table declares one by one, as PETSc has
   them: in the order of their names. */
static PetscErrorCode hash_solver(const char *prefix, uint64_t *hash) {
  PetscBool inside = PETSC_FALSE;
  char *all;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetAll(NULL, &all));
  for (char *word = strtok(all, " "); word; word = strtok(NULL, " ")) {
    if (word[0] == '-' && isalpha((unsigned char)word[1]))
      inside = strncmp(word + 1, prefix, strlen(prefix)) ? PETSC_FALSE : PETSC_TRUE;
    if (inside) *hash = hash_text(*hash, word);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* Of a file that an option names: its length and when it was written. What is the same file
   with the same content, written anew, only costs its solves. */
static uint64_t hash_file(uint64_t hash, const char *text) {
  char path[PETSC_MAX_PATH_LEN];
  const char *end = strstr(text, ":/");
  const int length = (int)(end ? end - text : (long)strlen(text));
  struct stat status;

  if (length <= 0 || length >= (int)sizeof(path)) return hash;
  snprintf(path, sizeof(path), "%.*s", length, text);
  if (stat(path, &status)) return hash;
  hash = mix(hash, (uint64_t)status.st_size);
  return mix(mix(hash, (uint64_t)status.st_mtim.tv_sec), (uint64_t)status.st_mtim.tv_nsec);
}

/* Those that every command has do not reach a solve. */
static PetscErrorCode hash_option(const fm_option *option, void *context) {
  const size_t length = strlen(option->name);
  uint64_t *hash = (uint64_t *)context;
  const char *text;

  PetscFunctionBegin;
  if (!option->commands[0] || !fm_option_serves(option, "forward")) PetscFunctionReturn(0);
  if (option->name[length - 1] == '_') {
    PetscCall(hash_solver(option->name, hash));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_option_text(option->name, &text));
  *hash = hash_file(hash_text(hash_text(*hash, option->name), text), text);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_recall_attach(fm_recall *r, fm_journal *journal, MPI_Comm space,
                                MPI_Comm group, fm_operator *op) {
  PetscMPIInt size, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(space, &size));
  PetscCallMPI(MPI_Comm_rank(group, &rank));
  *r = (fm_recall){.journal = journal, .group = group, .first = !rank};
  r->run = hash_text(mix(1, (uint64_t)size), FM_VERSION " " FM_PRECISION);
  r->run = hash_text(r->run, fm_operator_describe(op));
  PetscCall(fm_options_visit(hash_option, &r->run));
  PetscFunctionReturn(0);
}

/* ---- solves ---- */

void fm_recall_begin(fm_recall *r, const fm_key *key, int64_t sample, int64_t n,
                     const fm_real *x, PetscBool wanted) {
  r->on = r->journal && key->seed && wanted ? PETSC_TRUE : PETSC_FALSE;
  if (!r->on) return;
  r->key =
      (fm_journal_key){.seed = *key->seed, .step = key->step, .sample = key->sample[sample]};
  r->model = fm_recall_hash(r->run, x, (size_t)n * sizeof(*x));
}

static void set_key(fm_recall *r, const fm_shots *shots, int64_t i) {
  r->key.index = (uint64_t)i;
  r->key.hash = mix(r->model, (uint64_t)shots->part[i]);
  if (shots->encoding)
    r->key.hash = fm_recall_hash(r->key.hash, shots->sign + i * shots->nparts,
                                 (size_t)shots->nparts * sizeof(*shots->sign));
}

PetscErrorCode fm_recall_take(fm_recall *r, const fm_shots *shots, int64_t i, int64_t n,
                              fm_exact *sum, double *adjoint, PetscBool *found) {
  fm_exact misfit = {0, 0};
  int has = 0;

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  if (!r->on) PetscFunctionReturn(0);
  set_key(r, shots, i);
  if (!fm_journal_count(r->journal).found) PetscFunctionReturn(0); /* the same on every rank */
  if (r->first) PetscCall(fm_journal_find(r->journal, &r->key, n, &misfit, adjoint, found));
  has = *found;
  PetscCallMPI(MPI_Bcast(&has, 1, MPI_INT, 0, r->group));
  *found = has ? PETSC_TRUE : PETSC_FALSE;
  if (!has) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Bcast(adjoint, (PetscMPIInt)n, MPI_DOUBLE, 0, r->group));
  sum->hi += misfit.hi;
  sum->lo += misfit.lo;
  r->taken += r->first;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_recall_keep(fm_recall *r, double seconds, int64_t n, fm_exact misfit,
                              const double *adjoint) {
  PetscFunctionBegin;
  if (!r->on) PetscFunctionReturn(0);
  PetscCall(fm_exact_reduce(&misfit, 1, r->group));
  if (r->first) PetscCall(fm_journal_keep(r->journal, &r->key, seconds, n, misfit, adjoint));
  PetscFunctionReturn(0);
}
