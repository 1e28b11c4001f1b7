/* Operators and energies of small images, under options as a text, and what dense algebra says
   of them. */
#ifndef IMAGE_CASES_H
#define IMAGE_CASES_H

#include "fathom/energy.h"
#include "fathom/gather.h"
#include "fathom/operator.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include "fm_test.h"

/* What the command line declares besides. */
static const fm_option image_options[] = {
    {"operator", FM_OPTION_TEXT, "", "", "forward operator"},
    {"prior", FM_OPTION_TEXT, "", "", "prior"},
    {"observed", FM_OPTION_ARRAY, "", "", "observed data"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* Between the two, `text` alone is what the user gave. */
static inline PetscOptions image_begin(const char *text) {
  PetscOptions options;

  fm_ok(fm_options_declare(image_options));
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  fm_ok(PetscOptionsCreate(&options));
  fm_ok(PetscOptionsInsertString(options, text));
  fm_ok(PetscOptionsPush(options));
  return options;
}

static inline void image_end(PetscOptions *options) {
  fm_ok(PetscOptionsPop());
  fm_ok(PetscOptionsDestroy(options));
}

static inline fm_operator *image_operator(const char *name, const char *text) {
  PetscOptions options = image_begin(text);
  fm_operator *op;

  fm_ok(fm_operator_create(PETSC_COMM_WORLD, name, &op));
  image_end(&options);
  return op;
}

/* The operator refuses the options with that sentence. */
static inline void image_refused(const char *name, const char *text, const char *sentence) {
  PetscOptions options = image_begin(text);
  fm_operator *op = NULL;

  fm_expect_error(fm_operator_create(PETSC_COMM_WORLD, name, &op), sentence);
  image_end(&options);
}

/* The energy of n unknowns (0: as many as it likes) does. */
static inline void image_energy_refused(const char *name, const char *text, int64_t n,
                                        const char *sentence) {
  PetscOptions options = image_begin(text);
  fm_energy *energy = NULL;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  const fm_energy_inputs in = {&comm, n, NULL, 0, NULL};
  fm_expect_error(fm_energy_create(name, &in, &energy), sentence);
  image_end(&options);
  fm_ok(fm_comm_destroy(&comm));
}

/* a[m][n], its columns F(e_j). */
static inline void image_matrix(fm_operator *op, double *a) {
  int64_t n, m;
  fm_real *x;
  double *d;
  PetscBool ok;

  fm_ok(fm_operator_sizes(op, &n, &m));
  fm_ok(PetscCalloc2(n, &x, m, &d));
  for (int64_t j = 0; j < n; j++) {
    x[j] = 1;
    fm_ok(fm_operator_forward(op, x, d, &ok));
    assert_true(ok);
    for (int64_t i = 0; i < m; i++) a[i * n + j] = d[i];
    x[j] = 0;
  }
  fm_ok(PetscFree2(x, d));
}

/* Lower Cholesky factor of the symmetric a[n][n], in place; log det a. */
static inline double image_cholesky(int64_t n, double *a) {
  double sum = 0;

  for (int64_t j = 0; j < n; j++)
    for (int64_t i = j; i < n; i++) {
      double t = a[i * n + j];

      for (int64_t k = 0; k < j; k++) t -= a[i * n + k] * a[j * n + k];
      if (i == j) assert_true(t > 0);
      if (i == j) sum += log(t);
      a[i * n + j] = i == j ? sqrt(t) : t / a[j * n + j];
    }
  return sum;
}

/* v = (L L^T)^-1 v */
static inline void image_solve(int64_t n, const double *l, double *v) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) v[i] -= l[i * n + j] * v[j];
    v[i] /= l[i * n + i];
  }
  for (int64_t i = n - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < n; j++) v[i] -= l[j * n + i] * v[j];
    v[i] /= l[i * n + i];
  }
}

#endif
