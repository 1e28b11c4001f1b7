/* Moments of a dataset in sweeps over its rows, each rank its share. Sums are of integers: of
   each component in units of 2^-70 of its largest deviation from the first row, so that neither
   the order of the rows nor the number of ranks can matter. */
#include "dataset_impl.h"
#include "fathom/share.h"
#include <math.h>
#include <stdlib.h>

#define LARGEST 30 /* terms are at most 2^30: 2^33 of them fit */
#define LOW 40     /* bits of an fm_exact's low limb */

typedef struct fm_moments {
  fm_dataset *d;
  fm_part *part;
  int64_t count;      /* of my rows */
  const int64_t *row; /* [count], ascending */
  fm_real *origin;    /* [size], the first row: a component that does not vary has zeros */
  fm_real *block;
  double *unit; /* [size], powers of two */
  double *mean; /* [size], the caller's */
  fm_exact *sum;
} fm_moments;

typedef void (*fm_term)(fm_moments *m, int64_t j, double x);

/* hi and lo of the same number in one way only, lo in [0, 2^40) */
static void carry(int64_t n, fm_exact *sum) {
  for (int64_t j = 0; j < n; j++) {
    const int64_t over = sum[j].lo >> LOW;

    sum[j].hi += over;
    sum[j].lo -= over * ((int64_t)1 << LOW);
  }
}

static void largest_deviation(fm_moments *m, int64_t j, double x) {
  m->unit[j] = PetscMax(m->unit[j], fabs(x - (double)m->origin[j]));
}

static void add_deviation(fm_moments *m, int64_t j, double x) {
  fm_exact_add(&m->sum[j], (x - (double)m->origin[j]) * m->unit[j]);
}

/* |x - mean| is at most twice the largest deviation: the square at most 2^32 */
static void add_square(fm_moments *m, int64_t j, double x) {
  const double r = (x - m->mean[j]) * m->unit[j] * ldexp(1., -LARGEST / 2);

  fm_exact_add(&m->sum[j], r * r);
}

/* a term for each number of my rows; the verdict is everybody's */
static PetscErrorCode sweep(fm_moments *m, fm_term term) {
  const int64_t size = m->part->size, block = fm_dataset_block(m->part);
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(m->sum, size));
  for (int64_t at = 0; at < m->count && !v.code; at += block) {
    const int64_t nb = PetscMin(block, m->count - at);

    PetscCall(fm_dataset_gather(m->d, m->part, nb, m->row + at, m->block, &v));
    for (int64_t i = 0; i < nb && !v.code; i++)
      for (int64_t j = 0; j < size; j++) term(m, j, (double)m->block[i * size + j]);
    carry(size, m->sum);
  }
  PetscCall(fm_verdict_agree(m->d->comm, &v));
  PetscFunctionReturn(0);
}

static PetscErrorCode sum_of(fm_moments *m, fm_term term) {
  PetscFunctionBegin;
  PetscCall(sweep(m, term));
  PetscCall(fm_exact_reduce(m->sum, (int)m->part->size, m->d->comm));
  carry(m->part->size, m->sum);
  PetscFunctionReturn(0);
}

/* the power of two that brings the largest deviation into [2^29, 2^30] */
static PetscErrorCode find_units(fm_moments *m) {
  const int64_t size = m->part->size;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(m->unit, size));
  PetscCall(sweep(m, largest_deviation));
  PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, m->unit, (PetscMPIInt)size, MPI_DOUBLE, MPI_MAX, m->d->comm));
  for (int64_t j = 0; j < size; j++) {
    int exponent;

    fm_check(m->unit[j] < 0x1p1022, m->d->comm, PETSC_ERR_USER,
             "place %lld of %s of '%s' varies by more than a number can hold: rescale it",
             (long long)j, m->part->name, m->d->path);
    frexp(m->unit[j], &exponent);
    m->unit[j] = ldexp(1., LARGEST - PetscMax(exponent, -900));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode get_moments(fm_moments *m, int64_t nrow, double *mean, double *std) {
  PetscFunctionBegin;
  m->mean = mean;
  PetscCall(find_units(m));
  PetscCall(sum_of(m, add_deviation));
  for (int64_t j = 0; j < m->part->size; j++)
    mean[j] = (double)m->origin[j] + fm_exact_value(m->sum[j]) / (double)nrow / m->unit[j];
  PetscCall(sum_of(m, add_square));
  for (int64_t j = 0; j < m->part->size; j++) {
    const double square = ldexp(fm_exact_value(m->sum[j]), LARGEST) / (double)nrow;

    std[j] = square > 0. ? sqrt(square) / m->unit[j] : 1.;
  }
  PetscFunctionReturn(0);
}

/* moments of one part; row: all rows asked for, ascending */
static PetscErrorCode part_moments(fm_dataset *d, fm_part *part, int64_t nrow,
                                   const int64_t *row, double *mean, double *std) {
  const int64_t block = PetscMin(fm_dataset_block(part), nrow);
  fm_moments m = {.d = d, .part = part};
  PetscErrorCode error;
  PetscMPIInt rank, size;
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(d->comm, &rank));
  PetscCallMPI(MPI_Comm_size(d->comm, &size));
  m.row = row + nrow / size * rank + PetscMin(rank, nrow % size);
  m.count = nrow / size + (rank < nrow % size ? 1 : 0);
  PetscCall(PetscMalloc4(part->size, &m.origin, block * part->size, &m.block, part->size,
                         &m.unit, part->size, &m.sum));
  PetscCall(fm_dataset_gather(d, part, 1, row, m.origin, &v));
  PetscCall(fm_verdict_agree(d->comm, &v));
  error = get_moments(&m, nrow, mean, std);
  PetscCall(PetscFree4(m.origin, m.block, m.unit, m.sum));
  PetscCall(error);
  PetscFunctionReturn(0);
}

static int ascending(const void *a, const void *b) {
  const int64_t *p = (const int64_t *)a, *q = (const int64_t *)b;

  return (*p > *q) - (*p < *q);
}

PetscErrorCode fm_dataset_moments(fm_dataset *d, int64_t nrow, const int64_t *rows,
                                  double *x_mean, double *x_std, double *y_mean,
                                  double *y_std) {
  PetscErrorCode error;
  int64_t *row;

  PetscFunctionBegin;
  PetscCheck(nrow >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "moments of no rows");
  for (int64_t i = 0; i < nrow; i++)
    PetscCheck(rows[i] >= 0 && rows[i] < d->n, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
               "row %lld of a dataset of %lld rows", (long long)rows[i], (long long)d->n);
  PetscCall(PetscMalloc1(nrow, &row));
  PetscCall(PetscArraycpy(row, rows, nrow));
  qsort(row, (size_t)nrow, sizeof(*row), ascending);
  error = part_moments(d, &d->x, nrow, row, x_mean, x_std);
  if (!error && d->y.size && y_mean) error = part_moments(d, &d->y, nrow, row, y_mean, y_std);
  PetscCall(PetscFree(row));
  PetscCall(error);
  PetscFunctionReturn(0);
}
