/* What the latents of pairs look like, so that an observation which is unlike them is noticed.
   */
#include "fathom/typical.h"
#include <math.h>

#define MOST 4096 /* rows that are looked at */

/* |z|^2 / n of a latent of n standard normal numbers is 1 +- sqrt(2 / n). */
static double mean_square(int64_t n, const fm_real *z) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += (double)z[i] * (double)z[i];
  return sum / (double)n;
}

static double limited(double v) { return isfinite(v) ? fmax(-1e6, fmin(v, 1e6)) : 1e6; }

/* ---- pairs ---- */

typedef struct {
  fm_transport *t;
  const fm_real *theta;
  fm_dataset *data;
  int64_t total, block;
  fm_real *x, *y, *logdet;    /* [block][n], [block][m], [block] */
  double *value[FM_TYPICALS]; /* [total] */
} sweep;

static PetscErrorCode one_block(sweep *s, const int64_t *row, int64_t first, int64_t nb) {
  fm_transport *t = s->t;
  const fm_lanes v = {.x = s->x, .y = t->m ? s->y : NULL};

  PetscFunctionBegin;
  PetscCall(fm_dataset_rows(s->data, nb, row + first, v.x, v.y));
  fm_transport_whiten_lanes(t, nb, v.x, v.y);
  PetscCall(
      fm_flow_apply(t->flow, s->theta, FM_NORMALIZE, nb, v, v, (fm_logdet){s->logdet, NULL}));
  for (int64_t k = 0; k < nb; k++) {
    const fm_real *x = s->x + k * t->n;
    const double energy = t->x_logstd - fm_log_normal(t->n, x) - (double)s->logdet[k];

    s->value[FM_TYPICAL_X][first + k] = limited(mean_square(t->n, x));
    s->value[FM_TYPICAL_Y][first + k] = t->m ? limited(mean_square(t->m, s->y + k * t->m)) : 0;
    s->value[FM_TYPICAL_ENERGY][first + k] = limited(energy / (double)t->n);
  }
  PetscFunctionReturn(0);
}

/* This rank's blocks, whose size does not depend on the number of ranks; then all of them. */
static PetscErrorCode all_blocks(const fm_comm *comm, sweep *s, const int64_t *row) {
  int64_t first, blocks;
  PetscMPIInt count;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)(FM_TYPICALS * s->total), &count));
  for (PetscMPIInt i = 0; i < count; i++) s->value[0][i] = -INFINITY;
  PetscCall(fm_comm_share(comm, (s->total + s->block - 1) / s->block, &first, &blocks));
  for (int64_t b = first; b < first + blocks; b++)
    PetscCall(one_block(s, row, b * s->block, PetscMin(s->block, s->total - b * s->block)));
  PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, s->value[0], count, MPI_DOUBLE, MPI_MAX, comm->sample));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_typical_of_pairs(const fm_comm *comm, fm_transport *t, const fm_real *theta,
                                   fm_dataset *data, int64_t nrow, const int64_t *row,
                                   PetscBool held_out) {
  sweep s = {.t = t,
             .theta = theta,
             .data = data,
             .total = PetscMin(nrow, MOST),
             .block = fm_transport_block(t)};

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(s.block * t->n, &s.x, s.block * t->m, &s.y, s.block, &s.logdet,
                         FM_TYPICALS * s.total, &s.value[0]));
  for (int k = 1; k < FM_TYPICALS; k++) s.value[k] = s.value[0] + k * s.total;
  PetscCall(all_blocks(comm, &s, row));
  fm_typical_of_squares(s.total, s.value[FM_TYPICAL_X], &t->typical[FM_TYPICAL_X]);
  if (t->m) fm_typical_of_squares(s.total, s.value[FM_TYPICAL_Y], &t->typical[FM_TYPICAL_Y]);
  fm_typical_of_values(s.total, s.value[FM_TYPICAL_ENERGY], &t->typical[FM_TYPICAL_ENERGY]);
  for (int k = 0; k < FM_TYPICALS; k++) t->typical[k].held_out = held_out;
  PetscCall(PetscFree4(s.x, s.y, s.logdet, s.value[0]));
  PetscFunctionReturn(0);
}

double fm_typical_observed(const fm_transport *t) {
  return t->condition ? mean_square(t->m, fm_condition_latent(t->condition)) : (double)NAN;
}

/* ---- in a checkpoint ---- */

static const char moments[] = "/whitening/typical", range[] = "/whitening/typical_range";

PetscErrorCode fm_typical_write(const fm_transport *t, fm_store *store) {
  const int64_t shape[] = {FM_TYPICALS, 2}, flat = 2 * FM_TYPICALS;
  double two[FM_TYPICALS][2], ends[FM_TYPICALS][2];

  PetscFunctionBegin;
  if (!(t->typical[FM_TYPICAL_X].std > 0)) PetscFunctionReturn(0);
  for (int k = 0; k < FM_TYPICALS; k++) {
    two[k][0] = t->typical[k].mean;
    two[k][1] = t->typical[k].std;
    ends[k][0] = t->typical[k].low;
    ends[k][1] = t->typical[k].high;
  }
  PetscCall(fm_store_write(store, moments, FM_FLOAT64, 1, &flat, two));
  if (!t->typical[FM_TYPICAL_X].pairs) PetscFunctionReturn(0);
  PetscCall(fm_store_write(store, range, FM_FLOAT64, 2, shape, ends));
  PetscCall(fm_store_set_integer(store, range, "pairs", t->typical[FM_TYPICAL_X].pairs));
  PetscCall(fm_store_set_integer(store, range, "held_out", t->typical[FM_TYPICAL_X].held_out));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_typical_read(fm_store *store, fm_transport *t) {
  double two[FM_TYPICALS][2] = {{0}}, ends[FM_TYPICALS][2] = {{0}};
  int64_t pairs = 0, held_out = 0;
  PetscBool has, has_range;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, moments, &has));
  PetscCall(fm_store_has(store, range, &has_range));
  if (has) PetscCall(fm_store_read(store, moments, FM_FLOAT64, 2 * FM_TYPICALS, two));
  if (has_range) {
    PetscCall(fm_store_read(store, range, FM_FLOAT64, 2 * FM_TYPICALS, ends));
    PetscCall(fm_store_get_integer(store, range, "pairs", &pairs));
    PetscCall(fm_store_get_integer(store, range, "held_out", &held_out));
  }
  for (int k = 0; k < FM_TYPICALS; k++)
    t->typical[k] = (fm_typical){two[k][0],  two[k][1], ends[k][0],
                                 ends[k][1], pairs,     held_out ? PETSC_TRUE : PETSC_FALSE};
  PetscFunctionReturn(0);
}
