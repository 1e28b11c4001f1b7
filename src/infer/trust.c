#include "fathom/trust.h"
#include "fathom/diagnostics.h"
#include "infer/trust_impl.h"
#include <math.h>

static double mean_at(int64_t count, int64_t n, const fm_real *v) {
  double sum = 0;

  for (int64_t s = 0; s < count; s++) sum += (double)v[s * n];
  return sum / (double)count;
}

/* Bias and scale of unknown i, with standard errors: trust.h. */
static void stein(const fm_trust_rows *r, int64_t i, double *work, fm_trust *t) {
  const fm_real *x = r->x + i, *d = r->d + i, *p = r->p + i;
  const double x_mean = mean_at(r->count, t->n, x), d_mean = mean_at(r->count, t->n, d);
  const double p_mean = mean_at(r->count, t->n, p), count = (double)r->count;
  double d_square = 0, p_square = 0, covariance = 0;

  for (int64_t s = 0; s < r->count; s++) {
    const double dd = (double)d[s * t->n] - d_mean, dp = (double)p[s * t->n] - p_mean;

    d_square += dd * dd;
    p_square += dp * dp;
    work[s] = ((double)x[s * t->n] - x_mean) * dd;
    covariance += work[s] / (count - 1.);
  }
  t->bias[i] = p_square > 0 ? -d_mean / sqrt(p_square / (count - 1.)) : 0;
  t->bias_se[i] = p_square > 0 ? sqrt(d_square / p_square / count) : 0;
  t->scale[i] = 1. + covariance;
  fm_mean_of(r->count, work, 1, &t->scale_se[i]);
}

/* n_eff, and the mean of g taken off. */
static PetscErrorCode count_informed(const fm_trust_rows *r, double *work, fm_trust *t) {
  const double count = (double)r->count;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(work, r->count));
  for (int64_t i = 0; i < t->n; i++) {
    const double mean = mean_at(r->count, t->n, r->g + i);

    for (int64_t s = 0; s < r->count; s++) {
      fm_real *g = r->g + s * t->n + i;

      *g = (fm_real)((double)*g - mean);
      work[s] += (double)*g * (double)r->z[s * t->n + i] * count / (count - 1.);
    }
  }
  t->n_eff = fm_mean_of(r->count, work, 1, &t->n_eff_se);
  PetscFunctionReturn(0);
}

/* On rank 0. */
static PetscErrorCode summarize(const fm_trust_rows *r, fm_trust *t) {
  double *work;

  PetscFunctionBegin;
  PetscCall(fm_calloc(r->count, &work));
  t->fisher = fm_mean_of(r->count, r->scalar, r->width, &t->fisher_se);
  t->misfit = 0;
  for (int64_t k = 0; k < t->parts; k++) {
    t->part_misfit[k] = fm_mean_of(r->count, r->scalar + 1 + k, r->width, NULL);
    t->misfit += t->part_misfit[k];
  }
  for (int64_t i = 0; i < t->n; i++) stein(r, i, work, t);
  PetscCall(count_informed(r, work, t));
  PetscCall(PetscFree(work));
  PetscFunctionReturn(0);
}

static PetscErrorCode broadcast(MPI_Comm world, fm_trust *t) {
  double numbers[] = {t->fisher, t->fisher_se, t->n_eff, t->n_eff_se, t->misfit};
  PetscMPIInt n, parts;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)t->n, &n));
  PetscCall(PetscMPIIntCast((PetscInt)t->parts, &parts));
  PetscCallMPI(MPI_Bcast(numbers, 5, MPI_DOUBLE, 0, world));
  t->fisher = numbers[0], t->fisher_se = numbers[1];
  t->n_eff = numbers[2], t->n_eff_se = numbers[3];
  t->misfit = numbers[4];
  PetscCallMPI(MPI_Bcast(t->part_misfit, parts, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(t->bias, n, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(t->bias_se, n, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(t->scale, n, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(t->scale_se, n, MPI_DOUBLE, 0, world));
  PetscFunctionReturn(0);
}

/* As it is where nothing could be measured. */
static PetscErrorCode create(const fm_target *target, fm_trust *t) {
  PetscInt parts;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(target->op, &parts));
  *t = (fm_trust){.n = target->n, .parts = parts};
  t->fisher = t->fisher_se = t->n_eff = t->n_eff_se = t->misfit = (double)NAN;
  t->ess_fraction = t->ess_least = (double)NAN;
  PetscCall(fm_calloc(parts, &t->part_misfit));
  PetscCall(fm_calloc(t->n, &t->bias));
  PetscCall(fm_calloc(t->n, &t->bias_se));
  PetscCall(fm_calloc(t->n, &t->scale));
  PetscCall(fm_calloc(t->n, &t->scale_se));
  for (int64_t k = 0; k < parts; k++) t->part_misfit[k] = (double)NAN;
  for (int64_t i = 0; i < t->n; i++)
    t->bias[i] = t->bias_se[i] = t->scale[i] = t->scale_se[i] = (double)NAN;
  PetscFunctionReturn(0);
}

static PetscErrorCode measure(fm_target *target, fm_transport *transport, const fm_real *theta,
                              const fm_trust_inputs *in, fm_trust *t) {
  fm_trust_rows rows;

  PetscFunctionBegin;
  PetscCall(fm_trust_rows_measure(target, transport, theta, in, &rows));
  PetscCallMPI(MPI_Bcast(&rows.count, 1, MPI_INT64_T, 0, target->comm->world));
  t->count = rows.count;
  t->failed = in->latents - rows.count;
  if (rows.count >= 2) {
    if (rows.scalar) PetscCall(summarize(&rows, t));
    PetscCall(broadcast(target->comm->world, t));
    PetscCall(fm_trust_modes(target, transport, theta, in, &rows, t));
  }
  PetscCall(fm_trust_rows_clear(&rows));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trust_measure(fm_target *target, fm_transport *transport,
                                const fm_real *theta, const fm_trust_inputs *in, fm_trust *t) {
  fm_purpose purpose;

  PetscFunctionBegin;
  PetscCall(create(target, t));
  PetscCall(fm_operator_set_purpose(target->op, FM_DIAGNOSTIC, &purpose));
  PetscCall(measure(target, transport, theta, in, t));
  PetscCall(fm_operator_set_purpose(target->op, purpose, NULL));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trust_clear(fm_trust *t) {
  PetscFunctionBegin;
  PetscCall(PetscFree(t->part_misfit));
  PetscCall(PetscFree(t->bias));
  PetscCall(PetscFree(t->bias_se));
  PetscCall(PetscFree(t->scale));
  PetscCall(PetscFree(t->scale_se));
  PetscCall(PetscFree(t->informed));
  PetscCall(PetscFree(t->direction));
  PetscFunctionReturn(0);
}

double fm_trust_rms_bias(const fm_trust *t, int64_t first, int64_t count) {
  double sum = 0;

  for (int64_t i = first; i < first + count; i++)
    sum += t->bias[i] * t->bias[i] - t->bias_se[i] * t->bias_se[i];
  return isnan(sum) ? sum : sqrt(fmax(0., sum / (double)count));
}

double fm_trust_mean_scale(const fm_trust *t, int64_t first, int64_t count) {
  double sum = 0;

  for (int64_t i = first; i < first + count; i++) sum += t->scale[i];
  return sum / (double)count;
}
