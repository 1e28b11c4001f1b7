/* Weights in the few directions that the data inform most. */
#include "fathom/lapack.h"
#include "infer/collect.h"
#include "infer/trust_impl.h"
#include <math.h>

#define BASES 4         /* at most */
#define DRAWS_A_BASE 64 /* wanted before there is another base */
#define NEGLIGIBLE 1e-10

/* Inner products over count - 1: of the rows of g, [count][count], or of its columns, [n][n];
   both have the eigenvalues of the rows' covariance. */
static void products_of_rows(int64_t count, int64_t n, const fm_real *g, double *a) {
  for (int64_t s = 0; s < count; s++)
    for (int64_t r = 0; r <= s; r++) {
      double sum = 0;

      for (int64_t i = 0; i < n; i++) sum += (double)g[s * n + i] * (double)g[r * n + i];
      a[s * count + r] = a[r * count + s] = sum / ((double)count - 1.);
    }
}

static void products_of_columns(int64_t count, int64_t n, const fm_real *g, double *a) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      double sum = 0;

      for (int64_t s = 0; s < count; s++) sum += (double)g[s * n + i] * (double)g[s * n + j];
      a[i * n + j] = a[j * n + i] = sum / ((double)count - 1.);
    }
}

/* v [n] = sum_s u_s g_s, of length 1. */
static void direction(int64_t count, int64_t n, const double *u, const fm_real *g, double *v) {
  double norm = 0;

  for (int64_t i = 0; i < n; i++) {
    v[i] = 0;
    for (int64_t s = 0; s < count; s++) v[i] += u[s] * (double)g[s * n + i];
    norm += v[i] * v[i];
  }
  for (int64_t i = 0; i < n; i++) v[i] /= sqrt(norm);
}

/* On rank 0: as many modes as there are, at most *modes; v [*modes][n]. The smaller of the two
   matrices is taken. */
static PetscErrorCode find(const fm_trust_rows *r, int64_t n, int64_t *modes, double *v,
                           double *informed) {
  const PetscBool by_rows = r->count < n ? PETSC_TRUE : PETSC_FALSE;
  const int64_t size = by_rows ? r->count : n, most = PetscMin(*modes, by_rows ? size - 1 : n);
  double *a, *w;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(size * size, &a, size, &w));
  if (by_rows)
    products_of_rows(r->count, n, r->g, a);
  else
    products_of_columns(r->count, n, r->g, a);
  PetscCall(fm_eigenpairs(size, a, w));
  *modes = 0;
  while (*modes < most && w[size - 1 - *modes] > NEGLIGIBLE * w[size - 1]) {
    const double *u = a + (size - 1 - *modes) * size;

    if (by_rows)
      direction(r->count, n, u, r->g, v + *modes * n);
    else
      PetscCall(PetscArraycpy(v + *modes * n, u, n));
    informed[*modes] = sqrt(w[size - 1 - *modes]);
    (*modes)++;
  }
  PetscCall(PetscFree2(a, w));
  PetscFunctionReturn(0);
}

/* ---- draws ---- */

typedef struct {
  fm_target *target;
  fm_transport *t;
  const fm_real *theta;
  const fm_trust *trust;
  fm_rng rng;
  uint64_t base;  /* index of the first base latent */
  int64_t a_base; /* draws of one */
} problem;

/* z = base + V V^T (fresh - base). */
static void latent(const problem *p, int64_t draw, fm_real *fresh, fm_real *z) {
  const int64_t n = p->t->n;

  fm_rng_normal(p->rng, 0, p->base + (uint64_t)(draw / p->a_base), (size_t)n, z);
  fm_rng_normal(p->rng, 1, (uint64_t)draw, (size_t)n, fresh);
  for (int64_t i = 0; i < n; i++) fresh[i] -= z[i];
  for (int64_t k = 0; k < p->trust->modes; k++) {
    const double *v = p->trust->direction + k * n;
    double along = 0;

    for (int64_t i = 0; i < n; i++) along += v[i] * (double)fresh[i];
    for (int64_t i = 0; i < n; i++) z[i] += (fm_real)(along * v[i]);
  }
}

/* logw of draws [first, first + nb): log p/q, not finite where the sample failed. */
static PetscErrorCode weigh(const problem *p, int64_t first, int64_t nb, fm_real *z, fm_real *x,
                            double *logw) {
  fm_real *logdet, *fresh;
  uint64_t *sample;
  PetscBool *ok;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(nb, &logdet, p->t->n, &fresh, nb, &sample, nb, &ok));
  for (int64_t s = 0; s < nb; s++) {
    sample[s] = (uint64_t)(first + s);
    latent(p, first + s, fresh, z + s * p->t->n);
  }
  PetscCall(fm_transport_generate(p->t, p->theta, nb, z, x, logdet));
  PetscCall(
      fm_target_evaluate(p->target, (fm_key){1, sample, NULL}, nb, x, logw, NULL, NULL, ok));
  for (int64_t s = 0; s < nb; s++) {
    const double j = logw[s] - (double)logdet[s];

    logw[s] = ok[s] ? -j - fm_log_normal(p->t->n, z + s * p->t->n) : (double)NAN;
  }
  PetscCall(PetscFree4(logdet, fresh, sample, ok));
  PetscFunctionReturn(0);
}

static PetscErrorCode weigh_all(const problem *p, int64_t draws, double **logw) {
  const int64_t most = fm_transport_block(p->t);
  int64_t first, mine;
  fm_real *z, *x;

  PetscFunctionBegin;
  PetscCall(fm_comm_share_blocks(p->target->comm, draws, most, &first, &mine));
  PetscCall(fm_calloc(mine, logw));
  PetscCall(PetscMalloc2(most * p->t->n, &z, most * p->t->n, &x));
  for (int64_t at = 0; at < mine; at += most)
    PetscCall(weigh(p, first + at, PetscMin(most, mine - at), z, x, *logw + at));
  PetscCall(PetscFree2(z, x));
  PetscCall(fm_collect_rows(p->target->comm->sample, sizeof(**logw), mine, draws, logw));
  PetscFunctionReturn(0);
}

/* (sum w)^2 / (N sum w^2) of the finite ones. */
static double ess_of(int64_t count, const double *logw, int64_t *failed) {
  double top = -INFINITY, sum = 0, square = 0, kept = 0;

  for (int64_t s = 0; s < count; s++)
    if (isfinite(logw[s])) top = fmax(top, logw[s]);
  for (int64_t s = 0; s < count; s++) {
    const double w = isfinite(logw[s]) ? exp(logw[s] - top) : 0;

    sum += w;
    square += w * w;
    kept += isfinite(logw[s]) ? 1 : 0;
  }
  *failed += count - (int64_t)kept;
  return sum * sum / (kept * square);
}

static void judge(const double *logw, int64_t a_base, fm_trust *t) {
  t->ess_fraction = 0;
  t->ess_least = 1;
  for (int64_t b = 0; b < t->bases; b++) {
    const double ess = ess_of(a_base, logw + b * a_base, &t->failed_draws);

    t->ess_fraction += ess / (double)t->bases;
    t->ess_least = ess < t->ess_least ? ess : t->ess_least;
  }
}

static PetscErrorCode broadcast(MPI_Comm world, fm_trust *t) {
  double ess[] = {t->ess_fraction, t->ess_least};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(ess, 2, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(&t->failed_draws, 1, MPI_INT64_T, 0, world));
  t->ess_fraction = ess[0];
  t->ess_least = ess[1];
  PetscFunctionReturn(0);
}

static PetscErrorCode test(problem *p, int64_t draws, fm_trust *t) {
  double *logw;

  PetscFunctionBegin;
  t->bases = PetscMax(1, PetscMin(BASES, draws / DRAWS_A_BASE));
  if (t->modes == t->n) t->bases = 1; /* nothing is held */
  p->a_base = draws / t->bases;
  t->draws = t->bases * p->a_base;
  PetscCall(weigh_all(p, t->draws, &logw));
  if (logw) judge(logw, p->a_base, t);
  PetscCall(PetscFree(logw));
  PetscCall(broadcast(p->target->comm->world, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_trust_modes(fm_target *target, fm_transport *transport, const fm_real *theta,
                              const fm_trust_inputs *in, const fm_trust_rows *rows,
                              fm_trust *t) {
  MPI_Comm world = target->comm->world;
  PetscMPIInt numbers, few;

  PetscFunctionBegin;
  PetscCall(fm_calloc(in->modes * t->n, &t->direction));
  PetscCall(fm_calloc(in->modes, &t->informed));
  t->modes = in->modes;
  if (rows->scalar) PetscCall(find(rows, t->n, &t->modes, t->direction, t->informed));
  PetscCallMPI(MPI_Bcast(&t->modes, 1, MPI_INT64_T, 0, world));
  PetscCall(PetscMPIIntCast((PetscInt)(t->modes * t->n), &numbers));
  PetscCall(PetscMPIIntCast((PetscInt)t->modes, &few));
  PetscCallMPI(MPI_Bcast(t->direction, numbers, MPI_DOUBLE, 0, world));
  PetscCallMPI(MPI_Bcast(t->informed, few, MPI_DOUBLE, 0, world));
  if (t->modes && in->draws >= 2)
    PetscCall(test(&(problem){.target = target,
                              .t = transport,
                              .theta = theta,
                              .trust = t,
                              .rng = {in->seed, FM_STREAM_EVALUATE},
                              .base = (uint64_t)in->latents},
                   in->draws, t));
  PetscFunctionReturn(0);
}
