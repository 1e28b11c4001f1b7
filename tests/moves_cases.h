/* What moves are tested on: a posterior that is nearly N(0, I) in latent space, as one behind a
   flow is, and known. */
#ifndef MOVES_CASES_H
#define MOVES_CASES_H

#include "fathom/moves.h"
#include "fm_test.h"
#include <math.h>

/* The first two unknowns have the covariance LARGE (1, RHO; RHO, 1), the others are N(0, 1);
   all are shifted by SHIFT. */
#define NEARLY_N 32
#define LARGE 1.44
#define RHO 0.5
#define SHIFT 0.3

typedef struct nearly {
  int64_t evaluations;
  double edge; /* q[0] above it cannot be evaluated */
  double tilt; /* added to U: another posterior */
} nearly;

static inline PetscErrorCode nearly_evaluate(void *context, fm_key key, const double *q,
                                             double *value, double *gradient, fm_real *x,
                                             PetscBool *ok) {
  nearly *p = (nearly *)context;
  const double a = q[0] - SHIFT, b = q[1] - SHIFT, c = LARGE * (1 - RHO * RHO);

  gradient[0] = (a - RHO * b) / c;
  gradient[1] = (b - RHO * a) / c;
  *value = (a * gradient[0] + b * gradient[1]) / 2 + p->tilt;
  for (int i = 2; i < NEARLY_N; i++) {
    gradient[i] = q[i] - SHIFT;
    *value += gradient[i] * gradient[i] / 2;
  }
  for (int i = 0; i < NEARLY_N; i++) x[i] = (fm_real)(10 * q[i]);
  *ok = q[0] <= p->edge ? PETSC_TRUE : PETSC_FALSE;
  p->evaluations++;
  return 0;
}

static inline fm_potential nearly_potential(nearly *p) {
  *p = (nearly){.edge = 1e300};
  return (fm_potential){.n = NEARLY_N, .context = p, .evaluate = nearly_evaluate};
}

/* Latents of `total` samples, the share of this rank. */
static inline fm_moves_inputs nearly_inputs(const fm_comm *comm, fm_potential *potential,
                                            int64_t total, fm_real **z) {
  fm_moves_inputs in = {.comm = comm,
                        .potential = potential,
                        .seed = 7,
                        .trajectory = PETSC_PI / 2,
                        .target = 0.75,
                        .total = total};

  fm_ok(fm_comm_share(comm, total, &in.first, &in.count));
  fm_ok(fm_calloc(in.count * NEARLY_N, z));
  for (int64_t s = 0; s < in.count; s++)
    fm_rng_normal((fm_rng){7, FM_STREAM_SAMPLE}, 0, (uint64_t)(in.first + s), NEARLY_N,
                  *z + s * NEARLY_N);
  return in;
}

static inline void round_of(fm_moves *m) {
  PetscBool ended;

  fm_ok(fm_moves_some(m, INT64_MAX, &ended));
  assert_true(ended);
}

#endif
