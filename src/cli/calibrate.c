/* calibrate - are posterior samples of held-out models, each refined on its own, as far from
   the truth as they say? Makes no solve. Every rank reads and computes the same. */
#include "calibrate.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

#define MODELS 16  /* that a pass needs */
#define THINNED 16 /* unknowns a model for the test of ranks */
#define BINS 10
#define Z_BINS 42 /* below -5, 40 of .25, above 5 */
#define CRPS_SHARE 0.8

typedef struct {
  double value, low, high; /* pooled, and its interval over models */
} interval;

typedef struct {
  int64_t models, n, draws; /* draws: of each model, 0: they differ */
  fm_held_out *list;
  double *z, *rank;                                  /* [models][n] */
  double *square, *cover50, *cover95, *crps, *prior; /* [models] */
  double z_histogram[Z_BINS], rank_histogram[BINS], thinned[BINS];
  double p_value;
  interval rms, c50, c95, share;
  char faults[512];
  fm_tie tie;
} calibration;

static PetscErrorCode create(calibration *c) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(c->models * c->n, &c->z));
  PetscCall(fm_calloc(c->models * c->n, &c->rank));
  PetscCall(PetscCalloc5(c->models, &c->square, c->models, &c->cover50, c->models, &c->cover95,
                         c->models, &c->crps, c->models, &c->prior));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(calibration *c) {
  PetscFunctionBegin;
  PetscCall(PetscFree(c->list));
  PetscCall(PetscFree(c->tie.text));
  PetscCall(PetscFree(c->z));
  PetscCall(PetscFree(c->rank));
  PetscCall(PetscFree5(c->square, c->cover50, c->cover95, c->crps, c->prior));
  PetscFunctionReturn(0);
}

/* ---- one model ---- */

static void count_into(double *histogram, int bins, double place) {
  const int bin = (int)(place * bins);

  histogram[bin < 0 ? 0 : bin >= bins ? bins - 1 : bin] += 1;
}

/* z and ranks of all unknowns; ranks of nearly independent ones, uniform within their step. */
static PetscErrorCode add_histograms(const fm_run *run, calibration *c, int64_t k,
                                     int64_t count, const double *x) {
  const double *z = c->z + k * c->n, *rank = c->rank + k * c->n;
  int64_t found, index[THINNED];
  double u[THINNED];

  PetscFunctionBegin;
  for (int64_t i = 0; i < c->n; i++) {
    if (isnan(z[i])) continue;
    count_into(c->z_histogram, Z_BINS, (z[i] + 5.25) / 10.5);
    count_into(c->rank_histogram, BINS, (rank[i] + 0.5) / ((double)count + 1));
  }
  PetscCall(fm_calibrate_thin(count, c->n, x, run->seed, (uint64_t)k, THINNED, &found, index));
  fm_rng_uniform((fm_rng){run->seed, FM_STREAM_BOOTSTRAP}, 1, (uint64_t)k, THINNED, u);
  for (int64_t i = 0; i < found; i++)
    count_into(c->thinned, BINS, (rank[index[i]] + u[i]) / ((double)count + 1));
  PetscFunctionReturn(0);
}

static PetscErrorCode one_model(const fm_run *run, calibration *c, int64_t k, double **drawn) {
  const fm_held_out *h = &c->list[k];
  double *x, *truth, *mine;
  int64_t count, one;
  fm_prior_samples prior;
  fm_calibrated m;

  PetscFunctionBegin;
  PetscCall(fm_calibrate_tie(run, h, &c->tie));
  PetscCall(fm_calibrate_read(run, h, h->samples, PETSC_FALSE, &count, &c->n, &x));
  fm_check(count >= 2, run->comm.world, PETSC_ERR_USER,
           "line %lld: '%s' has one sample: two at least are needed", (long long)h->line,
           h->samples);
  if (!k) PetscCall(create(c));
  c->draws = !k || c->draws == count ? count : 0;
  PetscCall(fm_calibrate_read(run, h, h->truth, PETSC_TRUE, &one, &c->n, &truth));
  PetscCall(fm_calibrate_prior(run, h, c->n, drawn, &mine, &prior));
  PetscCall(fm_calibrate_model(count, c->n, x, truth, &prior, c->z + k * c->n,
                               c->rank + k * c->n, &m));
  fm_check(m.used, run->comm.world, PETSC_ERR_USER,
           "line %lld: the samples of '%s' are all the same: they have no spread to judge",
           (long long)h->line, h->samples);
  c->square[k] = m.square_z;
  c->cover50[k] = m.coverage_50;
  c->cover95[k] = m.coverage_95;
  c->crps[k] = m.crps;
  c->prior[k] = m.crps_prior;
  PetscCall(add_histograms(run, c, k, count, x));
  PetscCall(PetscFree(x));
  PetscCall(PetscFree(truth));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

/* ---- pooled ---- */

static PetscErrorCode pool(const fm_run *run, int64_t models, const double *top,
                           const double *bottom, interval *of) {
  double above = 0, below = 0;

  PetscFunctionBegin;
  for (int64_t k = 0; k < models; k++) {
    above += top[k];
    below += bottom ? bottom[k] : 1.;
  }
  of->value = above / below;
  PetscCall(fm_bootstrap_ratio(models, top, bottom, run->seed, &of->low, &of->high));
  PetscFunctionReturn(0);
}

static double flatness(const double *histogram, int bins) {
  double all = 0, chi2 = 0;

  for (int b = 0; b < bins; b++) all += histogram[b];
  for (int b = 0; b < bins; b++) {
    const double expected = all / bins;

    chi2 += (histogram[b] - expected) * (histogram[b] - expected) / expected;
  }
  return fm_chi2_survival(chi2, bins - 1);
}

static void judge(calibration *c, PetscBool good, const char *name, const interval *of,
                  const char *limit) {
  const size_t used = strlen(c->faults);

  fm_log("%-5s %-40s %.4g (95 %% of models drawn again: %.4g to %.4g; %s)",
         good ? "pass" : "fail", name, of->value, of->low, of->high, limit);
  if (!good)
    snprintf(c->faults + used, sizeof(c->faults) - used, "%s%s %.4g (%s)", used ? ", " : "",
             name, of->value, limit);
}

static PetscBool within(double low, double v, double high) {
  return v >= low && v <= high ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode judge_all(const fm_run *run, calibration *c) {
  const interval models = {(double)c->models, (double)c->models, (double)c->models};

  PetscFunctionBegin;
  PetscCall(pool(run, c->models, c->square, NULL, &c->rms));
  c->rms = (interval){sqrt(c->rms.value), sqrt(c->rms.low), sqrt(c->rms.high)};
  PetscCall(pool(run, c->models, c->cover50, NULL, &c->c50));
  PetscCall(pool(run, c->models, c->cover95, NULL, &c->c95));
  PetscCall(pool(run, c->models, c->crps, c->prior, &c->share));
  c->p_value = flatness(c->thinned, BINS);
  if (c->models < MODELS) judge(c, PETSC_FALSE, "held-out models", &models, "at least 16");
  judge(c, within(0.85, c->rms.value, 1.15), "rms z-score", &c->rms, "0.85 to 1.15");
  judge(c, within(c->c50.low, 0.5, c->c50.high), "coverage of the 50 % interval", &c->c50,
        "interval contains 0.5");
  judge(c, within(c->c95.low, 0.95, c->c95.high), "coverage of the 95 % interval", &c->c95,
        "interval contains 0.95");
  judge(c, within(0, c->share.value, CRPS_SHARE), "CRPS over the prior's", &c->share,
        "at most 0.8");
  PetscFunctionReturn(0);
}

/* ---- results and file ---- */

static PetscErrorCode say(fm_results *r, const char *name, const interval *of) {
  char text[64];

  PetscFunctionBegin;
  PetscCall(fm_result(r, name, of->value, "1"));
  PetscCall(PetscSNPrintf(text, sizeof(text), "%s_low", name));
  PetscCall(fm_result(r, text, of->low, "1"));
  PetscCall(PetscSNPrintf(text, sizeof(text), "%s_high", name));
  PetscCall(fm_result(r, text, of->high, "1"));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(fm_run *run, const calibration *c) {
  double crps = 0, prior = 0;

  PetscFunctionBegin;
  for (int64_t k = 0; k < c->models; k++) {
    crps += c->crps[k] / (double)c->models;
    prior += c->prior[k] / (double)c->models;
  }
  PetscCall(fm_result(run->results, "calibration_models", (double)c->models, "1"));
  PetscCall(say(run->results, "rms_z", &c->rms));
  PetscCall(say(run->results, "coverage_50", &c->c50));
  PetscCall(say(run->results, "coverage_95", &c->c95));
  PetscCall(fm_result(run->results, "crps", crps, "model"));
  PetscCall(fm_result(run->results, "crps_prior", prior, "model"));
  PetscCall(say(run->results, "crps_over_prior", &c->share));
  PetscCall(fm_result(run->results, "rank_p_value", c->p_value, "1"));
  PetscCall(fm_result(run->results, "calibration_passed", c->faults[0] ? 0. : 1., "1"));
  fm_log("calibration %s%s", c->faults[0] ? "failed: " : "passed", c->faults);
  PetscFunctionReturn(0);
}

static PetscErrorCode write_attributes(const calibration *c, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_integer(store, "/", "calibration_passed", !c->faults[0]));
  PetscCall(fm_store_set_text(store, "/", "calibration_faults", c->faults));
  PetscCall(fm_store_set_integer(store, "/", "models", c->models));
  PetscCall(fm_store_set_integer(store, "/", "unknowns", c->n));
  PetscCall(fm_store_set_real(store, "/", "rms_z", c->rms.value));
  PetscCall(fm_store_set_real(store, "/", "coverage_50", c->c50.value));
  PetscCall(fm_store_set_real(store, "/", "coverage_95", c->c95.value));
  PetscCall(fm_store_set_real(store, "/", "crps_over_prior", c->share.value));
  PetscCall(fm_store_set_real(store, "/", "rank_p_value", c->p_value));
  PetscCall(fm_store_set_integer(store, "/rank", "draws", c->draws));
  PetscFunctionReturn(0);
}

static PetscErrorCode write(const fm_run *run, const calibration *c) {
  const int64_t two[] = {c->models, c->n}, one = c->models, bins = BINS, z_bins = Z_BINS;
  const struct {
    const char *name;
    const int64_t *size;
    const double *v;
  } list[] = {{"/models/mean_square_z", &one, c->square},
              {"/models/coverage_50", &one, c->cover50},
              {"/models/coverage_95", &one, c->cover95},
              {"/models/crps", &one, c->crps},
              {"/models/crps_prior", &one, c->prior},
              {"/z_histogram", &z_bins, c->z_histogram},
              {"/rank_histogram", &bins, c->rank_histogram},
              {"/rank_histogram_thinned", &bins, c->thinned}};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(run, "calibration.h5", path));
  PetscCall(fm_store_create(run->comm.world, path, &store));
  PetscCall(fm_store_write(store, "/z", FM_FLOAT64, 2, two, c->z));
  PetscCall(fm_store_write(store, "/rank", FM_FLOAT64, 2, two, c->rank));
  for (size_t k = 0; k < sizeof(list) / sizeof(list[0]); k++)
    PetscCall(fm_store_write(store, list[k].name, FM_FLOAT64, 1, list[k].size, list[k].v));
  PetscCall(write_attributes(c, store));
  PetscCall(fm_calibrate_write_problem(&c->tie, store));
  PetscCall(fm_store_commit(&store, NULL));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_calibrate(fm_run *run) {
  calibration c = {0};
  double *drawn = NULL;
  const char *path;

  PetscFunctionBegin;
  PetscCall(fm_option_text("calibrate", &path));
  fm_check(
      path[0], run->comm.world, PETSC_ERR_USER,
      "nothing to calibrate on: give -calibrate FILE, a list with a line for each held-out "
      "model: SAMPLES.h5:/x TRUTH.h5:/x[ROW]");
  PetscCall(fm_calibrate_list(run, path, &c.models, &c.list));
  fm_check(c.models >= 2, run->comm.world, PETSC_ERR_USER,
           "'%s' lists %lld models: 2 at least are needed, 16 to pass", path,
           (long long)c.models);
  for (int64_t k = 0; k < c.models; k++) PetscCall(one_model(run, &c, k, &drawn));
  PetscCall(fm_calibrate_tied(run, &c.tie, c.models));
  PetscCall(judge_all(run, &c));
  PetscCall(report(run, &c));
  PetscCall(write(run, &c));
  PetscCall(PetscFree(drawn));
  PetscCall(destroy(&c));
  PetscFunctionReturn(0);
}
