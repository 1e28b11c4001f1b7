/* The truth of an evaluation: -truth, an unknown, or -truth_model, a physical model in m/s, and
   how it lies among the posterior's samples.

   Given the data, truth and sample have one distribution where q is the posterior, so that
       z            (truth - mean) / std of each unknown has the mean square 1 over unknowns and
                    problems; of S samples (1 + 1/S) (S - 1) / (S - 3), which is divided by
       -log q       of the truth is one more of the samples' numbers (typical.h) */
#include "cli/maps.h"
#include "evaluate.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/typical.h"
#include <math.h>

#define SAMPLES 256   /* whose -log q is looked at, at most */
#define SLOWEST 50    /* m/s, */
#define FASTEST 20000 /* what a velocity in m/s may be */
#define LOST 1e-3     /* of a model, worth a warning */

/* ---- -truth_model ---- */

/* What the dataset says of itself must be so. */
static PetscErrorCode check_attributes(MPI_Comm world, fm_store *store, const char *name,
                                       const fm_model_grid *grid) {
  static const char *const spacing[] = {"spacing_z", "spacing_x"};
  char unit[32] = "";
  PetscBool has;
  double there;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, name, "unit", &has));
  if (has) PetscCall(fm_store_get_text(store, name, "unit", unit, sizeof(unit)));
  fm_check(!has || !strcmp(unit, grid->unit), world, PETSC_ERR_USER,
           "-truth_model is in %s, a model of this operator in %s: convert it", unit,
           grid->unit);
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_store_has_attribute(store, name, spacing[k], &has));
    if (!has) continue;
    PetscCall(fm_store_get_real(store, name, spacing[k], &there));
    fm_check(fabs(there / grid->spacing[k] - 1) < 1e-6, world, PETSC_ERR_USER,
             "-truth_model has a %s of %.6g m, the operator of %.6g m: resample it", spacing[k],
             there, grid->spacing[k]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_file(MPI_Comm world, const fm_model_grid *grid) {
  char file[PETSC_MAX_PATH_LEN], copy[PETSC_MAX_PATH_LEN];
  const char *text, *name;
  PetscErrorCode error;
  fm_store *store;
  int64_t row;

  PetscFunctionBegin;
  PetscCall(fm_option_text("truth_model", &text));
  PetscCall(fm_store_split(world, text, file, &name));
  if (!name) PetscFunctionReturn(0); /* plain numbers */
  PetscCall(PetscStrncpy(copy, name, sizeof(copy)));
  PetscCall(fm_store_open(world, file, &store));
  error = fm_store_split_row(world, store, copy, &row);
  if (!error) error = check_attributes(world, store, copy, grid);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_model(fm_evaluation *e, const fm_model_grid *grid, int ndim,
                                  const int64_t *shape, const double *model) {
  const int64_t nodes = grid->rows * grid->columns;
  const MPI_Comm world = e->run->comm.world;
  double low = INFINITY, high = -INFINITY;
  int64_t size = 1;

  PetscFunctionBegin;
  for (int k = 0; k < ndim; k++) size *= shape[k];
  fm_check(size == nodes && fm_store_image_fits(ndim, shape, grid->rows, grid->columns), world,
           PETSC_ERR_USER, "-truth_model has %lld numbers, a model of %s is [%lld][%lld]%s",
           (long long)size, fm_operator_describe(e->target->op), (long long)grid->rows,
           (long long)grid->columns,
           size > nodes && size % nodes == 0
               ? "; one row of several is named as FILE:/dataset[ROW]"
               : "");
  for (int64_t i = 0; i < nodes; i++) {
    low = fmin(low, model[i]);
    high = fmax(high, model[i]);
  }
  fm_check(strcmp(grid->unit, "m/s") || (low >= SLOWEST && high <= FASTEST), world,
           PETSC_ERR_USER,
           "-truth_model has values from %.6g to %.6g: m/s are expected, %d to %d%s", low, high,
           SLOWEST, FASTEST, high < SLOWEST ? "; are these km/s?" : "");
  PetscCall(check_file(world, grid));
  fm_check(e->target->n == nodes, world, PETSC_ERR_USER,
           "-truth_model has %lld nodes, but the operator has %lld unknowns, of which no model "
           "is known (-acoustic_coordinates modes): give the true unknown as -truth, or take "
           "the velocities' errors from sample -truth_model",
           (long long)nodes, (long long)e->target->n);
  PetscFunctionReturn(0);
}

/* How much of the model its unknown keeps: frozen nodes have the background's velocity. */
static PetscErrorCode say_lost(fm_evaluation *e, const fm_model_grid *grid,
                               const double *model) {
  const int64_t nodes = grid->rows * grid->columns;
  double *kept, lost = 0, norm = 0, most = 0;

  PetscFunctionBegin;
  PetscCall(fm_calloc(nodes, &kept));
  PetscCall(fm_operator_model(e->target->op, e->truth.x, kept));
  for (int64_t i = 0; i < nodes; i++) {
    const double d = kept[i] - model[i];

    lost += d * d / (double)nodes;
    norm += model[i] * model[i] / (double)nodes;
    most = fmax(most, fabs(d));
  }
  PetscCall(PetscFree(kept));
  PetscCall(fm_result(e->run->results, "truth_model_lost", sqrt(lost), grid->unit));
  if (most > LOST * sqrt(norm))
    fm_warn("-truth_model differs from the model of its unknown by %.4g %s rms, %.4g at most: "
            "frozen nodes keep the background's; chi^2 of the truth is that of the unknown",
            sqrt(lost), grid->unit, most);
  PetscFunctionReturn(0);
}

static PetscErrorCode from_model(fm_evaluation *e) {
  const fm_model_grid grid = fm_operator_model_grid(e->target->op);
  int64_t shape[FM_STORE_NDIM];
  PetscErrorCode error;
  double *model;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(e->run->comm.world, "truth_model", &ndim, shape, &model));
  if (!model) PetscFunctionReturn(0);
  fm_check(grid.rows, e->run->comm.world, PETSC_ERR_USER,
           "-truth_model: the unknown of %s is all there is, give it as -truth",
           fm_operator_describe(e->target->op));
  fm_check(!e->truth.x, e->run->comm.world, PETSC_ERR_USER,
           "-truth and -truth_model exclude each other: the unknown, or the model in %s",
           grid.unit);
  error = check_model(e, &grid, ndim, shape, model);
  if (!error) error = fm_calloc(e->target->n, &e->truth.x);
  if (!error) error = fm_operator_unknown(e->target->op, model, e->truth.x);
  if (!error) error = say_lost(e, &grid, model);
  PetscCall(PetscFree(model));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_truth(fm_evaluation *e) {
  PetscFunctionBegin;
  PetscCall(fm_maps_truth(e->run, e->t, &e->truth.x));
  PetscCall(from_model(e));
  PetscFunctionReturn(0);
}

/* ---- among the samples ---- */

/* z of each unknown, on every rank, and its root mean square. */
static PetscErrorCode scores(fm_evaluation *e) {
  const double s = (double)e->d.count;
  double *std, square = 0;
  PetscMPIInt n;

  PetscFunctionBegin;
  if (e->d.count < 4) PetscFunctionReturn(0);
  PetscCall(PetscMPIIntCast((PetscInt)e->target->n, &n));
  PetscCall(PetscCalloc1(n, &std));
  PetscCall(fm_calloc(n, &e->truth.z));
  if (e->d.x) { /* rank 0; truth.z is the mean for a while */
    fm_samples_mean(e->d.count, n, e->d.x, NULL, e->truth.z);
    fm_samples_std(e->d.count, n, e->d.x, NULL, e->truth.z, std);
    for (PetscMPIInt i = 0; i < n; i++)
      e->truth.z[i] = std[i] > 0 ? (e->truth.x[i] - e->truth.z[i]) / std[i] : 0;
  }
  PetscCallMPI(MPI_Bcast(e->truth.z, n, MPI_DOUBLE, 0, e->run->comm.world));
  for (PetscMPIInt i = 0; i < n; i++) square += e->truth.z[i] * e->truth.z[i] / (double)n;
  PetscCall(fm_result(e->run->results, "truth_z_rms",
                      sqrt(square / ((1 + 1 / s) * (s - 1) / (s - 3))), "1"));
  PetscCall(PetscFree(std));
  PetscFunctionReturn(0);
}

/* -log q of this rank's share of the samples; the last is the truth. Sorted out by a maximum.
 */
static PetscErrorCode energies(fm_evaluation *e, int64_t total, const double *x,
                               double *value) {
  const int64_t n = e->target->n;
  int64_t first, count;
  fm_real *v, logq;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &v));
  PetscCall(fm_comm_share(&e->run->comm, total, &first, &count));
  for (int64_t k = 0; k < total; k++) value[k] = -INFINITY;
  for (int64_t k = first; k < first + count; k++) {
    for (int64_t i = 0; i < n; i++) v[i] = (fm_real)x[k * n + i];
    PetscCall(fm_transport_score(e->t, e->theta, 1, v, &logq, NULL));
    value[k] = isfinite((double)logq) ? -(double)logq : 1e300;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, value, (PetscMPIInt)total, MPI_DOUBLE, MPI_MAX,
                             e->run->comm.sample));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode place(fm_evaluation *e, int64_t samples, double *value) {
  const double truth = value[samples];
  fm_results *r = e->run->results;
  fm_typical of = {0};

  PetscFunctionBegin;
  fm_typical_of_values(samples, value, &of);
  PetscCall(fm_result(r, "truth_minus_log_q", truth, "nats"));
  PetscCall(fm_result(r, "samples_minus_log_q", of.mean, "nats"));
  if (!fm_typical_has_range(&of)) PetscFunctionReturn(0);
  PetscCall(fm_result(r, "samples_minus_log_q_low", of.low, "nats"));
  PetscCall(fm_result(r, "samples_minus_log_q_high", of.high, "nats"));
  if (fm_typical_side(&of, truth))
    fm_warn("the truth is not among the posterior's samples: its -log q is %.6g nats, %s %.6g "
            "to %.6g of %lld samples (0.1 to 99.9 %%): the flow has not converged, or has too "
            "%s spread",
            truth, fm_typical_side(&of, truth) > 0 ? "above" : "below", of.low, of.high,
            (long long)samples, fm_typical_side(&of, truth) > 0 ? "little" : "much");
  PetscFunctionReturn(0);
}

static PetscErrorCode density(fm_evaluation *e) {
  const int64_t n = e->target->n, samples = PetscMin(e->d.count, SAMPLES);
  double *x, *value;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)((samples + 1) * n), &size));
  PetscCall(PetscCalloc2(size, &x, samples + 1, &value));
  if (e->d.x) PetscCall(PetscArraycpy(x, e->d.x, samples * n));
  PetscCall(PetscArraycpy(x + samples * n, e->truth.x, n));
  PetscCallMPI(MPI_Bcast(x, size, MPI_DOUBLE, 0, e->run->comm.world));
  PetscCall(energies(e, samples + 1, x, value));
  PetscCall(place(e, samples, value));
  PetscCall(PetscFree2(x, value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_place_truth(fm_evaluation *e) {
  PetscFunctionBegin;
  if (!e->truth.x) PetscFunctionReturn(0);
  PetscCall(scores(e));
  PetscCall(density(e));
  PetscFunctionReturn(0);
}
