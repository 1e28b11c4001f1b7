/* Traces at the operator's recorded samples, and which of them count. */
#include "cli/shots.h"
#include "fathom/options.h"
#include "fathom/log.h"
#include <math.h>

#define ON_SAMPLE 1e-6 /* of an interval */

typedef struct {
  PetscBool velocity_given, direct_given, offset_given;
  double velocity, delay, direct[2], offset[2];
} mutes;

static PetscErrorCode read_mutes(MPI_Comm comm, mutes *m) {
  PetscFunctionBegin;
  PetscCall(fm_option_given("shots_mute_velocity", &m->velocity_given));
  if (m->velocity_given)
    PetscCall(fm_option_real_in("shots_mute_velocity", 1e-6, 1e9, &m->velocity));
  PetscCall(fm_option_real("shots_mute_delay", &m->delay));
  PetscCall(fm_shots_pair(comm, "shots_mute_direct", "V,WINDOW in m/s and s", m->direct,
                          &m->direct_given));
  fm_check(!m->direct_given || (m->direct[0] > 0 && m->direct[1] > 0), comm, PETSC_ERR_USER,
           "-shots_mute_direct %.6g,%.6g: a velocity and a window, both positive, are needed",
           m->direct[0], m->direct[1]);
  PetscCall(
      fm_shots_pair(comm, "shots_mute_offset", "MIN,MAX in m", m->offset, &m->offset_given));
  fm_check(!m->offset_given || m->offset[0] <= m->offset[1], comm, PETSC_ERR_USER,
           "-shots_mute_offset %.6g,%.6g: the least offset comes first", m->offset[0],
           m->offset[1]);
  PetscFunctionReturn(0);
}

/* t: after the shot */
static PetscBool muted(const mutes *m, double distance, double t) {
  if (m->velocity_given && t < distance / m->velocity + m->delay) return PETSC_TRUE;
  if (m->direct_given && fabs(t - distance / m->direct[0] - m->delay) <= m->direct[1] / 2)
    return PETSC_TRUE;
  return m->offset_given && (distance < m->offset[0] || distance > m->offset[1]) ? PETSC_TRUE
                                                                                 : PETSC_FALSE;
}

/* After the shot: what is recorded and, within the filter's length of an end where the wave
   went on, filtered as the modelled data are. Before the shot there is no wave. */
static void valid_times(const fm_shots *s, int64_t i, double *from, double *to) {
  const double early = s->start[i] > ON_SAMPLE * s->dt_in ? s->length : 0;

  *from = s->start[i] + early - ON_SAMPLE * s->interval;
  *to = s->start[i] + (double)(s->n_in - 1) * s->dt_in - s->length + ON_SAMPLE * s->interval;
}

static void make_mask(fm_shots *s, const mutes *m, int64_t i) {
  const double distance = fm_shots_distance(s, i);
  unsigned char *mask = s->mask + i * s->samples;
  double from, to;

  valid_times(s, i, &from, &to);
  for (int64_t k = 0; k < s->samples; k++) {
    const double t = (double)k * s->interval - s->delay;

    mask[k] = s->live[i] && t >= from && t <= to && !muted(m, distance, t);
  }
}

/* The modelling must not go on where nothing is recorded. */
static PetscErrorCode check_length(const fm_shots *s) {
  const double need = (double)(s->samples - 1) * s->interval - s->delay;

  PetscFunctionBegin;
  for (int64_t i = 0; i < fm_shots_traces(s); i++) {
    const double end = s->start[i] + (double)(s->n_in - 1) * s->dt_in;

    fm_check(!s->live[i] || end >= need - 1e-3 * s->dt, s->world, PETSC_ERR_USER,
             "the traces of shot %lld end %.6g s after the shot, the modelling goes on to %.6g "
             "s: take -acoustic_steps <= %lld",
             (long long)(i / s->nreceiver), end, need,
             (long long)floor((end + s->delay) / s->dt + 1 + ON_SAMPLE));
  }
  PetscFunctionReturn(0);
}

/* One filter for traces that begin at the same time. */
static PetscErrorCode renew_filter(const fm_shots *s, double start, double *of,
                                   fm_filter **filter) {
  const fm_filter_spec spec = {s->n_in,          s->samples, s->dt_in, s->interval,
                               start + s->delay, 0,          s->band};

  PetscFunctionBegin;
  if (*filter && *of == start) PetscFunctionReturn(0);
  PetscCall(fm_filter_destroy(filter));
  PetscCall(fm_filter_create(&spec, filter));
  *of = start;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_make_traces(fm_shots *s) {
  const int64_t n = fm_shots_traces(s);
  fm_filter *filter = NULL;
  double of = 0;
  mutes m = {0};

  PetscFunctionBegin;
  PetscCall(check_length(s));
  PetscCall(read_mutes(s->world, &m));
  PetscCall(fm_calloc(n * s->samples, &s->y));
  PetscCall(fm_calloc(n * s->samples, &s->mask));
  for (int64_t i = 0; i < n; i++) {
    make_mask(s, &m, i);
    if (!s->live[i]) continue;
    PetscCall(renew_filter(s, s->start[i], &of, &filter));
    fm_filter_apply(filter, s->recorded + i * s->n_in, s->y + i * s->samples);
  }
  PetscCall(fm_filter_destroy(&filter));
  PetscFunctionReturn(0);
}
