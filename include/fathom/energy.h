/* fm_energy - value plus gradient of one negative log density: priors, likelihoods and
   pretrained-flow priors are one type.
   A posterior is a list of energies. Every normaliser is kept, so the sum is -log p(x, y), an
   absolute number of nats. */
#ifndef FATHOM_ENERGY_H
#define FATHOM_ENERGY_H

#include "fathom/comm.h"
#include "fathom/operator.h"
#include "fathom/rng.h"
#include "fathom/transport.h"

typedef struct fm_energy fm_energy;

typedef struct fm_key {
  uint64_t step;
  const uint64_t *sample; /* [nb] */
  /* of the run where a step of training asks: an energy may then be an unbiased estimate (shots
     drawn at random); NULL: exact */
  const uint64_t *seed;
} fm_key; /* who is asking: names all randomness of an energy */

/* Named inputs of a constructor; an energy takes what it needs and refuses what is missing with
   a sentence. All borrowed. */
typedef struct fm_energy_inputs {
  const fm_comm *comm;
  int64_t n;       /* unknowns, 0: the energy says (from its options) */
  fm_operator *op; /* likelihood */
  int64_t m;       /* size of the data, likelihood */
  const double *y; /* [m] observed data, likelihood, prior_low_posterior; NULL in simulate */
} fm_energy_inputs;

/* fm_energy_create - an energy by its name in energies.def; it reads its own options.
   Collective on comm->world. */
PetscErrorCode fm_energy_create(const char *name, const fm_energy_inputs *inputs,
                                fm_energy **energy);
PetscErrorCode fm_energy_destroy(fm_energy **energy);

/* fm_energy_evaluate - value[s] = E(x_s), x_bar_s += grad E(x_s), for nb samples in the user's
   units.

   Collective on the space communicator.
   x      in    [nb][n]
   value  out   set, nats, [nb]; double in both precisions, for beside the normaliser of many
                data what is left is small
   x_bar  added to, [nb][n]; NULL: value only (a likelihood then makes no adjoint solve)
   ok     and-ed with: finite and solved, [nb]; where it is false, value is NaN and x_bar is to
          be discarded
   Cost: likelihood one F and one F'^T a part and sample; priors no solve. */
PetscErrorCode fm_energy_evaluate(fm_energy *energy, fm_key key, int64_t nb, const fm_real *x,
                                  double *value, fm_real *x_bar, PetscBool *ok);

int64_t fm_energy_size(const fm_energy *energy);
const char *fm_energy_describe(const fm_energy *energy);

/* fm_energy_sample - nb exact draws of a prior, sample i named (rng, 0, first + i).
   PETSC_ERR_SUP where it cannot. */
PetscErrorCode fm_energy_sample(fm_energy *energy, fm_rng rng, int64_t first, int64_t nb,
                                fm_real *x);
PetscBool fm_energy_can_sample(const fm_energy *energy);
/* fm_energy_typical - mean, std and range (typical.h) of a prior's value, in nats, over models
   like those that it was trained on; std 0: not known. */
void fm_energy_typical(const fm_energy *energy, fm_typical *typical);
/* fm_energy_moments - mean and std of each unknown, [n], of a prior that knows them: *known
   false otherwise. */
PetscErrorCode fm_energy_moments(fm_energy *energy, double *mean, double *std,
                                 PetscBool *known);

int fm_energy_count(void);
const char *fm_energy_name(int i);
const char *fm_energy_help(int i);
PetscErrorCode fm_energies_declare_options(void);

#endif
