#include "fathom/cycles.h"
#include "fathom/gather.h"
#include "fathom/likelihood.h"
#include <math.h>

#define LOUD 2. /* energy of a trace that is judged, in that of its noise */

/* ---- one trace ---- */

/* sum_t p(t + lag) o(t) where both are. */
static double correlation(int64_t n, const double *o, const double *p, int64_t lag) {
  double sum = 0;

  for (int64_t t = PetscMax(0, -lag); t < PetscMin(n, n - lag); t++) sum += p[t + lag] * o[t];
  return sum;
}

/* Where the parabola through three neighbours has its top, beside the one in the middle. */
static double top_of(double left, double middle, double right) {
  const double bend = left - 2 * middle + right;

  return bend < 0 ? fmax(-0.5, fmin(0.5, 0.5 * (left - right) / bend)) : 0;
}

double fm_trace_lag(int64_t n, const double *o, const double *p, int64_t most) {
  double best = 0;
  int64_t at = 0;

  for (int64_t lag = -most; lag <= most; lag++) {
    const double c = correlation(n, o, p, lag);

    if (c > best) best = c, at = lag;
  }
  if (!(best > 0)) return (double)NAN;
  if (at == -most || at == most) return (double)at;
  return (double)at + top_of(correlation(n, o, p, at - 1), best, correlation(n, o, p, at + 1));
}

/* ---- all of them ---- */

typedef struct {
  int64_t samples;
  double period; /* in samples */
  double *sigma;
  PetscBool *counts;
  double *o, *p; /* a trace with zeros where data do not count */
} measure;

PetscBool fm_cycles_known(const fm_target *t) {
  double dt, frequency;
  PetscBool background;
  int64_t samples;

  fm_operator_traces(t->op, &samples, &dt);
  fm_operator_wavelet(t->op, &frequency, &background);
  return samples > 1 && frequency > 0 ? PETSC_TRUE : PETSC_FALSE;
}

static void judge_trace(const measure *m, const double *y, const double *d, int64_t first,
                        fm_cycles *c) {
  double observed = 0, predicted = 0, noise = 0, lag;

  for (int64_t t = 0; t < m->samples; t++) {
    const int64_t i = first + t;
    const double sigma = m->counts[i] ? m->sigma[i] : 0;

    m->o[t] = m->counts[i] ? y[i] : 0;
    m->p[t] = m->counts[i] ? d[i] : 0;
    observed += m->o[t] * m->o[t];
    predicted += m->p[t] * m->p[t];
    noise += sigma * sigma;
  }
  if (!(observed > LOUD * noise) || !(predicted > 0)) return;
  lag = fm_trace_lag(m->samples, m->o, m->p, (int64_t)ceil(m->period));
  c->judged++;
  c->skipped += !(fabs(lag) <= m->period / 2);
}

static PetscErrorCode judge_all(fm_target *t, const measure *m, const fm_real *x,
                                fm_cycles *c) {
  fm_purpose purpose;
  PetscBool ok;
  double *d;

  PetscFunctionBegin;
  PetscCall(fm_calloc(t->m, &d));
  PetscCall(fm_operator_set_purpose(t->op, FM_DIAGNOSTIC, &purpose));
  fm_operator_set_taped(t->op, PETSC_FALSE);
  PetscCall(fm_operator_forward(t->op, x, d, &ok));
  fm_operator_set_taped(t->op, PETSC_TRUE);
  PetscCall(fm_operator_set_purpose(t->op, purpose, NULL));
  for (int64_t i = 0; i < t->m && ok; i += m->samples) judge_trace(m, t->y, d, i, c);
  PetscCall(PetscFree(d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_cycles_measure(fm_target *t, const fm_real *x, fm_cycles *c) {
  double dt, frequency;
  PetscBool background;
  PetscMPIInt rank;
  measure m;

  PetscFunctionBegin;
  *c = (fm_cycles){.share = (double)NAN};
  if (!fm_cycles_known(t)) PetscFunctionReturn(0);
  fm_operator_traces(t->op, &m.samples, &dt);
  fm_operator_wavelet(t->op, &frequency, &background);
  m.period = 1 / (frequency * dt);
  PetscCall(PetscMalloc4(t->m, &m.sigma, t->m, &m.counts, m.samples, &m.o, m.samples, &m.p));
  PetscCall(fm_likelihood_noise_of(t->comm->world, t->op, m.sigma));
  PetscCall(fm_likelihood_mask(t->comm->world, t->m, m.counts));
  PetscCallMPI(MPI_Comm_rank(t->comm->sample, &rank));
  if (!rank) PetscCall(judge_all(t, &m, x, c));
  PetscCall(PetscFree4(m.sigma, m.counts, m.o, m.p));
  c->traces = t->m / m.samples;
  PetscCallMPI(MPI_Bcast(&c->judged, 1, MPI_INT64_T, 0, t->comm->sample));
  PetscCallMPI(MPI_Bcast(&c->skipped, 1, MPI_INT64_T, 0, t->comm->sample));
  if (c->judged) c->share = (double)c->skipped / (double)c->judged;
  PetscFunctionReturn(0);
}
