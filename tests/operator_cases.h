/* The configurations in which every registered operator is held to the contract: an operator
   without an entry fails the suite. No case is symmetric, and each operator has a rectangular
   one: a symmetric toy passes a dot test with no adjoint at all. */
#ifndef OPERATOR_CASES_H
#define OPERATOR_CASES_H

#include "fathom/gather.h"
#include "fathom/operator.h"
#include "fathom/rng.h"
#include "fm_test.h"

typedef struct operator_case {
  const char *name;
  PetscBool linear;
  const char *options[4][2]; /* ends with a NULL name */
  const fm_real *centre;     /* x = centre + N(0, 1); NULL: 0 */
} operator_case;

#define DENSE_5X7                                                                              \
  "0.31,-0.72,1.13,0.05,-2.17,0.93,0.41,1.01,0.33,-0.77,1.91,0.13,-0.59,0.67,-1.3,0.21,0.83,"  \
  "-0.07,1.7,0.111,-0.123,0.9,-1.9,0.7,0.3,-0.1,0.2,0.77,3.1,0.17,-0.23,0.29,-1.01,0.37,0.43"

static const fm_real laplace_centre[6] = {8, 7, 9, 12, 8, 10}; /* coefficients stay positive */

static const operator_case operator_cases[] = {
    {"dense", PETSC_TRUE, {{"-dense_matrix", "0.3,-0.8,0.6,-0.5"}}, NULL},
    {"dense", PETSC_TRUE, {{"-dense_matrix", "1,2,-1,0.5,-3,2"}, {"-dense_rows", "2"}}, NULL},
    {"dense", PETSC_TRUE, {{"-dense_matrix", DENSE_5X7}, {"-dense_rows", "5"}}, NULL},
    {"dense", PETSC_TRUE, {{"-dense_matrix", DENSE_5X7}, {"-dense_rows", "7"}}, NULL},
    {"laplace",
     PETSC_FALSE,
     {{"-laplace_cells", "9"}, {"-laplace_blocks", "3x4"}, {"-laplace_points", "2"}},
     NULL},
    {"laplace",
     PETSC_FALSE,
     {{"-laplace_cells", "8"},
      {"-laplace_blocks", "3x2"},
      {"-laplace_points", "3"},
      {"-laplace_unknown", "value"}},
     laplace_centre},
};

#define OPERATOR_CASES ((int)(sizeof(operator_cases) / sizeof(operator_cases[0])))

static inline fm_operator *case_create(const operator_case *c, MPI_Comm space) {
  fm_operator *op;

  fm_ok(fm_operators_declare_options());
  for (int k = 0; k < 4 && c->options[k][0]; k++)
    fm_ok(PetscOptionsSetValue(NULL, c->options[k][0], c->options[k][1]));
  fm_ok(fm_operator_create(space, c->name, &op));
  for (int k = 0; k < 4 && c->options[k][0]; k++)
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
