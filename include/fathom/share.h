/* fm_share - what one rank adds to a training step, and the exact sums of it over ranks.

   Every term g is added as two int64 limbs in a fixed window e (20 at the start):
       hi = rint(g 2^e),  lo = rint((g 2^e - hi) 2^40),
   so |g| < 2^(50-e), resolution 2^-(e+40), at most 4,096 contributions. Integer addition is
   associative, so the sum does not depend on the order, on the number of ranks or on which rank
   holds which sample. Objective terms use the window e - 20. See Collange, Defour, Graillat,
   Iakymchuk (2015) for the idea of a long fixed-point accumulator.

   A step sends two messages. fm_share_reduce adds terms, counts and flags in a small Allreduce:
   every rank knows the verdict, and a step that is repeated has moved nothing else.
   fm_share_gradient then adds the limbs. Each rank owns a part of the parameters: it receives
   everybody's limbs of its part (Alltoallv), adds and decodes them, and sends the gradient of
   its part to all (Allgatherv): over p ranks (p-1)/p (16 + sizeof(fm_real)) bytes a parameter
   each way, where an Allreduce moves 2 (p-1)/p 16, and the decoding is shared. It goes in
   blocks of 65,536 parameters, which stay in a cache on their way. Up to 4,096 parameters
   travel with the first message.

   Measured with 1.5 10^6 parameters in float on two ranks that share memory: 2.5 ms with the
   decoding, against 5.9 by the Allreduce, 3.2 by Reduce_scatter in the same blocks and 1.8 by
   a shared window without any message. The exchange is not started during the backward pass:
   an Ireduce_scatter of the 24 MB (16 to 19 ms by itself) made 50 ms of arithmetic at least
   10 ms longer, tested as seldom as never or as often as every .05 ms (medians, on two cores
   with other load): less than half of it is hidden, and the rest is more than the blocks
   cost. */
#ifndef FATHOM_SHARE_H
#define FATHOM_SHARE_H

#include "fathom/types.h"

#define FM_SHARE_TERMS 8
#define FM_SHARE_COUNTS 16
#define FM_SHARE_WINDOW 20
#define FM_SHARE_LIMIT 4096 /* contributions (micro-batches) to one sum */

typedef struct fm_share fm_share;

/* Verdict of a reduced share. */
typedef enum fm_share_state {
  FM_SHARE_GOOD = 0,
  FM_SHARE_OUTSIDE =
      1, /* a term left the window: every rank repeats the step with window - 20 */
  FM_SHARE_NONFINITE = 2
} fm_share_state;

/* fm_share_create - for ntheta parameters. Memory: 16 bytes and four fm_real a parameter: up to
   four micro-batches wait, so that one sweep over the limbs adds them; 1 MiB more between
   ranks. */
PetscErrorCode fm_share_create(int64_t ntheta, fm_share **share);
PetscErrorCode fm_share_destroy(fm_share **share);

/* fm_share_begin - empty the sums and set the window. */
void fm_share_begin(fm_share *share, int window);

/* fm_share_scratch - the zeroed cotangent of theta [ntheta] that a micro-batch accumulates
   into; add it with
   fm_share_add_gradient, which consumes it. */
fm_real *fm_share_scratch(fm_share *share);
void fm_share_add_gradient(fm_share *share);
void fm_share_add_term(fm_share *share, int term, double value);
void fm_share_add_count(fm_share *share, int count, int64_t value);
void fm_share_flag(fm_share *share); /* raises FM_SHARE_NONFINITE on every rank */

/* fm_share_reduce - terms, counts and flags of all ranks, in one Allreduce; the gradient's sums
   follow with fm_share_gradient. Collective on sample, which is borrowed until the next
   fm_share_begin. */
PetscErrorCode fm_share_reduce(fm_share *share, MPI_Comm sample);

fm_share_state fm_share_verdict(fm_share *share);
double fm_share_term(const fm_share *share, int term);
int64_t fm_share_count(const fm_share *share, int count);

/* fm_share_gradient - grad[i] = scale * sum_i, rounded once to fm_real: the same bits on every
   rank and on any number of them. Collective on the sample of fm_share_reduce; of this rank's
   sums alone where there was none. Cost: above. */
PetscErrorCode fm_share_gradient(fm_share *share, double scale, fm_real *grad);

/* fm_share_spare - whether the window may be 20 finer: all sums of the last fm_share_gradient
   would be far from its limit. Collective as that is. */
PetscErrorCode fm_share_spare(fm_share *share, PetscBool *spare);

/* fm_exact - the same for a single number: sums over samples, parts or ranks whose order must
   not matter. */
typedef struct fm_exact {
  int64_t hi, lo;
} fm_exact;
void fm_exact_add(fm_exact *sum, double value); /* |value| < 2^50, resolution 2^-40 */
double fm_exact_value(fm_exact sum);
/* fm_exact_reduce - sum n of them over comm, in place. Collective on comm. */
PetscErrorCode fm_exact_reduce(fm_exact *sums, int n, MPI_Comm comm);

#endif
