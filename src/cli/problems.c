#include "cli/problems.h"
#include "fathom/checkpoint.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include <stdlib.h>

#define SETTINGS 65536 /* more does not fit into an attribute */

/* ---- settings that are not the problem ---- */

/* What says where, when, of which observation and in which coordinates, not of which problem.
   */
static PetscBool no_matter(const char *name) {
  static const char *const names[] = {"out",
                                      "seed",
                                      "ranks_per_sample",
                                      "observed",
                                      "warm_start",
                                      "weights",
                                      "shots_per_sample",
                                      "shots_encode",
                                      "prior_mismatch_ok",
                                      "resume",
                                      "time_limit",
                                      "report_seconds",
                                      "flow_memory",
                                      "acoustic_split",
                                      "tape_memory",
                                      "acoustic_allow_dispersion",
                                      "acoustic_linearize_at",
                                      "acoustic_informed"};

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (!strcmp(name, names[i])) return PETSC_TRUE;
  return PETSC_FALSE;
}

typedef struct {
  const char *here, *there;
  fm_problem_difference *other, *otherwise;
} comparison;

static void keep(fm_problem_difference *d, const char *here, size_t n, const char *there,
                 size_t m) {
  if (d->here[0]) return;
  snprintf(d->here, sizeof(d->here), "%.*s", here ? (int)n : 9, here ? here : "not given");
  snprintf(d->there, sizeof(d->there), "%.*s", there ? (int)m : 9, there ? there : "not given");
}

static PetscBool names_file(const char *line, size_t length) {
  return memchr(line, '/', length) || memchr(line, ':', length) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode compare_option(const fm_option *option, void *context) {
  const comparison *c = (const comparison *)context;
  const char *here, *there;
  PetscBool certain;
  size_t n, m;

  PetscFunctionBegin;
  if (no_matter(option->name) || !fm_option_serves(option, "sample") ||
      !fm_option_serves(option, "refine"))
    PetscFunctionReturn(0);
  here = fm_settings_line(c->here, option->name, &n);
  there = fm_settings_line(c->there, option->name, &m);
  if (n == m && (!n || !strncmp(here, there, n))) PetscFunctionReturn(0);
  certain = here && there && !names_file(here, n) && !names_file(there, m);
  keep(certain ? c->other : c->otherwise, here, n, there, m);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_problem_compare(const char *here, const char *there,
                                  fm_problem_difference *other,
                                  fm_problem_difference *otherwise) {
  comparison c = {here, there, other, otherwise};

  PetscFunctionBegin;
  *other = *otherwise = (fm_problem_difference){"", ""};
  PetscCall(fm_options_visit(compare_option, &c));
  PetscFunctionReturn(0);
}

int64_t fm_problem_moves(const char *text) {
  size_t length;
  const char *line = fm_settings_line(text, "moves", &length);

  return line ? strtoll(line + strlen("-moves "), NULL, 10) : 0;
}

/* ---- of a file ---- */

static PetscErrorCode read_settings(MPI_Comm world, const char *path, char **text) {
  PetscErrorCode error = 0;
  PetscBool has;
  fm_store *store;

  PetscFunctionBegin;
  *text = NULL;
  PetscCall(fm_store_open(world, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "settings", &has));
  if (has) error = fm_calloc(SETTINGS, text);
  if (has && !error) error = fm_store_get_text(store, "/", "settings", *text, SETTINGS);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_problem_of_checkpoint(MPI_Comm world, const char *path, char **text) {
  PetscErrorCode error = 0;
  PetscBool exists, has;
  fm_store *store;

  PetscFunctionBegin;
  *text = NULL;
  PetscCall(fm_checkpoint_exists(world, path, &exists));
  if (!exists) PetscFunctionReturn(0);
  PetscCall(fm_store_open(world, path, &store));
  PetscCall(fm_store_has(store, "/settings", &has));
  if (has) error = fm_store_read_text(store, "/settings", text);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}

/* The settings of the checkpoint that a block names; NULL: it is not there. */
static PetscErrorCode of_checkpoint(MPI_Comm world, const char *block, char **text) {
  char path[PETSC_MAX_PATH_LEN];
  const char *line;
  size_t length;

  PetscFunctionBegin;
  *text = NULL;
  line = fm_settings_line(block, "warm_start", &length);
  if (!line) PetscFunctionReturn(0);
  snprintf(path, sizeof(path), "%.*s", (int)length - 12, line + 12);
  PetscCall(fm_problem_of_checkpoint(world, path, text));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_problem_of_samples(MPI_Comm world, const char *path, char **text) {
  char *block;
  size_t length;

  PetscFunctionBegin;
  PetscCall(read_settings(world, path, text));
  if (!*text || fm_settings_line(*text, "operator", &length)) PetscFunctionReturn(0);
  block = *text;
  PetscCall(of_checkpoint(world, block, text));
  if (*text && !fm_settings_line(*text, "operator", &length)) PetscCall(PetscFree(*text));
  PetscCall(PetscFree(block));
  PetscFunctionReturn(0);
}
