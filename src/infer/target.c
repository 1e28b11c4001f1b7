#include "fathom/target.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include "fathom/timing.h"

#define ROUNDING 1e-12 /* shares of the energy of y */
#define WORTH_SAYING 1e-6
#define SAME_INTERVAL 1e-6

/* y = P y where the operator's data lie in a subspace, unless only the rounding of y's file
   lies outside: y stays the user's, bit by bit, as commands without an operator see it. */
static PetscErrorCode restrict_observed(fm_target *t) {
  double *kept, all = 0, removed = 0;

  PetscFunctionBegin;
  if (fm_operator_rank(t->op) == t->m) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1((size_t)t->m, &kept));
  PetscCall(PetscArraycpy(kept, t->y, t->m));
  PetscCall(fm_operator_restrict(t->op, kept));
  for (int64_t i = 0; i < t->m; i++) all += t->y[i] * t->y[i];
  for (int64_t i = 0; i < t->m; i++) removed += (t->y[i] - kept[i]) * (t->y[i] - kept[i]);
  if (removed > WORTH_SAYING * all)
    fm_warn("%.3g of the energy of -observed lies outside of the range of %s: it says nothing "
            "about x and is taken away",
            removed / all, fm_operator_describe(t->op));
  if (removed > ROUNDING * all) PetscCall(PetscArraycpy(t->y, kept, t->m));
  PetscCall(PetscFree(kept));
  PetscFunctionReturn(0);
}

/* Traces of a file that says their interval, as `fathom shots` writes them. */
static PetscErrorCode check_interval(const fm_target *t) {
  char path[PETSC_MAX_PATH_LEN];
  const char *text, *name;
  int64_t samples;
  double dt, said;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  fm_operator_traces(t->op, &samples, &dt);
  PetscCall(fm_option_text("observed", &text));
  PetscCall(fm_store_split(t->comm->world, text, path, &name));
  if (!samples || !name || strchr(name, '[')) PetscFunctionReturn(0);
  PetscCall(fm_store_open(t->comm->world, path, &store));
  PetscCall(fm_store_has_attribute(store, name, "dt", &has));
  if (has) PetscCall(fm_store_get_real(store, name, "dt", &said));
  PetscCall(fm_store_close(&store));
  fm_check(!has || fabs(said - dt) <= SAME_INTERVAL * dt, t->comm->world, PETSC_ERR_USER,
           "-observed %s is sampled every %.6g s, the operator %s every %.6g s: read the shots "
           "again (fathom shots) with the -acoustic_dt and -acoustic_record_every of this run",
           text, said, fm_operator_describe(t->op), dt);
  PetscFunctionReturn(0);
}

/* As many numbers as the operator gives, and an image where it gives one. */
static PetscErrorCode check_observed(const fm_target *t, int ndim, const int64_t *shape) {
  int64_t count = 1, rows, columns;

  PetscFunctionBegin;
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(count == t->m, t->comm->world, PETSC_ERR_USER,
           "-observed has %lld values, the operator %s gives %lld", (long long)count,
           fm_operator_describe(t->op), (long long)t->m);
  fm_operator_data_grid(t->op, &rows, &columns);
  fm_check(fm_store_image_fits(ndim, shape, rows, columns), t->comm->world, PETSC_ERR_USER,
           "the last dimensions of -observed are [%lld][%lld]: the data of the operator %s are "
           "an image [%lld][%lld], or a row of %lld numbers",
           (long long)shape[ndim - 2], (long long)shape[ndim - 1], fm_operator_describe(t->op),
           (long long)rows, (long long)columns, (long long)t->m);
  PetscFunctionReturn(0);
}

/* Those of a checkpoint are restricted already. */
static PetscErrorCode observed(fm_target *t, const double *given) {
  int64_t shape[FM_STORE_NDIM];
  double *y = NULL;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_calloc(t->m, &t->y));
  if (!given) {
    PetscCall(fm_store_option_array(t->comm->world, "observed", &ndim, shape, &y));
    fm_check(y, t->comm->world, PETSC_ERR_USER,
             "no observed data: give -observed y1,y2,... or -observed FILE:/dataset");
    PetscCall(check_observed(t, ndim, shape));
    PetscCall(check_interval(t));
  }
  PetscCall(PetscArraycpy(t->y, given ? given : y, t->m));
  PetscCall(PetscFree(y));
  if (!given) PetscCall(restrict_observed(t));
  PetscFunctionReturn(0);
}

/* What the flow sees. */
static PetscErrorCode see(fm_target *t) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(t->nseen, &t->seen));
  if (t->conditioning)
    PetscCall(fm_conditioning_apply(t->conditioning, 1, t->y, t->seen));
  else
    PetscCall(PetscArraycpy(t->seen, t->y, t->nseen));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_energy(fm_target *t, const char *name) {
  const fm_energy_inputs inputs = {t->comm, t->n, t->op, t->m, t->y};
  fm_energy *energy;

  PetscFunctionBegin;
  PetscCall(fm_energy_create(name, &inputs, &energy));
  t->energy[t->nenergy++] = energy;
  fm_check(fm_energy_size(energy) == t->n, t->comm->world, PETSC_ERR_USER,
           "prior %s has %lld unknowns where the operator takes %lld", name,
           (long long)fm_energy_size(energy), (long long)t->n);
  PetscFunctionReturn(0);
}

static PetscErrorCode build(fm_target *t, int64_t n, int64_t m, const double *y) {
  const char *op, *prior;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_text("prior", &prior));
  fm_check(op[0], t->comm->world, PETSC_ERR_USER,
           "no operator: give -operator NAME (fathom help operators)");
  fm_check(prior[0], t->comm->world, PETSC_ERR_USER,
           "no prior: give -prior NAME (fathom help priors)");
  fm_check(
      strcmp(prior, "likelihood"), t->comm->world, PETSC_ERR_USER,
      "-prior likelihood would count the data twice: it is there already (fathom help priors)");
  PetscCall(fm_operator_create(t->comm->space, op, &t->op));
  PetscCall(fm_operator_sizes(t->op, &t->n, &t->m));
  fm_check(!n || n == t->n, t->comm->world, PETSC_ERR_USER,
           "the operator %s takes %lld unknowns, the flow has %lld: make pairs with this "
           "operator and pretrain on these, or take the grid of the flow's pairs",
           fm_operator_describe(t->op), (long long)t->n, (long long)n);
  PetscCall(fm_conditioning_create(t->comm->world, t->op, &t->conditioning));
  t->nseen = t->conditioning ? fm_conditioning_size(t->conditioning) : t->m;
  fm_check(!m || m == t->nseen, t->comm->world, PETSC_ERR_USER,
           "the operator %s gives %lld %s, the flow is conditioned on %lld numbers: is "
           "-condition that of the pairs?",
           fm_operator_describe(t->op), (long long)t->nseen,
           t->conditioning ? "pixels of a migration" : "data", (long long)m);
  PetscCall(observed(t, t->conditioning ? NULL : y));
  PetscCall(see(t));
  PetscCall(add_energy(t, "likelihood"));
  PetscCall(add_energy(t, prior));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_target_create(const fm_comm *comm, int64_t n, int64_t m, const double *y,
                                fm_target **target) {
  PetscFunctionBegin;
  PetscCall(PetscNew(target));
  (*target)->comm = comm;
  PetscCall(build(*target, n, m, y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_target_destroy(fm_target **target) {
  fm_target *t = *target;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  for (int e = 0; e < t->nenergy; e++) PetscCall(fm_energy_destroy(&t->energy[e]));
  PetscCall(fm_conditioning_destroy(&t->conditioning));
  PetscCall(fm_operator_destroy(&t->op));
  PetscCall(PetscFree(t->seen));
  PetscCall(PetscFree(t->y));
  PetscCall(PetscFree(*target));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_target_evaluate(fm_target *t, fm_key key, int64_t nb, const fm_real *x,
                                  double *value, double *part, fm_real *x_bar, PetscBool *ok) {
  double *own = NULL;

  PetscFunctionBegin;
  if (!part) PetscCall(fm_calloc(t->nenergy * nb, &own));
  if (!part) part = own;
  if (x_bar) PetscCall(PetscArrayzero(x_bar, nb * t->n));
  for (int64_t s = 0; s < nb; s++) ok[s] = PETSC_TRUE;
  for (int e = 0; e < t->nenergy; e++) {
    const double begin = MPI_Wtime();

    PetscCall(fm_energy_evaluate(t->energy[e], key, nb, x, part + e * nb, x_bar, ok));
    fm_time_add(e ? FM_TIME_PRIOR : FM_TIME_OPERATOR, begin);
  }
  for (int64_t s = 0; s < nb; s++) {
    double sum = 0.;

    for (int e = 0; e < t->nenergy; e++) sum += part[e * nb + s];
    value[s] = sum;
  }
  PetscCall(PetscFree(own));
  PetscFunctionReturn(0);
}
