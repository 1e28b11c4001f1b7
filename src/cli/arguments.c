#include "cli/arguments.h"
#include <errno.h>
#include <yaml.h>

static char sentence_text[1024];

static PetscBool is_option(const char *word) {
  char *end;

  if (word[0] != '-' || !word[1]) return PETSC_FALSE;
  (void)strtod(word, &end); /* a negative number is a value */
  return *end ? PETSC_TRUE : PETSC_FALSE;
}

/* Split "-option=value" in place into two words. */
static void take_option(fm_arguments *a, char *word) {
  char *equals = strchr(word, '=');

  if (equals) *equals = 0;
  if (word[1] == '-') word++; /* --option too */
  a->argv[a->argc++] = word;
  if (equals) a->argv[a->argc++] = equals + 1;
}

/* -help, --help, -h: in place of PETSc's */
static PetscBool asks_help(const char *word) {
  const char *name = word + (word[1] == '-' ? 2 : 1);

  return !strcmp(name, "help") || !strcmp(name, "h") ? PETSC_TRUE : PETSC_FALSE;
}

/* "fathom COMMAND -help" is "fathom help COMMAND" */
static void turn_to_help(fm_arguments *a) {
  if (!a->argument[0]) a->argument = a->command;
  a->command = "help";
}

static int names_yaml(const fm_arguments *a, int i) {
  return !strcmp(a->argv[i], "-options_file_yaml");
}

/* 1 where an option has no file behind it */
static int lacks_yaml(const fm_arguments *a) {
  for (int i = 1; i < a->argc; i++)
    if (names_yaml(a, i) && (i + 1 == a->argc || is_option(a->argv[i + 1]))) return 1;
  return 0;
}

int fm_arguments_read(int argc, char **argv, fm_arguments *a, const char **sentence) {
  PetscBool help = PETSC_FALSE;
  size_t length = 1;
  char *at;

  memset(a, 0, sizeof(*a));
  for (int i = 0; i < argc; i++) length += strlen(argv[i]) + 1;
  a->copy = at = malloc(length);
  a->argv = malloc((2 * (size_t)argc + 2) * sizeof(char *));
  a->command = a->argument = "";
  *sentence = sentence_text;
  for (int i = 0; i < argc; i++) {
    char *word = strcpy(at, argv[i]);

    at += strlen(word) + 1;
    if (i && is_option(word) && asks_help(word))
      help = PETSC_TRUE;
    else if (i && is_option(word))
      take_option(a, word);
    else if (i == 1)
      a->command = word;
    else if (i == 2)
      a->argument = word;
    else if (!i || is_option(argv[i - 1]))
      a->argv[a->argc++] = word;
    else {
      snprintf(sentence_text, sizeof(sentence_text),
               "unexpected word '%s': options begin with a dash", word);
      return 1;
    }
  }
  a->argv[a->argc] = NULL;
  if (help) turn_to_help(a);
  if (lacks_yaml(a)) {
    snprintf(sentence_text, sizeof(sentence_text),
             "-options_file_yaml needs the name of a file");
    return 1;
  }
  return 0;
}

void fm_arguments_free(fm_arguments *a) {
  free(a->copy);
  free(a->argv);
}

/* Where the parser is: how many mappings and lists are open, whether the innermost is a list,
   and in which mappings (bits) a name comes next. */
typedef struct yaml_place {
  int depth, list;
  uint64_t names;
} yaml_place;

#define DEEPEST 24 /* mappings within mappings: PETSc knows 25 prefixes */

/* NULL, or why there can be no such node here */
static const char *unfit_node(const yaml_event_t *event, const yaml_place *p) {
  const int scalar = event->type == YAML_SCALAR_EVENT;
  const int plain = scalar || event->type == YAML_ALIAS_EVENT;
  const size_t length = scalar ? event->data.scalar.length : 1;

  if (!p->depth && event->type != YAML_MAPPING_START_EVENT)
    return "expected lines 'option: value'";
  if (p->list && !plain) return "a list holds plain values only";
  if (!p->list && p->names >> p->depth & 1 && (!scalar || !length))
    return "the name of an option must be a word";
  if (scalar && strlen((const char *)event->data.scalar.value) != length)
    return "a zero byte in a value";
  return plain || p->depth < DEEPEST ? NULL : "options are nested too deep";
}

/* After a name comes a value, after that a name; what a node opens is inside. */
static void take_node(const yaml_event_t *event, yaml_place *p) {
  if (!p->list) p->names ^= (uint64_t)1 << p->depth;
  if (event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT) return;
  p->list = event->type == YAML_SEQUENCE_START_EVENT;
  p->names |= (uint64_t)1 << ++p->depth;
}

/* Options are names with a value, a list of values or a mapping of the same kind: NULL, or what
   is wrong with the next event. */
static const char *misplaced(const yaml_event_t *event, yaml_place *p) {
  const char *wrong = NULL;

  switch (event->type) {
  case YAML_ALIAS_EVENT:
  case YAML_SCALAR_EVENT:
  case YAML_SEQUENCE_START_EVENT:
  case YAML_MAPPING_START_EVENT:
    wrong = unfit_node(event, p);
    if (!wrong) take_node(event, p);
    return wrong;
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: p->depth--, p->list = 0; return NULL;
  default: return NULL;
  }
}

static const char *complain(const char *path, const char *problem, yaml_mark_t mark) {
  snprintf(sentence_text, sizeof(sentence_text), "'%s' line %lu: %s", path,
           (unsigned long)mark.line + 1, problem ? problem : "not YAML");
  return sentence_text;
}

static const char *parse(FILE *file, const char *path) {
  const char *wrong = NULL, *sentence = NULL;
  yaml_place place = {0};
  int done = 0;
  yaml_parser_t parser;
  yaml_event_t event;

  if (!yaml_parser_initialize(&parser)) return "out of memory";
  yaml_parser_set_input_file(&parser, file);
  while (!done && !sentence) {
    if (!yaml_parser_parse(&parser, &event)) {
      sentence = complain(path, parser.problem, parser.problem_mark);
      break;
    }
    if ((wrong = misplaced(&event, &place))) sentence = complain(path, wrong, event.start_mark);
    done = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return sentence;
}

const char *fm_yaml_check(const char *path) {
  FILE *file = fopen(path, "r");
  const char *problem;

  snprintf(sentence_text, sizeof(sentence_text), "cannot open the options file '%s': %s", path,
           strerror(errno));
  if (!file) return sentence_text;
  problem = parse(file, path);
  fclose(file);
  return problem;
}

const char *fm_arguments_check_yaml(const fm_arguments *a) {
  const char *sentence = NULL;

  for (int i = 1; i + 1 < a->argc && !sentence; i++)
    if (names_yaml(a, i)) sentence = fm_yaml_check(a->argv[i + 1]);
  return sentence;
}
