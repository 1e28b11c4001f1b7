#include "fathom/share.h"
#include <math.h>

enum { FLAG_OUTSIDE, FLAG_NONFINITE, FLAGS };
enum { SLOTS = 4 };
#define LOW_SHIFT 0x1p40
#define HIGH_LIMIT 0x1p50

/* Up to FEW parameters travel with the terms. More go in blocks of BLOCK, which stay in a cache
   from their arrival to the gradient, and of no less than PART a rank. */
enum { FEW = 1 << 12, BLOCK = 1 << 16, PART = 1 << 12 };

/* One buffer for what is summed over ranks: hi[n] lo[n] | terms hi lo | counts | flags. */
struct fm_share {
  int64_t n, length;
  int64_t *hi, *lo, *term, *count, *flag;
  fm_real *slot[SLOTS]; /* gradients of micro-batches that wait for one sweep over hi and lo */
  int nslot;            /* that wait */
  PetscBool handed;     /* the next one is being filled */
  PetscBool fresh;      /* hi and lo hold nothing of this step yet */
  int window;
  int64_t largest; /* |hi| of the sums that this rank has turned into gradients */
  MPI_Comm sample; /* borrowed: whose limbs are still to be added; MPI_COMM_NULL: nobody's */
  PetscMPIInt ranks, rank;
  int64_t block, *received; /* [2 (block + ranks)] limbs of my part of a block, of every rank */
  int *map;                 /* [4 ranks] counts and places of an exchange */
};

PetscErrorCode fm_share_create(int64_t ntheta, fm_share **share) {
  fm_share *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  s->n = ntheta;
  s->length = 2 * ntheta + 2 * FM_SHARE_TERMS + FM_SHARE_COUNTS + FLAGS;
  PetscCall(fm_calloc(s->length, &s->hi));
  for (int k = 0; k < SLOTS; k++) PetscCall(fm_calloc(ntheta, &s->slot[k]));
  s->fresh = PETSC_TRUE;
  s->sample = MPI_COMM_NULL;
  s->lo = s->hi + ntheta;
  s->term = s->lo + ntheta;
  s->count = s->term + 2 * FM_SHARE_TERMS;
  s->flag = s->count + FM_SHARE_COUNTS;
  *share = s;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_share_destroy(fm_share **share) {
  PetscFunctionBegin;
  if (*share) {
    PetscCall(PetscFree((*share)->hi));
    PetscCall(PetscFree2((*share)->received, (*share)->map));
    for (int k = 0; k < SLOTS; k++) PetscCall(PetscFree((*share)->slot[k]));
  }
  PetscCall(PetscFree(*share));
  PetscFunctionReturn(0);
}

/* 1.5 2^52: adding it leaves rint(v) in the low bits of the sum, for |v| < 2^51. */
#define MAGIC 0x1.8p52

static inline int64_t bits_of(double v) {
  return ((union {
           double number;
           int64_t bits;
         }){.number = v})
      .bits;
}

/* Bits of |v|: they order as the numbers do, with infinity and NaN above all. */
static inline int64_t size_bits(double v) { return bits_of(v) & INT64_MAX; }

/* A sum that a non-finite term may carry over the end: it is flagged then, and not used. */
static inline int64_t add_wrapped(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* hi += rint(g 2^e), lo += rint(rest 2^40), g = 0 for each of `count` gradients in one sweep;
   returns the bits of the largest |g 2^e|. Integer arithmetic alone is carried from term to
   term, so that the loop vectorises; `count` and `fresh` are constants where it is called. */
static inline __attribute__((always_inline)) int64_t
add_limbs(int64_t n, double scale, const int count, const PetscBool fresh, fm_real *const *g,
          int64_t *restrict hi, int64_t *restrict lo) {
  const int64_t zero = bits_of(MAGIC);
  int64_t largest = 0;

  for (int64_t i = 0; i < n; i++) {
    int64_t high_sum = fresh ? 0 : hi[i], low_sum = fresh ? 0 : lo[i];

#pragma GCC unroll 4
    for (int k = 0; k < count; k++) {
      const double v = (double)g[k][i] * scale, high = v + MAGIC;
      const double low = (v - (high - MAGIC)) * LOW_SHIFT + MAGIC;
      const int64_t size = size_bits(v);

      largest = size > largest ? size : largest;
      high_sum = add_wrapped(high_sum, bits_of(high) - zero);
      low_sum = add_wrapped(low_sum, bits_of(low) - zero);
      g[k][i] = 0;
    }
    hi[i] = high_sum;
    lo[i] = low_sum;
  }
  return largest;
}

static void raise_flags(fm_share *share, int64_t largest) {
  if (largest >= size_bits(INFINITY))
    share->flag[FLAG_NONFINITE] = 1;
  else if (largest >= size_bits(HIGH_LIMIT))
    share->flag[FLAG_OUTSIDE] = 1;
}

/* One sweep over hi and lo, however many gradients wait; where none do, fresh ones become 0. */
static inline __attribute__((always_inline)) int64_t add_waiting(fm_share *s, double scale,
                                                                 const PetscBool fresh) {
  switch (s->nslot) {
  case 1: return add_limbs(s->n, scale, 1, fresh, s->slot, s->hi, s->lo);
  case 2: return add_limbs(s->n, scale, 2, fresh, s->slot, s->hi, s->lo);
  case 3: return add_limbs(s->n, scale, 3, fresh, s->slot, s->hi, s->lo);
  case SLOTS: return add_limbs(s->n, scale, SLOTS, fresh, s->slot, s->hi, s->lo);
  default: return add_limbs(s->n, scale, 0, fresh, s->slot, s->hi, s->lo);
  }
}

/* The gradients that wait, into hi and lo. */
static void sweep(fm_share *share) {
  const double scale = ldexp(1., share->window);

  raise_flags(share, share->fresh ? add_waiting(share, scale, PETSC_TRUE)
                                  : add_waiting(share, scale, PETSC_FALSE));
  share->fresh = PETSC_FALSE;
  share->nslot = 0;
}

void fm_share_begin(fm_share *share, int window) {
  share->window = window;
  share->fresh = PETSC_TRUE;
  for (int k = 0; k < share->nslot + (share->handed ? 1 : 0); k++)
    memset(share->slot[k], 0, (size_t)share->n * sizeof(fm_real));
  share->nslot = 0;
  share->handed = PETSC_FALSE;
  share->sample = MPI_COMM_NULL;
  memset(share->term, 0, (size_t)(share->length - 2 * share->n) * sizeof(int64_t));
}

fm_real *fm_share_scratch(fm_share *share) {
  share->handed = PETSC_TRUE;
  return share->slot[share->nslot];
}

void fm_share_add_gradient(fm_share *share) {
  share->handed = PETSC_FALSE;
  if (++share->nslot == SLOTS) sweep(share);
}

/* Nothing may wait when a sum is read or sent. */
static void settle(fm_share *share) {
  if (share->nslot || share->fresh) sweep(share);
}

void fm_share_add_term(fm_share *share, int term, double value) {
  const double v = ldexp(value, share->window - 20), h = rint(v);

  raise_flags(share, size_bits(v));
  if (!(fabs(v) < HIGH_LIMIT)) return;
  share->term[2 * term] += (int64_t)h;
  share->term[2 * term + 1] += (int64_t)rint((v - h) * LOW_SHIFT);
}

void fm_share_add_count(fm_share *share, int count, int64_t value) {
  share->count[count] += value;
}

void fm_share_flag(fm_share *share) { share->flag[FLAG_NONFINITE] = 1; }

/* Space for the exchange of limbs with the ranks of sample. */
static PetscErrorCode meet(fm_share *share, MPI_Comm sample) {
  const PetscMPIInt before = share->ranks;

  PetscFunctionBegin;
  share->sample = sample;
  PetscCallMPI(MPI_Comm_rank(sample, &share->rank));
  PetscCallMPI(MPI_Comm_size(sample, &share->ranks));
  if (share->ranks == before) PetscFunctionReturn(0);
  PetscCall(PetscFree2(share->received, share->map));
  share->block = PetscMin(share->n, PetscMax(BLOCK, (int64_t)PART * share->ranks));
  PetscCall(PetscMalloc2(2 * (share->block + share->ranks), &share->received,
                         4 * (size_t)share->ranks, &share->map));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_share_reduce(fm_share *share, MPI_Comm sample) {
  int64_t *from = share->n > FEW ? share->term : share->hi;
  PetscMPIInt size;

  PetscFunctionBegin;
  settle(share);
  PetscCallMPI(MPI_Comm_size(sample, &size));
  if (size == 1) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, from,
                             (PetscMPIInt)(share->hi + share->length - from), MPI_INT64_T,
                             MPI_SUM, sample));
  if (share->n > FEW) PetscCall(meet(share, sample));
  PetscFunctionReturn(0);
}

fm_share_state fm_share_verdict(fm_share *share) {
  settle(share);
  if (share->flag[FLAG_NONFINITE]) return FM_SHARE_NONFINITE;
  return share->flag[FLAG_OUTSIDE] ? FM_SHARE_OUTSIDE : FM_SHARE_GOOD;
}

/* With 2^6 for terms that cancel in their sum. */
PetscErrorCode fm_share_spare(fm_share *share, PetscBool *spare) {
  const int64_t limit = (int64_t)(HIGH_LIMIT / (double)(1 << 26));
  int64_t largest = share->largest;

  PetscFunctionBegin;
  if (share->sample != MPI_COMM_NULL)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, share->sample));
  for (const int64_t *t = share->term; t < share->count; t += 2) {
    const int64_t size = *t < 0 ? -*t : *t;

    largest = size > largest ? size : largest;
  }
  *spare = largest < limit ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

double fm_share_term(const fm_share *share, int term) {
  const double v =
      (double)share->term[2 * term] + (double)share->term[2 * term + 1] / LOW_SHIFT;

  return ldexp(v, 20 - share->window);
}

int64_t fm_share_count(const fm_share *share, int count) { return share->count[count]; }

/* grad = scale (hi + lo 2^-40), rounded once; returns the largest |hi|. */
static int64_t decode(int64_t n, double scale, const int64_t *restrict hi,
                      const int64_t *restrict lo, fm_real *restrict grad) {
  const double low = 1. / LOW_SHIFT;
  int64_t largest = 0;

  for (int64_t i = 0; i < n; i++) {
    const int64_t size = hi[i] < 0 ? -hi[i] : hi[i];

    largest = size > largest ? size : largest;
    grad[i] = (fm_real)(((double)hi[i] + (double)lo[i] * low) * scale);
  }
  return largest;
}

/* parts[0][n] += parts[1..][n]. */
static void add_parts(int64_t n, int ranks, int64_t *parts) {
  int64_t *restrict sum = parts;

  for (int r = 1; r < ranks; r++) {
    const int64_t *restrict part = parts + r * n;

    for (int64_t i = 0; i < n; i++) sum[i] = add_wrapped(sum[i], part[i]);
  }
}

/* The gradient of m parameters of a block from their limbs hi and lo on all ranks: each rank
   receives everybody's limbs of its part, adds them, and sends the gradient of its part. */
static PetscErrorCode exchange(fm_share *share, int64_t m, double scale, const int64_t *hi,
                               const int64_t *lo, fm_real *grad) {
  const PetscMPIInt ranks = share->ranks, rank = share->rank;
  int *count = share->map, *start = count + ranks, *each = start + ranks, *place = each + ranks;
  int64_t mine, *high = share->received, *low, largest;

  PetscFunctionBegin;
  for (int r = 0; r < ranks; r++) {
    start[r] = (int)(m * r / ranks);
    count[r] = (int)(m * (r + 1) / ranks) - start[r];
  }
  mine = count[rank];
  for (int r = 0; r < ranks; r++) {
    each[r] = (int)mine;
    place[r] = (int)(mine * r);
  }
  low = high + mine * ranks;
  PetscCallMPI(MPI_Alltoallv(hi, count, start, MPI_INT64_T, high, each, place, MPI_INT64_T,
                             share->sample));
  PetscCallMPI(MPI_Alltoallv(lo, count, start, MPI_INT64_T, low, each, place, MPI_INT64_T,
                             share->sample));
  add_parts(mine, ranks, high);
  add_parts(mine, ranks, low);
  largest = decode(mine, scale, high, low, grad + start[rank]);
  share->largest = PetscMax(share->largest, largest);
  PetscCallMPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, grad, count, start,
                              FM_MPI_REAL, share->sample));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_share_gradient(fm_share *share, double scale, fm_real *grad) {
  const double s = ldexp(scale, -share->window);

  PetscFunctionBegin;
  settle(share);
  share->largest = 0;
  if (share->sample == MPI_COMM_NULL) {
    share->largest = decode(share->n, s, share->hi, share->lo, grad);
    PetscFunctionReturn(0);
  }
  for (int64_t i = 0; i < share->n; i += share->block)
    PetscCall(exchange(share, PetscMin(share->block, share->n - i), s, share->hi + i,
                       share->lo + i, grad + i));
  PetscFunctionReturn(0);
}

void fm_exact_add(fm_exact *sum, double value) {
  const double h = rint(value);

  sum->hi += (int64_t)h;
  sum->lo += (int64_t)rint((value - h) * LOW_SHIFT);
}

double fm_exact_value(fm_exact sum) { return (double)sum.hi + (double)sum.lo / LOW_SHIFT; }

PetscErrorCode fm_exact_reduce(fm_exact *sums, int n, MPI_Comm comm) {
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2 * n, MPI_INT64_T, MPI_SUM, comm));
  PetscFunctionReturn(0);
}
