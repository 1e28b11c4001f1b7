/* Options are PETSc's; this is where each is declared: name, kind, default, one help sentence,
   and the commands that read it.

   A table of fm_option ends with a NULL name. The command line declares its tables once, before
   anything reads an option;
   a read of an undeclared option is our own fault (PetscAssert, and an error in release builds
   too). */
#ifndef FATHOM_OPTIONS_H
#define FATHOM_OPTIONS_H

#include "fathom/types.h"

typedef enum fm_option_kind {
  FM_OPTION_FLAG,
  FM_OPTION_INTEGER,
  FM_OPTION_REAL,
  FM_OPTION_TEXT, /* a name, a path */
  FM_OPTION_ARRAY /* numbers a,b,c or FILE:/dataset; read it with fm_store_option_array of
                     store.h */
} fm_option_kind;

/* The commands that evaluate operators and energies: for the tables of those. */
#define FM_COMMANDS_PHYSICS                                                                    \
  "simulate informed forward refine sample evaluate calibrate check reference"

typedef struct fm_option {
  const char *name; /* without the dash; "foo_": PETSc's solver options -foo_ksp_..., ... */
  fm_option_kind kind;
  const char *standard; /* the default, as text; "" where there is none */
  const char *commands; /* blank-separated; "" for every command */
  const char *help;     /* one sentence; choices as a|b|c */
} fm_option;

/* fm_options_declare - remember a table (borrowed, static). Declaring the same table twice is
   harmless. */
PetscErrorCode fm_options_declare(const fm_option *table);
/* fm_options_forget - forget all tables (end of program, tests). */
void fm_options_forget(void);

/* Readers: the value given by the user, else the default. A value that is no number of the kind
   is a user error that
   names option and value. Not collective; every rank sees the same options. `text` points into
   storage that lives until
   PetscFinalize. */
PetscErrorCode fm_option_flag(const char *name, PetscBool *value);
PetscErrorCode fm_option_integer(const char *name, int64_t *value);
PetscErrorCode fm_option_real(const char *name, double *value);
PetscErrorCode fm_option_text(const char *name, const char **text);
PetscErrorCode fm_option_given(const char *name,
                               PetscBool *given); /* by the user, not by default */
/* fm_option_integer_in / _real_in - read, and refuse a value outside [low, high] with a
   sentence. */
PetscErrorCode fm_option_integer_in(const char *name, int64_t low, int64_t high,
                                    int64_t *value);
PetscErrorCode fm_option_real_in(const char *name, double low, double high, double *value);
/* fm_option_shape - read rows and columns, as 200x300; `what` is for the sentence that refuses
   anything else: "-name takes WHAT, such as 200x300, not ...". */
PetscErrorCode fm_option_shape(const char *name, const char *what, int64_t shape[2]);
/* fm_option_choice - read a text that must be one of "a|b|c"; *index is its place. */
PetscErrorCode fm_option_choice(const char *name, const char *choices, int *index);

/* fm_options_visit - call `visit` for each declared option in order of declaration. */
typedef PetscErrorCode (*fm_option_visitor)(const fm_option *option, void *context);
PetscErrorCode fm_options_visit(fm_option_visitor visit, void *context);

/* fm_option_serves - whether `option` is read by that command. */
PetscBool fm_option_serves(const fm_option *option, const char *command);

/* fm_options_check - refuse what no command declares and name the nearest declared one; list
   once what only other commands
   declare. PETSc's own options (-log_view, -malloc_dump, ksp_, pc_, ...) pass. Call it on every
   rank. */
PetscErrorCode fm_options_check(const char *command);

/* fm_options_settings - all settings of a command as one block "-name value\n"..., to be freed
   with PetscFree: what is
   printed at the start, kept in the checkpoint and shown in the report. */
PetscErrorCode fm_options_settings(const char *command, char **block);
/* fm_settings_line - the line of option `name` in such a block, [*length] characters without
   the line's end; NULL where it has none. */
const char *fm_settings_line(const char *settings, const char *name, size_t *length);

/* fm_name_nearest - the entry of names[n] nearest to `word` by edit distance, or NULL where
   none is near. */
const char *fm_name_nearest(const char *word, int n, const char *const *names);

#endif
