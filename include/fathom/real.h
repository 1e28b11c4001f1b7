/* The one floating-point type of everything that is trained. No MPI and no PETSc here: kernels
   include this alone.

   The library is compiled twice: with FM_SINGLE as `float` (program fathom), without as
   `double` (fathom-double). */
#ifndef FATHOM_REAL_H
#define FATHOM_REAL_H

#include <stdint.h>

#ifdef FM_SINGLE
typedef float fm_real;
#define FM_PRECISION "float"
#define FM_EPSILON 1.1920928955078125e-07
#else
typedef double fm_real;
#define FM_PRECISION "double"
#define FM_EPSILON 2.220446049250313e-16
#endif

/* Channels, then up to three dimensions; a vector of n entries is {n, {1, 1, 1}}. Arrays lie as
   [c][n0][n1][n2]. */
typedef struct fm_shape {
  int64_t c, n[3];
} fm_shape;

static inline int64_t fm_shape_size(fm_shape s) { return s.c * s.n[0] * s.n[1] * s.n[2]; }
static inline int64_t fm_shape_pixels(fm_shape s) { return s.n[0] * s.n[1] * s.n[2]; }
static inline fm_shape fm_shape_vector(int64_t n) { return (fm_shape){n, {1, 1, 1}}; }

#endif
