#include "cli/discrepancy.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define LEAST 20
#define SETTINGS 65536 /* more does not fit into an attribute */

struct fm_discrepancy {
  int64_t count, m;
  double *mean;     /* [m] */
  fm_real *deviate; /* [count][m] (delta_k - mean) / sqrt(count - 1) */
  fm_real *xi;      /* [count] */
};

/* ---- reading ---- */

typedef struct {
  char path[PETSC_MAX_PATH_LEN];
  const char *text, *name; /* FILE:/dataset and, in it, the dataset */
  fm_store *store;
  int64_t shape[FM_STORE_NDIM];
  int ndim;
} source;

static PetscErrorCode open_source(MPI_Comm world, int64_t m, source *s) {
  int64_t row = 1;

  PetscFunctionBegin;
  PetscCall(fm_store_split(world, s->text, s->path, &s->name));
  fm_check(
      s->name, world, PETSC_ERR_USER,
      "-pairs_noise_inflation takes FINE.h5:/y,COARSE.h5:/y, both made by forward from the "
      "same -models; '%s' names no dataset",
      s->text);
  PetscCall(fm_store_open(world, s->path, &s->store));
  PetscCall(fm_store_shape(s->store, s->name, &s->ndim, s->shape));
  for (int d = 1; d < s->ndim; d++) row *= s->shape[d];
  fm_check(s->ndim >= 2 && row == m, world, PETSC_ERR_USER,
           "-pairs_noise_inflation: a row of '%s' has %lld numbers, the operator gives %lld "
           "data: the two operators must record the same traces",
           s->text, (long long)(s->ndim >= 2 ? row : 0), (long long)m);
  fm_check(
      s->shape[0] >= LEAST, world, PETSC_ERR_USER,
      "-pairs_noise_inflation: '%s' has %lld models, at least %d are needed for a mean and "
      "a covariance (forward -models with draws of the prior)",
      s->text, (long long)s->shape[0], LEAST);
  PetscFunctionReturn(0);
}

/* delta_k = fine - coarse. */
static PetscErrorCode read_rows(MPI_Comm world, source s[2], fm_discrepancy *d) {
  double *fine, *coarse;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(d->m, &fine, d->m, &coarse));
  for (int64_t k = 0; k < d->count; k++) {
    PetscCall(fm_store_read_rows(s[0].store, s[0].name, FM_FLOAT64, k, 1, fine));
    PetscCall(fm_store_read_rows(s[1].store, s[1].name, FM_FLOAT64, k, 1, coarse));
    for (int64_t i = 0; i < d->m; i++) {
      const double delta = fine[i] - coarse[i];

      fm_check(isfinite(delta), world, PETSC_ERR_USER,
               "-pairs_noise_inflation: row %lld of '%s' or '%s' is not finite at entry %lld",
               (long long)k, s[0].text, s[1].text, (long long)i);
      d->deviate[k * d->m + i] = (fm_real)delta;
      d->mean[i] += delta / (double)d->count;
    }
  }
  PetscCall(PetscFree2(fine, coarse));
  PetscFunctionReturn(0);
}

/* Both were made from the same models, as far as their settings say. */
static PetscErrorCode models_of(const source *s, char *line, size_t size) {
  PetscErrorCode error;
  const char *at;
  PetscBool has;
  char *text;

  PetscFunctionBegin;
  line[0] = 0;
  PetscCall(fm_store_has_attribute(s->store, "/", "settings", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_calloc(SETTINGS, &text));
  error = fm_store_get_text(s->store, "/", "settings", text, SETTINGS);
  at = error ? NULL : strstr(text, "-models ");
  if (at) snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
  PetscCall(PetscFree(text));
  PetscCall(error);
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_models(const source s[2]) {
  char fine[512], coarse[512];

  PetscFunctionBegin;
  PetscCall(models_of(&s[0], fine, sizeof(fine)));
  PetscCall(models_of(&s[1], coarse, sizeof(coarse)));
  if (fine[0] && coarse[0] && strcmp(fine, coarse))
    fm_warn("-pairs_noise_inflation: '%s' was made with %s, '%s' with %s: are these the same "
            "models?",
            s[0].text, fine, s[1].text, coarse);
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm world, source s[2], int64_t m, fm_discrepancy *d) {
  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) PetscCall(open_source(world, m, &s[k]));
  fm_check(
      s[0].shape[0] == s[1].shape[0], world, PETSC_ERR_USER,
      "-pairs_noise_inflation: '%s' has %lld models and '%s' %lld: make both from the same "
      "-models",
      s[0].text, (long long)s[0].shape[0], s[1].text, (long long)s[1].shape[0]);
  PetscCall(compare_models(s));
  d->count = s[0].shape[0];
  d->m = m;
  PetscCall(fm_calloc(m, &d->mean));
  PetscCall(fm_calloc(d->count * m, &d->deviate));
  PetscCall(fm_calloc(d->count, &d->xi));
  PetscCall(read_rows(world, s, d));
  for (int64_t i = 0; i < d->count * m; i++)
    d->deviate[i] =
        (fm_real)(((double)d->deviate[i] - d->mean[i % m]) / sqrt((double)d->count - 1.));
  PetscFunctionReturn(0);
}

/* ---- its size ---- */

static PetscErrorCode say(fm_run *run, const fm_discrepancy *d, const double *sigma) {
  double mean = 0, spread = 0, noise = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < d->m; i++) {
    mean += d->mean[i] * d->mean[i] / (double)d->m;
    noise += sigma[i] * sigma[i] / (double)d->m;
  }
  for (int64_t i = 0; i < d->count * d->m; i++)
    spread += (double)d->deviate[i] * (double)d->deviate[i] / (double)d->m;
  fm_log("model discrepancy of %lld models: rms %.4g (mean %.4g, spread %.4g) beside noise of "
         "rms %.4g",
         (long long)d->count, sqrt(mean + spread), sqrt(mean), sqrt(spread), sqrt(noise));
  if (mean + spread == 0.)
    fm_warn("-pairs_noise_inflation: the two files hold the same data: nothing is added");
  PetscCall(fm_result(run->results, "discrepancy_rms", sqrt(mean + spread), "data"));
  PetscCall(fm_result(run->results, "discrepancy_mean_rms", sqrt(mean), "data"));
  PetscCall(fm_result(run->results, "noise_rms", sqrt(noise), "data"));
  PetscFunctionReturn(0);
}

/* ---- the door ---- */

PetscErrorCode fm_discrepancy_create(fm_run *run, int64_t m, const double *sigma,
                                     fm_discrepancy **out) {
  char text[2 * PETSC_MAX_PATH_LEN];
  source s[2] = {{.text = text}, {.text = ""}};
  const char *given;
  PetscErrorCode error;
  char *comma;

  PetscFunctionBegin;
  *out = NULL;
  PetscCall(fm_option_text("pairs_noise_inflation", &given));
  if (!given[0]) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(text, given, sizeof(text)));
  comma = strchr(text, ',');
  fm_check(comma, run->comm.world, PETSC_ERR_USER,
           "-pairs_noise_inflation takes two datasets, FINE.h5:/y,COARSE.h5:/y, not '%s'",
           given);
  *comma = 0;
  s[1].text = comma + 1;
  PetscCall(PetscNew(out));
  error = fill(run->comm.world, s, m, *out);
  for (int k = 0; k < 2; k++)
    if (s[k].store) PetscCall(fm_store_close(&s[k].store));
  PetscCall(error);
  PetscCall(say(run, *out, sigma));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_discrepancy_destroy(fm_discrepancy **out) {
  PetscFunctionBegin;
  if (!*out) PetscFunctionReturn(0);
  PetscCall(PetscFree((*out)->mean));
  PetscCall(PetscFree((*out)->deviate));
  PetscCall(PetscFree((*out)->xi));
  PetscCall(PetscFree(*out));
  PetscFunctionReturn(0);
}

void fm_discrepancy_add(const fm_discrepancy *d, uint64_t seed, int64_t index, double *noise) {
  const fm_rng rng = {seed, FM_STREAM_DISCREPANCY};

  if (!d) return;
  fm_rng_normal(rng, 0, (uint64_t)index, (size_t)d->count, d->xi);
  for (int64_t i = 0; i < d->m; i++) noise[i] += d->mean[i];
  for (int64_t k = 0; k < d->count; k++)
    for (int64_t i = 0; i < d->m; i++)
      noise[i] += (double)d->xi[k] * (double)d->deviate[k * d->m + i];
}
