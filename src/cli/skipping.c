#include "cli/skipping.h"
#include "fathom/cycles.h"
#include "fathom/log.h"
#include <math.h>

#define SAMPLES 16 /* whose mean is the model */
#define MANY 0.05  /* share of traces that is worth a warning */

/* x = the mean of the flow, the same on every rank. */
static PetscErrorCode mean_model(fm_transport *t, const fm_real *theta, uint64_t seed,
                                 fm_real *x) {
  fm_real *z, *one, logdet;
  double *sum;

  PetscFunctionBegin;
  PetscCall(PetscCalloc3(t->n, &z, t->n, &one, t->n, &sum));
  for (uint64_t s = 0; s < SAMPLES; s++) {
    fm_rng_normal((fm_rng){seed, FM_STREAM_SAMPLE}, 0, s, (size_t)t->n, z);
    PetscCall(fm_transport_generate(t, theta, 1, z, one, &logdet));
    for (int64_t i = 0; i < t->n; i++) sum[i] += (double)one[i] / SAMPLES;
  }
  for (int64_t i = 0; i < t->n; i++) x[i] = (fm_real)sum[i];
  PetscCall(PetscFree3(z, one, sum));
  PetscFunctionReturn(0);
}

static PetscErrorCode note(fm_target *target, const fm_real *x, const char *of,
                           const char *series, fm_history *history) {
  fm_cycles c;

  PetscFunctionBegin;
  PetscCall(fm_cycles_measure(target, x, &c));
  PetscCall(fm_history_append(history, series, c.share));
  if (c.judged < c.traces)
    fm_log("cycle skipping: %lld of %lld traces are judged; the others are silent or noise",
           (long long)c.judged, (long long)c.traces);
  if (c.share > MANY)
    fm_warn("cycle skipping: at %s %lld of %lld traces (%.3g, more than %g) lag the observed "
            "ones by more than half a period: begin with a lower band (fathom shots "
            "-shots_band), temper the misfit (-tempering_first), or find a better background",
            of, (long long)c.skipped, (long long)c.judged, c.share, MANY);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_skipping_note(fm_target *target, fm_transport *transport,
                                const fm_real *theta, uint64_t seed, PetscBool first,
                                fm_history *history) {
  PetscBool background;
  double frequency;
  fm_real *x;

  PetscFunctionBegin;
  if (!fm_cycles_known(target)) PetscFunctionReturn(0);
  fm_operator_wavelet(target->op, &frequency, &background);
  PetscCall(fm_calloc(target->n, &x));
  if (first && background)
    PetscCall(note(target, x, "the background", "cycle_skipped_background", history));
  PetscCall(mean_model(transport, theta, seed, x));
  PetscCall(note(target, x, first ? "the flow's mean before the first step" : "the flow's mean",
                 "cycle_skipped", history));
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_skipping_report(fm_results *results, const fm_history *history) {
  static const char *const background = "cycle_skipped_background";
  const fm_series *share = fm_history_find(history, "cycle_skipped");

  PetscFunctionBegin;
  if (!share || !share->n) PetscFunctionReturn(0);
  if (fm_history_find(history, background))
    PetscCall(fm_result(results, "cycle_skipped_share_background",
                        fm_history_last(history, background), "1"));
  PetscCall(fm_result(results, "cycle_skipped_share_start", share->value[0], "1"));
  PetscCall(fm_result(results, "cycle_skipped_share_end", share->value[share->n - 1], "1"));
  PetscFunctionReturn(0);
}
