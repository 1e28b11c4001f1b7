/* The wavelet, filtered as the data are, and the rates that can hold it. */
#include "cli/shots.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/ricker.h"
#include "fathom/segy.h"
#include "fathom/store.h"
#include <math.h>

#define MOST_CUT 1e-3   /* of the wavelet's energy, before time 0 */
#define SOME_CUT 1e-5   /* beyond: a warning */
#define LEAST_LEFT 1e-4 /* of the wavelet's energy, by -shots_band */

typedef struct {
  int64_t n;
  double dt, start, *x;
} wavelet;

/* ---- the band ---- */

static PetscErrorCode check_corners(MPI_Comm comm, const fm_band *b) {
  PetscFunctionBegin;
  for (int k = 0; k < 4; k++)
    fm_check(b->f[k] >= (k ? b->f[k - 1] : 0), comm, PETSC_ERR_USER,
             "-shots_band: corners are 0 or more and in order, not %.6g,%.6g,%.6g,%.6g Hz",
             b->f[0], b->f[1], b->f[2], b->f[3]);
  fm_check(b->f[2] > b->f[0] && b->f[3] > b->f[1], comm, PETSC_ERR_USER,
           "-shots_band %.6g,%.6g,%.6g,%.6g Hz lets nothing pass", b->f[0], b->f[1], b->f[2],
           b->f[3]);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_band(MPI_Comm comm, fm_band *b) {
  int64_t shape[FM_STORE_NDIM];
  double *f;
  int ndim;

  PetscFunctionBegin;
  *b = FM_BAND_ALL;
  PetscCall(fm_store_option_array(comm, "shots_band", &ndim, shape, &f));
  if (!ndim) PetscFunctionReturn(0);
  fm_check(ndim == 1 && (shape[0] == 2 || shape[0] == 4), comm, PETSC_ERR_USER,
           "-shots_band takes LOW,HIGH or F1,F2,F3,F4 in Hz, %lld numbers are given",
           (long long)shape[0]);
  if (shape[0] == 2)
    *b = (fm_band){{f[0] / 2, f[0], f[1], 1.25 * f[1]}};
  else
    *b = (fm_band){{f[0], f[1], f[2], f[3]}};
  PetscCall(PetscFree(f));
  PetscCall(check_corners(comm, b));
  PetscFunctionReturn(0);
}

/* ---- where it comes from ---- */

static PetscErrorCode read_trace(const fm_shots *s, const char *path, wavelet *w) {
  fm_segy_trace header;
  fm_segy *segy;
  float *x;

  PetscFunctionBegin;
  PetscCall(fm_segy_open(s->world, path, &segy));
  w->n = fm_segy_samples(segy);
  PetscCall(fm_calloc(w->n, &x));
  PetscCall(fm_calloc(w->n, &w->x));
  PetscCall(fm_segy_read_traces(segy, 0, 1, x));
  PetscCall(fm_segy_read_geometry(segy, 0, 1, &header));
  for (int64_t i = 0; i < w->n; i++) w->x[i] = (double)x[i];
  w->dt = fm_segy_dt(segy);
  w->start = header.delay;
  PetscCall(PetscFree(x));
  PetscCall(fm_segy_close(&segy));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_array(const fm_shots *s, const char *option, wavelet *w) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(s->world, option, &ndim, shape, &w->x));
  w->n = 1;
  for (int d = 0; d < ndim; d++) w->n *= shape[d];
  PetscFunctionReturn(0);
}

static PetscErrorCode read_file(const fm_shots *s, wavelet *w) {
  char file[PETSC_MAX_PATH_LEN];
  const char *text, *name;
  PetscBool given, segy;

  PetscFunctionBegin;
  PetscCall(fm_option_text("shots_wavelet", &text));
  PetscCall(fm_store_split(s->world, text, file, &name));
  PetscCall(
      PetscStrendswith(text, "gy", &segy)); /* .sgy or .segy; a list of numbers has no y */
  if (!name && segy)
    PetscCall(read_trace(s, text, w));
  else
    PetscCall(read_array(s, "shots_wavelet", w));
  PetscCall(fm_option_given("shots_wavelet_dt", &given));
  if (given) PetscCall(fm_option_real_in("shots_wavelet_dt", 1e-9, 1e3, &w->dt));
  fm_check(w->dt > 0, s->world, PETSC_ERR_USER,
           "-shots_wavelet needs -shots_wavelet_dt, its sample interval in s");
  PetscCall(fm_option_given("shots_wavelet_start", &given));
  if (given) PetscCall(fm_option_real("shots_wavelet_start", &w->start));
  PetscFunctionReturn(0);
}

/* A Ricker wavelet at the steps; `of`: whose options. */
static PetscErrorCode make_ricker(const fm_shots *s, const char *of, wavelet *w) {
  char name[64];
  double frequency, delay;
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s_wavelet_frequency", of));
  PetscCall(fm_option_given(name, &given));
  fm_check(given, s->world, PETSC_ERR_USER,
           "shots needs a wavelet: -shots_wavelet FILE, or -shots_wavelet_frequency, the peak "
           "of a Ricker wavelet in Hz");
  PetscCall(fm_option_real_in(name, 1e-9, 1e12, &frequency));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s_wavelet_delay", of));
  PetscCall(fm_option_given(name, &given));
  delay = FM_RICKER_DELAY / frequency;
  if (given) PetscCall(fm_option_real(name, &delay));
  fm_check(
      delay < (double)(s->steps - 1) * s->dt, s->world, PETSC_ERR_USER,
      "the Ricker wavelet of %.6g Hz has its peak at %.6g s, the modelling ends at %.6g s: "
      "take another -%s_wavelet_frequency, or more -acoustic_steps",
      frequency, delay, (double)(s->steps - 1) * s->dt, of);
  w->n = s->steps;
  w->dt = s->dt;
  PetscCall(fm_calloc(w->n, &w->x));
  fm_ricker(frequency, delay, w->dt, w->n, w->x);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_wavelet(fm_shots *s, wavelet *w) {
  PetscBool file, ricker, operators;
  double most = 0;

  PetscFunctionBegin;
  PetscCall(fm_option_given("shots_wavelet", &file));
  PetscCall(fm_option_given("shots_wavelet_frequency", &ricker));
  PetscCall(fm_option_given("acoustic_wavelet", &operators));
  fm_check(!file || !ricker, s->world, PETSC_ERR_USER,
           "-shots_wavelet and -shots_wavelet_frequency exclude each other");
  s->same_wavelet = !file && !ricker ? PETSC_TRUE : PETSC_FALSE;
  w->dt = s->dt;
  if (file) {
    w->dt = 0;
    PetscCall(read_file(s, w));
  } else if (operators && !ricker)
    PetscCall(read_array(s, "acoustic_wavelet", w));
  else
    PetscCall(make_ricker(s, ricker ? "shots" : "acoustic", w));
  for (int64_t i = 0; i < w->n; i++) most = fmax(most, fabs(w->x[i]));
  fm_check(most > 0, s->world, PETSC_ERR_USER, "the wavelet is zero everywhere");
  for (int64_t i = w->n - 1; i >= 0; i--)
    if (fabs(w->x[i]) >= FM_SHOTS_ONSET * most) s->onset = w->start + (double)i * w->dt;
  PetscFunctionReturn(0);
}

/* ---- rates ---- */

/* Highest frequency of the wavelet within the user's band, of which that leaves something. */
static PetscErrorCode highest(MPI_Comm comm, const wavelet *w, const fm_band *b, double *high) {
  double df, *power, low, all, left, from, to, centre;
  int64_t lines;

  PetscFunctionBegin;
  PetscCall(fm_shots_spectrum(1, w->n, w->x, NULL, w->dt, &lines, &df, &power));
  fm_shots_band_of(lines, df, power, &from, &to);
  all = fm_shots_energy(lines, df, power, 0, INFINITY, &centre);
  for (int64_t k = 0; k < lines; k++) power[k] *= pow(fm_band_gain(b, (double)k * df), 2);
  left = fm_shots_energy(lines, df, power, 0, INFINITY, &centre);
  fm_shots_band_of(lines, df, power, &low, high);
  PetscCall(PetscFree(power));
  fm_check(left >= LEAST_LEFT * all, comm, PETSC_ERR_USER,
           "-shots_band %.6g,%.6g,%.6g,%.6g Hz leaves %.3g of the wavelet's energy, at least "
           "%g must be: the wavelet has %.4g to %.4g Hz",
           b->f[0], b->f[1], b->f[2], b->f[3], left / all, LEAST_LEFT, from, to);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_rates(const fm_shots *s, const wavelet *w, const fm_band *b) {
  const double recorded = 0.5 / s->dt_in, kept = 0.5 / s->interval;
  double high;

  PetscFunctionBegin;
  PetscCall(highest(s->world, w, b, &high));
  fm_check(recorded >= high, s->world, PETSC_ERR_USER,
           "the shots are sampled every %.6g s, which holds %.6g Hz at the most, the wavelet "
           "has up to %.6g Hz: take -shots_band LOW,HIGH with HIGH <= %.4g, or another wavelet",
           s->dt_in, recorded, high, recorded / 1.25);
  fm_check(kept >= high, s->world, PETSC_ERR_USER,
           "-acoustic_record_every %lld of -acoustic_dt %.6g s holds %.6g Hz at the most, the "
           "wavelet has up to %.6g Hz: take -acoustic_record_every <= %lld or -shots_band "
           "LOW,HIGH with HIGH <= %.4g",
           (long long)s->every, s->dt, kept, high,
           (long long)PetscMax(1, (int64_t)floor(0.5 / (high * s->dt))), kept / 1.25);
  PetscFunctionReturn(0);
}

/* No filter where every datum is a recorded sample and no band is asked for. */
static PetscErrorCode choose_band(fm_shots *s, const fm_band *asked) {
  const double ratio = s->interval / s->dt_in;
  PetscBool same = fabs(ratio - 1) * (double)s->samples < 1e-6 ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  for (int64_t i = 0; i < fm_shots_traces(s); i++) {
    const double shift = (s->start[i] + s->delay) / s->dt_in;

    if (s->live[i] && fabs(shift - round(shift)) > 1e-6) same = PETSC_FALSE;
  }
  s->band = *asked;
  if (!same || fm_band_limited(asked))
    s->band = fm_band_below(*asked, 0.5 / fmax(s->dt_in, s->interval));
  fm_check(s->band.f[1] < s->band.f[2], s->world, PETSC_ERR_USER,
           "-shots_band begins at %.6g Hz, the samples kept every %.6g s end at %.6g Hz",
           s->band.f[1], s->interval, s->band.f[2]);
  PetscCall(fm_band_length(&s->band, &s->length));
  PetscFunctionReturn(0);
}

/* ---- as it goes out ---- */

static fm_filter_spec spec_of(const fm_shots *s, const wavelet *w, int64_t before) {
  const double nyquist = 0.5 / fmax(w->dt, s->dt);
  fm_filter_spec spec = {w->n,   s->steps + before,   w->dt,
                         s->dt,  w->start + s->delay, -(double)before * s->dt,
                         s->band};

  if (fm_band_limited(&s->band) || fabs(w->dt / s->dt - 1) * (double)s->steps > 1e-6)
    spec.band = fm_band_below(s->band, nyquist);
  return spec;
}

static double energy(const double *x, int64_t first, int64_t end) {
  double sum = 0;

  for (int64_t i = first; i < end; i++) sum += x[i] * x[i];
  return sum;
}

/* x begins `before` steps before time 0: what is cut off there is not modelled. */
static PetscErrorCode check_cut(fm_shots *s, int64_t before, const double *x) {
  const double all = energy(x, 0, before + s->steps), cut = energy(x, 0, before) / all;
  int64_t more = 0;

  PetscFunctionBegin;
  while (more < before && energy(x, 0, before - more) > SOME_CUT * all) more++;
  PetscCall(fm_result(s->run->results, "wavelet_cut", cut, "1"));
  fm_check(cut <= MOST_CUT, s->world, PETSC_ERR_USER,
           "%.3g of the filtered wavelet's energy comes before time 0, at most %.3g may: take "
           "-shots_delay %.4g (and so many more -acoustic_steps), or wider tapers of "
           "-shots_band",
           cut, MOST_CUT, s->delay + (double)more * s->dt);
  if (cut > SOME_CUT)
    fm_log("warning: %.3g of the filtered wavelet's energy comes before time 0; -shots_delay "
           "%.4g would keep it",
           cut, s->delay + (double)more * s->dt);
  PetscFunctionReturn(0);
}

static PetscErrorCode make_spectrum(fm_shots *s) {
  double df, *power;
  int64_t lines;

  PetscFunctionBegin;
  PetscCall(fm_shots_spectrum(1, s->steps, s->wavelet, NULL, s->dt, &lines, &df, &power));
  fm_shots_band_of(lines, df, power, &s->low, &s->high);
  (void)fm_shots_energy(lines, df, power, s->low, s->high, &s->centre);
  PetscCall(PetscFree(power));
  PetscFunctionReturn(0);
}

static PetscErrorCode filter_wavelet(fm_shots *s, const wavelet *w) {
  const double early = fmax(0, -(w->start + s->delay));
  const int64_t before = (int64_t)ceil((4 * s->length + early) / s->dt);
  const fm_filter_spec spec = spec_of(s, w, before);
  fm_filter *filter;
  double *x;

  PetscFunctionBegin;
  PetscCall(fm_filter_create(&spec, &filter));
  PetscCall(fm_calloc(spec.n_out, &x));
  fm_filter_apply(filter, w->x, x);
  PetscCall(fm_filter_destroy(&filter));
  if (fm_band_limited(&spec.band) || s->delay != 0) s->same_wavelet = PETSC_FALSE;
  PetscCall(check_cut(s, before, x));
  PetscCall(fm_calloc(s->steps, &s->wavelet));
  PetscCall(PetscArraycpy(s->wavelet, x + before, (size_t)s->steps));
  PetscCall(PetscFree(x));
  PetscCall(make_spectrum(s));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_make_wavelet(fm_shots *s) {
  wavelet w = {0};
  fm_band asked;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("shots_delay", 0, 1e6, &s->delay));
  PetscCall(read_band(s->world, &asked));
  PetscCall(read_wavelet(s, &w));
  PetscCall(check_rates(s, &w, &asked));
  PetscCall(choose_band(s, &asked));
  PetscCall(filter_wavelet(s, &w));
  PetscCall(PetscFree(w.x));
  PetscFunctionReturn(0);
}
