#include "infer/tempered.h"
#include "fathom/likelihood.h"

PetscErrorCode fm_tempered_evaluate(fm_target *t, double temperature, fm_key key, int64_t nb,
                                    const fm_real *x, double *value, double *part,
                                    fm_real *x_bar, PetscBool *ok) {
  const double constant = fm_likelihood_normaliser(t->energy[0]);

  PetscFunctionBegin;
  if (temperature == 1.) {
    PetscCall(fm_target_evaluate(t, key, nb, x, value, part, x_bar, ok));
    PetscFunctionReturn(0);
  }
  PetscCall(PetscArrayzero(x_bar, nb * t->n));
  for (int64_t s = 0; s < nb; s++) ok[s] = PETSC_TRUE;
  PetscCall(fm_energy_evaluate(t->energy[0], key, nb, x, part, x_bar, ok));
  for (int64_t i = 0; i < nb * t->n; i++) x_bar[i] = (fm_real)((double)x_bar[i] / temperature);
  for (int64_t s = 0; s < nb; s++) value[s] = constant + (part[s] - constant) / temperature;
  for (int e = 1; e < t->nenergy; e++) {
    PetscCall(fm_energy_evaluate(t->energy[e], key, nb, x, part + e * nb, x_bar, ok));
    for (int64_t s = 0; s < nb; s++) value[s] += part[e * nb + s];
  }
  PetscFunctionReturn(0);
}
