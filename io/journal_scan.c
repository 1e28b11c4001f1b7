/* What is in the files of a journal. */
#define _GNU_SOURCE
#include "journal_impl.h"
#include "fathom/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 65536 /* bytes that are searched for a magic at once */

void fm_journal_path(const char *folder, const fm_journal_file *f, char *path, size_t length) {
  snprintf(path, length, "%s/rank-%05" PRId64 "-%05" PRId64, folder, f->rank, f->generation);
}

uint32_t fm_journal_head_crc(const fm_journal_head *head) {
  return (uint32_t)crc32_z(0, (const unsigned char *)head, offsetof(fm_journal_head, head_crc));
}

int fm_journal_compare(const void *a, const void *b) {
  const fm_journal_key *k = &((const fm_journal_entry *)a)->head.key;
  const fm_journal_key *l = &((const fm_journal_entry *)b)->head.key;

  if (k->step != l->step) return k->step < l->step ? -1 : 1;
  if (k->sample != l->sample) return k->sample < l->sample ? -1 : 1;
  if (k->index != l->index) return k->index < l->index ? -1 : 1;
  if (k->seed != l->seed) return k->seed < l->seed ? -1 : 1;
  if (k->hash != l->hash) return k->hash < l->hash ? -1 : 1;
  return 0;
}

/* ---- records of one file ---- */

/* A head that can be believed, with room for its data before the end of the file. */
static PetscBool read_head(int fd, int64_t at, int64_t size, fm_journal_head *head) {
  if (size - at < (int64_t)sizeof(*head)) return PETSC_FALSE;
  if (pread(fd, head, sizeof(*head), at) != (ssize_t)sizeof(*head)) return PETSC_FALSE;
  if (memcmp(head->magic, FM_JOURNAL_MAGIC, sizeof(head->magic))) return PETSC_FALSE;
  if (head->head_crc != fm_journal_head_crc(head) || head->n < 0) return PETSC_FALSE;
  return head->n <= (size - at - (int64_t)sizeof(*head)) / 8 ? PETSC_TRUE : PETSC_FALSE;
}

/* Where the next magic is, from `at` on; `size` where there is none. */
static int64_t next_magic(int fd, int64_t at, int64_t size) {
  const size_t length = strlen(FM_JOURNAL_MAGIC);
  char block[BLOCK];

  while (at < size) {
    const ssize_t got = pread(fd, block, sizeof(block), at);
    const char *magic = got > 0 ? memmem(block, (size_t)got, FM_JOURNAL_MAGIC, length) : NULL;

    if (magic) return at + (magic - block);
    if (got < (ssize_t)sizeof(block)) return size;
    at += got - (ssize_t)length + 1; /* one may lie across */
  }
  return size;
}

static PetscErrorCode add_entry(fm_journal_index *index, int64_t *room,
                                const fm_journal_entry *entry) {
  PetscFunctionBegin;
  if (index->nentry == *room) {
    *room = *room ? 2 * *room : 64;
    PetscCall(PetscRealloc((size_t)*room * sizeof(*entry), &index->entry));
  }
  index->entry[index->nentry++] = *entry;
  PetscFunctionReturn(0);
}

static PetscErrorCode scan_file(int fd, int64_t f, fm_journal_index *index, int64_t *room) {
  fm_journal_file *file = &index->file[f];
  fm_journal_entry entry = {.file = f};
  int64_t at = 0;

  PetscFunctionBegin;
  while (at < file->bytes) {
    if (!read_head(fd, at, file->bytes, &entry.head)) {
      index->damaged++;
      at = next_magic(fd, at + 1, file->bytes);
      continue;
    }
    entry.offset = at + (int64_t)sizeof(entry.head);
    PetscCall(add_entry(index, room, &entry));
    file->last = PetscMax(file->last, entry.head.key.step);
    at = entry.offset + 8 * entry.head.n;
  }
  PetscFunctionReturn(0);
}

/* ---- the folder ---- */

/* Our names and no others. */
static PetscBool is_ours(const char *name, fm_journal_file *file) {
  char again[PETSC_MAX_PATH_LEN];

  *file = (fm_journal_file){0};
  if (sscanf(name, "rank-%" SCNd64 "-%" SCNd64, &file->rank, &file->generation) != 2)
    return PETSC_FALSE;
  if (file->rank < 0 || file->generation < 0) return PETSC_FALSE;
  fm_journal_path("", file, again, sizeof(again));
  return strcmp(again + 1, name) ? PETSC_FALSE : PETSC_TRUE;
}

static PetscErrorCode add_file(fm_journal_index *index, int64_t *room,
                               const fm_journal_file *file) {
  PetscFunctionBegin;
  if (index->nfile == *room) {
    *room = *room ? 2 * *room : 16;
    PetscCall(PetscRealloc((size_t)*room * sizeof(*file), &index->file));
  }
  index->file[index->nfile++] = *file;
  index->generation = PetscMax(index->generation, file->generation);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_journal_list(const char *folder, fm_journal_index *index) {
  DIR *open = opendir(folder);
  fm_journal_file file;
  struct dirent *at;
  int64_t room = 0;

  PetscFunctionBegin;
  *index = (fm_journal_index){0};
  if (!open && errno != ENOENT)
    fm_warn("cannot read the journal '%s': %s; no solve is taken from it", folder,
            strerror(errno));
  if (!open) PetscFunctionReturn(0);
  while ((at = readdir(open)))
    if (is_ours(at->d_name, &file)) PetscCall(add_file(index, &room, &file));
  closedir(open);
  PetscFunctionReturn(0);
}

static int open_file(const char *folder, fm_journal_file *file) {
  char path[PETSC_MAX_PATH_LEN];
  struct stat status;
  int fd;

  fm_journal_path(folder, file, path, sizeof(path));
  fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status))
    fm_warn("cannot read '%s': %s; its solves will be made again", path, strerror(errno));
  else
    file->bytes = (int64_t)status.st_size;
  return fd;
}

PetscErrorCode fm_journal_scan(const char *folder, fm_journal_index *index) {
  int64_t room = 0;

  PetscFunctionBegin;
  PetscCall(fm_journal_list(folder, index));
  for (int64_t f = 0; f < index->nfile; f++) {
    const int fd = open_file(folder, &index->file[f]);

    if (fd < 0) continue;
    PetscCall(scan_file(fd, f, index, &room));
    close(fd);
  }
  if (index->nentry)
    qsort(index->entry, (size_t)index->nentry, sizeof(*index->entry), fm_journal_compare);
  PetscFunctionReturn(0);
}
