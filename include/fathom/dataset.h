/* fm_dataset - pairs (x_i, y_i) from any HDF5 file with /x [n][...] and /y [n][...]; /y may be
   absent (unconditional), and -pairs_x names another dataset for /x. A set that fits into
   -pairs_memory is held by every rank; of a larger one each rank reads the rows that it needs,
   when it needs them. All results are the same, bit for bit, either way. */
#ifndef FATHOM_DATASET_H
#define FATHOM_DATASET_H

#include "fathom/options.h"

typedef struct fm_dataset fm_dataset;

extern const fm_option fm_dataset_options[]; /* -pairs_memory, -pairs_x */

/* fm_dataset_open - open and check: same n in /x and /y, all finite (a NaN is refused with its
   row), n >= 1.
   Collective on comm. Memory: the whole set in fm_real on every rank where that is at most
   -pairs_memory bytes, else next to nothing. Cost: one read of the file, by rank 0 with
   broadcasts, or, where it is not held, by all ranks in shares. */
PetscErrorCode fm_dataset_open(MPI_Comm comm, const char *path, fm_dataset **data);
PetscErrorCode fm_dataset_close(fm_dataset **data);
int64_t fm_dataset_count(const fm_dataset *data);
PetscBool fm_dataset_held(const fm_dataset *data); /* in memory as a whole */
fm_shape fm_dataset_shape_x(
    const fm_dataset *data); /* a vector [n] is {n, {1,1,1}}; [c][h][w] is {c, {h, w, 1}} */
fm_shape
fm_dataset_shape_y(const fm_dataset *data); /* size 0 where /y is absent: {0, {1,1,1}} */

/* fm_dataset_scale - the attribute `scale` of /x: the constant that its numbers were divided
   by (of `patches`); 1 where there is none. */
double fm_dataset_scale(const fm_dataset *data);

/* fm_dataset_unit - the attribute `unit` of models, such as "m/s"; "": x is no physical model.
   Borrowed. */
const char *fm_dataset_unit(const fm_dataset *data);

/* fm_dataset_rows - gather nb rows by index. Not collective: where the set is not held, this
   rank reads them from the file, neighbours at once. x or y may be NULL.
   Fails where the file has become unreadable or shorter since it was opened.
   Cost, not held: 0.1 ms for four rows of 2 x 16 KiB in the page cache, a rank (AMD EPYC),
   0.07 % of a training step of 160 ms on them: there is no prefetch. Of a compressed set a
   whole chunk is unpacked for a row: 18 ms with 16 rows a chunk; the open warns. */
PetscErrorCode fm_dataset_rows(fm_dataset *data, int64_t nb, const int64_t *rows, fm_real *x,
                               fm_real *y);

/* fm_dataset_moments - mean and (population) std a component over the given rows, the same bits
   on any number of ranks: sums are exact, in units of the largest deviation of a component from
   its value in the first row. A component without variance gets std 1.
   Collective on the comm of the open; every rank gives the same rows.
   x_mean, x_std  out  [size of x]
   y_mean, y_std  out  [size of y]; NULL: y is not looked at
   Cost: three sweeps over the rows, shared by the ranks; 32 bytes a component. */
PetscErrorCode fm_dataset_moments(fm_dataset *data, int64_t nrow, const int64_t *rows,
                                  double *x_mean, double *x_std, double *y_mean, double *y_std);

/* fm_dataset_crc32 - zlib's crc32 of the given rows in that order, of each x and then, with_y,
   y, as fm_real. Collective on the comm of the open; fewer than 2^31 rows.
   Cost: one sweep over the rows, shared by the ranks, in the order of the file. */
PetscErrorCode fm_dataset_crc32(fm_dataset *data, int64_t nrow, const int64_t *rows,
                                PetscBool with_y, uint32_t *crc32);

#endif
