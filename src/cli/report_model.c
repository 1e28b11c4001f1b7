/* The part of reading that knows maps, samples and data. */
#include "cli/report.h"
#include "fathom/options.h"
#include <math.h>

#define FEW 4         /* samples that are drawn */
#define UNKNOWNS 16   /* of a vector whose marginals are drawn */
#define DRAWS 100000  /* of a marginal */
#define LARGEST 20000 /* nodes of a side */

/* ---- maps ---- */

/* an array that does not have the model's size is left out */
static PetscErrorCode fit_model(report *r, const char *name, report_array *a) {
  const int64_t size = r->maps.mean.count;

  PetscFunctionBegin;
  if (!a->count || a->count == size) PetscFunctionReturn(0);
  PetscCall(fm_report_missing(r, "%s has %lld values where the mean has %lld: it is left out.",
                              name, (long long)a->count, (long long)size));
  a->count = 0;
  PetscFunctionReturn(0);
}

/* The last two dimensions are an image's, the others 1. */
static void image_of(const report_array *a, int64_t *rows, int64_t *columns) {
  const int64_t *last = a->shape + PetscMax(0, a->ndim - 2);

  *rows = *columns = 0;
  if (a->ndim < 2 || last[0] < 2 || last[1] < 2 || last[0] * last[1] != a->count) return;
  if (last[0] > LARGEST || last[1] > LARGEST) return;
  *rows = last[0];
  *columns = last[1];
}

static PetscErrorCode read_unit(fm_store *store, report_maps *m) {
  char **names, **values;
  int n, k;

  PetscFunctionBegin;
  PetscCall(fm_store_list_attributes(store, "/mean", &n, &names, &values));
  k = n;
  for (int i = 0; i < n; i++)
    if (!strcmp(names[i], "unit")) PetscCall(PetscStrncpy(m->unit, values[i], sizeof(m->unit)));
  PetscCall(fm_store_free_texts(n, &names));
  PetscCall(fm_store_free_texts(k, &values));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_grid(fm_store *store, report_maps *m) {
  PetscFunctionBegin;
  image_of(&m->mean, &m->rows, &m->columns);
  PetscCall(fm_report_real_read(store, "/mean", "spacing_z", 0, &m->dz));
  PetscCall(fm_report_real_read(store, "/mean", "spacing_x", 0, &m->dx));
  m->spaced = m->dz > 0 && m->dx > 0 ? PETSC_TRUE : PETSC_FALSE;
  if (!m->spaced) m->dz = m->dx = 1;
  PetscCall(read_unit(store, m));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_maps(report *r) {
  report_maps *m = &r->maps;
  const struct {
    const char *name;
    report_array *array;
  } map[] = {{"/std", &m->std},
             {"/p10", &m->p10},
             {"/p50", &m->p50},
             {"/p90", &m->p90},
             {"/prior_mean", &m->prior_mean},
             {"/prior_std", &m->prior_std},
             {"/truth", &m->truth}};
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_report_open(r, REPORT_SAMPLES, "maps.h5", &store));
  if (!store) PetscFunctionReturn(0);
  PetscCall(fm_report_array_read(store, "/mean", 0, 0, &m->mean));
  if (m->mean.count) PetscCall(read_grid(store, m));
  for (size_t i = 0; i < sizeof(map) / sizeof(map[0]) && m->mean.count; i++) {
    PetscCall(fm_report_array_read(store, map[i].name, 0, 0, map[i].array));
    PetscCall(fit_model(r, map[i].name, map[i].array));
  }
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* What is given takes the place of what maps.h5 has: -truth_model of maps of a model, which
   have a unit, -truth of maps of the unknown. */
static PetscErrorCode read_truth(report *r) {
  const char *const option = r->maps.rows && r->maps.unit[0] ? "truth_model" : "truth";
  report_array truth = {.count = 1};
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_given("truth", &given));
  PetscCall(
      fm_store_option_array(r->run->comm.world, option, &truth.ndim, truth.shape, &truth.v));
  if (!truth.v && given && !r->maps.truth.count)
    PetscCall(fm_report_missing(r,
                                "The truth is given as the unknown (-truth), the maps are of "
                                "the model: -truth_model draws it."));
  if (!truth.v) PetscFunctionReturn(0);
  for (int d = 0; d < truth.ndim; d++) truth.count *= truth.shape[d];
  fm_check(!r->maps.mean.count || truth.count == r->maps.mean.count, r->run->comm.world,
           PETSC_ERR_USER,
           "-%s has %lld values where the maps have %lld; one row of several is named as "
           "FILE:/dataset[ROW]",
           option, (long long)truth.count, (long long)r->maps.mean.count);
  PetscCall(PetscFree(r->maps.truth.v));
  r->maps.truth = truth;
  PetscFunctionReturn(0);
}

/* ---- samples ---- */

/* [..][rows][columns] of the first few, from /model or else /x */
static PetscErrorCode read_images(fm_store *store, report_maps *m) {
  static const char *const names[] = {"/model", "/x"};

  PetscFunctionBegin;
  for (int k = 0; k < 2 && !m->samples.count && m->rows; k++) {
    report_array *a = &m->samples;

    PetscCall(fm_report_array_read(store, names[k], 0, FEW, a));
    if (a->count && a->count == a->shape[0] * m->mean.count) continue;
    PetscCall(PetscFree(a->v));
    a->count = 0;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_samples(report *r) {
  fm_store *store;

  PetscFunctionBegin;
  if (!r->from[REPORT_SAMPLES].folder[0]) PetscFunctionReturn(0);
  PetscCall(fm_report_open(r, REPORT_SAMPLES, "samples.h5", &store));
  if (!store) PetscFunctionReturn(0);
  PetscCall(read_images(store, &r->maps));
  if (!r->maps.rows)
    PetscCall(fm_report_array_read(store, "/x", DRAWS * UNKNOWNS, DRAWS, &r->x));
  if (r->x.ndim != 2 || r->x.shape[1] > UNKNOWNS || r->x.shape[0] < 10) r->x.count = 0;
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_read_model(report *r) {
  PetscFunctionBegin;
  PetscCall(read_maps(r));
  PetscCall(read_truth(r));
  PetscCall(read_samples(r));
  PetscFunctionReturn(0);
}

/* ---- data ---- */

static PetscErrorCode count_of(fm_store *store, const char *name, int64_t *count) {
  double value;

  PetscFunctionBegin;
  PetscCall(fm_report_real_read(store, "/predicted", name, 0, &value));
  *count = value >= 1 && value <= 1e9 ? (int64_t)value : 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode shape_fit(report *r, fm_store *store) {
  report_fit *f = &r->fit;
  const double m = (double)f->predicted.count;

  PetscFunctionBegin;
  PetscCall(count_of(store, "shots", &f->shots));
  PetscCall(count_of(store, "receivers", &f->receivers));
  PetscCall(count_of(store, "samples", &f->samples));
  PetscCall(fm_report_real_read(store, "/predicted", "dt", 0, &f->dt));
  if (!f->shots || !f->receivers || !f->samples) {
    f->shots = f->receivers = f->samples = 0;
    PetscFunctionReturn(0);
  }
  if ((double)f->shots * (double)f->receivers * (double)f->samples == m) PetscFunctionReturn(0);
  PetscCall(fm_report_missing(
      r,
      "%lld shots of %lld receivers and %lld samples are not the %lld predicted values: no "
      "shots are drawn.",
      (long long)f->shots, (long long)f->receivers, (long long)f->samples,
      (long long)f->predicted.count));
  f->shots = f->receivers = f->samples = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_read_fit(report *r) {
  report_fit *f = &r->fit;
  fm_store *store;

  PetscFunctionBegin;
  if (!r->from[REPORT_EVALUATE].folder[0]) PetscFunctionReturn(0);
  PetscCall(fm_report_open(r, REPORT_EVALUATE, "evaluation.h5", &store));
  if (!store) PetscFunctionReturn(0);
  PetscCall(fm_report_array_read(store, "/observed", 0, 0, &f->observed));
  PetscCall(fm_report_array_read(store, "/predicted", 0, 0, &f->predicted));
  if (f->predicted.count) PetscCall(shape_fit(r, store));
  PetscCall(fm_report_array_read(store, "/chi2_shot", 0, 0, &f->chi2));
  PetscCall(fm_report_array_read(store, "/chi2_shot_mean_model", 0, 0, &f->chi2_mean_model));
  PetscCall(fm_report_array_read(store, "/chi2_shot_data", 0, 0, &f->chi2_data));
  if (f->observed.count != f->predicted.count) f->shots = 0;
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}
