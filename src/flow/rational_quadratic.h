/* Monotonic rational-quadratic splines: pure array mathematics, FM_PACK numbers at a time, each
   with a spline of its own. Source: Durkan, Bekasov, Murray and Papamakarios (2019), "Neural
   spline flows", arXiv 1906.04032, equations 4 to 8.

   A spline g maps [-bound, bound] onto itself and is the identity outside. With the raw numbers
   a_k, b_k (k < bins) and c_k (k < bins - 1), m = FM_RQ_LEAST:

       widths   2 bound (m + (1 - bins m) softmax(a)_k)     heights   the same of b
       slopes   at the inner knots m + softplus(c_k + C), with C such that c = 0 gives 1; at
                -bound and bound 1

   so raw numbers of 0 are the identity. All elements of a pack pass the same instructions: what
   becomes of one does not depend on its place or on the others. */
#ifndef FATHOM_FLOW_RATIONAL_QUADRATIC_H
#define FATHOM_FLOW_RATIONAL_QUADRATIC_H

#include "fathom/real.h"

enum { FM_PACK = 16, FM_RQ_BINS_MAX = 64 };
#define FM_RQ_LEAST ((fm_real)1e-3)

typedef struct fm_rq {
  int64_t bins; /* 2 to FM_RQ_BINS_MAX */
  fm_real bound;
} fm_rq;

/* Raw numbers of one spline, in the order a, b, c. */
static inline int64_t fm_rq_count(int64_t bins) { return 3 * bins - 1; }

/* fm_rq_apply - v <- g(v), or g^-1(v) where inverse.

   raw        in     [fm_rq_count][FM_PACK]; destroyed
   v          in/out [FM_PACK]; NaN and infinities stay what they are
   log_slope  out    [FM_PACK], log g' at the argument of g (of both directions)
   Cost: 2 bins exponentials an element. */
void fm_rq_apply(const fm_rq *rq, int inverse, fm_real *raw, fm_real *v, fm_real *log_slope);

/* fm_rq_vjp - reverse mode of (v, log_slope) = fm_rq_apply.

   raw            in: the raw numbers; out: their cotangents
   v              in: the result of fm_rq_apply; out: its argument, rebuilt
   v_bar          in: the result's cotangent; out: the argument's
   log_slope_bar  in: cotangent of log_slope */
void fm_rq_vjp(const fm_rq *rq, int inverse, fm_real *raw, fm_real *v, fm_real *v_bar,
               const fm_real *log_slope_bar);

#endif
