/* The configurations in which every registered operator is held to the contract: an operator
   without an entry fails the suite. No case is symmetric, and each operator has a rectangular
   one: a symmetric toy passes a dot test with no adjoint at all. Operators that are projections
   by nature have a subspace of their own in place of that. */
#ifndef OPERATOR_CASES_H
#define OPERATOR_CASES_H

#include "fathom/gather.h"
#include "fathom/operator.h"
#include "fathom/rng.h"
#include "fm_test.h"

#define CASE_OPTIONS 20

typedef struct operator_case {
  const char *name;
  PetscBool linear;
  const char *options[CASE_OPTIONS][2]; /* ends with a NULL name */
  const fm_real *centre;                /* x = centre + N(0, 1); NULL: 0 */
  double rough; /* solves in fm_real: in float a step in x that is large enough; else 0 */
} operator_case;

#define DENSE_5X7                                                                              \
  "0.31,-0.72,1.13,0.05,-2.17,0.93,0.41,1.01,0.33,-0.77,1.91,0.13,-0.59,0.67,-1.3,0.21,0.83,"  \
  "-0.07,1.7,0.111,-0.123,0.9,-1.9,0.7,0.3,-0.1,0.2,0.77,3.1,0.17,-0.23,0.29,-1.01,0.37,0.43"

static const fm_real laplace_centre[6] = {8, 7, 9, 12, 8, 10}; /* coefficients stay positive */

/* 42 rows, which 4 ranks can share, of 8 nodes; off-grid sources and receivers, two shots */
#define ACOUSTIC                                                                               \
  {"-acoustic_shape", "42x8"}, {"-acoustic_spacing", "10,12"}, {"-acoustic_steps", "61"},      \
      {"-acoustic_wavelet_frequency", "20"}, {"-acoustic_wavelet_delay", "0.04"},              \
      {"-acoustic_sources", "153,31,208,26"}, {"-acoustic_allow_dispersion", "true"},          \
      {"-acoustic_split", "domain"}, {                                                         \
    "-acoustic_receivers", "120,12,161.7,40,190,55.5"                                          \
  }

static const fm_real acoustic_centre[42 * 8] = {[0 ... 42 * 8 - 1] = 2000};

static const operator_case operator_cases[] = {
    {"dense", PETSC_TRUE, {{"-dense_matrix", "0.3,-0.8,0.6,-0.5"}}, NULL, 0},
    {"dense",
     PETSC_TRUE,
     {{"-dense_matrix", "1,2,-1,0.5,-3,2"}, {"-dense_rows", "2"}},
     NULL,
     0},
    {"dense", PETSC_TRUE, {{"-dense_matrix", DENSE_5X7}, {"-dense_rows", "5"}}, NULL, 0},
    {"dense", PETSC_TRUE, {{"-dense_matrix", DENSE_5X7}, {"-dense_rows", "7"}}, NULL, 0},
    {"laplace",
     PETSC_FALSE,
     {{"-laplace_cells", "9"}, {"-laplace_blocks", "3x4"}, {"-laplace_points", "2"}},
     NULL,
     0},
    {"laplace",
     PETSC_FALSE,
     {{"-laplace_cells", "8"},
      {"-laplace_blocks", "3x2"},
      {"-laplace_points", "3"},
      {"-laplace_unknown", "value"}},
     laplace_centre,
     0},
    {"acoustic", /* second order in time with its transforms, every second sample, layers */
     PETSC_FALSE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2,3,1,4"},
      {"-acoustic_order", "4"},
      {"-acoustic_record_every", "2"},
      {"-acoustic_unknown", "scaled"},
      {"-acoustic_background", "2000"},
      {"-acoustic_scale", "100"}},
     NULL,
     1},
    {"acoustic", /* fourth order in time, a free surface, a bound on the tape */
     PETSC_FALSE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.002"},
      {"-acoustic_layers", "3"},
      {"-acoustic_free_surface", "true"},
      {"-acoustic_time_order", "4"},
      {"-acoustic_unknown", "bounded"},
      {"-acoustic_velocity_min", "1500"},
      {"-acoustic_velocity_max", "2900"},
      {"-tape_memory", "200K"}},
     NULL,
     0.3},
    {"acoustic", /* the velocity itself, edges that reflect */
     PETSC_FALSE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "0"},
      {"-acoustic_order", "2"},
      {"-acoustic_time_dispersion", "false"}},
     acoustic_centre,
     100},
    {"acoustic", /* white noise coloured, bounded about a background */
     PETSC_FALSE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2"},
      {"-acoustic_unknown", "bounded"},
      {"-acoustic_background", "2100"},
      {"-acoustic_scale", "100"},
      {"-acoustic_velocity_min", "1500"},
      {"-acoustic_velocity_max", "2900"},
      {"-acoustic_coordinates", "matern"},
      {"-matern_correlation", "9,5"}},
     NULL,
     1},
    {"acoustic", /* a few modes */
     PETSC_FALSE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2"},
      {"-acoustic_unknown", "scaled"},
      {"-acoustic_background", "2100"},
      {"-acoustic_scale", "100"},
      {"-acoustic_coordinates", "modes"},
      {"-acoustic_modes", "7"},
      {"-matern_correlation", "9,5"}},
     NULL,
     1},
    {"born", /* total, in coordinates */
     PETSC_TRUE,
     {ACOUSTIC,
      {"-born_data", "total"},
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2"},
      {"-acoustic_unknown", "bounded"},
      {"-acoustic_background", "2100"},
      {"-acoustic_scale", "100"},
      {"-acoustic_velocity_min", "1500"},
      {"-acoustic_velocity_max", "2900"},
      {"-acoustic_coordinates", "matern"},
      {"-matern_correlation", "9,5"}},
     NULL,
     1},
    {"born",
     PETSC_TRUE,
     {ACOUSTIC,
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2"},
      {"-acoustic_unknown", "bounded"},
      {"-acoustic_background", "2100"},
      {"-acoustic_velocity_min", "1500"},
      {"-acoustic_velocity_max", "2900"}},
     NULL,
     1},
    {"born", /* with the background's data */
     PETSC_TRUE,
     {ACOUSTIC,
      {"-born_data", "total"},
      {"-acoustic_dt", "0.0015"},
      {"-acoustic_layers", "2"},
      {"-acoustic_unknown", "scaled"},
      {"-acoustic_background", "2100"},
      {"-acoustic_scale", "100"}},
     NULL,
     1},
    {"romberg",
     PETSC_TRUE,
     {{"-romberg_shape", "7x6"}, {"-romberg_subsampling", "2"}, {"-romberg_seed", "3"}},
     NULL,
     0},
    {"romberg", /* an odd number of pixels: no mode of Nyquist */
     PETSC_TRUE,
     {{"-romberg_shape", "5x9"}, {"-romberg_subsampling", "3.3"}},
     NULL,
     0},
    {"mask", PETSC_TRUE, {{"-mask_shape", "7x6"}, {"-mask_keep", "0.4"}}, NULL, 0},
    {"mask", PETSC_TRUE, {{"-mask_shape", "5x9"}, {"-mask_kind", "traces"}}, NULL, 0},
};

#define OPERATOR_CASES ((int)(sizeof(operator_cases) / sizeof(operator_cases[0])))

static inline fm_operator *case_create(const operator_case *c, MPI_Comm space) {
  fm_operator *op;

  fm_ok(fm_operators_declare_options());
  for (int k = 0; k < CASE_OPTIONS && c->options[k][0]; k++)
    fm_ok(PetscOptionsSetValue(NULL, c->options[k][0], c->options[k][1]));
  fm_ok(fm_operator_create(space, c->name, &op));
  for (int k = 0; k < CASE_OPTIONS && c->options[k][0]; k++)
    fm_ok(PetscOptionsClearValue(NULL, c->options[k][0]));
  return op;
}

/* N(0, 1) numbers by name, plus centre: the same on any number of ranks. */
static inline void case_fill(Vec v, uint64_t name, const fm_real *centre) {
  fm_real *all;
  PetscInt n;

  fm_ok(VecGetSize(v, &n));
  fm_ok(PetscMalloc1(n, &all));
  fm_rng_normal((fm_rng){7, FM_STREAM_CHECK}, 0, name, (size_t)n, all);
  for (PetscInt i = 0; centre && i < n; i++) all[i] += centre[i];
  fm_ok(fm_vec_set(v, all));
  fm_ok(PetscFree(all));
}

#endif
