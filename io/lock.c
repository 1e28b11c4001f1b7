/* One writer of a folder at a time. The lock is the kernel's and goes with the process; the
   text in the file only names the holder. Open file description locks are taken where there
   are any: a second taking in the same process is refused too, and closing another descriptor
   of the file does not drop the lock. */
#define _GNU_SOURCE
#include "fathom/log.h"
#include "fathom/store.h"
#include "verdict.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifndef F_OFD_SETLK
#define F_OFD_SETLK F_SETLK
#endif

#define NCOUNTER 6
/* fixed widths, so that one pwrite replaces the holder and another the counters */
#define HOLDER_FORMAT "pid %-10ld host %-64.64s\n"
#define HOLDER_LENGTH 85
#define COUNT_LENGTH 21

struct fm_lock {
  MPI_Comm comm;
  int fd; /* -1 on every rank but 0 */
  PetscBool warned;
  int64_t noted[NCOUNTER];
  char path[PETSC_MAX_PATH_LEN];
};

/* ---- the text ---- */

static int write_at(int fd, const char *text, off_t at) {
  const size_t n = strlen(text);

  return pwrite(fd, text, n, at) == (ssize_t)n ? 0 : errno ? errno : EIO;
}

static int write_holder(int fd) {
  char host[256] = "?", text[HOLDER_LENGTH + 20];

  gethostname(host, sizeof(host) - 1);
  snprintf(text, sizeof(text), HOLDER_FORMAT, (long)getpid(), host);
  return write_at(fd, text, 0);
}

static int write_counters(int fd, const int64_t counter[NCOUNTER]) {
  char text[NCOUNTER * COUNT_LENGTH + 2];

  for (int i = 0; i < NCOUNTER; i++)
    snprintf(text + i * COUNT_LENGTH, COUNT_LENGTH + 1, "%-20" PRId64 " ", counter[i]);
  text[NCOUNTER * COUNT_LENGTH - 1] = '\n';
  return write_at(fd, text, HOLDER_LENGTH);
}

/* an unreadable text names nobody and counts nothing */
static void read_text(int fd, char host[65], long *pid, int64_t counter[NCOUNTER]) {
  char text[HOLDER_LENGTH + NCOUNTER * COUNT_LENGTH + 1] = "", *at = text + HOLDER_LENGTH, *end;
  const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

  snprintf(host, 65, "?");
  *pid = 0;
  memset(counter, 0, NCOUNTER * sizeof(*counter));
  if (n < HOLDER_LENGTH || sscanf(text, "pid %ld host %64s", pid, host) != 2) return;
  for (int i = 0; i < NCOUNTER; i++, at = end) {
    counter[i] = (int64_t)strtoll(at, &end, 10);
    if (end == at) return;
  }
}

/* ---- the lock ---- */

/* 0 or an errno; EAGAIN: somebody has it */
static int try_lock(int fd) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

  if (!fcntl(fd, F_OFD_SETLK, &whole)) return 0;
  return errno == EACCES || errno == EINTR ? EAGAIN : errno;
}

static double now(void) {
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* polls ten times a second; 0 or the errno of the last try */
static int wait_for_lock(int fd, const char *folder, double patience) {
  const double end = now() + patience;
  const struct timespec nap = {0, 100000000};
  int error = try_lock(fd);

  if (error == EAGAIN && patience > 0.) {
    char host[65];
    long pid;
    int64_t counter[NCOUNTER];

    read_text(fd, host, &pid, counter);
    fm_log("waiting for pid %ld on host %s, which uses '%s' (%g s at most)", pid, host, folder,
           patience);
  }
  while (error == EAGAIN && now() < end) {
    nanosleep(&nap, NULL);
    error = try_lock(fd);
  }
  return error;
}

static void fail_busy(int fd, const char *folder, fm_verdict *v) {
  char host[65];
  long pid;
  int64_t counter[NCOUNTER];

  read_text(fd, host, &pid, counter);
  fm_fail(v, PETSC_ERR_USER,
          "output folder '%s' is in use by pid %ld on host %s; wait for it, or choose another "
          "-out",
          folder, pid, host);
}

static void take(fm_lock *lock, const char *folder, double patience, fm_verdict *v) {
  const int error = wait_for_lock(lock->fd, folder, patience);
  char host[65];
  long pid;

  if (error == EAGAIN) {
    fail_busy(lock->fd, folder, v);
    return;
  }
  if (error)
    fm_warn("'%s' takes no locks (%s): see yourself that one run at a time writes there",
            folder, strerror(error));
  read_text(lock->fd, host, &pid, lock->noted);
  if (write_holder(lock->fd) || write_counters(lock->fd, lock->noted))
    fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot write '%s': %s", lock->path, strerror(errno));
}

static void open_and_take(fm_lock *lock, const char *folder, double patience, fm_verdict *v) {
  lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock->fd < 0)
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': %s", lock->path, strerror(errno));
  else
    take(lock, folder, patience, v);
}

PetscErrorCode fm_lock_take(MPI_Comm comm, const char *folder, double patience, fm_lock **out) {
  fm_verdict v = {0};
  fm_lock *lock;
  PetscMPIInt rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  *out = NULL;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(PetscNew(&lock));
  lock->comm = comm;
  lock->fd = -1;
  PetscCall(PetscSNPrintf(lock->path, sizeof(lock->path), "%s/lock", folder));
  if (!rank) open_and_take(lock, folder, patience, &v);
  code = fm_verdict_share(comm, &v, sizeof(lock->noted), lock->noted);
  if (code) PetscCall(fm_lock_release(&lock));
  PetscCall(code);
  *out = lock;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_lock_release(fm_lock **lock) {
  PetscFunctionBegin;
  if (!*lock) PetscFunctionReturn(0);
  if ((*lock)->fd >= 0) close((*lock)->fd);
  PetscCall(PetscFree(*lock));
  PetscFunctionReturn(0);
}

/* Not collective, and no error: counters that cannot be kept are no reason to end a run. */
PetscErrorCode fm_lock_note(fm_lock *lock, const int64_t counter[NCOUNTER]) {
  int error;

  PetscFunctionBegin;
  if (lock->fd < 0) PetscFunctionReturn(0);
  error = write_counters(lock->fd, counter);
  if (error && !lock->warned)
    fm_warn("cannot write '%s': %s; the solves of this run are not counted if it is killed",
            lock->path, strerror(error));
  if (error) lock->warned = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_lock_noted(fm_lock *lock, int64_t counter[NCOUNTER]) {
  PetscFunctionBegin;
  memcpy(counter, lock->noted, sizeof(lock->noted));
  PetscFunctionReturn(0);
}
