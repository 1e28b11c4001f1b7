#include "fathom/hessian.h"
#include "fathom/options.h"
#include <math.h>

typedef struct {
  const fm_comm *comm;
  fm_linearized *lin;
  const double *weight;
  int64_t n, columns; /* of the arrays [columns][n] */
} problem;

/* out = H in, columns shared over the sample ranks. */
static PetscErrorCode multiply(const problem *p, const double *in, double *out) {
  PetscMPIInt size, rank, *counts, *firsts;
  int64_t first, count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(p->comm->sample, &size));
  PetscCallMPI(MPI_Comm_rank(p->comm->sample, &rank));
  PetscCall(PetscMalloc2(size, &counts, size, &firsts));
  PetscCall(fm_comm_share(p->comm, p->columns, &first, &count));
  PetscCall(
      fm_linearized_normal(p->lin, p->weight, count, in + first * p->n, out + first * p->n));
  PetscCall(PetscMPIIntCast((PetscInt)(count * p->n), &counts[rank]));
  PetscCall(PetscMPIIntCast((PetscInt)(first * p->n), &firsts[rank]));
  PetscCallMPI(MPI_Allgather(MPI_IN_PLACE, 1, MPI_INT, counts, 1, MPI_INT, p->comm->sample));
  PetscCallMPI(MPI_Allgather(MPI_IN_PLACE, 1, MPI_INT, firsts, 1, MPI_INT, p->comm->sample));
  PetscCallMPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DOUBLE, out, counts, firsts, MPI_DOUBLE,
                              p->comm->sample));
  PetscCall(PetscFree2(counts, firsts));
  PetscFunctionReturn(0);
}

/* t [columns][columns] = q a^T, symmetrised. */
static void project(const problem *p, const double *q, const double *a, double *t) {
  const int64_t k = p->columns, n = p->n;

  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j <= i; j++) {
      double sum = 0;

      for (int64_t l = 0; l < n; l++)
        sum += q[i * n + l] * a[j * n + l] + q[j * n + l] * a[i * n + l];
      t[i * k + j] = t[j * k + i] = sum / 2;
    }
}

/* out [n] = sum_j weight_j rows_j */
static void combine(const problem *p, const double *weight, const double *rows, double *out) {
  memset(out, 0, (size_t)p->n * sizeof(*out));
  for (int64_t j = 0; j < p->columns; j++)
    for (int64_t i = 0; i < p->n; i++) out[i] += weight[j] * rows[j * p->n + i];
}

/* The Ritz pairs of the orthonormal q with hq = H q, largest first. */
static PetscErrorCode ritz(const problem *p, const double *q, const double *hq,
                           fm_informed *informed, double *residual) {
  double *t, *value, *h, square;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(p->columns * p->columns, &t, p->columns, &value, p->n, &h));
  project(p, q, hq, t);
  PetscCall(fm_eigenpairs(p->columns, t, value));
  for (int64_t k = 0; k < informed->rank; k++) {
    const int64_t j = p->columns - 1 - k;
    double *v = informed->vector + k * p->n;

    combine(p, t + j * p->columns, q, v);
    combine(p, t + j * p->columns, hq, h);
    informed->value[k] = fmax(0, value[j]);
    square = 0;
    for (int64_t i = 0; i < p->n; i++)
      square += (h[i] - value[j] * v[i]) * (h[i] - value[j] * v[i]);
    if (residual) residual[k] = sqrt(square) / fmax(value[p->columns - 1], 1e-300);
  }
  PetscCall(PetscFree3(t, value, h));
  PetscFunctionReturn(0);
}

static PetscErrorCode allocate(int64_t n, int64_t rank, fm_informed **informed) {
  fm_informed *in;

  PetscFunctionBegin;
  PetscCall(PetscNew(&in));
  *informed = in;
  in->n = n;
  in->rank = rank;
  PetscCall(fm_calloc(rank * n, &in->vector));
  PetscCall(fm_calloc(rank, &in->value));
  PetscCall(fm_calloc(rank, &in->weight));
  PetscCall(fm_calloc(n, &in->center));
  PetscFunctionReturn(0);
}

static void draw(uint64_t seed, int64_t n, int64_t count, double *out, fm_real *work) {
  for (int64_t k = 0; k < count; k++) {
    fm_rng_normal((fm_rng){seed, FM_STREAM_HESSIAN}, 0, (uint64_t)k, (size_t)n, work);
    for (int64_t i = 0; i < n; i++) out[k * n + i] = (double)work[i];
  }
}

PetscErrorCode fm_hessian_informed(const fm_comm *comm, fm_linearized *lin,
                                   const double *weight, const fm_hessian_spec *spec, int64_t n,
                                   fm_informed **informed, double *residual) {
  problem p = {comm, lin, weight, n, PetscMin(spec->rank + spec->more, n)};
  double *q, *hq;
  fm_real *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(p.columns * n, &q, p.columns * n, &hq, n, &work));
  draw(spec->seed, n, p.columns, q, work);
  for (int64_t pass = 0; pass <= spec->passes; pass++) {
    PetscCall(fm_orthonormalize(p.columns, p.n, q));
    PetscCall(multiply(&p, q, hq));
    if (pass < spec->passes) PetscCall(PetscArraycpy(q, hq, p.columns * n));
  }
  PetscCall(allocate(n, PetscMin(spec->rank, p.columns), informed));
  PetscCall(ritz(&p, q, hq, *informed, residual));
  PetscCall(PetscFree3(q, hq, work));
  PetscFunctionReturn(0);
}
