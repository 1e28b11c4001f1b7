#include "fathom/share.h"
#include <math.h>

enum { FLAG_OUTSIDE, FLAG_NONFINITE, FLAGS };
enum { SLOTS = 4 };
#define LOW_SHIFT 0x1p40
#define HIGH_LIMIT 0x1p50

/* One buffer for the one Allreduce: hi[n] lo[n] | terms hi lo | counts | flags. */
struct fm_share {
  int64_t n, length;
  int64_t *hi, *lo, *term, *count, *flag;
  fm_real *slot[SLOTS]; /* gradients of micro-batches that wait for one sweep over hi and lo */
  int nslot;            /* that wait */
  PetscBool handed;     /* the next one is being filled */
  PetscBool fresh;      /* hi and lo hold nothing of this step yet */
  int window;
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

/* The gradients that wait, into hi and lo. */
static void sweep(fm_share *share) {
  const double scale = ldexp(1., share->window);
  const int64_t n = share->n;
  int64_t largest = 0;

  if (share->nslot == SLOTS && share->fresh)
    largest = add_limbs(n, scale, SLOTS, PETSC_TRUE, share->slot, share->hi, share->lo);
  else if (share->nslot == SLOTS)
    largest = add_limbs(n, scale, SLOTS, PETSC_FALSE, share->slot, share->hi, share->lo);
  else {
    if (share->fresh) memset(share->hi, 0, 2 * (size_t)n * sizeof(int64_t));
    for (int k = 0; k < share->nslot; k++) {
      const int64_t size =
          add_limbs(n, scale, 1, PETSC_FALSE, &share->slot[k], share->hi, share->lo);

      largest = size > largest ? size : largest;
    }
  }
  raise_flags(share, largest);
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

PetscErrorCode fm_share_reduce(fm_share *share, MPI_Comm sample) {
  PetscMPIInt size;
  const int64_t most = 1 << 24; /* entries a message: MPI counts are int */

  PetscFunctionBegin;
  settle(share);
  PetscCallMPI(MPI_Comm_size(sample, &size));
  if (size == 1) PetscFunctionReturn(0);
  for (int64_t i = 0; i < share->length; i += most)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, share->hi + i,
                               (PetscMPIInt)PetscMin(most, share->length - i), MPI_INT64_T,
                               MPI_SUM, sample));
  PetscFunctionReturn(0);
}

fm_share_state fm_share_verdict(fm_share *share) {
  settle(share);
  if (share->flag[FLAG_NONFINITE]) return FM_SHARE_NONFINITE;
  return share->flag[FLAG_OUTSIDE] ? FM_SHARE_OUTSIDE : FM_SHARE_GOOD;
}

/* With 2^6 for terms that cancel in their sum. */
int fm_share_spare(const fm_share *share) {
  const int64_t limit = (int64_t)(HIGH_LIMIT / (double)(1 << 26));
  int64_t largest = 0;

  for (int64_t i = 0; i < share->n; i++) {
    const int64_t size = share->hi[i] < 0 ? -share->hi[i] : share->hi[i];

    largest = size > largest ? size : largest;
  }
  for (const int64_t *t = share->term; t < share->count; t += 2) {
    const int64_t size = *t < 0 ? -*t : *t;

    largest = size > largest ? size : largest;
  }
  return largest < limit;
}

double fm_share_term(const fm_share *share, int term) {
  const double v =
      (double)share->term[2 * term] + (double)share->term[2 * term + 1] / LOW_SHIFT;

  return ldexp(v, 20 - share->window);
}

int64_t fm_share_count(const fm_share *share, int count) { return share->count[count]; }

void fm_share_gradient(fm_share *share, double scale, fm_real *grad) {
  const int64_t *restrict hi = share->hi, *restrict lo = share->lo;
  const double s = ldexp(scale, -share->window), low = 1. / LOW_SHIFT;

  settle(share);

  for (int64_t i = 0; i < share->n; i++)
    grad[i] = (fm_real)(((double)hi[i] + (double)lo[i] * low) * s);
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
