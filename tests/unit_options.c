/* Options: one sentence for each fault, the settings block, nearest names. */
#include "fm_test.h"
#include "fathom/options.h"

static const fm_option table[] = {
    {"speed", FM_OPTION_REAL, "2.5", "", "how fast"},
    {"wheels", FM_OPTION_INTEGER, "4", "drive park", "how many"},
    {"lights", FM_OPTION_FLAG, "", "drive", "whether they are on"},
    {"radio", FM_OPTION_FLAG, "true", "", "whether it plays"},
    {"gear", FM_OPTION_TEXT, "low", "drive", "low|high|reverse"},
    {"paint", FM_OPTION_TEXT, "", "wash", "colour"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};
static const fm_option more[] = {{"mirrors", FM_OPTION_ARRAY, "1,2", "park", "angles"},
                                 {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

static int setup(void **state) {
  fm_options_forget();
  return fm_options_declare(table) || fm_options_declare(more) || fm_options_declare(table);
}

static int teardown(void **state) {
  static const char *const all[] = {"-speed", "-wheels",  "-lights", "-radio",    "-gear",
                                    "-paint", "-mirrors", "-sped",   "-infinity", "-nan_check"};

  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
    if (PetscOptionsClearValue(NULL, all[i])) return 1;
  fm_options_forget();
  return 0;
}

static void set(const char *name, const char *value) {
  fm_ok(PetscOptionsSetValue(NULL, name, value));
}

static void defaults_and_values(void **state) {
  const char *text;
  PetscBool given, flag;
  int64_t integer;
  double real;
  int index;

  fm_ok(fm_option_real("speed", &real));
  assert_true(real == 2.5);
  fm_ok(fm_option_given("speed", &given));
  assert_false(given);
  set("-speed", "-1.5e-3");
  fm_ok(fm_option_real("speed", &real));
  assert_true(real == -1.5e-3);
  fm_ok(fm_option_given("speed", &given));
  assert_true(given);
  set("-wheels", "-9007199254740993");
  fm_ok(fm_option_integer("wheels", &integer));
  assert_true(integer == -9007199254740993);
  fm_ok(fm_option_text("gear", &text));
  assert_string_equal(text, "low");
  set("-gear", "reverse");
  fm_ok(fm_option_choice("gear", "low|high|reverse", &index));
  assert_int_equal(index, 2);
  fm_ok(fm_option_flag("radio", &flag));
  assert_true(flag);
}

static void flags(void **state) {
  static const struct {
    const char *text;
    PetscBool value;
  } word[] = {{"true", PETSC_TRUE},   {"yes", PETSC_TRUE},   {"on", PETSC_TRUE},
              {"1", PETSC_TRUE},      {"True", PETSC_TRUE},  {NULL, PETSC_TRUE},
              {"false", PETSC_FALSE}, {"no", PETSC_FALSE},   {"off", PETSC_FALSE},
              {"0", PETSC_FALSE},     {"FALSE", PETSC_FALSE}};
  PetscBool value;

  fm_ok(fm_option_flag("lights", &value));
  assert_false(value);
  for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
    set("-lights", word[i].text);
    fm_ok(fm_option_flag("lights", &value));
    if (value != word[i].value) fail_msg("-lights %s", word[i].text ? word[i].text : "");
  }
  set("-lights", "maybe");
  fm_expect_error(fm_option_flag("lights", &value), "-lights takes true or false, not 'maybe'");
}

static void what_is_no_number_is_refused(void **state) {
  static const char *const no_integer[] = {"four", "4.5", "4x",
                                           "1e3",  "",    "99999999999999999999"};
  static const char *const no_real[] = {"fast", "1.5m", "nan", "inf", "1e999", "1,2"};
  char sentence[96];
  int64_t integer;
  double real;

  for (size_t i = 0; i < sizeof(no_integer) / sizeof(no_integer[0]); i++) {
    set("-wheels", no_integer[i]);
    snprintf(sentence, sizeof(sentence), "-wheels takes an integer, not '%s'", no_integer[i]);
    fm_expect_error(fm_option_integer("wheels", &integer), sentence);
  }
  for (size_t i = 0; i < sizeof(no_real) / sizeof(no_real[0]); i++) {
    set("-speed", no_real[i]);
    snprintf(sentence, sizeof(sentence), "-speed takes a finite number, not '%s'", no_real[i]);
    fm_expect_error(fm_option_real("speed", &real), sentence);
  }
}

static void ranges_and_choices(void **state) {
  int64_t integer;
  double real;
  int index;

  fm_ok(fm_option_integer_in("wheels", 4, 4, &integer));
  fm_expect_error(fm_option_integer_in("wheels", 5, 9, &integer),
                  "-wheels 4 is outside [5, 9]");
  fm_expect_error(fm_option_integer_in("wheels", 1, 3, &integer),
                  "-wheels 4 is outside [1, 3]");
  fm_ok(fm_option_real_in("speed", 0, 2.5, &real));
  fm_expect_error(fm_option_real_in("speed", 0.5, 2.25, &real),
                  "-speed 2.5 is outside [0.5, 2.25]");
  fm_expect_error(fm_option_real_in("speed", 3.5, 4.5, &real),
                  "-speed 2.5 is outside [3.5, 4.5]");
  fm_expect_error(fm_option_choice("gear", "lower|lo|hi", &index),
                  "-gear 'low' is not one of lower|lo|hi");
  set("-gear", "hi");
  fm_ok(fm_option_choice("gear", "lower|lo|hi", &index));
  assert_int_equal(index, 2);
  fm_expect_error(fm_option_real("undeclared", &real), "-undeclared is read but not declared");
}

static void unknown_options_name_the_nearest(void **state) {
  int shut;

  fm_ok(fm_options_check("drive"));
  set("-speed", "-3"); /* a negative number is a value */
  fm_ok(fm_options_check("drive"));
  set("-sped", "3");
  fm_expect_error(fm_options_check("drive"),
                  "unknown option -sped; the nearest known one is -speed");
  assert_non_null(strstr(fm_test_message, "fathom help drive"));
  fm_ok(PetscOptionsClearValue(NULL, "-sped"));
  set("-paint", "blue"); /* another command's: allowed, and listed */
  shut = fm_test_mute(stdout);
  fm_ok(fm_options_check("drive"));
  fm_test_unmute(stdout, shut);
}

/* strtod reads the beginnings of these as numbers. */
static void names_like_numbers_are_names(void **state) {
  set("-infinity", "1");
  fm_expect_error(fm_options_check("drive"), "unknown option -infinity");
  fm_ok(PetscOptionsClearValue(NULL, "-infinity"));
  set("-nan_check", NULL);
  fm_expect_error(fm_options_check("drive"), "unknown option -nan_check");
}

static void who_reads_what(void **state) {
  assert_true(fm_option_serves(&table[0], "anything"));
  assert_true(fm_option_serves(&table[1], "drive"));
  assert_true(fm_option_serves(&table[1], "park"));
  assert_false(fm_option_serves(&table[1], "par"));
  assert_false(fm_option_serves(&table[1], "ark"));
  assert_false(fm_option_serves(&table[1], "wash"));
}

static void settings_block(void **state) {
  char *block;

  set("-wheels", "6");
  set("-lights", NULL);
  set("-paint", "red");
  fm_ok(fm_options_settings("drive", &block));
  assert_string_equal(block, "-speed 2.5\n-wheels 6\n-lights true\n-radio true\n-gear low\n");
  fm_ok(PetscFree(block));
  fm_ok(PetscOptionsClearValue(NULL, "-paint"));
  fm_ok(fm_options_settings("wash", &block)); /* no default, not given: not a setting */
  assert_string_equal(block, "-speed 2.5\n-radio true\n");
  fm_ok(PetscFree(block));
  fm_ok(fm_options_settings("park", &block));
  assert_string_equal(block, "-speed 2.5\n-wheels 6\n-radio true\n-mirrors 1,2\n");
  fm_ok(PetscFree(block));
}

static PetscErrorCode count_one(const fm_option *option, void *context) {
  (*(int *)context)++;
  return 0;
}

static void declared_once(void **state) {
  int n = 0;

  fm_ok(fm_options_visit(count_one, &n));
  assert_int_equal(n, 7);
  fm_options_forget();
  fm_ok(fm_options_visit(count_one, &n));
  assert_int_equal(n, 7);
}

static void nearest_names(void **state) {
  static const char *const names[] = {"rosenbrock", "gaussian", "flow"};
  static const char *const alike[] = {"ab", "cb"};

  assert_string_equal(fm_name_nearest("gausian", 3, names), "gaussian");
  assert_string_equal(fm_name_nearest("gaussain", 3, names), "gaussian");
  assert_string_equal(fm_name_nearest("rosenbrok", 3, names), "rosenbrock");
  assert_string_equal(fm_name_nearest("flow", 3, names), "flow");
  assert_string_equal(fm_name_nearest("low", 3, names), "flow");
  assert_string_equal(fm_name_nearest("bb", 2, alike), "ab"); /* the first of equals */
  assert_null(fm_name_nearest("fl", 3, names));
  assert_null(fm_name_nearest("xyzzy", 3, names));
  assert_null(fm_name_nearest("gaussian", 0, names));
  assert_null(fm_name_nearest("", 3, names));
}

#define with_table(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

FM_TEST_MAIN(with_table(defaults_and_values), with_table(flags),
             with_table(what_is_no_number_is_refused), with_table(ranges_and_choices),
             with_table(unknown_options_name_the_nearest),
             with_table(names_like_numbers_are_names), with_table(who_reads_what),
             with_table(settings_block), with_table(declared_once), with_table(nearest_names))
