#include "fathom/diagnostics.h"
#include "fathom/pareto.h"
#include "fathom/stop.h"
#include "infer/collect.h"
#include <math.h>

/* One block: x in the user's units and log w = log p(x, y) - log q(x), NaN for a failed sample.
   */
typedef struct {
  fm_real *z, *x, *logdet;
  double *value;
  uint64_t *sample;
  PetscBool *ok;
} block;

static PetscErrorCode block_create(int64_t n, int64_t most, block *b) {
  PetscFunctionBegin;
  PetscCall(PetscMalloc6(most * n, &b->z, most * n, &b->x, most, &b->logdet, most, &b->value,
                         most, &b->sample, most, &b->ok));
  PetscFunctionReturn(0);
}

static PetscErrorCode block_destroy(block *b) {
  PetscFunctionBegin;
  PetscCall(PetscFree6(b->z, b->x, b->logdet, b->value, b->sample, b->ok));
  PetscFunctionReturn(0);
}

static PetscErrorCode block_run(block *b, fm_target *target, fm_transport *t,
                                const fm_real *theta, fm_rng rng, int64_t first, int64_t nb,
                                double *x, double *j, double *logw) {
  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    b->sample[s] = (uint64_t)(first + s);
    fm_rng_normal(rng, 0, b->sample[s], (size_t)t->n, b->z + s * t->n);
  }
  PetscCall(fm_transport_generate(t, theta, nb, b->z, b->x, b->logdet));
  PetscCall(fm_target_evaluate(target, (fm_key){0, b->sample, NULL}, nb, b->x, b->value, NULL,
                               NULL, b->ok));
  for (int64_t s = 0; s < nb; s++) {
    j[s] = b->ok[s] ? b->value[s] - (double)b->logdet[s] : (double)NAN;
    logw[s] = -j[s] - fm_log_normal(t->n, b->z + s * t->n);
  }
  for (int64_t i = 0; i < nb * t->n; i++) x[i] = (double)b->x[i];
  PetscFunctionReturn(0);
}

double fm_mean_of(int64_t count, const double *v, int64_t stride, double *se) {
  double mean = 0, square = 0;

  for (int64_t s = 0; s < count; s++) mean += v[s * stride] / (double)count;
  for (int64_t s = 0; s < count; s++) square += (v[s * stride] - mean) * (v[s * stride] - mean);
  if (se) *se = count > 1 ? sqrt(square / ((double)count - 1.) / (double)count) : (double)NAN;
  return mean;
}

/* Drop failed samples, in place. */
static int64_t keep_good(int64_t total, int64_t n, double *x, double *j, double *logw) {
  int64_t kept = 0;

  for (int64_t s = 0; s < total; s++) {
    if (!isfinite(j[s])) continue;
    j[kept] = j[s];
    logw[kept] = logw[s];
    if (kept != s) memcpy(x + kept * n, x + s * n, (size_t)n * sizeof(*x));
    kept++;
  }
  return kept;
}

static void weigh(int64_t n, const double *logw, fm_diagnosis *d) {
  double top = -INFINITY, sum = 0., square = 0.;

  for (int64_t s = 0; s < n; s++) top = PetscMax(top, logw[s]);
  for (int64_t s = 0; s < n; s++) {
    const double w = exp(logw[s] - top);

    sum += w;
    square += w * w;
  }
  d->ess_fraction = sum * sum / ((double)n * square);
  d->log_evidence = top + log(sum / (double)n);
}

/* k-hat of the weights; these stay as they are. */
static PetscErrorCode judge_tail(int64_t n, const double *logw, double *k_hat) {
  double *copy;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &copy));
  PetscCall(PetscArraycpy(copy, logw, n));
  PetscCall(fm_pareto_smooth(n, copy, k_hat));
  PetscCall(PetscFree(copy));
  PetscFunctionReturn(0);
}

static PetscErrorCode summarize(int64_t total, int64_t n, double *x, double *j, double *logw,
                                double log_evidence, fm_diagnosis *d) {
  PetscFunctionBegin;
  d->count = keep_good(total, n, x, j, logw);
  d->failed = total - d->count;
  d->objective = fm_mean_of(d->count, j, 1, &d->objective_se);
  d->kl = -fm_mean_of(d->count, logw, 1, &d->kl_se) + log_evidence;
  weigh(d->count, logw, d);
  if (d->count) PetscCall(judge_tail(d->count, logw, &d->k_hat));
  PetscFunctionReturn(0);
}

static PetscErrorCode broadcast(const fm_comm *comm, fm_diagnosis *d) {
  double numbers[] = {
      (double)d->count, (double)d->failed, d->objective,    d->objective_se, d->kl,
      d->kl_se,         d->ess_fraction,   d->log_evidence, d->k_hat};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(numbers, 9, MPI_DOUBLE, 0, comm->world));
  *d = (fm_diagnosis){(int64_t)numbers[0], (int64_t)numbers[1], numbers[2], numbers[3],
                      numbers[4],          numbers[5],          numbers[6], numbers[7],
                      numbers[8],          d->stopped,          d->x,       d->log_weight};
  PetscFunctionReturn(0);
}

/* Whether some rank wishes to end: a word among all after each block, where anybody listens. */
static PetscErrorCode ask(const fm_target *target, PetscBool *stopped) {
  int worst;

  PetscFunctionBegin;
  if (!fm_stop_watched()) PetscFunctionReturn(0);
  PetscCall(fm_comm_agree(target->comm->world, fm_stop_wanted(0.), &worst));
  *stopped = worst ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* My blocks of all samples, whose size never depends on the ranks; each rank's arrays in sample
   order. A rank that is to stop leaves its other blocks at zero, and *stopped says so on all.
   */
static PetscErrorCode run_blocks(fm_target *target, fm_transport *t, const fm_real *theta,
                                 fm_rng rng, int64_t count, double **x, double **j,
                                 double **logw, int64_t *mine, PetscBool *stopped) {
  const int64_t most = fm_transport_block(t);
  PetscMPIInt ranks;
  int64_t begin;
  block b;

  PetscFunctionBegin;
  PetscCall(fm_comm_share_blocks(target->comm, count, most, &begin, mine));
  PetscCall(fm_calloc(*mine * t->n, x));
  PetscCall(fm_calloc(*mine, j));
  PetscCall(fm_calloc(*mine, logw));
  PetscCall(block_create(t->n, most, &b));
  *stopped = PETSC_FALSE;
  PetscCallMPI(MPI_Comm_size(target->comm->sample, &ranks));
  for (int64_t r = 0, at = 0; r * ranks * most < count && !*stopped; r++, at += most) {
    if (at < *mine)
      PetscCall(block_run(&b, target, t, theta, rng, begin + at, PetscMin(most, *mine - at),
                          *x + at * t->n, *j + at, *logw + at));
    PetscCall(ask(target, stopped));
  }
  PetscCall(block_destroy(&b));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_diagnose(fm_target *target, fm_transport *t, const fm_real *theta,
                           uint64_t seed, fm_stream stream, int64_t count, double log_evidence,
                           PetscBool keep, fm_diagnosis *d) {
  MPI_Comm sample = target->comm->sample;
  double *x, *j, *logw;
  PetscMPIInt rank;
  fm_purpose purpose;
  int64_t mine;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(d, sizeof(*d)));
  PetscCall(fm_operator_set_purpose(target->op, FM_DIAGNOSTIC, &purpose));
  PetscCall(run_blocks(target, t, theta, (fm_rng){seed, stream}, count, &x, &j, &logw, &mine,
                       &d->stopped));
  PetscCall(fm_operator_set_purpose(target->op, purpose, NULL));
  if (d->stopped) {
    PetscCall(PetscFree(x));
    PetscCall(PetscFree(j));
    PetscCall(PetscFree(logw));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_collect_rows(sample, (size_t)t->n * sizeof(*x), mine, count, &x));
  PetscCall(fm_collect_rows(sample, sizeof(*j), mine, count, &j));
  PetscCall(fm_collect_rows(sample, sizeof(*logw), mine, count, &logw));
  PetscCallMPI(MPI_Comm_rank(target->comm->world, &rank));
  if (!rank) PetscCall(summarize(count, t->n, x, j, logw, log_evidence, d));
  PetscCall(PetscFree(j));
  if (!keep || rank) PetscCall(PetscFree(x));
  if (!keep || rank) PetscCall(PetscFree(logw));
  d->x = x;
  d->log_weight = logw;
  PetscCall(broadcast(target->comm, d));
  if (!d->count)
    d->objective = d->objective_se = d->kl = d->kl_se = d->ess_fraction = d->log_evidence =
        d->k_hat = (double)NAN;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_diagnosis_clear(fm_diagnosis *d) {
  PetscFunctionBegin;
  PetscCall(PetscFree(d->x));
  PetscCall(PetscFree(d->log_weight));
  PetscFunctionReturn(0);
}

/* Mean of kl over the evaluations in (solves[i] - window, solves[i]]. */
static double running_mean(int64_t i, const double *solves, const double *kl, double window) {
  double sum = 0.;
  int64_t k = i;

  for (; k >= 0 && solves[k] > solves[i] - window; k--) sum += kl[k];
  return sum / (double)(i - k);
}

void fm_solves_to_reach(int64_t n, const double *solves, const double *kl, double level,
                        double window, double *first, double *stay) {
  *first = *stay = (double)NAN;
  for (int64_t i = n - 1; i >= 0; i--)
    if (kl[i] <= level) *first = solves[i];
  for (int64_t i = n - 1; i >= 0 && running_mean(i, solves, kl, window) <= level; i--)
    *stay = solves[i];
}
