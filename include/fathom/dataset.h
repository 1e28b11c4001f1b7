/* fm_dataset - pairs (x_i, y_i) from any HDF5 file with /x [n][...] and /y [n][...]; /y may be
   absent (unconditional). */
#ifndef FATHOM_DATASET_H
#define FATHOM_DATASET_H

#include "fathom/types.h"

typedef struct fm_dataset fm_dataset;

/* fm_dataset_open - open and check: same n in /x and /y, all finite (a NaN is refused with its
   row), n >= 1.
   Collective on comm. Memory: the whole set in fm_real on every rank. */
PetscErrorCode fm_dataset_open(MPI_Comm comm, const char *path, fm_dataset **data);
PetscErrorCode fm_dataset_close(fm_dataset **data);
int64_t fm_dataset_count(const fm_dataset *data);
fm_shape fm_dataset_shape_x(
    const fm_dataset *data); /* a vector [n] is {n, {1,1,1}}; [c][h][w] is {c, {h, w, 1}} */
fm_shape
fm_dataset_shape_y(const fm_dataset *data); /* size 0 where /y is absent: {0, {1,1,1}} */
/* fm_dataset_rows - gather nb rows by index. Not collective. y may be NULL. */
PetscErrorCode fm_dataset_rows(fm_dataset *data, int64_t nb, const int64_t *rows, fm_real *x,
                               fm_real *y);
/* fm_dataset_moments - mean and (population) std a component over the given rows, exactly
   rounded the same on every rank;
   a component without variance gets std 1. x: [size of x], y: [size of y]. */
PetscErrorCode fm_dataset_moments(fm_dataset *data, int64_t nrow, const int64_t *rows,
                                  double *x_mean, double *x_std, double *y_mean, double *y_std);

#endif
