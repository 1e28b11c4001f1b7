/* wave2d - one shot of the 2-D acoustic wave equation at constant density, its exact discrete
   adjoint and its linearisation.

       (1/c^2) u_tt - lap u = sum_s a_s f(t) delta(x - x_s),    u = 0 for t <= 0

   On a grid [z][x] (x fastest) with absorbing layers around it or a free surface on top:

       a^n     = L u^n + s^n            L: central differences and the layers
       u^{n+1} = 2 u^n - u^{n-1} + V a^n            V = c^2 dt^2; second order in time
       u^{n+1} = 2 u^n - u^{n-1} + V (a^n + (L0 V a^n + s^{n+1} - 2 s^n + s^{n-1})/12)
                                                    fourth; L0: L without the layers
       d^n     = R u^n,                             n = 0 .. steps-1, t = n dt

   Strips of rows over comm, halo 4: u has the same bits on any number of ranks. All numbers of
   the time loop are fm_real; denormals are flushed there. */
#ifndef FATHOM_WAVE2D_H
#define FATHOM_WAVE2D_H

#include "fathom/types.h"

#define FM_WAVE2D_HALO 4
#define FM_WAVE2D_SUPPORT 8 /* nodes a side that an off-grid point touches */

typedef struct fm_wave2d fm_wave2d;

enum { FM_TOP, FM_BOTTOM, FM_LEFT, FM_RIGHT, FM_SIDES };

typedef struct fm_wave2d_spec {
  MPI_Comm comm;           /* its ranks take strips of rows; borrowed */
  int64_t nz, nx;          /* nodes of the model, without the layers */
  double dz, dx, dt;       /* m, m, s */
  double depth, width;     /* m, that points must lie within; 0: those of the grid */
  int64_t steps;           /* samples of a trace, t = 0 included */
  int order, time_order;   /* 2, 4, 6, 8 in space; 2, 4 in time */
  int64_t layer[FM_SIDES]; /* absorbing nodes a side, 0: the edge reflects (u = 0 beyond) */
  PetscBool free_surface;  /* u = 0 on the row z = 0, odd above it; layer[FM_TOP] is 0 */
  double layer_velocity;   /* m/s, the profiles are made for it: no function of the model */
  double layer_frequency;  /* Hz, of the wavelet's peak: the layers' frequency shift */
  int64_t tape_bytes;      /* most that a gradient keeps on all ranks of comm; 0: no limit */
} fm_wave2d_spec;

/* Where a source or a receiver touches the grid: sum_ij wz[i] wx[j] u[z0 + i][x0 + j]; nodes in
   the model's numbering (those in the layers are < 0 or >= nz, nx); an on-grid point has one.
   Rows z0 .. z0+nz-1 are within 4 of the central row z, whose owner sums a receiver. */
typedef struct fm_wave2d_point {
  int64_t z, z0, x0;
  int nz, nx;
  double wz[FM_WAVE2D_SUPPORT], wx[FM_WAVE2D_SUPPORT];
} fm_wave2d_point;

typedef struct fm_wave2d_shot { /* all borrowed */
  int64_t nsource, nreceiver;
  const fm_wave2d_point *source, *receiver;
  const double *amplitude; /* [nsource] a_s; a point source of strength 1 has 1/(dz dx) in it */
  const double *wavelet;   /* [steps] f(n dt), the same for all sources */
} fm_wave2d_shot;

/* fm_wave2d_create - allocate everything that a shot needs. Collective on spec->comm.
   Fails (user error) where the model has fewer than 8 nodes a side, where there are more ranks
   than strips of at least layer + 8 rows, and where tape_bytes is less than the least that a
   gradient needs (which the sentence names). Without a bound the tape is allocated by the first
   gradient. */
PetscErrorCode fm_wave2d_create(const fm_wave2d_spec *spec, fm_wave2d **wave);
PetscErrorCode fm_wave2d_destroy(fm_wave2d **wave);

/* fm_wave2d_most_ranks - most ranks that can share the rows of a spec. */
int64_t fm_wave2d_most_ranks(const fm_wave2d_spec *spec);
/* fm_wave2d_memory - bytes this rank holds: without the tape, and the tape. */
void fm_wave2d_memory(const fm_wave2d *wave, int64_t *fields, int64_t *tape);
/* fm_wave2d_limit - largest stable dt times velocity [m] of a spec's scheme: dt c <= limit. */
double fm_wave2d_limit(const fm_wave2d_spec *spec);

/* fm_wave2d_set_velocity - the model of the following shots; the edges are repeated outwards
   into the layers. c [nz][nx] m/s, the same on all ranks. No messages. The caller has checked
   that it is positive, finite and stable. */
PetscErrorCode fm_wave2d_set_velocity(fm_wave2d *wave, const double *c);

/* fm_wave2d_forward - d = F(c). Collective on comm.
   trace  out  [steps][nreceiver], complete on every rank
   taped  in   keep what fm_wave2d_adjoint needs
   Not finite numbers are left in the traces: the caller looks. Cost: one forward sweep. */
PetscErrorCode fm_wave2d_forward(fm_wave2d *wave, const fm_wave2d_shot *shot, PetscBool taped,
                                 fm_real *trace);

/* fm_wave2d_adjoint - g = F'(c)^T r of the last forward's shot and model; where that was not
   taped, or the tape is used up, the forward sweep is done again. Collective on comm.
   r  in   [steps][nreceiver], the same on all ranks
   g  out  [nz][nx], unit of d per m/s, complete on every rank; edges carry what the layers add
   Cost: one adjoint sweep and what the bound on the tape repeats. */
PetscErrorCode fm_wave2d_adjoint(fm_wave2d *wave, const fm_wave2d_shot *shot, const fm_real *r,
                                 double *g);

/* fm_wave2d_born - dd = F'(c) dc. Collective on comm. dc [nz][nx] m/s and dtrace
   [steps][nreceiver] as above. Does not touch the tape. Cost: two forward sweeps at once. */
PetscErrorCode fm_wave2d_born(fm_wave2d *wave, const fm_wave2d_shot *shot, const double *dc,
                              fm_real *dtrace);

#endif
