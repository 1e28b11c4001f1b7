/* What the fuzz targets share: MPI and PETSc as a singleton, errors that come back as codes, an
   allocator that counts and refuses, inputs as files, and a child for inputs that
   HDF5 may not survive.

   A target is one function fuzz_one(data, size). Faults, each an abort: what the sanitizers
   say, a request of more memory than FUZZ_MOST, PETSc's memory or an HDF5 object that is left,
   an input that takes longer than FUZZ_SECONDS, and what a target checks itself. */
#ifndef FUZZ_H
#define FUZZ_H

#include "fathom/types.h"
#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_MOST ((size_t)256 << 20) /* bytes of one request */
#define FUZZ_SECONDS 3                /* of CPU time for one input */

#define fuzz_ok(call)                                                                          \
  do {                                                                                         \
    if (call) fuzz_fault("failed: " #call);                                                    \
  } while (0)

static inline void fuzz_fault(const char *what) {
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

/* ---- memory ---- */

static int64_t fuzz_live; /* PETSc's blocks that are not freed */

static inline PetscErrorCode fuzz_malloc(size_t bytes, PetscBool clear, int line,
                                         const char function[], const char file[], void **p) {
  *p = NULL;
  if (!bytes) return 0;
  if (bytes > FUZZ_MOST) {
    fprintf(stderr, "fuzz: %s at %s:%d asks for %zu bytes\n", function, file, line, bytes);
    abort();
  }
  *p = clear ? calloc(1, bytes) : malloc(bytes);
  if (!*p) return PETSC_ERR_MEM;
  fuzz_live++;
  return 0;
}

static inline PetscErrorCode fuzz_free(void *p, int line, const char function[],
                                       const char file[]) {
  if (p) fuzz_live--;
  free(p);
  return 0;
}

static inline PetscErrorCode fuzz_realloc(size_t bytes, int line, const char function[],
                                          const char file[], void **p) {
  void *larger;

  if (!*p) return fuzz_malloc(bytes, PETSC_FALSE, line, function, file, p);
  if (bytes > FUZZ_MOST) fuzz_fault("a request for too much memory");
  larger = realloc(*p, bytes);
  if (!larger) return PETSC_ERR_MEM;
  *p = larger;
  return 0;
}

/* ---- beginning ---- */

static inline PetscErrorCode fuzz_quiet(MPI_Comm comm, int line, const char *function,
                                        const char *file, PetscErrorCode code,
                                        PetscErrorType type, const char *message,
                                        void *context) {
  if (type == PETSC_ERROR_INITIAL && getenv("FUZZ_SAY"))
    fprintf(stderr, "fuzz: %s: %s\n", function, message ? message : "");
  return code;
}

/* stdout is fathom's progress, which nobody wants to see */
static inline void fuzz_begin(void) {
  static char name[] = "fuzz", *words[] = {name, NULL}, **argv = words;
  int argc = 1;

  fuzz_ok(PetscMallocSet(fuzz_malloc, fuzz_free, fuzz_realloc));
  __lsan_disable(); /* what MPI begins with is its own */
  fuzz_ok(PetscInitialize(&argc, &argv, NULL, NULL));
  __lsan_enable();
  fuzz_ok(PetscPopSignalHandler());
  fuzz_ok(PetscPushErrorHandler(fuzz_quiet, NULL));
  if (!freopen("/dev/null", "w", stdout)) fuzz_fault("no /dev/null");
}

/* What LeakSanitizer cannot blame on us: HDF5 keeps and loses memory of its own on bad files. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5\nleak:libsegyio\n"; }

/* ---- an input as a file ---- */

static char fuzz_folder[64], fuzz_path[128];

static void fuzz_remove(void) {
  (void)unlink(fuzz_path);
  (void)rmdir(fuzz_folder);
}

/* A folder in memory, where an fsync is free; it goes at the end. */
static inline const char *fuzz_in_folder(const char *name) {
  snprintf(fuzz_folder, sizeof(fuzz_folder), "%s/fathom_fuzz_XXXXXX",
           access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  if (!mkdtemp(fuzz_folder)) fuzz_fault("no folder");
  snprintf(fuzz_path, sizeof(fuzz_path), "%s/%s", fuzz_folder, name);
  atexit(fuzz_remove);
  return fuzz_path;
}

/* The path of a file that holds the input, until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
  const char *path = fuzz_path[0] ? fuzz_path : fuzz_in_folder("input");
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  if (fd < 0 || write(fd, data, size) != (ssize_t)size) fuzz_fault("no file in memory");
  close(fd);
  return path;
}

#endif
