/* Short chains behind a flow, all with one step. */
#include "fathom/moves.h"
#include "fathom/log.h"
#include "fathom/share.h"
#include "infer/collect.h"
#include <math.h>

#define JITTER 0.2  /* of a trajectory's length: no period is met again and again */
#define MOST 1000   /* steps of a trajectory */
#define LONGEST 0.9 /* first e: few unknowns */
#define SHRINK 0.5
#define GROW 1.4

/* ---- the step ---- */

/* Spread s of H at which a = 2 Phi(-s/2) = erfc(s / 8^1/2) are accepted. */
static double spread_of(double acceptance) {
  double low = 0, high = 20;

  for (int k = 0; k < 60; k++) {
    const double middle = (low + high) / 2;

    if (erfc(middle / sqrt(8.)) > acceptance)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}

double fm_moves_step(double step, double acceptance, double target) {
  const double wanted = sqrt(spread_of(target) / spread_of(acceptance));

  return step * fmin(GROW, fmax(SHRINK, wanted));
}

/* ---- samples ---- */

static PetscErrorCode allocate(const fm_moves_inputs *inputs, fm_moves **moves) {
  const int64_t n = inputs->potential->n, count = inputs->count;
  fm_moves *m;

  PetscFunctionBegin;
  PetscCall(PetscNew(&m));
  *moves = m;
  m->in = *inputs;
  m->n = n;
  m->step = fmin(LONGEST, 2 * pow((double)n, -0.25));
  m->acceptance = (double)NAN;
  PetscCall(fm_calloc(count * n, &m->z));
  PetscCall(fm_calloc(count * n, &m->gradient));
  PetscCall(fm_calloc(count * n, &m->x));
  PetscCall(fm_calloc(count, &m->value));
  PetscCall(fm_calloc(count, &m->begin));
  PetscCall(fm_calloc(count, &m->before));
  PetscCall(fm_calloc(count, &m->made));
  PetscCall(fm_calloc(count, &m->accepted));
  PetscCall(fm_calloc(count, &m->leaps));
  PetscCall(fm_chain_create(n, 0, NULL, &m->chain));
  for (int64_t i = 0; i < n; i++) fm_chain_vector(&m->chain, FM_CHAIN_SCALE)[i] = 1;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_moves_destroy(fm_moves **moves) {
  fm_moves *m = *moves;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(0);
  PetscCall(fm_chain_destroy(&m->chain));
  PetscCall(PetscFree(m->z));
  PetscCall(PetscFree(m->gradient));
  PetscCall(PetscFree(m->x));
  PetscCall(PetscFree(m->value));
  PetscCall(PetscFree(m->begin));
  PetscCall(PetscFree(m->before));
  PetscCall(PetscFree(m->made));
  PetscCall(PetscFree(m->accepted));
  PetscCall(PetscFree(m->leaps));
  PetscCall(PetscFree(*moves));
  PetscFunctionReturn(0);
}

/* U, its gradient and x of all samples. */
static PetscErrorCode evaluate(fm_moves *m) {
  PetscFunctionBegin;
  for (int64_t s = 0; s < m->in.count; s++) {
    const uint64_t sample = (uint64_t)(m->in.first + s);
    const fm_key key = {.step = 0, .sample = &sample};
    fm_potential *p = m->in.potential;
    PetscBool ok;

    PetscCall(p->evaluate(p->context, key, m->z + s * m->n, &m->value[s],
                          m->gradient + s * m->n, m->x + s * m->n, &ok));
    if (!ok) m->value[s] = INFINITY;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_moves_create(const fm_moves_inputs *inputs, const fm_real *z,
                               fm_moves **moves) {
  fm_moves *m;

  PetscFunctionBegin;
  PetscCall(allocate(inputs, moves));
  m = *moves;
  for (int64_t i = 0; i < m->in.count * m->n; i++) m->z[i] = (double)z[i];
  PetscCall(evaluate(m));
  PetscCall(PetscArraycpy(m->begin, m->value, m->in.count));
  PetscCall(PetscArraycpy(m->before, m->value, m->in.count));
  PetscFunctionReturn(0);
}

/* ---- a round ---- */

/* Sample s through the chain and back. */
static PetscErrorCode move(fm_moves *m, const fm_hmc *hmc, int64_t s) {
  double *state = fm_chain_scalars(&m->chain), *x = fm_chain_vector(&m->chain, FM_CHAIN_X);
  const size_t row = (size_t)m->n * sizeof(double);
  const int64_t at = s * m->n;

  PetscFunctionBegin;
  m->chain.index = m->in.first + s;
  state[FM_CHAIN_ACCEPTANCE] = state[FM_CHAIN_LEAPFROGS] = 0;
  state[FM_CHAIN_STEP] = m->step;
  state[FM_CHAIN_VALUE] = m->before[s] = m->value[s];
  memcpy(fm_chain_vector(&m->chain, FM_CHAIN_Q), m->z + at, row);
  memcpy(fm_chain_vector(&m->chain, FM_CHAIN_GRADIENT), m->gradient + at, row);
  for (int64_t i = 0; i < m->n; i++) x[i] = (double)m->x[at + i];
  PetscCall(fm_chain_iterate(&m->chain, hmc, m->in.potential, m->round));
  memcpy(m->z + at, fm_chain_vector(&m->chain, FM_CHAIN_Q), row);
  memcpy(m->gradient + at, fm_chain_vector(&m->chain, FM_CHAIN_GRADIENT), row);
  for (int64_t i = 0; i < m->n; i++) m->x[at + i] = (fm_real)x[i];
  m->value[s] = state[FM_CHAIN_VALUE];
  m->accepted[s] = state[FM_CHAIN_ACCEPTANCE];
  m->leaps[s] = state[FM_CHAIN_LEAPFROGS];
  PetscFunctionReturn(0);
}

static PetscErrorCode end_round(fm_moves *m) {
  fm_exact sum[3] = {{0}}; /* acceptance, samples, leapfrogs */

  PetscFunctionBegin;
  for (int64_t s = 0; s < m->in.count; s++) {
    if (!isfinite(m->value[s])) continue;
    fm_exact_add(&sum[0], m->accepted[s]);
    fm_exact_add(&sum[1], 1);
    fm_exact_add(&sum[2], m->leaps[s]);
  }
  PetscCall(fm_exact_reduce(sum, 3, m->in.comm->sample));
  m->round++;
  m->acceptance = fm_exact_value(sum[0]) / fm_exact_value(sum[1]);
  m->leapfrogs += (int64_t)fm_exact_value(sum[2]);
  if (m->acceptance >= 0) m->step = fm_moves_step(m->step, m->acceptance, m->in.target);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_moves_some(fm_moves *m, int64_t most, PetscBool *ended) {
  const fm_hmc hmc = {
      .seed = m->in.seed, .trajectory = m->in.trajectory, .jitter = JITTER, .most = MOST};
  int left = 0, any;

  PetscFunctionBegin;
  for (int64_t s = 0; s < m->in.count; s++) {
    if (m->made[s] > (double)m->round) continue;
    if (!most--) {
      left = 1;
      break;
    }
    if (isfinite(m->value[s])) PetscCall(move(m, &hmc, s));
    m->made[s] = (double)m->round + 1;
  }
  PetscCall(fm_comm_agree(m->in.comm->world, left, &any));
  *ended = any ? PETSC_FALSE : PETSC_TRUE;
  if (*ended) PetscCall(end_round(m));
  PetscFunctionReturn(0);
}

/* ---- what they tell ---- */

/* Mean and standard error of sums over `count`. */
static void mean_of(double sum, double squares, double count, double *mean, double *se) {
  *mean = sum / count;
  *se = sqrt(fmax(0, squares / count - *mean * *mean) / fmax(1, count - 1));
}

PetscErrorCode fm_moves_tell(const fm_moves *m, fm_moved *told) {
  enum { COUNT, FAILED, CHANGE, CHANGE2, LAST, LAST2, LATENT, SUMS };
  fm_exact sum[SUMS] = {{0}};
  double v[SUMS];

  PetscFunctionBegin;
  for (int64_t s = 0; s < m->in.count; s++) {
    const double change = m->value[s] - m->begin[s], last = m->value[s] - m->before[s];
    double square = 0;

    fm_exact_add(&sum[isfinite(m->value[s]) ? COUNT : FAILED], 1);
    if (!isfinite(m->value[s])) continue;
    for (int64_t i = 0; i < m->n; i++) square += m->z[s * m->n + i] * m->z[s * m->n + i];
    fm_exact_add(&sum[CHANGE], change);
    fm_exact_add(&sum[CHANGE2], change * change);
    fm_exact_add(&sum[LAST], last);
    fm_exact_add(&sum[LAST2], last * last);
    fm_exact_add(&sum[LATENT], square / (double)m->n);
  }
  PetscCall(fm_exact_reduce(sum, SUMS, m->in.comm->sample));
  for (int k = 0; k < SUMS; k++) v[k] = fm_exact_value(sum[k]);
  *told = (fm_moved){.failed = (int64_t)v[FAILED], .latent = v[LATENT] / v[COUNT]};
  mean_of(v[CHANGE], v[CHANGE2], v[COUNT], &told->change, &told->se);
  mean_of(v[LAST], v[LAST2], v[COUNT], &told->last, &told->last_se);
  PetscFunctionReturn(0);
}

/* ---- the file ---- */

/* Rows of all ranks, on rank 0. */
static PetscErrorCode write_rows(const fm_moves *m, fm_store *store, const char *name,
                                 int64_t width, const double *mine) {
  const int64_t shape[] = {m->in.total, width};
  double *rows;

  PetscFunctionBegin;
  PetscCall(fm_calloc(m->in.count * width, &rows));
  PetscCall(PetscArraycpy(rows, mine, m->in.count * width));
  PetscCall(fm_collect_rows(m->in.comm->sample, (size_t)width * sizeof(double), m->in.count,
                            m->in.total, &rows));
  PetscCall(fm_store_write(store, name, FM_FLOAT64, width > 1 ? 2 : 1, shape, rows));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_moves_save(const fm_moves *m, const char *path, const fm_keep *keep) {
  fm_writer *writer;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_create(m->in.comm->world, path, &store));
  PetscCall(write_rows(m, store, "/z", m->n, m->z));
  PetscCall(write_rows(m, store, "/value", 1, m->value));
  PetscCall(write_rows(m, store, "/begin", 1, m->begin));
  PetscCall(write_rows(m, store, "/before", 1, m->before));
  PetscCall(write_rows(m, store, "/made", 1, m->made));
  PetscCall(write_rows(m, store, "/accepted", 1, m->accepted));
  PetscCall(write_rows(m, store, "/leaps", 1, m->leaps));
  PetscCall(fm_store_set_integer(store, "/", "seed", (int64_t)m->in.seed));
  PetscCall(fm_store_set_integer(store, "/", "round", m->round));
  PetscCall(fm_store_set_integer(store, "/", "leapfrogs", m->leapfrogs));
  PetscCall(fm_store_set_integer(store, "/", "solves_F", m->solves[0]));
  PetscCall(fm_store_set_integer(store, "/", "solves_JT", m->solves[1]));
  PetscCall(fm_store_set_real(store, "/", "step", m->step));
  PetscCall(fm_store_set_real(store, "/", "acceptance", m->acceptance));
  PetscCall(fm_store_commit_begin(&store, keep, &writer));
  PetscCall(fm_writer_finish(&writer, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_file(const fm_moves_inputs *in, fm_store *store, const char *path) {
  int64_t shape[FM_STORE_NDIM], seed;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, "/z", &ndim, shape));
  PetscCall(fm_store_get_integer(store, "/", "seed", &seed));
  fm_check(shape[0] == in->total && (ndim < 2 ? 1 : shape[1]) == in->potential->n,
           in->comm->world, PETSC_ERR_USER,
           "'%s' is of %lld samples of %lld unknowns, here are %lld of %lld: leave out -resume",
           path, (long long)shape[0], (long long)(ndim < 2 ? 1 : shape[1]),
           (long long)in->total, (long long)in->potential->n);
  fm_check(seed == (int64_t)in->seed, in->comm->world, PETSC_ERR_USER,
           "'%s' was begun with -seed %lld, here it is %lld: leave out -resume", path,
           (long long)seed, (long long)in->seed);
  PetscFunctionReturn(0);
}

/* Every rank reads all rows of a dataset, a block of samples at a time, and keeps its own. */
static PetscErrorCode read_rows(fm_moves *m, fm_store *store, const char *name, int64_t width,
                                double *mine) {
  const int64_t block = PetscMax(1, (1 << 22) / width);
  double *rows;

  PetscFunctionBegin;
  PetscCall(fm_calloc(PetscMin(block, m->in.total) * width, &rows));
  for (int64_t at = 0; at < m->in.total; at += block) {
    const int64_t count = PetscMin(block, m->in.total - at);
    const int64_t low = PetscMax(at, m->in.first);
    const int64_t high = PetscMin(at + count, m->in.first + m->in.count);

    PetscCall(fm_store_read_rows(store, name, FM_FLOAT64, at, count, rows));
    if (low < high)
      PetscCall(PetscArraycpy(mine + (low - m->in.first) * width, rows + (low - at) * width,
                              (high - low) * width));
  }
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_file(fm_moves *m, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(fm_store_get_integer(store, "/", "round", &m->round));
  PetscCall(fm_store_get_integer(store, "/", "leapfrogs", &m->leapfrogs));
  PetscCall(fm_store_get_integer(store, "/", "solves_F", &m->solves[0]));
  PetscCall(fm_store_get_integer(store, "/", "solves_JT", &m->solves[1]));
  PetscCall(fm_store_get_real(store, "/", "step", &m->step));
  PetscCall(fm_store_get_real(store, "/", "acceptance", &m->acceptance));
  PetscCall(read_rows(m, store, "/z", m->n, m->z));
  PetscCall(read_rows(m, store, "/begin", 1, m->begin));
  PetscCall(read_rows(m, store, "/before", 1, m->before));
  PetscCall(read_rows(m, store, "/made", 1, m->made));
  PetscCall(read_rows(m, store, "/accepted", 1, m->accepted));
  PetscCall(read_rows(m, store, "/leaps", 1, m->leaps));
  PetscFunctionReturn(0);
}

PetscBool fm_moves_same(double was, double is) {
  return fabs(was - is) <= 1e-6 * fabs(was) ? PETSC_TRUE : PETSC_FALSE;
}

/* U at the samples is what it was, to rounding. */
static PetscErrorCode check_posterior(fm_moves *m, fm_store *store, const char *path) {
  int other = 0, worst;
  double *was;

  PetscFunctionBegin;
  PetscCall(fm_calloc(m->in.count, &was));
  PetscCall(read_rows(m, store, "/value", 1, was));
  for (int64_t s = 0; s < m->in.count; s++) {
    if (!isfinite(was[s]) && !isfinite(m->value[s])) continue;
    if (!fm_moves_same(was[s], m->value[s])) other = 1;
  }
  PetscCall(PetscFree(was));
  PetscCall(fm_comm_agree(m->in.comm->world, other, &worst));
  fm_check(!worst, m->in.comm->world, PETSC_ERR_USER,
           "'%s' is of another flow, or of other data, noise, prior or operator: leave out "
           "-resume",
           path);
  PetscFunctionReturn(0);
}

/* Another run is refused before it costs an evaluation, another posterior after. */
static PetscErrorCode read_all(const fm_moves_inputs *inputs, fm_store *store, const char *path,
                               fm_moves **moves) {
  PetscFunctionBegin;
  PetscCall(check_file(inputs, store, path));
  PetscCall(allocate(inputs, moves));
  PetscCall(read_file(*moves, store));
  PetscCall(evaluate(*moves));
  PetscCall(check_posterior(*moves, store, path));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_moves_resume(const fm_moves_inputs *inputs, const char *path,
                               fm_moves **moves) {
  PetscErrorCode error;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_open(inputs->comm->world, path, &store));
  error = read_all(inputs, store, path, moves);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}
