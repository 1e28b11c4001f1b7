/* What the latents of pairs look like, so that an observation which is unlike them is noticed.
   */
#include "fathom/typical.h"
#include "fathom/share.h"
#include <math.h>

#define MOST 64 /* rows that are looked at */

enum { SUM, SQUARE, TERMS };

/* |z|^2 / n of a latent of n standard normal numbers is 1 +- sqrt(2 / n). */
static double mean_square(int64_t n, const fm_real *z) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += (double)z[i] * (double)z[i];
  return sum / (double)n;
}

static void add(double v, fm_exact sum[TERMS]) {
  const double limited = isfinite(v) ? fmax(-1e6, fmin(v, 1e6)) : 1e6;

  fm_exact_add(&sum[SUM], limited);
  fm_exact_add(&sum[SQUARE], limited * limited);
}

static fm_typical summary(const fm_exact sum[TERMS], double count) {
  const double mean = fm_exact_value(sum[SUM]) / count;

  return (fm_typical){mean,
                      sqrt(PetscMax(0., fm_exact_value(sum[SQUARE]) / count - mean * mean))};
}

static PetscErrorCode one_row(fm_transport *t, const fm_real *theta, fm_dataset *data,
                              int64_t row, fm_real *x, fm_real *y,
                              fm_exact sum[FM_TYPICALS][TERMS]) {
  const fm_lanes v = {.x = x, .y = t->m ? y : NULL};
  fm_real logdet;

  PetscFunctionBegin;
  PetscCall(fm_dataset_rows(data, 1, &row, x, v.y));
  fm_transport_whiten_lanes(t, 1, x, v.y);
  PetscCall(fm_flow_apply(t->flow, theta, FM_NORMALIZE, 1, v, v, (fm_logdet){&logdet, NULL}));
  add(mean_square(t->n, x), sum[FM_TYPICAL_X]);
  if (t->m) add(mean_square(t->m, y), sum[FM_TYPICAL_Y]);
  add((t->x_logstd - fm_log_normal(t->n, x) - (double)logdet) / (double)t->n,
      sum[FM_TYPICAL_ENERGY]);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_typical_of_pairs(const fm_comm *comm, fm_transport *t, const fm_real *theta,
                                   fm_dataset *data, int64_t nrow, const int64_t *row) {
  const int64_t total = PetscMin(nrow, MOST);
  fm_exact sum[FM_TYPICALS][TERMS] = {{{0, 0}}};
  int64_t first, count;
  fm_real *x, *y;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(comm, total, &first, &count));
  PetscCall(PetscMalloc2(t->n, &x, t->m, &y));
  for (int64_t i = first; i < first + count; i++)
    PetscCall(one_row(t, theta, data, row[i], x, y, sum));
  PetscCall(PetscFree2(x, y));
  PetscCall(fm_exact_reduce(sum[0], FM_TYPICALS * TERMS, comm->sample));
  for (int k = 0; k < FM_TYPICALS; k++)
    if (k != FM_TYPICAL_Y || t->m) t->typical[k] = summary(sum[k], (double)total);
  PetscFunctionReturn(0);
}

double fm_typical_surprise(const fm_transport *t) {
  const fm_typical typical = t->typical[FM_TYPICAL_Y];

  if (!t->condition || !(typical.std > 0)) return 0;
  return (mean_square(t->m, fm_condition_latent(t->condition)) - typical.mean) / typical.std;
}
