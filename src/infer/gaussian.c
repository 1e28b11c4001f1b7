/* gaussian - N(mu, S), every normaliser kept:

       E(x) = 1/2 (x - mu)^T S^-1 (x - mu) + 1/2 log det(2 pi S)

   With one triangular factor L of what was given, u is the whitened residual r = x - mu:
       std         S = diag(L)^2        u = r / L        grad = u / L       x = mu + L z
       covariance  S = L L^T            L u = r          L^T grad = u       x = mu + L z
       precision   S^-1 = L L^T         u = L^T r        grad = L u         L^T (x - mu) = z
       */
#include "fathom/energy_impl.h"
#include "fathom/store.h"
#include <math.h>
#include <petscblaslapack.h>

const fm_option fm_energy_gaussian_options[] = {
    {"gaussian_mean", FM_OPTION_ARRAY, "0", FM_COMMANDS_PHYSICS,
     "mean of the gaussian prior: a number, a list or FILE:/dataset"},
    {"gaussian_std", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "standard deviations of the gaussian prior: a number, a list or FILE:/dataset"},
    {"gaussian_covariance", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "covariance matrix of the gaussian prior: a list row by row or FILE:/dataset [n][n]"},
    {"gaussian_precision", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "inverse of the covariance of the gaussian prior: a list row by row or FILE:/dataset "
     "[n][n]"},
    {"gaussian_size", FM_OPTION_INTEGER, "", FM_COMMANDS_PHYSICS,
     "unknowns of the gaussian prior, where nothing else says it"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

enum { MEAN, STD, COVARIANCE, PRECISION, INPUTS };
static const char *const option[INPUTS] = {"gaussian_mean", "gaussian_std",
                                           "gaussian_covariance", "gaussian_precision"};

typedef struct gaussian {
  int form;              /* STD, COVARIANCE or PRECISION */
  double *mean, *factor; /* [n]; [n] for STD, else lower triangle of [n][n] */
  double *v, *u;         /* [n], scratch */
  double constant;
  struct {
    int64_t count, rows; /* rows: of a dataset with two dimensions, else 0 */
    double *data;
  } given[INPUTS];
} gaussian;

/* ---- triangular matrices, lower, row by row, in place; n^2 operations each ---- */

static void lower_multiply(int64_t n, const double *l, double *v) { /* v = L v */
  for (int64_t i = n - 1; i >= 0; i--) {
    double sum = 0;

    for (int64_t j = 0; j <= i; j++) sum += l[i * n + j] * v[j];
    v[i] = sum;
  }
}

static void upper_multiply(int64_t n, const double *l, double *v) { /* v = L^T v */
  for (int64_t j = 0; j < n; j++) {
    const double t = v[j];

    for (int64_t i = 0; i < j; i++) v[i] += l[j * n + i] * t;
    v[j] = l[j * n + j] * t;
  }
}

static void lower_solve(int64_t n, const double *l, double *v) { /* v = L^-1 v */
  for (int64_t i = 0; i < n; i++) {
    double sum = v[i];

    for (int64_t j = 0; j < i; j++) sum -= l[i * n + j] * v[j];
    v[i] = sum / l[i * n + i];
  }
}

static void upper_solve(int64_t n, const double *l, double *v) { /* v = L^-T v */
  for (int64_t j = n - 1; j >= 0; j--) {
    v[j] /= l[j * n + j];
    for (int64_t i = 0; i < j; i++) v[i] -= l[j * n + i] * v[j];
  }
}

static void divide(int64_t n, const double *s, double *v) {
  for (int64_t i = 0; i < n; i++) v[i] /= s[i];
}

/* ---- evaluation, drawing, moments ---- */

/* v: the residual r in, the whitened u out. */
static void whiten(const gaussian *g, int64_t n, double *v) {
  if (g->form == STD)
    divide(n, g->factor, v);
  else if (g->form == COVARIANCE)
    lower_solve(n, g->factor, v);
  else
    upper_multiply(n, g->factor, v);
}

/* v: the whitened u in, the gradient out. */
static void unwhiten_gradient(const gaussian *g, int64_t n, double *v) {
  if (g->form == STD)
    divide(n, g->factor, v);
  else if (g->form == COVARIANCE)
    upper_solve(n, g->factor, v);
  else
    lower_multiply(n, g->factor, v);
}

static PetscErrorCode gaussian_evaluate(fm_energy *e, fm_key key, int64_t nb, const fm_real *x,
                                        double *value, fm_real *x_bar, PetscBool *ok) {
  gaussian *g = (gaussian *)e->data;
  const int64_t n = e->n;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    double square = 0;

    for (int64_t i = 0; i < n; i++) g->v[i] = (double)x[s * n + i] - g->mean[i];
    whiten(g, n, g->v);
    for (int64_t i = 0; i < n; i++) square += g->v[i] * g->v[i];
    value[s] = square / 2 + g->constant;
    if (!x_bar) continue;
    unwhiten_gradient(g, n, g->v);
    for (int64_t i = 0; i < n; i++) x_bar[s * n + i] += (fm_real)g->v[i];
  }
  PetscFunctionReturn(0);
}

/* v: z ~ N(0, I) in, x - mu out. */
static void colour(const gaussian *g, int64_t n, double *v) {
  if (g->form == COVARIANCE)
    lower_multiply(n, g->factor, v);
  else if (g->form == PRECISION)
    upper_solve(n, g->factor, v);
  else
    for (int64_t i = 0; i < n; i++) v[i] *= g->factor[i];
}

static PetscErrorCode gaussian_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                      fm_real *x) {
  gaussian *g = (gaussian *)e->data;
  const int64_t n = e->n;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    fm_real *out = x + s * n;

    fm_rng_normal(rng, 0, (uint64_t)(first + s), (size_t)n, out);
    for (int64_t i = 0; i < n; i++) g->v[i] = (double)out[i];
    colour(g, n, g->v);
    for (int64_t i = 0; i < n; i++) out[i] = (fm_real)(g->mean[i] + g->v[i]);
  }
  PetscFunctionReturn(0);
}

/* Marginal variance i: a row of L squared, or a column of L^-1 squared. */
static double marginal_variance(gaussian *g, int64_t n, int64_t i) {
  double sum = 0;

  if (g->form == STD) return g->factor[i] * g->factor[i];
  for (int64_t j = 0; j < n; j++) g->u[j] = j == i;
  if (g->form == COVARIANCE)
    upper_multiply(n, g->factor, g->u);
  else
    lower_solve(n, g->factor, g->u);
  for (int64_t j = 0; j < n; j++) sum += g->u[j] * g->u[j];
  return sum;
}

static PetscErrorCode gaussian_moments(fm_energy *e, double *mean, double *std) {
  gaussian *g = (gaussian *)e->data;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->n; i++) {
    mean[i] = g->mean[i];
    std[i] = sqrt(marginal_variance(g, e->n, i));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode gaussian_destroy(fm_energy *e) {
  gaussian *g = (gaussian *)e->data;

  PetscFunctionBegin;
  for (int k = 0; k < INPUTS; k++) PetscCall(PetscFree(g->given[k].data));
  PetscCall(PetscFree(g->mean));
  PetscCall(PetscFree(g->factor));
  PetscCall(PetscFree(g->v));
  PetscCall(PetscFree(g->u));
  PetscCall(PetscFree(g));
  PetscFunctionReturn(0);
}

static const fm_energy_ops gaussian_ops = {.evaluate = gaussian_evaluate,
                                           .sample = gaussian_sample,
                                           .moments = gaussian_moments,
                                           .destroy = gaussian_destroy};

/* ---- set-up: options, size, factor ---- */

static PetscErrorCode read_options(MPI_Comm comm, gaussian *g) {
  int64_t shape[FM_STORE_NDIM];
  int ndim, forms = 0;

  PetscFunctionBegin;
  for (int k = 0; k < INPUTS; k++) {
    PetscCall(fm_store_option_array(comm, option[k], &ndim, shape, &g->given[k].data));
    g->given[k].count = ndim ? 1 : 0;
    for (int d = 0; d < ndim; d++) g->given[k].count *= shape[d];
    g->given[k].rows = ndim == 2 ? shape[0] : 0;
    if (k == MEAN || !ndim) continue;
    g->form = k;
    forms++;
  }
  fm_check(forms == 1, comm, PETSC_ERR_USER,
           "the gaussian prior needs exactly one of -gaussian_std, -gaussian_covariance and "
           "-gaussian_precision: %d are given",
           forms);
  PetscFunctionReturn(0);
}

/* One input's word on the number of unknowns: the first settles it, the others must agree. */
static PetscErrorCode claim(MPI_Comm comm, const char *who, int64_t size, int64_t *n) {
  PetscFunctionBegin;
  fm_check(size > 0, comm, PETSC_ERR_USER, "-%s says that there are %lld unknowns", who,
           (long long)size);
  fm_check(*n == 0 || *n == size, comm, PETSC_ERR_USER,
           "-%s is for %lld unknowns, but there are %lld", who, (long long)size, (long long)*n);
  *n = size;
  PetscFunctionReturn(0);
}

static PetscErrorCode claim_matrix(MPI_Comm comm, const gaussian *g, int64_t *n) {
  const int64_t count = g->given[g->form].count, rows = g->given[g->form].rows;
  const int64_t side = rows ? rows : llround(sqrt((double)count));

  PetscFunctionBegin;
  fm_check(side * side == count, comm, PETSC_ERR_USER,
           "-%s has %lld numbers, which fill no square matrix", option[g->form],
           (long long)count);
  PetscCall(claim(comm, option[g->form], side, n));
  PetscFunctionReturn(0);
}

static PetscErrorCode settle_size(MPI_Comm comm, const gaussian *g, int64_t *n) {
  PetscBool given;
  int64_t size;

  PetscFunctionBegin;
  PetscCall(fm_option_given("gaussian_size", &given));
  if (given) {
    PetscCall(fm_option_integer_in("gaussian_size", 1, PETSC_MAX_INT, &size));
    PetscCall(claim(comm, "gaussian_size", size, n));
  }
  if (g->form != STD) PetscCall(claim_matrix(comm, g, n));
  for (int k = MEAN; k <= STD; k++)
    if (g->given[k].data && g->given[k].count != 1)
      PetscCall(claim(comm, option[k], g->given[k].count, n));
  fm_check(*n > 0, comm, PETSC_ERR_USER,
           "nothing says how many unknowns the gaussian prior has: give -gaussian_size");
  PetscFunctionReturn(0);
}

/* out[n] from one number or n of them. */
static void spread(const gaussian *g, int input, int64_t n, double *out) {
  const double *data = g->given[input].data;

  for (int64_t i = 0; i < n; i++) out[i] = data[g->given[input].count == 1 ? 0 : i];
}

static PetscErrorCode factor_std(MPI_Comm comm, gaussian *g, int64_t n) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &g->factor));
  spread(g, STD, n, g->factor);
  for (int64_t i = 0; i < n; i++) {
    fm_check(g->factor[i] > 0, comm, PETSC_ERR_USER,
             "-gaussian_std must be positive: got %.6g for unknown %lld", g->factor[i],
             (long long)i);
    g->constant += log(g->factor[i]);
  }
  PetscFunctionReturn(0);
}

/* Symmetric up to rounding; both triangles become their mean. */
static PetscErrorCode symmetrise(MPI_Comm comm, const char *name, int64_t n, double *a) {
  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) {
      double *p = &a[i * n + j], *q = &a[j * n + i];

      fm_check(fabs(*p - *q) <= 1e-8 * sqrt(fabs(a[i * n + i] * a[j * n + j])), comm,
               PETSC_ERR_USER,
               "-%s is not symmetric: entry [%lld][%lld] is %.6g, entry [%lld][%lld] is %.6g",
               name, (long long)i, (long long)j, *p, (long long)j, (long long)i, *q);
      *p = *q = (*p + *q) / 2;
    }
  PetscFunctionReturn(0);
}

/* A = L L^T in place. LAPACK's upper triangle, column by column, is our lower one, row by row.
   Cost: n^3 / 3. */
static PetscErrorCode factor_matrix(MPI_Comm comm, gaussian *g, int64_t n) {
  const double sign = g->form == COVARIANCE ? 1 : -1;
  PetscBLASInt size, info;

  PetscFunctionBegin;
  g->factor = g->given[g->form].data;
  g->given[g->form].data = NULL;
  PetscCall(symmetrise(comm, option[g->form], n, g->factor));
  PetscCall(PetscBLASIntCast((PetscInt)n, &size));
  LAPACKpotrf_("U", &size, g->factor, &size, &info);
  fm_check(info == 0, comm, PETSC_ERR_USER,
           "-%s is not positive definite: its leading %d x %d block has no Cholesky factor",
           option[g->form], (int)info, (int)info);
  for (int64_t i = 0; i < n; i++) g->constant += sign * log(g->factor[i * n + i]);
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, gaussian *g, int64_t n) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &g->mean));
  PetscCall(fm_calloc(n, &g->v));
  PetscCall(fm_calloc(n, &g->u));
  spread(g, MEAN, n, g->mean);
  g->constant = 0.5 * (double)n * log(2 * PETSC_PI);
  if (g->form == STD)
    PetscCall(factor_std(comm, g, n));
  else
    PetscCall(factor_matrix(comm, g, n));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_gaussian_create(const fm_energy_inputs *inputs, fm_energy *e) {
  MPI_Comm comm = inputs->comm->world;
  gaussian *g;

  PetscFunctionBegin;
  PetscCall(PetscNew(&g));
  e->data = g;
  e->ops = &gaussian_ops;
  PetscCall(read_options(comm, g));
  PetscCall(settle_size(comm, g, &e->n));
  PetscCall(fill(comm, g, e->n));
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "gaussian prior of %lld unknowns, by its %s", (long long)e->n,
                          option[g->form] + strlen("gaussian_")));
  PetscFunctionReturn(0);
}
