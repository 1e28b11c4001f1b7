/* argv as PETSc wants it. */
#ifndef FM_CLI_ARGUMENTS_H
#define FM_CLI_ARGUMENTS_H

#include "fathom/types.h"

typedef struct fm_arguments {
  int argc;
  char **argv; /* program name, then options only; "-option=value" split in two */
  const char *command, *argument; /* "" where absent */
  char *copy;                     /* storage of the split words */
} fm_arguments;

/* fm_arguments_read - 0, or 1 with a sentence for fm_leave_say in *sentence (static storage).
   */
int fm_arguments_read(int argc, char **argv, fm_arguments *arguments, const char **sentence);
void fm_arguments_free(fm_arguments *arguments);

/* fm_arguments_check_yaml - fm_yaml_check of each -options_file_yaml, up to the first fault. */
const char *fm_arguments_check_yaml(const fm_arguments *a);
/* fm_yaml_check - NULL, or a sentence: missing file, or what the parser says with its line.
   Static storage. */
const char *fm_yaml_check(const char *path);

#endif
