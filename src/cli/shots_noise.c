/* The std of the noise of each datum: given, or from before the first arrival. */
#include "cli/shots.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

#define LEAST_SAMPLES 50   /* independent ones: a std within 10 % */
#define SILENT 1e-7        /* of the largest datum: what rounding leaves */
#define MOST_A_PERIOD 4.   /* samples at the highest frequency */
#define LEAST_A_PERIOD 2.5 /* Nyquist, and a margin for the filter */

/* ---- estimated ---- */

static PetscErrorCode read_velocity(const fm_shots *s, double *velocity) {
  PetscBool given, bound;

  PetscFunctionBegin;
  PetscCall(fm_option_given("shots_noise_velocity", &given));
  PetscCall(fm_option_given("acoustic_velocity_max", &bound));
  fm_check(given || bound, s->world, PETSC_ERR_USER,
           "-shots_noise_std estimate needs -shots_noise_velocity, the fastest velocity in m/s "
           "that a first arrival can have (or -acoustic_velocity_max)");
  PetscCall(fm_option_real_in(given ? "shots_noise_velocity" : "acoustic_velocity_max", 1e-6,
                              1e9, velocity));
  PetscFunctionReturn(0);
}

/* Recorded samples of trace i before distance / velocity + the wavelet's onset to window[n_in],
   zero after them; how many. */
static int64_t cut_window(const fm_shots *s, int64_t i, double velocity, double *window) {
  const double end = fm_shots_distance(s, i) / velocity + s->onset;
  int64_t count = 0;

  for (int64_t k = 0; k < s->n_in; k++) {
    const PetscBool in =
        s->live[i] && s->start[i] + (double)k * s->dt_in < end ? PETSC_TRUE : PETSC_FALSE;

    window[k] = in ? s->recorded[i * s->n_in + k] : 0;
    count += in;
  }
  return count;
}

/* The energy that the band's filter leaves of n windows of n_in samples, by Parseval: the same
   for a filter before and after cutting the window, but for what crosses its end. */
static PetscErrorCode filtered_energy(const fm_shots *s, int64_t n, const double *window,
                                      double *energy) {
  double df, *power;
  int64_t lines;

  PetscFunctionBegin;
  PetscCall(fm_shots_spectrum(n, s->n_in, window, NULL, s->dt_in, &lines, &df, &power));
  *energy = 0;
  for (int64_t k = 0; k < lines; k++) /* the lines of negative frequencies, too */
    *energy += (k && k < lines - 1 ? 2 : 1) * power[k] *
               pow(fm_band_gain(&s->band, (double)k * df), 2);
  *energy /= (double)(2 * (lines - 1));
  PetscCall(PetscFree(power));
  PetscFunctionReturn(0);
}

static double largest(const fm_shots *s, int64_t shot) {
  const int64_t each = s->nreceiver * s->samples;
  double most = 0;

  for (int64_t i = shot * each; i < (shot + 1) * each; i++) most = fmax(most, fabs(s->y[i]));
  return most;
}

static PetscErrorCode estimate_shot(fm_shots *s, int64_t shot, double velocity,
                                    double *window) {
  const double left = fm_band_noise(&s->band, 0.5 / s->dt_in);
  double energy, independent;
  int64_t count = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < s->nreceiver; i++)
    count += cut_window(s, shot * s->nreceiver + i, velocity, window + i * s->n_in);
  independent = (double)count * left * left;
  fm_check(
      independent >= LEAST_SAMPLES, s->world, PETSC_ERR_USER,
      "shot %lld has %lld samples before a first arrival at %.6g m/s (the wavelet begins at "
      "%.4g s), of which %.3g are independent in the band, at least %d are needed to "
      "estimate its noise: give -shots_noise_std as a number",
      (long long)shot, (long long)count, velocity, s->onset, independent, LEAST_SAMPLES);
  PetscCall(filtered_energy(s, s->nreceiver, window, &energy));
  s->noise[shot] = sqrt(energy / (double)count);
  fm_check(s->noise[shot] > SILENT * largest(s, shot), s->world, PETSC_ERR_USER,
           "shot %lld is silent before its first arrival, %lld samples: its noise level is "
           "zero, and no datum can have that: give -shots_noise_std as a number",
           (long long)shot, (long long)count);
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate(fm_shots *s) {
  double velocity, *window;

  PetscFunctionBegin;
  PetscCall(read_velocity(s, &velocity));
  PetscCall(fm_calloc(s->nreceiver * s->n_in, &window));
  for (int64_t shot = 0; shot < s->nshot; shot++)
    PetscCall(estimate_shot(s, shot, velocity, window));
  PetscCall(PetscFree(window));
  PetscFunctionReturn(0);
}

/* ---- given ---- */

static PetscErrorCode take(fm_shots *s) {
  const double left = fm_band_noise(&s->band, 0.5 / s->dt_in);
  int64_t shape[FM_STORE_NDIM], count = 1;
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(s->world, "shots_noise_std", &ndim, shape, &given));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(count == 1 || count == s->nshot, s->world, PETSC_ERR_USER,
           "-shots_noise_std has %lld numbers: one, or one for each of the %lld shots, is "
           "needed",
           (long long)count, (long long)s->nshot);
  for (int64_t shot = 0; shot < s->nshot; shot++) {
    const double std = given[count > 1 ? shot : 0];

    fm_check(std > 0, s->world, PETSC_ERR_USER,
             "the noise level of shot %lld is %.6g, it must be positive: give -shots_noise_std "
             "a number that the data's errors have, or estimate",
             (long long)shot, std);
    s->noise[shot] = left * std;
  }
  PetscCall(PetscFree(given));
  PetscCall(fm_result(s->run->results, "noise_left_by_filter", left, "1"));
  PetscFunctionReturn(0);
}

/* ---- weights ---- */

static PetscErrorCode weigh(fm_shots *s) {
  const int64_t n = fm_shots_traces(s);
  int64_t shape[FM_STORE_NDIM], count = 1;
  double *weight;
  int ndim;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) s->trace_noise[i] = s->noise[i / s->nreceiver];
  PetscCall(fm_store_option_array(s->world, "shots_weights", &ndim, shape, &weight));
  if (!ndim) PetscFunctionReturn(0);
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(count == n, s->world, PETSC_ERR_USER,
           "-shots_weights has %lld numbers: one for each of %lld shots x %lld receivers is "
           "needed",
           (long long)count, (long long)s->nshot, (long long)s->nreceiver);
  for (int64_t i = 0; i < n; i++) {
    fm_check(weight[i] >= 0, s->world, PETSC_ERR_USER,
             "-shots_weights has %.6g for receiver %lld of shot %lld: 0 (mute it) or more is "
             "needed",
             weight[i], (long long)(i % s->nreceiver), (long long)(i / s->nreceiver));
    if (weight[i] > 0)
      s->trace_noise[i] /= weight[i];
    else
      PetscCall(PetscArrayzero(s->mask + i * s->samples, (size_t)s->samples));
  }
  PetscCall(PetscFree(weight));
  PetscFunctionReturn(0);
}

/* White noise on oversampled traces makes them look more certain than they are (method.md,
   section 7): the likelihood takes neighbours for independent. */
static PetscErrorCode check_sampling(const fm_shots *s) {
  const double a_period = 1 / (s->high * s->interval);
  int64_t every = (int64_t)ceil(1 / (MOST_A_PERIOD * s->high * s->dt));

  PetscFunctionBegin;
  PetscCall(fm_result(s->run->results, "samples_a_period", a_period, "1"));
  if (a_period <= MOST_A_PERIOD * (1 + 1e-9)) PetscFunctionReturn(0);
  if (1 / ((double)every * s->high * s->dt) < LEAST_A_PERIOD)
    every = (int64_t)floor(1 / (LEAST_A_PERIOD * s->high * s->dt));
  fm_log("warning: %.3g samples a period at %.4g Hz, the wavelet's highest: noise that is no "
         "wider than the band is not independent from sample to sample, and the posterior "
         "would be too sure; -acoustic_record_every %lld keeps at most %g",
         a_period, s->high, (long long)every, MOST_A_PERIOD);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_make_noise(fm_shots *s) {
  const char *text;

  PetscFunctionBegin;
  PetscCall(fm_calloc(s->nshot, &s->noise));
  PetscCall(fm_calloc(fm_shots_traces(s), &s->trace_noise));
  PetscCall(fm_option_text("shots_noise_std", &text));
  if (!strcmp(text, "estimate"))
    PetscCall(estimate(s));
  else
    PetscCall(take(s));
  PetscCall(weigh(s));
  PetscCall(check_sampling(s));
  PetscFunctionReturn(0);
}
