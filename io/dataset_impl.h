/* What a dataset is inside: held as a whole, or read by each rank where it needs rows. */
#ifndef FATHOM_IO_DATASET_IMPL_H
#define FATHOM_IO_DATASET_IMPL_H

#include "fathom/dataset.h"
#include "reader.h"

typedef struct fm_part {
  const char *name;
  fm_shape shape;
  int64_t size;     /* of a row; 0: absent */
  fm_real *data;    /* [n][size], or NULL: */
  fm_reader reader; /* this rank's own */
} fm_part;

struct fm_dataset {
  MPI_Comm comm; /* borrowed */
  char *path;
  int64_t n;
  fm_part x, y;
  double scale;
  char *x_name, unit[8];
  PetscBool held;
  fm_store *own;  /* where not held: this rank's */
  int64_t *order; /* scratch of a gather: [2 capacity], index and place */
  fm_real *run;   /* [capacity rows] of consecutive rows */
  int64_t capacity, run_capacity;
};

/* fm_dataset_gather - rows of one part, by index, into out [nb][size]; this rank alone. */
PetscErrorCode fm_dataset_gather(fm_dataset *d, fm_part *part, int64_t nb, const int64_t *rows,
                                 fm_real *out, fm_verdict *v);

/* fm_dataset_block - rows of a part that a sweep over the file takes at once. */
int64_t fm_dataset_block(const fm_part *part);

#endif
