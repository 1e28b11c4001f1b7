/* Sections and shots as SEG-Y revision 1. */
#include "segy_impl.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINES 40

typedef struct {
  const fm_segy_content *content;
  segy_file *file;
  int64_t trace_bytes;
  int units; /* of a coordinate in a metre: 1000, 100 or 1 */
} writing;

static void write_line(char *text, int line, const char *words) {
  char card[81];

  snprintf(card, sizeof(card), "C%2d %-76.76s", line, words);
  memcpy(text + 80 * (line - 1), card, 80);
}

static int write_text(const writing *w) {
  char text[SEGY_TEXT_HEADER_SIZE + 1];

  text[SEGY_TEXT_HEADER_SIZE] = 0;
  for (int line = 1; line <= LINES; line++) write_line(text, line, "");
  write_line(text, 1, "fathom " FM_VERSION);
  for (int k = 0; k < 8 && w->content->text[k]; k++)
    write_line(text, k + 2, w->content->text[k]);
  write_line(text, LINES - 1, "SEG Y REV1");
  write_line(text, LINES, "END TEXTUAL HEADER");
  return segy_write_textheader(w->file, 0, text);
}

static void write_headers(const writing *w, fm_verdict *v) {
  const fm_segy_content *c = w->content;
  char header[SEGY_BINARY_HEADER_SIZE] = {0};
  int bad = segy_set_bfield(header, SEGY_BIN_LINE_NUMBER, 1);

  bad |= segy_set_bfield(header, SEGY_BIN_TRACES, (int32_t)PetscMin(c->traces, 32767));
  bad |= segy_set_bfield(header, SEGY_BIN_INTERVAL, (int32_t)lround(1e6 * c->dt));
  bad |= segy_set_bfield(header, SEGY_BIN_SAMPLES, (int32_t)c->samples);
  bad |= segy_set_bfield(header, SEGY_BIN_FORMAT, (int32_t)c->format);
  /* common source, or stacked */
  bad |= segy_set_bfield(header, SEGY_BIN_SORTING_CODE, c->trace ? 5 : 4);
  bad |= segy_set_bfield(header, SEGY_BIN_MEASUREMENT_SYSTEM, 1);
  bad |= segy_set_bfield(header, SEGY_BIN_SEGY_REVISION, 0x0100);
  bad |= segy_set_bfield(header, SEGY_BIN_TRACE_FLAG, 1);
  if (bad || write_text(w) || segy_write_binheader(w->file, header))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write the headers of a SEG-Y file");
}

/* ---- a trace ---- */

static int set_coordinate(const writing *w, char *header, int byte, double metres) {
  return segy_set_field(header, byte, (int32_t)lround(metres * w->units));
}

static int set_scalars(const writing *w, char *header) {
  const int32_t scalar = w->units > 1 ? -w->units : 1;

  return segy_set_field(header, SEGY_TR_ELEV_SCALAR, scalar) |
         segy_set_field(header, SEGY_TR_SOURCE_GROUP_SCALAR, scalar) |
         segy_set_field(header, SEGY_TR_COORD_UNITS, 1);
}

static int set_shot(const writing *w, char *header, const fm_segy_trace *t) {
  int bad = set_scalars(w, header);

  bad |= set_coordinate(w, header, SEGY_TR_SOURCE_X, t->source[0]);
  bad |= set_coordinate(w, header, SEGY_TR_SOURCE_Y, t->source[1]);
  bad |= set_coordinate(w, header, SEGY_TR_SOURCE_SURF_ELEV, t->source[2]);
  bad |= set_coordinate(w, header, SEGY_TR_SOURCE_DEPTH, t->depth);
  bad |= set_coordinate(w, header, SEGY_TR_GROUP_X, t->receiver[0]);
  bad |= set_coordinate(w, header, SEGY_TR_GROUP_Y, t->receiver[1]);
  bad |= set_coordinate(w, header, SEGY_TR_RECV_GROUP_ELEV, t->receiver[2]);
  bad |= segy_set_field(header, SEGY_TR_FIELD_RECORD, (int32_t)t->record);
  bad |= segy_set_field(header, SEGY_TR_ENERGY_SOURCE_POINT, (int32_t)t->record);
  bad |= segy_set_field(header, SEGY_TR_TRACE_ID, (int32_t)t->id);
  bad |= segy_set_field(
      header, SEGY_TR_OFFSET,
      (int32_t)lround(hypot(t->receiver[0] - t->source[0], t->receiver[1] - t->source[1])));
  return bad;
}

static int set_section(const writing *w, char *header, int64_t i) {
  const int32_t number = (int32_t)i + 1;
  int bad = segy_set_field(header, SEGY_TR_ENSEMBLE, number);

  bad |= segy_set_field(header, SEGY_TR_CROSSLINE, number);
  bad |= segy_set_field(header, SEGY_TR_INLINE, 1);
  bad |= segy_set_field(header, SEGY_TR_TRACE_ID, 1); /* live seismic data */
  if (!w->content->cdp) return bad;
  bad |= set_scalars(w, header);
  bad |= set_coordinate(w, header, SEGY_TR_CDP_X, w->content->cdp[i]);
  return bad;
}

static void write_trace(const writing *w, int64_t i, float *samples, fm_verdict *v) {
  const fm_segy_content *c = w->content;
  char header[SEGY_TRACE_HEADER_SIZE] = {0};
  int bad = segy_set_field(header, SEGY_TR_SEQ_LINE, (int32_t)i + 1);

  bad |= segy_set_field(header, SEGY_TR_SEQ_FILE, (int32_t)i + 1);
  bad |= segy_set_field(header, SEGY_TR_DELAY_REC_TIME, (int32_t)lround(1e3 * c->delay));
  bad |= segy_set_field(header, SEGY_TR_SAMPLE_COUNT, (int32_t)c->samples);
  bad |= segy_set_field(header, SEGY_TR_SAMPLE_INTER, (int32_t)lround(1e6 * c->dt));
  bad |= c->trace ? set_shot(w, header, c->trace + i) : set_section(w, header, i);
  segy_from_native((int)c->format, c->samples, samples);
  if (bad ||
      segy_write_traceheader(w->file, (int)i, header, FM_SEGY_HEADERS, (int)w->trace_bytes) ||
      segy_writetrace(w->file, (int)i, samples, FM_SEGY_HEADERS, (int)w->trace_bytes))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write trace %lld: %s", (long long)i,
            strerror(errno));
}

/* ---- the file ---- */

/* The largest coordinate of a trace. */
static double farthest(const fm_segy_content *c, int64_t i) {
  double most = c->cdp ? fabs(c->cdp[i]) : 0;

  for (int k = 0; k < 3 && c->trace; k++)
    most = fmax(most, fmax(fabs(c->trace[i].source[k]), fabs(c->trace[i].receiver[k])));
  return c->trace ? fmax(most, fabs(c->trace[i].depth)) : most;
}

static int choose_units(const fm_segy_content *c) {
  double most = 0;

  for (int64_t i = 0; i < c->traces; i++) most = fmax(most, farthest(c, i));
  return most < 2e6 ? 1000 : most < 2e7 ? 100 : 1;
}

static void write_file(const char *temporary, writing *w, const float *data, float *trace,
                       fm_verdict *v) {
  const fm_segy_content *c = w->content;

  w->file = segy_open(temporary, "w+b");
  if (!w->file) {
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot write '%s': %s", temporary, strerror(errno));
    return;
  }
  segy_set_format(w->file, (int)c->format);
  write_headers(w, v);
  for (int64_t i = 0; i < c->traces && !v->code; i++) {
    memcpy(trace, data + i * c->samples, (size_t)c->samples * sizeof(*trace));
    write_trace(w, i, trace, v);
  }
  if (segy_close(w->file))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write '%s': %s", temporary, strerror(errno));
}

static PetscErrorCode write_on_root(const char *path, const fm_segy_content *c,
                                    const float *data, fm_verdict *v) {
  writing w = {c, NULL, segy_trsize((int)c->format, (int)c->samples), choose_units(c)};
  char temporary[PETSC_MAX_PATH_LEN];
  float *trace;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(temporary, sizeof(temporary), "%s.tmp", path));
  PetscCall(PetscMalloc1(c->samples, &trace));
  write_file(temporary, &w, data, trace, v);
  PetscCall(PetscFree(trace));
  if (!v->code) fm_file_flush(temporary, v);
  if (!v->code)
    fm_file_publish(temporary, path, NULL, v);
  else
    remove(temporary);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_segy_write_content(MPI_Comm comm, const char *path, const fm_segy_content *c,
                                     const float *data) {
  fm_verdict v = {0};
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  fm_check(c->traces >= 1 && c->traces <= INT32_MAX - 1 && c->samples >= 1 &&
               c->samples <= 65535,
           comm, PETSC_ERR_ARG_SIZ,
           "SEG-Y holds 1 to 65535 samples a trace and at most 2^31 traces, not %lld traces of "
           "%lld samples",
           (long long)c->traces, (long long)c->samples);
  fm_check(c->dt >= 0 && c->dt < 0.0655355, comm, PETSC_ERR_ARG_OUTOFRANGE,
           "a SEG-Y sample interval is 0 to 0.065535 s, not %g", c->dt);
  fm_check(c->format == FM_SEGY_IBM || c->format == FM_SEGY_IEEE, comm, PETSC_ERR_SUP,
           "SEG-Y is written as IBM (1) or IEEE (5) float, not as format %d", (int)c->format);
  fm_check(fabs(c->delay) < 32.7675, comm, PETSC_ERR_ARG_OUTOFRANGE,
           "a SEG-Y trace begins within 32.767 s of the shot, or 32767 m of depth, not at %g",
           c->delay);
  if (!rank) PetscCall(write_on_root(path, c, data, &v));
  PetscCall(fm_verdict_agree(comm, &v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_segy_write(MPI_Comm comm, const char *path, fm_segy_format format,
                             int64_t traces, int64_t samples, double dt, const float *data) {
  const fm_segy_content content = {
      .format = format, .traces = traces, .samples = samples, .dt = dt};

  PetscFunctionBegin;
  PetscCall(fm_segy_write_content(comm, path, &content, data));
  PetscFunctionReturn(0);
}
