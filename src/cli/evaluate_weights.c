#include "evaluate.h"
#include "fathom/options.h"
#include "fathom/pareto.h"
#include <math.h>

/* k-hat of the terms w_s exp(x_si): the tail that makes the mean of exp(x_i). */
static PetscErrorCode shape_of_terms(int64_t count, int64_t n, const double *x,
                                     const double *log_weight, double *k_hat) {
  double *term;

  PetscFunctionBegin;
  PetscCall(fm_calloc(count, &term));
  for (int64_t s = 0; s < count; s++) term[s] = log_weight[s] + x[s * n];
  PetscCall(fm_pareto_smooth(count, term, k_hat));
  PetscCall(PetscFree(term));
  PetscFunctionReturn(0);
}

/* of [3][n]: mean, its standard error, k-hat. */
static PetscErrorCode exponentials(int64_t n, const fm_diagnosis *d, const double *smooth,
                                   double *of) {
  double *v;

  PetscFunctionBegin;
  PetscCall(fm_calloc(d->count, &v));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t s = 0; s < d->count; s++) v[s] = exp(d->x[s * n + i]);
    fm_weighted_mean(d->count, smooth, 1, v, &of[i], &of[n + i]);
    PetscCall(shape_of_terms(d->count, n, d->x + i, d->log_weight, &of[2 * n + i]));
  }
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* plain [2][n], of_exp [3][n] or NULL; on rank 0 alone. */
static PetscErrorCode compute(int64_t n, const fm_diagnosis *d, double *plain, double *of_exp) {
  double *smooth, k_hat;

  PetscFunctionBegin;
  if (!d->x) PetscFunctionReturn(0);
  PetscCall(fm_calloc(d->count, &smooth));
  PetscCall(PetscArraycpy(smooth, d->log_weight, d->count));
  PetscCall(fm_pareto_smooth(d->count, smooth, &k_hat));
  for (int64_t i = 0; i < n; i++)
    fm_weighted_mean(d->count, smooth, n, d->x + i, &plain[i], &plain[n + i]);
  if (of_exp) PetscCall(exponentials(n, d, smooth, of_exp));
  PetscCall(PetscFree(smooth));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(fm_run *run, int64_t n, const double *of_exp) {
  double worst = -INFINITY;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) worst = fmax(worst, of_exp[2 * n + i]);
  PetscCall(fm_result(run->results, "k_hat_exp_max", worst, "1"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_weights_write(fm_run *run, int64_t n, const fm_diagnosis *d,
                                fm_store *store) {
  double *plain, *of_exp = NULL;
  int expectation;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("expectation", "none|exp", &expectation));
  PetscCall(fm_calloc(2 * n, &plain));
  if (expectation) PetscCall(fm_calloc(3 * n, &of_exp));
  PetscCall(compute(n, d, plain, of_exp));
  PetscCall(fm_store_write(store, "/weighted/mean", FM_FLOAT64, 1, &n, plain));
  PetscCall(fm_store_write(store, "/weighted/mean_se", FM_FLOAT64, 1, &n, plain + n));
  if (of_exp) {
    PetscCall(fm_store_write(store, "/weighted/exp/mean", FM_FLOAT64, 1, &n, of_exp));
    PetscCall(fm_store_write(store, "/weighted/exp/mean_se", FM_FLOAT64, 1, &n, of_exp + n));
    PetscCall(fm_store_write(store, "/weighted/exp/k_hat", FM_FLOAT64, 1, &n, of_exp + 2 * n));
    PetscCall(report(run, n, of_exp));
  }
  PetscCall(PetscFree(plain));
  PetscCall(PetscFree(of_exp));
  PetscFunctionReturn(0);
}
