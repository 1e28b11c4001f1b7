/* fm_segy - a file of SEG-Y, a section or recorded shots: traces of samples in the order of the
   file, their sizes, sample interval, line numbers, sources and receivers. segyio is known to
   io/segy*.c alone.

   Read are IBM float (format code 1), 16-bit integer (3) and IEEE float (5), big-endian, all
   traces of one length. Errors are agreed: all ranks fail together with the same sentence. */
#ifndef FATHOM_SEGY_H
#define FATHOM_SEGY_H

#include "fathom/types.h"

typedef struct fm_segy fm_segy;

typedef enum fm_segy_format {
  FM_SEGY_IBM = 1,
  FM_SEGY_INT16 = 3,
  FM_SEGY_IEEE = 5
} fm_segy_format;

/* fm_segy_open - open for reading and check; rank 0 holds the file. Collective on comm, which
   is borrowed.
   User errors: no such file, too short or no SEG-Y, little-endian, a format code that is not
   read, a length that is no whole number of traces (truncated, or traces of other lengths). */
PetscErrorCode fm_segy_open(MPI_Comm comm, const char *path, fm_segy **segy);
PetscErrorCode fm_segy_close(fm_segy **segy);

/* The same on every rank. dt [s]: 0 where the file does not say. */
int64_t fm_segy_traces(const fm_segy *segy);
int64_t fm_segy_samples(const fm_segy *segy);
double fm_segy_dt(const fm_segy *segy);
fm_segy_format fm_segy_get_format(const fm_segy *segy);

/* fm_segy_read_traces - traces [first, first + count), counted from 0, to every rank.
   Collective. out [count][samples], overwritten. User errors: a range that the file has not, a
   sample that is not finite (said with its trace and place). */
PetscErrorCode fm_segy_read_traces(fm_segy *segy, int64_t first, int64_t count, float *out);

/* fm_segy_read_lines - inline and crossline number (bytes 189 and 193 of the header) of traces
   [first, first + count) to every rank; 0 where the file does not say. Collective.
   lines [count][2], overwritten. User errors: as fm_segy_read_traces.
   Cost: a header a trace. */
PetscErrorCode fm_segy_read_lines(fm_segy *segy, int64_t first, int64_t count, int32_t *lines);

/* The header of a trace of recorded shots. Lengths in metres (feet, where the binary header
   says so, are turned), scalars (bytes 69 and 71) applied: 0 and 1 leave a number as it is, a
   negative one divides. */
typedef struct fm_segy_trace {
  double source[3];   /* x (byte 73), y (77), elevation of the surface at the source (45) */
  double receiver[3]; /* x (81), y (85), elevation of the receiver group (41) */
  double depth;       /* of the source below that surface (49) */
  double delay,
      dt;          /* s, from the shot to the first sample (109); interval (117), 0: not said */
  int64_t samples; /* 115; 0: not said */
  int64_t record;  /* field record number (9) */
  int64_t id;      /* 1 live, 2 dead, 3 dummy, ... (29) */
  int64_t units;   /* of the coordinates (89): 0 or 1 length, 2 to 4 angles */
} fm_segy_trace;

/* fm_segy_read_geometry - headers of traces [first, first + count) to every rank; [count],
   overwritten. Collective. User errors and cost: as fm_segy_read_lines. */
PetscErrorCode fm_segy_read_geometry(fm_segy *segy, int64_t first, int64_t count,
                                     fm_segy_trace *trace);

/* What a file is to hold. */
typedef struct fm_segy_content {
  fm_segy_format format; /* IBM or IEEE */
  int64_t traces, samples;
  double dt, delay; /* s; delay: time of the first sample, in whole ms. Sections in depth have
                          m where these have ms: dt 0.01 is 10 m */
  const char *text[8]; /* lines of the text header from the second on, 76 characters each; up to
                          the first NULL */
  const fm_segy_trace
      *trace;        /* [traces] source, receiver, depth, record, id; NULL: a section */
  const double *cdp; /* [traces] CDP X of a section in m; NULL: not said */
} fm_segy_content;

/* fm_segy_write_content - as fm_segy_write. Coordinates are whole millimetres where that fits
   into 32 bits, else centimetres or metres. */
PetscErrorCode fm_segy_write_content(MPI_Comm comm, const char *path,
                                     const fm_segy_content *content, const float *data);

/* fm_segy_write - a section as SEG-Y revision 1, atomically; IBM or IEEE float. Collective on
   comm; data [traces][samples] is read on rank 0 alone. Trace i, from 0, gets sequence number,
   CDP and crossline i + 1, inline 1. Samples up to 65535 a trace; dt [s] in whole microseconds,
   below 65536. User errors: those limits, and whatever the disk refuses. */
PetscErrorCode fm_segy_write(MPI_Comm comm, const char *path, fm_segy_format format,
                             int64_t traces, int64_t samples, double dt, const float *data);

#endif
