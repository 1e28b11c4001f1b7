/* rosenbrock - the curved prior of the 2-D toy,
       p(x) = (sqrt(1/2) / pi) exp(-x1^2/2 - (x2 - x1^2)^2),
   that is x1 ~ N(0, 1) and x2 | x1 ~ N(x1^2, 1/2). Source: Siahkoohi et al. (AABI 2021),
   section 4.1. */
#include "fathom/energy_impl.h"
#include <math.h>

const fm_option fm_energy_rosenbrock_options[] = {{NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static PetscErrorCode rosenbrock_evaluate(fm_energy *e, fm_key key, int64_t nb,
                                          const fm_real *x, double *value, fm_real *x_bar,
                                          PetscBool *ok) {
  const double constant = log(PETSC_PI) + 0.5 * log(2.);

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    const double a = x[2 * s], b = x[2 * s + 1], c = b - a * a;

    value[s] = a * a / 2 + c * c + constant;
    if (!x_bar) continue;
    x_bar[2 * s] += (fm_real)(a - 4 * a * c);
    x_bar[2 * s + 1] += (fm_real)(2 * c);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode rosenbrock_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                        fm_real *x) {
  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    fm_real *a = x + 2 * s;

    fm_rng_normal(rng, 0, (uint64_t)(first + s), 2, a);
    a[1] = (fm_real)((double)a[0] * a[0] + sqrt(0.5) * (double)a[1]);
  }
  PetscFunctionReturn(0);
}

/* E x2 = E x1^2 = 1, var x2 = var x1^2 + 1/2 = 5/2. */
static PetscErrorCode rosenbrock_moments(fm_energy *e, double *mean, double *std) {
  PetscFunctionBegin;
  mean[0] = 0;
  mean[1] = 1;
  std[0] = 1;
  std[1] = sqrt(2.5);
  PetscFunctionReturn(0);
}

static const fm_energy_ops rosenbrock_ops = {.evaluate = rosenbrock_evaluate,
                                             .sample = rosenbrock_sample,
                                             .moments = rosenbrock_moments};

PetscErrorCode fm_energy_rosenbrock_create(const fm_energy_inputs *inputs, fm_energy *e) {
  PetscFunctionBegin;
  fm_check(inputs->n == 0 || inputs->n == 2, inputs->comm->world, PETSC_ERR_USER,
           "the rosenbrock prior has 2 unknowns, this problem has %lld", (long long)inputs->n);
  e->n = 2;
  e->ops = &rosenbrock_ops;
  PetscFunctionReturn(0);
}
