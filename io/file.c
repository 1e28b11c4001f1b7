#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail_step(fm_verdict *v, const char *step, const char *path, int error) {
  fm_fail(v, PETSC_ERR_FILE_WRITE, "cannot %s '%s': %s", step, path, strerror(error));
}

/* 0 or an errno */
static int reserve(int fd, int64_t length) {
  int error;

  do error = posix_fallocate(fd, 0, (off_t)length);
  while (error == EINTR);
  return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL ? 0 : error;
}

/* write() moves at most 2 GB a call and may stop earlier; 0 or an errno */
static int write_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    const ssize_t n = write(fd, data, PetscMin(length, (size_t)1 << 30));

    if (n < 0 && errno != EINTR) return errno;
    if (n == 0) return EIO;
    if (n > 0) data += n, length -= (size_t)n;
  }
  return 0;
}

static void fail_reserve(fm_verdict *v, const char *path, int64_t length, int error) {
  fm_fail(v, PETSC_ERR_FILE_WRITE,
          "cannot reserve %lld bytes for '%s': %s; free some space or choose another folder",
          (long long)length, path, strerror(error));
}

void fm_file_reserve(const char *path, int64_t length, fm_verdict *v) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  int error;

  if (fd < 0) {
    fail_step(v, "open", path, errno);
    return;
  }
  error = reserve(fd, length);
  if (error) fail_reserve(v, path, length, error);
  close(fd);
}

static void fill(int fd, const char *path, const void *data, size_t length, const char *trailer,
                 fm_verdict *v) {
  const size_t all = length + strlen(trailer);
  int error = reserve(fd, (int64_t)all);

  if (error) {
    fail_reserve(v, path, (int64_t)all, error);
    return;
  }
  error = write_all(fd, (const char *)data, length);
  if (!error) error = write_all(fd, trailer, strlen(trailer));
  if (error)
    fail_step(v, "write", path, error);
  else if (fsync(fd))
    fail_step(v, "flush", path, errno);
}

void fm_file_put(const char *path, const void *data, size_t length, const char *trailer,
                 fm_verdict *v) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

  if (fd < 0) {
    fail_step(v, "create", path, errno);
    return;
  }
  fill(fd, path, data, length, trailer, v);
  if (close(fd)) fail_step(v, "close", path, errno);
  if (v->code) unlink(path);
}

void fm_file_flush(const char *path, fm_verdict *v) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);

  if (fd < 0) {
    fail_step(v, "open", path, errno);
    return;
  }
  if (fsync(fd)) fail_step(v, "flush", path, errno);
  close(fd);
}

static void flush_folder(const char *path, fm_verdict *v) {
  char copy[PETSC_MAX_PATH_LEN];
  int fd;

  snprintf(copy, sizeof(copy), "%s", path);
  fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fail_step(v, "open the folder of", path, errno);
    return;
  }
  if (fsync(fd) && errno != EINVAL) fail_step(v, "flush the folder of", path, errno);
  close(fd);
}

/* `previous` is freed and then linked: until the rename that follows `path` stays what it is */
static void keep_previous(const char *path, const char *previous, fm_verdict *v) {
  if (access(path, F_OK)) return;
  if (unlink(previous) && errno != ENOENT) {
    fail_step(v, "replace", previous, errno);
    return;
  }
  if (!link(path, previous)) return;
  if (rename(path, previous))
    fail_step(v, "keep the old file as", previous, errno); /* no hard links here */
}

void fm_file_variant(const char *path, const char *word, char name[PETSC_MAX_PATH_LEN]) {
  const char *end = strrchr(path, '.');
  const int stem = end && !strchr(end, '/') ? (int)(end - path) : (int)strlen(path);

  snprintf(name, PETSC_MAX_PATH_LEN, "%.*s.%s%s", stem, path, word, path + stem);
}

void fm_file_previous(const char *path, int k, char name[PETSC_MAX_PATH_LEN]) {
  char word[32] = "previous";

  if (k > 1) snprintf(word, sizeof(word), "previous%d", k);
  if (k == 0)
    snprintf(name, PETSC_MAX_PATH_LEN, "%s", path);
  else
    fm_file_variant(path, word, name);
}

/* Each older file one place on, the last one out. */
static void rotate(const char *path, int64_t files, fm_verdict *v) {
  char from[PETSC_MAX_PATH_LEN], to[PETSC_MAX_PATH_LEN];

  for (int k = (int)PetscMin(files, FM_FILE_KEPT) - 2; k >= 1; k--) {
    fm_file_previous(path, k, from);
    fm_file_previous(path, k + 1, to);
    if (rename(from, to) && errno != ENOENT) fail_step(v, "keep the old file as", to, errno);
  }
  fm_file_previous(path, 1, to);
  if (!v->code && files > 1) keep_previous(path, to, v);
}

/* Those that are more than are kept. */
static void remove_from(const char *path, int64_t first) {
  char name[PETSC_MAX_PATH_LEN];

  for (int64_t k = first; k < FM_FILE_KEPT; k++) {
    fm_file_previous(path, (int)k, name);
    if (unlink(name)) return;
  }
}

/* The newest file of another run. */
static void put_aside(const char *path, const char *aside, fm_verdict *v) {
  char name[PETSC_MAX_PATH_LEN];

  for (int k = 0; k < FM_FILE_KEPT; k++) {
    fm_file_previous(path, k, name);
    if (access(name, F_OK)) continue;
    keep_previous(name, aside, v);
    return;
  }
}

/* `name` becomes another name of `path`, where the file system has such; a luxury that may
   fail. */
static void name_too(const char *path, const char *name) {
  char next[PETSC_MAX_PATH_LEN];

  snprintf(next, sizeof(next), "%s.tmp", name);
  unlink(next);
  if (!link(path, next) && rename(next, name)) unlink(next);
}

void fm_file_publish_kept(const char *temporary, const char *path, const fm_keep *keep,
                          fm_verdict *v) {
  char name[PETSC_MAX_PATH_LEN];

  if (keep->aside)
    put_aside(path, keep->aside, v);
  else
    rotate(path, keep->files, v);
  if (v->code)
    unlink(temporary);
  else
    fm_file_publish(temporary, path, NULL, v);
  if (v->code) return;
  if (keep->files) remove_from(path, keep->aside ? 1 : keep->files);
  if (keep->best)
    name_too(path, keep->best);
  else if (keep->aside) {
    fm_file_variant(path, "best", name);
    unlink(name);
  }
}

void fm_file_publish(const char *temporary, const char *path, const char *previous,
                     fm_verdict *v) {
  struct stat status;

  if (!stat(path, &status) && S_ISDIR(status.st_mode)) fail_step(v, "replace", path, EISDIR);
  if (previous && !v->code) keep_previous(path, previous, v);
  if (!v->code && rename(temporary, path)) {
    fail_step(v, "rename to", path, errno);
    if (previous && access(path, F_OK)) rename(previous, path);
  }
  if (v->code)
    unlink(temporary);
  else
    flush_folder(path, v);
}
