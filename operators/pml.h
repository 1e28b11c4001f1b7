/* pml - absorbing layers for the second-order wave equation.

   Along one direction, with memory psi between the nodes and zeta on them, inside the layers
   alone:

       psi^n  = b' psi^{n-1} + a' D+ u^n
       zeta^n = b zeta^{n-1} + a (D2 u^n + D- psi^n)
       L u^n  = D2 u^n + D- psi^n + zeta^n

   D+ and D- are first differences over one spacing, D- = -D+^T, and D2 is the central second
   difference of the scheme's order. It must be the same D2 in zeta: with D- D+ there, traces of
   a shot 5 nodes beside layers of 20 are off by .40 to .46 % (orders 4 to 8, 10 points per
   wavelength at the highest frequency), and by .08 % so: layers_reflect_little in
   tests/unit_wave2d_exact.c. As psi and zeta are filters in time at single points, the
   transpose in space and time is made of the same filters run backwards in time:

       zeta^n  = b zeta^{n+1} + a h^n
       psi^n   = b' psi^{n+1} + a' D+ (h^n + zeta^n)
       L^T h^n = D2 h^n + D- psi^n + D2 zeta^n

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

/* At a node (a, b) and half a spacing behind it (a', b'); all 0 outside the layers and beyond
   the line. a' is divided by spacing^2: with it psi is a sum of plain differences of u, and
   D- psi the plain difference of psi. */
typedef struct fm_pml_point {
  double a, b, half_a, half_b;
} fm_pml_point;

fm_pml_point fm_pml_at(const fm_pml *pml, int64_t node);

#endif
