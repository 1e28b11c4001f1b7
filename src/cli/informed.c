/* informed - which directions of the model the data inform: the leading eigenpairs of the
   Gauss-Newton Hessian at the model 0 (the background), in coordinates with prior N(0, I). */
#include "cli/solves.h"
#include "fathom/conditioning.h"
#include "fathom/hessian.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

typedef struct {
  fm_run *run;
  fm_operator *op;
  int64_t n, m;
  fm_informed *found;
  double *residual;
} informing;

static PetscErrorCode find(informing *s, const fm_hessian_spec *spec) {
  const fm_comm *comm = &s->run->comm;
  fm_linearized *lin;
  double *weight;
  fm_real *x0;

  PetscFunctionBegin;
  PetscCall(fm_calloc(s->m, &weight));
  PetscCall(fm_calloc(s->n, &x0));
  PetscCall(fm_calloc(spec->rank, &s->residual));
  PetscCall(fm_conditioning_weight(comm->world, s->op, weight));
  PetscCall(fm_linearized_create(s->op, x0, &lin));
  PetscCall(fm_hessian_informed(comm, lin, weight, spec, s->n, &s->found, s->residual));
  PetscCall(fm_linearized_destroy(&lin));
  PetscCall(PetscFree(weight));
  PetscCall(PetscFree(x0));
  PetscFunctionReturn(0);
}

static PetscErrorCode write(informing *s) {
  const int64_t vectors[2] = {s->found->rank, s->n};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(s->run, "informed.h5", path));
  PetscCall(fm_store_create(s->run->comm.world, path, &store));
  PetscCall(fm_store_set_text(store, "/", "settings", s->run->settings));
  PetscCall(fm_store_set_text(store, "/", "operator", fm_operator_describe(s->op)));
  PetscCall(fm_store_write(store, "/vectors", FM_FLOAT64, 2, vectors, s->found->vector));
  PetscCall(fm_store_write(store, "/values", FM_FLOAT64, 1, vectors, s->found->value));
  PetscCall(fm_store_write(store, "/residuals", FM_FLOAT64, 1, vectors, s->residual));
  PetscCall(fm_store_write(store, "/center", FM_FLOAT64, 1, vectors + 1, s->found->center));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote %lld eigenpairs to '%s'", (long long)s->found->rank, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode report(informing *s) {
  fm_results *r = s->run->results;
  const fm_informed *in = s->found;
  double resolved = 0, above = 0;
  fm_ledger solves;

  PetscFunctionBegin;
  for (int64_t k = 0; k < in->rank; k++) resolved += in->value[k] / (1 + in->value[k]);
  for (int64_t k = 0; k < in->rank; k++) above += in->value[k] > 1;
  PetscCall(fm_result(r, "n_eff", resolved, "1"));
  PetscCall(fm_result(r, "directions_above_prior", above, "1"));
  PetscCall(fm_result(r, "eigenvalue_first", in->value[0], "1"));
  PetscCall(fm_result(r, "eigenvalue_last", in->value[in->rank - 1], "1"));
  PetscCall(fm_run_solves(s->run, s->op, &solves));
  PetscCall(fm_result(r, "solves_F", (double)solves.count[FM_USEFUL][FM_SOLVE_F], "solves"));
  PetscCall(fm_result(r, "solves_J", (double)solves.count[FM_USEFUL][FM_SOLVE_J], "solves"));
  PetscCall(fm_result(r, "solves_JT", (double)solves.count[FM_USEFUL][FM_SOLVE_JT], "solves"));
  if (in->value[in->rank - 1] > 1)
    fm_warn("the last of the %lld eigenvalues is %.3g: the data inform more directions than "
            "these; raise -informed_rank",
            (long long)in->rank, in->value[in->rank - 1]);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_informed(fm_run *run) {
  informing s = {.run = run};
  fm_hessian_spec spec = {.more = 10, .seed = run->seed};
  const char *op;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  fm_check(op[0], run->comm.world, PETSC_ERR_USER,
           "informed needs -operator NAME (fathom help operators)");
  PetscCall(fm_operator_create(run->comm.space, op, &s.op));
  PetscCall(fm_operator_sizes(s.op, &s.n, &s.m));
  PetscCall(fm_option_integer_in("informed_rank", 1, 8192, &spec.rank));
  PetscCall(fm_option_integer_in("informed_passes", 1, 20, &spec.passes));
  spec.rank = PetscMin(spec.rank, s.n);
  PetscCall(find(&s, &spec));
  PetscCall(write(&s));
  PetscCall(report(&s));
  PetscCall(fm_informed_destroy(&s.found));
  PetscCall(PetscFree(s.residual));
  PetscCall(fm_operator_destroy(&s.op));
  PetscFunctionReturn(0);
}
