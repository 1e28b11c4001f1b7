/* -moved of evaluate: whether samples that `sample -moves` has moved on to the posterior have
   forgotten where the flow put them, in the directions that the data inform most: the
   Metropolis correction of method.md section 7 (iii). Hamiltonian Monte Carlo leaves the
   posterior as it is, so that what is left of the flow's errors is what is left of its draws:
   with a correlation c of the samples and their starts about c of an error of location and c^2
   of one of spread. */
#include "cli/sample_moves.h"
#include "evaluate.h"
#include "fathom/diagnostics.h"
#include "fathom/moves.h"
#include "fathom/options.h"
#include <math.h>

typedef struct {
  const char *path;
  fm_store *store;
  int64_t seed;
  double *along; /* [count][modes][2]: starts and samples in the modes */
} reading;

static PetscErrorCode read_head(const fm_evaluation *e, reading *r, fm_correction *c) {
  int64_t shape[FM_STORE_NDIM];
  MPI_Comm world = e->run->comm.world;
  PetscBool has[2];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_open(world, r->path, &r->store));
  PetscCall(fm_store_has(r->store, "/z", &has[0]));
  PetscCall(fm_store_has_attribute(r->store, "/", "round", &has[1]));
  fm_check(has[0] && has[1], world, PETSC_ERR_USER,
           "-moved '%s' is not what sample -moves writes: it has no /z and round", r->path);
  PetscCall(fm_store_shape(r->store, "/z", &ndim, shape));
  fm_check((ndim < 2 ? 1 : shape[1]) == e->t->n, world, PETSC_ERR_USER,
           "-moved '%s' is of samples of %lld unknowns, the flow has %lld", r->path,
           (long long)(ndim < 2 ? 1 : shape[1]), (long long)e->t->n);
  c->count = shape[0];
  PetscCall(fm_store_get_integer(r->store, "/", "round", &c->moves));
  PetscCall(fm_store_get_integer(r->store, "/", "seed", &r->seed));
  PetscCall(fm_store_get_real(r->store, "/", "acceptance", &c->acceptance));
  fm_check(c->moves > 0, world, PETSC_ERR_USER,
           "the samples of -moved '%s' have not made a whole move: let `sample -moves` end",
           r->path);
  PetscFunctionReturn(0);
}

/* -log density at the first sample is what the file says it is. */
static PetscErrorCode check_flow(const fm_evaluation *e, const reading *r) {
  const uint64_t sample = 0;
  PetscBool ok = PETSC_FALSE;
  fm_potential *potential;
  fm_purpose purpose;
  double value, now, *z, *gradient;
  int other, worst;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(e->t->n, &z, e->t->n, &gradient, e->t->n, &x));
  PetscCall(fm_store_read_rows(r->store, "/z", FM_FLOAT64, 0, 1, z));
  PetscCall(fm_store_read_rows(r->store, "/value", FM_FLOAT64, 0, 1, &value));
  PetscCall(fm_potential_of_target(e->target, e->t, e->theta, &potential));
  PetscCall(fm_operator_set_purpose(e->target->op, FM_DIAGNOSTIC, &purpose));
  PetscCall(potential->evaluate(potential->context, (fm_key){.sample = &sample}, z, &now,
                                gradient, x, &ok));
  PetscCall(fm_operator_set_purpose(e->target->op, purpose, NULL));
  PetscCall(fm_potential_destroy(&potential));
  PetscCall(PetscFree3(z, gradient, x));
  other = isfinite(value) && !(ok && fm_moves_same(value, now));
  PetscCall(fm_comm_agree(e->run->comm.world, other, &worst));
  fm_check(!worst, e->run->comm.world, PETSC_ERR_USER,
           "-moved '%s' is of another flow, or of other data, noise, prior or operator: give "
           "moves.h5 of `sample -moves` from this checkpoint",
           r->path);
  PetscFunctionReturn(0);
}

/* Of a sample: V^T of its start and of where it is. */
static void project(const fm_trust *t, const fm_real *start, const double *z, double *along) {
  for (int64_t k = 0; k < t->modes; k++) {
    const double *v = t->direction + k * t->n;

    along[2 * k] = along[2 * k + 1] = 0;
    for (int64_t i = 0; i < t->n; i++) {
      along[2 * k] += v[i] * (double)start[i];
      along[2 * k + 1] += v[i] * z[i];
    }
  }
}

static PetscErrorCode read_samples(const fm_evaluation *e, reading *r, const fm_correction *c) {
  const fm_trust *t = &e->trust;
  double *z;
  fm_real *start;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * c->count * t->modes, &r->along));
  PetscCall(PetscMalloc2(t->n, &z, t->n, &start));
  for (int64_t s = 0; s < c->count; s++) {
    PetscCall(fm_store_read_rows(r->store, "/z", FM_FLOAT64, s, 1, z));
    fm_sample_latents((uint64_t)r->seed, t->n, s, 1, start);
    project(t, start, z, r->along + 2 * s * t->modes);
  }
  PetscCall(PetscFree2(z, start));
  PetscFunctionReturn(0);
}

/* Correlation of starts and samples, over samples and modes, each less its mode's mean. */
static double correlation(int64_t count, int64_t modes, const double *along) {
  double product = 0, square[2] = {0, 0};

  for (int64_t k = 0; k < modes; k++) {
    double mean[2] = {0, 0};

    for (int64_t s = 0; s < count; s++)
      for (int j = 0; j < 2; j++) mean[j] += along[2 * (s * modes + k) + j] / (double)count;
    for (int64_t s = 0; s < count; s++) {
      const double a = along[2 * (s * modes + k)] - mean[0];
      const double b = along[2 * (s * modes + k) + 1] - mean[1];

      product += a * b;
      square[0] += a * a;
      square[1] += b * b;
    }
  }
  return product / sqrt(square[0] * square[1]);
}

/* What the last move changed in -log density: mean and standard error over the samples. */
static PetscErrorCode read_change(reading *r, fm_correction *c) {
  double *value, *before;
  int64_t kept = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(c->count, &value, c->count, &before));
  PetscCall(fm_store_read(r->store, "/value", FM_FLOAT64, c->count, value));
  PetscCall(fm_store_read(r->store, "/before", FM_FLOAT64, c->count, before));
  for (int64_t s = 0; s < c->count; s++)
    if (isfinite(value[s])) value[kept++] = value[s] - before[s];
  c->failed = c->count - kept;
  c->change = fm_mean_of(kept, value, 1, &c->change_se);
  PetscCall(PetscFree2(value, before));
  PetscFunctionReturn(0);
}

static PetscErrorCode tell(const fm_evaluation *e, const fm_correction *c) {
  fm_results *r = e->run->results;

  PetscFunctionBegin;
  PetscCall(fm_result(r, "moved_samples", (double)c->count, "1"));
  PetscCall(fm_result(r, "moved_moves", (double)c->moves, "1"));
  PetscCall(fm_result(r, "moved_correlation", c->correlation, "1"));
  PetscCall(fm_result(r, "moved_acceptance", c->acceptance, "1"));
  PetscCall(fm_result(r, "moved_last_change", c->change, "nats"));
  PetscCall(fm_result(r, "moved_last_change_se", c->change_se, "nats"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_moved(fm_evaluation *e) {
  fm_correction *c = &e->moved;
  reading r = {.store = NULL};

  PetscFunctionBegin;
  PetscCall(fm_option_text("moved", &r.path));
  if (!r.path[0] || !e->trust.modes) PetscFunctionReturn(0);
  PetscCall(read_head(e, &r, c));
  PetscCall(check_flow(e, &r));
  PetscCall(read_samples(e, &r, c));
  PetscCall(read_change(&r, c));
  c->correlation = correlation(c->count, e->trust.modes, r.along);
  PetscCall(fm_store_close(&r.store));
  PetscCall(PetscFree(r.along));
  PetscCall(tell(e, c));
  PetscFunctionReturn(0);
}
