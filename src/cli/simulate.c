/* simulate - pairs (x, y): x from the prior or from a file, y = F(x) + e; e is P e where the
   operator's data lie in a subspace. With -condition migration the pairs hold what the flow
   sees of y in its place. */
#include "cli/discrepancy.h"
#include "cli/models.h"
#include "cli/priors.h"
#include "cli/solves.h"
#include "fathom/conditioning.h"
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define MOST_BLOCK 256        /* pairs written at once by a rank, */
#define BLOCK_NUMBERS 8388608 /* and numbers in them */
#define MOST_KEPT 32          /* and of those whose data are kept for a migration */

#define MOST_INDEX ((int64_t)1 << 42) /* rng.h names fewer than 2^44 draws */

#define TO_DO                                                                                  \
  "; every model must have a solve: give the operator a bounded unknown, or the prior a "      \
  "smaller spread"

typedef struct {
  fm_run *run;
  fm_operator *op;
  fm_energy *prior;              /* NULL: */
  fm_store *models;              /* this rank's, of a file */
  PetscBool physical;            /* that are not unknowns */
  const char *name;              /* its dataset */
  fm_conditioning *conditioning; /* NULL: pairs hold the data */
  int64_t n, m, nseen, first, count, block;
  fm_models models_of; /* nodes 0: not to be written */
  double scale;        /* that the models of the file were divided by; 0: not said */
  double *sigma, *d, *noise;
  fm_discrepancy *discrepancy; /* NULL: none */
  double *data, *seen;         /* [block][m] and [block][nseen] of a conditioning */
  fm_real *x, *y, *e;
  fm_store *store;
} simulation;

/* ---- where x comes from ---- */

static PetscErrorCode open_prior(simulation *s) {
  const fm_comm *comm = &s->run->comm;
  const char *prior;

  PetscFunctionBegin;
  PetscCall(fm_option_text("prior", &prior));
  fm_check(prior[0], comm->world, PETSC_ERR_USER,
           "simulate needs models: give -prior NAME or -models FILE:/dataset");
  PetscCall(
      fm_energy_create(prior, &(fm_energy_inputs){comm, s->n, s->op, 0, NULL}, &s->prior));
  fm_check(fm_energy_size(s->prior) == s->n, comm->world, PETSC_ERR_USER,
           "prior %s has %lld unknowns where the operator takes %lld", prior,
           (long long)fm_energy_size(s->prior), (long long)s->n);
  PetscCall(fm_option_integer_in("pairs_count", 1, MOST_INDEX, &s->count));
  PetscFunctionReturn(0);
}

/* A row is n numbers, or of a physical model the nodes; a grid is that of the operator. */
static PetscErrorCode check_models(simulation *s, const char *text, int ndim,
                                   const int64_t *shape) {
  const fm_model_grid grid = fm_operator_model_grid(s->op);
  const int64_t n = s->physical ? grid.rows * grid.columns : s->n;
  int64_t rows, columns, row = 1;

  PetscFunctionBegin;
  for (int d = 1; d < ndim; d++) row *= shape[d];
  fm_check(n, s->run->comm.world, PETSC_ERR_USER,
           "-models_physical: the unknown of %s is all there is", fm_operator_describe(s->op));
  fm_check(ndim >= 2 && row == n, s->run->comm.world, PETSC_ERR_USER,
           "-models %s has rows of %lld numbers; the operator %s takes %lld %s", text,
           (long long)row, fm_operator_describe(s->op), (long long)n,
           s->physical ? "nodes" : "unknowns");
  fm_operator_grid(s->op, &rows, &columns);
  if (s->physical) {
    rows = grid.rows;
    columns = grid.columns;
  }
  fm_check(!rows || ndim == 2 || (shape[ndim - 2] == rows && shape[ndim - 1] == columns),
           s->run->comm.world, PETSC_ERR_USER,
           "the last dimensions of -models %s are [%lld][%lld]: a model of the operator %s is "
           "[%lld][%lld], or a row of %lld numbers",
           text, (long long)shape[ndim - 2], (long long)shape[ndim - 1],
           fm_operator_describe(s->op), (long long)rows, (long long)columns, (long long)n);
  PetscFunctionReturn(0);
}

/* The rows that are asked for, of `rows`. */
static PetscErrorCode choose_rows(simulation *s, const char *text, int64_t rows) {
  PetscBool given;

  PetscFunctionBegin;
  fm_check(s->first < rows, s->run->comm.world, PETSC_ERR_USER,
           "-pairs_first %lld is behind the last of the %lld rows of -models %s",
           (long long)s->first, (long long)rows, text);
  PetscCall(fm_option_given("pairs_count", &given));
  if (given)
    PetscCall(fm_option_integer_in("pairs_count", 1, MOST_INDEX, &s->count));
  else
    s->count = rows - s->first;
  fm_check(s->count <= rows - s->first, s->run->comm.world, PETSC_ERR_USER,
           "-pairs_count %lld from row %lld on: -models %s has %lld rows", (long long)s->count,
           (long long)s->first, text, (long long)rows);
  PetscFunctionReturn(0);
}

/* Each rank reads rows of its own: the shape is agreed, then each has its own store. */
static PetscErrorCode open_models(simulation *s, const char *text) {
  MPI_Comm world = s->run->comm.world;
  int64_t shape[FM_STORE_NDIM] = {0};
  char path[PETSC_MAX_PATH_LEN];
  PetscBool scaled;
  fm_store *store;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_split(world, text, path, &s->name));
  fm_check(s->name, world, PETSC_ERR_USER,
           "simulate takes -models FILE:/dataset [count][...], not '%s'", text);
  fm_check(!strchr(s->name, '['), world, PETSC_ERR_USER,
           "simulate takes -models FILE:/dataset, not the row '%s': -pairs_first ROW "
           "-pairs_count 1 takes one row",
           s->name);
  PetscCall(fm_store_open(world, path, &store));
  PetscCall(fm_store_shape(store, s->name, &ndim, shape));
  PetscCall(fm_store_has_attribute(store, s->name, "scale", &scaled));
  if (scaled) PetscCall(fm_store_get_real(store, s->name, "scale", &s->scale));
  PetscCall(fm_store_close(&store));
  PetscCall(fm_option_flag("models_physical", &s->physical));
  PetscCall(check_models(s, text, ndim, shape));
  PetscCall(choose_rows(s, text, shape[0]));
  PetscCall(fm_store_open(PETSC_COMM_SELF, path, &s->models));
  PetscFunctionReturn(0);
}

/* nb rows of the file: unknowns, or models that become such. */
static PetscErrorCode read_models(simulation *s, int64_t first, int64_t nb) {
  const fm_model_grid grid = fm_operator_model_grid(s->op);
  const int64_t nodes = grid.rows * grid.columns;
  double *model, *x;

  PetscFunctionBegin;
  if (!s->physical) {
    PetscCall(fm_store_read_rows(s->models, s->name, FM_TYPE_REAL, first, nb, s->x));
    PetscFunctionReturn(0);
  }
  PetscCall(PetscMalloc2(nb * nodes, &model, s->n, &x));
  PetscCall(fm_store_read_rows(s->models, s->name, FM_FLOAT64, first, nb, model));
  for (int64_t i = 0; i < nb; i++) {
    PetscCall(fm_operator_unknown(s->op, model + i * nodes, x));
    for (int64_t k = 0; k < s->n; k++) s->x[i * s->n + k] = (fm_real)x[k];
  }
  PetscCall(PetscFree2(model, x));
  PetscFunctionReturn(0);
}

/* x of the pairs first, first+1, ...; reason: a sentence where a model is not finite. */
static PetscErrorCode fill_models(simulation *s, int64_t first, int64_t nb, char *reason,
                                  size_t size) {
  PetscFunctionBegin;
  if (s->prior)
    PetscCall(
        fm_energy_sample(s->prior, (fm_rng){s->run->seed, FM_STREAM_MODEL}, first, nb, s->x));
  else
    PetscCall(read_models(s, first, nb));
  for (int64_t i = 0; i < nb * s->n && !s->prior && !reason[0]; i++)
    if (!isfinite(s->x[i]))
      PetscCall(PetscSNPrintf(reason, size, "row %lld of -models is not finite at entry %lld",
                              (long long)(first + i / s->n), (long long)(i % s->n)));
  PetscFunctionReturn(0);
}

/* ---- pairs ---- */

static PetscErrorCode allocate(simulation *s) {
  const int64_t kept = s->conditioning ? 1 : 0; /* data of a whole block? */

  PetscFunctionBegin;
  s->nseen = kept ? fm_conditioning_size(s->conditioning) : s->m;
  s->block = PetscMax(1, PetscMin(MOST_BLOCK, BLOCK_NUMBERS / (s->n + s->m)));
  if (kept) s->block = PetscMin(s->block, MOST_KEPT);
  PetscCall(PetscMalloc6(s->m, &s->sigma, s->m, &s->d, s->m, &s->noise, s->block * s->n, &s->x,
                         s->block * s->nseen, &s->y, s->m, &s->e));
  PetscCall(
      PetscMalloc2(kept * s->block * s->m, &s->data, kept * s->block * s->nseen, &s->seen));
  PetscCall(fm_likelihood_noise_of(s->run->comm.world, s->op, s->sigma));
  PetscCall(fm_discrepancy_create(s->run, s->m, s->sigma, &s->discrepancy));
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare(simulation *s) {
  const fm_comm *comm = &s->run->comm;
  const char *op, *models;
  PetscBool wanted;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_text("models", &models));
  PetscCall(fm_option_integer_in("pairs_first", 0, MOST_INDEX, &s->first));
  PetscCall(fm_run_not_over(s->run, "pairs.h5", "models"));
  fm_check(op[0], comm->world, PETSC_ERR_USER,
           "simulate needs -operator NAME (fathom help operators)");
  PetscCall(fm_operator_create(comm->space, op, &s->op));
  PetscCall(fm_operator_sizes(s->op, &s->n, &s->m));
  if (models[0])
    PetscCall(open_models(s, models));
  else
    PetscCall(open_prior(s));
  PetscCall(fm_conditioning_create(comm->world, s->op, &s->conditioning));
  PetscCall(allocate(s));
  PetscCall(fm_option_flag("pairs_model", &wanted));
  s->models_of = (fm_models){s->run, s->op, fm_operator_model_grid(s->op), s->n, 0};
  if (wanted) s->models_of.nodes = s->models_of.grid.rows * s->models_of.grid.columns;
  fm_check(!wanted || s->models_of.nodes, comm->world, PETSC_ERR_USER,
           "-pairs_model: the unknown of %s is all there is", fm_operator_describe(s->op));
  PetscFunctionReturn(0);
}

/* y of one model, in s->d. reason: a sentence where the solve fails, else as it was. */
static PetscErrorCode one_datum(simulation *s, int64_t index, const fm_real *x, char *reason,
                                size_t size) {
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
  for (int64_t i = 0; i < s->m; i++) s->noise[i] = s->sigma[i] * (double)s->e[i];
  fm_discrepancy_add(s->discrepancy, s->run->seed, index, s->noise);
  PetscCall(fm_operator_restrict(s->op, s->noise));
  for (int64_t i = 0; i < s->m; i++) s->d[i] += s->noise[i];
  PetscFunctionReturn(0);
}

/* Numbers of the pair that are not finite: too large for fm_real. */
static PetscErrorCode check_pair(const simulation *s, int64_t index, const fm_real *x,
                                 const fm_real *y, char *reason, size_t size) {
  int64_t bad_x = 0, bad_y = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < s->n; i++) bad_x += !isfinite(x[i]);
  for (int64_t i = 0; i < s->nseen; i++) bad_y += !isfinite(y[i]);
  if (bad_x || bad_y)
    PetscCall(PetscSNPrintf(
        reason, size,
        "pair %lld is not finite in %lld of %lld numbers of x and %lld of %lld of y: beyond "
        "what %s holds (%s); the std of the prior or -noise_std is too large",
        (long long)index, (long long)bad_x, (long long)s->n, (long long)bad_y,
        (long long)s->nseen, FM_PRECISION, sizeof(fm_real) == 4 ? "3.4e38" : "1.8e308"));
  PetscFunctionReturn(0);
}

/* y of one model to row i of the block: as it is, or for what the flow sees of it. */
static PetscErrorCode one_row(simulation *s, int64_t index, int64_t i, char *reason,
                              size_t size) {
  const fm_real *x = s->x + i * s->n;
  fm_real *y = s->y + i * s->nseen;

  PetscFunctionBegin;
  PetscCall(one_datum(s, index, x, reason, size));
  if (reason[0]) PetscFunctionReturn(0);
  if (s->conditioning)
    PetscCall(PetscArraycpy(s->data + i * s->m, s->d, s->m));
  else
    for (int64_t k = 0; k < s->m; k++) y[k] = (fm_real)s->d[k];
  if (!s->conditioning) PetscCall(check_pair(s, index, x, y, reason, size));
  PetscFunctionReturn(0);
}

/* What the flow sees of the block's data. */
static PetscErrorCode see(simulation *s, int64_t first, int64_t nb, char *reason, size_t size) {
  PetscFunctionBegin;
  PetscCall(fm_conditioning_apply(s->conditioning, nb, s->data, s->seen));
  for (int64_t i = 0; i < nb && !reason[0]; i++) {
    fm_real *y = s->y + i * s->nseen;

    for (int64_t k = 0; k < s->nseen; k++) y[k] = (fm_real)s->seen[i * s->nseen + k];
    PetscCall(check_pair(s, first + i, s->x + i * s->n, y, reason, size));
  }
  PetscFunctionReturn(0);
}

/* nb pairs of mine; all ranks take `most` steps together: where one fails, all know at once. */
static PetscErrorCode one_block(simulation *s, int64_t first, int64_t nb, int64_t most) {
  char reason[512] = "";

  PetscFunctionBegin;
  if (nb) PetscCall(fill_models(s, first, nb, reason, sizeof(reason)));
  for (int64_t i = 0; i < most; i++) {
    if (i < nb && !reason[0]) PetscCall(one_row(s, first + i, i, reason, sizeof(reason)));
    PetscCall(fm_run_agree(s->run, first + i, reason));
  }
  if (!s->conditioning) PetscFunctionReturn(0);
  if (nb) PetscCall(see(s, first, nb, reason, sizeof(reason)));
  PetscCall(fm_run_agree(s->run, first, reason));
  PetscFunctionReturn(0);
}

/* What the unknowns mean. */
static PetscErrorCode write_models(simulation *s, int64_t row, int64_t nb, int64_t writer) {
  fm_real *model;

  PetscFunctionBegin;
  PetscCall(fm_models_of(&s->models_of, nb, s->x, &model));
  PetscCall(fm_store_write_rows(s->store, "/model", row, nb * writer, model));
  PetscCall(PetscFree(model));
  PetscFunctionReturn(0);
}

/* Rank 0 has as many rows as any other, or more. */
static void report(const simulation *s, double begin, int64_t made, int64_t most) {
  const double part = (double)made / (double)most, spent = MPI_Wtime() - begin;

  fm_progress(10, PETSC_FALSE, "%lld of %lld pairs, %.0f s left",
              (long long)(part * (double)s->count), (long long)s->count, spent / part - spent);
}

/* My rows, block by block; every rank makes as many collective writes as the one with the most
   rows. Only the first rank of a space communicator writes. */
static PetscErrorCode write_rows(simulation *s) {
  const double begin = MPI_Wtime();
  int64_t first, count, most, writer;
  PetscMPIInt space;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&s->run->comm, s->count, &first, &count));
  PetscCallMPI(MPI_Allreduce(&count, &most, 1, MPI_INT64_T, MPI_MAX, s->run->comm.world));
  PetscCallMPI(MPI_Comm_rank(s->run->comm.space, &space));
  writer = space ? 0 : 1;
  for (int64_t at = 0; at < most; at += s->block) {
    const int64_t nb = PetscMax(0, PetscMin(s->block, count - at));
    const int64_t row = first + PetscMin(at, count);

    PetscCall(one_block(s, s->first + first + at, nb, PetscMin(s->block, most - at)));
    PetscCall(fm_store_write_rows(s->store, "/x", row, nb * writer, s->x));
    PetscCall(fm_store_write_rows(s->store, "/y", row, nb * writer, s->y));
    if (s->models_of.nodes) PetscCall(write_models(s, row, nb, writer));
    report(s, begin, PetscMin(at + s->block, most), most);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode describe_models(const simulation *s) {
  const fm_model_grid grid = s->models_of.grid;

  PetscFunctionBegin;
  PetscCall(fm_store_set_text(s->store, "/model", "unit", grid.unit));
  PetscCall(fm_store_set_real(s->store, "/model", "spacing_z", grid.spacing[0]));
  PetscCall(fm_store_set_real(s->store, "/model", "spacing_x", grid.spacing[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(simulation *s) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_text(s->store, "/", "settings", s->run->settings));
  PetscCall(fm_store_set_text(s->store, "/", "operator", fm_operator_describe(s->op)));
  PetscCall(fm_prior_note(s->store, s->prior, s->models, s->name, s->op));
  if (s->scale > 0) PetscCall(fm_store_set_real(s->store, "/x", "scale", s->scale));
  if (s->models_of.nodes) PetscCall(describe_models(s));
  PetscCall(write_rows(s));
  PetscFunctionReturn(0);
}

/* A row of x and one of y: images of one channel where the data are an image, else vectors. */
static void describe_rows(const simulation *s, fm_field field[3]) {
  int64_t x[2], y[2];

  fm_operator_grid(s->op, &x[0], &x[1]);
  fm_operator_data_grid(s->op, &y[0], &y[1]);
  if (s->conditioning) fm_operator_grid(s->op, &y[0], &y[1]);
  field[0] = (fm_field){"/x", FM_TYPE_REAL, 1, {s->n}};
  field[1] = (fm_field){"/y", FM_TYPE_REAL, 1, {s->nseen}};
  field[2] = (fm_field){
      "/model", FM_TYPE_REAL, 2, {s->models_of.grid.rows, s->models_of.grid.columns}};
  if (!x[0] || !y[0]) return;
  field[0] = (fm_field){"/x", FM_TYPE_REAL, 3, {1, x[0], x[1]}};
  field[1] = (fm_field){"/y", FM_TYPE_REAL, 3, {1, y[0], y[1]}};
}

static PetscErrorCode write_pairs(simulation *s) {
  char path[PETSC_MAX_PATH_LEN];
  PetscErrorCode error;
  fm_field field[3];

  PetscFunctionBegin;
  describe_rows(s, field);
  PetscCall(fm_run_path(s->run, "pairs.h5", path));
  PetscCall(fm_store_create_rows(s->run->comm.world, path, s->models_of.nodes ? 3 : 2, field,
                                 s->count, &s->store));
  error = fill(s);
  if (error) PetscCall(fm_store_close(&s->store)); /* and its file is gone */
  PetscCall(error);
  PetscCall(fm_store_commit(&s->store, NULL));
  fm_log("wrote %lld pairs to '%s'", (long long)s->count, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_simulate(fm_run *run) {
  static const char *const names[] = {"solves_F", "solves_J", "solves_JT"};
  simulation s = {.run = run};
  fm_ledger solves;

  PetscFunctionBegin;
  PetscCall(prepare(&s));
  PetscCall(write_pairs(&s));
  PetscCall(fm_result(run->results, "pairs", (double)s.count, "1"));
  PetscCall(fm_run_solves(run, s.op, &solves));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    if (k == FM_SOLVE_F || s.conditioning)
      PetscCall(
          fm_result(run->results, names[k], (double)solves.count[FM_USEFUL][k], "solves"));
  PetscCall(PetscFree6(s.sigma, s.d, s.noise, s.x, s.y, s.e));
  PetscCall(PetscFree2(s.data, s.seen));
  PetscCall(fm_discrepancy_destroy(&s.discrepancy));
  PetscCall(fm_conditioning_destroy(&s.conditioning));
  if (s.prior) PetscCall(fm_energy_destroy(&s.prior));
  if (s.models) PetscCall(fm_store_close(&s.models));
  PetscCall(fm_operator_destroy(&s.op));
  PetscFunctionReturn(0);
}
