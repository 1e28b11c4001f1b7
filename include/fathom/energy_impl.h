/* To implement an energy: one file in src/infer that includes this, and one line in
   energies.def:
       FM_ENERGY(foo, "one help sentence")
   with   const fm_option fm_energy_foo_options[];  PetscErrorCode fm_energy_foo_create(const
   fm_energy_inputs *, fm_energy *); */
#ifndef FATHOM_ENERGY_IMPL_H
#define FATHOM_ENERGY_IMPL_H

#include "fathom/energy.h"
#include "fathom/options.h"

typedef struct fm_energy_ops {
  PetscErrorCode (*evaluate)(fm_energy *, fm_key, int64_t nb, const fm_real *x, double *value,
                             fm_real *x_bar, PetscBool *ok);
  PetscErrorCode (*sample)(fm_energy *, fm_rng, int64_t first, int64_t nb,
                           fm_real *x);                              /* NULL: cannot */
  PetscErrorCode (*moments)(fm_energy *, double *mean, double *std); /* NULL: not known */
  PetscErrorCode (*destroy)(fm_energy *);
  /* value of what the prior was made of; std 0: not known. NULL: its own draws are that */
  void (*typical)(const fm_energy *, fm_typical *);
} fm_energy_ops;

struct fm_energy {
  const fm_energy_ops *ops;
  void *data;
  int64_t n;
  char name[32], description[256];
};

#endif
