/* The places of recorded traces: shots and receivers in order, one layout for all. */
#include "cli/shots.h"
#include "fathom/options.h"
#include "fathom/log.h"

static int order(double a, double b) { return a < b ? -1 : a > b; }

/* (z, x): by x, then z */
static int by_place(const void *a, const void *b) {
  const double *p = (const double *)a, *q = (const double *)b;
  const int first = order(p[1], q[1]);

  return first ? first : order(p[0], q[0]);
}

static int by_shot(const fm_shots_trace *a, const fm_shots_trace *b) {
  const int place = by_place(a->source, b->source);

  return place ? place : (a->record > b->record) - (a->record < b->record);
}

static int by_trace(const void *a, const void *b) {
  const fm_shots_trace *p = (const fm_shots_trace *)a, *q = (const fm_shots_trace *)b;
  const int shot = by_shot(p, q), place = shot ? shot : by_place(p->receiver, q->receiver);

  return place ? place : (p->index > q->index) - (p->index < q->index);
}

/* Traces in order: of a shot [first[k], first[k + 1]). */
typedef struct {
  int64_t n, nshot, most, least, least_shot; /* most, least: traces of a shot */
  const fm_shots_trace *trace;
  int64_t *first;
  double *all; /* [nall][2] every place of a receiver once, in order */
  int64_t nall;
} layout;

static PetscErrorCode refuse_twins(MPI_Comm comm, const layout *l) {
  PetscFunctionBegin;
  for (int64_t i = 1; i < l->n; i++)
    fm_check(by_shot(l->trace + i - 1, l->trace + i) ||
                 by_place(l->trace[i - 1].receiver, l->trace[i].receiver),
             comm, PETSC_ERR_USER,
             "traces %lld and %lld (counted from 0) of -shots have the same source, field "
             "record and receiver at (z, x) = (%.8g, %.8g) m: leave one out",
             (long long)l->trace[i - 1].index, (long long)l->trace[i].index,
             l->trace[i].receiver[0], l->trace[i].receiver[1]);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_shots(layout *l) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(l->n + 1, &l->first));
  for (int64_t i = 1; i <= l->n; i++)
    if (i == l->n || by_shot(l->trace + i - 1, l->trace + i)) l->first[++l->nshot] = i;
  l->least = l->n;
  for (int64_t k = 0; k < l->nshot; k++) {
    const int64_t count = l->first[k + 1] - l->first[k];

    l->most = PetscMax(l->most, count);
    if (count < l->least) l->least_shot = k;
    l->least = PetscMin(l->least, count);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode find_places(layout *l) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * l->n, &l->all));
  for (int64_t i = 0; i < l->n; i++)
    for (int d = 0; d < 2; d++) l->all[2 * i + d] = l->trace[i].receiver[d];
  qsort(l->all, (size_t)l->n, 2 * sizeof(*l->all), by_place);
  for (int64_t i = 0; i < l->n; i++) {
    if (l->nall && !by_place(l->all + 2 * i, l->all + 2 * (l->nall - 1))) continue;
    for (int d = 0; d < 2; d++) l->all[2 * l->nall + d] = l->all[2 * i + d];
    l->nall++;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode refuse_unequal(MPI_Comm comm, const layout *l) {
  const fm_shots_trace *t = l->trace + l->first[l->least_shot];
  int64_t most;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("shots_receivers_most", 0, INT32_MAX, &most));
  if (!most) most = 2 * l->most;
  fm_check(
      l->nall <= most, comm, PETSC_ERR_USER,
      "shot %lld at (z, x) = (%.8g, %.8g) m has %lld receivers, others up to %lld, and all "
      "together stand at %lld places, more than the %lld of a common layout: cut the shots "
      "alike, or raise -shots_receivers_most",
      (long long)l->least_shot, t->source[0], t->source[1], (long long)l->least,
      (long long)l->most, (long long)l->nall, (long long)most);
  fm_log("shots have %lld to %lld receivers at %lld common places: those without a trace are "
         "masked",
         (long long)l->least, (long long)l->most, (long long)l->nall);
  PetscFunctionReturn(0);
}

static int64_t find_place(const layout *l, const double *place) {
  const double *at =
      (const double *)bsearch(place, l->all, (size_t)l->nall, 2 * sizeof(*l->all), by_place);

  return (at - l->all) / 2;
}

/* Sources, receivers and places; moving: the k-th trace of a shot has place k. */
static PetscErrorCode take(const layout *l, fm_shots *s, int64_t *place) {
  const int64_t receivers = s->moving ? l->n : l->nall;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * s->nshot, &s->source));
  PetscCall(fm_calloc(2 * receivers, &s->receiver));
  if (!s->moving) PetscCall(PetscArraycpy(s->receiver, l->all, (size_t)(2 * receivers)));
  for (int64_t k = 0; k < l->nshot; k++)
    for (int64_t i = l->first[k]; i < l->first[k + 1]; i++)
      for (int d = 0; d < 2; d++) {
        s->source[2 * k + d] = l->trace[i].source[d];
        if (s->moving) s->receiver[2 * i + d] = l->trace[i].receiver[d];
        place[i] = s->moving ? i : k * l->nall + find_place(l, l->trace[i].receiver);
      }
  PetscFunctionReturn(0);
}

static PetscErrorCode arrange(fm_shots *s, layout *l, int64_t *place) {
  PetscFunctionBegin;
  PetscCall(refuse_twins(s->world, l));
  PetscCall(find_shots(l));
  PetscCall(find_places(l));
  s->nshot = l->nshot;
  s->moving = l->least == l->most && l->nall > l->most ? PETSC_TRUE : PETSC_FALSE;
  if (l->least < l->nall && !s->moving) PetscCall(refuse_unequal(s->world, l));
  s->nreceiver = s->moving ? l->most : l->nall;
  PetscCall(take(l, s, place));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_layout(fm_shots *s, int64_t n, fm_shots_trace *trace, int64_t *place) {
  layout l = {.n = n, .trace = trace};
  PetscErrorCode code;

  PetscFunctionBegin;
  qsort(trace, (size_t)n, sizeof(*trace), by_trace);
  code = arrange(s, &l, place);
  PetscCall(PetscFree(l.first));
  PetscCall(PetscFree(l.all));
  PetscCall(code);
  PetscFunctionReturn(0);
}
