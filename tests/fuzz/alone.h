/* fuzz_alone - an input in another process: HDF5 1.10 does not survive every malformed file. A
   worker, forked from this process, takes FUZZ_SERVES inputs one after the other; where it dies
   another is forked. Where it dies inside HDF5 (the innermost frame that is HDF5's or fathom's
   is HDF5's) the input is counted under the functions of HDF5, listed at the end, and goes.
   Where it dies anywhere else the input meets a new worker, for HDF5 may have overwritten the
   old one's memory, and if that dies too it is run here, for libFuzzer to report. Coverage
   comes back from the worker.

   A worker may also fall silent: where another thread of this process held a lock at the fork,
   the worker waits for it for ever (seen: libFuzzer's thread was in its first free(), inside
   ASan's allocator). So the fork waits until all other threads sleep; and a worker that sleeps
   for FUZZ_ASLEEP looks, a second apart, and used no CPU time is killed, and the input meets a
   new one. An input that FUZZ_SILENCES workers in a row fall silent over is a fault, run here
   for libFuzzer to report. Who uses CPU time is left to the worker's own timer.

   FUZZ_KEEP=FOLDER: the first input of each place in HDF5 is kept there. */
#ifndef FUZZ_ALONE_H
#define FUZZ_ALONE_H

#include "counters.h"
#include "fuzz.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <hdf5.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define FUZZ_PLACES 64
#define FUZZ_SERVES 250
#define FUZZ_LARGEST (1 << 20) /* bytes of an input */
#define FUZZ_ASLEEP 3          /* with FUZZ_SILENCES well below libFuzzer's -timeout */
#define FUZZ_SILENCES 3        /* by chance one worker in a hundred, on a crowded machine */
enum { FUZZ_GOOD = 0, FUZZ_OURS = 80, FUZZ_HDF5 = 81, FUZZ_SILENT = 82 };

typedef void (*fuzz_function)(const uint8_t *data, size_t size);
typedef struct fuzz_place {
  char name[128];
  int64_t count;
} fuzz_place;

void __sanitizer_set_death_callback(void (*callback)(void));

typedef struct fuzz_common { /* of both processes */
  char where[128];           /* in HDF5 the worker died */
  size_t size;
  uint8_t data[FUZZ_LARGEST], coverage[];
} fuzz_common;

static fuzz_common *fuzz_shared;
static uint8_t *fuzz_mine; /* this process' counters */
static size_t fuzz_edges;
static pid_t fuzz_worker;
static int fuzz_go, fuzz_done, fuzz_served; /* pipes to and from the worker */
static fuzz_place fuzz_places[FUZZ_PLACES];
static int64_t fuzz_tried, fuzz_fallen, fuzz_unclear, fuzz_excluded, fuzz_silent;

/* ---- an exclusion ---- */

/* H5HG__cache_heap_deserialize goes round for ever where an object of a global heap (texts of
   variable length) has index 0 and size 0: seconds of hanging each time, and nothing learnt.
   Such inputs are left out, and counted. */
static inline int fuzz_hangs_in_heap(const uint8_t *data, size_t size) {
  const uint8_t *at = data;

  while ((at = memmem(at, size - (size_t)(at - data), "GCOL", 4))) {
    const size_t room = size - (size_t)(at - data);
    uint64_t length = 0, object;

    if (room >= 16) memcpy(&length, at + 8, 8);
    for (uint64_t i = 16; i + 16 <= PetscMin(length, (uint64_t)room);) {
      memcpy(&object, at + i + 8, 8);
      if (!at[i] && !at[i + 1] && !object) return 1;
      if ((!at[i] && !at[i + 1]) || object > room) break;
      i += 16 + (object + 7) / 8 * 8;
    }
    at += 4;
  }
  return 0;
}

/* ---- in the worker ---- */

/* innermost frame of HDF5 or fathom; the outermost of HDF5 that follows it is its door */
static inline int fuzz_classify(void) {
  const char *inner = NULL, *door = NULL;
  void *frame[200];
  const int n = backtrace(frame, 200);

  for (int i = 0; i < n; i++) {
    Dl_info about;
    const int known = dladdr(frame[i], &about) && about.dli_fname;
    const char *name = known && about.dli_sname ? about.dli_sname : "?";
    const int hdf5 = known && strstr(about.dli_fname, "libhdf5") != NULL;

    if (!inner && !hdf5 && !strncmp(name, "fm_", 3)) return FUZZ_OURS;
    if (inner && !hdf5 && !strncmp(name, "fm_", 3)) break;
    if (hdf5 && !inner) inner = name;
    if (hdf5) door = name;
  }
  if (!inner) return FUZZ_OURS;
  snprintf(fuzz_shared->where, sizeof(fuzz_shared->where), "%s > %s", door, inner);
  return FUZZ_HDF5;
}

static void fuzz_died(void) { _exit(fuzz_classify()); }

static void fuzz_signalled(int number) {
  const int whose = fuzz_classify();

  if (whose == FUZZ_HDF5 && number == SIGPROF)
    strncat(fuzz_shared->where, " (hangs)",
            sizeof(fuzz_shared->where) - 1 - strlen(fuzz_shared->where));
  _exit(whose);
}

static inline void fuzz_watch(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF};
  const int nowhere = open("/dev/null", O_WRONLY);
  struct sigaction action = {.sa_handler = fuzz_signalled, .sa_flags = SA_ONSTACK};

  if (!getenv("FUZZ_SAY")) dup2(nowhere, STDERR_FILENO);
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
    sigaction(signals[i], &action, NULL);
  __sanitizer_set_death_callback(fuzz_died);
}

static inline void fuzz_serve(fuzz_function one, int go, int done, pid_t parent) {
  const struct itimerval limit = {{0, 0}, {FUZZ_SECONDS, 0}};
  char word;

  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) _exit(FUZZ_OURS);
  fuzz_watch();
  while (read(go, &word, 1) == 1) {
    setitimer(ITIMER_PROF, &limit, NULL);
    memset(fuzz_mine, 0, fuzz_edges);
    one(fuzz_shared->data, fuzz_shared->size);
    memcpy(fuzz_shared->coverage, fuzz_mine, fuzz_edges);
    if (write(done, &word, 1) != 1) break;
  }
  _exit(FUZZ_GOOD);
}

/* ---- in the parent ---- */

static void fuzz_report(void) {
  fprintf(stderr,
          "fuzz: %lld inputs tried in a worker, HDF5 fell over %lld, %lld deaths were "
          "after-effects, %lld inputs left out (H5HG__cache_heap_deserialize)\n",
          (long long)fuzz_tried, (long long)fuzz_fallen, (long long)fuzz_unclear,
          (long long)fuzz_excluded);
  for (int i = 0; i < FUZZ_PLACES && fuzz_places[i].count; i++)
    fprintf(stderr, "fuzz: HDF5 %8lld  %s\n", (long long)fuzz_places[i].count,
            fuzz_places[i].name);
  if (fuzz_silent)
    fprintf(stderr, "fuzz: %lld workers fell silent and were replaced\n",
            (long long)fuzz_silent);
}

static inline void fuzz_keep(const uint8_t *data, size_t size, int place) {
  const char *folder = getenv("FUZZ_KEEP");
  char path[512];
  FILE *file;

  if (!folder) return;
  snprintf(path, sizeof(path), "%s/hdf5-%02d-%d", folder, place, (int)getpid());
  file = fopen(path, "wb");
  if (!file) return;
  fwrite(data, 1, size, file);
  fclose(file);
}

static inline void fuzz_count(const uint8_t *data, size_t size) {
  int i = 0;

  fuzz_fallen++;
  while (i < FUZZ_PLACES - 1 && fuzz_places[i].count &&
         strcmp(fuzz_places[i].name, fuzz_shared->where))
    i++;
  if (!fuzz_places[i].count) {
    snprintf(fuzz_places[i].name, sizeof(fuzz_places[i].name), "%s", fuzz_shared->where);
    fuzz_keep(data, size, i);
  }
  fuzz_places[i].count++;
}

static inline void fuzz_share(void) {
  void *frame[4];

  fuzz_mine = fuzz_counters(&fuzz_edges);
  fuzz_shared = mmap(NULL, sizeof(*fuzz_shared) + fuzz_edges, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fuzz_shared == MAP_FAILED) fuzz_fault("no shared memory");
  (void)backtrace(frame, 4); /* loads what it needs */
  signal(SIGPIPE, SIG_IGN);
  atexit(fuzz_report);
}

/* R, S, D, T ... of a process or thread, by its file in /proc. */
static inline char fuzz_state(const char *path) {
  FILE *file = fopen(path, "r");
  char state = 'R';

  if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'R';
  if (file) fclose(file);
  return state;
}

static inline int fuzz_others_sleep(void) {
  DIR *tasks = opendir("/proc/self/task");
  int sleep = 1;

  for (struct dirent *task; tasks && (task = readdir(tasks));) {
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", task->d_name);
    if (atoi(task->d_name) > 0 && atoi(task->d_name) != getpid())
      sleep &= fuzz_state(path) == 'S';
  }
  if (tasks) closedir(tasks);
  return sleep;
}

static inline void fuzz_hire(fuzz_function one) {
  const pid_t parent = getpid();
  int go[2], done[2];

  if (pipe(go) || pipe(done)) fuzz_fault("no pipes");
  for (int i = 0; i < 1000 && !fuzz_others_sleep(); i++) usleep(1000);
  fuzz_worker = fork();
  if (fuzz_worker < 0) fuzz_fault("no worker");
  if (!fuzz_worker) {
    close(go[1]);
    close(done[0]);
    fuzz_serve(one, go[0], done[1], parent);
  }
  close(go[0]);
  close(done[1]);
  fuzz_go = go[1];
  fuzz_done = done[0];
  fuzz_served = 0;
}

/* The worker's exit status; one that is alive leaves when its pipe is closed. */
static inline int fuzz_dismiss(void) {
  int status = 0;

  close(fuzz_go);
  close(fuzz_done);
  while (waitpid(fuzz_worker, &status, 0) != fuzz_worker)
    if (errno != EINTR) fuzz_fault("no word of the worker");
  fuzz_worker = 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == FUZZ_HDF5 ? FUZZ_HDF5 : FUZZ_OURS;
}

/* Whether the worker sleeps, or is stopped, and used no CPU time since the last look. */
static inline int fuzz_sleeps(struct timespec *used) {
  const struct timespec last = *used;
  char path[64];
  clockid_t clock;

  snprintf(path, sizeof(path), "/proc/%d/stat", (int)fuzz_worker);
  if (clock_getcpuclockid(fuzz_worker, &clock) || clock_gettime(clock, used)) return 0;
  return strchr("StT", fuzz_state(path)) && last.tv_sec == used->tv_sec &&
         last.tv_nsec == used->tv_nsec;
}

/* Waits until the worker answers or ends (1), or falls silent (0). */
static inline int fuzz_answers(void) {
  struct pollfd answer = {.fd = fuzz_done, .events = POLLIN};
  struct timespec used = {0, 0};

  for (int asleep = 0; asleep < FUZZ_ASLEEP;) {
    if (poll(&answer, 1, 1000) > 0) return 1;
    asleep = fuzz_sleeps(&used) ? asleep + 1 : 0;
  }
  return 0;
}

/* How the worker did: FUZZ_GOOD, or what it died of. */
static inline int fuzz_order(fuzz_function one) {
  char word = 0;
  ssize_t got;

  if (fuzz_worker && fuzz_served >= FUZZ_SERVES) fuzz_dismiss();
  if (!fuzz_worker) fuzz_hire(one);
  fuzz_served++;
  if (write(fuzz_go, &word, 1) != 1) return fuzz_dismiss();
  if (!fuzz_answers()) {
    kill(fuzz_worker, SIGKILL);
    fuzz_dismiss();
    return FUZZ_SILENT;
  }
  do got = read(fuzz_done, &word, 1);
  while (got < 0 && errno == EINTR);
  return got == 1 ? FUZZ_GOOD : fuzz_dismiss();
}

/* As fuzz_order, with a new worker for each that falls silent. */
static inline int fuzz_insist(fuzz_function one) {
  int end = FUZZ_SILENT;

  for (int i = 0; i < FUZZ_SILENCES && end == FUZZ_SILENT; i++) {
    end = fuzz_order(one);
    fuzz_silent += end == FUZZ_SILENT;
  }
  return end;
}

static inline void fuzz_alone(fuzz_function one, const uint8_t *data, size_t size) {
  int end;

  if (size > FUZZ_LARGEST) return;
  if (fuzz_hangs_in_heap(data, size)) {
    fuzz_excluded++;
    return;
  }
  fuzz_tried++;
  memcpy(fuzz_shared->data, data, size);
  fuzz_shared->size = size;
  end = fuzz_insist(one);
  if (end == FUZZ_OURS && fuzz_served > 1) {
    end = fuzz_insist(one);
    if (end == FUZZ_GOOD) fuzz_unclear++;
  }
  if (end == FUZZ_OURS) {
    one(data, size);
    fuzz_fault("a worker died of this input");
  }
  if (end == FUZZ_SILENT) {
    fprintf(stderr, "fuzz: %d workers fell silent over this input; now without one\n",
            FUZZ_SILENCES);
    one(data, size);
    fuzz_fault("workers fall silent over this input: something waits for ever");
  }
  if (end == FUZZ_HDF5) fuzz_count(data, size);
  for (size_t i = 0; i < fuzz_edges && end == FUZZ_GOOD; i++)
    if (fuzz_shared->coverage[i]) fuzz_mine[i] = fuzz_shared->coverage[i];
}

/* ---- what HDF5 has open ---- */

static inline int64_t fuzz_open_objects(void) {
  static const H5I_type_t kinds[] = {H5I_FILE,      H5I_GROUP,   H5I_DATATYPE,
                                     H5I_DATASPACE, H5I_DATASET, H5I_ATTR};
  int64_t n = 0;

  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    hsize_t here = 0;

    H5Inmembers(kinds[i], &here);
    n += (int64_t)here;
  }
  return n;
}

/* ---- leaks: between the two calls nothing may have come to stay ---- */

typedef struct fuzz_before {
  int64_t live, objects;
} fuzz_before;

static inline fuzz_before fuzz_note(void) {
  return (fuzz_before){fuzz_live, fuzz_open_objects()};
}

static inline void fuzz_compare(fuzz_before before) {
  if (fuzz_live != before.live) {
    fprintf(stderr, "fuzz: %lld blocks of memory are left\n",
            (long long)(fuzz_live - before.live));
    abort();
  }
  if (fuzz_open_objects() != before.objects) fuzz_fault("an object of HDF5 is left open");
}

#endif
