/* Do the samples, and their mean, explain the data to the noise? */
#include "evaluate.h"
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include "fathom/log.h"
#include <math.h>

/* 1/2 sum r^2 / sigma^2 of each part, and how many data count in it. */
static PetscErrorCode add_up(fm_evaluation *e, const double *d, double *misfit) {
  fm_operator *op = e->target->op;
  const int64_t m = e->target->m;
  double *sigma;
  PetscBool *counts;
  int64_t first, count;

  PetscFunctionBegin;
  PetscCall(fm_calloc(m, &sigma));
  PetscCall(fm_calloc(m, &counts));
  PetscCall(fm_likelihood_noise_of(e->run->comm.world, op, sigma));
  PetscCall(fm_likelihood_mask(e->run->comm.world, m, counts));
  for (int64_t p = 0; p < e->fit.parts; p++) {
    PetscCall(fm_operator_part_range(op, (PetscInt)p, &first, &count));
    e->fit.data[p] = misfit[p] = 0;
    for (int64_t k = first; k < first + count; k++) {
      const double r = (d[k] - e->target->y[k]) / sigma[k];

      e->fit.data[p] += counts[k] ? 1 : 0;
      misfit[p] += counts[k] ? r * r / 2 : 0;
    }
  }
  if (fm_operator_rank(op) < m) e->fit.data[0] = (double)fm_operator_rank(op);
  PetscCall(PetscFree(sigma));
  PetscCall(PetscFree(counts));
  PetscFunctionReturn(0);
}

/* d = F(x) on every rank; NaN where the solve failed. The first sample rank makes the solve. */
static PetscErrorCode forward(fm_evaluation *e, const double *x, double *d) {
  PetscBool ok = PETSC_TRUE;
  PetscMPIInt rank, m;
  fm_purpose purpose;
  fm_real *model;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)e->target->m, &m));
  PetscCallMPI(MPI_Comm_rank(e->run->comm.sample, &rank));
  PetscCall(PetscMalloc1((size_t)e->target->n, &model));
  for (int64_t i = 0; i < e->target->n; i++) model[i] = (fm_real)x[i];
  PetscCall(fm_operator_set_purpose(e->target->op, FM_DIAGNOSTIC, &purpose));
  if (!rank) PetscCall(fm_operator_forward(e->target->op, model, d, &ok));
  PetscCall(fm_operator_set_purpose(e->target->op, purpose, NULL));
  for (int64_t k = 0; k < m && !ok; k++) d[k] = (double)NAN;
  PetscCallMPI(MPI_Bcast(d, m, MPI_DOUBLE, 0, e->run->comm.sample));
  PetscCall(PetscFree(model));
  PetscFunctionReturn(0);
}

/* The first posterior sample, by octaves. */
static PetscErrorCode octaves(fm_evaluation *e) {
  const int64_t m = e->target->m;
  double *x, *d, *sigma, dt;
  PetscBool *counts;
  int64_t samples;
  PetscMPIInt n;

  PetscFunctionBegin;
  fm_operator_traces(e->target->op, &samples, &dt);
  if (!samples) PetscFunctionReturn(0);
  PetscCall(PetscMPIIntCast((PetscInt)e->target->n, &n));
  PetscCall(PetscCalloc4(n, &x, m, &d, m, &sigma, m, &counts));
  if (e->d.x) PetscCall(PetscArraycpy(x, e->d.x, n));
  PetscCallMPI(MPI_Bcast(x, n, MPI_DOUBLE, 0, e->run->comm.world));
  PetscCall(forward(e, x, d));
  PetscCall(fm_likelihood_noise_of(e->run->comm.world, e->target->op, sigma));
  PetscCall(fm_likelihood_mask(e->run->comm.world, m, counts));
  PetscCall(fm_bands_measure(e, d, sigma, counts));
  PetscCall(PetscFree4(x, d, sigma, counts));
  PetscFunctionReturn(0);
}

/* Of the samples, and of their mean. */
static PetscErrorCode mean_model(fm_evaluation *e) {
  fm_fit *f = &e->fit;
  double *mean, *misfit, sum = 0;
  PetscMPIInt n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)e->target->n, &n));
  PetscCall(fm_calloc(n, &mean));
  PetscCall(fm_calloc(f->parts, &misfit));
  if (e->d.x) fm_samples_mean(e->d.count, n, e->d.x, NULL, mean);
  PetscCallMPI(MPI_Bcast(mean, n, MPI_DOUBLE, 0, e->run->comm.world));
  PetscCall(forward(e, mean, f->predicted));
  PetscCall(add_up(e, f->predicted, misfit));
  f->all_data = 0;
  for (int64_t p = 0; p < f->parts; p++) {
    f->all_data += f->data[p];
    sum += misfit[p];
    f->chi2_mean[p] = 2 * misfit[p] / f->data[p];
    f->chi2[p] = 2 * e->trust.part_misfit[p] / f->data[p];
  }
  f->all = 2 * e->trust.misfit / f->all_data;
  f->mean = 2 * sum / f->all_data;
  PetscCall(PetscFree(mean));
  PetscCall(PetscFree(misfit));
  PetscFunctionReturn(0);
}

/* With the true unknown. */
static PetscErrorCode compare(fm_evaluation *e) {
  double *d, *misfit, sum = 0;

  PetscFunctionBegin;
  e->fit.excess_of_truth = (double)NAN;
  if (!e->truth.x) PetscFunctionReturn(0);
  PetscCall(fm_calloc(e->target->m, &d));
  PetscCall(fm_calloc(e->fit.parts, &misfit));
  PetscCall(forward(e, e->truth.x, d));
  PetscCall(add_up(e, d, misfit));
  for (int64_t p = 0; p < e->fit.parts; p++) sum += misfit[p];
  e->fit.excess_of_truth = e->trust.misfit - sum;
  if (isnan(sum))
    fm_warn("the truth cannot be solved with: %s", fm_operator_reason(e->target->op));
  PetscCall(PetscFree(d));
  PetscCall(PetscFree(misfit));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_fit_measure(fm_evaluation *e) {
  fm_fit *f = &e->fit;
  PetscInt parts;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(e->target->op, &parts));
  f->parts = parts;
  PetscCall(fm_calloc(parts, &f->data));
  PetscCall(fm_calloc(parts, &f->chi2));
  PetscCall(fm_calloc(parts, &f->chi2_mean));
  PetscCall(fm_calloc(e->target->m, &f->predicted));
  PetscCall(mean_model(e));
  PetscCall(octaves(e));
  PetscCall(compare(e));
  PetscFunctionReturn(0);
}
