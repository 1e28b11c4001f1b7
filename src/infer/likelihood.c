/* likelihood - independent Gaussian noise on the data of an operator, every normaliser kept:

       E(x) = sum_i mask_i [ (F(x)_i - y_i)^2 / (2 sigma_i^2) + 1/2 log(2 pi sigma_i^2) ]
       grad E = F'(x)^T r,   r_i = mask_i (F(x)_i - y_i) / sigma_i^2

   part after part - forward, misfit, adjoint - so that one tape lives at a time; groups of
   ranks that the operator forms take parts in turn. Terms are summed exactly (fm_exact),
   gradients in the order of the parts, and the operator's numbers do not depend on the ranks:
   neither do value and gradient. A term beyond 2^50 nats (less for more than 4,096 data) is
   outside the exact sum: the sample counts as failed. A step of training may estimate the sum
   over the parts (shots.h).
   Data that lie in a subspace (fm_operator_restrict) are F(x) + P e with one sigma: the misfit
   is that of the coordinates in it, and the normaliser is rank/2 log(2 pi sigma^2).
   Source: eq. (2) of Siahkoohi et al. (AABI 2021). */
#include "fathom/likelihood.h"
#include "fathom/conditioning.h"
#include "fathom/energy_impl.h"
#include "fathom/gather.h"
#include "fathom/share.h"
#include "infer/likelihood_journal.h"
#include "infer/likelihood_split.h"
#include <math.h>

const fm_option fm_energy_likelihood_options[] = {
    {"noise_std", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "standard deviation of the noise in units of the data: a number, a list or FILE:/dataset"},
    {"data_mask", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "1 for each datum that counts and 0 for others: a list or FILE:/dataset; default: all"},
    {"condition", FM_OPTION_TEXT, "data", FM_COMMANDS_PHYSICS,
     "what the flow sees of the data: the data, or the residual at the model 0 (the "
     "background) migrated, an image of the unknown: " FM_CONDITIONS},
    {"shots_per_sample", FM_OPTION_INTEGER, "0", "refine check",
     "shots drawn for each sample of a training step instead of all; 0: all"},
    {"shots_encode", FM_OPTION_INTEGER, "0", "refine check",
     "supershots of all shots with random signs, for each sample of a training step, instead "
     "of single shots; 0: none"},
    {"journal_min_seconds", FM_OPTION_REAL, "10", "refine",
     "solves that take longer are kept in OUT/journal until the next checkpoint, so that a run "
     "that is killed need not make them again; 0: all solves"},
    {"journal_sync_seconds", FM_OPTION_REAL, "30", "refine",
     "interval of the journal's fsync: what the loss of a node may cost"},
    {"journal_gib", FM_OPTION_REAL, "16", "refine",
     "most that the journal may hold, all ranks together; 0: no journal"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct {
  char text[256];
} words;

typedef struct likelihood {
  fm_operator *op;   /* borrowed */
  const double *y;   /* [m], borrowed */
  double *sigma;     /* [m] */
  PetscBool *counts; /* [m] */
  MPI_Comm space;
  PetscInt groups, group; /* of ranks, which make solves at the same time; mine */
  fm_shots *shots;
  double constant;   /* the normaliser */
  double limit;      /* of one term, so that no exact sum overflows */
  Vec x, gx, d;      /* model, gradient, data of a part */
  int64_t part;      /* whose layout d has */
  int64_t *first;    /* [parts] where a part's data begin */
  fm_gather *gather; /* of gx */
  double *gradient;  /* [n], on every rank */
  double *adjoint;   /* [n], of one solve */
  double *other;     /* [n], of another group's */
  fm_recall recall;  /* solves of a job that was killed */
  int64_t reasons;   /* samples that there is room for in reason */
  words *reason;     /* why a sample of the last evaluation failed */
  fm_split split;    /* misfits of single parts */
} likelihood;

/* ---- one solve ---- */

static PetscErrorCode data_vec(likelihood *lk, int64_t part) {
  PetscFunctionBegin;
  if (lk->d && lk->part == part) PetscFunctionReturn(0);
  PetscCall(VecDestroy(&lk->d));
  PetscCall(fm_operator_create_vecs(lk->op, (PetscInt)part, NULL, &lk->d));
  lk->part = part;
  PetscFunctionReturn(0);
}

/* What datum k, of the part whose layout solve i of the plan has, is held against: y, or the
   sum of all parts' y with its signs. */
static double observed(const likelihood *lk, int64_t i, int64_t k) {
  const double *sign = lk->shots->sign + i * lk->shots->nparts;
  const int64_t datum = k - lk->first[lk->part];
  double y = 0;

  if (!lk->shots->encoding) return lk->y[k];
  for (int64_t p = 0; p < lk->shots->nparts; p++) y += sign[p] * lk->y[lk->first[p] + datum];
  return y;
}

/* Add the terms of this rank's entries of d to *sum and turn d into the cotangent r; *good
   false where a term is not finite or beyond the limit of the exact sum. */
static PetscErrorCode misfit(const likelihood *lk, int64_t i, fm_exact *sum, PetscBool *good) {
  const int64_t first = lk->first[lk->part];
  PetscInt low, high;
  double *d;

  PetscFunctionBegin;
  *good = PETSC_TRUE;
  PetscCall(VecGetOwnershipRange(lk->d, &low, &high));
  PetscCall(VecGetArray(lk->d, &d));
  for (int64_t k = first + low; k < first + high; k++) {
    double *const dk = &d[k - first - low];

    const double r = lk->counts[k] ? (*dk - observed(lk, i, k)) / lk->sigma[k] : 0;
    const double term = r * r / 2;

    if (term < lk->limit)
      fm_exact_add(sum, term);
    else
      *good = PETSC_FALSE;
    *dk = r / lk->sigma[k];
  }
  PetscCall(VecRestoreArray(lk->d, &d));
  PetscFunctionReturn(0);
}

/* adjoint = F'(x)^T r of the last solve. */
static PetscErrorCode adjoint(likelihood *lk, int64_t n) {
  const double *g;

  PetscFunctionBegin;
  PetscCall(fm_operator_vjp(lk->op, (PetscInt)lk->part, lk->d, lk->gx));
  PetscCall(fm_gather_read(lk->gather, lk->gx, &g));
  PetscCall(PetscArraycpy(lk->adjoint, g, (size_t)n));
  PetscFunctionReturn(0);
}

/* Forward, misfit and, where wanted, adjoint of solve i of the plan, by the ranks of this
   group; ok is agreed among them. */
static PetscErrorCode make_solve(likelihood *lk, int64_t i, int64_t n, PetscBool wanted,
                                 fm_exact *sum, PetscBool *ok) {
  PetscBool good;
  int bad;

  PetscFunctionBegin;
  PetscCall(data_vec(lk, lk->shots->part[i]));
  if (lk->shots->encoding)
    PetscCall(fm_operator_encode(lk->op, lk->shots->sign + i * lk->shots->nparts));
  PetscCall(fm_operator_linearize(lk->op, (PetscInt)lk->part, lk->x, lk->d, ok));
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(misfit(lk, i, sum, &good));
  PetscCall(fm_comm_agree(PetscObjectComm((PetscObject)lk->d), !good, &bad));
  *ok = bad ? PETSC_FALSE : PETSC_TRUE;
  if (*ok && wanted) PetscCall(adjoint(lk, n));
  PetscFunctionReturn(0);
}

/* The same, by the journal where it has it. */
static PetscErrorCode solve(likelihood *lk, int64_t i, int64_t n, PetscBool wanted,
                            fm_exact *sum, PetscBool *ok) {
  const double begin = MPI_Wtime();
  fm_exact mine = {0, 0};
  PetscBool found;

  PetscFunctionBegin;
  PetscCall(fm_recall_take(&lk->recall, lk->shots, i, n, sum, lk->adjoint, &found));
  if (found) PetscFunctionReturn(0);
  PetscCall(make_solve(lk, i, n, wanted, &mine, ok));
  if (!*ok) PetscFunctionReturn(0);
  sum->hi += mine.hi;
  sum->lo += mine.lo;
  fm_split_add(&lk->split, lk->part, mine);
  PetscCall(fm_recall_keep(&lk->recall, MPI_Wtime() - begin, n, mine, lk->adjoint));
  PetscFunctionReturn(0);
}

/* ---- one sample ---- */

/* gradient += adjoint of the solves first, first+1, ..., one a group, in this order. */
static PetscErrorCode add_adjoints(likelihood *lk, int64_t first, int64_t n) {
  PetscMPIInt count;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)n, &count));
  if (lk->groups == 1) {
    for (int64_t k = 0; k < n; k++) lk->gradient[k] += lk->adjoint[k];
    PetscFunctionReturn(0);
  }
  for (PetscMPIInt g = 0; g < lk->groups && first + g < lk->shots->count; g++) {
    double *other = g == lk->group ? lk->adjoint : lk->other;

    PetscCallMPI(MPI_Bcast(other, count, MPI_DOUBLE, g, lk->space));
    for (int64_t k = 0; k < n; k++) lk->gradient[k] += other[k];
  }
  PetscFunctionReturn(0);
}

/* One solve a group; *ok is agreed in space. */
static PetscErrorCode add_round(likelihood *lk, int64_t first, int64_t n, PetscBool wanted,
                                fm_exact *sum, PetscBool *ok) {
  int bad;

  PetscFunctionBegin;
  if (first + lk->group < lk->shots->count)
    PetscCall(solve(lk, first + lk->group, n, wanted, sum, ok));
  if (lk->groups > 1) {
    PetscCall(fm_comm_agree(lk->space, !*ok, &bad));
    *ok = bad ? PETSC_FALSE : PETSC_TRUE;
  }
  if (*ok && wanted) PetscCall(add_adjoints(lk, first, n));
  PetscFunctionReturn(0);
}

static PetscBool add_gradient(const likelihood *lk, int64_t n, fm_real *x_bar) {
  const double scale = lk->shots->scale;

  for (int64_t i = 0; i < n; i++)
    if (!isfinite((fm_real)(scale * lk->gradient[i]))) return PETSC_FALSE;
  for (int64_t i = 0; i < n; i++) x_bar[i] += (fm_real)(scale * lk->gradient[i]);
  return PETSC_TRUE;
}

/* All solves of the plan. */
static PetscErrorCode run_plan(likelihood *lk, int64_t n, PetscBool wanted, fm_exact *sum,
                               PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(PetscArrayzero(lk->gradient, (size_t)n));
  fm_operator_set_taped(lk->op, wanted);
  for (int64_t i = 0; i < lk->shots->count && *ok; i += lk->groups)
    PetscCall(add_round(lk, i, n, wanted, sum, ok));
  fm_operator_set_taped(lk->op, PETSC_TRUE);
  if (lk->shots->encoding) PetscCall(fm_operator_encode(lk->op, NULL));
  PetscFunctionReturn(0);
}

/* One sample. A model that is not finite, or that an earlier energy refused, costs no solve. */
static PetscErrorCode evaluate_one(likelihood *lk, int64_t n, const fm_real *x, double *value,
                                   fm_real *x_bar, PetscBool *ok) {
  fm_exact sum = {0, 0};

  PetscFunctionBegin;
  *value = (double)NAN;
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(x[i])) *ok = PETSC_FALSE;
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(fm_vec_set(lk->x, x));
  PetscCall(run_plan(lk, n, x_bar ? PETSC_TRUE : PETSC_FALSE, &sum, ok));
  if (!*ok) PetscFunctionReturn(0);
  PetscCall(fm_exact_reduce(&sum, 1, lk->space));
  *value = lk->constant + lk->shots->scale * fm_exact_value(sum);
  if (x_bar) *ok = add_gradient(lk, n, x_bar);
  PetscFunctionReturn(0);
}

static PetscErrorCode reserve_reasons(likelihood *lk, int64_t nb) {
  PetscFunctionBegin;
  if (nb <= lk->reasons) PetscFunctionReturn(0);
  PetscCall(PetscFree(lk->reason));
  PetscCall(fm_calloc(nb, &lk->reason));
  lk->reasons = nb;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_likelihood_split(fm_energy *e, PetscBool split) {
  likelihood *lk = (likelihood *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_split_clear(&lk->split));
  lk->split.on = split;
  PetscFunctionReturn(0);
}

const double *fm_likelihood_misfits(const fm_energy *e, int64_t s) {
  const fm_split *split = &((const likelihood *)e->data)->split;

  return split->misfit ? split->misfit + s * split->parts : NULL;
}

double fm_likelihood_normaliser(const fm_energy *e) {
  return ((const likelihood *)e->data)->constant;
}

const char *fm_likelihood_reason(const fm_energy *e, int64_t s) {
  const likelihood *lk = (const likelihood *)e->data;

  return s < lk->reasons ? lk->reason[s].text : "";
}

PetscErrorCode fm_likelihood_attach(fm_energy *e, fm_journal *journal) {
  likelihood *lk = (likelihood *)e->data;
  fm_recall *r = &lk->recall;
  int64_t n, m;

  PetscFunctionBegin;
  PetscCall(fm_operator_sizes(lk->op, &n, &m));
  PetscCall(
      fm_recall_attach(r, journal, lk->space, PetscObjectComm((PetscObject)lk->x), lk->op));
  r->run = fm_recall_hash(r->run, lk->y, (size_t)m * sizeof(*lk->y));
  r->run = fm_recall_hash(r->run, lk->sigma, (size_t)m * sizeof(*lk->sigma));
  r->run = fm_recall_hash(r->run, lk->counts, (size_t)m * sizeof(*lk->counts));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_likelihood_recalled(fm_energy *e, int64_t *solves) {
  likelihood *lk = (likelihood *)e->data;

  PetscFunctionBegin;
  *solves = lk->recall.taken;
  lk->recall.taken = 0;
  if (!lk->recall.journal) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, solves, 1, MPI_INT64_T, MPI_SUM, lk->space));
  PetscFunctionReturn(0);
}

static PetscErrorCode likelihood_evaluate(fm_energy *e, fm_key key, int64_t nb,
                                          const fm_real *x, double *value, fm_real *x_bar,
                                          PetscBool *ok) {
  likelihood *lk = (likelihood *)e->data;

  PetscFunctionBegin;
  PetscCall(reserve_reasons(lk, nb));
  PetscCall(fm_split_begin(&lk->split, lk->shots->nparts, nb));
  for (int64_t s = 0; s < nb; s++) {
    PetscCall(fm_shots_plan(lk->shots, key.seed, key.step, key.sample[s]));
    fm_recall_begin(&lk->recall, &key, s, e->n, x + s * e->n, x_bar ? PETSC_TRUE : PETSC_FALSE);
    PetscCall(evaluate_one(lk, e->n, x + s * e->n, &value[s], x_bar ? x_bar + s * e->n : NULL,
                           &ok[s]));
    PetscCall(fm_split_end(&lk->split, s, ok[s], lk->space));
    PetscCall(PetscStrncpy(lk->reason[s].text, ok[s] ? "" : fm_operator_reason(lk->op),
                           sizeof(lk->reason[s].text)));
  }
  PetscFunctionReturn(0);
}

/* ---- set-up ---- */

static PetscErrorCode likelihood_destroy(fm_energy *e) {
  likelihood *lk = (likelihood *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_shots_destroy(&lk->shots));
  PetscCall(fm_gather_destroy(&lk->gather));
  PetscCall(VecDestroy(&lk->x));
  PetscCall(VecDestroy(&lk->gx));
  PetscCall(VecDestroy(&lk->d));
  PetscCall(PetscFree(lk->first));
  PetscCall(PetscFree(lk->reason));
  PetscCall(fm_split_clear(&lk->split));
  PetscCall(PetscFree(lk->sigma));
  PetscCall(PetscFree(lk->counts));
  PetscCall(PetscFree3(lk->gradient, lk->adjoint, lk->other));
  PetscCall(PetscFree(lk));
  PetscFunctionReturn(0);
}

static const fm_energy_ops likelihood_ops = {.evaluate = likelihood_evaluate,
                                             .destroy = likelihood_destroy};

static PetscErrorCode check_inputs(const fm_energy_inputs *in) {
  MPI_Comm world = in->comm->world;
  int64_t n, m;

  PetscFunctionBegin;
  fm_check(in->op, world, PETSC_ERR_USER,
           "the likelihood needs an operator: name one with -operator");
  PetscCall(fm_operator_sizes(in->op, &n, &m));
  fm_check(in->n == 0 || in->n == n, world, PETSC_ERR_USER,
           "the operator %s takes %lld unknowns, this problem has %lld",
           fm_operator_describe(in->op), (long long)n, (long long)in->n);
  fm_check(in->y, world, PETSC_ERR_USER, "the likelihood needs observed data");
  fm_check(in->m == m, world, PETSC_ERR_USER,
           "the operator %s predicts %lld data, but %lld are observed",
           fm_operator_describe(in->op), (long long)m, (long long)in->m);
  for (int64_t i = 0; i < m; i++)
    fm_check(isfinite(in->y[i]), world, PETSC_ERR_USER,
             "observed datum %lld is %.6g: not finite", (long long)i, in->y[i]);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_vectors(likelihood *lk, int64_t n) {
  PetscFunctionBegin;
  PetscCall(fm_operator_groups(lk->op, &lk->groups, &lk->group));
  PetscCall(fm_operator_create_vecs(lk->op, 0, &lk->x, &lk->d));
  PetscCall(VecDuplicate(lk->x, &lk->gx));
  PetscCall(fm_gather_create(lk->gx, &lk->gather));
  PetscCall(PetscMalloc3(n, &lk->gradient, n, &lk->adjoint, n, &lk->other));
  PetscFunctionReturn(0);
}

/* Supershots add up data: they need one noise and one mask for all parts. */
static PetscErrorCode check_encoding(likelihood *lk, MPI_Comm comm, int64_t part) {
  int64_t first, count, one;

  PetscFunctionBegin;
  PetscCall(fm_operator_part_range(lk->op, 0, &first, &one));
  PetscCall(fm_operator_part_range(lk->op, (PetscInt)part, &first, &count));
  fm_check(count == one, comm, PETSC_ERR_USER,
           "-shots_encode: shot %lld has %lld data, shot 0 has %lld; encoded shots need the "
           "same receivers and times",
           (long long)part, (long long)count, (long long)one);
  for (int64_t k = 0; k < one; k++)
    fm_check(lk->sigma[first + k] == lk->sigma[k] && lk->counts[first + k] == lk->counts[k],
             comm, PETSC_ERR_USER,
             "-shots_encode: noise or mask of shot %lld differs from shot 0 at its datum "
             "%lld; encoded shots need the same, or take -shots_per_sample",
             (long long)part, (long long)k);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_shots(likelihood *lk, MPI_Comm comm) {
  PetscInt nparts;
  int64_t count;

  PetscFunctionBegin;
  PetscCall(fm_operator_parts(lk->op, &nparts));
  PetscCall(fm_shots_create(comm, nparts, &lk->shots));
  PetscCall(fm_calloc(nparts, &lk->first));
  for (PetscInt p = 0; p < nparts; p++)
    PetscCall(fm_operator_part_range(lk->op, p, &lk->first[p], &count));
  if (!lk->shots->encoded) PetscFunctionReturn(0);
  PetscCall(fm_operator_encode(lk->op, NULL));
  for (PetscInt p = 1; p < nparts; p++) PetscCall(check_encoding(lk, comm, p));
  PetscFunctionReturn(0);
}

/* Which data count, and the normaliser over them. */
static PetscErrorCode settle_noise(likelihood *lk, MPI_Comm comm, int64_t m) {
  const int64_t rank = fm_operator_rank(lk->op);
  PetscBool masked;

  PetscFunctionBegin;
  PetscCall(fm_calloc(m, &lk->sigma));
  PetscCall(fm_calloc(m, &lk->counts));
  PetscCall(fm_likelihood_noise_of(comm, lk->op, lk->sigma));
  PetscCall(fm_likelihood_mask(comm, m, lk->counts));
  lk->limit = fmin(0x1p50, 0x1p62 / (double)m);
  PetscCall(fm_option_given("data_mask", &masked));
  fm_check(
      rank == m || !masked, comm, PETSC_ERR_USER,
      "-data_mask leaves data out that lie in a subspace of %lld dimensions of %lld, where "
      "each depends on the others: leave it out (-operator mask leaves out pixels)",
      (long long)rank, (long long)m);
  for (int64_t i = 0; i < m && rank == m; i++)
    if (lk->counts[i]) lk->constant += 0.5 * log(2 * PETSC_PI) + log(lk->sigma[i]);
  if (rank < m) lk->constant = (double)rank * (0.5 * log(2 * PETSC_PI) + log(lk->sigma[0]));
  PetscFunctionReturn(0);
}

/* The line for people. */
static PetscErrorCode describe(const likelihood *lk, int64_t m, fm_energy *e) {
  double low = INFINITY, high = 0;
  int64_t used = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < m; i++) {
    if (!lk->counts[i]) continue;
    low = fmin(low, lk->sigma[i]);
    high = fmax(high, lk->sigma[i]);
    used++;
  }
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "likelihood of %lld data of %lld, noise std %.6g to %.6g, %s",
                          (long long)PetscMin(used, fm_operator_rank(lk->op)), (long long)m,
                          low, high, fm_operator_describe(lk->op)));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_likelihood_create(const fm_energy_inputs *in, fm_energy *e) {
  likelihood *lk;

  PetscFunctionBegin;
  PetscCall(check_inputs(in));
  PetscCall(PetscNew(&lk));
  e->data = lk;
  e->ops = &likelihood_ops;
  lk->op = in->op;
  lk->y = in->y;
  lk->space = in->comm->space;
  PetscCall(fm_operator_sizes(lk->op, &e->n, &(int64_t){0}));
  PetscCall(settle_noise(lk, in->comm->world, in->m));
  PetscCall(create_vectors(lk, e->n));
  PetscCall(create_shots(lk, in->comm->world));
  PetscCall(describe(lk, in->m, e));
  PetscFunctionReturn(0);
}
