/* pml - absorbing layers for the second-order wave equation.

   Along one direction, with memory psi between the nodes and zeta on them, inside the layers
   alone:

       psi^n  = b' psi^{n-1} + a' D+ u^n
       w^n    = D2 u^n + D- psi^n
       zeta^n = b zeta^{n-1} + a w^n
       L u    = w^n + zeta^n

   D+ and D- are first differences over one spacing (D- = -D+^T), D2 is the central second
   difference of any order. As psi and zeta are filters in time at single points, the transpose
   of this in space and time is, with the same filters running backwards in time,

       zeta^n = b zeta^{n+1} + a h^n
       w^n    = h^n + zeta^n
       psi^n  = b' psi^{n+1} + a' D+ w^n
       L^T h  = D2 w^n + D- psi^n

   The profiles are those of a complex-frequency-shifted layer of thickness H at depth x in it,
       d = d0 (x/H)^2, alpha = pi f (1 - x/H), d0 = -3 v log(R)/(2 H),
       b = exp(-(d + alpha) dt), a = d/(d + alpha) (b - 1).
   Source: Pasalic and McGarry, "Convolutional perfectly matched layer for isotropic and
   anisotropic acoustic wave equations", SEG (2010); Komatitsch and Martin, "An unsplit
   convolutional perfectly matched layer improved at grazing incidence for the seismic wave
   equation", Geophysics 72 (2007), SM155-SM167. */
#ifndef FATHOM_PML_H
#define FATHOM_PML_H

#include "fathom/types.h"

typedef struct fm_pml {
  double velocity;  /* m/s */
  double frequency; /* Hz */
  double dt, spacing;
  int64_t nodes, before, behind; /* of the whole line; of the layers at its two ends */
} fm_pml;

/* At a node (a, b) and half a spacing behind it (a', b'; a' is divided by spacing^2, so that
   psi is in units of w times spacing and D- psi the plain difference). All 0 outside. */
typedef struct fm_pml_point {
  double a, b, half_a, half_b;
} fm_pml_point;

fm_pml_point fm_pml_at(const fm_pml *pml, int64_t node);

#endif
