/* Trust of method.md section 7: results and arrays. */
#include "cli/solves.h"
#include "evaluate.h"
#include "fathom/options.h"
#include <math.h>

static PetscErrorCode read_options(const fm_run *run, fm_trust_inputs *in) {
  int64_t latents;

  PetscFunctionBegin;
  *in = (fm_trust_inputs){.seed = run->seed};
  PetscCall(fm_option_integer_in("evaluation_latents", 2, 1 << 30, &latents));
  PetscCall(fm_option_integer_in("trust_latents", 0, 4096, &in->latents));
  PetscCall(fm_option_integer_in("trust_modes", 0, 1024, &in->modes));
  PetscCall(fm_option_integer_in("trust_draws", 0, 1 << 30, &in->draws));
  fm_check(in->latents != 1, run->comm.world, PETSC_ERR_USER,
           "-trust_latents 1: the spread of gradients needs 2 at least, or 0 for no verdict");
  in->latents = PetscMin(in->latents, latents);
  in->draws = PetscMin(in->draws, latents);
  PetscFunctionReturn(0);
}

void fm_trust_grid(const fm_evaluation *e, int64_t *rows, int64_t *columns) {
  fm_operator_grid(e->target->op, rows, columns);
  if (*rows * *columns == e->target->n) return;
  *rows = 1;
  *columns = e->target->n;
}

static PetscErrorCode say_gradients(fm_evaluation *e) {
  const fm_trust *t = &e->trust;
  fm_results *r = e->run->results;
  const double n = (double)t->n;

  PetscFunctionBegin;
  PetscCall(fm_result(r, "trust_latents", (double)t->count, "1"));
  PetscCall(fm_result(r, "trust_failed", (double)(t->failed + t->failed_draws), "1"));
  PetscCall(fm_result(r, "fisher_divergence", t->fisher, "nats"));
  PetscCall(fm_result(r, "fisher_divergence_se", t->fisher_se, "nats"));
  PetscCall(fm_result(r, "fisher_per_unknown", t->fisher / n, "nats"));
  PetscCall(fm_result(r, "stein_bias_rms", fm_trust_rms_bias(t, 0, t->n), "std"));
  PetscCall(fm_result(r, "stein_scale_mean", fm_trust_mean_scale(t, 0, t->n), "1"));
  PetscCall(fm_result(r, "n_eff", t->n_eff, "directions"));
  PetscCall(fm_result(r, "n_eff_se", t->n_eff_se, "directions"));
  PetscCall(fm_result(r, "modes", (double)t->modes, "1"));
  PetscCall(fm_result(r, "modes_ess_fraction", t->ess_fraction, "1"));
  PetscCall(fm_result(r, "modes_ess_fraction_least", t->ess_least, "1"));
  PetscFunctionReturn(0);
}

static PetscErrorCode say_fit(fm_evaluation *e) {
  const fm_fit *f = &e->fit;
  fm_results *r = e->run->results;
  double low = INFINITY, high = -INFINITY;

  PetscFunctionBegin;
  for (int64_t p = 0; p < f->parts; p++) {
    low = fmin(low, f->chi2[p]);
    high = fmax(high, f->chi2[p]);
  }
  PetscCall(fm_result(r, "chi2", f->all, "1"));
  PetscCall(fm_result(r, "chi2_limit", 3 * sqrt(2 / f->all_data), "1"));
  PetscCall(fm_result(r, "chi2_shot_least", low, "1"));
  PetscCall(fm_result(r, "chi2_shot_most", high, "1"));
  PetscCall(fm_result(r, "chi2_mean_model", f->mean, "1"));
  PetscCall(
      fm_result(r, "chi2_excess_of_mean_model", f->all_data * (f->all - f->mean) / 2, "nats"));
  if (!isnan(f->excess_of_truth))
    PetscCall(fm_result(r, "chi2_excess_of_truth", f->excess_of_truth, "nats"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_trust(fm_evaluation *e) {
  fm_ledger before, after;
  fm_trust_inputs in;

  PetscFunctionBegin;
  PetscCall(read_options(e->run, &in));
  if (!in.latents) PetscFunctionReturn(0);
  PetscCall(fm_run_solves(e->run, e->target->op, &before));
  PetscCall(fm_trust_measure(e->target, e->t, e->theta, &in, &e->trust));
  PetscCall(fm_fit_measure(e));
  PetscCall(fm_run_solves(e->run, e->target->op, &after));
  PetscCall(say_gradients(e));
  PetscCall(say_fit(e));
  for (int k = FM_SOLVE_F; k <= FM_SOLVE_JT; k += FM_SOLVE_JT - FM_SOLVE_F)
    PetscCall(fm_result(
        e->run->results, k == FM_SOLVE_F ? "trust_F" : "trust_JT",
        (double)(after.count[FM_DIAGNOSTIC][k] - before.count[FM_DIAGNOSTIC][k]), "solves"));
  PetscFunctionReturn(0);
}

/* ---- evaluation.h5 ---- */

static PetscErrorCode write_depths(const fm_evaluation *e, fm_store *store) {
  int64_t rows, columns;
  double *v;

  PetscFunctionBegin;
  fm_trust_grid(e, &rows, &columns);
  if (rows == 1) PetscFunctionReturn(0);
  PetscCall(fm_calloc(rows, &v));
  for (int64_t k = 0; k < rows; k++) v[k] = fm_trust_rms_bias(&e->trust, k * columns, columns);
  PetscCall(fm_store_write(store, "/stein_bias_depth", FM_FLOAT64, 1, &rows, v));
  for (int64_t k = 0; k < rows; k++)
    v[k] = fm_trust_mean_scale(&e->trust, k * columns, columns);
  PetscCall(fm_store_write(store, "/stein_scale_depth", FM_FLOAT64, 1, &rows, v));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* /chi2_octave and the upper ends of the bands in Hz. */
static PetscErrorCode write_octaves(const fm_bands *b, fm_store *store) {
  const int64_t bands = b->bands;

  PetscFunctionBegin;
  if (!bands) PetscFunctionReturn(0);
  PetscCall(fm_store_write(store, "/chi2_octave", FM_FLOAT64, 1, &bands, b->chi2));
  PetscCall(fm_store_write(store, "/chi2_octave_top", FM_FLOAT64, 1, &bands, b->top));
  PetscFunctionReturn(0);
}

/* Attributes say [shot][receiver][time] where the data are traces. */
static PetscErrorCode write_data(const fm_evaluation *e, fm_store *store) {
  static const char *const names[] = {"/observed", "/predicted"};
  const double *data[] = {e->target->y, e->fit.predicted};
  const int64_t m = e->target->m;
  int64_t samples, traces = 0;
  double dt;

  PetscFunctionBegin;
  fm_operator_traces(e->target->op, &samples, &dt);
  if (samples) traces = m / samples / e->fit.parts;
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_store_write(store, names[k], FM_FLOAT64, 1, &m, data[k]));
    PetscCall(fm_store_set_integer(store, names[k], "shots", e->fit.parts));
    if (!samples) continue;
    PetscCall(fm_store_set_integer(store, names[k], "receivers", traces));
    PetscCall(fm_store_set_integer(store, names[k], "samples", samples));
    PetscCall(fm_store_set_real(store, names[k], "dt", dt));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_write(const fm_evaluation *e, fm_store *store) {
  const fm_trust *t = &e->trust;
  char line[sizeof(e->reasons) + sizeof(e->verdict) + 4];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(line, sizeof(line), "%s: %s", e->verdict, e->reasons));
  PetscCall(fm_store_set_text(store, "/", "verdict", line));
  PetscCall(fm_store_set_text(store, "/", "verdict_reasons", e->reasons));
  if (e->truth.x)
    PetscCall(fm_store_write(store, "/truth", FM_FLOAT64, 1, &e->t->n, e->truth.x));
  if (e->truth.z)
    PetscCall(fm_store_write(store, "/truth_z", FM_FLOAT64, 1, &e->t->n, e->truth.z));
  if (!t->bias) PetscFunctionReturn(0);
  PetscCall(fm_store_write(store, "/fisher", FM_FLOAT64, 0, NULL, &t->fisher));
  PetscCall(fm_store_write(store, "/fisher_se", FM_FLOAT64, 0, NULL, &t->fisher_se));
  PetscCall(fm_store_write(store, "/stein_bias", FM_FLOAT64, 1, &t->n, t->bias));
  PetscCall(fm_store_write(store, "/stein_bias_se", FM_FLOAT64, 1, &t->n, t->bias_se));
  PetscCall(fm_store_write(store, "/stein_scale", FM_FLOAT64, 1, &t->n, t->scale));
  PetscCall(fm_store_write(store, "/stein_scale_se", FM_FLOAT64, 1, &t->n, t->scale_se));
  if (t->modes)
    PetscCall(fm_store_write(store, "/informed", FM_FLOAT64, 1, &t->modes, t->informed));
  PetscCall(write_depths(e, store));
  PetscCall(write_data(e, store));
  PetscCall(write_octaves(&e->fit.octaves, store));
  PetscCall(fm_store_write(store, "/chi2_shot", FM_FLOAT64, 1, &e->fit.parts, e->fit.chi2));
  PetscCall(fm_store_write(store, "/chi2_shot_mean_model", FM_FLOAT64, 1, &e->fit.parts,
                           e->fit.chi2_mean));
  PetscCall(
      fm_store_write(store, "/chi2_shot_data", FM_FLOAT64, 1, &e->fit.parts, e->fit.data));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_clear(fm_evaluation *e) {
  PetscFunctionBegin;
  PetscCall(fm_diagnosis_clear(&e->d));
  PetscCall(fm_trust_clear(&e->trust));
  PetscCall(PetscFree(e->fit.data));
  PetscCall(PetscFree(e->fit.chi2));
  PetscCall(PetscFree(e->fit.chi2_mean));
  PetscCall(PetscFree(e->fit.predicted));
  PetscCall(PetscFree(e->truth.x));
  PetscCall(PetscFree(e->truth.z));
  PetscCall(fm_target_destroy(&e->target));
  PetscFunctionReturn(0);
}
