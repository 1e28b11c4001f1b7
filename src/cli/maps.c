#include "cli/maps.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define FEW 16 /* unknowns that are listed as results */

/* [n] each, the same on every rank */
typedef struct {
  int64_t n;
  double *mean, *std;
  const double *truth; /* NULL: not known */
} maps;

/* Whitened numbers are of the order of one, so that their exact sums lose nothing whatever the
   user's units. */
static PetscErrorCode moments(const fm_run *run, const fm_transport *t, int64_t total,
                              int64_t count, const fm_real *x, maps *m) {
  PetscMPIInt terms;
  fm_exact *sum;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)(2 * m->n), &terms));
  PetscCall(fm_calloc(terms, &sum));
  for (int64_t s = 0; s < count; s++)
    for (int64_t i = 0; i < m->n; i++) {
      const double w = ((double)x[s * m->n + i] - t->x_mean[i]) / t->x_std[i];

      fm_exact_add(&sum[2 * i], w);
      fm_exact_add(&sum[2 * i + 1], w * w);
    }
  PetscCall(fm_exact_reduce(sum, terms, run->comm.sample));
  for (int64_t i = 0; i < m->n; i++) {
    const double mean = fm_exact_value(sum[2 * i]) / (double)total;
    const double square = fm_exact_value(sum[2 * i + 1]) / (double)total;

    m->mean[i] = t->x_mean[i] + t->x_std[i] * mean;
    m->std[i] = t->x_std[i] * sqrt(PetscMax(0., square - mean * mean));
  }
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_maps_truth(const fm_run *run, const fm_transport *t, double **truth) {
  int64_t shape[FM_STORE_NDIM], size = 1;
  const int64_t n = t->n;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(run->comm.world, "truth", &ndim, shape, truth));
  for (int d = 0; d < ndim; d++) size *= shape[d];
  fm_check(!*truth || size == n, run->comm.world, PETSC_ERR_USER,
           "-truth has %lld values where the flow has %lld unknowns%s", (long long)size,
           (long long)n, size % n ? "" : "; one row of several is named as FILE:/dataset[ROW]");
  if (!*truth) PetscFunctionReturn(0);
  PetscCall(fm_run_image_fits(run, "truth", ndim, shape, fm_flow_get_spec(t->flow)->x));
  PetscCall(fm_run_divisor_fits(run, "truth", t));
  PetscFunctionReturn(0);
}

static PetscErrorCode list(fm_run *run, const maps *m) {
  char name[64];

  PetscFunctionBegin;
  for (int64_t i = 0; i < m->n && m->n <= FEW; i++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "mean_%d", (int)i + 1));
    PetscCall(fm_result(run->results, name, m->mean[i], "model"));
    PetscCall(PetscSNPrintf(name, sizeof(name), "std_%d", (int)i + 1));
    PetscCall(fm_result(run->results, name, m->std[i], "model"));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(fm_run *run, const maps *m) {
  double error = 0, norm = 0, spread = 0, inside = 0;
  const double n = (double)m->n;

  PetscFunctionBegin;
  for (int64_t i = 0; i < m->n; i++) {
    const double e = m->truth[i] - m->mean[i];

    error += e * e;
    norm += m->truth[i] * m->truth[i];
    spread += m->std[i] * m->std[i];
    inside += fabs(e) <= 2 * m->std[i];
  }
  PetscCall(fm_result(run->results, "snr", 10 * log10(norm / error), "dB"));
  PetscCall(fm_result(run->results, "coverage_2std", inside / n, "1"));
  PetscCall(fm_result(run->results, "std_rms", sqrt(spread / n), "model"));
  PetscCall(fm_result(run->results, "error_rms", sqrt(error / n), "model"));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_maps(const fm_run *run, const fm_transport *t, const maps *m) {
  const fm_shape s = fm_flow_get_spec(t->flow)->x;
  const int image = fm_shape_pixels(s) > 1;
  const int64_t shape[] = {s.c, s.n[0], s.n[1]};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(run, "maps.h5", path));
  PetscCall(fm_store_create(run->comm.world, path, &store));
  PetscCall(fm_store_write(store, "/mean", FM_FLOAT64, image ? 3 : 1, shape, m->mean));
  PetscCall(fm_store_write(store, "/std", FM_FLOAT64, image ? 3 : 1, shape, m->std));
  if (m->truth)
    PetscCall(fm_store_write(store, "/truth", FM_FLOAT64, image ? 3 : 1, shape, m->truth));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote mean and std to '%s'", path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_maps(fm_run *run, const fm_transport *t, const double *truth, int64_t total,
                       int64_t count, const fm_real *x) {
  maps m = {.n = t->n, .truth = truth};

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(m.n, &m.mean, m.n, &m.std));
  PetscCall(moments(run, t, total, count, x, &m));
  PetscCall(list(run, &m));
  if (m.truth) PetscCall(compare(run, &m));
  PetscCall(write_maps(run, t, &m));
  PetscCall(PetscFree2(m.mean, m.std));
  PetscFunctionReturn(0);
}
