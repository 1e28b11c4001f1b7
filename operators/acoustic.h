/* acoustic - what the operators acoustic and born share: the set-up from options, and between
   Vecs and the time loop of wave2d.h.

   A part is a shot, its data are [receiver][time]; the model is [z][x]. Wavelet and cotangents
   are scaled to about 1 by powers of two, so that float has room for any unit. */
#ifndef FATHOM_ACOUSTIC_H
#define FATHOM_ACOUSTIC_H

#include "coordinates.h"
#include "dispersion.h"
#include "fathom/gather.h"
#include "fathom/operator_impl.h"
#include "survey.h"
#include "velocity.h"
#include "wave2d.h"

typedef struct fm_acoustic {
  int64_t nz, nx, coarsen; /* of the model; every coarsen-th is one of the grid */
  fm_wave2d_spec spec;     /* the grid; steps: of the time loop, a few more than the user's */
  fm_survey *survey;
  fm_coordinates *coordinates;
  fm_velocity *velocity;
  fm_dispersion *dispersion;
  fm_wave2d *wave;
  PetscBool split_shots;         /* each rank of space makes shots of its own */
  int64_t steps, every, samples; /* of the wavelet; every-th is recorded; recorded */
  PetscBool allow_dispersion;
  double peak, max_frequency; /* Hz, of the wavelet */
  double *wavelet;            /* [spec.steps] as the time loop takes it, divided by unit */
  double unit, amplitude;     /* amplitude: 1/(dz dx), that of a point source of strength 1 */
  double *sign;               /* [nshot] amplitudes of a supershot; NULL: single shots */
  PetscInt adjoint_part;      /* whose tape born keeps, -1: none */
  double *born_centre;        /* [x_size] x of the background, for born's total; else NULL */
  Vec born_step, *born_base;  /* x - centre; [nshot] F(centre) of a shot, NULL: not yet known */
  double *c, *next, *slope;   /* [nz][nx] m/s, of the model at hand; dc/dx */
  double *node, *field;       /* [nz][nx] scratch */
  double *unknown;            /* [x_size] scratch */
  double *coarse, *grid;      /* [spec.nz][spec.nx] velocity on the grid, scratch */
  fm_real *trace;             /* [spec.steps][receiver] */
  fm_real *data;              /* [samples][receiver] */
  fm_gather *of_x, *of_d;
} fm_acoustic;

/* ---- acoustic_options.c ---- */

/* Shape, spacing, dt, steps, orders and layers of a->spec; a->steps and a->every. */
PetscErrorCode fm_acoustic_read_grid(MPI_Comm comm, fm_acoustic *a);
/* fm_acoustic_read_tape_memory - -tape_memory in bytes. */
PetscErrorCode fm_acoustic_read_tape_memory(MPI_Comm comm, int64_t *bytes);

/* ---- acoustic_setup.c ---- */

/* fm_acoustic_setup - all of op, from the options; op->ops is the caller's. Collective on
   op->space. Fails (user error) on options that do not fit and where the preflight finds dt
   unstable or the grid too coarse. */
PetscErrorCode fm_acoustic_setup(fm_operator *op);
PetscErrorCode fm_acoustic_destroy(fm_operator *op);
PetscErrorCode fm_acoustic_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d);
PetscErrorCode fm_acoustic_part_range(fm_operator *op, PetscInt part, int64_t *first,
                                      int64_t *count);

/* ---- acoustic_check.c ---- */

/* fm_acoustic_preflight - refuse what cannot be right, before anything is solved: dt beyond the
   stability limit and too few points per wavelength, as far as the velocities are known. */
PetscErrorCode fm_acoustic_preflight(MPI_Comm comm, const fm_acoustic *a);
/* fm_acoustic_say - the numbers of the preflight and the memory, one line. */
void fm_acoustic_say(const fm_operator *op, const fm_acoustic *a);
/* fm_acoustic_model_fault - PETSC_TRUE and one clause in reason[size] where a model cannot be
   solved with: not positive, not finite, unstable, or too slow for the grid. */
PetscBool fm_acoustic_model_fault(const fm_acoustic *a, const double *c, char *reason,
                                  size_t size);
/* fm_acoustic_least_points - points per wavelength that central differences of an order (2, 4,
   6, 8) need for a phase velocity within 1 % of the exact one. */
double fm_acoustic_least_points(int order);

/* ---- acoustic_coarse.c ---- */

/* fm_acoustic_set_velocity - a->c on the grid for the following solves. */
PetscErrorCode fm_acoustic_set_velocity(fm_acoustic *a);
/* fm_acoustic_to_grid - its derivative at a->c, of dc[nz][nx]; _from_grid - the transpose, of
   g[spec.nz][spec.nx]. The result is borrowed: the argument itself, a->grid or a->node. */
const double *fm_acoustic_to_grid(fm_acoustic *a, const double *dc);
const double *fm_acoustic_from_grid(fm_acoustic *a, const double *g);

/* ---- acoustic.c ---- */

/* fm_acoustic_encode - see fm_operator_encode: every source fires at once, with its sign. */
PetscErrorCode fm_acoustic_encode(fm_operator *op, const double *sign);

/* fm_acoustic_model - see fm_operator_model: the velocity at the nodes. */
PetscErrorCode fm_acoustic_model(fm_operator *op, const double *x, double *model);
/* fm_acoustic_unknown - see fm_operator_unknown. */
PetscErrorCode fm_acoustic_unknown(fm_operator *op, const double *model, double *x);

/* ---- acoustic_density.c ---- */

/* fm_acoustic_model_density - see fm_operator_model_density. */
PetscErrorCode fm_acoustic_model_density(fm_operator *op, const double *x,
                                         const double *model_bar, double *x_bar,
                                         double *log_det);

/* The three solves at a->c with dc/dx = a->slope. */
PetscErrorCode fm_acoustic_forward(fm_operator *op, PetscInt part, Vec d, PetscBool *ok);
PetscErrorCode fm_acoustic_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd);
PetscErrorCode fm_acoustic_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx);

#endif
