/* z = L x + b: L lower triangular with the diagonal exp(log_diagonal); `lower` holds the rows
   of its strict triangle, one after the other. A Gaussian of any covariance is exact. Cost: n^2
   operations a sample. */
#include "fathom/layer.h"
#include "flow/kernels.h"

/* The layer's numbers within theta, or their cotangents within theta_bar. */
typedef struct parts {
  fm_real *log_diagonal, *shift, *lower;
} parts;

static parts parts_of(const fm_layer *layer, const fm_real *theta) {
  fm_real *p = (fm_real *)theta + layer->first;

  return (parts){p, p + layer->size, p + 2 * layer->size};
}

static PetscErrorCode build(fm_layer *layer, fm_flow *flow) {
  const int64_t n = layer->size, below = n * (n - 1) / 2;

  PetscFunctionBegin;
  PetscCall(fm_layer_tensor(flow, layer, "log_diagonal", 1, &n, 0, NULL));
  PetscCall(fm_layer_tensor(flow, layer, "shift", 1, &n, 0, NULL));
  PetscCall(fm_layer_tensor(flow, layer, "lower", 1, &below, 0, NULL));
  PetscFunctionReturn(0);
}

static int64_t work(const fm_layer *layer, int64_t nb) { return layer->size; }

static const fm_real *row(const parts *p, int64_t i) { return p->lower + i * (i - 1) / 2; }

static void diagonal(int64_t n, const parts *p, fm_real *diagonal_out) {
  for (int64_t i = 0; i < n; i++) diagonal_out[i] = fm_exp(p->log_diagonal[i]);
}

static void multiply(int64_t n, const parts *p, const fm_real *d, fm_real *v) {
  for (int64_t i = n - 1; i >= 0; i--)
    v[i] = d[i] * v[i] + fm_dot(i, row(p, i), v) + p->shift[i];
}

static void solve(int64_t n, const parts *p, const fm_real *d, fm_real *v) {
  for (int64_t i = 0; i < n; i++) v[i] = (v[i] - p->shift[i] - fm_dot(i, row(p, i), v)) / d[i];
}

/* g <- L^T g */
static void multiply_transposed(int64_t n, const parts *p, const fm_real *d, fm_real *g) {
  for (int64_t i = 0; i < n; i++) {
    const fm_real *l = row(p, i), gi = g[i];

    for (int64_t j = 0; j < i; j++) g[j] += l[j] * gi;
    g[i] = d[i] * gi;
  }
}

/* g <- L^-T g */
static void solve_transposed(int64_t n, const parts *p, const fm_real *d, fm_real *g) {
  for (int64_t i = n - 1; i >= 0; i--) {
    const fm_real *l = row(p, i), gi = g[i] / d[i];

    for (int64_t j = 0; j < i; j++) g[j] -= l[j] * gi;
    g[i] = gi;
  }
}

static fm_real log_diagonal_sum(int64_t n, const parts *p) {
  fm_real sum = 0;

  for (int64_t i = 0; i < n; i++) sum += p->log_diagonal[i];
  return sum;
}

static void apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  const int64_t n = layer->size;
  const parts p = parts_of(layer, pass->theta);
  const int normalize = pass->direction == FM_NORMALIZE;
  const fm_real sum = normalize ? log_diagonal_sum(n, &p) : -log_diagonal_sum(n, &p);

  diagonal(n, &p, pass->work);
  for (int64_t b = 0; b < pass->nb; b++) {
    (normalize ? multiply : solve)(n, &p, pass->work, v + b * n);
    if (logdet) logdet[b] += sum;
  }
}

/* Of z = L x + b, with the cotangent g of z (generating: minus the cotangent of z that is
   handed on). */
static void weights_vjp(int64_t n, const fm_real *d, const fm_real *x, const fm_real *g,
                        fm_real sign, fm_real logdet_bar, parts bar) {
  for (int64_t i = 0; i < n; i++) {
    fm_real *l = bar.lower + i * (i - 1) / 2;
    const fm_real gi = sign * g[i];

    for (int64_t j = 0; j < i; j++) l[j] += gi * x[j];
    bar.log_diagonal[i] += gi * x[i] * d[i] + sign * logdet_bar;
    bar.shift[i] += gi;
  }
}

static void vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                const fm_real *logdet_bar) {
  const int64_t n = layer->size;
  const parts p = parts_of(layer, pass->theta);
  const parts bar = parts_of(layer, pass->theta_bar ? pass->theta_bar : pass->theta);
  const int normalize = pass->direction == FM_NORMALIZE;
  const fm_real *d = pass->work;

  diagonal(n, &p, pass->work);
  for (int64_t b = 0; b < pass->nb; b++) {
    fm_real *x = v + b * n, *g = v_bar + b * n;

    if (normalize)
      solve(n, &p, d, x);
    else
      solve_transposed(n, &p, d, g);
    if (pass->theta_bar)
      weights_vjp(n, d, x, g, normalize ? 1 : -1, logdet_bar ? logdet_bar[b] : 0, bar);
    if (normalize)
      multiply_transposed(n, &p, d, g);
    else
      multiply(n, &p, d, x);
  }
}

static double flop(const fm_layer *layer) {
  return (double)layer->size * (double)(layer->size + 1);
}

const fm_layer_ops fm_layer_triangular = {
    .flop = flop, .build = build, .work = work, .apply = apply, .vjp = vjp};
