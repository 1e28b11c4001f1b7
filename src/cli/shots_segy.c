/* Recorded shots from SEG-Y: who shot and who heard, on the line that fits best. */
#include "cli/shots.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/segy.h"
#include <math.h>

#define PIECE 1024 /* traces read at once */

typedef struct {
  fm_shots *shots;
  const char *path;
  fm_segy *segy;
  int64_t n;
  fm_segy_trace *header; /* [n] */
  fm_shots_trace *trace; /* [n] in order */
  int64_t *place;        /* [n] of trace[i] */
} reading;

/* ---- headers ---- */

static PetscErrorCode check_header(const reading *r, int64_t i) {
  const fm_segy_trace *h = r->header + i;

  PetscFunctionBegin;
  fm_check(h->units < 2, r->shots->world, PETSC_ERR_USER,
           "trace %lld of '%s' has coordinates in angles (bytes 89: %lld), lengths are needed",
           (long long)i, r->path, (long long)h->units);
  fm_check(!h->samples || h->samples == r->shots->n_in, r->shots->world, PETSC_ERR_USER,
           "trace %lld of '%s' says that it has %lld samples (bytes 115), the file has %lld a "
           "trace",
           (long long)i, r->path, (long long)h->samples, (long long)r->shots->n_in);
  fm_check(h->dt == 0 || fabs(h->dt - r->header[0].dt) < 1e-9, r->shots->world, PETSC_ERR_USER,
           "trace %lld of '%s' is sampled every %g s (bytes 117), trace 0 every %g s: one "
           "interval is needed",
           (long long)i, r->path, h->dt, r->header[0].dt);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_interval(reading *r) {
  PetscBool given;
  double dt = r->header[0].dt > 0 ? r->header[0].dt : fm_segy_dt(r->segy);

  PetscFunctionBegin;
  PetscCall(fm_option_given("shots_dt", &given));
  if (given) PetscCall(fm_option_real_in("shots_dt", 1e-9, 1e3, &dt));
  fm_check(dt > 0, r->shots->world, PETSC_ERR_USER,
           "'%s' does not say its sample interval (bytes 3217 and 117): give -shots_dt",
           r->path);
  r->shots->dt_in = dt;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_headers(reading *r) {
  PetscFunctionBegin;
  r->n = fm_segy_traces(r->segy);
  r->shots->n_in = fm_segy_samples(r->segy);
  PetscCall(fm_calloc(r->n, &r->header));
  PetscCall(fm_calloc(r->n, &r->trace));
  PetscCall(fm_calloc(r->n, &r->place));
  PetscCall(fm_segy_read_geometry(r->segy, 0, r->n, r->header));
  for (int64_t i = 0; i < r->n; i++) PetscCall(check_header(r, i));
  PetscCall(read_interval(r));
  PetscFunctionReturn(0);
}

/* ---- the line ---- */

typedef struct {
  double mean[2], along[2];
} line;

/* The principal axis of all sources and receivers, towards east, or north. */
static void fit_line(const reading *r, line *l) {
  double m[3] = {0};

  *l = (line){.along = {1, 0}};
  for (int64_t i = 0; i < r->n; i++)
    for (int d = 0; d < 2; d++)
      l->mean[d] += 0.5 * (r->header[i].source[d] + r->header[i].receiver[d]) / (double)r->n;
  for (int64_t i = 0; i < r->n; i++)
    for (int end = 0; end < 2; end++) {
      const double *at = end ? r->header[i].receiver : r->header[i].source;
      const double x = at[0] - l->mean[0], y = at[1] - l->mean[1];

      m[0] += x * x;
      m[1] += x * y;
      m[2] += y * y;
    }
  if (m[0] + m[2] > 0) {
    const double angle = 0.5 * atan2(2 * m[1], m[0] - m[2]);

    l->along[0] = fabs(cos(angle)) < 1e-12 ? 0 : cos(angle);
    l->along[1] = fabs(sin(angle)) < 1e-12 ? 0 : sin(angle);
    if (l->along[0] == 0) l->along[1] = 1;
  }
}

static double off_line(const line *l, const double *at) {
  return fabs(-(at[0] - l->mean[0]) * l->along[1] + (at[1] - l->mean[1]) * l->along[0]);
}

static PetscErrorCode check_straight(const reading *r, const line *l) {
  int64_t worst = 0;
  double most = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < r->n; i++) {
    const double off =
        fmax(off_line(l, r->header[i].source), off_line(l, r->header[i].receiver));

    if (off > most) worst = i;
    most = fmax(most, off);
  }
  fm_check(most <= r->shots->dx, r->shots->world, PETSC_ERR_USER,
           "the line is crooked: source or receiver of trace %lld of '%s' lies %.6g m off the "
           "straight line that fits best, more than the model's spacing of %.6g m: project the "
           "survey on a line first, or cut it",
           (long long)worst, r->path, most, r->shots->dx);
  if (l->along[1] != 0)
    fm_log("the line runs along azimuth %.3f degrees, sources and receivers lie up to %.3g m "
           "off it",
           180 / PETSC_PI * atan2(l->along[0], l->along[1]), most);
  PetscFunctionReturn(0);
}

static PetscErrorCode project(reading *r) {
  int down;
  line l;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("shots_elevation", "up|down", &down));
  fit_line(r, &l);
  PetscCall(check_straight(r, &l));
  for (int64_t i = 0; i < r->n; i++) {
    const fm_segy_trace *h = r->header + i;
    const double sign = down ? 1 : -1;

    r->trace[i] =
        (fm_shots_trace){.source = {sign * h->source[2] + h->depth,
                                    h->source[0] * l.along[0] + h->source[1] * l.along[1]},
                         .receiver = {sign * h->receiver[2], h->receiver[0] * l.along[0] +
                                                                 h->receiver[1] * l.along[1]},
                         .record = h->record,
                         .index = i};
  }
  PetscFunctionReturn(0);
}

/* ---- samples ---- */

/* Traces [first, first + count) of the file to their places; place_of [n], by index. */
static void put(const reading *r, int64_t first, int64_t count, const float *samples,
                const int64_t *place_of) {
  fm_shots *s = r->shots;

  for (int64_t i = 0; i < count; i++) {
    const int64_t to = place_of[first + i];
    PetscBool silent = PETSC_TRUE;

    for (int64_t k = 0; k < s->n_in; k++) {
      s->recorded[to * s->n_in + k] = (double)samples[i * s->n_in + k];
      if (samples[i * s->n_in + k] != 0) silent = PETSC_FALSE;
    }
    s->start[to] = r->header[first + i].delay;
    s->live[to] = !silent && r->header[first + i].id != 2 && r->header[first + i].id != 3;
  }
}

static PetscErrorCode read_samples(reading *r) {
  fm_shots *s = r->shots;
  int64_t *place_of;
  float *samples;

  PetscFunctionBegin;
  PetscCall(fm_calloc(fm_shots_traces(s) * s->n_in, &s->recorded));
  PetscCall(fm_calloc(fm_shots_traces(s), &s->start));
  PetscCall(fm_calloc(fm_shots_traces(s), &s->live));
  PetscCall(fm_calloc(r->n, &place_of));
  PetscCall(fm_calloc(PetscMin(PIECE, r->n) * s->n_in, &samples));
  for (int64_t i = 0; i < r->n; i++) place_of[r->trace[i].index] = r->place[i];
  for (int64_t first = 0; first < r->n; first += PIECE) {
    const int64_t count = PetscMin(PIECE, r->n - first);

    PetscCall(fm_segy_read_traces(r->segy, first, count, samples));
    put(r, first, count, samples, place_of);
  }
  PetscCall(PetscFree(samples));
  PetscCall(PetscFree(place_of));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_read_segy(fm_shots *s, const char *path) {
  reading r = {.shots = s, .path = path};

  PetscFunctionBegin;
  PetscCall(fm_segy_open(s->world, path, &r.segy));
  PetscCall(read_headers(&r));
  PetscCall(project(&r));
  PetscCall(fm_shots_layout(s, r.n, r.trace, r.place));
  PetscCall(read_samples(&r));
  PetscCall(PetscFree(r.header));
  PetscCall(PetscFree(r.trace));
  PetscCall(PetscFree(r.place));
  PetscCall(fm_segy_close(&r.segy));
  PetscFunctionReturn(0);
}
