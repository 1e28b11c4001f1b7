/* All models of a list are of one problem: operator, noise and prior. */
#include "calibrate.h"
#include "cli/problems.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/store.h"

/* SAMPLES.h5:/x without the dataset. */
static PetscErrorCode problem_of(const fm_run *run, const fm_held_out *h, char **text) {
  char file[PETSC_MAX_PATH_LEN];
  const char *name;

  PetscFunctionBegin;
  *text = NULL;
  PetscCall(fm_store_split(run->comm.world, h->samples, file, &name));
  if (name) PetscCall(fm_problem_of_samples(run->comm.world, file, text));
  PetscFunctionReturn(0);
}

/* Another problem is refused, or with -calibrate_mixed_ok kept in mind. */
static PetscErrorCode mixed(const fm_run *run, const fm_held_out *h, fm_tie *tie,
                            const fm_problem_difference *d) {
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(fm_option_flag("calibrate_mixed_ok", &ok));
  fm_check(ok, run->comm.world, PETSC_ERR_USER,
           "line %lld: '%s' is of another problem than '%s' of line %lld: %s, there %s; "
           "calibrate each on its own, or give -calibrate_mixed_ok",
           (long long)h->line, h->samples, tie->first->samples, (long long)tie->first->line,
           d->here, d->there);
  if (tie->mixed[0]) PetscFunctionReturn(0);
  snprintf(tie->mixed, sizeof(tie->mixed), "models of different problems: %s and %s", d->here,
           d->there);
  fm_warn("line %lld: '%s' is of another problem than '%s' of line %lld: %s, there %s",
          (long long)h->line, h->samples, tie->first->samples, (long long)tie->first->line,
          d->here, d->there);
  PetscFunctionReturn(0);
}

/* Samples of the flow beside such as are moved. */
static void other_moves(const char *here, const char *there, fm_problem_difference *d) {
  const int64_t a = fm_problem_moves(here), b = fm_problem_moves(there);

  if (a == b) return;
  snprintf(d->here, sizeof(d->here), "-moves %lld", (long long)a);
  snprintf(d->there, sizeof(d->there), "-moves %lld", (long long)b);
}

PetscErrorCode fm_calibrate_tie(const fm_run *run, const fm_held_out *h, fm_tie *tie) {
  fm_problem_difference other, otherwise;
  char *text;

  PetscFunctionBegin;
  PetscCall(problem_of(run, h, &text));
  tie->silent += text ? 0 : 1;
  if (!text) PetscFunctionReturn(0);
  if (!tie->text) {
    tie->text = text;
    tie->first = h;
    PetscFunctionReturn(0);
  }
  PetscCall(fm_problem_compare(text, tie->text, &other, &otherwise));
  if (!other.here[0]) other_moves(text, tie->text, &other);
  PetscCall(PetscFree(text));
  if (other.here[0]) PetscCall(mixed(run, h, tie, &other));
  if (otherwise.here[0] && !tie->warned)
    fm_warn("line %lld: '%s' has %s, '%s' of line %lld %s: are these the same problem?",
            (long long)h->line, h->samples, otherwise.here, tie->first->samples,
            (long long)tie->first->line, otherwise.there);
  if (otherwise.here[0]) tie->warned = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* What stands in a report: the main ones of the block's lines. */
static void summary(const char *text, char *line, size_t size) {
  static const char *const names[] = {"operator", "prior", "noise_std"};
  size_t length;

  line[0] = 0;
  for (int k = 0; k < 3; k++) {
    const char *at = fm_settings_line(text, names[k], &length);
    const size_t used = strlen(line);

    if (at)
      snprintf(line + used, size - used, "%s%.*s", used ? ", " : "", (int)length - 1, at + 1);
  }
  length = strlen(line);
  if (fm_problem_moves(text))
    snprintf(line + length, size - length, ", moves %lld", (long long)fm_problem_moves(text));
}

PetscErrorCode fm_calibrate_tied(const fm_run *run, const fm_tie *tie, int64_t models) {
  char line[256];

  PetscFunctionBegin;
  if (!tie->text) {
    fm_log("the samples do not say which problem they are of: that they are of one is not "
           "checked");
    PetscFunctionReturn(0);
  }
  summary(tie->text, line, sizeof(line));
  fm_log("problem: %s%s%s", line, tie->mixed[0] ? "; mixed: " : "", tie->mixed);
  if (tie->silent)
    fm_warn("%lld of %lld files of samples do not say which problem they are of: that they are "
            "of that of '%s' is not checked",
            (long long)tie->silent, (long long)models, tie->first->samples);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_calibrate_write_problem(const fm_tie *tie, fm_store *store) {
  char line[256];

  PetscFunctionBegin;
  PetscCall(fm_store_set_text(store, "/", "problem_mixed", tie->mixed));
  if (!tie->text) PetscFunctionReturn(0);
  summary(tie->text, line, sizeof(line));
  PetscCall(fm_store_set_text(store, "/", "problem", line));
  PetscCall(fm_store_write_text(store, "/problem_settings", tie->text));
  PetscFunctionReturn(0);
}
