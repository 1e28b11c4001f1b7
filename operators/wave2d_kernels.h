/* wave2d_kernels - array mathematics of wave2d: differences, layers, steps, a few rows a call.

   A row is `width` numbers, a multiple of FM_WAVE2D_LANES, with at least 4 zeros before and
   behind where a difference along x reaches there. A number is made by the same operations in
   the same order wherever its row lies in a call. */
#ifndef FATHOM_WAVE2D_KERNELS_H
#define FATHOM_WAVE2D_KERNELS_H

#include "fathom/real.h"

#define FM_WAVE2D_LANES 16
#define FM_WAVE2D_BLOCK 4 /* rows a call of fm_rows_laplace */

/* Central second differences, divided by the squared spacings; [0] counts once, the others on
   both sides. */
typedef struct fm_stencil {
  int radius; /* 1 .. 4 */
  fm_real z[5], x[5];
} fm_stencil;

void fm_stencil_set(fm_stencil *stencil, int order, double dz, double dx);
/* fm_stencil_spectral_radius - of the two second differences together, 1/m^2. */
double fm_stencil_spectral_radius(int order, double dz, double dx);

/* out[r] = D2 row[r] along z and x, r = 0 .. n-1, out [n][width]; n <= FM_WAVE2D_BLOCK. Rows
   row[-radius] .. row[n-1+radius] are read. */
void fm_rows_laplace(const fm_stencil *stencil, const fm_real *const *row, int n, int64_t width,
                     fm_real *out);

/* The coefficients of pml.h for a row of the layers above and below. */
typedef struct fm_layer_coefficients {
  fm_real a, b, half_a, half_b;
} fm_layer_coefficients;

/* out += what a layer adds to D2 u along z. u is the row, its neighbours `stride` away; above:
   psi of the row before. */
void fm_layer_row(const fm_layer_coefficients *c, const fm_stencil *s, int64_t width,
                  int64_t stride, const fm_real *u, const fm_real *above, fm_real *psi,
                  fm_real *zeta, fm_real *out);
/* The transpose, in two sweeps: the filter makes zeta of every row of the layer first. Rows of
   zeta are `width` apart, with zeros before and behind the layer. */
void fm_layer_row_filter(const fm_layer_coefficients *c, int64_t width, const fm_real *h,
                         fm_real *zeta);
void fm_layer_row_transposed(const fm_layer_coefficients *c, const fm_stencil *s, int64_t width,
                             int64_t stride, const fm_real *h, const fm_real *above,
                             fm_real *psi, const fm_real *zeta, fm_real *out);

/* A layer left or right, in the columns first .. first+width-1 of all rows. */
typedef struct fm_layer_columns {
  int64_t first, width;             /* multiples of FM_WAVE2D_LANES */
  int64_t stride;                   /* of psi and zeta; zeros between their rows */
  int64_t used, nused;              /* what is not 0 of psi and zeta, from first on */
  fm_real *a, *b, *half_a, *half_b; /* [width] */
} fm_layer_columns;

/* out += what a layer adds to D2 u along x, in n rows; u, psi, zeta and out begin in the first
   row, u and out at the layer's first column. */
void fm_columns_add(const fm_layer_columns *c, const fm_stencil *s, int n, const fm_real *u,
                    int64_t stride, fm_real *psi, fm_real *zeta, fm_real *out,
                    int64_t out_stride);
void fm_columns_add_transposed(const fm_layer_columns *c, const fm_stencil *s, int n,
                               const fm_real *h, int64_t stride, fm_real *psi, fm_real *zeta,
                               fm_real *out, int64_t out_stride);

/* next = 2 now - next + v a. */
void fm_row_step(int64_t width, const fm_real *now, const fm_real *v, const fm_real *a,
                 fm_real *next);
/* The same, and record = a, past the caches where the machine can; a and record are aligned to
   64 bytes. */
void fm_row_step_record(int64_t width, const fm_real *now, const fm_real *v, const fm_real *a,
                        fm_real *next, fm_real *record);
/* image += q record, next = 2 q - next + v a. */
void fm_row_step_back(int64_t width, const fm_real *q, const fm_real *v, const fm_real *a,
                      const fm_real *record, fm_real *image, fm_real *next);
/* next = 2 now - next + w + v y/12. */
void fm_row_step_fourth(int64_t width, const fm_real *now, const fm_real *v, const fm_real *w,
                        const fm_real *y, fm_real *next);
/* out = a, out = a b, out += a b, out += a b/12. */
void fm_row_copy(int64_t width, const fm_real *a, fm_real *out);
void fm_row_multiply(int64_t width, const fm_real *a, const fm_real *b, fm_real *out);
void fm_row_multiply_add(int64_t width, const fm_real *a, const fm_real *b, fm_real *out);
void fm_row_multiply_add_12th(int64_t width, const fm_real *a, const fm_real *b, fm_real *out);
/* record = a, in that way. */
void fm_row_store(int64_t width, const fm_real *a, fm_real *record);

#endif
