#include "fathom/results.h"
#include "fathom/comm.h"
#include "fathom/log.h"
#include <errno.h>
#include <unistd.h>

struct fm_results {
  char *text;
  size_t used, capacity;
};

PetscErrorCode fm_results_create(fm_results **results) {
  PetscFunctionBegin;
  PetscCall(PetscNew(results));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_results_destroy(fm_results **results) {
  PetscFunctionBegin;
  if (*results) PetscCall(PetscFree((*results)->text));
  PetscCall(PetscFree(*results));
  PetscFunctionReturn(0);
}

static PetscErrorCode reserve(fm_results *r, size_t more) {
  char *larger;

  PetscFunctionBegin;
  if (r->used + more <= r->capacity) PetscFunctionReturn(0);
  r->capacity = 2 * (r->used + more) + 1024;
  PetscCall(PetscCalloc1(r->capacity, &larger));
  PetscCall(PetscArraycpy(larger, r->text, r->used));
  PetscCall(PetscFree(r->text));
  r->text = larger;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_result(fm_results *r, const char *name, double value, const char *unit) {
  PetscFunctionBegin;
  PetscCall(reserve(r, strlen(name) + strlen(unit) + 64));
  r->used += (size_t)snprintf(r->text + r->used, r->capacity - r->used, "%s\t%.10g\t%s\n", name,
                              value, unit);
  fm_log("result %s %.10g %s", name, value, unit);
  PetscFunctionReturn(0);
}

static int write_file(const char *path, const char *head, const char *text, size_t length) {
  char next[PETSC_MAX_PATH_LEN + 8];
  FILE *file;
  int bad;

  snprintf(next, sizeof(next), "%s.tmp", path);
  if (!(file = fopen(next, "w"))) return errno;
  bad = fputs(head, file) < 0;
  bad |= length && fwrite(text, 1, length, file) != length;
  bad |= fflush(file) || fsync(fileno(file));
  bad |= fclose(file) != 0;
  if (!bad) bad = rename(next, path) != 0;
  return bad ? (errno ? errno : EIO) : 0;
}

/* Those of a run without any are not another's. */
static int write_warnings(const char *folder) {
  const char *text = fm_warnings();
  char path[PETSC_MAX_PATH_LEN];

  snprintf(path, sizeof(path), "%s/warnings.txt", folder);
  if (text[0]) return write_file(path, "", text, strlen(text));
  return unlink(path) && errno != ENOENT ? errno : 0;
}

PetscErrorCode fm_results_write(const fm_results *r, MPI_Comm comm, const char *folder) {
  char path[PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;
  int failed = 0, worst;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/results.tsv", folder));
  if (!rank) failed = write_file(path, "name\tvalue\tunit\n", r->text, r->used);
  if (!rank && !failed) failed = write_warnings(folder);
  PetscCall(fm_comm_agree(comm, failed, &worst));
  fm_check(!worst, comm, PETSC_ERR_FILE_WRITE, "cannot write '%s': %s", path, strerror(worst));
  PetscFunctionReturn(0);
}
