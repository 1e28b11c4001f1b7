/* fm_store - HDF5 as named arrays and attributes. hdf5.h is known to io/ alone.

   Three kinds of store:
     read      rank 0 of comm opens and reads, results are broadcast: every rank gets the same
     verdict and the same bytes;
     image     rank 0 builds the file in memory and fm_store_commit writes it atomically
     (checkpoints, results);
     rows      the ranks write disjoint rows of [n][...] arrays collectively (pairs, samples,
     data).
   Every function is collective on the store's communicator unless it says otherwise; errors are
   agreed: all ranks fail together with the same sentence. Names are absolute
   ("/theta/block0.x.actnorm.shift"); groups are made as needed. */
#ifndef FATHOM_STORE_H
#define FATHOM_STORE_H

#include "fathom/types.h"

typedef struct fm_store fm_store;

typedef enum fm_type { FM_FLOAT32, FM_FLOAT64, FM_INT64, FM_UINT8 } fm_type;
#ifdef FM_SINGLE
#define FM_TYPE_REAL FM_FLOAT32
#else
#define FM_TYPE_REAL FM_FLOAT64
#endif

typedef enum fm_content { FM_CONTENT_NUMBERS, FM_CONTENT_TEXT, FM_CONTENT_OTHER } fm_content;

#define FM_STORE_NDIM 4

/* ---- read ---- */

/* fm_store_open - open for reading. User errors: missing file, a folder, not HDF5 ("foreign"),
   truncated; and, where the file carries fathom's checksum line (written by fm_store_commit), a
   checksum that does not match.
 */
PetscErrorCode fm_store_open(MPI_Comm comm, const char *path, fm_store **store);
PetscErrorCode fm_store_has(fm_store *store, const char *name,
                            PetscBool *has); /* dataset or group */
/* fm_store_content - what an object is: numbers that the functions below read, one text, or
   something else. */
PetscErrorCode fm_store_content(fm_store *store, const char *name, fm_content *content);
PetscErrorCode fm_store_shape(fm_store *store, const char *name, int *ndim,
                              int64_t shape[FM_STORE_NDIM]);
/* fm_store_read - the whole array, converted to `type`; `count` is the number of elements the
   caller has room for and must equal the array's (else a sentence with both shapes). Broadcast
   to all ranks. */
PetscErrorCode fm_store_read(fm_store *store, const char *name, fm_type type, int64_t count,
                             void *data);
/* fm_store_read_rows - rows [first, first+count) of an array [n][...], broadcast to all ranks.
 */
PetscErrorCode fm_store_read_rows(fm_store *store, const char *name, fm_type type,
                                  int64_t first, int64_t count, void *data);
PetscErrorCode fm_store_read_text(fm_store *store, const char *name,
                                  char **text); /* string dataset; PetscFree it */
/* Attributes of a group or dataset. */
PetscErrorCode fm_store_has_attribute(fm_store *store, const char *object, const char *name,
                                      PetscBool *has);
PetscErrorCode fm_store_get_integer(fm_store *store, const char *object, const char *name,
                                    int64_t *value);
PetscErrorCode fm_store_get_real(fm_store *store, const char *object, const char *name,
                                 double *value);
PetscErrorCode fm_store_get_text(fm_store *store, const char *object, const char *name,
                                 char *text, size_t length);
/* fm_store_list - names of the members of a group in name order, and whether each is a group;
   free with fm_store_free_list. */
PetscErrorCode fm_store_list(fm_store *store, const char *group, int *n, char ***names,
                             PetscBool **is_group);
PetscErrorCode fm_store_free_list(int n, char ***names, PetscBool **is_group);
/* fm_store_list_attributes - names of the attributes of an object, each with its value as text.
 */
PetscErrorCode fm_store_list_attributes(fm_store *store, const char *object, int *n,
                                        char ***names, char ***values);
PetscErrorCode fm_store_free_texts(int n, char ***texts);
PetscErrorCode fm_store_close(
    fm_store **store); /* read stores; an image or rows store closed so is discarded */

/* ---- image: built by rank 0, written at once ---- */

PetscErrorCode fm_store_create(MPI_Comm comm, const char *path, fm_store **store);
PetscErrorCode fm_store_write(fm_store *store, const char *name, fm_type type, int ndim,
                              const int64_t *shape, const void *data);
PetscErrorCode fm_store_write_text(fm_store *store, const char *name, const char *text);
PetscErrorCode fm_store_set_integer(fm_store *store, const char *object, const char *name,
                                    int64_t value);
PetscErrorCode fm_store_set_real(fm_store *store, const char *object, const char *name,
                                 double value);
PetscErrorCode fm_store_set_text(fm_store *store, const char *object, const char *name,
                                 const char *value);
/* fm_store_commit - image: PATH.tmp, posix_fallocate, write with a last line "fathom crc32
   XXXXXXXX length N", fsync; where `previous` is not NULL the old PATH is renamed to it;
   rename, fsync the folder. Rows: close, fsync, rename, fsync the folder. A failure leaves the
   old file intact, removes the .tmp and says which step failed and why. Destroys the store. */
PetscErrorCode fm_store_commit(fm_store **store, const char *previous);

/* ---- image, in the background, with older files kept ---- */

/* What becomes of the files that were there. "a.h5" goes to "a.previous.h5", that to
   "a.previous2.h5" and so on. */
typedef struct fm_keep {
  int64_t files; /* newest files to keep, this one among them; 0: the new file takes the place
                        of the newest, those before it stay */
  const char *best; /* the new file gets this name too; NULL: none */
  const char
      *aside; /* the old file is of another run: it gets this name, and the ones before it
                        are removed; NULL: it is the one before */
} fm_keep;

typedef struct fm_writer fm_writer;

/* fm_store_commit_begin - as fm_store_commit, but rank 0 copies the image and a plain thread,
   that knows neither HDF5 nor MPI, does the rest: checksum, posix_fallocate, write, fsync,
   renames, fsync of the folder. Collective. The store is destroyed; the caller finishes the
   writer. */
PetscErrorCode fm_store_commit_begin(fm_store **store, const fm_keep *keep, fm_writer **writer);
/* fm_writer_failed - 1 where the write has ended and gone wrong, which rank 0 alone knows; else
   0, also for NULL. Not collective. */
int fm_writer_failed(const fm_writer *writer);
/* fm_writer_finish - wait for its end; what went wrong is every rank's error. *seconds: that
   the write took, 0 on other ranks than 0; may be NULL. Collective. */
PetscErrorCode fm_writer_finish(fm_writer **writer, double *seconds);
/* fm_writer_settle - before a process leaves for another reason: wait for the write of this
   rank that is under way, some seconds at most. Not collective. */
void fm_writer_settle(double seconds);

/* fm_store_newest - the newest of PATH, its previous_ and those before that is whole. Each that
   is not is skipped with a warning and, where another is found, renamed to NAME.damaged.h5, so
   that it is not kept in the place of a whole one. found "": there is no such file at all.
   Collective; fails where there are files and none is whole. Cost: reads the files whole. */
PetscErrorCode fm_store_newest(MPI_Comm comm, const char *path, char found[PETSC_MAX_PATH_LEN]);

/* ---- rows: written by all ranks ---- */

typedef struct fm_field {
  const char *name;
  fm_type type;
  int ndim; /* of one row; 0: a number a row */
  int64_t shape[FM_STORE_NDIM - 1];
} fm_field;

/* fm_store_create_rows - rank 0 creates PATH.tmp serially with all space reserved, all agree,
   then all open it. */
PetscErrorCode fm_store_create_rows(MPI_Comm comm, const char *path, int nfield,
                                    const fm_field *field, int64_t nrow, fm_store **store);
/* fm_store_write_rows - this rank's rows (count may be 0); collective. Attributes may be set
   with fm_store_set_* before the first rows are written. */
PetscErrorCode fm_store_write_rows(fm_store *store, const char *name, int64_t first,
                                   int64_t count, const void *data);

/* ---- values ---- */

/* fm_store_split - the file of "FILE:/dataset" and, within text, its "/dataset"; *name NULL:
   the text names none. Fails on a file name that is too long. */
PetscErrorCode fm_store_split(MPI_Comm comm, const char *text, char file[PETSC_MAX_PATH_LEN],
                              const char **name);

/* fm_store_split_row - "/dataset[ROW]" loses its row (from 0); *row -1: it has none. A dataset
   whose own name has a bracket is left as it is. Refuses (user error) a ROW that is no number.
   Collective on the store's communicator, comm. */
PetscErrorCode fm_store_split_row(MPI_Comm comm, fm_store *store, char *name, int64_t *row);

/* fm_store_option_array - the value of an FM_OPTION_ARRAY option: numbers "1,2,3" (shape [3])
   or "FILE:/dataset", or one row of a dataset, "FILE:/dataset[ROW]" (shape [1][...], ROW from
   0). Data in double, to be freed with PetscFree; *data NULL and ndim 0 when the option is not
   given and has no default. A single number has ndim 1, shape [1]. NaN or infinite entries are
   refused, with their index. Collective on comm. */
PetscErrorCode fm_store_option_array(MPI_Comm comm, const char *option, int *ndim,
                                     int64_t shape[FM_STORE_NDIM], double **data);

/* fm_store_option_scale - the attribute `scale` of the dataset that such an option names: what
   its numbers were divided by (patches, simulate); 0: not said. Collective on comm. */
PetscErrorCode fm_store_option_scale(MPI_Comm comm, const char *option, double *scale);

/* fm_store_image_fits - can an array be images [rows][columns]? Its last dimensions are these,
   or all but one of its dimensions are 1: a plain row of numbers. rows 0: nothing is known, and
   everything fits. Not collective. */
PetscBool fm_store_image_fits(int ndim, const int64_t *shape, int64_t rows, int64_t columns);

/* fm_store_make_folder - make DIR and its parents on rank 0; refuses what is not writable. */
PetscErrorCode fm_store_make_folder(MPI_Comm comm, const char *folder);

/* ---- lock: one writer at a time ---- */

typedef struct fm_lock fm_lock;
/* fm_lock_take - rank 0 holds an fcntl lock on FOLDER/lock, which names host and pid; waits up
   to `patience` seconds, then all ranks refuse with a sentence that names the holder. The
   kernel drops the lock with the process, however it dies. */
PetscErrorCode fm_lock_take(MPI_Comm comm, const char *folder, double patience, fm_lock **lock);
PetscErrorCode fm_lock_release(fm_lock **lock);
/* fm_lock_note / fm_lock_noted - six counters kept beside the holder's name, written with one
   pwrite each time (rank 0), so that the solves spent by a run that was killed are known to the
   next. fm_lock_noted: as found when the lock was taken. */
PetscErrorCode fm_lock_note(fm_lock *lock, const int64_t counter[6]);
PetscErrorCode fm_lock_noted(fm_lock *lock, int64_t counter[6]);

#endif
