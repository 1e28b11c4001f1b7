#define _GNU_SOURCE
#include "fathom/stop.h"
#include <signal.h>
#include <time.h>
#include <unistd.h>

static const int signals[] = {SIGTERM, SIGUSR1, SIGINT};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static volatile sig_atomic_t came; /* the first signal */
static volatile sig_atomic_t over; /* all is saved, and this rank is */
enum { LEAVING = 1, FINISHED };
static PetscBool watched;
static struct timespec came_at;
static double end_of_time, spare;
static PetscBool late; /* the clock was the reason */

#define ECHO 2. /* seconds in which the same signal again is the same wish, forwarded twice */

static void keep(int number) {
  const int another = came && (number != came || fm_stop_age() > ECHO);

  if (over == FINISHED || another) _exit(over ? FM_STOP_STATUS : 128 + number);
  if (came) return;
  clock_gettime(CLOCK_MONOTONIC, &came_at);
  came = number;
}

void fm_stop_watch(void) {
  struct sigaction action = {.sa_handler = keep, .sa_flags = SA_RESTART};

  watched = PETSC_TRUE;
  sigfillset(&action.sa_mask);
  for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, NULL);
}

void fm_stop_over(PetscBool stopped) { over = stopped ? LEAVING : FINISHED; }

PetscBool fm_stop_watched(void) { return watched; }

void fm_stop_set_end(double end) { end_of_time = end; }

void fm_stop_set_spare(double seconds) { spare = seconds; }

int fm_stop_wanted(double needed) {
  struct timespec now;

  if (came || late) return 1;
  if (end_of_time <= 0.) return 0;
  clock_gettime(CLOCK_REALTIME, &now);
  if ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec + needed + spare > end_of_time)
    late = PETSC_TRUE;
  return late ? 1 : 0;
}

double fm_stop_age(void) {
  struct timespec now;

  if (!came) return 0.;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - came_at.tv_sec) + 1e-9 * (double)(now.tv_nsec - came_at.tv_nsec);
}

const char *fm_stop_reason(void) {
  switch (came) {
  case SIGTERM: return "SIGTERM";
  case SIGUSR1: return "SIGUSR1";
  case SIGINT: return "SIGINT";
  default: return late ? "the time limit" : "another rank's wish";
  }
}
