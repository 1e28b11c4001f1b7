#include "cli/leave.h"
#include "fathom/log.h"
#include "fathom/store.h"
#include <unistd.h>

#define PATIENCE                                                                               \
  4. /* seconds for the other ranks to fail too, and for a checkpoint under way */

static MPI_Comm quiet = MPI_COMM_NULL; /* for the errors' barrier alone */
static char sentence[8192];
static PetscBool trace; /* -error_trace */

static PetscErrorCode keep(MPI_Comm comm, int line, const char *function, const char *file,
                           PetscErrorCode code, PetscErrorType type, const char *message,
                           void *context) {
  if (type == PETSC_ERROR_INITIAL && !sentence[0]) {
    const char *standard = NULL;

    /* PETSc 3.18 puts the caller's line where the code belongs: know it by who complains */
    if (code == PETSC_ERR_MEM || strstr(function, "Malloc"))
      message = "out of memory: ask for less, or use more ranks on more nodes";
    if (!message || !message[0]) PetscErrorMessage(code, &standard, NULL);
    snprintf(sentence, sizeof(sentence), "%s",
             message && message[0] ? message
             : standard            ? standard
                                   : "error");
  }
  if (trace) fprintf(stderr, "  %s at %s:%d\n", function, file, line);
  return code;
}

PetscErrorCode fm_leave_prepare(MPI_Comm world) {
  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_dup(world, &quiet));
  trace = getenv("FATHOM_ERROR_TRACE") ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscPushErrorHandler(keep, NULL));
  PetscFunctionReturn(0);
}

void fm_leave_say(const char *words) { snprintf(sentence, sizeof(sentence), "%s", words); }

void fm_leave_add(const char *words) {
  strncat(sentence, words, sizeof(sentence) - strlen(sentence) - 1);
}

int fm_leave_with(void) {
  const double begin = MPI_Wtime();
  int all = 0, rank;
  MPI_Request request;

  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  fm_progress_end();
  fm_writer_settle(PATIENCE); /* a checkpoint that is under way is still good */
  MPI_Ibarrier(quiet, &request);
  while (!all && MPI_Wtime() - begin < PATIENCE) {
    MPI_Test(&request, &all, MPI_STATUS_IGNORE);
    if (!all) usleep(1000);
  }
  if (all && !rank) fprintf(stderr, "fathom: error: %s\n", sentence);
  if (!all) fprintf(stderr, "fathom: error on rank %d: %s\n", rank, sentence);
  fflush(stderr);
  if (!all) MPI_Abort(MPI_COMM_WORLD, 1);
  return 1;
}
