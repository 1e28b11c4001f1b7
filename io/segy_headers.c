/* Trace headers of SEG-Y: line numbers, and who shot and who heard. */
#include "segy_impl.h"

PetscErrorCode fm_segy_range(const fm_segy *s, int64_t first, int64_t count) {
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
  PetscCall(fm_segy_range(s, first, count));
  for (int64_t i = 0; i < count && !s->rank && !v.code; i++)
    read_line(s, first + i, lines + 2 * i, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)(2 * count) * sizeof(*lines), lines));
  PetscFunctionReturn(0);
}

/* ---- sources and receivers ---- */

/* Field `byte` of a header; 0 where it cannot be read, which *bad counts. */
static int32_t field(const char *header, int byte, int *bad) {
  int32_t value = 0;

  *bad |= segy_get_field(header, byte, &value);
  return value;
}

static double scaled(int32_t value, int32_t scalar) {
  if (scalar < 0) return (double)value / -(double)scalar;
  return scalar ? (double)value * scalar : (double)value;
}

static int decode(const char *h, double metre, fm_segy_trace *t) {
  int bad = 0;
  const int32_t z = field(h, SEGY_TR_ELEV_SCALAR, &bad);
  const int32_t x = field(h, SEGY_TR_SOURCE_GROUP_SCALAR, &bad);

  t->source[0] = metre * scaled(field(h, SEGY_TR_SOURCE_X, &bad), x);
  t->source[1] = metre * scaled(field(h, SEGY_TR_SOURCE_Y, &bad), x);
  t->source[2] = metre * scaled(field(h, SEGY_TR_SOURCE_SURF_ELEV, &bad), z);
  t->depth = metre * scaled(field(h, SEGY_TR_SOURCE_DEPTH, &bad), z);
  t->receiver[0] = metre * scaled(field(h, SEGY_TR_GROUP_X, &bad), x);
  t->receiver[1] = metre * scaled(field(h, SEGY_TR_GROUP_Y, &bad), x);
  t->receiver[2] = metre * scaled(field(h, SEGY_TR_RECV_GROUP_ELEV, &bad), z);
  t->delay = 1e-3 * field(h, SEGY_TR_DELAY_REC_TIME, &bad);
  t->dt = 1e-6 * (field(h, SEGY_TR_SAMPLE_INTER, &bad) & 0xffff);
  t->samples = field(h, SEGY_TR_SAMPLE_COUNT, &bad) & 0xffff;
  t->record = field(h, SEGY_TR_FIELD_RECORD, &bad);
  t->id = field(h, SEGY_TR_TRACE_ID, &bad);
  t->units = field(h, SEGY_TR_COORD_UNITS, &bad);
  return bad;
}

static void read_geometry(const fm_segy *s, int64_t trace, fm_segy_trace *t, fm_verdict *v) {
  char header[SEGY_TRACE_HEADER_SIZE];
  const fm_section *c = &s->section;
  int bad = segy_traceheader(s->file, (int)trace, header, (long)c->trace0, (int)c->trace_bytes);

  if (!bad) bad = decode(header, c->metre, t);
  if (bad)
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read the header of trace %lld of '%s'",
            (long long)trace, s->path);
}

PetscErrorCode fm_segy_read_geometry(fm_segy *s, int64_t first, int64_t count,
                                     fm_segy_trace *trace) {
  fm_verdict v = {0};

  PetscFunctionBegin;
  PetscCall(fm_segy_range(s, first, count));
  for (int64_t i = 0; i < count && !s->rank && !v.code; i++)
    read_geometry(s, first + i, trace + i, &v);
  PetscCall(fm_verdict_share(s->comm, &v, (size_t)count * sizeof(*trace), trace));
  PetscFunctionReturn(0);
}
