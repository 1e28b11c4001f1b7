#include "verdict.h"
#include "fathom/store.h"
#include <stdarg.h>
#include <stdio.h>

void fm_fail(fm_verdict *v, PetscErrorCode code, const char *format, ...) {
  va_list arguments;

  if (v->code) return;
  v->code = (int)code;
  va_start(arguments, format);
  vsnprintf(v->text, sizeof(v->text), format, arguments);
  va_end(arguments);
}

PetscErrorCode fm_verdict_agree(MPI_Comm comm, const fm_verdict *v) {
  fm_verdict common = *v;
  PetscMPIInt rank, size, mine, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine = v->code ? rank : size;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Bcast(&common, (int)sizeof(common), MPI_BYTE, first, comm));
  SETERRQ(comm, common.code, "%s", common.text);
}

PetscErrorCode fm_broadcast(MPI_Comm comm, size_t bytes, void *data) {
  const size_t most = (size_t)1 << 28;
  char *at = (char *)data;

  PetscFunctionBegin;
  for (size_t done = 0; done < bytes; done += most) {
    const size_t piece = PetscMin(most, bytes - done);

    PetscCallMPI(MPI_Bcast(at + done, (int)piece, MPI_BYTE, 0, comm));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_verdict_share(MPI_Comm comm, const fm_verdict *v, size_t bytes, void *data) {
  PetscFunctionBegin;
  PetscCall(fm_verdict_agree(comm, v));
  PetscCall(fm_broadcast(comm, bytes, data));
  PetscFunctionReturn(0);
}

static PetscErrorCode broadcast_text(MPI_Comm comm, PetscMPIInt rank, char **text) {
  int64_t length = 0;

  PetscFunctionBegin;
  if (!rank) length = (int64_t)strlen(*text) + 1;
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT64_T, 0, comm));
  if (rank) PetscCall(fm_calloc(length, text));
  PetscCall(fm_broadcast(comm, (size_t)length, *text));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_verdict_share_text(MPI_Comm comm, const fm_verdict *v, char **text) {
  PetscMPIInt rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  code = fm_verdict_agree(comm, v);
  if (code) PetscCall(PetscFree(*text));
  PetscCall(code);
  PetscCall(broadcast_text(comm, rank, text));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_verdict_share_texts(MPI_Comm comm, const fm_verdict *v, int *n,
                                      char ***texts) {
  PetscMPIInt rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  code = fm_verdict_agree(comm, v);
  if (code && !rank) PetscCall(fm_store_free_texts(*n, texts));
  PetscCall(code);
  PetscCallMPI(MPI_Bcast(n, 1, MPI_INT, 0, comm));
  if (rank) PetscCall(fm_calloc(*n, texts));
  for (int i = 0; i < *n; i++) PetscCall(broadcast_text(comm, rank, &(*texts)[i]));
  PetscFunctionReturn(0);
}
