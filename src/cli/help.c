/* help - commands, their options, operators and priors. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"

#define FM_COMMAND(name, writes, help) {#name, help},
static const struct {
  const char *name, *help;
} commands[] = {
#include "commands.def"
};
#undef FM_COMMAND
enum { NCOMMAND = sizeof(commands) / sizeof(commands[0]) };

static void list_commands(void) {
  fm_log(
      "fathom %s (%s): posterior samples for inversions whose forward operator is expensive\n\n"
      "usage: fathom COMMAND -options_file_yaml FILE [-option value ...]\n"
      "       mpirun -n RANKS fathom COMMAND ...\n",
      FM_VERSION, FM_PRECISION);
  for (int i = 0; i < NCOMMAND; i++) fm_log("  %-10s %s", commands[i].name, commands[i].help);
  fm_log("\nOptions: fathom help COMMAND. PETSc's own options "
         "(-log_view, -ksp_..., -malloc_dump) are accepted too.");
}

#define LEFT 41  /* column where help sentences begin */
#define RIGHT 96 /* and where their lines end */

/* "left" and then `text`, broken at blanks. */
static void show_wrapped(const char *left, const char *text) {
  const int room = RIGHT - LEFT;

  while ((int)strlen(text) > room) {
    int cut = room;

    while (cut > 0 && text[cut] != ' ') cut--;
    if (!cut) break;
    fm_log("%-*s%.*s", LEFT, left, cut, text);
    text += cut + 1;
    left = "";
  }
  fm_log("%-*s%s", LEFT, left, text);
}

static PetscErrorCode show_option(const fm_option *option, void *context) {
  static const char *const kinds[] = {"", "N", "X", "TEXT", "A,B,..|FILE:/D"};
  const char *command = (const char *)context;
  char left[64], text[512];

  PetscFunctionBegin;
  if (!fm_option_serves(option, command)) PetscFunctionReturn(0);
  snprintf(left, sizeof(left), "  -%s %s", option->name, kinds[option->kind]);
  snprintf(text, sizeof(text), option->standard[0] ? "%s [%s]" : "%s", option->help,
           option->standard);
  show_wrapped(left, text);
  PetscFunctionReturn(0);
}

/* The likelihood is an energy, but no prior. */
static void list_names(int count, const char *(*name)(int), const char *(*help)(int)) {
  for (int i = 0; i < count; i++)
    if (strcmp(name(i), "likelihood")) fm_log("  %-20s %s", name(i), help(i));
}

PetscErrorCode fm_command_help(fm_run *run) {
  const char *topic = run->argument;

  PetscFunctionBegin;
  if (!topic[0]) {
    list_commands();
    PetscFunctionReturn(0);
  }
  if (!strcmp(topic, "operators"))
    list_names(fm_operator_count(), fm_operator_name, fm_operator_help);
  else if (!strcmp(topic, "priors"))
    list_names(fm_energy_count(), fm_energy_name, fm_energy_help);
  for (int i = 0; i < NCOMMAND; i++) {
    if (strcmp(commands[i].name, topic)) continue;
    fm_log("fathom %s - %s\n", topic, commands[i].help);
    PetscCall(fm_options_visit(show_option, (void *)topic));
    PetscFunctionReturn(0);
  }
  if (!strcmp(topic, "operators") || !strcmp(topic, "priors")) PetscFunctionReturn(0);
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER,
          "no help on '%s': it is no command; try: fathom help", topic);
}
