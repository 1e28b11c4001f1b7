/* The door to the energies: registry, checks, verdict of each sample. */
#include "fathom/energy_impl.h"
#include <math.h>

#define FM_ENERGY(name, help)                                                                  \
  extern const fm_option fm_energy_##name##_options[];                                         \
  PetscErrorCode fm_energy_##name##_create(const fm_energy_inputs *, fm_energy *);
#include "energies.def"
#undef FM_ENERGY

static const struct {
  const fm_option *options;
  PetscErrorCode (*create)(const fm_energy_inputs *, fm_energy *);
  const char *help;
} known[] = {
#define FM_ENERGY(name, help) {fm_energy_##name##_options, fm_energy_##name##_create, help},
#include "energies.def"
#undef FM_ENERGY
};

static const char *const names[] = {
#define FM_ENERGY(name, help) #name,
#include "energies.def"
#undef FM_ENERGY
};

#define NKNOWN ((int)(sizeof(known) / sizeof(known[0])))

int fm_energy_count(void) { return NKNOWN; }
const char *fm_energy_name(int i) { return names[i]; }
const char *fm_energy_help(int i) { return known[i].help; }

PetscErrorCode fm_energies_declare_options(void) {
  PetscFunctionBegin;
  for (int i = 0; i < NKNOWN; i++) PetscCall(fm_options_declare(known[i].options));
  PetscFunctionReturn(0);
}

/* Refuse a name in one sentence: the nearest known one, and all of them. */
static PetscErrorCode refuse(MPI_Comm comm, const char *name) {
  const char *nearest = fm_name_nearest(name, NKNOWN, names);
  char list[512] = "";

  PetscFunctionBegin;
  for (int i = 0; i < NKNOWN; i++) {
    PetscCall(PetscStrlcat(list, i ? ", " : "", sizeof(list)));
    PetscCall(PetscStrlcat(list, names[i], sizeof(list)));
  }
  SETERRQ(comm, PETSC_ERR_USER, "unknown prior or energy '%s' (%s%s%sknown: %s)", name,
          nearest ? "nearest: " : "", nearest ? nearest : "", nearest ? "; " : "", list);
}

/* x = 0 is not what the prior is about: those that know, of which flow looks itself. */
static PetscErrorCode check_home(const char *name, const fm_energy_inputs *inputs) {
  static const char *const able[] = {"likelihood", "informed", "flow"};

  PetscFunctionBegin;
  if (!inputs->op || !fm_operator_home(inputs->op)) PetscFunctionReturn(0);
  for (int k = 0; k < 3; k++)
    if (!strcmp(name, able[k])) PetscFunctionReturn(0);
  fm_check(PETSC_FALSE, inputs->comm->world, PETSC_ERR_USER,
           "-acoustic_linearize_at: the prior %s would be about that model and not about the "
           "background; take -prior informed, or a flow of models (pretrain -pairs_x /model)",
           name);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_create(const char *name, const fm_energy_inputs *inputs,
                                fm_energy **out) {
  PetscErrorCode code;
  fm_energy *e;
  int i = 0;

  PetscFunctionBegin;
  while (i < NKNOWN && strcmp(names[i], name)) i++;
  if (i == NKNOWN) PetscCall(refuse(inputs->comm->world, name));
  PetscCall(check_home(name, inputs));
  PetscCall(PetscNew(&e));
  e->n = inputs->n;
  PetscCall(PetscStrncpy(e->name, name, sizeof(e->name)));
  PetscCall(PetscStrncpy(e->description, name, sizeof(e->description)));
  code = known[i].create(inputs, e);
  if (code) (void)fm_energy_destroy(&e);
  PetscCall(code);
  *out = e;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_destroy(fm_energy **e) {
  PetscFunctionBegin;
  if (!*e) PetscFunctionReturn(0);
  if ((*e)->ops && (*e)->ops->destroy) PetscCall((*e)->ops->destroy(*e));
  PetscCall(PetscFree(*e));
  PetscFunctionReturn(0);
}

static PetscBool all_finite(int64_t n, const fm_real *a) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(a[i])) return PETSC_FALSE;
  return PETSC_TRUE;
}

PetscErrorCode fm_energy_evaluate(fm_energy *e, fm_key key, int64_t nb, const fm_real *x,
                                  double *value, fm_real *x_bar, PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(e->ops->evaluate(e, key, nb, x, value, x_bar, ok));
  for (int64_t s = 0; s < nb; s++) {
    if (!isfinite(value[s])) ok[s] = PETSC_FALSE;
    if (x_bar && !all_finite(e->n, x_bar + s * e->n)) ok[s] = PETSC_FALSE;
    if (!ok[s]) value[s] = (double)NAN;
  }
  PetscFunctionReturn(0);
}

int64_t fm_energy_size(const fm_energy *e) { return e->n; }
const char *fm_energy_describe(const fm_energy *e) { return e->description; }

PetscBool fm_energy_can_sample(const fm_energy *e) {
  return e->ops->sample ? PETSC_TRUE : PETSC_FALSE;
}

void fm_energy_typical(const fm_energy *e, fm_typical *typical) {
  *typical = (fm_typical){0};
  if (e->ops->typical) e->ops->typical(e, typical);
}

PetscErrorCode fm_energy_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                fm_real *x) {
  PetscFunctionBegin;
  PetscCheck(e->ops->sample, PETSC_COMM_WORLD, PETSC_ERR_SUP,
             "the energy %s has no exact sampler", e->name);
  PetscCall(e->ops->sample(e, rng, first, nb, x));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_moments(fm_energy *e, double *mean, double *std, PetscBool *known_) {
  PetscFunctionBegin;
  *known_ = e->ops->moments ? PETSC_TRUE : PETSC_FALSE;
  if (*known_) PetscCall(e->ops->moments(e, mean, std));
  PetscFunctionReturn(0);
}
