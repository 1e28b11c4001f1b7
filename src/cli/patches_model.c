/* A model of an HDF5 file for the command patches: its window, resampled. Nothing outside the
   window is seen: edges reflect. */
#include "cli/patches.h"
#include "cli/resample.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

#define DEVIATIONS 6 /* to which fm_smooth's Gaussian reaches */

typedef struct {
  int64_t rows, columns;
  double *a; /* [rows][columns] */
} image;

/* ---- resampling ---- */

/* v -> 1 / v^2 and back */
static void squared_slowness(int64_t n, double *a) {
  for (int64_t i = 0; i < n; i++) a[i] = 1 / (a[i] * a[i]);
}
static void velocity(int64_t n, double *a) {
  for (int64_t i = 0; i < n; i++) a[i] = 1 / sqrt(a[i]);
}

static PetscErrorCode by_average(int64_t every, image *m, double **out) {
  const int64_t to[2] = {(m->rows - 1) / every + 1, (m->columns - 1) / every + 1};

  PetscFunctionBegin;
  PetscCall(fm_calloc(to[0] * to[1], out));
  PetscCall(fm_average(m->rows, m->columns, every, m->a, *out));
  m->rows = to[0];
  m->columns = to[1];
  PetscFunctionReturn(0);
}

/* A Gaussian of half the new distance, where that is larger than the old one, then linear. */
static PetscErrorCode by_interpolation(const double step[2], image *m, double **out) {
  const double std[2] = {step[0] > 1 ? step[0] / 2 : 0, step[1] > 1 ? step[1] / 2 : 0};
  const int64_t to[2] = {(int64_t)((double)(m->rows - 1) / step[0] + 1e-9) + 1,
                         (int64_t)((double)(m->columns - 1) / step[1] + 1e-9) + 1};

  PetscFunctionBegin;
  PetscCall(fm_calloc(to[0] * to[1], out));
  PetscCall(fm_smooth(m->rows, m->columns, std, m->a));
  fm_interpolate(m->rows, m->columns, m->a, step, to, *out);
  m->rows = to[0];
  m->columns = to[1];
  PetscFunctionReturn(0);
}

static PetscErrorCode check_positive(const fm_cutting *c, const image *m) {
  int64_t bad = -1;

  PetscFunctionBegin;
  for (int64_t i = m->rows * m->columns - 1; i >= 0; i--)
    if (!(m->a[i] > 0)) bad = i;
  fm_check(bad < 0, c->run->comm.world, PETSC_ERR_USER,
           "-patch_average slowness2 is for velocities, but '%s' has %g in its window: give "
           "-patch_average plain",
           c->path, m->a[PetscMax(bad, 0)]);
  PetscFunctionReturn(0);
}

/* step, reach, and the model on the new nodes. */
static PetscErrorCode resample(fm_cutting *c, int64_t every, image *m) {
  double *out = NULL;
  PetscErrorCode code = 0;
  int plain;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("patch_average", "slowness2|plain", &plain));
  if (!plain) PetscCall(check_positive(c, m));
  if (!plain) squared_slowness(m->rows * m->columns, m->a);
  if (every > 1)
    code = by_average(every, m, &out);
  else
    code = by_interpolation(c->step, m, &out);
  if (!plain && !code) velocity(m->rows * m->columns, out);
  PetscCall(PetscFree(m->a));
  m->a = out;
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* ---- options ---- */

static PetscErrorCode read_step(fm_cutting *c, int64_t *every) {
  double spacing;

  PetscFunctionBegin;
  PetscCall(fm_spacing_read(c->run, "section_spacing", c->path, c->spacing));
  PetscCall(fm_option_integer_in("patch_every", 1, 1000000, every));
  PetscCall(fm_option_real_in("patch_spacing", 0, 1e6, &spacing));
  fm_check(spacing == 0 || *every == 1, c->run->comm.world, PETSC_ERR_USER,
           "-patch_every %lld and -patch_spacing %g both resample: give one of them",
           (long long)*every, spacing);
  fm_check(spacing == 0 || c->spacing[0] > 0, c->run->comm.world, PETSC_ERR_USER,
           "-patch_spacing %g m, but '%s' does not say how far its nodes are apart: give "
           "-section_spacing in m",
           spacing, c->path);
  if (*every > 1) c->reach = (double)(*every / 2);
  for (int k = 0; k < 2; k++) {
    c->step[k] = spacing > 0 ? spacing / c->spacing[k] : (double)*every;
    c->spacing[k] = spacing > 0 ? spacing : c->spacing[k] * (double)*every;
  }
  if (spacing > 0) c->reach = 1 + (c->step[1] > 1 ? ceil(DEVIATIONS * c->step[1] / 2) : 0);
  PetscFunctionReturn(0);
}

/* The window alone, [rows][columns]. */
static PetscErrorCode crop(fm_cutting *c, const image *all, image *m) {
  PetscFunctionBegin;
  PetscCall(fm_patches_range(c, "patch_traces", "traces", all->columns, &c->t));
  PetscCall(fm_patches_range(c, "patch_samples", "samples a trace", all->rows, &c->s));
  m->rows = c->s.end - c->s.first;
  m->columns = c->t.end - c->t.first;
  PetscCall(fm_calloc(m->rows * m->columns, &m->a));
  for (int64_t r = 0; r < m->rows; r++)
    PetscCall(PetscArraycpy(m->a + r * m->columns,
                            all->a + (c->s.first + r) * all->columns + c->t.first, m->columns));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep(fm_cutting *c, const image *m) {
  PetscFunctionBegin;
  c->origin[0] = (double)c->s.first;
  c->origin[1] = (double)c->t.first;
  c->s = (fm_range){0, m->rows};
  c->t = (fm_range){0, m->columns};
  c->samples = m->rows;
  PetscCall(fm_calloc(m->rows * m->columns, &c->window));
  for (int64_t r = 0; r < m->rows; r++)
    for (int64_t k = 0; k < m->columns; k++)
      c->window[k * m->rows + r] = (float)m->a[r * m->columns + k];
  PetscFunctionReturn(0);
}

static PetscErrorCode read_section(fm_cutting *c, image *all) {
  int64_t shape[FM_STORE_NDIM], size = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(c->run->comm.world, "section", &ndim, shape, &all->a));
  for (int d = 0; d < ndim; d++) size *= shape[d];
  all->rows = ndim >= 2 ? shape[ndim - 2] : 0;
  all->columns = shape[ndim - 1];
  fm_check(ndim >= 2 && size == all->rows * all->columns, c->run->comm.world, PETSC_ERR_USER,
           "-section takes one model [rows][columns]: '%s' has %d dimensions and %lld numbers; "
           "name a row as FILE:/dataset[ROW]",
           c->path, ndim, (long long)size);
  c->traces = all->columns;
  fm_log("'%s': %lld traces of %lld samples", c->path, (long long)all->columns,
         (long long)all->rows);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_patches_model(fm_cutting *c) {
  image all = {0}, m = {0};
  PetscErrorCode code;
  int64_t every = 1;

  PetscFunctionBegin;
  code = read_section(c, &all);
  if (!code) code = read_step(c, &every);
  if (!code) code = crop(c, &all, &m);
  if (!code && (c->step[0] != 1 || c->step[1] != 1)) code = resample(c, every, &m);
  if (!code) code = keep(c, &m);
  PetscCall(PetscFree(all.a));
  PetscCall(PetscFree(m.a));
  PetscCall(code);
  PetscFunctionReturn(0);
}
