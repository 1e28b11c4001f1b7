/* The configurations in which every registered energy is held to the contract: an energy
   without an entry fails the suite. A case is made on any communicator. */
#ifndef ENERGY_CASES_H
#define ENERGY_CASES_H

#include "fathom/energy.h"
#include "fathom/store.h"
#include "fathom/transport.h"
#include "fm_test.h"
#include "infer/checkpoint_parts.h"

#define ENERGY_MOST 7 /* unknowns and data of a case */

typedef struct energy_case {
  const char *name;
  int64_t n, m;              /* unknowns; data, 0: none */
  PetscBool physics;         /* needs an operator: dense, m x n */
  PetscBool flow;            /* needs a checkpoint of a flow of these sizes */
  const char *options[5][2]; /* ends with a NULL name */
} energy_case;

#define ENERGY_5X7                                                                             \
  "0.31,-0.72,1.13,0.05,-2.17,0.93,0.41,1.01,0.33,-0.77,1.91,0.13,-0.59,0.67,-1.3,0.21,0.83,"  \
  "-0.07,1.7,0.111,-0.123,0.9,-1.9,0.7,0.3,-0.1,0.2,0.77,3.1,0.17,-0.23,0.29,-1.01,0.37,0.43"
#define ENERGY_SPD3 "2,0.3,-0.4,0.3,1,0.2,-0.4,0.2,0.5"

static const energy_case energy_cases[] = {
    {"likelihood",
     3,
     2,
     PETSC_TRUE,
     PETSC_FALSE,
     {{"-dense_matrix", "1,2,-1,0.5,-3,2"}, {"-dense_rows", "2"}, {"-noise_std", "0.8"}}},
    {"likelihood",
     7,
     5,
     PETSC_TRUE,
     PETSC_FALSE,
     {{"-dense_matrix", ENERGY_5X7},
      {"-dense_rows", "5"},
      {"-noise_std", "1.3,0.7,0.9,2.1,1.1"},
      {"-data_mask", "1,1,0,1,1"}}},
    {"rosenbrock", 2, 0, PETSC_FALSE, PETSC_FALSE, {{0}}},
    {"gaussian",
     3,
     0,
     PETSC_FALSE,
     PETSC_FALSE,
     {{"-gaussian_mean", "3.14"}, {"-gaussian_std", "1.5,0.3,0.9"}}},
    {"gaussian",
     3,
     0,
     PETSC_FALSE,
     PETSC_FALSE,
     {{"-gaussian_mean", "1,-2,0.5"}, {"-gaussian_covariance", ENERGY_SPD3}}},
    {"gaussian",
     3,
     0,
     PETSC_FALSE,
     PETSC_FALSE,
     {{"-gaussian_mean", "1,-2,0.5"}, {"-gaussian_precision", ENERGY_SPD3}}},
    {"field",
     6,
     0,
     PETSC_FALSE,
     PETSC_FALSE,
     {{"-field_shape", "2x3"},
      {"-field_mean", "0.4"},
      {"-field_std", "1.3"},
      {"-field_correlation", "0.8"},
      {"-field_nugget", "0.1"}}},
    {"matern",
     6,
     0,
     PETSC_FALSE,
     PETSC_FALSE,
     {{"-matern_shape", "2x3"},
      {"-matern_mean", "0.4"},
      {"-matern_std", "1.3,0.7,2.1,0.9,1,0.6"},
      {"-matern_correlation", "2,1.5"}}},
    {"informed", 3, 0, PETSC_FALSE, PETSC_FALSE, {{0}}},
    {"flow", 2, 0, PETSC_FALSE, PETSC_TRUE, {{0}}},
    {"prior_low_posterior", 2, 2, PETSC_FALSE, PETSC_TRUE, {{0}}},
};

#define ENERGY_CASES ((int)(sizeof(energy_cases) / sizeof(energy_cases[0])))

typedef struct energy_fixture {
  const energy_case *c;
  fm_comm comm;
  fm_operator *op;
  double y[ENERGY_MOST];
  char file[64];
  fm_energy *energy;
} energy_fixture;

/* A checkpoint as far as fm_checkpoint_load reads it: a HINT flow with random weights. */
static inline void case_write_flow(energy_fixture *f) {
  fm_flow_spec spec = {.network = "hint",
                       .variant = "default",
                       .depth = 2,
                       .hidden = 8,
                       .reflections = 3,
                       .x = fm_shape_vector(f->c->n),
                       .y = fm_shape_vector(f->c->m)};
  const double mean[] = {0.3, -0.2}, std[] = {1.4, 0.6};
  fm_transport *transport;
  fm_real *theta, *noise;
  fm_store *store;

  snprintf(f->file, sizeof(f->file), "/tmp/fathom_energy_%d.h5", (int)getpid());
  fm_ok(fm_transport_create(&spec, &transport));
  fm_ok(fm_transport_whiten(transport, mean, std, NULL, NULL));
  const fm_layout *layout = fm_flow_layout(transport->flow);
  fm_ok(PetscMalloc2(layout->size, &theta, layout->size, &noise));
  fm_ok(fm_flow_initialize(transport->flow, (fm_rng){1, FM_STREAM_INITIAL}, theta));
  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 9, (size_t)layout->size, noise);
  for (int64_t i = 0; i < layout->size; i++) theta[i] += (fm_real)0.1 * noise[i];
  fm_ok(fm_store_create(f->comm.world, f->file, &store));
  fm_ok(fm_store_set_integer(store, "/", "schema_version", 1));
  fm_ok(fm_parts_write_transport(transport, store));
  fm_ok(fm_parts_write_theta(layout, "/theta", theta, store));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(PetscFree2(theta, noise));
  fm_ok(fm_transport_destroy(&transport));
  fm_ok(PetscOptionsSetValue(NULL, "-prior_flow", f->file));
}

/* Two orthonormal vectors of three numbers, as `fathom informed` writes them. */
static inline void case_write_informed(energy_fixture *f) {
  const double vectors[] = {0.6, 0, 0.8, 0, 1, 0}, values[] = {5, 0.7}, center[3] = {0};
  const int64_t shape[] = {2, 3};
  fm_store *store;

  snprintf(f->file, sizeof(f->file), "/tmp/fathom_informed_%d.h5", (int)getpid());
  fm_ok(fm_store_create(f->comm.world, f->file, &store));
  fm_ok(fm_store_write(store, "/vectors", FM_FLOAT64, 2, shape, vectors));
  fm_ok(fm_store_write(store, "/values", FM_FLOAT64, 1, shape, values));
  fm_ok(fm_store_write(store, "/center", FM_FLOAT64, 1, shape + 1, center));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(PetscOptionsSetValue(NULL, "-acoustic_informed", f->file));
}

static inline PetscBool case_is_informed(const energy_case *c) {
  return strcmp(c->name, "informed") ? PETSC_FALSE : PETSC_TRUE;
}

static inline void case_options(const energy_case *c, PetscBool set) {
  for (int k = 0; k < 5 && c->options[k][0]; k++)
    if (set)
      fm_ok(PetscOptionsSetValue(NULL, c->options[k][0], c->options[k][1]));
    else
      fm_ok(PetscOptionsClearValue(NULL, c->options[k][0]));
}

static inline void case_open(energy_fixture *f, const energy_case *c, MPI_Comm world,
                             PetscMPIInt ranks_per_sample) {
  memset(f, 0, sizeof(*f));
  f->c = c;
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(world, ranks_per_sample, &f->comm));
  case_options(c, PETSC_TRUE);
  if (c->flow) case_write_flow(f);
  if (case_is_informed(c)) case_write_informed(f);
  if (c->physics) fm_ok(fm_operator_create(f->comm.space, "dense", &f->op));
  for (int64_t i = 0; i < c->m; i++) f->y[i] = 0.37 * (double)(i + 1) - 0.9;
  const fm_energy_inputs in = {&f->comm, c->n, f->op, c->m, c->m ? f->y : NULL};
  fm_ok(fm_energy_create(c->name, &in, &f->energy));
  assert_int_equal(fm_energy_size(f->energy), c->n);
  case_options(c, PETSC_FALSE);
}

static inline void case_close(energy_fixture *f) {
  fm_ok(fm_energy_destroy(&f->energy));
  assert_null(f->energy);
  fm_ok(fm_operator_destroy(&f->op));
  if (f->c->flow) fm_ok(PetscOptionsClearValue(NULL, "-prior_flow"));
  if (case_is_informed(f->c)) fm_ok(PetscOptionsClearValue(NULL, "-acoustic_informed"));
  if (f->c->flow || case_is_informed(f->c)) unlink(f->file);
  fm_ok(fm_comm_destroy(&f->comm));
}

/* Evaluate nb samples from a clean start; every one must be good. */
static inline void case_evaluate(energy_fixture *f, int64_t nb, const fm_real *x, double *value,
                                 fm_real *x_bar) {
  uint64_t sample[16] = {0};
  PetscBool ok[16];

  for (int64_t s = 0; s < nb; s++) ok[s] = PETSC_TRUE;
  if (x_bar) memset(x_bar, 0, (size_t)(nb * f->c->n) * sizeof(*x_bar));
  fm_ok(fm_energy_evaluate(f->energy, (fm_key){0, sample, NULL}, nb, x, value, x_bar, ok));
  for (int64_t s = 0; s < nb; s++) assert_true(ok[s]);
}

/* N(0, 1) numbers by name. */
static inline void case_draw(uint64_t name, int64_t count, fm_real *x) {
  fm_rng_normal((fm_rng){11, FM_STREAM_CHECK}, 0, name, (size_t)count, x);
}

#endif
