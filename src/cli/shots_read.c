/* -shots from SEG-Y or HDF5, in the model's coordinates. */
#include "cli/shots.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

#define ON_EDGE 1e-6 /* m */

PetscErrorCode fm_shots_pair(MPI_Comm comm, const char *option, const char *form,
                             double value[2], PetscBool *given) {
  int64_t shape[FM_STORE_NDIM];
  double *numbers;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, option, &ndim, shape, &numbers));
  *given = ndim ? PETSC_TRUE : PETSC_FALSE;
  fm_check(!ndim || (ndim == 1 && shape[0] == 2), comm, PETSC_ERR_USER,
           "-%s takes two numbers, %s: %lld are given", option, form,
           (long long)(ndim ? shape[0] : 0));
  for (int k = 0; k < 2 && ndim; k++) value[k] = numbers[k];
  PetscCall(PetscFree(numbers));
  PetscFunctionReturn(0);
}

/* ---- HDF5 ---- */

/* -option as places (z, x); shots 1: the same for all. */
static PetscErrorCode read_places(const fm_shots *s, const char *option, int64_t *shots,
                                  int64_t *points, double **places) {
  int64_t shape[FM_STORE_NDIM], count = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(s->world, option, &ndim, shape, places));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(ndim && count > 0 && count % 2 == 0 && ndim <= 3 &&
               (ndim == 1 || shape[ndim - 1] == 2),
           s->world, PETSC_ERR_USER,
           "shots of HDF5 need -%s: z,x,z,x,... in m, or FILE:/dataset of shape [n][2]%s",
           option, ndim ? "; this has another" : "");
  *shots = ndim == 3 ? shape[0] : 1;
  *points = count / 2 / *shots;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_survey(fm_shots *s) {
  int64_t shots;

  PetscFunctionBegin;
  PetscCall(read_places(s, "acoustic_sources", &shots, &s->nshot, &s->source));
  fm_check(shots == 1, s->world, PETSC_ERR_USER,
           "-acoustic_sources has three dimensions: one source a shot, [n][2], is needed");
  PetscCall(read_places(s, "acoustic_receivers", &shots, &s->nreceiver, &s->receiver));
  fm_check(shots == 1 || shots == s->nshot, s->world, PETSC_ERR_USER,
           "-acoustic_receivers are of %lld shots, -acoustic_sources of %lld", (long long)shots,
           (long long)s->nshot);
  s->moving = shots > 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static void find_live(fm_shots *s) {
  for (int64_t i = 0; i < fm_shots_traces(s); i++)
    for (int64_t k = 0; k < s->n_in && !s->live[i]; k++)
      s->live[i] = s->recorded[i * s->n_in + k] != 0;
}

static PetscErrorCode read_hdf5(fm_shots *s) {
  int64_t shape[FM_STORE_NDIM], count = 1, traces;
  PetscBool given;
  double start;
  int ndim;

  PetscFunctionBegin;
  PetscCall(read_survey(s));
  traces = fm_shots_traces(s);
  PetscCall(fm_store_option_array(s->world, "shots", &ndim, shape, &s->recorded));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  s->n_in = count / traces;
  fm_check(count % traces == 0 && s->n_in > 1 &&
               (ndim == 1 || shape[ndim - 1] == s->n_in || shape[ndim - 1] == count),
           s->world, PETSC_ERR_USER,
           "-shots has %lld numbers in rows of %lld: for %lld sources and %lld receivers "
           "[%lld][%lld][time] is needed",
           (long long)count, (long long)shape[ndim - 1], (long long)s->nshot,
           (long long)s->nreceiver, (long long)s->nshot, (long long)s->nreceiver);
  PetscCall(fm_option_given("shots_dt", &given));
  fm_check(given, s->world, PETSC_ERR_USER,
           "shots of HDF5 need -shots_dt, their sample interval in s");
  PetscCall(fm_option_real_in("shots_dt", 1e-9, 1e3, &s->dt_in));
  PetscCall(fm_option_real("shots_start", &start));
  PetscCall(fm_calloc(traces, &s->start));
  PetscCall(fm_calloc(traces, &s->live));
  for (int64_t i = 0; i < traces; i++) s->start[i] = start;
  find_live(s);
  PetscFunctionReturn(0);
}

/* ---- the model's coordinates ---- */

typedef struct {
  double low[2], high[2]; /* (z, x) */
} extent;

static void widen(extent *e, int64_t n, const double *at) {
  for (int64_t i = 0; i < n; i++)
    for (int d = 0; d < 2; d++) {
      e->low[d] = fmin(e->low[d], at[2 * i + d]);
      e->high[d] = fmax(e->high[d], at[2 * i + d]);
    }
}

/* The origin that centres the survey in the model, where it is deep or wide enough; a survey
   that lies within keeps the one it has. */
static void advise(const fm_shots *s, const extent *e, const double *origin, char *text,
                   size_t size) {
  const double side[2] = {s->depth, s->width};
  double better[2];

  snprintf(text, size, "the model is too small for a survey of %.8g x %.8g m",
           e->high[0] - e->low[0], e->high[1] - e->low[1]);
  for (int d = 0; d < 2; d++) {
    better[d] = origin[d];
    if (e->high[d] - e->low[d] > side[d]) return;
    if (e->low[d] < 0 || e->high[d] > side[d])
      better[d] += d ? floor((e->low[d] + e->high[d] - side[d]) / 2)
                     : (e->low[d] < 0 ? e->low[d] : e->high[d] - side[d]);
  }
  snprintf(text, size, "-shots_origin %.8g,%.8g would move all in", better[0], better[1]);
}

static int outside(const fm_shots *s, const double *at) {
  return !(at[0] >= -ON_EDGE && at[0] <= s->depth + ON_EDGE && at[1] >= -ON_EDGE &&
           at[1] <= s->width + ON_EDGE);
}

static PetscErrorCode check_inside(const fm_shots *s, const char *what, int64_t n,
                                   const double *at, const extent *e, const double *origin) {
  char advice[200];

  PetscFunctionBegin;
  advise(s, e, origin, advice, sizeof(advice));
  for (int64_t i = 0; i < n; i++)
    fm_check(
        !outside(s, at + 2 * i), s->world, PETSC_ERR_USER,
        "%s %lld of -shots at (z, x) = (%.8g, %.8g) m is outside the model: z is 0 to %.6g "
        "m, x 0 to %.6g m, all sources and receivers lie in z %.8g to %.8g m, x %.8g to "
        "%.8g m: %s%s",
        what, (long long)i, at[2 * i], at[2 * i + 1], s->depth, s->width, e->low[0], e->high[0],
        e->low[1], e->high[1], advice,
        e->high[0] < 0 ? " (or -shots_elevation down, where elevations are depths)" : "");
  PetscFunctionReturn(0);
}

static void move(int64_t n, const double *origin, double *at) {
  for (int64_t i = 0; i < n; i++)
    for (int d = 0; d < 2; d++) at[2 * i + d] -= origin[d];
}

static PetscErrorCode set_origin(fm_shots *s) {
  const int64_t receivers = (s->moving ? s->nshot : 1) * s->nreceiver;
  extent e = {{INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
  double origin[2] = {0, 0};
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_shots_pair(s->world, "shots_origin", "Z,X in m", origin, &given));
  move(s->nshot, origin, s->source);
  move(receivers, origin, s->receiver);
  widen(&e, s->nshot, s->source);
  widen(&e, receivers, s->receiver);
  PetscCall(check_inside(s, "source", s->nshot, s->source, &e, origin));
  PetscCall(check_inside(s, "receiver", receivers, s->receiver, &e, origin));
  PetscFunctionReturn(0);
}

static PetscErrorCode scale(fm_shots *s) {
  const int64_t n = fm_shots_traces(s) * s->n_in;
  double factor;

  PetscFunctionBegin;
  PetscCall(fm_option_real("shots_factor", &factor));
  fm_check(factor != 0, s->world, PETSC_ERR_USER,
           "-shots_factor 0 leaves nothing of the shots");
  for (int64_t i = 0; i < n; i++) s->recorded[i] *= factor;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_read(fm_shots *s) {
  char file[PETSC_MAX_PATH_LEN];
  const char *text, *name;
  int64_t live = 0;

  PetscFunctionBegin;
  PetscCall(fm_option_text("shots", &text));
  fm_check(text[0], s->world, PETSC_ERR_USER,
           "shots needs recorded shots: -shots FILE.sgy or -shots FILE.h5:/dataset");
  PetscCall(fm_store_split(s->world, text, file, &name));
  if (name)
    PetscCall(read_hdf5(s));
  else
    PetscCall(fm_shots_read_segy(s, text));
  PetscCall(set_origin(s));
  PetscCall(scale(s));
  for (int64_t i = 0; i < fm_shots_traces(s); i++) live += s->live[i];
  fm_check(live, s->world, PETSC_ERR_USER,
           "every one of the %lld traces of -shots is dead or zero",
           (long long)fm_shots_traces(s));
  PetscFunctionReturn(0);
}

double fm_shots_distance(const fm_shots *s, int64_t i) {
  const double *from = s->source + 2 * (i / s->nreceiver);
  const double *to = s->receiver + 2 * (s->moving ? i : i % s->nreceiver);

  return hypot(to[0] - from[0], to[1] - from[1]);
}
