/* The linear-Gaussian row with a triangular flow that is set, not trained: the exact posterior,
   or one whose stds are all a factor too large or whose mean is shifted. */
#ifndef TRUST_CASES_H
#define TRUST_CASES_H

#include "fathom/trust.h"
#include "infer_cases.h"

typedef struct trust_case {
  infer_fixture f;
  double a[LG_M][LG_N], mu[LG_N], sigma[LG_N][LG_N];
  double precision[LG_N][LG_N]; /* of the posterior: A^T A / 0.1 + I / 9 */
} trust_case;

static inline void trust_golds(trust_case *c) {
  gold("A", LG_M * LG_N, &c->a[0][0]);
  gold("mu", LG_N, c->mu);
  gold("Sigma", LG_N * LG_N, &c->sigma[0][0]);
  for (int i = 0; i < LG_N; i++)
    for (int j = 0; j < LG_N; j++) {
      c->precision[i][j] = i == j ? 1. / 9 : 0;
      for (int k = 0; k < LG_M; k++) c->precision[i][j] += c->a[k][i] * c->a[k][j] / 0.1;
    }
}

/* Lower l with l^T l = the posterior's precision in whitened units. */
static inline void trust_root(const trust_case *c, double l[LG_N][LG_N]) {
  const double *std = c->f.transport->x_std;
  double p[LG_N][LG_N];

  memset(l, 0, sizeof(p));
  for (int i = 0; i < LG_N; i++)
    for (int j = 0; j < LG_N; j++) p[i][j] = c->precision[i][j] * std[i] * std[j];
  for (int k = LG_N - 1; k >= 0; k--) {
    for (int j = 0; j <= k; j++) l[k][j] = p[k][j] / sqrt(p[k][k]);
    for (int i = 0; i <= k; i++)
      for (int j = 0; j <= k; j++) p[i][j] -= l[k][i] * l[k][j];
  }
}

/* x = mu + factor R (z + shift): R R^T = Sigma. */
static inline void trust_set(trust_case *c, double factor, double shift) {
  const fm_transport *t = c->f.transport;
  double l[LG_N][LG_N];
  int64_t k = 2 * LG_N;

  trust_root(c, l);
  for (int i = 0; i < LG_N; i++) {
    double b = -shift;

    for (int j = 0; j <= i; j++)
      b -= l[i][j] / factor * (c->mu[j] - t->x_mean[j]) / t->x_std[j];
    c->f.theta[i] = (fm_real)log(l[i][i] / factor);
    c->f.theta[LG_N + i] = (fm_real)b;
    for (int j = 0; j < i; j++) c->f.theta[k++] = (fm_real)(l[i][j] / factor);
  }
}

static inline void trust_open(trust_case *c, MPI_Comm world, PetscMPIInt ranks_per_sample) {
  infer_open(&c->f, &linear_gaussian, world, ranks_per_sample,
             triangular_spec(&linear_gaussian));
  trust_golds(c);
}

static inline fm_trust trust_measure(infer_fixture *f, int64_t latents, int64_t modes,
                                     int64_t draws) {
  const fm_trust_inputs in = {11, latents, modes, draws};
  fm_trust t;

  fm_ok(fm_trust_measure(f->target, f->transport, f->theta, &in, &t));
  return t;
}

#endif
