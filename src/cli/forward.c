/* forward - d = F(x) of given models; with -gradient the misfit to the observed data and its
   gradient. */
#include "fathom/command.h"
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include "fathom/log.h"
#include "fathom/options.h"

typedef struct {
  fm_run *run;
  fm_operator *op;
  fm_energy *likelihood; /* NULL: data only */
  double *models, *y, *misfit;
  int64_t n, m, count, first, mine;
  fm_real *x, *data, *gradient;
} forwarding;

/* Models that are no rows of numbers but grids must be the operator's: [..][rows][columns]. */
static PetscErrorCode check_grid(forwarding *f, int ndim, const int64_t *shape) {
  int64_t rows, columns;

  PetscFunctionBegin;
  fm_operator_grid(f->op, &rows, &columns);
  if (!rows || ndim < 2 || (ndim == 2 && shape[1] == f->n)) PetscFunctionReturn(0);
  fm_check(shape[ndim - 2] == rows && shape[ndim - 1] == columns, f->run->comm.world,
           PETSC_ERR_USER,
           "the last dimensions of -models are [%lld][%lld]: a model of the operator %s is "
           "[%lld][%lld], or a row of %lld numbers",
           (long long)shape[ndim - 2], (long long)shape[ndim - 1], fm_operator_describe(f->op),
           (long long)rows, (long long)columns, (long long)f->n);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_models(forwarding *f) {
  int64_t shape[FM_STORE_NDIM], total = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(f->run->comm.world, "models", &ndim, shape, &f->models));
  for (int d = 0; d < ndim; d++) total *= shape[d];
  fm_check(total, f->run->comm.world, PETSC_ERR_USER,
           "-models has no rows: its shape is [%lld]%s, expected one [%lld] a model",
           (long long)shape[0], ndim > 1 ? "[...]" : "", (long long)f->n);
  fm_check(f->models, f->run->comm.world, PETSC_ERR_USER,
           "no models: give -models FILE:/dataset or -models x1,x2,...");
  f->count = total / f->n;
  fm_check(f->count >= 1 && total == f->count * f->n &&
               (ndim == 1 || f->count == 1 || shape[0] == f->count),
           f->run->comm.world, PETSC_ERR_USER,
           "-models has %lld numbers in rows of %lld; the operator %s takes %lld unknowns",
           (long long)total, (long long)(ndim > 1 ? total / shape[0] : total),
           fm_operator_describe(f->op), (long long)f->n);
  PetscCall(check_grid(f, ndim, shape));
  PetscFunctionReturn(0);
}

/* The misfit is 1/2 sum r^2 / sigma^2: -log likelihood less its normaliser. */
static PetscErrorCode prepare_misfit(forwarding *f) {
  int64_t shape[FM_STORE_NDIM], count = 1;
  fm_shape image = {1, {0, 0, 1}};
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(f->run->comm.world, "observed", &ndim, shape, &f->y));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(f->y && count == f->m, f->run->comm.world, PETSC_ERR_USER,
           "-gradient needs -observed with %lld data, got %lld", (long long)f->m,
           (long long)(f->y ? count : 0));
  fm_operator_data_grid(f->op, &image.n[0], &image.n[1]);
  PetscCall(fm_run_image_fits(f->run, "observed", ndim, shape, image));
  PetscCall(fm_operator_restrict(f->op, f->y));
  PetscCall(fm_energy_create("likelihood",
                             &(fm_energy_inputs){&f->run->comm, f->n, f->op, f->m, f->y},
                             &f->likelihood));
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare(forwarding *f) {
  PetscBool gradient;
  const char *op;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_flag("gradient", &gradient));
  PetscCall(fm_run_not_over(f->run, "data.h5", "models"));
  PetscCall(fm_run_not_over(f->run, "data.h5", "observed"));
  fm_check(op[0], f->run->comm.world, PETSC_ERR_USER,
           "no operator: give -operator NAME (fathom help operators)");
  PetscCall(fm_operator_create(f->run->comm.space, op, &f->op));
  PetscCall(fm_operator_sizes(f->op, &f->n, &f->m));
  PetscCall(read_models(f));
  if (gradient) PetscCall(prepare_misfit(f));
  PetscCall(fm_comm_share(&f->run->comm, f->count, &f->first, &f->mine));
  PetscCall(PetscCalloc4(f->mine * f->n, &f->x, f->mine * f->m, &f->data, f->mine, &f->misfit,
                         f->mine * f->n, &f->gradient));
  for (int64_t i = 0; i < f->mine * f->n; i++)
    f->x[i] = (fm_real)f->models[f->first * f->n + i];
  PetscFunctionReturn(0);
}

/* Model i of mine: data, misfit and gradient. reason: a sentence where that cannot be, else
   as it was. */
static PetscErrorCode run_one(forwarding *f, int64_t i, double *d, char *reason, size_t size) {
  const uint64_t sample = (uint64_t)(f->first + i);
  PetscBool ok = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(fm_operator_forward(f->op, f->x + i * f->n, d, &ok));
  if (!ok) {
    PetscCall(PetscSNPrintf(reason, size, "the solve for model %lld failed%s%s",
                            (long long)sample, fm_operator_reason(f->op)[0] ? ": " : "",
                            fm_operator_reason(f->op)));
    PetscFunctionReturn(0);
  }
  for (int64_t k = 0; k < f->m; k++) f->data[i * f->m + k] = (fm_real)d[k];
  if (!f->likelihood) PetscFunctionReturn(0);
  PetscCall(fm_energy_evaluate(f->likelihood, (fm_key){0, &sample, NULL}, 1, f->x + i * f->n,
                               f->misfit + i, f->gradient + i * f->n, &ok));
  if (!ok)
    PetscCall(PetscSNPrintf(
        reason, size,
        "the misfit of model %lld is not finite or too large: check -noise_std and the units",
        (long long)sample));
  f->misfit[i] -= fm_likelihood_normaliser(f->likelihood);
  PetscFunctionReturn(0);
}

/* Model by model, all ranks in step: where one fails, all know at once. */
static PetscErrorCode run_all(forwarding *f) {
  char reason[512] = "";
  int64_t most;
  double *d;

  PetscFunctionBegin;
  PetscCall(fm_calloc(f->m, &d));
  PetscCallMPI(MPI_Allreduce(&f->mine, &most, 1, MPI_INT64_T, MPI_MAX, f->run->comm.world));
  for (int64_t i = 0; i < most; i++) {
    if (i < f->mine) PetscCall(run_one(f, i, d, reason, sizeof(reason)));
    PetscCall(fm_run_agree(f->run, f->first + i, reason));
  }
  PetscCall(PetscFree(d));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_data(forwarding *f) {
  const fm_field field[] = {{"/y", FM_TYPE_REAL, 1, {f->m}},
                            {"/misfit", FM_FLOAT64, 0, {0}},
                            {"/gradient", FM_TYPE_REAL, 1, {f->n}}};
  char path[PETSC_MAX_PATH_LEN];
  PetscMPIInt space;
  fm_store *store;
  int64_t mine;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(f->run->comm.space, &space));
  mine = space ? 0 : f->mine;
  PetscCall(fm_run_path(f->run, "data.h5", path));
  PetscCall(fm_store_create_rows(f->run->comm.world, path, f->likelihood ? 3 : 1, field,
                                 f->count, &store));
  PetscCall(fm_store_set_text(store, "/", "settings", f->run->settings));
  PetscCall(fm_store_write_rows(store, "/y", f->first, mine, f->data));
  if (f->likelihood)
    PetscCall(fm_store_write_rows(store, "/misfit", f->first, mine, f->misfit));
  if (f->likelihood)
    PetscCall(fm_store_write_rows(store, "/gradient", f->first, mine, f->gradient));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote the data of %lld models to '%s'", (long long)f->count, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode report(forwarding *f) {
  fm_exact sum = {0, 0};

  PetscFunctionBegin;
  PetscCall(fm_result(f->run->results, "models", (double)f->count, "1"));
  if (!f->likelihood) PetscFunctionReturn(0);
  for (int64_t i = 0; i < f->mine; i++) fm_exact_add(&sum, f->misfit[i]);
  PetscCall(fm_exact_reduce(&sum, 1, f->run->comm.sample));
  PetscCall(
      fm_result(f->run->results, "misfit_mean", fm_exact_value(sum) / (double)f->count, "1"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_forward(fm_run *run) {
  forwarding f = {.run = run};

  PetscFunctionBegin;
  PetscCall(prepare(&f));
  PetscCall(run_all(&f));
  PetscCall(write_data(&f));
  PetscCall(report(&f));
  PetscCall(PetscFree4(f.x, f.data, f.misfit, f.gradient));
  PetscCall(PetscFree(f.models));
  if (f.likelihood) PetscCall(fm_energy_destroy(&f.likelihood));
  PetscCall(PetscFree(f.y));
  PetscCall(fm_operator_destroy(&f.op));
  PetscFunctionReturn(0);
}
