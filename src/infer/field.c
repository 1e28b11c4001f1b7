/* field - a stationary Gaussian random field on a periodic grid, every normaliser kept:

       E(x) = 1/2 (x - mu)^T C^-1 (x - mu) + 1/2 log det(2 pi C),   C = F^* diag(p) F

   F is the unitary discrete Fourier transform of [rows][columns], and p the power spectrum: a
   Matern law of the wavenumber kappa (radians a pixel) above a floor of white noise,

       p(k) = std^2 [ (1 - nugget) s(k) / mean(s) + nugget ],
       s(k) = (2 nu / L^2 + kappa(k)^2)^-(nu + 1)

   so that every pixel has the variance std^2 exactly. kappa is that of the nearest alias; a
   field much longer than L looks like one of the plane.
       log det C = sum_k log p(k);   a draw is mu + F^* sqrt(p) F z,  z ~ N(0, I)
   Source: Rasmussen and Williams, "Gaussian processes for machine learning" (2006), eq. (4.15),
   in two dimensions. */
#include "fathom/fft.h"
#include "infer/quadratic.h"
#include <math.h>

const fm_option fm_energy_field_options[] = {
    {"field_shape", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "grid of the Gaussian random field, ROWSxCOLUMNS"},
    {"field_mean", FM_OPTION_REAL, "0", FM_COMMANDS_PHYSICS, "mean of each pixel"},
    {"field_std", FM_OPTION_REAL, "1", FM_COMMANDS_PHYSICS, "standard deviation of each pixel"},
    {"field_correlation", FM_OPTION_REAL, "4", FM_COMMANDS_PHYSICS,
     "correlation length of the Matern law in pixels"},
    {"field_smoothness", FM_OPTION_REAL, "1.5", FM_COMMANDS_PHYSICS,
     "smoothness nu of the Matern law"},
    {"field_nugget", FM_OPTION_REAL, "1e-2", FM_COMMANDS_PHYSICS,
     "share of the variance that is white noise"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct field {
  fm_quadratic gaussian;
  int64_t shape[2];
  double mean, std, correlation, smoothness, nugget;
  double *power; /* [rows][columns/2 + 1], as the spectrum of fft */
  fm_fft *fft;
} field;

/* fft->real = F^* p^exponent F fft->real */
static void filter(field *f, double exponent) {
  double(*s)[2] = f->fft->spectrum;

  fm_fft_forward(f->fft);
  for (int64_t k = 0; k < f->fft->modes; k++) {
    const double factor = exponent < 0 ? 1 / f->power[k] : sqrt(f->power[k]);

    s[k][0] *= factor;
    s[k][1] *= factor;
  }
  fm_fft_backward(f->fft);
}

/* out = F^* p^exponent F in */
static PetscErrorCode apply(field *f, double exponent, const double *in, double *out) {
  const size_t n = (size_t)(f->shape[0] * f->shape[1]);

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(f->fft->real, in, n));
  filter(f, exponent);
  PetscCall(PetscArraycpy(out, f->fft->real, n));
  PetscFunctionReturn(0);
}

static PetscErrorCode precise(void *data, const double *v, double *u) {
  PetscFunctionBegin;
  PetscCall(apply((field *)data, -1, v, u));
  PetscFunctionReturn(0);
}

static PetscErrorCode colour(void *data, const double *z, double *v) {
  PetscFunctionBegin;
  PetscCall(apply((field *)data, 0.5, z, v));
  PetscFunctionReturn(0);
}

static PetscErrorCode field_moments(fm_energy *e, double *mean, double *std) {
  const field *f = (const field *)e->data;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->n; i++) mean[i] = f->mean;
  for (int64_t i = 0; i < e->n; i++) std[i] = f->std;
  PetscFunctionReturn(0);
}

static PetscErrorCode field_destroy(fm_energy *e) {
  field *f = (field *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_quadratic_destroy(&f->gaussian));
  PetscCall(fm_fft_destroy(&f->fft));
  PetscCall(PetscFree(f->power));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(0);
}

static const fm_energy_ops field_ops = {.evaluate = fm_quadratic_evaluate,
                                        .sample = fm_quadratic_sample,
                                        .moments = field_moments,
                                        .destroy = field_destroy};

/* ---- set-up ---- */

static PetscErrorCode read_positive(const char *name, double most, double *value) {
  PetscFunctionBegin;
  PetscCall(fm_option_real(name, value));
  fm_check(*value > 0 && *value <= most, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s %.6g must be positive and at most %.6g", name, *value, most);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_shape(MPI_Comm comm, fm_operator *op, field *f, int64_t *n) {
  int64_t *shape = f->shape;
  const char *text;

  PetscFunctionBegin;
  PetscCall(fm_option_text("field_shape", &text));
  fm_check(text[0], comm, PETSC_ERR_USER,
           "the prior field needs -field_shape ROWSxCOLUMNS, such as 32x32");
  PetscCall(fm_option_shape("field_shape", "rows and columns of the grid", shape));
  fm_check(shape[0] >= 1 && shape[1] >= 1 && shape[0] <= PETSC_MAX_INT / shape[1], comm,
           PETSC_ERR_USER,
           "-field_shape %s: at least 1x1 and fewer than 2^31 pixels are possible", text);
  fm_check(*n == 0 || *n == shape[0] * shape[1], comm, PETSC_ERR_USER,
           "-field_shape %s is %lld pixels, but there are %lld unknowns", text,
           (long long)(shape[0] * shape[1]), (long long)*n);
  *n = shape[0] * shape[1];
  PetscCall(fm_operator_model_fits(op, comm, "-field_shape", shape));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(MPI_Comm comm, fm_operator *op, field *f, int64_t *n) {
  PetscFunctionBegin;
  PetscCall(read_shape(comm, op, f, n));
  PetscCall(fm_option_real("field_mean", &f->mean));
  PetscCall(read_positive("field_std", 1e100, &f->std));
  PetscCall(read_positive("field_correlation", 1e6, &f->correlation));
  PetscCall(read_positive("field_smoothness", 50, &f->smoothness));
  PetscCall(read_positive("field_nugget", 1, &f->nugget));
  PetscFunctionReturn(0);
}

/* s(k)/s(0) of the mode (row, column) of the grid. */
static double matern(const field *f, int64_t row, int64_t column) {
  const int64_t k[2] = {row, column};
  double square = 0; /* (L kappa)^2 / 2 nu */

  for (int d = 0; d < 2; d++) {
    const double wave = 2 * PETSC_PI * (double)PetscMin(k[d], f->shape[d] - k[d]) *
                        f->correlation / (double)f->shape[d];

    square += wave * wave / (2 * f->smoothness);
  }
  return exp(-(f->smoothness + 1) * log1p(square));
}

/* p of the modes that the spectrum keeps, and the normaliser over all of them. */
static void fill_power(field *f) {
  const int64_t rows = f->shape[0], columns = f->shape[1], kept = columns / 2 + 1;
  const double n = (double)rows * (double)columns, variance = f->std * f->std;
  double mean = 0;

  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) mean += matern(f, i, j) / n;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      const double p = variance * ((1 - f->nugget) * matern(f, i, j) / mean + f->nugget);

      f->gaussian.constant += 0.5 * log(2 * PETSC_PI * p);
      if (j < kept) f->power[i * kept + j] = p;
    }
}

PetscErrorCode fm_energy_field_create(const fm_energy_inputs *inputs, fm_energy *e) {
  field *f;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  e->data = f;
  e->ops = &field_ops;
  PetscCall(read_options(inputs->comm->world, inputs->op, f, &e->n));
  PetscCall(fm_quadratic_create(e->n, &f->gaussian));
  f->gaussian.precise = precise;
  f->gaussian.colour = colour;
  for (int64_t i = 0; i < e->n; i++) f->gaussian.mean[i] = f->mean;
  PetscCall(fm_fft_create(2, f->shape, &f->fft));
  PetscCall(fm_calloc(f->fft->modes, &f->power));
  fill_power(f);
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "field of %lldx%lld pixels, std %.6g, correlation length %.6g",
                          (long long)f->shape[0], (long long)f->shape[1], f->std,
                          f->correlation));
  PetscFunctionReturn(0);
}
