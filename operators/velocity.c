#include "velocity.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <math.h>

/* ---- maps ---- */

/* 1 / (1 + exp(-x)), without overflow */
static double logistic(double x) {
  const double e = exp(-fabs(x));

  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* Nodes that keep the background's velocity. */
static void freeze(const fm_velocity *v, double *c, double *slope) {
  for (int64_t i = 0; v->frozen && i < v->nz * v->nx; i++) {
    if (v->frozen[i] == 0) continue;
    if (c) c[i] = v->background[i];
    slope[i] = 0;
  }
}

void fm_velocity_map(const fm_velocity *v, const double *x, double *c, double *slope) {
  const double range = v->high - v->low;

  for (int64_t i = 0; i < v->nz * v->nx; i++) switch (v->unknown) {
    case FM_UNKNOWN_VELOCITY:
      c[i] = x[i];
      slope[i] = 1;
      break;
    case FM_UNKNOWN_SLOWNESS2:
      c[i] = 1 / sqrt(x[i]);
      slope[i] = -0.5 * c[i] / x[i];
      break;
    case FM_UNKNOWN_SCALED:
      c[i] = v->background[i] + v->scale[i] * x[i];
      slope[i] = v->scale[i];
      break;
    case FM_UNKNOWN_BOUNDED:
      c[i] = v->low + range * logistic(v->shift[i] + v->steep[i] * x[i]);
      slope[i] = v->steep[i] * range * logistic(v->shift[i] + v->steep[i] * x[i]) *
                 logistic(-v->shift[i] - v->steep[i] * x[i]);
      break;
    }
  freeze(v, c, slope);
}

void fm_velocity_slope(const fm_velocity *v, const double *c, double *slope) {
  for (int64_t i = 0; i < v->nz * v->nx; i++) switch (v->unknown) {
    case FM_UNKNOWN_VELOCITY: slope[i] = 1; break;
    case FM_UNKNOWN_SLOWNESS2: slope[i] = -0.5 * c[i] * c[i] * c[i]; break;
    case FM_UNKNOWN_SCALED: slope[i] = v->scale[i]; break;
    case FM_UNKNOWN_BOUNDED:
      slope[i] = v->steep[i] * (c[i] - v->low) * (v->high - c[i]) / (v->high - v->low);
      break;
    }
  freeze(v, NULL, slope);
}

void fm_velocity_unknown(const fm_velocity *v, const double *c, double *x) {
  for (int64_t i = 0; i < v->nz * v->nx; i++) switch (v->unknown) {
    case FM_UNKNOWN_VELOCITY: x[i] = c[i]; break;
    case FM_UNKNOWN_SLOWNESS2: x[i] = 1 / (c[i] * c[i]); break;
    case FM_UNKNOWN_SCALED:
      x[i] = c[i] == v->background[i] ? 0 : (c[i] - v->background[i]) / v->scale[i];
      break;
    case FM_UNKNOWN_BOUNDED:
      x[i] = c[i] == v->centre[i]
                 ? 0
                 : (log((c[i] - v->low) / (v->high - c[i])) - v->shift[i]) / v->steep[i];
      break;
    }
}

int64_t fm_velocity_fault(const fm_velocity *v, const double *c) {
  for (int64_t i = 0; i < v->nz * v->nx; i++)
    if (!(c[i] > 0 && c[i] < INFINITY)) return i;
  return -1;
}

void fm_velocity_extremes(const fm_velocity *v, const double *c, double *low, double *high,
                          int64_t *at_high) {
  *low = *high = c[0];
  *at_high = 0;
  for (int64_t i = 1; i < v->nz * v->nx; i++) {
    *low = fmin(*low, c[i]);
    if (c[i] > *high) *high = c[*at_high = i];
  }
}

/* ---- options ---- */

/* A number for all nodes, or [nz][nx]; NULL where it is not given. */
static PetscErrorCode read_nodes(MPI_Comm comm, const fm_velocity *v, const char *option,
                                 double **out) {
  const int64_t nodes = v->nz * v->nx;
  int64_t shape[FM_STORE_NDIM], count = 1;
  double *given;
  char text[64];
  PetscBool fits;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, option, &ndim, shape, &given));
  if (!ndim) PetscFunctionReturn(0);
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fits = ndim == 2 ? shape[0] == v->nz && shape[1] == v->nx : ndim == 1 && count == nodes;
  if (fits) {
    *out = given;
    PetscFunctionReturn(0);
  }
  if (count == 1) {
    PetscCall(PetscMalloc1(nodes, out));
    for (int64_t i = 0; i < nodes; i++) (*out)[i] = given[0];
  }
  PetscCall(PetscFree(given));
  if (ndim == 2)
    PetscCall(PetscSNPrintf(text, sizeof(text), "is of [%lld][%lld]", (long long)shape[0],
                            (long long)shape[1]));
  else
    PetscCall(PetscSNPrintf(text, sizeof(text), "has %lld numbers", (long long)count));
  fm_check(count == 1, comm, PETSC_ERR_USER,
           "-%s %s; for the model of -acoustic_shape %lldx%lld give one number or a dataset of "
           "shape [%lld][%lld]",
           option, text, (long long)v->nz, (long long)v->nx, (long long)v->nz,
           (long long)v->nx);
  PetscFunctionReturn(0);
}

/* low and high: the options, else the extremes of the background. */
static PetscErrorCode read_range(MPI_Comm comm, fm_velocity *v) {
  PetscBool given[2];
  int64_t place;

  PetscFunctionBegin;
  PetscCall(fm_option_given("acoustic_velocity_min", &given[0]));
  PetscCall(fm_option_given("acoustic_velocity_max", &given[1]));
  if (v->background) fm_velocity_extremes(v, v->background, &v->low, &v->high, &place);
  if (given[0]) PetscCall(fm_option_real_in("acoustic_velocity_min", 1e-6, 1e9, &v->low));
  if (given[1]) PetscCall(fm_option_real_in("acoustic_velocity_max", 1e-6, 1e9, &v->high));
  fm_check(v->unknown != FM_UNKNOWN_BOUNDED || (given[0] && given[1]), comm, PETSC_ERR_USER,
           "-acoustic_unknown bounded needs -acoustic_velocity_min and -acoustic_velocity_max");
  fm_check(v->high == 0 || v->low < v->high ||
               (v->low == v->high && v->unknown != FM_UNKNOWN_BOUNDED),
           comm, PETSC_ERR_USER,
           "the least velocity, %.6g m/s, is not below the largest, %.6g m/s: see "
           "-acoustic_velocity_min and -acoustic_velocity_max",
           v->low, v->high);
  PetscFunctionReturn(0);
}

/* What grows with depth: nodes += -OPTION_gradient times z. */
static PetscErrorCode tilt(MPI_Comm comm, const fm_velocity *v, const char *option,
                           double *nodes) {
  double gradient;
  char name[64];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s_gradient", option));
  PetscCall(fm_option_real(name, &gradient));
  fm_check(gradient == 0 || nodes, comm, PETSC_ERR_USER, "-%s needs -%s, which it is added to",
           name, option);
  for (int64_t i = 0; nodes && i < v->nz * v->nx; i++)
    nodes[i] += gradient * v->dz * (double)(i / v->nx);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_background(MPI_Comm comm, const fm_velocity *v) {
  int64_t i;

  PetscFunctionBegin;
  fm_check(v->background || v->unknown != FM_UNKNOWN_SCALED, comm, PETSC_ERR_USER,
           "-acoustic_unknown scaled needs -acoustic_background and -acoustic_scale");
  fm_check(v->scale || v->unknown != FM_UNKNOWN_SCALED, comm, PETSC_ERR_USER,
           "-acoustic_unknown scaled needs -acoustic_scale, in m/s per unit of the unknown");
  if (!v->background) PetscFunctionReturn(0);
  i = fm_velocity_fault(v, v->background);
  fm_check(i < 0, comm, PETSC_ERR_USER,
           "-acoustic_background must be positive: it is %.6g m/s at node [%lld][%lld]",
           v->background[PetscMax(i, 0)], (long long)(i / v->nx), (long long)(i % v->nx));
  PetscFunctionReturn(0);
}

/* centre, shift and steep: about the middle of the bounds with x itself, or about the
   background with slope `scale` there. */
static PetscErrorCode bound(MPI_Comm comm, fm_velocity *v) {
  const int64_t nodes = v->nz * v->nx;
  const double range = v->high - v->low;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(nodes, &v->centre, nodes, &v->shift, nodes, &v->steep));
  for (int64_t i = 0; i < nodes; i++) {
    const double c = v->background && v->scale ? v->background[i] : v->low + range / 2;

    fm_check(c > v->low && c < v->high, comm, PETSC_ERR_USER,
             "-acoustic_background is %.6g m/s at node [%lld][%lld], not between "
             "-acoustic_velocity_min %.6g and -acoustic_velocity_max %.6g",
             c, (long long)(i / v->nx), (long long)(i % v->nx), v->low, v->high);
    v->centre[i] = c;
    v->shift[i] = v->background && v->scale ? log((c - v->low) / (v->high - c)) : 0;
    v->steep[i] =
        v->background && v->scale ? v->scale[i] * range / ((c - v->low) * (v->high - c)) : 1;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_frozen(MPI_Comm comm, fm_velocity *v) {
  PetscFunctionBegin;
  PetscCall(read_nodes(comm, v, "acoustic_frozen", &v->frozen));
  if (!v->frozen) PetscFunctionReturn(0);
  fm_check(v->background, comm, PETSC_ERR_USER,
           "-acoustic_frozen needs -acoustic_background: the velocity that nodes keep");
  for (int64_t i = 0; i < v->nz * v->nx; i++)
    fm_check(v->frozen[i] == 0 || v->frozen[i] == 1, comm, PETSC_ERR_USER,
             "-acoustic_frozen is %.6g at node [%lld][%lld]: 1 for nodes that keep the "
             "background's velocity, 0 for others",
             v->frozen[i], (long long)(i / v->nx), (long long)(i % v->nx));
  PetscFunctionReturn(0);
}

/* ---- -acoustic_linearize_at ---- */

static PetscErrorCode check_displaced(MPI_Comm comm, const fm_velocity *v, const double *at) {
  const PetscBool bounded = v->unknown == FM_UNKNOWN_BOUNDED ? PETSC_TRUE : PETSC_FALSE;
  const double low = bounded ? v->low : 0, high = bounded ? v->high : INFINITY;

  PetscFunctionBegin;
  fm_check(v->background && v->scale && v->unknown >= FM_UNKNOWN_SCALED, comm, PETSC_ERR_USER,
           "-acoustic_linearize_at needs -acoustic_unknown scaled or bounded with "
           "-acoustic_background and -acoustic_scale, which say what the prior is about");
  for (int64_t i = 0; i < v->nz * v->nx; i++)
    fm_check(at[i] > low && at[i] < high, comm, PETSC_ERR_USER,
             "-acoustic_linearize_at is %.6g m/s at node [%lld][%lld], not between %.6g and "
             "%.6g m/s",
             at[i], (long long)(i / v->nx), (long long)(i % v->nx), low, high);
  PetscFunctionReturn(0);
}

/* x = 0 becomes the model `at`, the background x = home. */
static void displace(fm_velocity *v, const double *at) {
  for (int64_t i = 0; i < v->nz * v->nx; i++) {
    if (v->frozen && v->frozen[i] != 0) continue;
    if (v->unknown == FM_UNKNOWN_SCALED)
      v->home[i] = (v->background[i] - at[i]) / v->scale[i];
    else {
      const double shift = log((at[i] - v->low) / (v->high - at[i]));

      v->home[i] = (v->shift[i] - shift) / v->steep[i];
      v->shift[i] = shift;
      v->centre[i] = at[i];
    }
    v->background[i] = at[i];
  }
}

static PetscErrorCode read_displaced(MPI_Comm comm, fm_velocity *v) {
  PetscErrorCode code;
  double *at = NULL;

  PetscFunctionBegin;
  PetscCall(read_nodes(comm, v, "acoustic_linearize_at", &at));
  if (!at) PetscFunctionReturn(0);
  code = check_displaced(comm, v, at);
  if (!code) code = fm_calloc(v->nz * v->nx, &v->home);
  if (!code) displace(v, at);
  PetscCall(PetscFree(at));
  PetscCall(code);
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, fm_velocity *v) {
  int unknown;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("acoustic_unknown", FM_UNKNOWNS, &unknown));
  v->unknown = (fm_unknown)unknown;
  PetscCall(read_nodes(comm, v, "acoustic_background", &v->background));
  PetscCall(tilt(comm, v, "acoustic_background", v->background));
  PetscCall(read_nodes(comm, v, "acoustic_scale", &v->scale));
  PetscCall(tilt(comm, v, "acoustic_scale", v->scale));
  PetscCall(check_background(comm, v));
  PetscCall(read_range(comm, v));
  if (v->unknown == FM_UNKNOWN_BOUNDED) PetscCall(bound(comm, v));
  PetscCall(read_frozen(comm, v));
  PetscCall(read_displaced(comm, v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_velocity_create(MPI_Comm comm, int64_t nz, int64_t nx, double dz,
                                  fm_velocity **out) {
  PetscErrorCode code;
  fm_velocity *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  v->nz = nz;
  v->nx = nx;
  v->dz = dz;
  code = fill(comm, v);
  if (code) PetscCall(fm_velocity_destroy(&v));
  PetscCall(code);
  *out = v;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_velocity_destroy(fm_velocity **v) {
  PetscFunctionBegin;
  if (!*v) PetscFunctionReturn(0);
  PetscCall(PetscFree((*v)->background));
  PetscCall(PetscFree((*v)->scale));
  PetscCall(PetscFree((*v)->frozen));
  PetscCall(PetscFree((*v)->home));
  PetscCall(PetscFree3((*v)->centre, (*v)->shift, (*v)->steep));
  PetscCall(PetscFree(*v));
  PetscFunctionReturn(0);
}
