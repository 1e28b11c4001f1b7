/* Every option that is declared is read as each kind of option can be: fm_options_check, the
   settings, and the readers of numbers, flags, shapes, choices and arrays. */
#ifndef FUZZ_READERS_H
#define FUZZ_READERS_H

#include "cli/options.h"
#include "fathom/options.h"
#include "fathom/store.h"
#include "fuzz.h"

static volatile double fuzz_sum; /* what is read is used */

static inline PetscErrorCode read_one(const fm_option *option, void *context) {
  int64_t integer, shape[2], sizes[FM_STORE_NDIM];
  double real, *array = NULL, sum = 0;
  PetscBool flag;
  const char *name;
  char file[PETSC_MAX_PATH_LEN];
  int ndim, which;

  PetscCall(fm_option_given(option->name, &flag));
  if (!flag) return 0;
  (void)!fm_option_integer(option->name, &integer);
  (void)!fm_option_real(option->name, &real);
  (void)!fm_option_flag(option->name, &flag);
  if (!fm_option_shape(option->name, "numbers", shape))
    sum += (double)(shape[0] * shape[1]); /* as the callers do: it must not overflow */
  (void)!fm_option_choice(option->name, "auto|last|best", &which);
  PetscCall(fm_option_text(option->name, &name));
  (void)!fm_store_split(PETSC_COMM_SELF, name, file, &name);
  if (!fm_store_option_array(PETSC_COMM_SELF, option->name, &ndim, sizes, &array))
    for (int i = 0; i < sizes[0] && ndim == 1; i++) sum += array[i];
  PetscCall(PetscFree(array));
  fuzz_sum = sum;
  return 0;
}

static inline void read_options(void) {
  char *settings = NULL;
  int64_t live;

  (void)!fm_options_check("refine");
  live = fuzz_live;
  fuzz_ok(fm_options_visit(read_one, NULL));
  if (fm_options_settings("refine", &settings)) fuzz_fault("no settings");
  fuzz_ok(PetscFree(settings));
  if (fuzz_live != live) fuzz_fault("an option's reader leaves memory");
}

#endif
