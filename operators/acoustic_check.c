/* What can be known before a solve: stability, points per wavelength, memory. */
#include "acoustic.h"
#include "fathom/log.h"
#include <math.h>

#define PHASE_ERROR 0.01 /* of the phase velocity at the maximum frequency */
#define MIB 1048576.

/* ---- dispersion of the grid ---- */

/* Phase velocity along an axis over the exact one, at `points` per wavelength: central
   differences of the second derivative by the weights that make order 2, 4, 6, 8. */
static double phase_velocity(int order, double points) {
  static const double weight[4][4] = {{1, 0, 0, 0},
                                      {4. / 3, -1. / 12, 0, 0},
                                      {3. / 2, -3. / 20, 1. / 90, 0},
                                      {8. / 5, -1. / 5, 8. / 315, -1. / 560}};
  const double kh = 2 * PETSC_PI / points;
  double sum = 0;

  for (int k = 1; k <= 4; k++) sum += weight[order / 2 - 1][k - 1] * 2 * (1 - cos(k * kh));
  return sqrt(sum) / kh;
}

double fm_acoustic_least_points(int order) {
  double few = 2, many = 100; /* the error falls with the points */

  for (int k = 0; k < 60; k++) {
    const double middle = (few + many) / 2;

    if (fabs(phase_velocity(order, middle) - 1) > PHASE_ERROR)
      few = middle;
    else
      many = middle;
  }
  return many;
}

static double points_of(const fm_acoustic *a, double velocity) {
  return velocity / (a->max_frequency * PetscMax(a->spec.dz, a->spec.dx));
}

static PetscErrorCode check_points(MPI_Comm comm, const fm_acoustic *a) {
  const double least = fm_acoustic_least_points(a->spec.order);
  const double points = points_of(a, a->velocity->low);

  PetscFunctionBegin;
  fm_check(points >= least || a->allow_dispersion, comm, PETSC_ERR_USER,
           "-acoustic_spacing %.6g m is too coarse: %.6g m/s has %.3g points per wavelength at "
           "the wavelet's maximum of %.4g Hz, order %d needs %.3g for a phase velocity within "
           "1 %%: take a spacing <= %.4g m or lower frequencies, or -acoustic_allow_dispersion",
           PetscMax(a->spec.dz, a->spec.dx), a->velocity->low, points, a->max_frequency,
           a->spec.order, least,
           floor(1e3 * a->velocity->low / (a->max_frequency * least)) / 1e3);
  PetscFunctionReturn(0);
}

/* ---- stability ---- */

/* The largest stable dt at a velocity, rounded down to four digits. */
static double stable_dt(const fm_acoustic *a, double velocity) {
  const double dt = fm_wave2d_limit(&a->spec) / velocity;
  const double digit = pow(10, floor(log10(dt)) - 3);

  return floor(dt / digit) * digit;
}

static double courant(const fm_acoustic *a, double dt_times_velocity) {
  return dt_times_velocity / PetscMin(a->spec.dz, a->spec.dx);
}

static PetscErrorCode check_stable(MPI_Comm comm, const fm_acoustic *a) {
  const double limit = fm_wave2d_limit(&a->spec), c = a->velocity->high;

  PetscFunctionBegin;
  fm_check(
      a->spec.dt * c <= limit, comm, PETSC_ERR_USER,
      "-acoustic_dt %.6g s is unstable: with %.6g m/s its CFL number is %.4g, the limit of "
      "this scheme %.4g: take -acoustic_dt <= %.6g",
      a->spec.dt, c, courant(a, a->spec.dt * c), courant(a, limit), stable_dt(a, c));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_preflight(MPI_Comm comm, const fm_acoustic *a) {
  PetscFunctionBegin;
  if (a->velocity->high > 0) PetscCall(check_stable(comm, a));
  if (a->velocity->low > 0) PetscCall(check_points(comm, a));
  PetscFunctionReturn(0);
}

/* ---- one model ---- */

/* Too few points per wavelength: a least velocity that the preflight was told of is none that
   models keep to, but for `bounded`. */
static PetscBool too_slow(const fm_acoustic *a, double low) {
  return !a->allow_dispersion && points_of(a, low) < fm_acoustic_least_points(a->spec.order);
}

PetscBool fm_acoustic_model_fault(const fm_acoustic *a, const double *c, char *reason,
                                  size_t size) {
  const int64_t nx = a->nx, fault = fm_velocity_fault(a->velocity, c);
  const double k = (double)a->coarsen;
  double low, high;
  int64_t i;

  if (fault >= 0) {
    snprintf(reason, size, "velocity %g m/s at node [%lld][%lld] is not %s", c[fault],
             (long long)(fault / nx), (long long)(fault % nx),
             c[fault] <= 0 ? "positive" : "finite");
    return PETSC_TRUE;
  }
  fm_velocity_extremes(a->velocity, c, &low, &high, &i);
  if (a->spec.dt * high > fm_wave2d_limit(&a->spec)) {
    snprintf(reason, size,
             "velocity %.6g m/s at (z, x) = (%.6g, %.6g) m needs dt <= %.6g s; dt is %.6g s",
             high, (double)(i / nx) * a->spec.dz / k, (double)(i % nx) * a->spec.dx / k,
             stable_dt(a, high), a->spec.dt);
    return PETSC_TRUE;
  }
  if (!too_slow(a, low)) return PETSC_FALSE;
  snprintf(reason, size,
           "velocity %.6g m/s has %.3g points per wavelength at %.4g Hz, at least %.3g are "
           "needed (or -acoustic_allow_dispersion)",
           low, points_of(a, low), a->max_frequency, fm_acoustic_least_points(a->spec.order));
  return PETSC_TRUE;
}

/* ---- what is said ---- */

void fm_acoustic_say(const fm_operator *op, const fm_acoustic *a) {
  const fm_velocity *v = a->velocity;
  char waves[128] = "velocities not known beforehand", cfl[96] = "";
  int64_t fields, tape;

  fm_wave2d_memory(a->wave, &fields, &tape);
  if (v->low > 0)
    snprintf(waves, sizeof(waves), "%.3g points per wavelength at %.4g Hz in %.6g m/s",
             points_of(a, v->low), a->max_frequency, v->low);
  if (v->high > 0)
    snprintf(cfl, sizeof(cfl), "CFL number %.3g at %.6g m/s (limit %.3g), ",
             courant(a, a->spec.dt * v->high), v->high, courant(a, fm_wave2d_limit(&a->spec)));
  fm_log("%s: %s%s; shots of %lld receivers: %lld, %s; memory of a rank %.1f MiB and %.1f MiB "
         "of tape",
         op->name, cfl, waves, (long long)a->survey->nreceiver, (long long)a->survey->nshot,
         a->split_shots ? "split over the ranks" : "by all ranks of a sample together",
         (double)fields / MIB, (double)tape / MIB);
}
