#include "fathom/options.h"
#include "fathom/log.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>

#define TABLES 64
static const fm_option *tables[TABLES];
static int ntable;

PetscErrorCode fm_options_declare(const fm_option *table) {
  PetscFunctionBegin;
  for (int i = 0; i < ntable; i++)
    if (tables[i] == table) PetscFunctionReturn(0);
  PetscCheck(ntable < TABLES, PETSC_COMM_SELF, PETSC_ERR_PLIB, "more than %d option tables",
             TABLES);
  tables[ntable++] = table;
  PetscFunctionReturn(0);
}

void fm_options_forget(void) { ntable = 0; }

static const fm_option *find(const char *name) {
  for (int t = 0; t < ntable; t++)
    for (const fm_option *o = tables[t]; o->name; o++)
      if (!strcmp(o->name, name)) return o;
  return NULL;
}

/* The user's text, else the default; *given says which. */
static PetscErrorCode lookup(const char *name, const char **text, PetscBool *given) {
  const fm_option *option = find(name);
  const char *value = NULL;
  char dashed[128];

  PetscFunctionBegin;
  PetscCheck(option, PETSC_COMM_SELF, PETSC_ERR_PLIB, "option -%s is read but not declared",
             name);
  PetscCall(PetscSNPrintf(dashed, sizeof(dashed), "-%s", name));
  PetscCall(PetscOptionsFindPair(NULL, NULL, dashed, &value, given));
  *text = *given ? (value ? value : "") : option->standard;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_given(const char *name, PetscBool *given) {
  const char *text;

  PetscFunctionBegin;
  PetscCall(lookup(name, &text, given));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_text(const char *name, const char **text) {
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(lookup(name, text, &given));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_flag(const char *name, PetscBool *value) {
  static const char *const yes[] = {"", "true", "yes", "on", "1"};
  static const char *const no[] = {"false", "no", "off", "0"};
  const char *text;
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(lookup(name, &text, &given));
  *value = PETSC_FALSE;
  if (!given && !text[0]) PetscFunctionReturn(0);
  for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
    if (!strcasecmp(text, no[i])) PetscFunctionReturn(0);
  *value = PETSC_TRUE;
  for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
    if (!strcasecmp(text, yes[i])) PetscFunctionReturn(0);
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER, "-%s takes true or false, not '%s'", name, text);
}

PetscErrorCode fm_option_integer(const char *name, int64_t *value) {
  const char *text;
  PetscBool given;
  char *end;

  PetscFunctionBegin;
  PetscCall(lookup(name, &text, &given));
  errno = 0;
  *value = strtoll(text, &end, 10);
  fm_check(end != text && !*end && !errno, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s takes an integer, not '%s'", name, text);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_real(const char *name, double *value) {
  const char *text;
  PetscBool given;
  char *end;

  PetscFunctionBegin;
  PetscCall(lookup(name, &text, &given));
  *value = strtod(text, &end);
  fm_check(end != text && !*end && isfinite(*value), PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s takes a finite number, not '%s'", name, text);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_integer_in(const char *name, int64_t low, int64_t high,
                                    int64_t *value) {
  PetscFunctionBegin;
  PetscCall(fm_option_integer(name, value));
  fm_check(*value >= low && *value <= high, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s %lld is outside [%lld, %lld]", name, (long long)*value, (long long)low,
           (long long)high);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_real_in(const char *name, double low, double high, double *value) {
  PetscFunctionBegin;
  PetscCall(fm_option_real(name, value));
  fm_check(*value >= low && *value <= high, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s %.6g is outside [%.6g, %.6g]", name, *value, low, high);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_shape(const char *name, const char *what, int64_t shape[2]) {
  const char *text;
  PetscBool good;
  char *end;

  PetscFunctionBegin;
  PetscCall(fm_option_text(name, &text));
  shape[0] = shape[1] = strtoll(text, &end, 10);
  good = end != text && *end == 'x' && isdigit((unsigned char)end[1]);
  if (good) shape[1] = strtoll(end + 1, &end, 10);
  fm_check(good && !*end, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-%s takes %s, such as 200x300, not '%s'", name, what, text);
  fm_check(PetscMax(llabs(shape[0]), llabs(shape[1])) <= INT32_MAX, PETSC_COMM_WORLD,
           PETSC_ERR_USER, "-%s takes %s, each at most %d, not '%s'", name, what, INT32_MAX,
           text);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_option_choice(const char *name, const char *choices, int *index) {
  const char *text, *word = choices;

  PetscFunctionBegin;
  PetscCall(fm_option_text(name, &text));
  for (*index = 0;; (*index)++) {
    const size_t length = strcspn(word, "|");

    if (strlen(text) == length && !strncmp(text, word, length)) PetscFunctionReturn(0);
    if (!word[length]) break;
    word += length + 1;
  }
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER, "-%s '%s' is not one of %s", name, text, choices);
}

PetscErrorCode fm_options_visit(fm_option_visitor visit, void *context) {
  PetscFunctionBegin;
  for (int t = 0; t < ntable; t++)
    for (const fm_option *o = tables[t]; o->name; o++) PetscCall(visit(o, context));
  PetscFunctionReturn(0);
}

PetscBool fm_option_serves(const fm_option *option, const char *command) {
  const size_t length = strlen(command);

  if (!option->commands[0]) return PETSC_TRUE;
  for (const char *at = option->commands; (at = strstr(at, command)); at += length)
    if ((at == option->commands || at[-1] == ' ') && (!at[length] || at[length] == ' '))
      return PETSC_TRUE;
  return PETSC_FALSE;
}

/* ---- what the user typed that nobody declares ---- */

/* PETSc's own: solvers, matrices, logging, debugging; checked by PETSc after set-up. */
static PetscBool petsc_owns(const char *name) {
  static const char *const prefixes[] = {"ksp_",          "pc_",
                                         "mat_",          "vec_",
                                         "snes_",         "log_",
                                         "sub_",          "malloc",
                                         "on_error",      "options_",
                                         "info",          "dm_",
                                         "sf_",           "citations",
                                         "version",       "start_in_debugger",
                                         "mg_",           "debugger",
                                         "check_pointer", "fp_trap",
                                         "memory_view",   "stop_for",
                                         "use_gpu",       "cuda_",
                                         "device_",       "no_signal_handler",
                                         "history",       "error_output",
                                         "petsc",         "get_total",
                                         "not_shared",    "shared_tmp"};

  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
    if (!strncmp(name, prefixes[i], strlen(prefixes[i]))) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* A declared name that ends with '_' is the prefix of a solver: -laplace_ksp_type. */
static PetscBool solver_owns(const char *name) {
  for (int t = 0; t < ntable; t++)
    for (const fm_option *o = tables[t]; o->name; o++) {
      const size_t length = strlen(o->name);

      if (length && o->name[length - 1] == '_' && !strncmp(name, o->name, length))
        if (petsc_owns(name + length)) return PETSC_TRUE;
    }
  return PETSC_FALSE;
}

static int edit_distance(const char *a, const char *b) {
  int row[129];
  const int n = (int)PetscMin(strlen(b), 128);

  for (int j = 0; j <= n; j++) row[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    int corner = row[0];

    row[0] = i;
    for (int j = 1; j <= n; j++) {
      const int up = row[j], change = corner + (a[i - 1] != b[j - 1]);

      row[j] = PetscMin(change, 1 + PetscMin(up, row[j - 1]));
      corner = up;
    }
  }
  return row[n];
}

static void keep_nearer(const char *word, const char *name, const char **best, int *least) {
  const int distance = edit_distance(word, name);

  if (distance < *least) {
    *least = distance;
    *best = name;
  }
}

const char *fm_name_nearest(const char *word, int n, const char *const *names) {
  const char *best = NULL;
  int least = 1 + (int)strlen(word) / 2;

  for (int i = 0; i < n; i++) keep_nearer(word, names[i], &best, &least);
  return best;
}

static const char *nearest_option(const char *word) {
  const char *best = NULL;
  int least = 1000;

  for (int t = 0; t < ntable; t++)
    for (const fm_option *o = tables[t]; o->name; o++)
      keep_nearer(word, o->name, &best, &least);
  return best;
}

typedef struct {
  const char *command;
  char foreign[1024];
} checking;

static PetscErrorCode check_one(const char *name, checking *c) {
  const fm_option *option = find(name);

  PetscFunctionBegin;
  if (!option) {
    if (petsc_owns(name) || solver_owns(name)) PetscFunctionReturn(0);
    SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER,
            "unknown option -%s; the nearest known one is -%s (see: fathom help %s)", name,
            nearest_option(name), c->command);
  }
  if (!fm_option_serves(option, c->command) &&
      strlen(c->foreign) + strlen(name) + 3 < sizeof(c->foreign)) {
    strcat(c->foreign, " -");
    strcat(c->foreign, name);
  }
  PetscFunctionReturn(0);
}

/* "-3", "-.5": a value. "-infinity" and "-nan" are names, whatever strtod says of them. */
static PetscBool is_name(const char *word) {
  return word[0] == '-' && !isdigit((unsigned char)word[1]) && word[1] != '.' ? PETSC_TRUE
                                                                              : PETSC_FALSE;
}

PetscErrorCode fm_options_check(const char *command) {
  checking c = {command, ""};
  PetscErrorCode code = 0;
  char *all = NULL, *at, *word;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetAll(NULL, &all));
  for (at = all; !code && (word = strtok(at, " ")); at = NULL)
    if (is_name(word)) code = check_one(word + 1, &c);
  PetscCall(PetscFree(all));
  PetscCall(code);
  if (c.foreign[0]) fm_log("options for other commands, not used by %s:%s", command, c.foreign);
  PetscFunctionReturn(0);
}

/* ---- settings ---- */

typedef struct {
  const char *command;
  char *text;
  size_t used, length;
} block;

static PetscErrorCode add_setting(const fm_option *option, void *context) {
  block *b = (block *)context;
  const char *text;
  PetscBool given;

  PetscFunctionBegin;
  if (!fm_option_serves(option, b->command)) PetscFunctionReturn(0);
  PetscCall(lookup(option->name, &text, &given));
  if (!given && !text[0] && option->kind != FM_OPTION_FLAG) PetscFunctionReturn(0);
  if (option->kind == FM_OPTION_FLAG && !text[0]) text = given ? "true" : "false";
  if (b->text) snprintf(b->text + b->used, b->length - b->used, "-%s %s\n", option->name, text);
  b->used += strlen(option->name) + strlen(text) + 3;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_options_settings(const char *command, char **text) {
  block b = {command, NULL, 0, 0};

  PetscFunctionBegin;
  PetscCall(fm_options_visit(add_setting, &b));
  b.length = b.used + 1;
  b.used = 0;
  PetscCall(PetscMalloc1(b.length, &b.text));
  b.text[0] = 0;
  PetscCall(fm_options_visit(add_setting, &b));
  *text = b.text;
  PetscFunctionReturn(0);
}

const char *fm_settings_line(const char *settings, const char *name, size_t *length) {
  const size_t width = strlen(name);

  for (const char *at = settings; *at; at += *length, at += *at == '\n') {
    *length = strcspn(at, "\n");
    if (*length > width + 1 && !strncmp(at + 1, name, width) && at[width + 1] == ' ') return at;
  }
  *length = 0;
  return NULL;
}
