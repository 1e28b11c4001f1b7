/* The inside of a journal: journal.c writes and finds, journal_scan.c reads what is there. */
#ifndef FATHOM_IO_JOURNAL_IMPL_H
#define FATHOM_IO_JOURNAL_IMPL_H

#include "fathom/journal.h"

#define FM_JOURNAL_MAGIC "fmsolve1"

/* 80 bytes without a gap. */
typedef struct fm_journal_head {
  char magic[8];
  fm_journal_key key;
  fm_exact misfit;
  int64_t n;
  uint32_t data_crc, head_crc; /* the latter of all before it */
} fm_journal_head;

/* A record at `offset` of file `file` of the list. */
typedef struct fm_journal_entry {
  fm_journal_head head;
  int64_t offset, file;
} fm_journal_entry;

/* A file: who wrote it, and what forgetting needs to know. bytes 0: there is none. */
typedef struct fm_journal_file {
  int64_t rank, generation, bytes;
  uint64_t last; /* step of its records */
} fm_journal_file;

/* What earlier jobs left. */
typedef struct fm_journal_index {
  int64_t nfile, nentry, damaged, generation; /* the latter: highest in use */
  fm_journal_file *file;
  fm_journal_entry *entry; /* in the order of fm_journal_compare */
} fm_journal_index;

struct fm_journal {
  MPI_Comm comm;
  PetscMPIInt rank, size;
  char folder[PETSC_MAX_PATH_LEN];
  fm_journal_limits limits;
  fm_journal_index index;
  fm_journal_tally tally;
  fm_journal_file now, before; /* own files: being written, finished */
  int64_t inherited;           /* bytes of the index's files that are left */
  int fd, reading;             /* of `now`; of the index's file `open` */
  int64_t open;
  PetscBool full, full_said, broken, unsynced, named; /* named: the file's name is on disk */
  double synced;
};

/* fm_journal_path - FOLDER/rank-RRRRR-GGGGG. */
void fm_journal_path(const char *folder, const fm_journal_file *f, char *path, size_t length);

/* fm_journal_list - the files in `folder`, NULL where there are none; free with PetscFree.
   fm_journal_scan - the same with their records. Neither is collective; what cannot be read is
   as if it were not there, with a warning where it is. */
PetscErrorCode fm_journal_list(const char *folder, fm_journal_index *index);
PetscErrorCode fm_journal_scan(const char *folder, fm_journal_index *index);

/* fm_journal_compare - order of keys, for qsort. */
int fm_journal_compare(const void *a, const void *b);
uint32_t fm_journal_head_crc(const fm_journal_head *head);

#endif
