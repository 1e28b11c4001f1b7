#include "fathom/history.h"
#include <math.h>

PetscErrorCode fm_history_create(fm_history **history) {
  PetscFunctionBegin;
  PetscCall(PetscNew(history));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_history_destroy(fm_history **history) {
  fm_history *h = *history;

  PetscFunctionBegin;
  if (!h) PetscFunctionReturn(0);
  for (int i = 0; i < h->nseries; i++) PetscCall(PetscFree(h->series[i].value));
  PetscCall(PetscFree(h->series));
  PetscCall(PetscFree(*history));
  PetscFunctionReturn(0);
}

const fm_series *fm_history_find(const fm_history *h, const char *name) {
  for (int i = 0; i < h->nseries; i++)
    if (!strcmp(h->series[i].name, name)) return &h->series[i];
  return NULL;
}

double fm_history_last(const fm_history *h, const char *name) {
  const fm_series *s = fm_history_find(h, name);

  return s && s->n ? s->value[s->n - 1] : (double)NAN;
}

static PetscErrorCode add_series(fm_history *h, const char *name, fm_series **series) {
  PetscFunctionBegin;
  if (h->nseries == h->capacity) {
    fm_series *larger;

    h->capacity = 2 * h->capacity + 16;
    PetscCall(PetscCalloc1(h->capacity, &larger));
    PetscCall(PetscArraycpy(larger, h->series, h->nseries));
    PetscCall(PetscFree(h->series));
    h->series = larger;
  }
  *series = &h->series[h->nseries++];
  PetscCall(PetscStrncpy((*series)->name, name, sizeof((*series)->name)));
  PetscFunctionReturn(0);
}

static PetscErrorCode reserve(fm_series *s, int64_t n) {
  double *larger;

  PetscFunctionBegin;
  if (n <= s->capacity) PetscFunctionReturn(0);
  s->capacity = 2 * n + 64;
  PetscCall(fm_calloc(s->capacity, &larger));
  PetscCall(PetscArraycpy(larger, s->value, s->n));
  PetscCall(PetscFree(s->value));
  s->value = larger;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_history_append(fm_history *h, const char *name, double value) {
  fm_series *s = (fm_series *)fm_history_find(h, name);

  PetscFunctionBegin;
  if (!s) PetscCall(add_series(h, name, &s));
  PetscCall(reserve(s, s->n + 1));
  s->value[s->n++] = value;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_history_write(const fm_history *h, fm_store *store, const char *group) {
  char path[128];

  PetscFunctionBegin;
  for (int i = 0; i < h->nseries; i++) {
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", group, h->series[i].name));
    PetscCall(fm_store_write(store, path, FM_FLOAT64, 1, &h->series[i].n, h->series[i].value));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_one(fm_history *h, fm_store *store, const char *group,
                               const char *name) {
  char path[256];
  int64_t shape[FM_STORE_NDIM];
  fm_series *s;
  int ndim;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", group, name));
  PetscCall(fm_store_shape(store, path, &ndim, shape));
  PetscCall(add_series(h, name, &s));
  PetscCall(reserve(s, shape[0]));
  s->n = shape[0];
  PetscCall(fm_store_read(store, path, FM_FLOAT64, s->n, s->value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_history_read(fm_history *h, fm_store *store, const char *group) {
  PetscErrorCode error = 0;
  PetscBool has, *is_group;
  char **names;
  int n;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, group, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_list(store, group, &n, &names, &is_group));
  for (int i = 0; i < n && !error; i++) error = read_one(h, store, group, names[i]);
  PetscCall(fm_store_free_list(n, &names, &is_group));
  PetscCall(error);
  PetscFunctionReturn(0);
}
