/* The border to HDF5: what a store is inside, and HDF5's calls in our words. Every fm_h5_*
   function is for one rank (rank 0 unless the store says otherwise) and reports through a
   verdict. */
#ifndef FATHOM_IO_H5_H
#define FATHOM_IO_H5_H

#include "fathom/store.h"
#include "verdict.h"
#include <hdf5.h>

typedef enum fm_store_kind { FM_STORE_READ, FM_STORE_IMAGE, FM_STORE_ROWS } fm_store_kind;

struct fm_store {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank;
  fm_store_kind kind;
  hid_t file;       /* H5I_INVALID_HID where this rank has none */
  char *path;       /* where it is or will be */
  char *temporary;  /* rows: PATH.tmp */
  int64_t nrow;     /* rows: of every field */
  PetscBool shared; /* rows: opened by all ranks; until then rank 0 alone has it */
  PetscBool failed; /* rows: a write failed; HDF5 is not asked to close */
};

/* attribute of "/": the file ends with a checksum line */
#define FM_FILE_MARK "fathom_checksum"

/* The most bytes that a rank hands to HDF5 in one write (MPI counts are ints). */
extern int64_t fm_rows_piece;

/* fm_store_new / fm_store_free - the memory of a store; any HDF5 file is closed before. */
PetscErrorCode fm_store_new(MPI_Comm comm, const char *path, fm_store_kind kind, fm_store **s);
PetscErrorCode fm_store_free(fm_store **s);
/* fm_store_demand - a store that is used for what its kind cannot do is our own fault. */
PetscErrorCode fm_store_demand(const fm_store *s, PetscBool fits, const char *use);

/* fm_store_open_on_root - examine s->path, verify its checksum and open it, into s->file. */
void fm_store_open_on_root(fm_store *s, fm_verdict *v);

/* fm_store_open_own - a file that fm_store_open found good, once more, for this rank alone. Not
   collective. */
PetscErrorCode fm_store_open_own(const char *path, fm_store **store, fm_verdict *v);

/* the two endings of fm_store_commit */
PetscErrorCode fm_image_commit(fm_store *s, const char *previous);
PetscErrorCode fm_rows_commit(fm_store *s, const char *previous);
PetscErrorCode fm_rows_discard(fm_store *s);

/* How a rows store begins, on rank 0. fm_skeleton_create reserves PATH.tmp on the disk and
   lays it out, and leaves it open; fm_skeleton_reserve sees to it, before HDF5 writes `more`
   bytes, that they are there; fm_skeleton_settle closes it. */
void fm_skeleton_create(fm_store *s, int nfield, const fm_field *field, fm_verdict *v);
void fm_skeleton_reserve(const fm_store *s, size_t more, fm_verdict *v);
void fm_skeleton_settle(fm_store *s, fm_verdict *v);

/* fm_image_build / fm_image_take - start a file in memory; its bytes, to be freed with free(),
   after which it is closed. */
void fm_image_build(fm_store *s, fm_verdict *v);
void *fm_image_take(fm_store *s, size_t *length, fm_verdict *v);

/* fm_trailer_text - the last line of a committed image of `length` bytes. */
void fm_trailer_text(const void *data, size_t length, char line[64]);
/* fm_trailer_check - 1 where the file has the line and it is right, 0 where it has none; a
   wrong one is a fault. */
int fm_trailer_check(const char *path, fm_verdict *v);

/* fm_h5_quiet - HDF5 prints nothing. */
void fm_h5_quiet(void);
/* fm_fail_h5 - as fm_fail, followed by HDF5's own reason; the call that failed must be the
   last one made. */
void fm_fail_h5(fm_verdict *v, PetscErrorCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void fm_h5_why(char *why, size_t length);

hid_t fm_h5_type(fm_type type);
size_t fm_h5_size(fm_type type);
int64_t fm_h5_entries(int ndim, const int64_t *shape);
/* fm_h5_shape_text - "[10][2]", or "[]" of a single number. */
void fm_h5_shape_text(int ndim, const int64_t *shape, char *text, size_t length);

/* fm_h5_object - open a group or dataset; fm_h5_dataset - one of numbers, with its shape. Both
   say what is there instead. Close with H5Oclose. */
hid_t fm_h5_object(const fm_store *s, const char *name, fm_verdict *v);
hid_t fm_h5_dataset(const fm_store *s, const char *name, int *ndim, int64_t *shape,
                    fm_verdict *v);
/* fm_h5_believable - the most bytes that the object's file may hold, unpacked: a header that
   says more is damaged, and nobody shall ask for so much memory. */
double fm_h5_believable(hid_t id);
/* fm_h5_check_size - is what the dataset's header says of its size of the file's size, and as
   much stored as its shape asks for? HDF5 does not ask. `what` names it. */
void fm_h5_check_size(hid_t set, const char *what, fm_verdict *v);
/* fm_h5_select - of a dataset [n][...]: file and memory dataspaces of rows [first, first +
   count). */
herr_t fm_h5_select(hid_t set, int64_t first, int64_t count, hid_t space[2]);

/* fm_h5_get_text - the one string in a dataset or attribute, to be freed with PetscFree;
   `what` names it. */
char *fm_h5_get_text(hid_t id, const char *what, fm_verdict *v);
/* fm_h5_text_type - the type of our strings: variable length, UTF-8. Close with H5Tclose. */
hid_t fm_h5_text_type(void);
/* fm_h5_links - a property list that makes missing groups. Close with H5Pclose. */
hid_t fm_h5_links(void);

#endif
