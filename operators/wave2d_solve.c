#include "wave2d_impl.h"
#include <string.h>
#ifdef __SSE__
#include <immintrin.h>
#endif

/* ---- denormals ---- */

/* Numbers below the smallest normal one are slow and mean nothing here: from begin to end the
   processor takes them for 0, on this thread. */
static unsigned flush_begin(void) {
#ifdef __SSE__
  const unsigned kept = _mm_getcsr();

  _mm_setcsr(kept | 0x8040); /* flush to zero, denormals are zero */
  return kept;
#else
  return 0;
#endif
}

static void flush_end(unsigned kept) {
#ifdef __SSE__
  _mm_setcsr(kept);
#endif
}

/* ---- the shot at hand ---- */

static PetscErrorCode begin(fm_wave2d *wave, const fm_wave2d_shot *shot) {
  PetscFunctionBegin;
  wave->shot = shot;
  PetscCall(fm_wave2d_points_create(wave, shot->nsource, shot->source, &wave->source));
  PetscCall(fm_wave2d_points_create(wave, shot->nreceiver, shot->receiver, &wave->receiver));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(fm_wave2d *wave) {
  PetscFunctionBegin;
  PetscCall(PetscFree(wave->source));
  PetscCall(PetscFree(wave->receiver));
  wave->shot = NULL;
  wave->trace = NULL;
  wave->residual = NULL;
  PetscFunctionReturn(0);
}

/* Each number is on one rank and 0 on the others: joined bit by bit, even -0 stays as it is. */
static PetscErrorCode complete(const fm_wave2d *wave, fm_real *trace) {
  const int64_t words = wave->spec.steps * wave->shot->nreceiver * (int64_t)sizeof(fm_real) / 4;
  const int64_t most = 1 << 30; /* a message */

  PetscFunctionBegin;
  if (wave->strip.above == MPI_PROC_NULL && wave->strip.below == MPI_PROC_NULL)
    PetscFunctionReturn(0);
  for (int64_t at = 0; at < words; at += most)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, (uint32_t *)trace + at,
                               (PetscMPIInt)PetscMin(most, words - at), MPI_UINT32_T, MPI_BOR,
                               wave->spec.comm));
  PetscFunctionReturn(0);
}

/* ---- loops over time ---- */

static PetscErrorCode loop_reset(void *context) {
  fm_wave2d *wave = (fm_wave2d *)context;

  fm_wave2d_zero(wave, &wave->forward);
  return 0;
}

static PetscErrorCode loop_save(void *context, void *checkpoint) {
  const fm_wave2d *wave = (const fm_wave2d *)context;

  fm_wave2d_save(wave, &wave->forward, checkpoint);
  return 0;
}

static PetscErrorCode loop_restore(void *context, const void *checkpoint) {
  fm_wave2d *wave = (fm_wave2d *)context;

  return fm_wave2d_restore(wave, &wave->forward, checkpoint);
}

/* u^n to u^{n+1}, and the traces there where they are wanted: not in an adjoint. */
static PetscErrorCode loop_forward(void *context, int64_t n, void *record, PetscBool again) {
  fm_wave2d *wave = (fm_wave2d *)context;
  const wave2d_state *state = &wave->forward;

  PetscFunctionBegin;
  PetscCall(fm_wave2d_step(wave, n, (fm_real *)record));
  if (wave->trace)
    fm_wave2d_sample(wave, state->u[state->now].at,
                     wave->trace + (n + 1) * wave->shot->nreceiver);
  PetscFunctionReturn(0);
}

static PetscErrorCode loop_reverse(void *context, int64_t n, const void *record) {
  return fm_wave2d_step_back((fm_wave2d *)context, n, (const fm_real *)record);
}

static fm_tape_loop loop_of(fm_wave2d *wave) {
  return (fm_tape_loop){.context = wave,
                        .reset = loop_reset,
                        .save = loop_save,
                        .restore = loop_restore,
                        .forward = loop_forward,
                        .reverse = loop_reverse};
}

static PetscErrorCode sweep(fm_wave2d *wave) {
  PetscFunctionBegin;
  PetscCall(loop_reset(wave));
  for (int64_t n = 0; n + 1 < wave->spec.steps; n++)
    PetscCall(loop_forward(wave, n, NULL, PETSC_FALSE));
  PetscFunctionReturn(0);
}

static PetscErrorCode sweep_taped(fm_wave2d *wave) {
  const fm_tape_loop loop = loop_of(wave);

  PetscFunctionBegin;
  PetscCall(fm_wave2d_tape_create(wave));
  if (wave->tape) PetscCall(fm_tape_forward(wave->tape, &loop));
  PetscFunctionReturn(0);
}

/* Runs what is under way with denormals flushed, whatever becomes of it. */
static PetscErrorCode flushed(PetscErrorCode (*run)(fm_wave2d *), fm_wave2d *wave) {
  const unsigned kept = flush_begin();
  const PetscErrorCode code = run(wave);

  flush_end(kept);
  return code;
}

static void zero_trace(const fm_wave2d *wave, const fm_wave2d_shot *shot, fm_real *trace) {
  memset(trace, 0, (size_t)(wave->spec.steps * shot->nreceiver) * sizeof(fm_real));
}

PetscErrorCode fm_wave2d_forward(fm_wave2d *wave, const fm_wave2d_shot *shot, PetscBool taped,
                                 fm_real *trace) {
  PetscFunctionBegin;
  PetscCall(begin(wave, shot));
  zero_trace(wave, shot, trace);
  wave->trace = trace;
  if (!taped && wave->tape) fm_tape_forget(wave->tape);
  PetscCall(flushed(taped ? sweep_taped : sweep, wave));
  PetscCall(complete(wave, trace));
  PetscCall(end(wave));
  PetscFunctionReturn(0);
}

/* ---- adjoint ---- */

/* From q^{N-1} = V R^T r^{N-1}, N the steps. */
static PetscErrorCode sweep_back(fm_wave2d *wave) {
  const fm_tape_loop loop = loop_of(wave);

  PetscFunctionBegin;
  PetscCall(fm_wave2d_start_back(wave));
  PetscCall(fm_wave2d_tape_create(wave));
  if (wave->tape) PetscCall(fm_tape_reverse(wave->tape, &loop));
  PetscFunctionReturn(0);
}

/* g = 2/c image, what lies in the layers added to the edge that it repeats. */
static void fold(const fm_wave2d *wave, double *g) {
  for (int64_t z = 0; z < wave->rows; z++)
    for (int64_t x = 0; x < wave->columns; x++)
      g[fm_wave2d_model_node(wave, z, x)] +=
          2 / wave->c[z * wave->columns + x] * (double)wave->image[z * wave->stride + x];
}

/* Every rank has summed its rows of the model. */
static PetscErrorCode gather(const fm_wave2d *wave, double *g) {
  const fm_wave2d_spec *spec = &wave->spec;
  PetscMPIInt size, *count, *first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(spec->comm, &size));
  PetscCall(PetscMalloc2((size_t)size, &count, (size_t)size, &first));
  for (PetscMPIInt rank = 0; rank < size; rank++) {
    const int64_t top = spec->layer[FM_TOP], rows = spec->nz + top + spec->layer[FM_BOTTOM];
    const int64_t low = PetscClipInterval(fm_strip_first(rows, rank, size) - top, 0, spec->nz);
    const int64_t high =
        PetscClipInterval(fm_strip_first(rows, rank + 1, size) - top, 0, spec->nz);

    first[rank] = (PetscMPIInt)(low * spec->nx); /* fm_wave2d_create saw to it */
    count[rank] = (PetscMPIInt)((high - low) * spec->nx);
  }
  PetscCallMPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, g, count, first, MPI_DOUBLE,
                              spec->comm));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_adjoint(fm_wave2d *wave, const fm_wave2d_shot *shot, const fm_real *r,
                                 double *g) {
  const int64_t image = wave->rows * wave->stride;

  PetscFunctionBegin;
  PetscCall(begin(wave, shot));
  wave->residual = r;
  memset(wave->image, 0, (size_t)image * sizeof(fm_real));
  memset(g, 0, (size_t)(wave->spec.nz * wave->spec.nx) * sizeof(double));
  PetscCall(flushed(sweep_back, wave));
  fold(wave, g);
  PetscCall(gather(wave, g));
  PetscCall(end(wave));
  PetscFunctionReturn(0);
}

/* ---- Born ---- */

static PetscErrorCode sweep_born(fm_wave2d *wave) {
  const wave2d_state *state = &wave->adjoint;

  PetscFunctionBegin;
  fm_wave2d_zero(wave, &wave->forward);
  fm_wave2d_zero(wave, &wave->adjoint);
  for (int64_t n = 0; n + 1 < wave->spec.steps; n++) {
    PetscCall(fm_wave2d_step_born(wave, n));
    fm_wave2d_sample(wave, state->u[state->now].at,
                     wave->trace + (n + 1) * wave->shot->nreceiver);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_born(fm_wave2d *wave, const fm_wave2d_shot *shot, const double *dc,
                              fm_real *dtrace) {
  PetscFunctionBegin;
  PetscCall(begin(wave, shot));
  zero_trace(wave, shot, dtrace);
  wave->trace = dtrace;
  fm_wave2d_perturbation(wave, dc, wave->dv);
  PetscCall(flushed(sweep_born, wave));
  PetscCall(complete(wave, dtrace));
  PetscCall(end(wave));
  PetscFunctionReturn(0);
}
