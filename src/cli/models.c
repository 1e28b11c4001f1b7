#include "cli/models.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define DRAWS 256 /* of the prior */
#define LEVELS 3

static const char *const level_names[LEVELS] = {"/p10", "/p50", "/p90"};
static const double levels[LEVELS] = {0.1, 0.5, 0.9};

typedef struct {
  double *mean, *std, *level[LEVELS], *prior_mean, *prior_std; /* [nodes] */
  double *truth;                                               /* NULL: not known */
  PetscBool prior;                                             /* is known */
} pictures;

PetscErrorCode fm_models_of(const fm_models *m, int64_t count, const fm_real *x,
                            fm_real **model) {
  double *in, *out;

  PetscFunctionBegin;
  PetscCall(fm_calloc(count * m->nodes, model));
  PetscCall(PetscMalloc2(m->n, &in, m->nodes, &out));
  for (int64_t s = 0; s < count; s++) {
    for (int64_t i = 0; i < m->n; i++) in[i] = (double)x[s * m->n + i];
    PetscCall(fm_operator_model(m->op, in, out));
    for (int64_t i = 0; i < m->nodes; i++) (*model)[s * m->nodes + i] = (fm_real)out[i];
  }
  PetscCall(PetscFree2(in, out));
  PetscFunctionReturn(0);
}

/* ---- moments and quantiles over all sample ranks ---- */

/* Exact sums of numbers of the order of one: of what differs from the first sample of rank 0,
   in units of its largest. */
static PetscErrorCode moments(const fm_models *m, int64_t total, int64_t count,
                              const fm_real *model, double *mean, double *std) {
  const int64_t n = m->nodes;
  double *first, unit = 0;
  PetscMPIInt terms;
  fm_exact *sum;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)(2 * n), &terms));
  PetscCall(fm_calloc(terms, &sum));
  PetscCall(fm_calloc(n, &first));
  for (int64_t i = 0; count && i < n; i++) first[i] = (double)model[i];
  PetscCallMPI(MPI_Bcast(first, terms / 2, MPI_DOUBLE, 0, m->run->comm.world));
  for (int64_t i = 0; i < n; i++) unit = fmax(unit, fabs(first[i]));
  if (unit == 0) unit = 1;
  for (int64_t k = 0; k < count * n; k++) {
    const double w = ((double)model[k] - first[k % n]) / unit;

    fm_exact_add(&sum[2 * (k % n)], w);
    fm_exact_add(&sum[2 * (k % n) + 1], w * w);
  }
  PetscCall(fm_exact_reduce(sum, terms, m->run->comm.sample));
  for (int64_t i = 0; i < n; i++) {
    const double w = fm_exact_value(sum[2 * i]) / (double)total;
    const double square = fm_exact_value(sum[2 * i + 1]) / (double)total;

    mean[i] = first[i] + unit * w;
    std[i] = unit * sqrt(PetscMax(0., square - w * w));
  }
  PetscCall(PetscFree(first));
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(0);
}

/* Node after node: all samples of a node on the first sample rank, whose quantiles they are. */
static PetscErrorCode quantiles(const fm_models *m, int64_t total, int64_t count,
                                const fm_real *model, pictures *p) {
  const MPI_Comm sample = m->run->comm.sample;
  PetscMPIInt size, rank, *counts, *firsts, mine;
  double *column, *all, of[LEVELS];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(sample, &size));
  PetscCallMPI(MPI_Comm_rank(sample, &rank));
  PetscCall(PetscMPIIntCast((PetscInt)count, &mine));
  PetscCall(PetscMalloc4(size, &counts, size, &firsts, count, &column, total, &all));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT, counts, 1, MPI_INT, sample));
  for (PetscMPIInt r = 0; r < size; r++) firsts[r] = r ? firsts[r - 1] + counts[r - 1] : 0;
  for (int64_t i = 0; i < m->nodes; i++) {
    for (int64_t s = 0; s < count; s++) column[s] = (double)model[s * m->nodes + i];
    PetscCallMPI(
        MPI_Gatherv(column, mine, MPI_DOUBLE, all, counts, firsts, MPI_DOUBLE, 0, sample));
    if (rank) continue;
    PetscCall(fm_samples_quantiles(total, 1, all, 0, LEVELS, levels, of));
    for (int k = 0; k < LEVELS; k++) p->level[k][i] = of[k];
  }
  PetscCall(PetscFree4(counts, firsts, column, all));
  PetscFunctionReturn(0);
}

/* ---- prior and truth ---- */

static PetscErrorCode of_prior(const fm_models *m, pictures *p) {
  const fm_comm *comm = &m->run->comm;
  fm_energy *prior;
  int64_t first, count;
  fm_real *x, *model;
  const char *name;

  PetscFunctionBegin;
  PetscCall(fm_option_text("prior", &name));
  if (!name[0]) PetscFunctionReturn(0);
  PetscCall(fm_energy_create(name, &(fm_energy_inputs){comm, m->n, m->op, 0, NULL}, &prior));
  p->prior = fm_energy_can_sample(prior);
  if (p->prior) {
    PetscCall(fm_comm_share(comm, DRAWS, &first, &count));
    PetscCall(fm_calloc(count * m->n, &x));
    PetscCall(
        fm_energy_sample(prior, (fm_rng){m->run->seed, FM_STREAM_MODEL}, first, count, x));
    PetscCall(fm_models_of(m, count, x, &model));
    PetscCall(moments(m, DRAWS, count, model, p->prior_mean, p->prior_std));
    PetscCall(PetscFree(model));
    PetscCall(PetscFree(x));
  }
  PetscCall(fm_energy_destroy(&prior));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_truth(const fm_models *m, pictures *p) {
  int64_t shape[FM_STORE_NDIM], size = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(m->run->comm.world, "truth_model", &ndim, shape, &p->truth));
  if (!p->truth) PetscFunctionReturn(0);
  for (int d = 0; d < ndim; d++) size *= shape[d];
  fm_check(size == m->nodes && fm_store_image_fits(ndim, shape, m->grid.rows, m->grid.columns),
           m->run->comm.world, PETSC_ERR_USER,
           "-truth_model has %lld numbers, a model of %s is [%lld][%lld]; one row of several "
           "is named as FILE:/dataset[ROW]",
           (long long)size, fm_operator_describe(m->op), (long long)m->grid.rows,
           (long long)m->grid.columns);
  PetscFunctionReturn(0);
}

/* Against the truth, and how much the data told beyond the prior. */
static PetscErrorCode compare(const fm_models *m, const pictures *p) {
  fm_results *r = m->run->results;
  double error = 0, norm = 0, spread = 0, inside = 0, before = 0, z = 0;
  const double n = (double)m->nodes;

  PetscFunctionBegin;
  for (int64_t i = 0; i < m->nodes; i++) {
    const double centre = p->prior ? p->prior_mean[i] : 0;
    const double e = p->truth[i] - p->mean[i];

    error += e * e;
    norm += p->truth[i] * p->truth[i];
    spread += p->std[i] * p->std[i];
    inside += fabs(e) <= 2 * p->std[i];
    before += (p->truth[i] - centre) * (p->truth[i] - centre);
    if (p->std[i] > 0) z += e * e / (p->std[i] * p->std[i]);
  }
  PetscCall(fm_result(r, "snr", 10 * log10(norm / error), "dB"));
  PetscCall(fm_result(r, "coverage_2std", inside / n, "1"));
  PetscCall(fm_result(r, "z_rms", sqrt(z / n), "1"));
  PetscCall(fm_result(r, "std_rms", sqrt(spread / n), m->grid.unit));
  PetscCall(fm_result(r, "error_rms", sqrt(error / n), m->grid.unit));
  if (p->prior) PetscCall(fm_result(r, "error_rms_prior_mean", sqrt(before / n), m->grid.unit));
  PetscFunctionReturn(0);
}

/* ---- file ---- */

/* A map with the grid that it is on, as export reads it. */
static PetscErrorCode write_map(const fm_models *m, fm_store *store, const char *name,
                                const double *map) {
  const int64_t shape[] = {m->grid.rows, m->grid.columns};

  PetscFunctionBegin;
  if (!map) PetscFunctionReturn(0);
  PetscCall(fm_store_write(store, name, FM_FLOAT64, 2, shape, map));
  PetscCall(fm_store_set_real(store, name, "spacing_z", m->grid.spacing[0]));
  PetscCall(fm_store_set_real(store, name, "spacing_x", m->grid.spacing[1]));
  PetscCall(fm_store_set_text(store, name, "unit", m->grid.unit));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_maps(const fm_models *m, const pictures *p) {
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(m->run, "maps.h5", path));
  PetscCall(fm_store_create(m->run->comm.world, path, &store));
  PetscCall(write_map(m, store, "/mean", p->mean));
  PetscCall(write_map(m, store, "/std", p->std));
  for (int k = 0; k < LEVELS; k++) PetscCall(write_map(m, store, level_names[k], p->level[k]));
  if (p->prior) PetscCall(write_map(m, store, "/prior_mean", p->prior_mean));
  if (p->prior) PetscCall(write_map(m, store, "/prior_std", p->prior_std));
  PetscCall(write_map(m, store, "/truth", p->truth));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote mean, std and quantiles in %s to '%s'", m->grid.unit, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_models_maps(const fm_models *m, int64_t total, int64_t count,
                              const fm_real *model) {
  const int64_t n = m->nodes;
  pictures p = {0};
  double *all;

  PetscFunctionBegin;
  PetscCall(fm_calloc((4 + LEVELS) * n, &all));
  p.mean = all;
  p.std = all + n;
  p.prior_mean = all + 2 * n;
  p.prior_std = all + 3 * n;
  for (int k = 0; k < LEVELS; k++) p.level[k] = all + (4 + k) * n;
  PetscCall(read_truth(m, &p));
  PetscCall(moments(m, total, count, model, p.mean, p.std));
  PetscCall(quantiles(m, total, count, model, &p));
  PetscCall(of_prior(m, &p));
  if (p.truth) PetscCall(compare(m, &p));
  PetscCall(write_maps(m, &p));
  PetscCall(PetscFree(p.truth));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}
