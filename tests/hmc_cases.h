/* What chains are tested on: Gaussians that need no operator, and settings. */
#ifndef HMC_CASES_H
#define HMC_CASES_H

#include "fathom/convergence.h"
#include "fathom/sampler.h"
#include "fm_test.h"

/* U(q) = |L^-1 (q - mean)|^2 / 2: a Gaussian of covariance L L^T, no two unknowns alike. */
#define GAUSS_N 4
static const double gauss_mean[GAUSS_N] = {1, -20, 0.3, 5};
static const double gauss_l[GAUSS_N][GAUSS_N] = {
    {2, 0, 0, 0}, {-10, 15, 0, 0}, {0.02, 0.01, 0.03, 0}, {0.3, -0.4, 0.5, 0.9}};

typedef struct gauss {
  int64_t evaluations;
  double edge; /* q[0] below it cannot be evaluated */
} gauss;

static inline PetscErrorCode gauss_evaluate(void *context, fm_key key, const double *q,
                                            double *value, double *gradient, fm_real *x,
                                            PetscBool *ok) {
  gauss *g = (gauss *)context;
  double u[GAUSS_N];

  *value = 0;
  for (int i = 0; i < GAUSS_N; i++) {
    u[i] = q[i] - gauss_mean[i];
    for (int j = 0; j < i; j++) u[i] -= gauss_l[i][j] * u[j];
    u[i] /= gauss_l[i][i];
    *value += u[i] * u[i] / 2;
  }
  for (int i = GAUSS_N - 1; i >= 0; i--) { /* L^T gradient = u */
    gradient[i] = u[i];
    for (int j = i + 1; j < GAUSS_N; j++) gradient[i] -= gauss_l[j][i] * gradient[j];
    gradient[i] /= gauss_l[i][i];
  }
  for (int i = 0; i < GAUSS_N; i++) x[i] = (fm_real)q[i];
  *ok = q[0] >= g->edge ? PETSC_TRUE : PETSC_FALSE;
  g->evaluations++;
  return 0;
}

static inline fm_potential gauss_potential(gauss *g) {
  *g = (gauss){0, -1e300};
  return (fm_potential){.n = GAUSS_N, .context = g, .evaluate = gauss_evaluate};
}

static inline double gauss_covariance(int i, int j) {
  double sum = 0;

  for (int k = 0; k < GAUSS_N; k++) sum += gauss_l[i][k] * gauss_l[j][k];
  return sum;
}

static inline fm_hmc hmc_settings(int64_t warmup) {
  return (fm_hmc){.seed = 3,
                  .warmup = warmup,
                  .target_accept = 0.7,
                  .trajectory = 1.6,
                  .jitter = 0.5,
                  .most = 1000};
}

static inline fm_sampler *hmc_sampler(const fm_comm *comm, fm_potential *potential,
                                      fm_operator *op, fm_hmc hmc, int64_t chains,
                                      int64_t iterations, int64_t thin) {
  const fm_sampler_inputs in = {.comm = comm,
                                .potential = potential,
                                .op = op,
                                .hmc = hmc,
                                .chains = chains,
                                .iterations = iterations,
                                .thin = thin,
                                .settings = "-seed 3\n",
                                .operator_text = "none"};
  fm_sampler *s;

  fm_ok(fm_sampler_create(&in, &s));
  return s;
}

/* Column i of all draws on this one rank, less `shift`, to a power. */
static inline void hmc_judge(const fm_sampler *s, int64_t i, double shift, int power,
                             fm_convergence *c) {
  const int64_t count = s->in.chains * s->kept;
  double *v;

  fm_ok(fm_calloc(count, &v));
  fm_ok(fm_sampler_column(s, i, 0, v));
  for (int64_t k = 0; k < count; k++) v[k] = pow(v[k] - shift, power);
  fm_ok(fm_convergence_of(s->in.chains, s->kept, v, c));
  fm_ok(PetscFree(v));
}

/* The mean of (x_i - shift)^power is `exact`, within 4.5 standard errors of its own. */
#define hmc_expect(s, i, shift, power, exact)                                                  \
  do {                                                                                         \
    fm_convergence c_;                                                                         \
    hmc_judge(s, i, shift, power, &c_);                                                        \
    if (!(fabs(c_.mean - (exact)) <= 4.5 * c_.mcse))                                           \
      fail_msg("E (x_%d - %g)^%d = %.6g, not %.6g: %.1f standard errors of %.2g", (int)(i),    \
               (double)(shift), power, c_.mean, (double)(exact),                               \
               (c_.mean - (exact)) / c_.mcse, c_.mcse);                                        \
    if (!(c_.rhat < 1.02)) fail_msg("R-hat of unknown %d is %.4f", (int)(i), c_.rhat);         \
  } while (0)

#endif
