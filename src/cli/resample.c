#include "cli/resample.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

/* i reflected into [0, n), half a node outside the edges */
static int64_t reflect(int64_t i, int64_t n) {
  const int64_t at = ((i % (2 * n)) + 2 * n) % (2 * n);

  return at < n ? at : 2 * n - 1 - at;
}

/* out[k] = sum_j w[|j|] in[k every + j], |j| <= reach, for `count` numbers */
static void convolve(int64_t n, int64_t stride, const double *in, int64_t reach,
                     const double *w, int64_t every, int64_t count, int64_t out_stride,
                     double *out) {
  for (int64_t k = 0; k < count; k++) {
    double sum = 0;

    for (int64_t j = -reach; j <= reach; j++)
      sum += w[j < 0 ? -j : j] * in[reflect(k * every + j, n) * stride];
    out[k * out_stride] = sum;
  }
}

/* w[0 .. reach] of a kernel that is even, made to have the sum 1 */
static void normalize(int64_t reach, double *w) {
  double sum = w[0];

  for (int64_t j = 1; j <= reach; j++) sum += 2 * w[j];
  for (int64_t j = 0; j <= reach; j++) w[j] /= sum;
}

/* both sides of a [rows][columns] -> out [to0][to1] */
static PetscErrorCode separable(int64_t rows, int64_t columns, const int64_t reach[2],
                                double *const w[2], int64_t every, const double *a,
                                double *out) {
  const int64_t down = (rows - 1) / every + 1, along = (columns - 1) / every + 1;
  double *half;

  PetscFunctionBegin;
  PetscCall(fm_calloc(down * columns, &half));
  for (int64_t k = 0; k < columns; k++)
    convolve(rows, columns, a + k, reach[0], w[0], every, down, columns, half + k);
  for (int64_t r = 0; r < down; r++)
    convolve(columns, 1, half + r * columns, reach[1], w[1], every, along, 1, out + r * along);
  PetscCall(PetscFree(half));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_smooth(int64_t rows, int64_t columns, const double std[2], double *a) {
  const int64_t reach[2] = {(int64_t)ceil(6 * std[0]), (int64_t)ceil(6 * std[1])};
  double *w[2];

  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_calloc(reach[k] + 1, &w[k]));
    w[k][0] = 1;
    for (int64_t j = 1; j <= reach[k]; j++)
      w[k][j] = exp(-0.5 * (double)(j * j) / (std[k] * std[k]));
    normalize(reach[k], w[k]);
  }
  PetscCall(separable(rows, columns, reach, w, 1, a, a));
  PetscCall(PetscFree(w[0]));
  PetscCall(PetscFree(w[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_average(int64_t rows, int64_t columns, int64_t every, const double *a,
                          double *out) {
  const int64_t reach[2] = {every / 2, every / 2};
  double *w;

  PetscFunctionBegin;
  PetscCall(fm_calloc(reach[0] + 1, &w));
  for (int64_t j = 0; j <= reach[0]; j++) w[j] = every % 2 == 0 && j == reach[0] ? 0.5 : 1;
  normalize(reach[0], w);
  PetscCall(separable(rows, columns, reach, (double *const[]){w, w}, every, a, out));
  PetscCall(PetscFree(w));
  PetscFunctionReturn(0);
}

void fm_interpolate(int64_t rows, int64_t columns, const double *a, const double step[2],
                    const int64_t to[2], double *out) {
  for (int64_t r = 0; r < to[0]; r++)
    for (int64_t k = 0; k < to[1]; k++) {
      const double z = (double)r * step[0], x = (double)k * step[1];
      const int64_t i = PetscMax(0, PetscMin(rows - 2, (int64_t)z));
      const int64_t j = PetscMax(0, PetscMin(columns - 2, (int64_t)x));
      const int64_t down = rows > 1 ? columns : 0, right = columns > 1 ? 1 : 0;
      const double p = z - (double)i, q = x - (double)j, *at = a + i * columns + j;

      *out++ = (1 - p) * ((1 - q) * at[0] + q * at[right]) +
               p * ((1 - q) * at[down] + q * at[down + right]);
    }
}

/* ---- spacing ---- */

static PetscErrorCode attribute(fm_store *store, const char *name, const char *which,
                                double *value) {
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, name, which, &has));
  if (has) PetscCall(fm_store_get_real(store, name, which, value));
  PetscFunctionReturn(0);
}

static PetscErrorCode said(MPI_Comm comm, const char *text, double spacing[2]) {
  char path[PETSC_MAX_PATH_LEN], word[PETSC_MAX_PATH_LEN];
  const char *name;
  PetscErrorCode code;
  fm_store *store;
  int64_t row;

  PetscFunctionBegin;
  PetscCall(fm_store_split(comm, text, path, &name));
  if (!name) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(word, name, sizeof(word)));
  PetscCall(fm_store_open(comm, path, &store));
  code = fm_store_split_row(comm, store, word, &row);
  if (!code) code = attribute(store, word, "spacing_z", &spacing[0]);
  if (!code) code = attribute(store, word, "spacing_x", &spacing[1]);
  PetscCall(fm_store_close(&store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_spacing_read(const fm_run *run, const char *option, const char *dataset,
                               double spacing[2]) {
  int64_t shape[FM_STORE_NDIM];
  double *given;
  int ndim;

  PetscFunctionBegin;
  spacing[0] = spacing[1] = 0;
  PetscCall(fm_store_option_array(run->comm.world, option, &ndim, shape, &given));
  for (int k = 0; k < 2 && ndim == 1 && shape[0] <= 2; k++)
    spacing[k] = given[shape[0] == 2 ? k : 0];
  PetscCall(PetscFree(given));
  fm_check(!ndim || (ndim == 1 && shape[0] <= 2), run->comm.world, PETSC_ERR_USER,
           "-%s takes H or DZ,DX in m, %lld numbers are given", option,
           (long long)(ndim ? shape[0] : 0));
  if (!ndim) PetscCall(said(run->comm.world, dataset, spacing));
  fm_check((spacing[0] > 0 && spacing[1] > 0) || (!ndim && spacing[0] == 0 && spacing[1] == 0),
           run->comm.world, PETSC_ERR_USER,
           "-%s: the distance of nodes must be positive, not "
           "%g,%g m",
           option, spacing[0], spacing[1]);
  PetscFunctionReturn(0);
}
