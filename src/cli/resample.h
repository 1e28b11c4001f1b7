/* Smoothing of models [rows][columns] by a Gaussian, separable, with reflection at the
   edges, and the nodes' distance that a file says. */
#ifndef FM_CLI_RESAMPLE_H
#define FM_CLI_RESAMPLE_H

#include "fathom/command.h"

/* fm_smooth - in place, a convolution with a Gaussian of standard deviation std[0] rows and
   std[1] columns, truncated at 6 of these, weights of sum 1; a[-1] is a[0], a[-2] is a[1]
   and so on at each edge, so that cos(pi k (i + 1/2) / n) keeps its form and is multiplied
   by exp(-(pi k std / n)^2 / 2), for a std of a node or more. 0: not at all. Not
   collective. */
PetscErrorCode fm_smooth(int64_t rows, int64_t columns, const double std[2], double *a);

/* fm_average - out [(rows - 1) / every + 1][(columns - 1) / every + 1], of every `every`-th
   node from the first: the mean of what lies within every / 2 of it, reflected as above,
   the ends with half weight where every is even. Not collective. */
PetscErrorCode fm_average(int64_t rows, int64_t columns, int64_t every, const double *a,
                          double *out);

/* fm_interpolate - out[to[0]][to[1]] at rows r step[0] and columns k step[1] of a, bilinear. */
void fm_interpolate(int64_t rows, int64_t columns, const double *a, const double step[2],
                    const int64_t to[2], double *out);

/* fm_spacing_read - the distance of a model's nodes in m: -option, H or DZ,DX, else
   attributes spacing_z and spacing_x of the dataset named FILE:/dataset or
   FILE:/dataset[ROW]; 0: not said. Collective on world. */
PetscErrorCode fm_spacing_read(const fm_run *run, const char *option, const char *dataset,
                               double spacing[2]);

#endif
