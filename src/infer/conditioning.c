#include "fathom/conditioning.h"
#include "fathom/likelihood.h"
#include "fathom/linearized.h"
#include "fathom/options.h"

struct fm_conditioning {
  fm_linearized *lin;
  int64_t n, m;
  double *weight;   /* [m] */
  double *residual; /* [nb][m], grown on demand */
  int64_t room;     /* nb */
};

PetscErrorCode fm_conditioning_weight(MPI_Comm comm, fm_operator *op, double *weight) {
  PetscBool *counts;
  int64_t n, m;

  PetscFunctionBegin;
  PetscCall(fm_operator_sizes(op, &n, &m));
  PetscCall(PetscMalloc1((size_t)m, &counts));
  PetscCall(fm_likelihood_noise_of(comm, op, weight));
  PetscCall(fm_likelihood_mask(comm, m, counts));
  for (int64_t i = 0; i < m; i++) weight[i] = counts[i] ? 1 / (weight[i] * weight[i]) : 0;
  PetscCall(PetscFree(counts));
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, fm_operator *op, fm_conditioning *c) {
  fm_real *x0;

  PetscFunctionBegin;
  PetscCall(fm_operator_sizes(op, &c->n, &c->m));
  PetscCall(fm_calloc(c->m, &c->weight));
  PetscCall(fm_conditioning_weight(comm, op, c->weight));
  PetscCall(fm_calloc(c->n, &x0));
  PetscCall(fm_linearized_create(op, x0, &c->lin));
  PetscCall(PetscFree(x0));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_conditioning_create(MPI_Comm comm, fm_operator *op, fm_conditioning **out) {
  int condition;

  PetscFunctionBegin;
  *out = NULL;
  PetscCall(fm_option_choice("condition", FM_CONDITIONS, &condition));
  if (!condition) PetscFunctionReturn(0);
  PetscCall(PetscNew(out));
  PetscCall(fill(comm, op, *out));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_conditioning_destroy(fm_conditioning **out) {
  fm_conditioning *c = *out;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(0);
  PetscCall(fm_linearized_destroy(&c->lin));
  PetscCall(PetscFree(c->weight));
  PetscCall(PetscFree(c->residual));
  PetscCall(PetscFree(*out));
  PetscFunctionReturn(0);
}

int64_t fm_conditioning_size(const fm_conditioning *c) { return c->n; }

PetscErrorCode fm_conditioning_apply(fm_conditioning *c, int64_t nb, const double *y,
                                     double *g) {
  const double *base = fm_linearized_base(c->lin);

  PetscFunctionBegin;
  if (nb > c->room) {
    PetscCall(PetscFree(c->residual));
    PetscCall(fm_calloc(nb * c->m, &c->residual));
    c->room = nb;
  }
  for (int64_t i = 0; i < nb * c->m; i++)
    c->residual[i] = c->weight[i % c->m] * (y[i] - base[i % c->m]);
  PetscCall(fm_linearized_vjp(c->lin, nb, c->residual, g));
  PetscFunctionReturn(0);
}
