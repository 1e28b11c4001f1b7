/* The journal's doors: what one rank writes, finds and forgets. */
#include "journal_impl.h"
#include "fathom/log.h"
#include "verdict.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

/* ---- files ---- */

static void remove_file(const fm_journal *j, const fm_journal_file *f) {
  char path[PETSC_MAX_PATH_LEN];

  fm_journal_path(j->folder, f, path, sizeof(path));
  if (unlink(path) && errno != ENOENT)
    fm_warn_anywhere(INT_MAX, "cannot remove '%s': %s", path, strerror(errno));
}

static void close_own(fm_journal *j) {
  if (j->fd >= 0) close(j->fd);
  j->fd = -1;
}

/* Writing is over, the run goes on. */
static void give_up(fm_journal *j, const char *what, int error) {
  char path[PETSC_MAX_PATH_LEN];

  fm_journal_path(j->folder, &j->now, path, sizeof(path));
  j->broken = PETSC_TRUE;
  close_own(j);
  fm_warn_anywhere(INT_MAX,
                   "cannot %s the journal '%s': %s; from now on this rank keeps no solves, and "
                   "a run that is killed will make them again",
                   what, path, strerror(error));
}

/* The next file of this rank; its name has not been used. */
static void open_own(fm_journal *j) {
  char path[PETSC_MAX_PATH_LEN];

  if (mkdir(j->folder, 0777) && errno != EEXIST) {
    give_up(j, "make the folder of", errno);
    return;
  }
  j->now = (fm_journal_file){j->rank, ++j->index.generation, 0, 0};
  fm_journal_path(j->folder, &j->now, path, sizeof(path));
  j->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  j->named = PETSC_FALSE;
  if (j->fd < 0) give_up(j, "make", errno);
}

/* The file and, once, its name. */
static void sync_own(fm_journal *j) {
  const int folder = j->named ? -1 : open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  j->synced = MPI_Wtime();
  j->unsynced = PETSC_FALSE;
  if (fsync(j->fd) && errno != EINVAL) give_up(j, "sync", errno);
  if (folder < 0) return;
  (void)fsync(folder); /* some file systems cannot */
  close(folder);
  j->named = PETSC_TRUE;
}

static void sync_due(fm_journal *j) {
  if (j->fd < 0 || !j->unsynced) return;
  if (MPI_Wtime() - j->synced >= j->limits.sync_seconds) sync_own(j);
}

/* ---- opening and closing ---- */

/* All of ours that is in the folder, and the folder where nothing else is in it. */
static PetscErrorCode remove_all(const fm_journal *j) {
  fm_journal_index there;

  PetscFunctionBegin;
  PetscCall(fm_journal_list(j->folder, &there));
  for (int64_t f = 0; f < there.nfile; f++) remove_file(j, &there.file[f]);
  PetscCall(PetscFree(there.file));
  (void)rmdir(j->folder);
  PetscFunctionReturn(0);
}

/* The index of rank 0 on every rank. */
static PetscErrorCode share_index(MPI_Comm comm, PetscMPIInt rank, fm_journal_index *index) {
  int64_t sizes[4] = {index->nfile, index->nentry, index->damaged, index->generation};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(sizes, 4, MPI_INT64_T, 0, comm));
  if (rank) {
    *index = (fm_journal_index){sizes[0], sizes[1], sizes[2], sizes[3], NULL, NULL};
    PetscCall(fm_calloc(sizes[0], &index->file));
    PetscCall(fm_calloc(sizes[1], &index->entry));
  }
  PetscCall(fm_broadcast(comm, (size_t)sizes[0] * sizeof(*index->file), index->file));
  PetscCall(fm_broadcast(comm, (size_t)sizes[1] * sizeof(*index->entry), index->entry));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_index(fm_journal *j, PetscBool keep) {
  PetscFunctionBegin;
  if (!j->rank && !keep) PetscCall(remove_all(j));
  if (!j->rank && keep) PetscCall(fm_journal_scan(j->folder, &j->index));
  PetscCall(share_index(j->comm, j->rank, &j->index));
  for (int64_t f = 0; f < j->index.nfile; f++) j->inherited += j->index.file[f].bytes;
  j->tally.found = j->index.nentry;
  j->tally.damaged = j->index.damaged;
  PetscFunctionReturn(0);
}

/* Not more than half of what is free now: checkpoints need room, too. */
static PetscErrorCode leave_room(fm_journal *j) {
  char copy[PETSC_MAX_PATH_LEN];
  struct statvfs disk;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(copy, j->folder, sizeof(copy)));
  if (!j->rank && !statvfs(dirname(copy), &disk))
    j->limits.bytes =
        PetscMin(j->limits.bytes,
                 (double)j->inherited + 0.5 * (double)disk.f_bavail * (double)disk.f_frsize);
  PetscCallMPI(MPI_Bcast(&j->limits.bytes, 1, MPI_DOUBLE, 0, j->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_journal_open(MPI_Comm comm, const char *folder, PetscBool keep,
                               const fm_journal_limits *limits, fm_journal **out) {
  fm_journal *j;

  PetscFunctionBegin;
  PetscCall(PetscNew(&j));
  *out = j;
  j->comm = comm;
  j->limits = *limits;
  j->fd = j->reading = -1;
  j->open = -1;
  j->synced = MPI_Wtime();
  PetscCallMPI(MPI_Comm_rank(comm, &j->rank));
  PetscCallMPI(MPI_Comm_size(comm, &j->size));
  PetscCall(PetscStrncpy(j->folder, folder, sizeof(j->folder)));
  PetscCall(read_index(j, keep));
  PetscCall(leave_room(j));
  if (j->tally.found || j->tally.damaged)
    fm_log("journal: %lld finished solves found in '%s', %lld damaged records left out",
           (long long)j->tally.found, folder, (long long)j->tally.damaged);
  PetscFunctionReturn(0);
}

static PetscErrorCode say_recalled(const fm_journal *j) {
  int64_t recalled = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Reduce(&j->tally.recalled, &recalled, 1, MPI_INT64_T, MPI_SUM, 0, j->comm));
  if (recalled)
    fm_log("journal: %lld solves were taken from it and not made again", (long long)recalled);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_journal_close(fm_journal **journal, PetscBool remove) {
  fm_journal *j = *journal;

  PetscFunctionBegin;
  if (!j) PetscFunctionReturn(0);
  PetscCall(say_recalled(j));
  if (j->fd >= 0 && j->unsynced && !remove) sync_own(j);
  close_own(j);
  if (j->reading >= 0) close(j->reading);
  PetscCallMPI(MPI_Barrier(j->comm)); /* nobody writes any more */
  if (remove && !j->rank) PetscCall(remove_all(j));
  PetscCall(PetscFree(j->index.file));
  PetscCall(PetscFree(j->index.entry));
  PetscCall(PetscFree(*journal));
  PetscFunctionReturn(0);
}

fm_journal_tally fm_journal_count(const fm_journal *j) { return j->tally; }

/* ---- finding ---- */

/* The first entry that is not before the key. */
static int64_t lower_bound(const fm_journal_index *index, const fm_journal_entry *wanted) {
  int64_t low = 0, high = index->nentry;

  while (low < high) {
    const int64_t middle = low + (high - low) / 2;

    if (fm_journal_compare(&index->entry[middle], wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int reader(fm_journal *j, int64_t f) {
  char path[PETSC_MAX_PATH_LEN];

  if (j->open == f) return j->reading;
  if (j->reading >= 0) close(j->reading);
  fm_journal_path(j->folder, &j->index.file[f], path, sizeof(path));
  j->reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  j->open = f;
  return j->reading;
}

static PetscBool read_all(int fd, int64_t bytes, int64_t offset, char *to) {
  for (ssize_t got; bytes > 0; bytes -= got, offset += got, to += got) {
    got = pread(fd, to, (size_t)bytes, offset);
    if (got < 0 && errno == EINTR)
      got = 0;
    else if (got <= 0)
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Its data, if their checksum is right. */
static PetscBool read_entry(fm_journal *j, const fm_journal_entry *e, double *data) {
  const size_t bytes = (size_t)e->head.n * sizeof(*data);
  const int fd = reader(j, e->file);

  if (fd < 0 || !read_all(fd, (int64_t)bytes, e->offset, (char *)data)) return PETSC_FALSE;
  return (uint32_t)crc32_z(0, (const unsigned char *)data, bytes) == e->head.data_crc
             ? PETSC_TRUE
             : PETSC_FALSE;
}

PetscErrorCode fm_journal_find(fm_journal *j, const fm_journal_key *key, int64_t n,
                               fm_exact *misfit, double *data, PetscBool *found) {
  const fm_journal_entry wanted = {.head.key = *key};

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  sync_due(j);
  for (int64_t i = lower_bound(&j->index, &wanted); i < j->index.nentry && !*found; i++) {
    const fm_journal_entry *e = &j->index.entry[i];

    if (fm_journal_compare(e, &wanted)) break;
    if (e->head.n != n) continue;
    *found = read_entry(j, e, data);
    *misfit = *found ? e->head.misfit : *misfit;
    if (!*found) j->tally.damaged++;
  }
  if (*found) j->tally.recalled++;
  PetscFunctionReturn(0);
}

/* ---- keeping ---- */

/* 0 or an errno; what was written of a record that did not fit is taken back. */
static int append(int fd, const fm_journal_head *head, const double *data, int64_t before) {
  const size_t whole = sizeof(*head) + (size_t)head->n * sizeof(*data);
  struct iovec piece[2] = {{(void *)head, sizeof(*head)},
                           {(void *)data, (size_t)head->n * sizeof(*data)}};
  ssize_t put = writev(fd, piece, 2);
  size_t done = put > 0 ? (size_t)put : 0;
  int error = put < 0 ? errno : 0;

  while (!error && done < whole &&
         done >= sizeof(*head)) { /* 2 GiB at most are taken at once */
    put = write(fd, (const char *)data + done - sizeof(*head), whole - done);
    if (put > 0) done += (size_t)put;
    if (put <= 0 && errno != EINTR) error = put < 0 ? errno : ENOSPC;
  }
  if (!error && done < whole) error = ENOSPC;
  if (error && ftruncate(fd, (off_t)before)) return error; /* the reader sees that it is torn */
  return error;
}

static void fill_head(const fm_journal_key *key, int64_t n, fm_exact misfit, const double *data,
                      fm_journal_head *head) {
  *head = (fm_journal_head){.key = *key, .misfit = misfit, .n = n};
  memcpy(head->magic, FM_JOURNAL_MAGIC, sizeof(head->magic));
  head->data_crc = (uint32_t)crc32_z(0, (const unsigned char *)data, (size_t)n * sizeof(*data));
  head->head_crc = fm_journal_head_crc(head);
}

/* Whether there is room for so many bytes more. */
static PetscBool has_room(fm_journal *j, int64_t bytes) {
  const double share = (j->limits.bytes - (double)j->inherited) / j->size;

  j->full = (double)(j->now.bytes + j->before.bytes + bytes) > share ? PETSC_TRUE : PETSC_FALSE;
  if (j->full && !j->full_said)
    fm_warn("the journal '%s' has reached its %.6g GiB (-journal_gib): solves are kept again "
            "after the next checkpoint",
            j->folder, j->limits.bytes / 0x1p30);
  if (j->full) j->full_said = PETSC_TRUE;
  return j->full ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode fm_journal_keep(fm_journal *j, const fm_journal_key *key, double seconds,
                               int64_t n, fm_exact misfit, const double *data) {
  const int64_t bytes = (int64_t)sizeof(fm_journal_head) + 8 * n;
  fm_journal_head head;
  int error;

  PetscFunctionBegin;
  if (seconds < j->limits.min_seconds || j->full || j->broken) PetscFunctionReturn(0);
  if (!has_room(j, bytes)) PetscFunctionReturn(0);
  if (j->fd < 0) open_own(j);
  if (j->fd < 0) PetscFunctionReturn(0);
  fill_head(key, n, misfit, data, &head);
  error = append(j->fd, &head, data, j->now.bytes);
  if (error) {
    give_up(j, "write", error);
    PetscFunctionReturn(0);
  }
  j->now.bytes += bytes;
  j->now.last = PetscMax(j->now.last, key->step);
  j->tally.kept++;
  j->unsynced = PETSC_TRUE;
  sync_due(j);
  PetscFunctionReturn(0);
}

/* ---- forgetting ---- */

/* Whether the file is there and holds nothing of `step` or later. */
static PetscBool is_old(const fm_journal_file *f, int64_t step) {
  return f->bytes && f->last < (uint64_t)step ? PETSC_TRUE : PETSC_FALSE;
}

static void forget_own(fm_journal *j, int64_t step) {
  if (is_old(&j->before, step)) {
    remove_file(j, &j->before);
    j->before.bytes = 0;
  }
  if (!j->now.bytes) return;
  if (is_old(&j->now, step)) {
    close_own(j);
    remove_file(j, &j->now);
    j->now.bytes = 0;
  } else if (!j->before.bytes) { /* old and new: what follows goes to a file of its own */
    if (j->fd >= 0 && j->unsynced) sync_own(j);
    close_own(j);
    j->before = j->now;
    j->now.bytes = 0;
  }
}

PetscErrorCode fm_journal_forget(fm_journal *j, int64_t step) {
  PetscFunctionBegin;
  if (!j) PetscFunctionReturn(0);
  forget_own(j, step);
  for (int64_t f = 0; f < j->index.nfile; f++) {
    fm_journal_file *file = &j->index.file[f];

    if (!is_old(file, step)) continue;
    if (!j->rank) remove_file(j, file);
    j->inherited -= file->bytes;
    file->bytes = 0;
  }
  j->full = PETSC_FALSE;
  PetscFunctionReturn(0);
}
