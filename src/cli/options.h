/* The options of the command line that no other file owns. */
#ifndef FM_CLI_OPTIONS_H
#define FM_CLI_OPTIONS_H

#include "fathom/options.h"

extern const fm_option fm_cli_options[];
extern const fm_option fm_shots_options[];

/* fm_cli_declare - declare all tables: the command line's, the operators', the energies'. */
PetscErrorCode fm_cli_declare(void);

/* fm_cli_settings - fm_options_settings without the defaults of operators and priors that are
   not in use. */
PetscErrorCode fm_cli_settings(const char *command, char **block);

#endif
