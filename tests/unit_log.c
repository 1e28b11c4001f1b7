/* A warning of any rank is one write: a datagram socket in the place of standard error keeps
   what one write brought apart from the next. */
#include "fathom/log.h"
#include "fm_test.h"
#include <sys/socket.h>
#include <unistd.h>

static int warned[2], before;

static void listen_to_warnings(void) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, warned), 0);
  before = dup(STDERR_FILENO);
  assert_true(before >= 0 && dup2(warned[0], STDERR_FILENO) >= 0);
}

static void stop_listening(void) {
  assert_true(dup2(before, STDERR_FILENO) >= 0);
  close(before);
  close(warned[0]);
  close(warned[1]);
}

/* The third of at most three says so; a fourth is silent; what is too long is cut. */
static void a_warning_is_one_write(void **state) {
  char words[3000], heard[4][2048] = {""}, expected[2048];
  int count = 0;

  memset(words, 'x', sizeof(words));
  words[sizeof(words) - 1] = 0;
  listen_to_warnings();
  fm_warn_anywhere(3, "step %d: %s", 7, "not solved");
  fm_warn_anywhere(3, "%s", words);
  for (int i = 0; i < 2; i++) fm_warn_anywhere(3, "again");
  while (count < 4 && recv(warned[1], heard[count], sizeof(heard[0]) - 1, MSG_DONTWAIT) >= 0)
    count++;
  stop_listening();
  assert_string_equal(heard[0], "warning: step 7: not solved\n");
  snprintf(expected, sizeof(expected), "warning: %.*s\n", 1024 - 9 - 2, words);
  assert_string_equal(heard[1], expected);
  assert_string_equal(heard[2], "warning: again (further ones are counted only)\n");
  assert_int_equal(count, 3);
}

FM_TEST_MAIN(cmocka_unit_test(a_warning_is_one_write))
