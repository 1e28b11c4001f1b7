/* fm_history - named series of numbers that the method determines (no wall times):
   /history/NAME in a checkpoint. */
#ifndef FATHOM_HISTORY_H
#define FATHOM_HISTORY_H

#include "fathom/store.h"

typedef struct fm_series {
  char name[48];
  int64_t n, capacity;
  double *value;
} fm_series;

typedef struct fm_history {
  fm_series *series;
  int nseries, capacity;
} fm_history;

PetscErrorCode fm_history_create(fm_history **history);
PetscErrorCode fm_history_destroy(fm_history **history);
/* fm_history_append - one more value of a series, which is made when it is new. */
PetscErrorCode fm_history_append(fm_history *history, const char *name, double value);
const fm_series *fm_history_find(const fm_history *history, const char *name); /* NULL: none */
double fm_history_last(const fm_history *history, const char *name);           /* NaN: none */
/* fm_history_write / _read - all series as datasets [n] of a group. Collective on the store's
   communicator. */
PetscErrorCode fm_history_write(const fm_history *history, fm_store *store, const char *group);
PetscErrorCode fm_history_read(fm_history *history, fm_store *store, const char *group);

#endif
