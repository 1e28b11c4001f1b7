/* Frozen reference numbers: golds/FILE holds one table a line, NAME v1,v2,... */
#ifndef GOLD_FILE_H
#define GOLD_FILE_H

#include "fm_test.h"

/* The first `count` numbers of the table NAME. */
static inline void gold_table(const char *file, const char *name, int count, double *v) {
  const char *root = getenv("FATHOM_SOURCE"), *slash = strrchr(__FILE__, '/');
  const size_t length = strlen(name);
  char path[1024], line[8192], *at = NULL;
  FILE *stream;

  if (root)
    snprintf(path, sizeof(path), "%s/tests/golds/%s", root, file);
  else
    snprintf(path, sizeof(path), "%.*s/golds/%s", slash ? (int)(slash - __FILE__) : 1,
             slash ? __FILE__ : ".", file);
  stream = fopen(path, "r");
  if (!stream) fail_msg("no %s (FATHOM_SOURCE says where the source is)", path);
  while (!at && fgets(line, sizeof(line), stream))
    if (!strncmp(line, name, length) && line[length] == ' ') at = line + length + 1;
  fclose(stream);
  if (!at) fail_msg("no %s in %s", name, path);
  for (int i = 0; i < count; i++) {
    char *end;

    v[i] = strtod(at, &end);
    assert_true(end != at);
    at = end + (*end == ',');
  }
}

/* The generator of golds/convergence.py. */
typedef struct gold_draws {
  uint32_t state;
} gold_draws;

static inline double gold_uniform(gold_draws *d) {
  d->state = 1664525u * d->state + 1013904223u;
  return ((double)d->state + 0.5) / 4294967296.;
}
static inline double gold_bell(gold_draws *d) {
  double sum = 0.;

  for (int k = 0; k < 12; k++) sum += gold_uniform(d);
  return sum - 6.;
}

#endif
