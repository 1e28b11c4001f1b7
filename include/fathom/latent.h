/* A latent correction: v = s z + b, componentwise, before a flow T0 that is frozen,

       x = T0(s z + b),   log|det dx/dz| = sum log|s| + log|det dT0/dv|

   with 2n numbers, the array [2][n] of log s and b. It corrects a pretrained flow at one
   observation and is trained by the objective of all else, eq. (2), with the likelihood and the
   prior in use. (The published correction has |z'|^2/2 of z' = s z + b as its prior: that is
   the pretrained posterior, which knows the data, so that they would count twice.)

   Source of the idea: Siahkoohi, Rizzuti, Orozco, Herrmann, "Reliable amortized variational
   inference with physics-based latent distribution correction", Geophysics 88 (2023). */
#ifndef FATHOM_LATENT_H
#define FATHOM_LATENT_H

#include "fathom/layout.h"

/* fm_latent_layout - latent.log_scale [n] and latent.shift [n]. */
PetscErrorCode fm_latent_layout(int64_t n, fm_layout **layout);

/* fm_latent_apply - v = s z + b of nb samples; v may be z. */
void fm_latent_apply(int64_t n, const fm_real *correction, int64_t nb, const fm_real *z,
                     fm_real *v);
/* sum log|s| */
double fm_latent_logdet(int64_t n, const fm_real *correction);
/* fm_latent_divide - v = v / s, [nb][n]. */
void fm_latent_divide(int64_t n, const fm_real *correction, int64_t nb, fm_real *v);
/* fm_latent_cotangent - bar = s bar, [nb][n]: from v to z. */
void fm_latent_cotangent(int64_t n, const fm_real *correction, int64_t nb, fm_real *bar);
/* fm_latent_gradient - add to out [2][n] what samples with bar = dL/dv and logdet_bar =
   dL/dlogdet make of L:  sum bar s z + logdet_bar  and  sum bar. Samples whose ok is false are
   left out. */
void fm_latent_gradient(int64_t n, const fm_real *correction, int64_t nb, const fm_real *z,
                        const fm_real *bar, double logdet_bar, const PetscBool *ok,
                        fm_real *out);

#endif
