#include "survey.h"
#include "fathom/log.h"
#include "fathom/store.h"
#include <math.h>

#define HALF 4       /* half-width of the window, nodes */
#define KAISER 6.31  /* its shape parameter */
#define ON_NODE 1e-6 /* of the spacing */

/* ---- a point on the grid ---- */

/* Modified Bessel function of order 0, by its series. */
static double bessel_i0(double x) {
  double term = 1, sum = 1;

  for (int k = 1; term > 1e-17 * sum; k++) {
    term *= x * x / (4. * k * k);
    sum += term;
  }
  return sum;
}

/* Weight of a node at `distance` nodes. */
static double weight_of(double distance) {
  const double inside = 1 - distance * distance / (HALF * HALF);

  if (inside <= 0) return 0;
  return sin(PETSC_PI * distance) / (PETSC_PI * distance) * bessel_i0(KAISER * sqrt(inside)) /
         bessel_i0(KAISER);
}

/* One direction: there are nodes low .. high, u = 0 beyond; odd: they are mirrored with the
   opposite sign about node 0, where u = 0. */
static void weights_of(double at, int64_t low, int64_t high, PetscBool odd, int64_t *first,
                       int *count, double *weight) {
  const int64_t nearest = llround(at), base = (int64_t)floor(at);
  int64_t from = base - HALF + 1, to = base + HALF;

  for (int k = 0; k < FM_WAVE2D_SUPPORT; k++) weight[k] = 0;
  *first = nearest;
  *count = 1;
  weight[0] = 1;
  if (fabs(at - (double)nearest) <= ON_NODE) return;
  *first = PetscMax(from, odd ? 0 : low);
  *count = (int)(PetscMin(to, high) - *first + 1);
  weight[0] = 0;
  for (int64_t node = from; node <= PetscMin(to, high); node++) {
    const int64_t place = odd && node < 0 ? -node : node;
    const double w = weight_of(at - (double)node);

    if (place >= *first && place < *first + *count)
      weight[place - *first] += place == node ? w : -w;
  }
  if (odd && *first == 0) weight[0] = 0;
}

static PetscErrorCode check_inside(MPI_Comm comm, const fm_wave2d_spec *spec, const char *what,
                                   double z, double x) {
  const double depth = spec->depth > 0 ? spec->depth : (double)(spec->nz - 1) * spec->dz;
  const double width = spec->width > 0 ? spec->width : (double)(spec->nx - 1) * spec->dx;

  PetscFunctionBegin;
  fm_check(
      z >= -ON_NODE * spec->dz && z <= depth + ON_NODE * spec->dz && x >= -ON_NODE * spec->dx &&
          x <= width + ON_NODE * spec->dx,
      comm, PETSC_ERR_USER,
      "%s at (z, x) = (%.6g, %.6g) m is outside the model: z is 0 to %.6g m, x 0 to %.6g m",
      what, z, x, depth, width);
  fm_check(!spec->free_surface || z > ON_NODE * spec->dz, comm, PETSC_ERR_USER,
           "%s at (z, x) = (%.6g, %.6g) m lies on the free surface, where u = 0: put it "
           "deeper, or leave -acoustic_free_surface out",
           what, z, x);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_survey_point(MPI_Comm comm, const fm_wave2d_spec *spec, const char *what,
                               double z, double x, fm_wave2d_point *point) {
  PetscFunctionBegin;
  PetscCall(check_inside(comm, spec, what, z, x));
  PetscCall(PetscMemzero(point, sizeof(*point)));
  point->z = PetscMin(PetscMax(llround(z / spec->dz), 0), spec->nz - 1);
  weights_of(z / spec->dz, -spec->layer[FM_TOP], spec->nz - 1 + spec->layer[FM_BOTTOM],
             spec->free_surface, &point->z0, &point->nz, point->wz);
  weights_of(x / spec->dx, -spec->layer[FM_LEFT], spec->nx - 1 + spec->layer[FM_RIGHT],
             PETSC_FALSE, &point->x0, &point->nx, point->wx);
  PetscFunctionReturn(0);
}

/* ---- options ---- */

#define MOST_POINTS 1000000

/* -OPTION_line COUNT,Z,FIRST,LAST as places [count][2]; ndim 0: not given. */
static PetscErrorCode read_line(MPI_Comm comm, const char *option, int *ndim,
                                int64_t shape[FM_STORE_NDIM], double **places) {
  double *line, count;
  char name[80];
  int given;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s_line", option));
  PetscCall(fm_store_option_array(comm, name, &given, shape, &line));
  if (!given) PetscFunctionReturn(0);
  count = given == 1 && shape[0] == 4 ? line[0] : 0;
  if (count >= 1 && count <= MOST_POINTS && count == floor(count)) {
    *ndim = 2;
    shape[0] = (int64_t)count;
    shape[1] = 2;
    PetscCall(PetscMalloc1((size_t)(2 * shape[0]), places));
    for (int64_t i = 0; i < shape[0]; i++) {
      const double part = count > 1 ? (double)i / (count - 1) : 0.5;

      (*places)[2 * i] = line[1];
      (*places)[2 * i + 1] = line[2] + part * (line[3] - line[2]);
    }
  }
  PetscCall(PetscFree(line));
  fm_check(*ndim, comm, PETSC_ERR_USER,
           "-%s takes COUNT,Z,FIRST,LAST: a whole number of points from 1 to %d, their depth "
           "and the first and last x in m",
           name, MOST_POINTS);
  PetscFunctionReturn(0);
}

/* The last dimension is (z, x); a list counts as [n][2]. *shots: of [shots][points][2], else 1.
   The array is given to the caller also where this fails. */
static PetscErrorCode read_places(MPI_Comm comm, const char *option, int64_t *shots,
                                  int64_t *points, double **places) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, option, &ndim, shape, places));
  if (!ndim) PetscCall(read_line(comm, option, &ndim, shape, places));
  fm_check(
      ndim, comm, PETSC_ERR_USER,
      "the operator acoustic needs -%s: z,x,z,x,... in m, or FILE:/dataset of shape [n][2]",
      option);
  fm_check(ndim > 1 || shape[0] % 2 == 0, comm, PETSC_ERR_USER,
           "-%s has %lld numbers: pairs z,x are needed", option, (long long)shape[0]);
  if (ndim == 1) shape[0] /= 2, shape[1] = 2, ndim = 2;
  fm_check(
      (ndim == 2 || ndim == 3) && shape[ndim - 1] == 2, comm, PETSC_ERR_USER,
      "-%s has %d dimensions of which the last is %lld: [n][2] is needed, or [shots][n][2] "
      "for receivers",
      option, ndim, (long long)shape[ndim - 1]);
  *shots = ndim == 3 ? shape[0] : 1;
  *points = shape[ndim - 2];
  fm_check(*points > 0 && *shots > 0, comm, PETSC_ERR_USER, "-%s is empty", option);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_sources(MPI_Comm comm, fm_survey *s) {
  int64_t shots;

  PetscFunctionBegin;
  PetscCall(read_places(comm, "acoustic_sources", &shots, &s->nshot, &s->source));
  fm_check(shots == 1, comm, PETSC_ERR_USER,
           "-acoustic_sources has shape [%lld][%lld][2]: one source a shot, [n][2], is needed",
           (long long)shots, (long long)s->nshot);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_receivers(MPI_Comm comm, fm_survey *s) {
  int64_t shots;

  PetscFunctionBegin;
  PetscCall(read_places(comm, "acoustic_receivers", &shots, &s->nreceiver, &s->receiver));
  s->moving = shots > 1 ? PETSC_TRUE : PETSC_FALSE;
  fm_check(shots == 1 || shots == s->nshot, comm, PETSC_ERR_USER,
           "-acoustic_receivers are of %lld shots, -acoustic_sources of %lld: give [n][2] for "
           "the same receivers in all, or [%lld][n][2]",
           (long long)shots, (long long)s->nshot, (long long)s->nshot);
  PetscFunctionReturn(0);
}

static PetscErrorCode place(MPI_Comm comm, const fm_wave2d_spec *spec, const char *what,
                            int64_t n, int64_t group, const double *at,
                            fm_wave2d_point *point) {
  char name[80];

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    if (group)
      PetscCall(PetscSNPrintf(name, sizeof(name), "%s %lld of shot %lld", what,
                              (long long)(i % group), (long long)(i / group)));
    else
      PetscCall(PetscSNPrintf(name, sizeof(name), "%s %lld", what, (long long)i));
    PetscCall(fm_survey_point(comm, spec, name, at[2 * i], at[2 * i + 1], &point[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, const fm_wave2d_spec *spec, fm_survey *s) {
  int64_t receivers;

  PetscFunctionBegin;
  PetscCall(read_sources(comm, s));
  PetscCall(read_receivers(comm, s));
  receivers = (s->moving ? s->nshot : 1) * s->nreceiver;
  PetscCall(fm_calloc(s->nshot, &s->source_point));
  PetscCall(fm_calloc(receivers, &s->receiver_point));
  PetscCall(place(comm, spec, "source", s->nshot, 0, s->source, s->source_point));
  PetscCall(place(comm, spec, "receiver", receivers, s->moving ? s->nreceiver : 0, s->receiver,
                  s->receiver_point));
  PetscFunctionReturn(0);
}

static double distance_of(const fm_survey *s, int64_t shot, int64_t receiver) {
  const double *from = s->source + 2 * shot;
  const double *to = s->receiver + 2 * ((s->moving ? shot * s->nreceiver : 0) + receiver);

  return hypot(to[0] - from[0], to[1] - from[1]);
}

/* Within a node of a point source the field is the grid's own. */
static void warn_of_near(const fm_wave2d_spec *spec, const fm_survey *s) {
  const double node = PetscMin(spec->dz, spec->dx);
  int64_t count = 0, first = 0;

  for (int64_t k = s->nshot * s->nreceiver - 1; k >= 0; k--)
    if (distance_of(s, k / s->nreceiver, k % s->nreceiver) < node * (1 - ON_NODE)) {
      first = k;
      count++;
    }
  if (count)
    fm_warn("traces recorded within a node (%.6g m) of their source: %lld, the first by "
            "receiver %lld of shot %lld at %.3g m; their amplitude is this grid's, not a point "
            "source's: mute them (fathom shots -shots_mute_offset), unless this grid made the "
            "data",
            node, (long long)count, (long long)(first % s->nreceiver),
            (long long)(first / s->nreceiver),
            distance_of(s, first / s->nreceiver, first % s->nreceiver));
}

PetscErrorCode fm_survey_create(MPI_Comm comm, const fm_wave2d_spec *spec, fm_survey **survey) {
  PetscErrorCode code;
  fm_survey *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  code = fill(comm, spec, s);
  if (code) PetscCall(fm_survey_destroy(&s));
  PetscCall(code);
  warn_of_near(spec, s);
  *survey = s;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_survey_destroy(fm_survey **survey) {
  PetscFunctionBegin;
  if (!*survey) PetscFunctionReturn(0);
  PetscCall(PetscFree((*survey)->source));
  PetscCall(PetscFree((*survey)->receiver));
  PetscCall(PetscFree((*survey)->source_point));
  PetscCall(PetscFree((*survey)->receiver_point));
  PetscCall(PetscFree(*survey));
  PetscFunctionReturn(0);
}

void fm_survey_shot(const fm_survey *survey, int64_t i, const double *amplitude,
                    const double *wavelet, fm_wave2d_shot *shot) {
  *shot = (fm_wave2d_shot){.nsource = 1,
                           .nreceiver = survey->nreceiver,
                           .source = survey->source_point + i,
                           .receiver = survey->receiver_point +
                                       (survey->moving ? i * survey->nreceiver : 0),
                           .amplitude = amplitude,
                           .wavelet = wavelet};
}
