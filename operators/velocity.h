/* velocity - the declared map from the unknown x of a node to its velocity c [m/s]:

       velocity    c = x                                            x in m/s
       slowness2   c = x^(-1/2)                                     x in s^2/m^2
       scaled      c = background + scale x
       bounded     c = low + (high - low) / (1 + exp(-x)), and with a background and a scale
                   c = low + (high - low) / (1 + exp(-shift - steep x)), so that x = 0 is the
                   background and dc/dx there the scale

   With -acoustic_linearize_at the last two are about that model: x = 0 is it, and the
   background is x = home. The family of models is the same, c(x) here is c(x - home) there.

   Nodes of -acoustic_frozen (a water layer) keep the background's velocity whatever x is.
   With -acoustic_unknown, -acoustic_background, -acoustic_scale, -acoustic_velocity_min (low)
   and -acoustic_velocity_max (high). */
#ifndef FATHOM_VELOCITY_H
#define FATHOM_VELOCITY_H

#include "fathom/types.h"

typedef enum fm_unknown {
  FM_UNKNOWN_VELOCITY,
  FM_UNKNOWN_SLOWNESS2,
  FM_UNKNOWN_SCALED,
  FM_UNKNOWN_BOUNDED
} fm_unknown;
#define FM_UNKNOWNS "velocity|slowness2|scaled|bounded"

typedef struct fm_velocity {
  fm_unknown unknown;
  int64_t nz, nx;
  double dz;          /* m */
  double low, high;   /* m/s, what velocities are expected or bounded to; 0: not known */
  double *background; /* [nz][nx] m/s; NULL: not given */
  double *scale;      /* [nz][nx] m/s per unit of x, for `scaled` and `bounded` */
  double *frozen;     /* [nz][nx] 1: keeps the background; NULL: none */
  double *centre, *shift, *steep; /* [nz][nx] of `bounded`: c at x = 0, and the logistic's */
  double *home;                   /* [nz][nx] x of -acoustic_background where `background` is
                   -acoustic_linearize_at; NULL: it is not given */
} fm_velocity;

/* fm_velocity_create - from the options, for a model of [nz][nx] nodes, dz m apart. low and
   high are the options, else the extremes of the background. Collective on comm. Fails (user
   error) where what the map needs is missing or has another shape. */
PetscErrorCode fm_velocity_create(MPI_Comm comm, int64_t nz, int64_t nx, double dz,
                                  fm_velocity **v);
PetscErrorCode fm_velocity_destroy(fm_velocity **v);

/* fm_velocity_map - c[nz][nx] of x and slope = dc/dx of each node. */
void fm_velocity_map(const fm_velocity *v, const double *x, double *c, double *slope);
/* fm_velocity_unknown - x[nz][nx], whose velocity is c: the inverse of the map. */
void fm_velocity_unknown(const fm_velocity *v, const double *c, double *x);
/* fm_velocity_slope - slope = dc/dx at the x whose velocity is c. */
void fm_velocity_slope(const fm_velocity *v, const double *c, double *slope);
/* fm_velocity_fault - the first node whose velocity is not positive and finite, -1: none. */
int64_t fm_velocity_fault(const fm_velocity *v, const double *c);
/* fm_velocity_extremes - the least and largest of c; *at_high is the node of the largest. */
void fm_velocity_extremes(const fm_velocity *v, const double *c, double *low, double *high,
                          int64_t *at_high);

#endif
