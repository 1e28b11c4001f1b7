/* SEG-Y through libsegyio: rank 0 alone has the file, verdicts and numbers are broadcast. */
#include "segy_impl.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
  else if (status.st_size < FM_SEGY_HEADERS + SEGY_TRACE_HEADER_SIZE)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' is no SEG-Y file or truncated: its %lld bytes hold less than the headers and "
            "one trace, %d bytes",
            path, (long long)status.st_size, FM_SEGY_HEADERS + SEGY_TRACE_HEADER_SIZE);
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
  int32_t unit = 0;
  float dt = 0;

  if (segy_binheader(file, header) != SEGY_OK) {
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read the headers of '%s'", path);
    return;
  }
  s->format = segy_format(header) & 0xffff;
  s->samples = segy_samples(header);
  segy_get_bfield(header, SEGY_BIN_MEASUREMENT_SYSTEM, &unit);
  s->metre = unit == 2 ? 0.3048 : 1;
  s->trace0 = segy_trace0(header);
  check_format(path, s->format, s->samples, v);
  if (v->code) return;
  s->trace_bytes = s->samples * (s->format == FM_SEGY_INT16 ? 2 : 4);
  segy_set_format(file, (int)s->format);
  if (s->trace0 < FM_SEGY_HEADERS)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED,
            "'%s' has %lld extended text headers by its binary header, expected 0 or more",
            path, (long long)(s->trace0 - FM_SEGY_HEADERS) / SEGY_TEXT_HEADER_SIZE);
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

PetscErrorCode fm_segy_read_traces(fm_segy *s, int64_t first, int64_t count, float *out) {
  const int64_t n = s->section.samples;
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_segy_range(s, first, count));
  for (int64_t i = 0; i < count && !s->rank && !v.code; i++)
    read_trace(s, first + i, out + i * n, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)(count * n) * sizeof(*out), out));
  PetscFunctionReturn(0);
}
