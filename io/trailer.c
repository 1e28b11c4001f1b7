/* The last line of a committed image, after the bytes that HDF5 knows of: it is not read by
   HDF5 and guards them. */
#include "h5.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#define WORD "fathom crc32 "
#define TAIL 64

static void format(unsigned long crc, size_t length, char line[64]) {
  snprintf(line, 64, WORD "%08lx length %zu\n", crc, length);
}

static unsigned long sum(unsigned long crc, const unsigned char *data, size_t length) {
  const size_t most = (size_t)1 << 30; /* zlib counts in unsigned int */

  for (size_t done = 0; done < length; done += most)
    crc = crc32(crc, data + done, (uInt)PetscMin(most, length - done));
  return crc;
}

void fm_trailer_text(const void *data, size_t length, char line[64]) {
  format(sum(crc32(0, NULL, 0), (const unsigned char *)data, length), length, line);
}

/* 0 or an errno; EIO where the file ends before */
static int read_at(int fd, void *data, size_t length, off_t from) {
  char *at = (char *)data;

  while (length > 0) {
    const ssize_t n = pread(fd, at, length, from);

    if (n < 0 && errno != EINTR) return errno;
    if (n == 0) return EIO;
    if (n > 0) at += n, from += n, length -= (size_t)n;
  }
  return 0;
}

static int sum_file(int fd, off_t length, unsigned long *crc) {
  static unsigned char block[1 << 18];

  *crc = crc32(0, NULL, 0);
  for (off_t done = 0; done < length; done += (off_t)sizeof(block)) {
    const size_t piece = (size_t)PetscMin((off_t)sizeof(block), length - done);
    const int error = read_at(fd, block, piece, done);

    if (error) return error;
    *crc = sum(*crc, block, piece);
  }
  return 0;
}

/* where in the last bytes of a file the line begins; -1: nowhere */
static int find_line(const char *tail, int n) {
  const int word = (int)strlen(WORD);

  for (int i = n - word; i >= 0; i--)
    if (!memcmp(tail + i, WORD, (size_t)word)) return i;
  return -1;
}

static void compare(const char *path, const char *found, int n, const char *right,
                    fm_verdict *v) {
  const int word = (int)strlen(WORD);
  char stored[9] = "";

  if (n == (int)strlen(right) && !memcmp(found, right, (size_t)n)) return;
  for (int i = 0; i < 8 && found[word + i]; i++)
    stored[i] = isalnum((unsigned char)found[word + i]) ? found[word + i] : '?';
  if (strncmp(stored, right + word, 8))
    fm_fail(v, PETSC_ERR_FILE_READ,
            "'%s' is damaged: checksum %s stored, %.8s computed; use the previous checkpoint",
            path, stored, right + word);
  else
    fm_fail(v, PETSC_ERR_FILE_READ,
            "'%s' is damaged in its last line, the checksum; use the previous checkpoint",
            path);
}

static int check(int fd, const char *path, fm_verdict *v) {
  const off_t size = lseek(fd, 0, SEEK_END);
  const int n = (int)PetscMin((off_t)TAIL, size);
  char tail[TAIL + 1] = "", right[64];
  unsigned long crc = 0;
  int error = read_at(fd, tail, (size_t)n, size - n), at;

  at = error ? -1 : find_line(tail, n);
  if (at < 0 && !error) return 0;
  if (!error) error = sum_file(fd, size - n + at, &crc);
  if (error) {
    fm_fail(v, PETSC_ERR_FILE_READ, "cannot read '%s': %s", path, strerror(error));
    return 0;
  }
  format(crc, (size_t)(size - n + at), right);
  compare(path, tail + at, n - at, right, v);
  return 1;
}

int fm_trailer_check(const char *path, fm_verdict *v) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  int found;

  if (fd < 0) {
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': %s", path, strerror(errno));
    return 0;
  }
  found = check(fd, path, v);
  close(fd);
  return found;
}
