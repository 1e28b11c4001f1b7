#include "dispersion.h"
#include <math.h>
#include <petscdt.h>

#define BAND 1.5         /* of the maximum frequency: where the fit ends */
#define LARGEST 1.9      /* w dt: the scheme has no frequencies beyond 2 */
#define PENALTY 1e-7     /* on the size of the weights, to the mean square of the fit */
#define MARGIN 16        /* samples beyond those of the same phase */
#define MOST_REACH 2048  /* samples */
#define NEGLIGIBLE 1e-10 /* of a row's largest weight */

/* Row i has the weights value[start[i] .. start[i+1]) on samples first[i], first[i] + 1, ... */
typedef struct band {
  int64_t rows, columns, *first, *start;
  double *value;
} band;

/* The same for traces, in the precision of the time loop. */
typedef struct band_real {
  int64_t rows, columns, *first, *start;
  fm_real *value;
} band_real;

struct fm_dispersion {
  int64_t steps, loop_steps, samples;
  band source;               /* [loop steps] from [steps]; rows 0: none */
  band_real record, adjoint; /* [samples] from [loop steps], and its transpose */
};

/* ---- the fit of one row ---- */

/* exp(i beta(a) r) by sum_j q_j exp(i a j) over 0 <= a <= end. Traces: a = w' dt, beta = w dt;
   wavelet: the other way about. */
typedef struct fit {
  double end, slope, bend; /* beta' and |beta''| at the end; beta' is 1 at 0 */
  int64_t reach;           /* of the longest row */
  PetscInt nodes;
  double *a, *weight, *beta; /* [nodes] quadrature */
  double *re, *im, *c, *s;   /* [nodes] the running exp(i (a j - beta r)) and exp(i a) */
  double *factor;            /* [reach][reach] Cholesky factor; its leading blocks serve all */
  double *q;                 /* [reach] */
} fit;

/* Samples from which row r is summed. */
static void window_of(const fit *f, int64_t r, int64_t *low, int64_t *high) {
  const double at_end = (double)r * f->slope;
  const int64_t margin = PetscMin(MARGIN, 2 + r / 8);
  const int64_t more = margin + (int64_t)(0.5 * sqrt((double)r * f->bend));

  *low = PetscMin(r - margin, (int64_t)floor(at_end) - more);
  *high = PetscMax(r + margin, (int64_t)ceil(at_end) + more);
}

static double sinc(double x) { return x == 0 ? 1 : sin(x) / x; }

/* L L^T = the Gram matrix of exp(i a j), sinc(end (i - j)), plus the penalty. */
static void factorize(fit *f) {
  for (int64_t i = 0; i < f->reach; i++) {
    double *row = f->factor + i * f->reach;

    for (int64_t j = 0; j <= i; j++) {
      const double *other = f->factor + j * f->reach;
      double sum = sinc(f->end * (double)(i - j)) + (i == j ? PENALTY : 0);

      for (int64_t k = 0; k < j; k++) sum -= row[k] * other[k];
      row[j] = i == j ? sqrt(sum) : sum / other[j];
    }
  }
}

/* q = (L L^T)^-1 q, the leading n x n block */
static void substitute(const fit *f, int64_t n, double *q) {
  for (int64_t i = 0; i < n; i++) {
    const double *row = f->factor + i * f->reach;

    for (int64_t k = 0; k < i; k++) q[i] -= row[k] * q[k];
    q[i] /= row[i];
  }
  for (int64_t i = n - 1; i >= 0; i--) {
    const double *row = f->factor + i * f->reach;

    q[i] /= row[i];
    for (int64_t k = 0; k < i; k++) q[k] -= row[k] * q[i];
  }
}

/* Inner products of exp(i beta r) - exp(i a r) with exp(i a j), low <= j < low + n. */
static void project(fit *f, int64_t r, int64_t low, int64_t n) {
  for (PetscInt g = 0; g < f->nodes; g++) {
    const double phase = f->a[g] * (double)low - f->beta[g] * (double)r;

    f->re[g] = f->weight[g] * cos(phase);
    f->im[g] = f->weight[g] * sin(phase);
  }
  for (int64_t j = 0; j < n; j++) {
    double sum = -sinc(f->end * (double)(low + j - r));

    for (PetscInt g = 0; g < f->nodes; g++) sum += f->re[g];
    for (PetscInt g = 0; g < f->nodes; g++) {
      const double re = f->re[g] * f->c[g] - f->im[g] * f->s[g];

      f->im[g] = f->re[g] * f->s[g] + f->im[g] * f->c[g];
      f->re[g] = re;
    }
    f->q[j] = sum;
  }
}

/* The weights of row r: the identity and the fit of the rest, on *low .. *low + *n - 1. */
static void fit_row(fit *f, int64_t r, int64_t *low, int64_t *n) {
  int64_t high;

  window_of(f, r, low, &high);
  *n = high - *low + 1;
  project(f, r, *low, *n);
  substitute(f, *n, f->q);
  f->q[r - *low] += 1;
}

static PetscErrorCode fit_destroy(fit *f) {
  PetscFunctionBegin;
  PetscCall(PetscFree7(f->a, f->weight, f->beta, f->re, f->im, f->c, f->s));
  PetscCall(PetscFree2(f->factor, f->q));
  PetscFunctionReturn(0);
}

/* w dt of a w' dt, and back */
static double slowed(double a) { return 2 * sin(a / 2); }
static double quickened(double a) { return 2 * asin(a / 2); }

/* For rows 0 .. last; `end` is in the variable of the samples that are summed. */
static PetscErrorCode fit_create(double end, PetscBool quicken, int64_t last, fit *f) {
  const double half = quicken ? end / 2 : sin(end / 2), root = sqrt(1 - half * half);
  int64_t low, high;

  PetscFunctionBegin;
  *f = (fit){.end = end,
             .slope = quicken ? 1 / root : root,
             .bend = quicken ? half / 2 / (root * root * root) : half / 2};
  window_of(f, last, &low, &high);
  f->reach = high - low + 1;
  fm_check(f->reach <= MOST_REACH, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "the time-dispersion transform of %lld samples would sum over %lld of them, at most "
           "%d: take a smaller -acoustic_dt or -acoustic_time_order 4",
           (long long)last + 1, (long long)f->reach, MOST_REACH);
  f->nodes = 48 + (PetscInt)(0.6 * end * (double)f->reach);
  PetscCall(PetscMalloc7(f->nodes, &f->a, f->nodes, &f->weight, f->nodes, &f->beta, f->nodes,
                         &f->re, f->nodes, &f->im, f->nodes, &f->c, f->nodes, &f->s));
  PetscCall(PetscMalloc2(f->reach * f->reach, &f->factor, f->reach, &f->q));
  PetscCall(PetscDTGaussQuadrature(f->nodes, 0, end, f->a, f->weight));
  for (PetscInt g = 0; g < f->nodes; g++) {
    f->weight[g] /= end;
    f->beta[g] = quicken ? quickened(f->a[g]) : slowed(f->a[g]);
    f->c[g] = cos(f->a[g]);
    f->s[g] = sin(f->a[g]);
  }
  factorize(f);
  PetscFunctionReturn(0);
}

/* ---- bands ---- */

static PetscErrorCode band_create(int64_t rows, int64_t columns, int64_t entries, band *b) {
  PetscFunctionBegin;
  b->rows = rows;
  b->columns = columns;
  PetscCall(PetscCalloc3(rows, &b->first, rows + 1, &b->start, entries, &b->value));
  PetscFunctionReturn(0);
}

static PetscErrorCode band_destroy(band *b) {
  PetscFunctionBegin;
  PetscCall(PetscFree3(b->first, b->start, b->value));
  PetscFunctionReturn(0);
}

/* Row i takes the weights q of samples low, low + 1, ..., less what lies outside the columns
   and the negligible ends. */
static void set_row(band *b, int64_t i, int64_t low, int64_t n, const double *q) {
  int64_t from = PetscMax(0, -low), to = PetscMin(n, b->columns - low);
  double least = 0;

  for (int64_t k = from; k < to; k++) least = fmax(least, NEGLIGIBLE * fabs(q[k]));
  while (from < to && fabs(q[from]) <= least) from++;
  while (from < to && fabs(q[to - 1]) <= least) to--;
  b->first[i] = from < to ? low + from : 0;
  b->start[i + 1] = b->start[i] + PetscMax(0, to - from);
  for (int64_t k = from; k < to; k++) b->value[b->start[i] + k - from] = q[k];
}

/* Rows 0, every, 2 every, ... of the fitted transform. */
static PetscErrorCode band_fit(fit *f, int64_t rows, int64_t every, int64_t columns, band *b) {
  int64_t low, n, high, entries = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < rows; i++) {
    window_of(f, i * every, &low, &high);
    entries += high - low + 1;
  }
  PetscCall(band_create(rows, columns, entries, b));
  for (int64_t i = 0; i < rows; i++) {
    fit_row(f, i * every, &low, &n);
    set_row(b, i, low, n, f->q);
  }
  PetscFunctionReturn(0);
}

/* Row i is sample i times every. */
static PetscErrorCode band_pick(int64_t rows, int64_t every, int64_t columns, band *b) {
  const double one = 1;

  PetscFunctionBegin;
  PetscCall(band_create(rows, columns, rows, b));
  for (int64_t i = 0; i < rows; i++) set_row(b, i, i * every, 1, &one);
  PetscFunctionReturn(0);
}

static PetscErrorCode band_to_real(const band *b, band_real *out) {
  const int64_t entries = b->start[b->rows];

  PetscFunctionBegin;
  out->rows = b->rows;
  out->columns = b->columns;
  PetscCall(PetscMalloc3(b->rows, &out->first, b->rows + 1, &out->start, entries, &out->value));
  PetscCall(PetscArraycpy(out->first, b->first, (size_t)b->rows));
  PetscCall(PetscArraycpy(out->start, b->start, (size_t)b->rows + 1));
  for (int64_t k = 0; k < entries; k++) out->value[k] = (fm_real)b->value[k];
  PetscFunctionReturn(0);
}

/* First row and one past the last that touch each column. */
static void touching_rows(const band_real *b, int64_t *first, int64_t *past) {
  for (int64_t j = 0; j < b->columns; j++) first[j] = past[j] = 0;
  for (int64_t i = 0; i < b->rows; i++)
    for (int64_t k = b->start[i]; k < b->start[i + 1]; k++) {
      const int64_t j = b->first[i] + k - b->start[i];

      if (!past[j]) first[j] = i;
      past[j] = i + 1;
    }
}

static PetscErrorCode band_transpose(const band_real *b, band_real *t) {
  int64_t *past, entries = 0;

  PetscFunctionBegin;
  t->rows = b->columns;
  t->columns = b->rows;
  PetscCall(PetscMalloc1(t->rows, &past));
  PetscCall(PetscMalloc2(t->rows, &t->first, t->rows + 1, &t->start));
  touching_rows(b, t->first, past);
  t->start[0] = 0;
  for (int64_t j = 0; j < t->rows; j++)
    t->start[j + 1] = entries += past[j] - (past[j] ? t->first[j] : 0);
  PetscCall(PetscFree(past));
  PetscCall(fm_calloc(entries, &t->value));
  for (int64_t i = 0; i < b->rows; i++)
    for (int64_t k = b->start[i]; k < b->start[i + 1]; k++) {
      const int64_t j = b->first[i] + k - b->start[i];

      t->value[t->start[j] + i - t->first[j]] = b->value[k];
    }
  PetscFunctionReturn(0);
}

/* ---- application ---- */

#define TILE 64 /* columns kept in registers and the nearest cache */

/* out[0 .. width) = sum_k value[k] in[k][0 .. width), rows of `in` are nr apart */
static void weigh(int64_t count, const fm_real *restrict value, int64_t nr, int64_t width,
                  const fm_real *restrict in, fm_real *restrict out) {
  fm_real sum[TILE] = {0};

  for (int64_t k = 0; k < count; k++)
    for (int64_t j = 0; j < width; j++) sum[j] += value[k] * in[k * nr + j];
  for (int64_t j = 0; j < width; j++) out[j] = sum[j];
}

static void band_apply(const band_real *b, int64_t nr, const fm_real *in, fm_real *out) {
  for (int64_t i = 0; i < b->rows; i++) {
    const int64_t count = b->start[i + 1] - b->start[i];
    const fm_real *value = b->value + b->start[i], *from = in + b->first[i] * nr;
    int64_t j = 0;

    for (; j + TILE <= nr; j += TILE) weigh(count, value, nr, TILE, from + j, out + i * nr + j);
    if (j < nr) weigh(count, value, nr, nr - j, from + j, out + i * nr + j);
  }
}

/* ---- the door ---- */

static PetscErrorCode create_transform(const fm_dispersion_spec *spec, fm_dispersion *d,
                                       band *record) {
  const double end = PetscMin(LARGEST, BAND * 2 * PETSC_PI * spec->max_frequency * spec->dt);
  fit f = {0};

  PetscFunctionBegin;
  d->loop_steps = spec->steps + PetscMin(MARGIN, 2 + (spec->steps - 1) / 8);
  PetscCall(fit_create(quickened(end), PETSC_FALSE, spec->steps - 1, &f));
  PetscCall(band_fit(&f, d->samples, spec->every, d->loop_steps, record));
  PetscCall(fit_destroy(&f));
  PetscCall(fit_create(end, PETSC_TRUE, d->loop_steps - 1, &f));
  PetscCall(band_fit(&f, d->loop_steps, 1, d->steps, &d->source));
  PetscCall(fit_destroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_bands(const fm_dispersion_spec *spec, fm_dispersion *d,
                                   band *record) {

  PetscFunctionBegin;
  if (spec->transform) {
    PetscCall(create_transform(spec, d, record));
    PetscFunctionReturn(0);
  }
  PetscCall(band_pick(d->samples, spec->every, d->loop_steps, record));
  PetscCall(band_pick(d->loop_steps, 1, d->steps, &d->source));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dispersion_create(const fm_dispersion_spec *spec, fm_dispersion **out) {
  band record = {0};
  PetscErrorCode code;
  fm_dispersion *d;

  PetscFunctionBegin;
  PetscCall(PetscNew(&d));
  d->steps = d->loop_steps = spec->steps;
  d->samples = (spec->steps - 1) / spec->every + 1;
  code = create_bands(spec, d, &record);
  if (!code) code = band_to_real(&record, &d->record);
  if (!code) code = band_transpose(&d->record, &d->adjoint);
  PetscCall(band_destroy(&record));
  if (code) PetscCall(fm_dispersion_destroy(&d));
  PetscCall(code);
  *out = d;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_dispersion_destroy(fm_dispersion **d) {
  PetscFunctionBegin;
  if (!*d) PetscFunctionReturn(0);
  PetscCall(band_destroy(&(*d)->source));
  PetscCall(PetscFree3((*d)->record.first, (*d)->record.start, (*d)->record.value));
  PetscCall(PetscFree2((*d)->adjoint.first, (*d)->adjoint.start));
  PetscCall(PetscFree((*d)->adjoint.value));
  PetscCall(PetscFree(*d));
  PetscFunctionReturn(0);
}

int64_t fm_dispersion_steps(const fm_dispersion *d) { return d->loop_steps; }
int64_t fm_dispersion_samples(const fm_dispersion *d) { return d->samples; }

void fm_dispersion_wavelet(const fm_dispersion *d, const double *wavelet, double *out) {
  const band *b = &d->source;

  for (int64_t i = 0; i < b->rows; i++) {
    double sum = 0;

    for (int64_t k = b->start[i]; k < b->start[i + 1]; k++)
      sum += b->value[k] * wavelet[b->first[i] + k - b->start[i]];
    out[i] = sum;
  }
}

void fm_dispersion_record(const fm_dispersion *d, int64_t nr, const fm_real *trace,
                          fm_real *data) {
  band_apply(&d->record, nr, trace, data);
}

void fm_dispersion_adjoint(const fm_dispersion *d, int64_t nr, const fm_real *data,
                           fm_real *trace) {
  band_apply(&d->adjoint, nr, data, trace);
}
