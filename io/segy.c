/* SEG-Y through libsegyio: rank 0 alone has the file, verdicts and numbers are broadcast. */
#include "fathom/segy.h"
#include "file.h"
#include <errno.h>
#include <math.h>
#include <segyio/segy.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS (SEGY_TEXT_HEADER_SIZE + SEGY_BINARY_HEADER_SIZE)

typedef struct fm_section {
  int64_t traces, samples, format, trace0, trace_bytes; /* bytes: of the samples of a trace */
  double dt;
} fm_section;

struct fm_segy {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank;
  segy_file *file; /* rank 0 */
  char *path;
  fm_section section;
};

/* ---- what is there ---- */

static int64_t file_bytes(const char *path, fm_verdict *v) {
  struct stat status;
  FILE *file = NULL;

  if (stat(path, &status))
    fm_fail(v, PETSC_ERR_FILE_OPEN, errno == ENOENT ? "no such file: '%s'" : "cannot open '%s'",
            path);
  else if (!S_ISREG(status.st_mode))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "'%s' is no file, expected a SEG-Y file", path);
  else if (!(file = fopen(path, "rb")))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': %s", path, strerror(errno));
  else if (status.st_size < HEADERS + SEGY_TRACE_HEADER_SIZE)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' is no SEG-Y file or truncated: its %lld bytes hold less than the headers and "
            "one trace, %d bytes",
            path, (long long)status.st_size, HEADERS + SEGY_TRACE_HEADER_SIZE);
  if (file) fclose(file);
  return v->code ? 0 : (int64_t)status.st_size;
}

static void check_format(const char *path, int64_t format, int64_t samples, fm_verdict *v) {
  static const int64_t known[] = {FM_SEGY_IBM, FM_SEGY_INT16, FM_SEGY_IEEE};

  for (int i = 0; i < 3; i++)
    if (format == known[i] && samples > 0) return;
  if (format > 0xff && !(format & 0xff))
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' is little-endian SEG-Y (format code %lld of the other byte order), expected "
            "big-endian",
            path, (long long)(format >> 8));
  else if (format < 1 || format > 16 || samples < 1)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' is no SEG-Y file: its binary header has format code %lld and %lld samples a "
            "trace",
            path, (long long)format, (long long)samples);
  else
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' has samples of SEG-Y format %lld; read are 1 (IBM float), 3 (16-bit integer) "
            "and 5 (IEEE float)",
            path, (long long)format);
}

/* In our own integers: segyio's are ints. */
static void count_traces(const char *path, int64_t bytes, fm_section *s, fm_verdict *v) {
  const int64_t each = s->trace_bytes + SEGY_TRACE_HEADER_SIZE, rest = bytes - s->trace0;

  if (rest > 0 && rest % each == 0 && rest / each < INT32_MAX) {
    s->traces = rest / each;
    return;
  }
  fm_fail(v, PETSC_ERR_FILE_READ,
          "'%s' is truncated or has traces of different lengths: after its headers come %lld "
          "bytes, no whole number of traces of %lld bytes (%lld samples in format %lld)",
          path, (long long)rest, (long long)each, (long long)s->samples, (long long)s->format);
}

static void examine(const char *path, segy_file *file, int64_t bytes, fm_section *s,
                    fm_verdict *v) {
  char header[SEGY_BINARY_HEADER_SIZE];
  float dt = 0;

  if (segy_binheader(file, header) != SEGY_OK) {
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read the headers of '%s'", path);
    return;
  }
  s->format = segy_format(header) & 0xffff;
  s->samples = segy_samples(header);
  s->trace0 = segy_trace0(header);
  check_format(path, s->format, s->samples, v);
  if (v->code) return;
  s->trace_bytes = s->samples * (s->format == FM_SEGY_INT16 ? 2 : 4);
  segy_set_format(file, (int)s->format);
  if (s->trace0 < HEADERS)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' has %lld extended text headers by its binary header, expected 0 or more",
            path, (long long)(s->trace0 - HEADERS) / SEGY_TEXT_HEADER_SIZE);
  else
    count_traces(path, bytes, s, v);
  if (v->code) return;
  if (segy_sample_interval(file, 0, &dt) == SEGY_OK && dt > 0) s->dt = 1e-6 * (double)dt;
}

static void open_on_root(fm_segy *s, fm_verdict *v) {
  const int64_t bytes = file_bytes(s->path, v);

  if (v->code) return;
  s->file = segy_open(s->path, "rb");
  if (!s->file)
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s'", s->path);
  else
    examine(s->path, s->file, bytes, &s->section, v);
}

PetscErrorCode fm_segy_open(MPI_Comm comm, const char *path, fm_segy **segy) {
  fm_verdict v = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(segy));
  (*segy)->comm = comm;
  PetscCallMPI(MPI_Comm_rank(comm, &(*segy)->rank));
  PetscCall(PetscStrallocpy(path, &(*segy)->path));
  if (!(*segy)->rank) open_on_root(*segy, &v);
  code = fm_verdict_share(comm, &v, sizeof((*segy)->section), &(*segy)->section);
  if (code) PetscCall(fm_segy_close(segy));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_segy_close(fm_segy **segy) {
  PetscFunctionBegin;
  if (!*segy) PetscFunctionReturn(0);
  if ((*segy)->file) segy_close((*segy)->file);
  PetscCall(PetscFree((*segy)->path));
  PetscCall(PetscFree(*segy));
  PetscFunctionReturn(0);
}

int64_t fm_segy_traces(const fm_segy *s) { return s->section.traces; }
int64_t fm_segy_samples(const fm_segy *s) { return s->section.samples; }
double fm_segy_dt(const fm_segy *s) { return s->section.dt; }
fm_segy_format fm_segy_get_format(const fm_segy *s) {
  return (fm_segy_format)s->section.format;
}

/* ---- traces ---- */

/* n 16-bit integers at the beginning of `samples` become n floats, from the last one */
static void widen(int64_t n, float *samples) {
  for (int64_t i = n - 1; i >= 0; i--) {
    int16_t value;

    memcpy(&value, (char *)samples + 2 * i, 2);
    samples[i] = (float)value;
  }
}

static void check_finite(const fm_segy *s, int64_t trace, const float *samples, fm_verdict *v) {
  for (int64_t i = 0; i < s->section.samples; i++)
    if (!isfinite(samples[i])) {
      fm_fail(v, PETSC_ERR_USER,
              "trace %lld of '%s' (counted from 0) has %s at sample %lld, expected finite "
              "numbers",
              (long long)trace, s->path, isnan(samples[i]) ? "nan" : "inf", (long long)i);
      return;
    }
}

static void read_trace(const fm_segy *s, int64_t trace, float *out, fm_verdict *v) {
  const fm_section *c = &s->section;

  if (segy_readtrace(s->file, (int)trace, out, (long)c->trace0, (int)c->trace_bytes) != SEGY_OK)
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read trace %lld of '%s': was it cut off?",
            (long long)trace, s->path);
  if (v->code) return;
  segy_to_native((int)c->format, c->samples, out);
  if (c->format == FM_SEGY_INT16) widen(c->samples, out);
  check_finite(s, trace, out, v);
}

static PetscErrorCode check_range(const fm_segy *s, int64_t first, int64_t count) {
  PetscFunctionBegin;
  fm_check(first >= 0 && count >= 0 && first <= s->section.traces - count, s->comm,
           PETSC_ERR_ARG_OUTOFRANGE, "traces %lld..%lld of '%s', which has %lld",
           (long long)first, (long long)(first + count - 1), s->path,
           (long long)s->section.traces);
  PetscFunctionReturn(0);
}

static void read_line(const fm_segy *s, int64_t trace, int32_t line[2], fm_verdict *v) {
  char header[SEGY_TRACE_HEADER_SIZE];
  const fm_section *c = &s->section;
  int bad = segy_traceheader(s->file, (int)trace, header, (long)c->trace0, (int)c->trace_bytes);

  if (!bad) bad |= segy_get_field(header, SEGY_TR_INLINE, &line[0]);
  if (!bad) bad |= segy_get_field(header, SEGY_TR_CROSSLINE, &line[1]);
  if (bad)
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read the header of trace %lld of '%s'",
            (long long)trace, s->path);
}

PetscErrorCode fm_segy_read_lines(fm_segy *s, int64_t first, int64_t count, int32_t *lines) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(check_range(s, first, count));
  for (int64_t i = 0; i < count && !s->rank && !v.code; i++)
    read_line(s, first + i, lines + 2 * i, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)(2 * count) * sizeof(*lines), lines));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_segy_read_traces(fm_segy *s, int64_t first, int64_t count, float *out) {
  const int64_t n = s->section.samples;
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(check_range(s, first, count));
  for (int64_t i = 0; i < count && !s->rank && !v.code; i++)
    read_trace(s, first + i, out + i * n, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)(count * n) * sizeof(*out), out));
  PetscFunctionReturn(0);
}

/* ---- writing ---- */

static void write_headers(segy_file *file, const fm_section *s, fm_verdict *v) {
  char text[SEGY_TEXT_HEADER_SIZE + 1], header[SEGY_BINARY_HEADER_SIZE] = {0};
  const int interval = (int)lround(1e6 * s->dt);
  int bad;

  memset(text, ' ', SEGY_TEXT_HEADER_SIZE);
  text[SEGY_TEXT_HEADER_SIZE] = 0;
  for (int line = 1; line <= 40; line++) {
    char card[81];
    const char *words = line == 1    ? "fathom " FM_VERSION
                        : line == 39 ? "SEG Y REV1"
                        : line == 40 ? "END TEXTUAL HEADER"
                                     : "";

    snprintf(card, sizeof(card), "C%2d %s", line, words);
    memcpy(text + 80 * (line - 1), card, strlen(card));
  }
  bad = segy_set_bfield(header, SEGY_BIN_LINE_NUMBER, 1);
  bad |= segy_set_bfield(header, SEGY_BIN_TRACES, (int32_t)PetscMin(s->traces, 32767));
  bad |= segy_set_bfield(header, SEGY_BIN_INTERVAL, interval);
  bad |= segy_set_bfield(header, SEGY_BIN_SAMPLES, (int32_t)s->samples);
  bad |= segy_set_bfield(header, SEGY_BIN_FORMAT, (int32_t)s->format);
  bad |= segy_set_bfield(header, SEGY_BIN_SORTING_CODE, 4); /* stacked */
  bad |= segy_set_bfield(header, SEGY_BIN_MEASUREMENT_SYSTEM, 1);
  bad |= segy_set_bfield(header, SEGY_BIN_SEGY_REVISION, 0x0100);
  bad |= segy_set_bfield(header, SEGY_BIN_TRACE_FLAG, 1);
  if (bad || segy_write_textheader(file, 0, text) || segy_write_binheader(file, header))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write the headers of a SEG-Y file");
}

static void write_trace(segy_file *file, const fm_section *s, int64_t i, float *samples,
                        fm_verdict *v) {
  static const int number[] = {SEGY_TR_SEQ_LINE, SEGY_TR_SEQ_FILE, SEGY_TR_ENSEMBLE,
                               SEGY_TR_CROSSLINE};
  char header[SEGY_TRACE_HEADER_SIZE] = {0};
  int bad = 0;

  for (int k = 0; k < 4; k++) bad |= segy_set_field(header, number[k], (int32_t)i + 1);
  bad |= segy_set_field(header, SEGY_TR_INLINE, 1);
  bad |= segy_set_field(header, SEGY_TR_TRACE_ID, 1); /* live seismic data */
  bad |= segy_set_field(header, SEGY_TR_SAMPLE_COUNT, (int32_t)s->samples);
  bad |= segy_set_field(header, SEGY_TR_SAMPLE_INTER, (int32_t)lround(1e6 * s->dt));
  segy_from_native((int)s->format, s->samples, samples);
  if (bad ||
      segy_write_traceheader(file, (int)i, header, (long)s->trace0, (int)s->trace_bytes) ||
      segy_writetrace(file, (int)i, samples, (long)s->trace0, (int)s->trace_bytes))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write trace %lld: %s", (long long)i,
            strerror(errno));
}

static void write_file(const char *temporary, const fm_section *s, const float *data,
                       float *trace, fm_verdict *v) {
  segy_file *file = segy_open(temporary, "w+b");

  if (!file) {
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot write '%s': %s", temporary, strerror(errno));
    return;
  }
  segy_set_format(file, (int)s->format);
  write_headers(file, s, v);
  for (int64_t i = 0; i < s->traces && !v->code; i++) {
    memcpy(trace, data + i * s->samples, (size_t)s->samples * sizeof(*trace));
    write_trace(file, s, i, trace, v);
  }
  if (segy_close(file))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write '%s': %s", temporary, strerror(errno));
}

static PetscErrorCode write_on_root(const char *path, const fm_section *s, const float *data,
                                    fm_verdict *v) {
  char temporary[PETSC_MAX_PATH_LEN];
  float *trace;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(temporary, sizeof(temporary), "%s.tmp", path));
  PetscCall(PetscMalloc1(s->samples, &trace));
  write_file(temporary, s, data, trace, v);
  PetscCall(PetscFree(trace));
  if (!v->code) fm_file_flush(temporary, v);
  if (!v->code)
    fm_file_publish(temporary, path, NULL, v);
  else
    remove(temporary);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_segy_write(MPI_Comm comm, const char *path, fm_segy_format format,
                             int64_t traces, int64_t samples, double dt, const float *data) {
  const fm_section s = {
      traces, samples, format, HEADERS, segy_trsize((int)format, (int)PetscMin(samples, 65535)),
      dt};
  fm_verdict v = {0};
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  fm_check(traces >= 1 && traces <= INT32_MAX - 1 && samples >= 1 && samples <= 65535, comm,
           PETSC_ERR_ARG_SIZ,
           "SEG-Y holds 1 to 65535 samples a trace and at most 2^31 traces, not %lld traces of "
           "%lld samples",
           (long long)traces, (long long)samples);
  fm_check(dt >= 0 && dt < 0.0655355, comm, PETSC_ERR_ARG_OUTOFRANGE,
           "a SEG-Y sample interval is 0 to 0.065535 s, not %g", dt);
  fm_check(format == FM_SEGY_IBM || format == FM_SEGY_IEEE, comm, PETSC_ERR_SUP,
           "SEG-Y is written as IBM (1) or IEEE (5) float, not as format %d", (int)format);
  if (!rank) PetscCall(write_on_root(path, &s, data, &v));
  PetscCall(fm_verdict_agree(comm, &v));
  PetscFunctionReturn(0);
}
