/* The list of held-out models, and what it names. */
#include "calibrate.h"
#include "fathom/energy.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <stdio.h>

#define MOST (1 << 24) /* bytes of a list */

/* The file as text on every rank; *length -1: it cannot be read. */
static PetscErrorCode load(const fm_run *run, const char *path, char **text, int *length) {
  PetscMPIInt rank;

  PetscFunctionBegin;
  *length = -1;
  PetscCallMPI(MPI_Comm_rank(run->comm.world, &rank));
  PetscCall(PetscMalloc1(MOST, text));
  if (!rank) {
    FILE *file = fopen(path, "r");

    if (file) *length = (int)fread(*text, 1, MOST - 1, file);
    if (file && ferror(file)) *length = -1;
    if (file) fclose(file);
  }
  PetscCallMPI(MPI_Bcast(length, 1, MPI_INT, 0, run->comm.world));
  PetscCallMPI(MPI_Bcast(*text, PetscMax(0, *length), MPI_CHAR, 0, run->comm.world));
  (*text)[PetscMax(0, *length)] = 0;
  PetscFunctionReturn(0);
}

/* One line, ended by a zero; *words: how many it has. */
static void split(char *line, fm_held_out *h, int *words) {
  char more[2];

  line[strcspn(line, "#")] = 0;
  h->samples[0] = h->truth[0] = h->prior[0] = 0;
  *words = sscanf(line, "%4095s %4095s %4095s %1s", h->samples, h->truth, h->prior, more);
}

/* A model counts once. */
static PetscErrorCode not_again(const fm_run *run, const char *path, const fm_held_out *list,
                                int64_t last) {
  const fm_held_out *h = list + last;

  PetscFunctionBegin;
  for (int64_t i = 0; i < last; i++)
    fm_check(strcmp(list[i].samples, h->samples) || strcmp(list[i].truth, h->truth),
             run->comm.world, PETSC_ERR_USER,
             "line %lld of '%s' names samples and truth of line %lld again: each model counts "
             "once",
             (long long)h->line, path, (long long)list[i].line);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_calibrate_list(const fm_run *run, const char *path, int64_t *count,
                                 fm_held_out **list) {
  int length, words, lines = 1;
  char *text, *line;

  PetscFunctionBegin;
  PetscCall(load(run, path, &text, &length));
  fm_check(length >= 0, run->comm.world, PETSC_ERR_FILE_OPEN,
           "-calibrate: no list of models in '%s' that can be read", path);
  for (int k = 0; k < length; k++) lines += text[k] == '\n';
  PetscCall(fm_calloc(lines, list));
  *count = 0;
  line = text;
  for (int k = 1; k <= lines; k++) {
    char *next = line + strcspn(line, "\n") + 1;

    next[-1] = 0;
    split(line, &(*list)[*count], &words);
    line = next;
    if (words <= 0) continue;
    fm_check(words == 2 || words == 3, run->comm.world, PETSC_ERR_USER,
             "line %d of '%s' has %s: SAMPLES.h5:/x TRUTH.h5:/x[ROW] and at most a prior are "
             "expected",
             k, path, words == 1 ? "one word" : "more than three words");
    (*list)[*count].line = k;
    PetscCall(not_again(run, path, *list, (*count)++));
  }
  PetscCall(PetscFree(text));
  PetscFunctionReturn(0);
}

/* Rows and numbers of a row of what is in the file, before a ROW is taken. */
static PetscErrorCode shape_of(fm_store *store, const char *name, PetscBool single,
                               int64_t *rows, int64_t *n) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, name, &ndim, shape));
  *rows = ndim && !single ? shape[0] : 1;
  *n = 1;
  for (int d = single ? 0 : 1; d < ndim; d++) *n *= shape[d];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_calibrate_read(const fm_run *run, const fm_held_out *model, const char *text,
                                 PetscBool single, int64_t *rows, int64_t *n,
                                 double **numbers) {
  char copy[PETSC_MAX_PATH_LEN], file[PETSC_MAX_PATH_LEN];
  MPI_Comm world = run->comm.world;
  const char *name;
  int64_t row, size;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_split(world, text, file, &name));
  fm_check(name, world, PETSC_ERR_USER,
           "line %lld: '%s' names no dataset: write FILE:/dataset or FILE:/dataset[ROW]",
           (long long)model->line, text);
  PetscCall(PetscStrncpy(copy, name, sizeof(copy)));
  PetscCall(fm_store_open(world, file, &store));
  PetscCall(fm_store_split_row(world, store, copy, &row));
  PetscCall(shape_of(store, copy, single && row < 0 ? PETSC_TRUE : PETSC_FALSE, rows, &size));
  fm_check(row < *rows, world, PETSC_ERR_USER, "line %lld: '%s' has %lld rows, counted from 0",
           (long long)model->line, text, (long long)*rows);
  fm_check(!*n || size == *n, world, PETSC_ERR_USER,
           "line %lld: '%s' has %lld numbers where the samples have %lld unknowns",
           (long long)model->line, text, (long long)size, (long long)*n);
  *n = size;
  if (row >= 0) *rows = 1;
  PetscCall(PetscMalloc1((size_t)(*rows * size), numbers));
  if (row >= 0 || !single)
    PetscCall(fm_store_read_rows(store, copy, FM_FLOAT64, PetscMax(0, row), *rows, *numbers));
  else
    PetscCall(fm_store_read(store, copy, FM_FLOAT64, size, *numbers));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* ---- the prior ---- */

static PetscErrorCode draw(const fm_run *run, int64_t n, int64_t count, double **x) {
  const fm_energy_inputs inputs = {.comm = &run->comm, .n = n};
  fm_energy *prior;
  const char *name;
  fm_real *draws;

  PetscFunctionBegin;
  PetscCall(fm_option_text("prior", &name));
  fm_check(name[0], run->comm.world, PETSC_ERR_USER,
           "nothing to compare the CRPS with: give -prior and its options, or a third word on "
           "each line, PRIOR.h5:/x or MEAN/STD");
  PetscCall(fm_energy_create(name, &inputs, &prior));
  fm_check(fm_energy_size(prior) == n, run->comm.world, PETSC_ERR_USER,
           "prior %s has %lld unknowns, the samples have %lld", name,
           (long long)fm_energy_size(prior), (long long)n);
  fm_check(fm_energy_can_sample(prior), run->comm.world, PETSC_ERR_USER,
           "prior %s cannot be drawn from: give a third word on each line, PRIOR.h5:/x or "
           "MEAN/STD",
           name);
  PetscCall(PetscMalloc1((size_t)(count * n), &draws));
  PetscCall(PetscMalloc1((size_t)(count * n), x));
  PetscCall(fm_energy_sample(prior, (fm_rng){run->seed, FM_STREAM_MODEL}, 0, count, draws));
  for (int64_t k = 0; k < count * n; k++) (*x)[k] = (double)draws[k];
  PetscCall(PetscFree(draws));
  PetscCall(fm_energy_destroy(&prior));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_calibrate_prior(const fm_run *run, const fm_held_out *model, int64_t n,
                                  double **drawn, double **mine, fm_prior_samples *prior) {
  int64_t draws;
  char more[2];

  PetscFunctionBegin;
  *prior = (fm_prior_samples){0};
  *mine = NULL;
  if (sscanf(model->prior, "%lf/%lf%1s", &prior->mean, &prior->std, more) == 2) {
    fm_check(prior->std > 0, run->comm.world, PETSC_ERR_USER,
             "line %lld: the prior '%s' has no positive standard deviation",
             (long long)model->line, model->prior);
    PetscFunctionReturn(0);
  }
  if (model->prior[0]) {
    PetscCall(
        fm_calibrate_read(run, model, model->prior, PETSC_FALSE, &prior->count, &n, mine));
  } else {
    PetscCall(fm_option_integer_in("calibrate_prior_draws", 2, 1 << 24, &draws));
    if (!*drawn) PetscCall(draw(run, n, draws, drawn));
    prior->count = draws;
  }
  fm_check(prior->count >= 2, run->comm.world, PETSC_ERR_USER,
           "line %lld: the prior '%s' has one sample: two at least are needed",
           (long long)model->line, model->prior);
  prior->x = *mine ? *mine : *drawn;
  PetscFunctionReturn(0);
}
