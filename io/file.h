/* Files that are whole or absent: a new content goes to PATH.tmp, to the disk, and only then to
   PATH. POSIX alone, no MPI, no HDF5. All functions are for one rank and report through a
   verdict. */
#ifndef FATHOM_IO_FILE_H
#define FATHOM_IO_FILE_H

#include "fathom/store.h"
#include "verdict.h"

/* more files of one name than anybody asks to keep */
#define FM_FILE_KEPT 100

/* fm_file_reserve - give the first `length` bytes of a file their blocks, so that a full disk
   shows now and not in the middle of a write. A file system that cannot reserve is let pass. */
void fm_file_reserve(const char *path, int64_t length, fm_verdict *v);

/* fm_file_put - create `path` with `length` bytes and a last line `trailer`, reserved, written
   and flushed to the disk. On failure the file is removed. */
void fm_file_put(const char *path, const void *data, size_t length, const char *trailer,
                 fm_verdict *v);

/* fm_file_flush - fsync an existing file. */
void fm_file_flush(const char *path, fm_verdict *v);

/* fm_file_publish - the file `temporary` becomes `path`, atomically; where `previous` is not
   NULL the old `path` gets that name (a hard link first, so that `path` exists at every
   moment). Ends with an fsync of the folder. On failure `temporary` is removed and the old
   `path` stands. */
void fm_file_publish(const char *temporary, const char *path, const char *previous,
                     fm_verdict *v);

/* fm_file_variant - "a.h5", "best" to "a.best.h5". */
void fm_file_variant(const char *path, const char *word, char name[PETSC_MAX_PATH_LEN]);

/* fm_file_previous - the name of the k-th file before `path`: "a.h5", 1 to "a.previous.h5", 2
   to "a.previous2.h5"; 0: `path` itself. */
void fm_file_previous(const char *path, int k, char name[PETSC_MAX_PATH_LEN]);

/* fm_file_publish_kept - fm_file_publish, the old files kept as `keep` says. At every moment
   `path` is whole, and so is each older file under one of its names. */
void fm_file_publish_kept(const char *temporary, const char *path, const fm_keep *keep,
                          fm_verdict *v);

#endif
