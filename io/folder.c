#include "fathom/store.h"
#include "verdict.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_folder(const char *folder, fm_verdict *v) {
  struct stat status;

  if (stat(folder, &status))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot use folder '%s': %s", folder, strerror(errno));
  else if (!S_ISDIR(status.st_mode))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "'%s' is a file, expected a folder", folder);
  else if (access(folder, W_OK | X_OK))
    fm_fail(v, PETSC_ERR_FILE_OPEN, "folder '%s' is not writable: %s; choose another folder",
            folder, strerror(errno));
}

/* `part` is the folder up to one of its slashes */
static void make_part(const char *part, const char *folder, fm_verdict *v) {
  struct stat status;
  int error;

  if (!mkdir(part, 0777) || errno == EEXIST) return;
  error = errno;
  if (!stat(part, &status) && S_ISDIR(status.st_mode))
    return; /* EROFS, EPERM on what is there */
  fm_fail(v, PETSC_ERR_FILE_OPEN, "cannot make folder '%s': '%s': %s", folder, part,
          strerror(error));
}

static void make_all(const char *folder, fm_verdict *v) {
  char part[PETSC_MAX_PATH_LEN];

  if (!folder[0] || strlen(folder) >= sizeof(part)) {
    fm_fail(v, PETSC_ERR_FILE_OPEN,
            "the name of a folder has %zu characters, expected 1 to %zu", strlen(folder),
            sizeof(part) - 1);
    return;
  }
  snprintf(part, sizeof(part), "%s", folder);
  for (char *at = part + 1; *at && !v->code; at++) {
    if (*at != '/') continue;
    *at = 0;
    make_part(part, folder, v);
    *at = '/';
  }
  if (!v->code) make_part(part, folder, v);
  if (!v->code) check_folder(folder, v);
}

PetscErrorCode fm_store_make_folder(MPI_Comm comm, const char *folder) {
  fm_verdict v = {0};
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) make_all(folder, &v);
  PetscCall(fm_verdict_agree(comm, &v));
  PetscFunctionReturn(0);
}
