#include "fathom/objective.h"
#include "infer/rebuilt.h"
#include <math.h>

/* Forward KL on pairs, eq. (3). */
typedef struct {
  fm_pairs_inputs in;
  int64_t capacity; /* of the arrays below, in samples */
  int64_t *item;
  fm_real *x, *y, *bar_x, *bar_y, *logdet;
  fm_rebuilt rebuilt;
} pairs;

static PetscErrorCode reserve(pairs *p, int64_t nb) {
  const int64_t n = p->in.transport->n, m = p->in.transport->m;

  PetscFunctionBegin;
  if (nb <= p->capacity) PetscFunctionReturn(0);
  PetscCall(PetscFree6(p->item, p->x, p->y, p->bar_x, p->bar_y, p->logdet));
  PetscCall(PetscMalloc6(nb, &p->item, nb * n, &p->x, nb * m, &p->y, nb * n, &p->bar_x, nb * m,
                         &p->bar_y, 3 * nb, &p->logdet));
  p->capacity = nb;
  PetscFunctionReturn(0);
}

/* Rows of the data by their place in the training set, whitened. */
static PetscErrorCode load(pairs *p, int64_t nb, int64_t *item) {
  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) item[s] = p->in.row[item[s]];
  PetscCall(fm_dataset_rows(p->in.data, nb, item, p->x, p->in.transport->m ? p->y : NULL));
  fm_transport_whiten_lanes(p->in.transport, nb, p->x, p->in.transport->m ? p->y : NULL);
  PetscFunctionReturn(0);
}

static fm_lanes lanes_of(const pairs *p, fm_real *x, fm_real *y) {
  return (fm_lanes){.x = x, .y = p->in.transport->m ? y : NULL};
}

/* -log q(x, y) of one sample in the user's units; *y_part: that of the y lane. */
static double negative_log_density(const fm_transport *t, const fm_real *z_x,
                                   const fm_real *z_y, double logdet_x, double logdet_y,
                                   double *y_part) {
  *y_part = t->m ? -fm_log_normal(t->m, z_y) - logdet_y + t->y_logstd : 0.;
  return *y_part - fm_log_normal(t->n, z_x) - logdet_x + t->x_logstd;
}

static PetscErrorCode add(fm_objective *o, const fm_real *theta, int64_t step, int64_t first,
                          int64_t nb, fm_share *share) {
  pairs *p = (pairs *)o->data;
  fm_transport *t = p->in.transport;
  fm_lanes v, bar;
  fm_logdet logdet;
  double nll = 0., y_part;

  PetscFunctionBegin;
  PetscCall(reserve(p, nb));
  PetscCall(fm_objective_items(o, step, first, nb, p->item));
  PetscCall(load(p, nb, p->item));
  v = lanes_of(p, p->x, p->y);
  bar = lanes_of(p, p->bar_x, p->bar_y);
  PetscCall(fm_transport_kept(t, &v.kept));
  PetscCall(fm_rebuilt_begin(&p->rebuilt, t, step, nb, p->x));
  logdet = (fm_logdet){p->logdet, t->m ? p->logdet + nb : NULL};
  PetscCall(fm_flow_apply(t->flow, theta, FM_NORMALIZE, nb, v, v, logdet));
  for (int64_t s = 0; s < nb; s++)
    nll += negative_log_density(t, p->x + s * t->n, p->y + s * t->m, (double)p->logdet[s],
                                t->m ? (double)p->logdet[nb + s] : 0., &y_part);
  PetscCall(PetscArraycpy(p->bar_x, p->x, nb * t->n)); /* d(|z|^2/2)/dz = z */
  PetscCall(PetscArraycpy(p->bar_y, p->y, nb * t->m));
  for (int64_t s = 0; s < 2 * nb; s++) p->logdet[s] = -1;
  PetscCall(fm_flow_vjp(t->flow, theta, FM_NORMALIZE, nb, v, bar, logdet, v, bar,
                        fm_share_scratch(share)));
  fm_rebuilt_end(&p->rebuilt, t, step, nb, p->x, NULL);
  fm_share_add_gradient(share);
  fm_share_add_term(share, FM_TERM_OBJECTIVE, nll);
  fm_share_add_count(share, FM_COUNT_KEPT, nb);
  PetscFunctionReturn(0);
}

static PetscErrorCode start(fm_objective *o, fm_real *theta) {
  pairs *p = (pairs *)o->data;
  const int64_t nb = fm_transport_start_samples(p->in.transport, o->total);
  int64_t *order;

  PetscFunctionBegin;
  PetscCall(fm_calloc(o->total, &order));
  fm_rng_permutation((fm_rng){p->in.seed, FM_STREAM_START}, 0, o->total, order);
  PetscCall(reserve(p, nb));
  PetscCall(load(p, nb, order));
  PetscCall(
      fm_flow_start(p->in.transport->flow, theta, FM_NORMALIZE, nb, lanes_of(p, p->x, p->y)));
  PetscCall(PetscFree(order));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fm_objective *o) {
  pairs *p = (pairs *)o->data;

  PetscFunctionBegin;
  PetscCall(PetscFree6(p->item, p->x, p->y, p->bar_x, p->bar_y, p->logdet));
  PetscCall(PetscFree(p->rebuilt.was));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

static const fm_objective_ops pairs_ops = {"pairs", start, add, destroy};

PetscErrorCode fm_pairs_create(const fm_pairs_inputs *inputs, fm_objective **objective) {
  fm_objective *o;
  pairs *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  PetscCall(PetscNew(&p));
  p->in = *inputs;
  o->ops = &pairs_ops;
  o->data = p;
  o->total = inputs->nrow;
  o->batch = PetscMin(inputs->batch, inputs->nrow);
  o->steps_per_epoch = (o->total + o->batch - 1) / o->batch;
  o->shuffle = (fm_rng){inputs->seed, FM_STREAM_SHUFFLE};
  o->order_epoch = -1;
  PetscCall(fm_dataset_crc32(p->in.data, p->in.nrow, p->in.row,
                             p->in.transport->m ? PETSC_TRUE : PETSC_FALSE, &o->data_crc32));
  *objective = o;
  PetscFunctionReturn(0);
}

/* ---- the loss over any rows ---- */

enum { LOSS_SUM, LOSS_SQUARE, LOSS_Y, LOSS_BAD, LOSS_TERMS };

/* Nats beyond which a row counts as bad: squares of all rows fit the exact sum. */
static double largest_loss(int64_t nrow) {
  return sqrt(PetscMin(0x1p50, 0x1p62 / (double)nrow));
}

static PetscErrorCode loss_block(pairs *p, const fm_real *theta, int64_t nb, const int64_t *row,
                                 double shift, fm_exact *sum) {
  const double most = largest_loss(p->in.nrow);
  fm_transport *t = p->in.transport;
  fm_lanes v;

  PetscFunctionBegin;
  PetscCall(reserve(p, nb));
  PetscCall(PetscArraycpy(p->item, row, nb));
  PetscCall(fm_dataset_rows(p->in.data, nb, p->item, p->x, t->m ? p->y : NULL));
  fm_transport_whiten_lanes(t, nb, p->x, t->m ? p->y : NULL);
  v = lanes_of(p, p->x, p->y);
  PetscCall(fm_flow_apply(t->flow, theta, FM_NORMALIZE, nb, v, v,
                          (fm_logdet){p->logdet, t->m ? p->logdet + nb : NULL}));
  for (int64_t s = 0; s < nb; s++) {
    double y_part;
    const double nll =
        negative_log_density(t, p->x + s * t->n, p->y + s * t->m, (double)p->logdet[s],
                             t->m ? (double)p->logdet[nb + s] : 0., &y_part);

    if (!(fabs(nll - shift) < most && fabs(y_part) < most)) {
      fm_exact_add(&sum[LOSS_BAD], 1);
      continue;
    }
    fm_exact_add(&sum[LOSS_SUM], nll - shift);
    fm_exact_add(&sum[LOSS_SQUARE], (nll - shift) * (nll - shift));
    fm_exact_add(&sum[LOSS_Y], y_part);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_pairs_loss(const fm_comm *comm, fm_transport *transport, const fm_real *theta,
                             fm_dataset *data, int64_t nrow, const int64_t *row, double *nll,
                             double *nll_se, double *nll_y) {
  pairs p = {.in = {transport, data, nrow, row, 0, 0}};
  const int64_t block = fm_transport_block(transport);
  const double count = (double)nrow, shift = (double)(transport->n + transport->m);
  fm_exact sum[LOSS_TERMS] = {{0, 0}};
  int64_t first, blocks;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(comm, (nrow + block - 1) / block, &first, &blocks));
  for (int64_t b = first; b < first + blocks; b++)
    PetscCall(
        loss_block(&p, theta, PetscMin(block, nrow - b * block), row + b * block, shift, sum));
  PetscCall(PetscFree6(p.item, p.x, p.y, p.bar_x, p.bar_y, p.logdet));
  PetscCall(fm_exact_reduce(sum, LOSS_TERMS, comm->sample));
  *nll = fm_exact_value(sum[LOSS_SUM]) / count;
  *nll_se = sqrt(PetscMax(0., fm_exact_value(sum[LOSS_SQUARE]) / count - *nll * *nll) / count);
  *nll += shift;
  if (nll_y) *nll_y = fm_exact_value(sum[LOSS_Y]) / count;
  if (!fm_exact_value(sum[LOSS_BAD])) PetscFunctionReturn(0);
  *nll = *nll_se = (double)INFINITY;
  if (nll_y) *nll_y = (double)INFINITY;
  PetscFunctionReturn(0);
}
