/* matern - a Gaussian field of Whittle and Matern's law on the nodes of a grid, that of
   fathom/matern.h, every normaliser kept:

       E(x) = 1/2 |w|^2 + n/2 log 2 pi - log |det dw/dx|,   w = A D^-1 (x - mu) / std
       log |det dw/dx| = log det A - log det D - sum log std;   a draw is mu + std D A^-1 w

   so that each node has its mean mu and standard deviation std exactly, edges included. */
#include "fathom/matern.h"
#include "fathom/store.h"
#include "infer/quadratic.h"
#include <math.h>

const fm_option fm_energy_matern_options[] = {
    {"matern_shape", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "grid of the Matern prior, ROWSxCOLUMNS; default: that of the operator's models"},
    {"matern_mean", FM_OPTION_ARRAY, "0", FM_COMMANDS_PHYSICS,
     "mean of the Matern prior at each node: a number or FILE:/dataset"},
    {"matern_std", FM_OPTION_ARRAY, "1", FM_COMMANDS_PHYSICS,
     "standard deviation of the Matern prior at each node: a number or FILE:/dataset"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct field {
  fm_quadratic gaussian; /* constant: n/2 log 2 pi - log |det dw/dx| */
  fm_matern *matern;
  double *std; /* [n] */
} field;

static PetscErrorCode precise(void *data, const double *v, double *u) {
  const field *f = (const field *)data;
  int64_t rows, columns;

  PetscFunctionBegin;
  fm_matern_grid(f->matern, &rows, &columns);
  for (int64_t i = 0; i < rows * columns; i++) u[i] = v[i] / f->std[i];
  PetscCall(fm_matern_whiten(f->matern, u, u));
  PetscCall(fm_matern_whiten_transpose(f->matern, u, u));
  for (int64_t i = 0; i < rows * columns; i++) u[i] /= f->std[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode colour(void *data, const double *z, double *v) {
  const field *f = (const field *)data;
  int64_t rows, columns;

  PetscFunctionBegin;
  fm_matern_grid(f->matern, &rows, &columns);
  PetscCall(fm_matern_colour(f->matern, z, v));
  for (int64_t i = 0; i < rows * columns; i++) v[i] *= f->std[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode matern_moments(fm_energy *e, double *mean, double *std) {
  const field *f = (const field *)e->data;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(mean, f->gaussian.mean, (size_t)e->n));
  PetscCall(PetscArraycpy(std, f->std, (size_t)e->n));
  PetscFunctionReturn(0);
}

static PetscErrorCode matern_destroy(fm_energy *e) {
  field *f = (field *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_matern_destroy(&f->matern));
  PetscCall(fm_quadratic_destroy(&f->gaussian));
  PetscCall(PetscFree(f->std));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(0);
}

static const fm_energy_ops matern_ops = {.evaluate = fm_quadratic_evaluate,
                                         .sample = fm_quadratic_sample,
                                         .moments = matern_moments,
                                         .destroy = matern_destroy};

/* ---- set-up ---- */

static PetscErrorCode read_shape(MPI_Comm comm, fm_operator *op, int64_t *n, int64_t shape[2]) {
  PetscBool given;

  PetscFunctionBegin;
  shape[0] = shape[1] = 0;
  PetscCall(fm_option_given("matern_shape", &given));
  if (given)
    PetscCall(fm_option_shape("matern_shape", "rows and columns of the grid", shape));
  else if (op)
    fm_operator_grid(op, &shape[0], &shape[1]);
  fm_check(given || shape[0], comm, PETSC_ERR_USER,
           "the Matern prior needs -matern_shape ROWSxCOLUMNS, such as 32x32: no operator says "
           "the grid of its models");
  fm_check(shape[0] >= 1 && shape[1] >= 1 && shape[0] <= PETSC_MAX_INT / shape[1], comm,
           PETSC_ERR_USER,
           "-matern_shape %lldx%lld: at least 1x1 and fewer than 2^31 nodes are possible",
           (long long)shape[0], (long long)shape[1]);
  fm_check(*n == 0 || *n == shape[0] * shape[1], comm, PETSC_ERR_USER,
           "the Matern prior has %lldx%lld nodes, but there are %lld unknowns",
           (long long)shape[0], (long long)shape[1], (long long)*n);
  *n = shape[0] * shape[1];
  PetscCall(fm_operator_model_fits(op, comm, "-matern_shape", shape));
  PetscFunctionReturn(0);
}

/* out[n] from one number for all nodes or one for each. */
static PetscErrorCode read_nodes(MPI_Comm comm, const char *option, const int64_t grid[2],
                                 double *out) {
  const int64_t n = grid[0] * grid[1];
  int64_t shape[FM_STORE_NDIM], count = 1;
  PetscBool fits;
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, option, &ndim, shape, &given));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fits = (ndim && count == 1) ||
         (count == n && fm_store_image_fits(ndim, shape, grid[0], grid[1]));
  for (int64_t i = 0; fits && i < n; i++) out[i] = given[count == 1 ? 0 : i];
  PetscCall(PetscFree(given));
  fm_check(fits, comm, PETSC_ERR_USER,
           "-%s has %lld numbers, but the Matern prior has %lldx%lld nodes: give one number or "
           "one a node",
           option, ndim ? (long long)count : 0, (long long)grid[0], (long long)grid[1]);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_std(MPI_Comm comm, const int64_t grid[2], field *f) {
  PetscFunctionBegin;
  PetscCall(read_nodes(comm, "matern_std", grid, f->std));
  for (int64_t i = 0; i < grid[0] * grid[1]; i++) {
    fm_check(f->std[i] > 0, comm, PETSC_ERR_USER,
             "-matern_std must be positive: got %.6g at row %lld, column %lld", f->std[i],
             (long long)(i / grid[1]), (long long)(i % grid[1]));
    f->gaussian.constant += log(f->std[i]) + 0.5 * log(2 * PETSC_PI);
  }
  f->gaussian.constant -= fm_matern_log_det(f->matern);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_matern_create(const fm_energy_inputs *inputs, fm_energy *e) {
  const MPI_Comm comm = inputs->comm->world;
  double length[2];
  int64_t grid[2];
  field *f;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  e->data = f;
  e->ops = &matern_ops;
  PetscCall(read_shape(comm, inputs->op, &e->n, grid));
  PetscCall(fm_quadratic_create(e->n, &f->gaussian));
  f->gaussian.precise = precise;
  f->gaussian.colour = colour;
  PetscCall(fm_calloc(e->n, &f->std));
  PetscCall(fm_matern_read(comm, grid[0], grid[1], &f->matern));
  PetscCall(read_nodes(comm, "matern_mean", grid, f->gaussian.mean));
  PetscCall(read_std(comm, grid, f));
  fm_matern_length(f->matern, length);
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "Matern field of %lldx%lld nodes, correlation lengths %.6g down and "
                          "%.6g along",
                          (long long)grid[0], (long long)grid[1], length[0], length[1]));
  PetscFunctionReturn(0);
}
