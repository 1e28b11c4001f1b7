/* What a process does with signals, before and after all is saved: each case in a child. */
#include "fathom/stop.h"
#include "fm_test.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALIVE = 9 };

typedef struct {
  PetscBool over, stopped; /* has fm_stop_over been called, and how */
  int first, then;         /* signals; 0: none */
} life;

/* How a child ends that lives so. */
static int end_of(const life *l) {
  const pid_t child = fork();
  int status;

  assert_true(child >= 0);
  if (!child) {
    fm_stop_watch();
    if (l->over) fm_stop_over(l->stopped);
    if (l->first) raise(l->first);
    if (l->then) raise(l->then);
    _exit(fm_stop_wanted(0.) == (l->first != 0) ? ALIVE : ALIVE + 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void one_signal_is_a_wish_and_another_leaves(void **state) {
  assert_int_equal(end_of(&(life){.first = 0}), ALIVE);
  assert_int_equal(end_of(&(life){.first = SIGUSR1}), ALIVE);
  assert_int_equal(end_of(&(life){.first = SIGUSR1, .then = SIGUSR1}), ALIVE);
  assert_int_equal(end_of(&(life){.first = SIGUSR1, .then = SIGTERM}), 128 + SIGTERM);
}

static void a_finished_run_leaves_at_once(void **state) {
  assert_int_equal(end_of(&(life){.over = PETSC_TRUE}), ALIVE);
  assert_int_equal(end_of(&(life){.over = PETSC_TRUE, .first = SIGUSR1}), FM_STOP_STATUS);
}

/* Its wish may come late to this rank, and a rank that leaves ends the others. */
static void a_stopped_run_ends_in_order(void **state) {
  life l = {.over = PETSC_TRUE, .stopped = PETSC_TRUE, .first = SIGUSR1};

  assert_int_equal(end_of(&l), ALIVE);
  l.then = SIGUSR1;
  assert_int_equal(end_of(&l), ALIVE);
  l.then = SIGTERM;
  assert_int_equal(end_of(&l), FM_STOP_STATUS);
}

FM_TEST_MAIN(cmocka_unit_test(one_signal_is_a_wish_and_another_leaves),
             cmocka_unit_test(a_finished_run_leaves_at_once),
             cmocka_unit_test(a_stopped_run_ends_in_order))
