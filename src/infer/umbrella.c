#include "fathom/umbrella.h"
#include <math.h>

#define BIASED 0.8     /* share of t that is not the posterior's own */
#define TEMPERATURE 2. /* V fills 2/3 of a depth: what is rare is less so, but keeps no chain */
#define MOST_RISE 1.   /* of V at once */
#define NODES FM_UMBRELLA_NODES

PetscErrorCode fm_umbrella_create(int64_t n, const double *centre, const double *scale,
                                  fm_umbrella **umbrella) {
  fm_umbrella *u;

  PetscFunctionBegin;
  PetscCall(PetscNew(&u));
  u->n = n;
  PetscCall(fm_calloc(n, &u->centre));
  PetscCall(fm_calloc(n, &u->spacing));
  PetscCall(fm_calloc(NODES * n, &u->v));
  PetscCall(PetscArraycpy(u->centre, centre, n));
  for (int64_t k = 0; k < n; k++) u->spacing[k] = 10. * scale[k] / (NODES - 1);
  *umbrella = u;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_umbrella_destroy(fm_umbrella **umbrella) {
  fm_umbrella *u = *umbrella;

  PetscFunctionBegin;
  if (!u) PetscFunctionReturn(0);
  PetscCall(PetscFree(u->centre));
  PetscCall(PetscFree(u->spacing));
  PetscCall(PetscFree(u->v));
  PetscCall(PetscFree(*umbrella));
  PetscFunctionReturn(0);
}

/* Unknown k at q: between nodes `low` and `low` + 1, the share `high` of the latter. */
typedef struct {
  int64_t low;
  double high, value, slope, top; /* of V_k */
} spot;

static spot find(const fm_umbrella *u, int64_t k, double q) {
  const double at = (q - u->centre[k]) / u->spacing[k] + (NODES - 1) / 2;
  const double inside = PetscMin(PetscMax(at, 0.), NODES - 1.);
  const int64_t low = PetscMin((int64_t)inside, NODES - 2);
  const double left = u->v[low * u->n + k], right = u->v[(low + 1) * u->n + k];
  spot s = {low, inside - (double)low, 0., 0., left};

  s.value = left + s.high * (right - left);
  if (at > 0. && at < NODES - 1.) s.slope = (right - left) / u->spacing[k];
  for (int64_t j = 0; j < NODES; j++) s.top = PetscMax(s.top, u->v[j * u->n + k]);
  return s;
}

double fm_umbrella_log(const fm_umbrella *u, const double *q, double *gradient) {
  const double each = BIASED / (double)u->n;
  double t = 1. - BIASED;

  for (int64_t k = 0; k < u->n; k++) {
    const spot s = find(u, k, q[k]);

    t += each * exp(s.top - s.value);
  }
  for (int64_t k = 0; gradient && k < u->n; k++) {
    const spot s = find(u, k, q[k]);

    gradient[k] += each * exp(s.top - s.value) / t * s.slope;
  }
  return log(t);
}

void fm_umbrella_learn(const fm_umbrella *u, double rate, const double *q, double *rise) {
  const double t = exp(fm_umbrella_log(u, q, NULL));

  for (int64_t k = 0; k < u->n; k++) {
    const spot s = find(u, k, q[k]);
    const double share = exp(s.top - s.value) / t;
    const double height = PetscMin(MOST_RISE, rate * share * exp(-s.value / TEMPERATURE));

    rise[s.low * u->n + k] += height * (1. - s.high);
    rise[(s.low + 1) * u->n + k] += height * s.high;
  }
}
