#define _GNU_SOURCE
#include "io_test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define WORLD PETSC_COMM_WORLD

static const int64_t some[6] = {1, -2, 3, INT64_MAX, INT64_MIN, 6};

static void counters_pass_to_the_next(void **state) {
  const int64_t none[6] = {0};
  int64_t noted[6] = {9};
  fm_lock *lock;

  fm_ok(fm_lock_take(WORLD, test_folder, 0., &lock));
  fm_ok(fm_lock_noted(lock, noted));
  assert_memory_equal(noted, none, sizeof(noted));
  fm_ok(fm_lock_note(lock, none));
  fm_ok(fm_lock_note(lock, some));
  fm_ok(fm_lock_noted(lock, noted)); /* as found */
  assert_memory_equal(noted, none, sizeof(noted));
  fm_ok(fm_lock_release(&lock));
  assert_null(lock);
  for (int i = 0; i < 2; i++) { /* the second follows one that noted nothing */
    fm_ok(fm_lock_take(WORLD, test_folder, 0., &lock));
    fm_ok(fm_lock_noted(lock, noted));
    assert_memory_equal(noted, some, sizeof(noted));
    fm_ok(fm_lock_release(&lock));
  }
}

static void a_text_of_nobody_counts_nothing(void **state) {
  const int64_t none[6] = {0};
  int64_t noted[6];
  fm_lock *lock;

  if (!test_rank()) save_bytes(in_folder("lock"), "scribble\n", 9);
  fm_ok(fm_lock_take(WORLD, test_folder, 0., &lock));
  fm_ok(fm_lock_noted(lock, noted));
  assert_memory_equal(noted, none, sizeof(noted));
  fm_ok(fm_lock_release(&lock));
}

static void the_same_process_is_refused_too(void **state) {
  char word[64];
  int pid = (int)getpid();
  fm_lock *lock, *second;

  (void)MPI_Bcast(&pid, 1, MPI_INT, 0, WORLD);
  snprintf(word, sizeof(word), "is in use by pid %d on host ", pid);
  fm_ok(fm_lock_take(WORLD, test_folder, 0., &lock));
  fm_expect_error(fm_lock_take(WORLD, test_folder, 0., &second), word);
  same_sentence();
  assert_null(second);
  fm_ok(fm_lock_release(&lock));
  fm_ok(fm_lock_take(WORLD, test_folder, 0., &second));
  fm_ok(fm_lock_release(&second));
}

/* a child without MPI that holds the lock as an older run would, until it is killed */
static pid_t start_holder(void) {
  int ready[2];
  char byte;
  pid_t child;

  assert_int_equal(pipe(ready), 0);
  child = fork();
  if (!child) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char text[300];
    const int fd = open(in_folder("lock"), O_RDWR | O_CREAT, 0666);

    snprintf(text, sizeof(text), "pid %-10d host %-64s\n%-20d %-20d %-20d %-20d %-20d %-20d\n",
             (int)getpid(), "elsewhere", 1, 2, 3, 4, 5, 6);
    if (fcntl(fd, F_SETLK, &whole) || pwrite(fd, text, strlen(text), 0) < 0) _exit(1);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return child;
}

static void stop_holder(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void a_holder_is_waited_for_and_named(void **state) {
  char word[80];
  int child = 0;
  double begin, spent;
  fm_lock *lock;

  if (!test_rank()) child = (int)start_holder();
  (void)MPI_Bcast(&child, 1, MPI_INT, 0, WORLD);
  snprintf(word, sizeof(word), "in use by pid %d on host elsewhere", child);
  begin = MPI_Wtime();
  fm_expect_error(fm_lock_take(WORLD, test_folder, 0.5, &lock), word);
  spent = MPI_Wtime() - begin;
  assert_non_null(strstr(fm_test_message, "or choose another -out"));
  same_sentence();
  if (!test_rank()) stop_holder((pid_t)child);
  assert_true(spent > 0.4 && spent < 5.);
}

static void a_killed_holder_holds_nothing(void **state) {
  int64_t noted[6];
  fm_lock *lock;

  if (!test_rank()) stop_holder(start_holder());
  fm_ok(fm_lock_take(WORLD, test_folder, 0., &lock));
  fm_ok(fm_lock_noted(lock, noted));
  assert_true(noted[0] == 1 && noted[5] == 6);
  fm_ok(fm_lock_release(&lock));
}

static void patience_is_rewarded(void **state) {
  fm_lock *lock;
  pid_t child = 0, killer = 0;

  if (!test_rank()) {
    child = start_holder();
    killer = fork();
    if (!killer) {
      usleep(300000);
      kill(child, SIGKILL);
      _exit(0);
    }
  }
  fm_ok(fm_lock_take(WORLD, test_folder, 20., &lock));
  fm_ok(fm_lock_release(&lock));
  if (!test_rank()) stop_holder(child), waitpid(killer, NULL, 0);
}

static void no_folder(void **state) {
  fm_lock *lock;

  fm_expect_error(fm_lock_take(WORLD, in_folder("no/such"), 0., &lock), "cannot open '");
  same_sentence();
  assert_null(lock);
}

FM_TEST_MAIN(io_test(counters_pass_to_the_next), io_test(a_text_of_nobody_counts_nothing),
             io_test(the_same_process_is_refused_too),
             io_test(a_holder_is_waited_for_and_named), io_test(a_killed_holder_holds_nothing),
             io_test(patience_is_rewarded), io_test(no_folder))
