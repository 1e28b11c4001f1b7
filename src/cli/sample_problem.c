/* Whether samples are moved to the posterior that their flow was refined at. */
#include "cli/problems.h"
#include "cli/sample_moves.h"
#include "fathom/log.h"
#include "fathom/options.h"

/* The value of an option in a block of settings; "": none. */
static void value_of(const char *settings, const char *name, char *value, size_t size) {
  const size_t skip = strlen(name) + 2; /* "-NAME " */
  size_t length;
  const char *line = fm_settings_line(settings, name, &length);

  value[0] = 0;
  if (line && length > skip) snprintf(value, size, "%.*s", (int)(length - skip), line + skip);
}

/* Coordinates: not of the problem, but of the flow. */
static PetscErrorCode same_coordinates(const fm_run *run, const char *there) {
  static const char *const names[] = {"acoustic_informed", "acoustic_linearize_at"};

  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) {
    char a[PETSC_MAX_PATH_LEN], b[PETSC_MAX_PATH_LEN];

    value_of(run->settings, names[k], a, sizeof(a));
    value_of(there, names[k], b, sizeof(b));
    fm_check(!a[0] == !b[0], run->comm.world, PETSC_ERR_USER,
             "the flow of -warm_start was refined with -%s %s, here it is %s: give it as there",
             names[k], b[0] ? b : "not given", a[0] ? a : "not given");
    if (strcmp(a, b))
      fm_warn("the flow of -warm_start was refined with -%s %s, here it is %s: these must be "
              "the same coordinates",
              names[k], b, a);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(const fm_run *run, const char *there) {
  fm_problem_difference other, otherwise;
  size_t length;
  PetscBool ok;

  PetscFunctionBegin;
  if (!fm_settings_line(there, "operator", &length)) PetscFunctionReturn(0);
  PetscCall(same_coordinates(run, there));
  PetscCall(fm_option_flag("prior_mismatch_ok", &ok));
  PetscCall(fm_problem_compare(run->settings, there, &other, &otherwise));
  fm_check(ok || !other.here[0], run->comm.world, PETSC_ERR_USER,
           "-moves would go to another posterior than that of -warm_start: it was refined with "
           "%s, here it is %s; give it as there, or -prior_mismatch_ok",
           other.there, other.here);
  if (other.here[0])
    fm_warn("samples are moved to another posterior than that of -warm_start: it was refined "
            "with %s, here it is %s",
            other.there, other.here);
  if (otherwise.here[0])
    fm_warn("the flow of -warm_start was refined with %s, here it is %s: is this the same "
            "posterior?",
            otherwise.there, otherwise.here);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sample_problem_fits(const fm_run *run) {
  char path[PETSC_MAX_PATH_LEN], *there;
  PetscErrorCode error = 0;

  PetscFunctionBegin;
  PetscCall(fm_run_checkpoint(run, path));
  PetscCall(fm_problem_of_checkpoint(run->comm.world, path, &there));
  if (there) error = compare(run, there);
  PetscCall(PetscFree(there));
  PetscCall(error);
  PetscFunctionReturn(0);
}
