/* Amplitude spectra of data and wavelet. */
#include "cli/shots.h"
#include "fathom/fft.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

PetscErrorCode fm_shots_spectrum(int64_t n, int64_t samples, const double *x,
                                 const unsigned char *live, double dt, int64_t *lines,
                                 double *df, double **power) {
  int64_t size = 256;
  fm_fft *fft;

  PetscFunctionBegin;
  while (size < 4 * samples) size *= 2;
  PetscCall(fm_fft_create(1, &size, &fft));
  *lines = fft->modes;
  *df = 1 / ((double)size * dt);
  PetscCall(fm_calloc(*lines, power));
  for (int64_t i = 0; i < n; i++) {
    if (live && !live[i]) continue;
    for (int64_t k = 0; k < size; k++) fft->real[k] = k < samples ? x[i * samples + k] : 0;
    fm_fft_forward(fft);
    for (int64_t k = 0; k < *lines; k++)
      (*power)[k] += pow(fft->spectrum[k][0], 2) + pow(fft->spectrum[k][1], 2);
  }
  PetscCall(fm_fft_destroy(&fft));
  PetscFunctionReturn(0);
}

void fm_shots_band_of(int64_t lines, double df, const double *power, double *low,
                      double *high) {
  double most = 0;

  *low = *high = 0;
  for (int64_t k = 0; k < lines; k++) most = fmax(most, power[k]);
  if (most == 0) return;
  *low = INFINITY;
  for (int64_t k = 0; k < lines; k++)
    if (power[k] >= FM_SHOTS_FLOOR * FM_SHOTS_FLOOR * most) {
      *low = fmin(*low, (double)k * df);
      *high = (double)k * df;
    }
}

double fm_shots_energy(int64_t lines, double df, const double *power, double low, double high,
                       double *centre) {
  double sum = 0, moment = 0;

  for (int64_t k = 0; k < lines; k++)
    if ((double)k * df >= low && (double)k * df <= high) {
      sum += power[k];
      moment += power[k] * (double)k * df;
    }
  *centre = sum > 0 ? moment / sum : 0;
  return sum;
}

#define LEAST_SHARE 0.5 /* of the data's energy in the wavelet's band */
#define FAIR_SHARE 0.8  /* below: a warning */
#define MOST_RATIO 2.   /* of the centroids */
#define FAIR_RATIO 1.5  /* beyond: a warning */

PetscErrorCode fm_shots_check_wavelet(fm_shots *s) {
  double df, *power, share, centre, all, ratio;
  PetscBool forgiven, good;
  char text[400];
  int64_t lines;

  PetscFunctionBegin;
  PetscCall(fm_option_flag("shots_wavelet_mismatch_ok", &forgiven));
  PetscCall(fm_shots_spectrum(fm_shots_traces(s), s->samples, s->y, s->live, s->interval,
                              &lines, &df, &power));
  all = fm_shots_energy(lines, df, power, 0, INFINITY, &centre);
  fm_check(all > 0, s->world, PETSC_ERR_USER, "no energy of -shots lies in the band asked for");
  share = fm_shots_energy(lines, df, power, s->low, s->high, &centre) / all;
  PetscCall(PetscFree(power));
  ratio = centre > 0 ? fmax(centre / s->centre, s->centre / centre) : INFINITY;
  PetscCall(fm_result(s->run->results, "data_in_wavelet_band", share, "1"));
  PetscCall(fm_result(s->run->results, "data_centroid_frequency", centre, "Hz"));
  PetscCall(fm_result(s->run->results, "wavelet_centroid_frequency", s->centre, "Hz"));
  snprintf(text, sizeof(text),
           "%.3g of the data's energy lies in the wavelet's band, %.4g to %.4g Hz, and there "
           "the data's centroid is %.4g Hz, the wavelet's %.4g Hz",
           share, s->low, s->high, centre, s->centre);
  good = share >= LEAST_SHARE && ratio <= MOST_RATIO ? PETSC_TRUE : PETSC_FALSE;
  fm_check(good || forgiven, s->world, PETSC_ERR_USER,
           "the wavelet is at odds with the data: %s; a share of %.3g and a ratio of %.3g are "
           "the limits: check the wavelet, the band and the unit of -shots_dt, or go on with "
           "-shots_wavelet_mismatch_ok",
           text, LEAST_SHARE, MOST_RATIO);
  if (!good || share < FAIR_SHARE || ratio > FAIR_RATIO) fm_log("warning: %s", text);
  PetscFunctionReturn(0);
}
