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
      c[i] = v->low + range * logistic(x[i]);
      slope[i] = range * logistic(x[i]) * logistic(-x[i]);
      break;
    }
}

void fm_velocity_slope(const fm_velocity *v, const double *c, double *slope) {
  for (int64_t i = 0; i < v->nz * v->nx; i++) switch (v->unknown) {
    case FM_UNKNOWN_VELOCITY: slope[i] = 1; break;
    case FM_UNKNOWN_SLOWNESS2: slope[i] = -0.5 * c[i] * c[i] * c[i]; break;
    case FM_UNKNOWN_SCALED: slope[i] = v->scale[i]; break;
    case FM_UNKNOWN_BOUNDED:
      slope[i] = (c[i] - v->low) * (v->high - c[i]) / (v->high - v->low);
      break;
    }
}

void fm_velocity_unknown(const fm_velocity *v, const double *c, double *x) {
  for (int64_t i = 0; i < v->nz * v->nx; i++) switch (v->unknown) {
    case FM_UNKNOWN_VELOCITY: x[i] = c[i]; break;
    case FM_UNKNOWN_SLOWNESS2: x[i] = 1 / (c[i] * c[i]); break;
    case FM_UNKNOWN_SCALED:
      x[i] = c[i] == v->background[i] ? 0 : (c[i] - v->background[i]) / v->scale[i];
      break;
    case FM_UNKNOWN_BOUNDED: x[i] = log((c[i] - v->low) / (v->high - c[i])); break;
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

static PetscErrorCode fill(MPI_Comm comm, fm_velocity *v) {
  int unknown;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("acoustic_unknown", FM_UNKNOWNS, &unknown));
  v->unknown = (fm_unknown)unknown;
  PetscCall(read_nodes(comm, v, "acoustic_background", &v->background));
  PetscCall(read_nodes(comm, v, "acoustic_scale", &v->scale));
  PetscCall(check_background(comm, v));
  PetscCall(read_range(comm, v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_velocity_create(MPI_Comm comm, int64_t nz, int64_t nx, fm_velocity **out) {
  PetscErrorCode code;
  fm_velocity *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  v->nz = nz;
  v->nx = nx;
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
  PetscCall(PetscFree(*v));
  PetscFunctionReturn(0);
}
