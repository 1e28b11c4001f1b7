/* informed - the prior of the coordinates of -acoustic_informed (coordinates.h of operators):
   w = W v is N(0, I), W = (I + V Lambda V^T)^(-1/2), so that

       E(v) = 1/2 v^T (I + V Lambda V^T)^-1 v + n/2 log 2 pi + 1/2 sum_k log(1 + lambda_k)

   every normaliser kept. A draw is (I + V Lambda V^T)^(1/2) z, z ~ N(0, I). Where v = 0 is not
   the model that the prior is about, v - home stands for v (fm_operator_home). */
#include "fathom/informed.h"
#include "infer/quadratic.h"
#include <math.h>

const fm_option fm_energy_informed_options[] = {{NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct {
  fm_quadratic gaussian; /* mean: home */
  fm_informed *in;
} prior;

static PetscErrorCode precise(void *data, const double *v, double *u) {
  PetscFunctionBegin;
  fm_informed_power(((const prior *)data)->in, -1, v, u);
  PetscFunctionReturn(0);
}

static PetscErrorCode colour(void *data, const double *z, double *v) {
  PetscFunctionBegin;
  fm_informed_power(((const prior *)data)->in, 0.5, z, v);
  PetscFunctionReturn(0);
}

static PetscErrorCode informed_moments(fm_energy *e, double *mean, double *std) {
  const prior *p = (const prior *)e->data;
  const fm_informed *in = p->in;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->n; i++) {
    double variance = 1;

    for (int64_t k = 0; k < in->rank; k++)
      variance += in->value[k] * in->vector[k * e->n + i] * in->vector[k * e->n + i];
    mean[i] = p->gaussian.mean[i];
    std[i] = sqrt(variance);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode informed_destroy(fm_energy *e) {
  prior *p = (prior *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_informed_destroy(&p->in));
  PetscCall(fm_quadratic_destroy(&p->gaussian));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

static const fm_energy_ops informed_ops = {.evaluate = fm_quadratic_evaluate,
                                           .sample = fm_quadratic_sample,
                                           .moments = informed_moments,
                                           .destroy = informed_destroy};

PetscErrorCode fm_energy_informed_create(const fm_energy_inputs *inputs, fm_energy *e) {
  const MPI_Comm comm = inputs->comm->world;
  const char *file;
  prior *p;

  PetscFunctionBegin;
  PetscCall(fm_option_text("acoustic_informed", &file));
  fm_check(file[0], comm, PETSC_ERR_USER,
           "the prior informed is that of the coordinates of -acoustic_informed FILE: give it");
  PetscCall(PetscNew(&p));
  e->data = p;
  e->ops = &informed_ops;
  PetscCall(fm_informed_load(comm, file, inputs->n, &p->in));
  e->n = p->in->n;
  PetscCall(fm_quadratic_create(e->n, &p->gaussian));
  p->gaussian.precise = precise;
  p->gaussian.colour = colour;
  p->gaussian.constant =
      0.5 * (double)e->n * log(2 * PETSC_PI) + 0.5 * fm_informed_log_det(p->in);
  if (inputs->op && fm_operator_home(inputs->op))
    PetscCall(PetscArraycpy(p->gaussian.mean, fm_operator_home(inputs->op), (size_t)e->n));
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "white noise of %lld unknowns in %lld informed coordinates",
                          (long long)e->n, (long long)p->in->rank));
  PetscFunctionReturn(0);
}
