#include "flow/rational_quadratic.h"
#include "flow/pack.h"
#include <math.h>

#ifdef FM_SINGLE
#define SQRT sqrtf
#else
#define SQRT sqrt
#endif

/* log(exp(1 - FM_RQ_LEAST) - 1): softplus of it is 1 - FM_RQ_LEAST. */
static const fm_real UNIT_SLOPE = (fm_real)0.5397424172369522;

typedef fm_real pack[FM_PACK];

/* The bin of each element: its left lower corner, size, place, and the slopes at its ends with
   their derivatives by the raw numbers. */
typedef struct bin {
  pack left, width, bottom, height, place;
  pack slope0, slope1, rise0, rise1;
} bin;

/* raw [bins][FM_PACK] <- softmax over the bins. */
static inline void softmax(int64_t bins, fm_real *raw) {
  pack most, sum = {0};

  for (int i = 0; i < FM_PACK; i++) most[i] = raw[i];
  for (int64_t k = 1; k < bins; k++)
    for (int i = 0; i < FM_PACK; i++)
      most[i] = raw[k * FM_PACK + i] > most[i] ? raw[k * FM_PACK + i] : most[i];
  for (int64_t k = 0; k < bins; k++) {
    fm_real *row = raw + k * FM_PACK;

    for (int i = 0; i < FM_PACK; i++) row[i] -= most[i];
    fm_exp_pack(row, row);
    for (int i = 0; i < FM_PACK; i++) sum[i] += row[i];
  }
  for (int i = 0; i < FM_PACK; i++) sum[i] = 1 / sum[i];
  for (int64_t k = 0; k < bins; k++)
    for (int i = 0; i < FM_PACK; i++) raw[k * FM_PACK + i] *= sum[i];
}

/* Sizes of bins: least + share softmax. */
static inline fm_real least_size(const fm_rq *rq) { return 2 * rq->bound * FM_RQ_LEAST; }
static inline fm_real share(const fm_rq *rq) {
  return 2 * rq->bound * (1 - (fm_real)rq->bins * FM_RQ_LEAST);
}

/* c <- m + softplus(c + C), rise <- its derivative. */
static inline void slopes(fm_real *c, fm_real *rise) {
  pack e, whole, log_whole;

  for (int i = 0; i < FM_PACK; i++) c[i] += UNIT_SLOPE;
  for (int i = 0; i < FM_PACK; i++) e[i] = c[i] > 0 ? -c[i] : c[i];
  fm_exp_pack(e, e);
  for (int i = 0; i < FM_PACK; i++) whole[i] = 1 + e[i];
  fm_log_pack(whole, log_whole);
  for (int i = 0; i < FM_PACK; i++) rise[i] = (c[i] > 0 ? 1 : e[i]) / whole[i];
  for (int i = 0; i < FM_PACK; i++) c[i] = FM_RQ_LEAST + ((c[i] > 0 ? c[i] : 0) + log_whole[i]);
}

/* The last bin that begins at or below v, by its left edge or, searching heights, its bottom.
 */
static inline void search(const fm_rq *rq, int heights, const fm_real *raw, const fm_real *v,
                          bin *b) {
  const fm_real least = least_size(rq), part = share(rq), bound = rq->bound;
  const fm_real *w = raw, *h = raw + rq->bins * FM_PACK, *c = h + rq->bins * FM_PACK;
  pack left, bottom;
  const fm_real *edge = heights ? bottom : left;

  for (int i = 0; i < FM_PACK; i++) left[i] = bottom[i] = -bound;
  for (int i = 0; i < FM_PACK; i++) b->slope0[i] = b->slope1[i] = 0;
  for (int64_t k = 0; k < rq->bins; k++, w += FM_PACK, h += FM_PACK, c += FM_PACK) {
    const fm_real *before = k ? c - FM_PACK : v, *after = k < rq->bins - 1 ? c : v;

    for (int i = 0; i < FM_PACK; i++) {
      const int here = v[i] >= edge[i];
      const fm_real width = least + part * w[i], height = least + part * h[i];

      b->left[i] = here ? left[i] : b->left[i];
      b->width[i] = here ? width : b->width[i];
      b->bottom[i] = here ? bottom[i] : b->bottom[i];
      b->height[i] = here ? height : b->height[i];
      b->place[i] = here ? (fm_real)k : b->place[i];
      b->slope0[i] = here ? before[i] : b->slope0[i];
      b->slope1[i] = here ? after[i] : b->slope1[i];
      left[i] += width;
      bottom[i] += height;
    }
  }
  slopes(b->slope0, b->rise0);
  slopes(b->slope1, b->rise1);
  for (int i = 0; i < FM_PACK; i++) {
    const int first = b->place[i] == 0, last = b->place[i] == (fm_real)(rq->bins - 1);

    b->width[i] = last ? bound - b->left[i] : b->width[i];
    b->height[i] = last ? bound - b->bottom[i] : b->height[i];
    b->slope0[i] = first ? 1 : b->slope0[i];
    b->rise0[i] = first ? 0 : b->rise0[i];
    b->slope1[i] = last ? 1 : b->slope1[i];
    b->rise1[i] = last ? 0 : b->rise1[i];
  }
}

/* In [-bound, bound]; a NaN becomes -bound. */
static inline void clamp(const fm_rq *rq, const fm_real *v, fm_real *inside) {
  for (int i = 0; i < FM_PACK; i++) {
    const fm_real low = v[i] > -rq->bound ? v[i] : -rq->bound;

    inside[i] = low < rq->bound ? low : rq->bound;
  }
}

/* xi = (x - left)/width. */
static inline void place_of_x(const bin *b, const fm_real *x, fm_real *xi) {
  for (int i = 0; i < FM_PACK; i++) xi[i] = (x[i] - b->left[i]) / b->width[i];
}

/* xi from y: with r = (y - bottom)/height, s the mean slope, p = slope0 (1 - r) and q = slope1
   r, it is the root in [0, 1] of (s - B) xi^2 + B xi - s r = 0, B = p - q + 2 s r, whose
   discriminant is (p - q)^2 + 4 s^2 r (1 - r), a sum without cancellation; of the root's two
   forms the one that adds numbers of one sign is taken. */
static inline void place_of_y(const bin *b, const fm_real *y, fm_real *xi) {
  for (int i = 0; i < FM_PACK; i++) {
    const fm_real s = b->height[i] / b->width[i], r = (y[i] - b->bottom[i]) / b->height[i];
    const fm_real pq = b->slope0[i] * (1 - r) - b->slope1[i] * r, middle = pq + 2 * s * r;
    const fm_real product = r * (1 - r);
    const fm_real root = SQRT(pq * pq + 4 * s * s * (product > 0 ? product : 0));
    const fm_real small = 2 * s * r / (middle + root);
    const fm_real large = (root - middle) / (2 * (s - middle));
    const fm_real at = middle >= 0 ? small : large;

    xi[i] = at > 0 ? (at < 1 ? at : 1) : 0;
  }
}

/* At xi, with t = xi (1 - xi): y = bottom + height N/D and g' = s^2 Q/D^2. */
typedef struct value {
  pack s, n, d, q, slope;
} value;

static inline void evaluate(const bin *b, const fm_real *xi, value *f) {
  for (int i = 0; i < FM_PACK; i++) {
    const fm_real s = b->height[i] / b->width[i], u = 1 - xi[i], t = xi[i] * u;
    const fm_real s0 = b->slope0[i], s1 = b->slope1[i];

    f->s[i] = s;
    f->n[i] = s * xi[i] * xi[i] + s0 * t;
    f->d[i] = s + (s0 + s1 - 2 * s) * t;
    f->q[i] = s1 * xi[i] * xi[i] + 2 * s * t + s0 * u * u;
    f->slope[i] = (s / f->d[i]) * (s / f->d[i]) * f->q[i];
  }
}

static inline void y_of(const bin *b, const value *f, fm_real *y) {
  for (int i = 0; i < FM_PACK; i++) y[i] = b->bottom[i] + b->height[i] * (f->n[i] / f->d[i]);
}

static inline void x_of(const bin *b, const fm_real *xi, fm_real *x) {
  for (int i = 0; i < FM_PACK; i++) x[i] = b->left[i] + b->width[i] * xi[i];
}

void fm_rq_apply(const fm_rq *rq, int inverse, fm_real *raw, fm_real *v, fm_real *log_slope) {
  pack u, xi, out;
  value f;
  bin b;

  softmax(rq->bins, raw);
  softmax(rq->bins, raw + rq->bins * FM_PACK);
  clamp(rq, v, u);
  search(rq, inverse, raw, u, &b);
  if (inverse)
    place_of_y(&b, u, xi);
  else
    place_of_x(&b, u, xi);
  evaluate(&b, xi, &f);
  if (inverse)
    x_of(&b, xi, out);
  else
    y_of(&b, &f, out);
  fm_log_pack(f.slope, log_slope);
  for (int i = 0; i < FM_PACK; i++) {
    const int inside = v[i] > -rq->bound && v[i] < rq->bound;

    v[i] = inside ? out[i] : v[i];
    log_slope[i] = inside ? log_slope[i] : 0;
  }
}

/* Cotangents of what makes a bin. */
typedef struct bin_bar {
  pack left, width, bottom, height, slope0, slope1;
} bin_bar;

/* Of y (at fixed x) and of L = log g', y_bar and l_bar, to the bin's numbers; d_x is what they
   give to x. With R = N/D:  R' = s Q/D^2,  L' = Q'/Q - 2 D'/D. */
static inline void bin_vjp(const bin *b, const fm_real *xi, const value *f,
                           const fm_real *y_bar, const fm_real *l_bar, bin_bar *bar) {
  for (int i = 0; i < FM_PACK; i++) {
    const fm_real s = f->s[i], n = f->n[i], d = f->d[i], q = f->q[i], w = b->width[i];
    const fm_real x = xi[i], u = 1 - x, t = x * u, over = y_bar[i] * b->height[i] / (d * d);
    const fm_real q_x = 2 * (b->slope1[i] * x + s * (u - x) - b->slope0[i] * u);
    const fm_real d_x = (b->slope0[i] + b->slope1[i] - 2 * s) * (u - x);
    const fm_real l_q = l_bar[i] / q, l_d = -2 * l_bar[i] / d;
    const fm_real xi_bar = over * s * q + l_q * q_x + l_d * d_x;
    const fm_real s_bar = over * (x * x * d - n * (1 - 2 * t)) + 2 * l_bar[i] / s +
                          2 * t * l_q + (1 - 2 * t) * l_d;

    bar->left[i] = -xi_bar / w;
    bar->width[i] = -(xi_bar * x + s_bar * s) / w;
    bar->bottom[i] = y_bar[i];
    bar->height[i] = y_bar[i] * (n / d) + s_bar / w;
    bar->slope0[i] = over * t * (d - n) + l_q * u * u + l_d * t;
    bar->slope1[i] = -over * t * n + l_q * x * x + l_d * t;
  }
}

/* d log g' / dx. */
static inline void curvature(const bin *b, const fm_real *xi, const value *f, fm_real *bent) {
  for (int i = 0; i < FM_PACK; i++) {
    const fm_real x = xi[i], u = 1 - x, s = f->s[i];
    const fm_real q_x = 2 * (b->slope1[i] * x + s * (u - x) - b->slope0[i] * u);
    const fm_real d_x = (b->slope0[i] + b->slope1[i] - 2 * s) * (u - x);

    bent[i] = (q_x / f->q[i] - 2 * d_x / f->d[i]) / b->width[i];
  }
}

/* What the size of bin k gets, `at` bins before the chosen one: it counts in the corner of
   every
   later bin. */
static inline fm_real reach(fm_real at, fm_real corner_bar, fm_real size_bar) {
  return (fm_real)(at > 0) * corner_bar + (fm_real)(at == 0) * size_bar;
}

/* Softmax and the sizes it makes, backwards: soft [bins][FM_PACK] <- cotangents of the raw
   numbers. */
static inline void sizes_vjp(const fm_rq *rq, const fm_real *place, const fm_real *corner_bar,
                             const fm_real *size_bar, fm_real *soft) {
  const fm_real part = share(rq);
  pack sum = {0};

  for (int64_t k = 0; k < rq->bins; k++)
    for (int i = 0; i < FM_PACK; i++)
      sum[i] +=
          soft[k * FM_PACK + i] * reach(place[i] - (fm_real)k, corner_bar[i], size_bar[i]);
  for (int64_t k = 0; k < rq->bins; k++)
    for (int i = 0; i < FM_PACK; i++)
      soft[k * FM_PACK + i] *=
          part * (reach(place[i] - (fm_real)k, corner_bar[i], size_bar[i]) - sum[i]);
}

/* c_k is the upper slope of bin k and the lower one of bin k + 1. */
static inline void slopes_vjp(const fm_rq *rq, const bin *b, const bin_bar *bar, fm_real *c) {
  for (int64_t k = 0; k < rq->bins - 1; k++)
    for (int i = 0; i < FM_PACK; i++) {
      const fm_real at = b->place[i] - (fm_real)k;
      const fm_real upper = bar->slope1[i] * b->rise1[i], lower = bar->slope0[i] * b->rise0[i];

      c[k * FM_PACK + i] = (fm_real)(at == 0) * upper + (fm_real)(at == 1) * lower;
    }
}

void fm_rq_vjp(const fm_rq *rq, int inverse, fm_real *raw, fm_real *v, fm_real *v_bar,
               const fm_real *log_slope_bar) {
  pack u, xi, in, bent, y_bar, l_bar;
  bin_bar bar;
  value f;
  bin b;

  softmax(rq->bins, raw);
  softmax(rq->bins, raw + rq->bins * FM_PACK);
  clamp(rq, v, u);
  search(rq, !inverse, raw, u, &b);
  if (inverse)
    place_of_x(&b, u, xi);
  else
    place_of_y(&b, u, xi);
  evaluate(&b, xi, &f);
  if (inverse)
    y_of(&b, &f, in);
  else
    x_of(&b, xi, in);
  curvature(&b, xi, &f, bent);
  for (int i = 0; i < FM_PACK; i++) {
    const int inside = v[i] > -rq->bound && v[i] < rq->bound;
    const fm_real g = v_bar[i], l = inside ? log_slope_bar[i] : 0, through = g + l * bent[i];
    const fm_real x_bar = inverse ? through / f.slope[i] : g * f.slope[i] + l * bent[i];

    y_bar[i] = inside ? (inverse ? -x_bar : g) : 0;
    l_bar[i] = l;
    v[i] = inside ? in[i] : v[i];
    v_bar[i] = inside ? x_bar : g;
  }
  bin_vjp(&b, xi, &f, y_bar, l_bar, &bar);
  sizes_vjp(rq, b.place, bar.left, bar.width, raw);
  sizes_vjp(rq, b.place, bar.bottom, bar.height, raw + rq->bins * FM_PACK);
  slopes_vjp(rq, &b, &bar, raw + 2 * rq->bins * FM_PACK);
}
