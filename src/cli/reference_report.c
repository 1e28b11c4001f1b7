/* What chains say: convergence of every unknown, and OUT/reference.h5 -

   /x           [chains][iterations][n] draws in the user's units
   /energy      [chains][iterations] -log density where the chains move
   /weight      [chains][iterations] of mean 1, with -tilt: then all below is weighted
   /mean ...    [n] of each unknown: mean, std, mcse, rhat, ess_bulk, ess_tail,
                mcse_between (the mean's standard error from the chains' means alone)
   /quantiles_05_50_95  [n][3]
   /exp/mean .. [n] the same of exp(x), with -expectation exp
   /ledger      solves; /settings, /operator texts */
#include "reference.h"
#include "fathom/log.h"
#include <math.h>

static const char *const series_name[] = {"mean",     "std",      "mcse",        "rhat",
                                          "ess_bulk", "ess_tail", "mcse_between"};

typedef struct {
  fm_run *run;
  fm_sampler *s;
  int64_t n;             /* unknowns */
  double *weight;        /* [chains][kept], NULL: equal */
  double *of_x, *of_exp; /* [n][FM_SERIES]; of_exp NULL: not wanted */
  double of_energy[FM_SERIES];
} report;

/* ---- all of them, shared over the sample ranks ---- */

static PetscErrorCode one_unknown(report *r, int64_t i, double *v) {
  const int64_t nchain = r->s->in.chains, ndraw = r->s->kept;

  PetscFunctionBegin;
  if (i == r->n) { /* of the law that the chains do sample */
    PetscCall(fm_describe(nchain, ndraw, NULL, v, r->of_energy));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_describe(nchain, ndraw, r->weight, v, r->of_x + i * FM_SERIES));
  if (r->of_exp)
    PetscCall(fm_describe_exp(nchain, ndraw, r->weight, v, r->of_exp + i * FM_SERIES));
  PetscFunctionReturn(0);
}

/* The draws' weights on every rank, of mean 1; NULL: all weigh the same. */
static PetscErrorCode gather_weights(report *r) {
  const int64_t count = r->s->in.chains * r->s->kept;
  double top = -INFINITY, mean = 0.;

  PetscFunctionBegin;
  if (!r->s->in.hmc.tilt) PetscFunctionReturn(0);
  PetscCall(fm_calloc(count, &r->weight));
  PetscCall(fm_sampler_column(r->s, r->n + 1, 0, r->weight));
  PetscCallMPI(MPI_Bcast(r->weight, (int)count, MPI_DOUBLE, 0, r->run->comm.sample));
  for (int64_t i = 0; i < count; i++) top = PetscMax(top, r->weight[i]);
  for (int64_t i = 0; i < count; i++)
    mean += (r->weight[i] = exp(r->weight[i] - top)) / (double)count;
  for (int64_t i = 0; i < count; i++) r->weight[i] /= mean;
  PetscFunctionReturn(0);
}

/* Each rank takes every so-many-th unknown; the others have zeros there, so that their sum is
   exact in any order. */
static PetscErrorCode describe_all(report *r) {
  MPI_Comm sample = r->run->comm.sample;
  PetscMPIInt rank, size;
  double *v;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(sample, &rank));
  PetscCallMPI(MPI_Comm_size(sample, &size));
  PetscCall(gather_weights(r));
  PetscCall(fm_calloc(r->s->in.chains * r->s->kept, &v));
  for (int64_t begin = 0; begin <= r->n; begin += size) {
    for (int64_t i = begin; i < begin + size && i <= r->n; i++)
      PetscCall(fm_sampler_column(r->s, i, (PetscMPIInt)(i - begin), v));
    if (begin + rank <= r->n) PetscCall(one_unknown(r, begin + rank, v));
  }
  PetscCall(PetscFree(v));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r->of_x, (int)(r->n * FM_SERIES), MPI_DOUBLE,
                             MPI_SUM, sample));
  PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, r->of_energy, FM_SERIES, MPI_DOUBLE, MPI_SUM, sample));
  if (r->of_exp)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r->of_exp, (int)(r->n * FM_SERIES), MPI_DOUBLE,
                               MPI_SUM, sample));
  PetscFunctionReturn(0);
}

/* ---- the file ---- */

static PetscErrorCode write_series(const report *r, const char *group, const double *of,
                                   fm_store *store) {
  const int64_t shape[] = {r->n, 3};
  char name[64];
  double *v;

  PetscFunctionBegin;
  PetscCall(fm_calloc(3 * r->n, &v));
  for (int k = 0; k < FM_QUANTILES; k++) {
    for (int64_t i = 0; i < r->n; i++) v[i] = of[i * FM_SERIES + k];
    PetscCall(PetscSNPrintf(name, sizeof(name), "%s/%s", group, series_name[k]));
    PetscCall(fm_store_write(store, name, FM_FLOAT64, 1, shape, v));
  }
  for (int64_t i = 0; i < 3 * r->n; i++) v[i] = of[i / 3 * FM_SERIES + FM_QUANTILES + i % 3];
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s/quantiles_05_50_95", group));
  PetscCall(fm_store_write(store, name, FM_FLOAT64, 2, shape, v));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_draws(const report *r, const fm_real *x, fm_store *store) {
  const int64_t shape[] = {r->s->in.chains, r->s->kept, r->n};
  double *energy;

  PetscFunctionBegin;
  PetscCall(fm_store_write(store, "/x", FM_TYPE_REAL, 3, shape, x));
  PetscCall(fm_calloc(shape[0] * shape[1], &energy));
  PetscCall(fm_sampler_column(r->s, r->n, 0, energy));
  PetscCall(fm_store_write(store, "/energy", FM_FLOAT64, 2, shape, energy));
  PetscCall(PetscFree(energy));
  if (r->weight) PetscCall(fm_store_write(store, "/weight", FM_FLOAT64, 2, shape, r->weight));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_file(const report *r, const fm_real *x) {
  static const char *const name[] = {"useful_F", "useful_J", "useful_JT"};
  const fm_sampler *s = r->s;
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(r->run, "reference.h5", path));
  PetscCall(fm_store_create(r->run->comm.world, path, &store));
  PetscCall(fm_store_write_text(store, "/settings", s->in.settings));
  PetscCall(fm_store_write_text(store, "/operator", s->in.operator_text));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    PetscCall(fm_store_set_integer(store, "/ledger", name[k], s->ledger[k]));
  PetscCall(write_draws(r, x, store));
  PetscCall(write_series(r, "", r->of_x, store));
  if (r->of_exp) PetscCall(write_series(r, "/exp", r->of_exp, store));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote %lld draws of each of %lld chains to '%s'", (long long)s->kept,
         (long long)s->in.chains, path);
  PetscFunctionReturn(0);
}

/* ---- result lines ---- */

/* The worst of a series over the unknowns: NaN where one is. */
static double worst(const report *r, const double *of, int series, PetscBool largest) {
  double found = of[series];

  for (int64_t i = 1; i < r->n; i++) {
    const double v = of[i * FM_SERIES + series];

    if (isnan(v) || (largest ? v > found : v < found)) found = v;
  }
  return found;
}

/* The largest standard error of a mean, in standard deviations: NaN where one is. */
static double worst_error(const report *r, const double *of) {
  double found = 0.;

  for (int64_t i = 0; i < r->n; i++) {
    const double v = of[i * FM_SERIES + FM_MCSE] / of[i * FM_SERIES + FM_STD];

    if (isnan(v) || v > found) found = v;
  }
  return found;
}

/* Over the unknowns, root of the mean square of the standard errors as the chains' means have
   them over those that are reported: 1 where the latter are honest. */
static double between_over_mcse(const report *r, const double *of) {
  double sum = 0.;

  for (int64_t i = 0; i < r->n; i++) {
    const double ratio = of[i * FM_SERIES + FM_BETWEEN] / of[i * FM_SERIES + FM_MCSE];

    sum += ratio * ratio / (double)r->n;
  }
  return sqrt(sum);
}

static PetscErrorCode report_convergence(report *r) {
  fm_results *to = r->run->results;

  PetscFunctionBegin;
  PetscCall(fm_result(to, "rhat_max", worst(r, r->of_x, FM_RHAT, PETSC_TRUE), "1"));
  PetscCall(fm_result(to, "rhat_energy", r->of_energy[FM_RHAT], "1"));
  PetscCall(fm_result(to, "ess_bulk_min", worst(r, r->of_x, FM_ESS_BULK, PETSC_FALSE), "1"));
  PetscCall(fm_result(to, "ess_tail_min", worst(r, r->of_x, FM_ESS_TAIL, PETSC_FALSE), "1"));
  PetscCall(fm_result(to, "mcse_over_std_max", worst_error(r, r->of_x), "1"));
  if (!r->of_exp) PetscFunctionReturn(0);
  PetscCall(fm_result(to, "exp_rhat_max", worst(r, r->of_exp, FM_RHAT, PETSC_TRUE), "1"));
  PetscCall(fm_result(to, "exp_mcse_over_std_max", worst_error(r, r->of_exp), "1"));
  PetscCall(fm_result(to, "exp_between_over_mcse", between_over_mcse(r, r->of_exp), "1"));
  PetscFunctionReturn(0);
}

static PetscErrorCode report_chains(report *r) {
  const fm_sampler *s = r->s;
  const double kept = (double)s->in.chains * (double)s->kept * (double)s->in.thin;
  static const struct {
    int scalar;
    const char *name;
  } sums[] = {{FM_CHAIN_ACCEPTANCE, "acceptance"},
              {FM_CHAIN_LEAPFROGS, "leapfrog_steps"},
              {FM_CHAIN_STEP, "step_size"},
              {FM_CHAIN_DIVERGENCES, "divergences"},
              {FM_CHAIN_UNSETTLED, "warmup_divergences"}};

  PetscFunctionBegin;
  PetscCall(fm_result(r->run->results, "chains", (double)s->in.chains, "1"));
  PetscCall(fm_result(r->run->results, "draws", (double)s->kept, "1"));
  for (int k = 0; k < 5; k++) {
    const double over = k < 2 ? kept : k == 2 ? (double)s->in.chains : 1.;
    double sum;

    PetscCall(fm_sampler_sum(s, sums[k].scalar, &sum));
    PetscCall(fm_result(r->run->results, sums[k].name, sum / over, "1"));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode report_solves(report *r) {
  static const char *const name[] = {"solves_F", "solves_J", "solves_JT"};

  PetscFunctionBegin;
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    PetscCall(fm_result(r->run->results, name[k], (double)r->s->ledger[k], "solves"));
  PetscCall(fm_result(r->run->results, "spent_F", (double)r->s->ledger_spent[0], "solves"));
  PetscFunctionReturn(0);
}

/* Moments of few unknowns, as evaluate prints them. */
static PetscErrorCode report_moments(report *r, const fm_real *x) {
  const int64_t count = r->s->in.chains * r->s->kept;
  double *copy = NULL;

  PetscFunctionBegin;
  if (r->n > 16 || !x || r->weight) PetscFunctionReturn(0);
  PetscCall(fm_calloc(count * r->n, &copy));
  for (int64_t i = 0; i < count * r->n; i++) copy[i] = (double)x[i];
  PetscCall(fm_report_moments(r->run, count, r->n, copy));
  PetscCall(PetscFree(copy));
  PetscFunctionReturn(0);
}

static void warn(const report *r) {
  const double rhat = worst(r, r->of_x, FM_RHAT, PETSC_TRUE);

  if (!(rhat <= 1.01))
    fm_warn(
        "R-hat is %.4g where 1.01 is asked for: the chains have not converged; ask for more "
        "-warmup and -iterations",
        rhat);
}

PetscErrorCode fm_reference_report(fm_run *run, fm_sampler *s, PetscBool exponential) {
  report r = {.run = run, .s = s, .n = s->n};
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(report_chains(&r));
  PetscCall(report_solves(&r));
  if (s->kept < 4) PetscFunctionReturn(0);
  PetscCall(fm_calloc(r.n * FM_SERIES, &r.of_x));
  if (exponential) PetscCall(fm_calloc(r.n * FM_SERIES, &r.of_exp));
  PetscCall(describe_all(&r));
  PetscCall(fm_sampler_gather_x(s, &x));
  PetscCall(write_file(&r, x));
  PetscCall(report_convergence(&r));
  PetscCall(report_moments(&r, x));
  warn(&r);
  PetscCall(PetscFree(x));
  PetscCall(PetscFree(r.weight));
  PetscCall(PetscFree(r.of_x));
  PetscCall(PetscFree(r.of_exp));
  PetscFunctionReturn(0);
}
