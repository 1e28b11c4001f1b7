/* The end of an image's commit, by a plain POSIX thread: it is handed bytes and names, and
   knows neither MPI nor HDF5. One write at a time a process: training waits for the one
   before. */
#define _GNU_SOURCE
#include "file.h"
#include "h5.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct fm_writer {
  MPI_Comm comm; /* borrowed */
  PetscBool threaded;
  pthread_t thread;
  atomic_int ended;
  double begin, seconds;
  void *image; /* owned */
  size_t length;
  char *path, *temporary, *best, *aside; /* owned; best, aside: NULL */
  int64_t files;
  fm_verdict verdict;
};

static fm_writer *under_way; /* of this rank, for fm_writer_settle */

static double now(void) {
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *work(void *context) {
  fm_writer *w = (fm_writer *)context;
  const fm_keep keep = {w->files, w->best, w->aside};
  char line[64];

  fm_trailer_text(w->image, w->length, line);
  fm_file_put(w->temporary, w->image, w->length, line, &w->verdict);
  if (!w->verdict.code) fm_file_publish_kept(w->temporary, w->path, &keep, &w->verdict);
  w->seconds = now() - w->begin;
  atomic_store(&w->ended, 1);
  return NULL;
}

/* Signals are for the thread that computes. Where there is no thread to be had it writes
   itself. */
static void start(fm_writer *w) {
  sigset_t all, old;

  w->begin = now();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  w->threaded = pthread_create(&w->thread, NULL, work, w) ? PETSC_FALSE : PETSC_TRUE;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!w->threaded) work(w);
}

static char *copy(const char *text) { return text ? strdup(text) : NULL; }

static void begin_on_root(fm_store *s, const fm_keep *keep, fm_writer *w) {
  w->path = copy(s->path);
  w->temporary = copy(s->temporary);
  w->best = copy(keep->best);
  w->aside = copy(keep->aside);
  w->files = keep->files;
  w->image = fm_image_take(s, &w->length, &w->verdict);
  if (!w->verdict.code) {
    under_way = w;
    start(w);
  } else
    atomic_store(&w->ended, 1);
}

PetscErrorCode fm_store_commit_begin(fm_store **store, const fm_keep *keep,
                                     fm_writer **writer) {
  fm_store *s = *store;
  fm_writer *w;

  PetscFunctionBegin;
  PetscCall(fm_store_demand(s, s->kind == FM_STORE_IMAGE, "commit rows in the background"));
  PetscCall(PetscNew(&w));
  w->comm = s->comm;
  if (!s->rank) begin_on_root(s, keep, w);
  PetscCall(fm_store_close(store));
  *writer = w;
  PetscFunctionReturn(0);
}

int fm_writer_failed(const fm_writer *w) {
  return w && atomic_load(&w->ended) && w->verdict.code ? 1 : 0;
}

void fm_writer_settle(double seconds) {
  const double end = now() + seconds;
  const struct timespec nap = {0, 5000000};

  while (under_way && !atomic_load(&under_way->ended) && now() < end) nanosleep(&nap, NULL);
}

PetscErrorCode fm_writer_finish(fm_writer **writer, double *seconds) {
  fm_writer *w = *writer;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (w->threaded) pthread_join(w->thread, NULL);
  if (under_way == w) under_way = NULL;
  if (seconds) *seconds = w->seconds;
  code = fm_verdict_agree(w->comm, &w->verdict);
  free(w->image);
  free(w->path);
  free(w->temporary);
  free(w->best);
  free(w->aside);
  PetscCall(PetscFree(*writer));
  PetscCall(code);
  PetscFunctionReturn(0);
}
