#include "h5.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t fm_rows_piece = (int64_t)1 << 28;

PetscErrorCode fm_store_new(MPI_Comm comm, const char *path, fm_store_kind kind,
                            fm_store **out) {
  char temporary[PETSC_MAX_PATH_LEN];
  fm_store *s;

  PetscFunctionBegin;
  fm_check(strlen(path) + 5 < sizeof(temporary), comm, PETSC_ERR_USER,
           "the name '%.60s...' of a file has %zu characters, at most %zu", path, strlen(path),
           sizeof(temporary) - 5);
  fm_h5_quiet();
  PetscCall(PetscNew(&s));
  s->comm = comm;
  s->kind = kind;
  s->file = H5I_INVALID_HID;
  PetscCallMPI(MPI_Comm_rank(comm, &s->rank));
  PetscCall(PetscStrallocpy(path, &s->path));
  PetscCall(PetscSNPrintf(temporary, sizeof(temporary), "%s.tmp", path));
  PetscCall(PetscStrallocpy(temporary, &s->temporary));
  *out = s;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_free(fm_store **store) {
  fm_store *s = *store;

  PetscFunctionBegin;
  if (s->file >= 0 && s->kind != FM_STORE_ROWS) H5Fclose(s->file);
  PetscCall(PetscFree(s->path));
  PetscCall(PetscFree(s->temporary));
  PetscCall(PetscFree(*store));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_demand(const fm_store *s, PetscBool fits, const char *use) {
  PetscFunctionBegin;
  PetscCheck(fits, s->comm, PETSC_ERR_ARG_WRONGSTATE, "store '%s': cannot %s now", s->path,
             use);
  PetscFunctionReturn(0);
}

/* ---- opening ---- */

static void fail_absent(const char *path, fm_verdict *v) {
  char folder[512] = "?";

  if (path[0] == '/')
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': no such file", path);
  else
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': no such file (looked from folder '%s')",
            path, getcwd(folder, sizeof(folder)) ? folder : "?");
}

/* what can be said without HDF5 */
static void examine(const char *path, fm_verdict *v) {
  struct stat status;

  if (stat(path, &status)) {
    if (errno == ENOENT)
      fail_absent(path, v);
    else
      fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': %s", path, strerror(errno));
  } else if (S_ISDIR(status.st_mode))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "'%s' is a folder, expected an HDF5 file", path);
  else if (!S_ISREG(status.st_mode))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "'%s' is no regular file, expected an HDF5 file", path);
  else if (access(path, R_OK))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot open '%s': %s", path, strerror(errno));
  else if (status.st_size == 0)
    fm_fail(v, PETSC_ERR_FILE_OPEN, "'%s' is empty, expected an HDF5 file", path);
}

/* HDF5 says "truncated file: eof = 1200, sblock->base_addr = 0, stored_eof = 5000" */
static void fail_open(const char *path, fm_verdict *v) {
  const char *pattern =
      "truncated file: eof = %llu, sblock->base_addr = %llu, stored_eof = %llu";
  unsigned long long length, base, wanted;
  char why[400];

  fm_h5_why(why, sizeof(why));
  if (sscanf(why, pattern, &length, &base, &wanted) == 3)
    fm_fail(v, PETSC_ERR_FILE_READ,
            "'%s' is truncated: %llu bytes where its superblock says %llu", path, length,
            base + wanted);
  else
    fm_fail(v, PETSC_ERR_FILE_READ, "'%s' is damaged or truncated, HDF5 cannot open it: %s",
            path, why);
}

static hid_t open_quietly(const char *path, fm_verdict *v) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  hid_t file;

  H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
  H5Pset_file_locking(list, 0,
                      1); /* our files appear by rename; a Lustre without flock refuses */
  file = H5Fopen(path, H5F_ACC_RDONLY, list);
  if (file < 0) fail_open(path, v);
  H5Pclose(list);
  return file;
}

void fm_store_open_on_root(fm_store *s, fm_verdict *v) {
  int guarded = 0;

  examine(s->path, v);
  if (!v->code) guarded = fm_trailer_check(s->path, v);
  if (!v->code && H5Fis_hdf5(s->path) <= 0)
    fm_fail(v, PETSC_ERR_FILE_UNEXPECTED, "'%s' is not an HDF5 file", s->path);
  if (!v->code) s->file = open_quietly(s->path, v);
  if (!v->code && !guarded && H5Aexists(s->file, FM_FILE_MARK) > 0)
    fm_fail(v, PETSC_ERR_FILE_READ,
            "'%s' is truncated: its last line, the checksum, is missing; use the previous "
            "checkpoint",
            s->path);
}

PetscErrorCode fm_store_open(MPI_Comm comm, const char *path, fm_store **store) {
  fm_verdict v = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  *store = NULL;
  PetscCall(fm_store_new(comm, path, FM_STORE_READ, store));
  if (!(*store)->rank) fm_store_open_on_root(*store, &v);
  code = fm_verdict_agree(comm, &v);
  if (code) PetscCall(fm_store_free(store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_open_own(const char *path, fm_store **store, fm_verdict *v) {
  PetscFunctionBegin;
  PetscCall(fm_store_new(MPI_COMM_SELF, path, FM_STORE_READ, store));
  (*store)->file = open_quietly(path, v);
  PetscFunctionReturn(0);
}

/* ---- the two ends ---- */

PetscErrorCode fm_store_close(fm_store **store) {
  PetscFunctionBegin;
  if (!*store) PetscFunctionReturn(0);
  if ((*store)->kind == FM_STORE_ROWS) PetscCall(fm_rows_discard(*store));
  PetscCall(fm_store_free(store));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_store_commit(fm_store **store, const char *previous) {
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fm_store_demand(*store, (*store)->kind != FM_STORE_READ, "commit what is read"));
  if ((*store)->kind == FM_STORE_IMAGE)
    code = fm_image_commit(*store, previous);
  else
    code = fm_rows_commit(*store, previous);
  PetscCall(fm_store_close(store));
  PetscCall(code);
  PetscFunctionReturn(0);
}
