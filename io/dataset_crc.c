/* The checksum of rows in a given order, read in the order of the file and by all ranks in
   shares: checksums of pieces can be combined. */
#include "dataset_impl.h"
#include <stdlib.h>
#include <zlib.h>

typedef struct fm_named_row {
  int64_t row, place;
} fm_named_row;

static int by_row(const void *a, const void *b) {
  const fm_named_row *p = (const fm_named_row *)a, *q = (const fm_named_row *)b;

  return (p->row > q->row) - (p->row < q->row);
}

/* crc[place] of count rows, of x and then y */
static PetscErrorCode sum_rows(fm_dataset *d, PetscBool with_y, int64_t count,
                               const fm_named_row *named, uint32_t *crc, fm_verdict *v) {
  const int64_t n = d->x.size, m = with_y ? d->y.size : 0;
  const int64_t block = PetscMin(fm_dataset_block(&d->x), PetscMax((int64_t)1, count));
  int64_t *row;
  fm_real *x, *y;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(block, &row, block * n, &x, block * m, &y));
  for (int64_t at = 0; at < count && !v->code; at += block) {
    const int64_t nb = PetscMin(block, count - at);

    for (int64_t i = 0; i < nb; i++) row[i] = named[at + i].row;
    PetscCall(fm_dataset_gather(d, &d->x, nb, row, x, v));
    if (m) PetscCall(fm_dataset_gather(d, &d->y, nb, row, y, v));
    for (int64_t i = 0; i < nb && !v->code; i++) {
      const uLong sum = crc32_z(0, (const unsigned char *)(x + i * n), (size_t)n * sizeof(*x));

      crc[named[at + i].place] = (uint32_t)(m ? crc32_z(sum, (const unsigned char *)(y + i * m),
                                                        (size_t)m * sizeof(*y))
                                              : sum);
    }
  }
  PetscCall(PetscFree3(row, x, y));
  PetscFunctionReturn(0);
}

/* of all pieces in their order; each has `bytes` */
static uint32_t combine(int64_t n, const uint32_t *crc, int64_t bytes) {
  const uLong op = crc32_combine_gen((z_off_t)bytes);
  uLong sum = 0;

  for (int64_t i = 0; i < n; i++) sum = crc32_combine_op(sum, crc[i], op);
  return (uint32_t)sum;
}

PetscErrorCode fm_dataset_crc32(fm_dataset *d, int64_t nrow, const int64_t *rows,
                                PetscBool with_y, uint32_t *crc32_of) {
  const int64_t numbers = d->x.size + (with_y ? d->y.size : 0);
  PetscMPIInt rank, size;
  fm_named_row *named;
  fm_verdict v = {0};
  uint32_t *crc;
  int64_t first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(d->comm, &rank));
  PetscCallMPI(MPI_Comm_size(d->comm, &size));
  PetscCall(PetscMalloc1(nrow, &named));
  PetscCall(fm_calloc(nrow, &crc));
  for (int64_t i = 0; i < nrow; i++) named[i] = (fm_named_row){rows[i], i};
  qsort(named, (size_t)nrow, sizeof(*named), by_row);
  first = nrow / size * rank + PetscMin(rank, nrow % size);
  PetscCall(
      sum_rows(d, with_y, nrow / size + (rank < nrow % size ? 1 : 0), named + first, crc, &v));
  PetscCall(fm_verdict_agree(d->comm, &v));
  PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, crc, (PetscMPIInt)nrow, MPI_UINT32_T, MPI_BOR, d->comm));
  *crc32_of = combine(nrow, crc, numbers * (int64_t)sizeof(fm_real));
  PetscCall(PetscFree(named));
  PetscCall(PetscFree(crc));
  PetscFunctionReturn(0);
}
