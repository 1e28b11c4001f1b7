#include "fathom/filter.h"
#include "fathom/fft.h"
#include <math.h>

#define FINER 4      /* samples between, for the sinc */
#define HALF 12      /* its half-width, in those */
#define KAISER 22.   /* shape parameter of its window */
#define ON_GRID 1e-9 /* of a sample */
#define OUTSIDE 0.01 /* of the impulse response */

/* ---- bands ---- */

double fm_band_gain(const fm_band *b, double frequency) {
  const double f = fabs(frequency);

  if (f >= b->f[1] && f <= b->f[2]) return 1;
  if (f <= b->f[0] || f >= b->f[3]) return 0;
  if (f < b->f[1]) return pow(sin(PETSC_PI / 2 * (f - b->f[0]) / (b->f[1] - b->f[0])), 2);
  return pow(cos(PETSC_PI / 2 * (f - b->f[2]) / (b->f[3] - b->f[2])), 2);
}

PetscBool fm_band_limited(const fm_band *b) {
  return b->f[1] > 0 || isfinite(b->f[3]) ? PETSC_TRUE : PETSC_FALSE;
}

fm_band fm_band_below(fm_band b, double nyquist) {
  b.f[2] = fmin(b.f[2], 0.8 * nyquist);
  b.f[3] = fmin(b.f[3], nyquist);
  return b;
}

/* int cos^4 over a taper is 3/8 of its width */
double fm_band_noise(const fm_band *b, double nyquist) {
  const double tapers = b->f[1] - b->f[0] + b->f[3] - b->f[2];

  if (!fm_band_limited(b)) return 1;
  return sqrt((b->f[2] - b->f[1] + 3. / 8 * tapers) / nyquist);
}

/* The transform of the gain: real[k] is h at k period/size, h even. */
static void respond(const fm_band *b, double period, fm_fft *fft) {
  for (int64_t k = 0; k < fft->modes; k++) {
    fft->spectrum[k][0] = fm_band_gain(b, (double)k / period);
    fft->spectrum[k][1] = 0;
  }
  fm_fft_backward(fft);
}

static int64_t power_of_two(double at_least) {
  int64_t n = 16;

  while ((double)n < at_least) n *= 2;
  return n;
}

PetscErrorCode fm_band_length(const fm_band *b, double *length) {
  double narrow = INFINITY, rest = 0, all, top, period;
  int64_t n;
  fm_fft *fft;

  PetscFunctionBegin;
  *length = 0;
  if (!fm_band_limited(b)) PetscFunctionReturn(0);
  for (int k = 0; k < 4; k += 2)
    if (b->f[k + 1] > b->f[k]) narrow = fmin(narrow, b->f[k + 1] - b->f[k]);
  top = isfinite(b->f[3]) ? b->f[3] : 8 * b->f[1];
  period = 16 / fmin(narrow, top);
  n = PetscMin(power_of_two(32 * top * period), (int64_t)1 << 22);
  PetscCall(fm_fft_create(1, &n, &fft));
  respond(b, period, fft);
  /* without a high cut h has a spike at 0 beside its tails: it counts */
  all = -0.5 * fabs(fft->real[0]);
  for (int64_t k = 0; k <= n / 2; k++) all += fabs(fft->real[k]);
  for (n = n / 2; n > 0 && rest <= OUTSIDE * all; n--) rest += fabs(fft->real[n]);
  *length = (double)(n + 1) * period / (double)fft->size;
  PetscCall(fm_fft_destroy(&fft));
  PetscFunctionReturn(0);
}

/* ---- traces ---- */

struct fm_filter {
  fm_filter_spec spec;
  PetscBool copies;
  int64_t stride, offset; /* of a copy: out k is in offset + k stride */
  fm_fft *coarse, *fine;  /* at the input's rate, and FINER times as fine */
  double *gain;           /* [coarse->modes] */
};

/* Is every output sample an input sample? */
static PetscBool find_copy(fm_filter *f) {
  const fm_filter_spec *s = &f->spec;
  const double stride = s->dt_out / s->dt_in, offset = (s->start_out - s->start_in) / s->dt_in;

  f->stride = llround(stride);
  f->offset = llround(offset);
  return !fm_band_limited(&s->band) && f->stride >= 1 &&
                 fabs(stride - (double)f->stride) * (double)s->n_out < 1e-6 &&
                 fabs(offset - (double)f->offset) < 1e-6
             ? PETSC_TRUE
             : PETSC_FALSE;
}

static PetscErrorCode create_transforms(fm_filter *f) {
  const fm_filter_spec *s = &f->spec;
  int64_t n, finer;
  double length;

  PetscFunctionBegin;
  PetscCall(fm_band_length(&s->band, &length));
  n = power_of_two(PetscMax(2 * (double)s->n_in, (double)s->n_in + 4 * length / s->dt_in));
  finer = FINER * n;
  PetscCall(fm_fft_create(1, &n, &f->coarse));
  PetscCall(fm_fft_create(1, &finer, &f->fine));
  PetscCall(fm_calloc(f->coarse->modes, &f->gain));
  for (int64_t k = 0; k < f->coarse->modes; k++)
    f->gain[k] = FINER * fm_band_gain(&s->band, (double)k / ((double)n * s->dt_in));
  f->gain[f->coarse->modes - 1] /= 2; /* Nyquist: half of it on either side */
  PetscFunctionReturn(0);
}

PetscErrorCode fm_filter_create(const fm_filter_spec *spec, fm_filter **filter) {
  fm_filter *f;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  f->spec = *spec;
  f->copies = find_copy(f);
  if (!f->copies) PetscCall(create_transforms(f));
  *filter = f;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_filter_destroy(fm_filter **filter) {
  PetscFunctionBegin;
  if (!*filter) PetscFunctionReturn(0);
  PetscCall(fm_fft_destroy(&(*filter)->coarse));
  PetscCall(fm_fft_destroy(&(*filter)->fine));
  PetscCall(PetscFree((*filter)->gain));
  PetscCall(PetscFree(*filter));
  PetscFunctionReturn(0);
}

/* exp(KAISER (sqrt(1 - x^2) - 1)) follows the Kaiser window within its own side lobes */
static double weight_of(double distance) {
  const double inside = 1 - distance * distance / (HALF * HALF);

  if (inside <= 0) return 0;
  return sin(PETSC_PI * distance) / (PETSC_PI * distance) * exp(KAISER * (sqrt(inside) - 1));
}

/* The periodic trace x[n] at sample `at`. */
static double between(const double *x, int64_t n, double at) {
  const int64_t base = (int64_t)floor(at), nearest = llround(at);
  double sum = 0;

  if (fabs(at - (double)nearest) <= ON_GRID) return x[(nearest % n + n) % n];
  for (int64_t i = base - HALF + 1; i <= base + HALF; i++)
    sum += weight_of(at - (double)i) * x[(i % n + n) % n];
  return sum;
}

static void copy_samples(const fm_filter *f, const double *in, double *out) {
  for (int64_t k = 0; k < f->spec.n_out; k++) {
    const int64_t at = f->offset + k * f->stride;

    out[k] = at >= 0 && at < f->spec.n_in ? in[at] : 0;
  }
}

/* in, filtered, at the finer rate and periodic in fine->real */
static void make_fine(fm_filter *f, const double *in) {
  fm_fft *coarse = f->coarse, *fine = f->fine;

  for (int64_t j = 0; j < coarse->size; j++) coarse->real[j] = j < f->spec.n_in ? in[j] : 0;
  fm_fft_forward(coarse);
  for (int64_t k = 0; k < fine->modes; k++)
    for (int part = 0; part < 2; part++)
      fine->spectrum[k][part] = k < coarse->modes ? f->gain[k] * coarse->spectrum[k][part] : 0;
  fm_fft_backward(fine);
}

void fm_filter_apply(fm_filter *f, const double *in, double *out) {
  const fm_filter_spec *s = &f->spec;
  double pad;

  if (f->copies) {
    copy_samples(f, in, out);
    return;
  }
  make_fine(f, in);
  pad = (double)(f->coarse->size - s->n_in) / 2;
  for (int64_t k = 0; k < s->n_out; k++) {
    const double at = (s->start_out - s->start_in + (double)k * s->dt_out) / s->dt_in;
    const PetscBool near = at >= -pad && at <= (double)s->n_in + pad ? PETSC_TRUE : PETSC_FALSE;

    out[k] = near ? between(f->fine->real, f->fine->size, FINER * at) : 0;
  }
}
