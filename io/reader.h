/* fm_reader - rows of one dataset read by one rank on its own, while the others do something
   else: serial HDF5, read only, kept open. Not collective; faults go into a verdict. */
#ifndef FATHOM_IO_READER_H
#define FATHOM_IO_READER_H

#include "h5.h"

typedef struct fm_reader {
  const fm_store *store; /* borrowed; of MPI_COMM_SELF */
  const char *name;      /* borrowed */
  hid_t set;             /* H5I_INVALID_HID: not open */
  int64_t length;        /* of the file, when it was opened */
  int64_t unpacked;      /* rows that are unpacked for one: of a compressed chunk, else 1 */
} fm_reader;

/* fm_reader_open - `store` comes from fm_store_open_own and must outlive the reader. A chunk
   of a chunked dataset is kept in memory after a read (up to 64 MiB of them). */
void fm_reader_open(const fm_store *store, const char *name, fm_reader *r, fm_verdict *v);

/* fm_reader_rows - rows [first, first + count), as fm_real. Also fails where the file has
   become shorter: HDF5 would read zeros there. */
void fm_reader_rows(const fm_reader *r, int64_t first, int64_t count, fm_real *out,
                    fm_verdict *v);

void fm_reader_close(fm_reader *r);

#endif
