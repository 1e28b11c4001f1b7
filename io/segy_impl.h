/* What the files of SEG-Y share: an open file and its section. */
#ifndef FATHOM_IO_SEGY_IMPL_H
#define FATHOM_IO_SEGY_IMPL_H

#include "fathom/segy.h"
#include "file.h"
#include <segyio/segy.h>

#define FM_SEGY_HEADERS (SEGY_TEXT_HEADER_SIZE + SEGY_BINARY_HEADER_SIZE)

typedef struct fm_section {
  int64_t traces, samples, format, trace0, trace_bytes; /* bytes: of the samples of a trace */
  double dt, metre; /* metre: of the file's unit of length, 1 or 0.3048 */
} fm_section;

struct fm_segy {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank;
  segy_file *file; /* rank 0 */
  char *path;
  fm_section section;
};

/* fm_segy_range - refuse traces [first, first + count) that the file has not. */
PetscErrorCode fm_segy_range(const fm_segy *segy, int64_t first, int64_t count);

#endif
