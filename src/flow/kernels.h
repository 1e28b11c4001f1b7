/* Pure array mathematics of the flow layers: no MPI, no PETSc, nothing can fail.

   Every result is a function of the inputs and of the sizes alone. A row's result does not
   depend on the number of rows, so a batch may be cut anywhere. Matrices are row-major and
   contiguous unless a stride is named. */
#ifndef FATHOM_FLOW_KERNELS_H
#define FATHOM_FLOW_KERNELS_H

#include "fathom/real.h"
#include <math.h>

#ifdef FM_SINGLE
#define fm_exp expf
#define fm_log1p log1pf
#else
#define fm_exp exp
#define fm_log1p log1p
#endif

/* ---- dense.c ---- */

/* fm_multiply_add - C[m][n] += A B, with A(i, k) = a[i a_row + k a_column] of any strides, B
   [count][n], C [m][n]. */
void fm_multiply_add(int64_t m, int64_t n, int64_t count, const fm_real *a, int64_t a_row,
                     int64_t a_column, const fm_real *b, fm_real *c);

/* fm_multiply_transposed_add - C(i, j) += sum_k A[i][k] B[j][k], A [m][count], B [n][count],
   C(i, j) = c[i c_row + j]. */
void fm_multiply_transposed_add(int64_t m, int64_t n, int64_t count, const fm_real *a,
                                const fm_real *b, fm_real *c, int64_t c_row);

/* fm_dot - sum_k a[k] b[k]. */
fm_real fm_dot(int64_t count, const fm_real *a, const fm_real *b);

/* fm_rows_sum_add - sum[j] += sum_i a[i][j], a [m][n]. */
void fm_rows_sum_add(int64_t m, int64_t n, const fm_real *a, fm_real *sum);

/* ---- activation.c ---- */

/* out[i][j] = bias[j] (+ residual[i][j] unless NULL). */
void fm_bias(int64_t m, int64_t n, const fm_real *bias, const fm_real *residual, fm_real *out);
/* v = max(v, 0); and its vjp: v_bar = 0 where the result was not positive. */
void fm_relu(int64_t count, fm_real *v);
void fm_relu_vjp(int64_t count, const fm_real *v, fm_real *v_bar);

/* fm_scale - the scale of an affine coupling, in place, exact to rounding for every raw:

   DEFAULT    2 / (1 + exp(-raw))
   OFFICIAL   1 / (1 + exp(-raw)), raw having passed a ReLU
   BOUNDED    exp(2 tanh(raw / 2)), between 1/7.4 and 7.4: neither direction can blow up

   slope      out   d log(scale) / d raw, or NULL
   log_scale  out   log(scale), or NULL */
typedef enum fm_scaling { FM_SCALE_DEFAULT, FM_SCALE_OFFICIAL, FM_SCALE_BOUNDED } fm_scaling;
void fm_scale(int64_t count, fm_scaling kind, fm_real *raw, fm_real *slope, fm_real *log_scale);

#endif
