/* OUT/shots.h5 as the operator acoustic and the likelihood read it, and the options that say
   so. */
#include "cli/shots.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <errno.h>
#include <math.h>

/* ---- figures ---- */

static PetscErrorCode report(const fm_shots *s) {
  const int64_t n = fm_shots_traces(s);
  double low = INFINITY, high = 0, square = 0, signal = 0;
  int64_t live = 0, counts = 0;
  fm_results *r = s->run->results;

  PetscFunctionBegin;
  for (int64_t k = 0; k < s->nshot; k++) {
    low = fmin(low, s->noise[k]);
    high = fmax(high, s->noise[k]);
    square += s->noise[k] * s->noise[k] / (double)s->nshot;
  }
  for (int64_t i = 0; i < n; i++) live += s->live[i];
  for (int64_t i = 0; i < n * s->samples; i++)
    if (s->mask[i]) {
      counts++;
      signal += pow(s->y[i] / s->noise[i / s->samples / s->nreceiver], 2);
    }
  fm_check(counts, s->world, PETSC_ERR_USER,
           "mutes, weights and what is recorded leave none of the %lld data: check "
           "-shots_mute_... and the length of the records",
           (long long)(n * s->samples));
  signal = signal / (double)counts - 1;
  PetscCall(fm_result(r, "shots", (double)s->nshot, "1"));
  PetscCall(fm_result(r, "receivers", (double)s->nreceiver, "1"));
  PetscCall(fm_result(r, "live_traces", (double)live, "1"));
  PetscCall(fm_result(r, "samples", (double)s->samples, "1"));
  PetscCall(fm_result(r, "muted_share", 1 - (double)counts / (double)(n * s->samples), "1"));
  PetscCall(fm_result(r, "noise_std", sqrt(square), "1"));
  PetscCall(fm_result(r, "noise_std_least", low, "1"));
  PetscCall(fm_result(r, "noise_std_most", high, "1"));
  PetscCall(fm_result(r, "snr", 10 * log10(fmax(signal, 1e-12)), "dB"));
  if (signal <= 0) fm_log("warning: the data that count do not rise above their noise level");
  PetscFunctionReturn(0);
}

/* ---- shots.h5 ---- */

static PetscErrorCode write_data(const fm_shots *s, fm_store *store) {
  const int64_t m = fm_shots_traces(s) * s->samples;
  fm_real *numbers;

  PetscFunctionBegin;
  PetscCall(fm_calloc(m, &numbers));
  for (int64_t i = 0; i < m; i++) numbers[i] = (fm_real)s->y[i];
  PetscCall(fm_store_write(store, "/y", FM_TYPE_REAL, 1, &m, numbers));
  for (int64_t i = 0; i < m; i++) numbers[i] = (fm_real)s->trace_noise[i / s->samples];
  PetscCall(fm_store_write(store, "/noise_std", FM_TYPE_REAL, 1, &m, numbers));
  PetscCall(fm_store_write(store, "/mask", FM_UINT8, 1, &m, s->mask));
  PetscCall(PetscFree(numbers));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_places(const fm_shots *s, fm_store *store) {
  const int64_t source[2] = {s->nshot, 2}, receiver[3] = {s->nshot, s->nreceiver, 2};
  const int common = s->moving ? 0 : 1;

  PetscFunctionBegin;
  PetscCall(fm_store_write(store, "/sources", FM_FLOAT64, 2, source, s->source));
  PetscCall(fm_store_write(store, "/receivers", FM_FLOAT64, 3 - common, receiver + common,
                           s->receiver));
  PetscCall(fm_store_write(store, "/wavelet", FM_FLOAT64, 1, &s->steps, s->wavelet));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_attributes(const fm_shots *s, fm_store *store) {
  static const char *const corner[] = {"f1", "f2", "f3", "f4"};

  PetscFunctionBegin;
  PetscCall(fm_store_set_text(store, "/", "settings", s->run->settings));
  PetscCall(fm_store_set_integer(store, "/y", "shots", s->nshot));
  PetscCall(fm_store_set_integer(store, "/y", "receivers", s->nreceiver));
  PetscCall(fm_store_set_integer(store, "/y", "samples", s->samples));
  PetscCall(fm_store_set_real(store, "/y", "dt", s->interval));
  PetscCall(fm_store_set_real(store, "/y", "delay", s->delay));
  PetscCall(fm_store_set_real(store, "/wavelet", "dt", s->dt));
  for (int k = 0; k < 4 && fm_band_limited(&s->band); k++)
    PetscCall(fm_store_set_real(store, "/y", corner[k], s->band.f[k]));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_store(const fm_shots *s, const char *path) {
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_create(s->world, path, &store));
  PetscCall(write_data(s, store));
  PetscCall(write_places(s, store));
  PetscCall(write_attributes(s, store));
  PetscCall(fm_store_commit(&store, NULL));
  PetscFunctionReturn(0);
}

/* ---- shots.yaml ---- */

static int write_text(const char *path, const char *text) {
  char next[PETSC_MAX_PATH_LEN + 8];
  FILE *file;
  int bad;

  snprintf(next, sizeof(next), "%s.tmp", path);
  if (!(file = fopen(next, "w"))) return errno;
  bad = fputs(text, file) < 0;
  bad |= fclose(file) != 0;
  if (!bad) bad = rename(next, path) != 0;
  return bad ? (errno ? errno : EIO) : 0;
}

static PetscErrorCode write_options(const fm_shots *s, const char *path, const char *data) {
  static const char *const entry[][2] = {{"acoustic_sources", "sources"},
                                         {"acoustic_receivers", "receivers"},
                                         {"observed", "y"},
                                         {"noise_std", "noise_std"},
                                         {"data_mask", "mask"},
                                         {"acoustic_wavelet", "wavelet"}};
  char text[6 * (PETSC_MAX_PATH_LEN + 64)] = "";
  size_t used = 0;
  PetscMPIInt rank;
  int failed = 0, worst;

  PetscFunctionBegin;
  for (int k = 0; k < (s->same_wavelet ? 5 : 6); k++)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s: \"%s:/%s\"\n", entry[k][0],
                             data, entry[k][1]);
  PetscCallMPI(MPI_Comm_rank(s->world, &rank));
  if (!rank) failed = write_text(path, text);
  PetscCall(fm_comm_agree(s->world, failed, &worst));
  fm_check(!worst, s->world, PETSC_ERR_FILE_WRITE, "cannot write '%s': %s", path,
           strerror(worst));
  fm_log(
      "options for the operator acoustic, in '%s' (-options_file_yaml may be given more than "
      "once, the last one counts):\n%s",
      path, text);
  if (!s->same_wavelet)
    fm_log("the wavelet is %s:/wavelet now: leave -acoustic_wavelet_frequency out", data);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_write(fm_shots *s) {
  char data[PETSC_MAX_PATH_LEN], options[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(report(s));
  PetscCall(fm_run_path(s->run, "shots.h5", data));
  PetscCall(fm_run_path(s->run, "shots.yaml", options));
  PetscCall(write_store(s, data));
  fm_log("wrote %lld shots of %lld receivers, %lld samples of %.6g s, to '%s'",
         (long long)s->nshot, (long long)s->nreceiver, (long long)s->samples, s->interval,
         data);
  PetscCall(write_options(s, options, data));
  PetscFunctionReturn(0);
}
