#include "infer/likelihood_split.h"
#include <math.h>

PetscErrorCode fm_split_begin(fm_split *p, int64_t parts, int64_t samples) {
  PetscFunctionBegin;
  if (!p->on || (p->misfit && samples <= p->samples)) PetscFunctionReturn(0);
  PetscCall(fm_split_clear(p));
  p->parts = parts;
  p->samples = samples;
  PetscCall(fm_calloc(parts, &p->term));
  PetscCall(fm_calloc(samples * parts, &p->misfit));
  PetscFunctionReturn(0);
}

void fm_split_add(fm_split *p, int64_t part, fm_exact term) {
  if (p->on) p->term[part] = term;
}

PetscErrorCode fm_split_end(fm_split *p, int64_t s, PetscBool ok, MPI_Comm comm) {
  PetscMPIInt count;

  PetscFunctionBegin;
  if (!p->on) PetscFunctionReturn(0);
  PetscCall(PetscMPIIntCast((PetscInt)p->parts, &count));
  PetscCall(fm_exact_reduce(p->term, count, comm));
  for (int64_t k = 0; k < p->parts; k++)
    p->misfit[s * p->parts + k] = ok ? fm_exact_value(p->term[k]) : (double)NAN;
  PetscCall(PetscArrayzero(p->term, p->parts));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_split_clear(fm_split *p) {
  PetscFunctionBegin;
  PetscCall(PetscFree(p->term));
  PetscCall(PetscFree(p->misfit));
  PetscFunctionReturn(0);
}
