/* judge - how well a flow describes models that it was not trained on, before it is a prior:
   its held-out NLL beside that of Gaussians fitted to the training models, whether held-out
   models lie in the range of -log q that the pretraining noted, and where a truth lies among
   them. Makes no solve. */
#include "fathom/command.h"
#include "fathom/gaussian_fit.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

#define DRAWS 256 /* of the flow */

typedef struct {
  fm_run *run;
  fm_transport *t;
  fm_real *theta;
  fm_dataset *data;   /* held out */
  int64_t n, count;   /* unknowns, held-out models */
  double *held, *own; /* [count], [DRAWS]: -log q, nats */
  double *gauss;      /* [2][count]: of the Gaussian fits, without and with correlations */
  double truth;       /* -log q of -truth or -truth_model; NaN: not given */
  double share;       /* of the fit with correlations; 0: no fits */
} judging;

/* ---- numbers of models ---- */

static PetscErrorCode energy_of(const judging *j, const fm_real *x, double *energy) {
  fm_real logq;

  PetscFunctionBegin;
  PetscCall(fm_transport_score(j->t, j->theta, 1, x, &logq, NULL));
  *energy = -(double)logq;
  PetscFunctionReturn(0);
}

static PetscErrorCode together(const judging *j, int64_t count, double *v) {
  PetscMPIInt terms;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)count, &terms));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, v, terms, MPI_DOUBLE, MPI_SUM, j->run->comm.sample));
  PetscFunctionReturn(0);
}

/* Each rank its share; what others have is 0 until it is summed. */
static PetscErrorCode energies(judging *j, PetscBool own, int64_t total, double *energy) {
  int64_t first, count;
  fm_real *x, logdet;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&j->run->comm, total, &first, &count));
  PetscCall(fm_calloc(2 * j->n, &x));
  for (int64_t i = first; i < first + count; i++) {
    if (own) {
      fm_rng_normal((fm_rng){j->run->seed, FM_STREAM_MODEL}, 0, (uint64_t)i, (size_t)j->n,
                    x + j->n);
      PetscCall(fm_transport_generate(j->t, j->theta, 1, x + j->n, x, &logdet));
    } else
      PetscCall(fm_dataset_rows(j->data, 1, &i, x, NULL));
    PetscCall(energy_of(j, x, energy + i));
  }
  PetscCall(PetscFree(x));
  PetscCall(together(j, total, energy));
  PetscFunctionReturn(0);
}

/* ---- Gaussians ---- */

static PetscErrorCode read_models(fm_dataset *data, int64_t n, int64_t count, double **models) {
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &x));
  PetscCall(fm_calloc(count * n, models));
  for (int64_t i = 0; i < count; i++) {
    PetscCall(fm_dataset_rows(data, 1, &i, x, NULL));
    for (int64_t k = 0; k < n; k++) (*models)[i * n + k] = (double)x[k];
  }
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

/* How many of the held-out models the training models have, too. */
static int64_t not_held_out(const judging *j, int64_t rows, const double *models,
                            const double *held) {
  const size_t size = (size_t)j->n * sizeof(double);
  int64_t both = 0;

  for (int64_t i = 0; i < j->count; i++) {
    int64_t k = 0;

    while (k < rows && memcmp(held + i * j->n, models + k * j->n, size)) k++;
    both += k < rows;
  }
  return both;
}

/* On the first rank: fitted to the training models, of the held-out ones. */
static PetscErrorCode fit(judging *j, int64_t rows, const double *models) {
  int64_t both;
  double *held;

  PetscFunctionBegin;
  PetscCall(read_models(j->data, j->n, j->count, &held));
  both = not_held_out(j, rows, models, held);
  if (both)
    fm_warn("%lld of the %lld models of -pairs are among those of -judge_training: "
            "they are not held out",
            (long long)both, (long long)j->count);
  for (int k = 0; k < 2; k++) {
    fm_gaussian_fit *gaussian;

    PetscCall(fm_gaussian_fit_create(rows, j->n, models, k ? -1 : 1, &gaussian));
    for (int64_t i = 0; i < j->count; i++)
      j->gauss[k * j->count + i] = fm_gaussian_fit_nll(gaussian, held + i * j->n);
    j->share = gaussian->share;
    PetscCall(fm_gaussian_fit_destroy(&gaussian));
  }
  PetscCall(PetscFree(held));
  PetscFunctionReturn(0);
}

static PetscErrorCode gaussians(judging *j) {
  const char *path;
  fm_dataset *training;
  PetscMPIInt rank, terms;
  double *models;

  PetscFunctionBegin;
  PetscCall(fm_option_text("judge_training", &path));
  if (!path[0]) PetscFunctionReturn(0);
  PetscCall(fm_dataset_open(j->run->comm.world, path, &training));
  PetscCall(fm_run_pairs_fit(j->run, j->t, training, path));
  fm_check(fm_dataset_count(training) >= 10, j->run->comm.world, PETSC_ERR_USER,
           "a Gaussian is fitted to 10 models or more: -judge_training '%s' has %lld", path,
           (long long)fm_dataset_count(training));
  PetscCallMPI(MPI_Comm_rank(j->run->comm.world, &rank));
  PetscCall(PetscMPIIntCast((PetscInt)(2 * j->count), &terms));
  if (!rank) {
    PetscCall(read_models(training, j->n, fm_dataset_count(training), &models));
    PetscCall(fit(j, fm_dataset_count(training), models));
    PetscCall(PetscFree(models));
  }
  PetscCallMPI(MPI_Bcast(j->gauss, terms, MPI_DOUBLE, 0, j->run->comm.world));
  PetscCallMPI(MPI_Bcast(&j->share, 1, MPI_DOUBLE, 0, j->run->comm.world));
  PetscCall(fm_dataset_close(&training));
  PetscFunctionReturn(0);
}

/* ---- a truth ---- */

static PetscErrorCode judge_truth(judging *j) {
  const char *const name = j->t->unit[0] ? "truth_model" : "truth";
  int64_t shape[FM_STORE_NDIM], size = 1;
  double *given;
  fm_real *x;
  int ndim;

  PetscFunctionBegin;
  j->truth = (double)NAN;
  PetscCall(fm_store_option_array(j->run->comm.world, name, &ndim, shape, &given));
  if (!given) PetscFunctionReturn(0);
  for (int d = 0; d < ndim; d++) size *= shape[d];
  fm_check(size == j->n, j->run->comm.world, PETSC_ERR_USER,
           "-%s has %lld numbers, the flow is of models of %lld; one row of several is named "
           "as FILE:/dataset[ROW]",
           name, (long long)size, (long long)j->n);
  PetscCall(fm_calloc(j->n, &x));
  for (int64_t k = 0; k < j->n; k++) x[k] = (fm_real)given[k];
  PetscCall(energy_of(j, x, &j->truth));
  PetscCall(PetscFree(x));
  PetscCall(PetscFree(given));
  PetscFunctionReturn(0);
}

/* Share of v that is below x, halves for what is equal, %. */
static double percentile(int64_t count, const double *v, double x) {
  double below = 0;

  for (int64_t i = 0; i < count; i++) below += v[i] < x ? 1 : v[i] == x ? 0.5 : 0;
  return 100 * below / (double)count;
}

/* ---- what is said ---- */

/* Of numbers v, or of v - w: mean and its standard error. */
static void mean_of(int64_t count, const double *v, const double *w, double *mean, double *se) {
  double square = 0;

  *mean = 0;
  for (int64_t i = 0; i < count; i++) *mean += (v[i] - (w ? w[i] : 0)) / (double)count;
  for (int64_t i = 0; i < count; i++) {
    const double d = v[i] - (w ? w[i] : 0) - *mean;

    square += d * d;
  }
  *se = sqrt(square / (double)count / (double)PetscMax(1, count - 1));
}

/* In nats per unknown, with the standard error over the models. */
static PetscErrorCode say_mean(const judging *j, const char *name, const double *v,
                               const double *w) {
  char error[64];
  double mean, se;

  PetscFunctionBegin;
  mean_of(j->count, v, w, &mean, &se);
  snprintf(error, sizeof(error), "%s_se", name);
  PetscCall(fm_result(j->run->results, name, mean / (double)j->n, "nats/unknown"));
  PetscCall(fm_result(j->run->results, error, se / (double)j->n, "nats/unknown"));
  PetscFunctionReturn(0);
}

static PetscErrorCode say_range(const judging *j) {
  const fm_typical of = j->t->typical[FM_TYPICAL_ENERGY];
  double inside = 0;

  PetscFunctionBegin;
  if (!(of.low < of.high)) PetscFunctionReturn(0);
  for (int64_t i = 0; i < j->count; i++) {
    const double v = j->held[i] / (double)j->n;

    inside += v >= of.low && v <= of.high;
  }
  inside /= (double)j->count;
  PetscCall(fm_result(j->run->results, "held_out_inside", inside, "1"));
  if (inside < 0.98 - 2 / sqrt((double)j->count))
    fm_warn("%.3g %% of the held-out models lie in the range of -log q that 99.8 %% of the "
            "training's kind should: they are of another kind, or the range is of too few",
            100 * inside);
  PetscFunctionReturn(0);
}

static PetscErrorCode say_truth(const judging *j) {
  fm_results *r = j->run->results;

  PetscFunctionBegin;
  if (isnan(j->truth)) PetscFunctionReturn(0);
  PetscCall(fm_result(r, "truth_nll", j->truth / (double)j->n, "nats/unknown"));
  PetscCall(
      fm_result(r, "truth_percentile", percentile(j->count, j->held, j->truth), "percent"));
  PetscCall(fm_result(r, "truth_percentile_of_draws", percentile(DRAWS, j->own, j->truth),
                      "percent"));
  PetscFunctionReturn(0);
}

static PetscErrorCode say(const judging *j) {
  double mean, se;

  PetscFunctionBegin;
  PetscCall(say_mean(j, "nll_held_out", j->held, NULL));
  mean_of(DRAWS, j->own, NULL, &mean, &se);
  PetscCall(fm_result(j->run->results, "nll_of_draws", mean / (double)j->n, "nats/unknown"));
  if (j->share > 0) {
    PetscCall(say_mean(j, "nll_diagonal_gaussian", j->gauss, NULL));
    PetscCall(say_mean(j, "nll_gaussian", j->gauss + j->count, NULL));
    PetscCall(fm_result(j->run->results, "gaussian_shrinkage", j->share, "1"));
    PetscCall(say_mean(j, "gain_over_gaussian", j->gauss + j->count, j->held));
  }
  PetscCall(say_range(j));
  PetscCall(say_truth(j));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_energies(const judging *j) {
  const int64_t held[] = {j->count}, own[] = {DRAWS};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(j->run, "judge.h5", path));
  PetscCall(fm_store_create(j->run->comm.world, path, &store));
  PetscCall(fm_store_set_text(store, "/", "settings", j->run->settings));
  PetscCall(fm_store_write(store, "/held_out", FM_FLOAT64, 1, held, j->held));
  PetscCall(fm_store_write(store, "/draws", FM_FLOAT64, 1, own, j->own));
  PetscCall(fm_store_write(store, "/truth", FM_FLOAT64, 0, NULL, &j->truth));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote -log q of %lld held-out models and of %d draws to '%s'", (long long)j->count,
         DRAWS, path);
  PetscFunctionReturn(0);
}

/* ---- the command ---- */

static PetscErrorCode open_all(judging *j) {
  const MPI_Comm world = j->run->comm.world;
  const char *path;

  PetscFunctionBegin;
  PetscCall(fm_option_text("pairs", &path));
  fm_check(path[0], world, PETSC_ERR_USER,
           "judge needs models that the flow was not trained on: give -pairs FILE.h5, with "
           "-pairs_x /model for velocities");
  PetscCall(fm_run_load(j->run, &j->t, &j->theta));
  fm_check(!j->t->m, world, PETSC_ERR_USER,
           "judge takes a flow that is to be a prior, without data (pretrain -flow_conditional "
           "false); this one is conditional");
  PetscCall(fm_dataset_open(world, path, &j->data));
  PetscCall(fm_run_pairs_fit(j->run, j->t, j->data, path));
  j->n = j->t->n;
  j->count = fm_dataset_count(j->data);
  PetscCall(fm_calloc(3 * j->count + DRAWS, &j->held));
  j->gauss = j->held + j->count;
  j->own = j->gauss + 2 * j->count;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_judge(fm_run *run) {
  judging j = {.run = run};

  PetscFunctionBegin;
  PetscCall(open_all(&j));
  PetscCall(energies(&j, PETSC_FALSE, j.count, j.held));
  PetscCall(energies(&j, PETSC_TRUE, DRAWS, j.own));
  PetscCall(gaussians(&j));
  PetscCall(judge_truth(&j));
  PetscCall(say(&j));
  PetscCall(write_energies(&j));
  PetscCall(fm_dataset_close(&j.data));
  PetscCall(fm_transport_destroy(&j.t));
  PetscCall(PetscFree(j.theta));
  PetscCall(PetscFree(j.held));
  PetscFunctionReturn(0);
}
