/* smooth - a background from a model: slowness 1 / v convolved with a Gaussian whose standard
   deviation is -smooth_length, so that travel times are kept; OUT/model.h5:/model. With
   -smooth_onto, of each of many models, what is left of it about a background of all,

       (v / smooth(v))^contrast (onto + onto_gradient z) + texture,

   texture a Matern field of standard deviation -smooth_texture: windows of one big model become
   models that have one background and a density. */
#include "cli/resample.h"
#include "fathom/log.h"
#include "fathom/matern.h"
#include "fathom/options.h"
#include "fathom/rng.h"
#include "fathom/store.h"
#include <math.h>

typedef struct {
  fm_run *run;
  const char *text; /* -models */
  PetscBool residual;
  int64_t count, rows, columns, keep, first; /* first: names the first model's texture */
  double spacing[2], length, *model;         /* [count][rows][columns] */
  double onto, gradient, contrast, texture;
} smoothing;

static PetscErrorCode check_velocities(const smoothing *s) {
  const int64_t size = s->count * s->rows * s->columns;
  int64_t bad = -1, row, column;

  PetscFunctionBegin;
  for (int64_t i = size - 1; i >= 0; i--)
    if (!(s->model[i] > 0)) bad = i;
  row = PetscMax(bad, 0) / s->columns % s->rows;
  column = PetscMax(bad, 0) % s->columns;
  fm_check(bad < 0, s->run->comm.world, PETSC_ERR_USER,
           "velocities must be positive: -models '%s' has %g at [%lld][%lld]", s->text,
           s->model[PetscMax(bad, 0)], (long long)row, (long long)column);
  PetscFunctionReturn(0);
}

/* One model: [rows][columns], or [1]... of that; of many the residuals. */
static PetscErrorCode read_model(smoothing *s) {
  const MPI_Comm world = s->run->comm.world;
  int64_t shape[FM_STORE_NDIM], size = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_option_text("models", &s->text));
  PetscCall(fm_option_given("smooth_onto", &s->residual));
  fm_check(s->text[0], world, PETSC_ERR_USER,
           "smooth needs a model: give -models FILE:/dataset, or a row: FILE:/dataset[ROW]");
  PetscCall(fm_run_not_over(s->run, "model.h5", "models"));
  PetscCall(fm_store_option_array(world, "models", &ndim, shape, &s->model));
  for (int d = 0; d < ndim; d++) size *= shape[d];
  s->rows = ndim >= 2 ? shape[ndim - 2] : 0;
  s->columns = shape[ndim - 1];
  s->count = s->rows ? size / (s->rows * s->columns) : 0;
  fm_check(ndim >= 2 && (s->count == 1 || s->residual), world, PETSC_ERR_USER,
           "smooth takes one model [rows][columns]: -models '%s' has %d dimensions and %lld "
           "numbers; name a row as FILE:/dataset[ROW]; with -smooth_onto many, [count][...] "
           "[rows][columns]",
           s->text, ndim, (long long)size);
  PetscCall(check_velocities(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_residual(smoothing *s) {
  double last;

  PetscFunctionBegin;
  if (!s->residual) PetscFunctionReturn(0);
  PetscCall(fm_option_real_in("smooth_onto", 1e-6, 1e9, &s->onto));
  PetscCall(fm_option_real("smooth_onto_gradient", &s->gradient));
  PetscCall(fm_option_real_in("smooth_contrast", 0, 10, &s->contrast));
  PetscCall(fm_option_real_in("smooth_texture", 0, 1e6, &s->texture));
  PetscCall(fm_option_integer_in("smooth_first", 0, (int64_t)1 << 42, &s->first));
  last = s->onto + s->gradient * s->spacing[0] * (double)(s->rows - 1);
  fm_check(last > 0, s->run->comm.world, PETSC_ERR_USER,
           "-smooth_onto %g and -smooth_onto_gradient %g make %g m/s of the last row", s->onto,
           s->gradient, last);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(smoothing *s) {
  PetscFunctionBegin;
  PetscCall(fm_option_real_in("smooth_length", 0, 1e6, &s->length));
  fm_check(
      s->length > 0, s->run->comm.world, PETSC_ERR_USER,
      "smooth needs -smooth_length M, the Gaussian's standard deviation in m, such as 200");
  PetscCall(fm_spacing_read(s->run, "smooth_spacing", s->text, s->spacing));
  fm_check(s->spacing[0] > 0, s->run->comm.world, PETSC_ERR_USER,
           "'%s' does not say how far its nodes are apart: give -smooth_spacing in m", s->text);
  PetscCall(fm_option_integer_in("smooth_keep", 0, s->rows - 1, &s->keep));
  PetscCall(read_residual(s));
  PetscFunctionReturn(0);
}

/* What is below the rows that are kept, as if these were not there. */
static PetscErrorCode smooth(const smoothing *s, double *model) {
  const int64_t rows = s->rows - s->keep, n = rows * s->columns;
  double *below = model + s->keep * s->columns;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) below[i] = 1 / below[i];
  PetscCall(fm_smooth(rows, s->columns,
                      (const double[]){s->length / s->spacing[0], s->length / s->spacing[1]},
                      below));
  for (int64_t i = 0; i < n; i++) below[i] = 1 / below[i];
  PetscFunctionReturn(0);
}

/* ---- residuals ---- */

/* Of row k: the texture that its number names. */
static PetscErrorCode add_texture(const smoothing *s, fm_matern *matern, int64_t k,
                                  fm_real *normal, double *field) {
  const fm_rng rng = {s->run->seed, FM_STREAM_MODEL};
  const int64_t n = s->rows * s->columns;

  PetscFunctionBegin;
  fm_rng_normal(rng, 0, (uint64_t)(s->first + k), (size_t)n, normal);
  for (int64_t i = 0; i < n; i++) field[i] = (double)normal[i];
  PetscCall(fm_matern_colour(matern, field, field));
  for (int64_t i = 0; i < n; i++) s->model[k * n + i] += s->texture * field[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode residual_of(const smoothing *s, double *model, double *smoothed) {
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(smoothed, model, (size_t)(s->rows * s->columns)));
  PetscCall(smooth(s, smoothed));
  for (int64_t i = 0; i < s->rows * s->columns; i++) {
    const double z = (double)(i / s->columns) * s->spacing[0];

    model[i] = pow(model[i] / smoothed[i], s->contrast) * (s->onto + s->gradient * z);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode residuals(const smoothing *s) {
  const int64_t n = s->rows * s->columns;
  fm_matern *matern = NULL;
  fm_real *normal;
  double *field, length;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("smooth_texture_correlation", 0.1, 1000, &length));
  PetscCall(PetscMalloc2(n, &normal, n, &field));
  if (s->texture > 0)
    PetscCall(fm_matern_create(s->run->comm.world, s->rows, s->columns,
                               (const double[]){length, length}, &matern));
  for (int64_t k = 0; k < s->count; k++) {
    PetscCall(residual_of(s, s->model + k * n, field));
    if (matern) PetscCall(add_texture(s, matern, k, normal, field));
  }
  PetscCall(fm_matern_destroy(&matern));
  PetscCall(PetscFree2(normal, field));
  PetscFunctionReturn(0);
}

static PetscErrorCode report_residuals(const smoothing *s) {
  const int64_t size = s->count * s->rows * s->columns;
  double least = s->model[0], most = s->model[0];

  PetscFunctionBegin;
  for (int64_t i = 0; i < size; i++) {
    least = fmin(least, s->model[i]);
    most = fmax(most, s->model[i]);
  }
  PetscCall(fm_result(s->run->results, "models", (double)s->count, "1"));
  PetscCall(fm_result(s->run->results, "velocity_least", least, "m/s"));
  PetscCall(fm_result(s->run->results, "velocity_most", most, "m/s"));
  PetscFunctionReturn(0);
}

/* ---- file ---- */

static PetscErrorCode write_model(const smoothing *s) {
  const int64_t shape[] = {s->count, s->rows, s->columns};
  const int one = s->residual ? 0 : 1; /* [rows][columns] */
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(s->run, "model.h5", path));
  PetscCall(fm_store_create(s->run->comm.world, path, &store));
  PetscCall(fm_store_write(store, "/model", FM_FLOAT64, 3 - one, shape + one, s->model));
  PetscCall(fm_store_set_real(store, "/model", "spacing_z", s->spacing[0]));
  PetscCall(fm_store_set_real(store, "/model", "spacing_x", s->spacing[1]));
  PetscCall(fm_store_set_text(store, "/model", "unit", "m/s"));
  PetscCall(fm_store_set_text(store, "/", "settings", s->run->settings));
  PetscCall(fm_store_commit(&store, NULL));
  if (s->residual)
    fm_log("wrote what is left of %lld models less a smoothing of %g m, about %g m/s + %g z, "
           "to '%s'",
           (long long)s->count, s->length, s->onto, s->gradient, path);
  else
    fm_log("wrote slowness smoothed by a Gaussian of standard deviation %g m (full width at "
           "half maximum %.4g m), the first %lld rows as they were, to '%s'",
           s->length, s->length * 2.3548, (long long)s->keep, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_smooth(fm_run *run) {
  smoothing s = {.run = run};
  PetscErrorCode code;

  PetscFunctionBegin;
  code = read_model(&s);
  if (!code) code = read_options(&s);
  if (!code) code = s.residual ? residuals(&s) : smooth(&s, s.model);
  if (!code && s.residual) code = report_residuals(&s);
  if (!code) code = write_model(&s);
  PetscCall(PetscFree(s.model));
  PetscCall(code);
  PetscCall(fm_result(run->results, "smooth_length", s.length, "m"));
  PetscFunctionReturn(0);
}
