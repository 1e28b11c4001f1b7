#include "wave2d_impl.h"
#include <string.h>

#define LANES FM_WAVE2D_LANES
#define HALO FM_WAVE2D_HALO
#define LINE 64 /* bytes */

/* ---- one allocation for all ---- */

/* The next `count` numbers of the arena; before it is allocated they are counted alone. */
static fm_real *carve(fm_wave2d *wave, int64_t count) {
  const int64_t from = wave->arena_count;
  char *base = (char *)wave->arena;

  wave->arena_count += (count + LANES - 1) / LANES * LANES;
  if (!base) return NULL;
  base += (LINE - (int64_t)((uintptr_t)base % LINE)) % LINE;
  return (fm_real *)base + from;
}

static fm_real *carve_field(fm_wave2d *wave) {
  fm_real *base = carve(wave, (wave->rows + 2 * HALO) * wave->stride + LANES);

  return base ? base + HALO * wave->stride + LANES : NULL;
}

static void carve_state(fm_wave2d *wave, wave2d_state *state) {
  for (int k = 0; k < 2; k++) state->u[k].at = carve_field(wave);
  state->psi_z = carve(wave, wave->slots * wave->width);
  state->zeta_z = carve(wave, wave->slots * wave->width);
  for (int k = 0; k < wave->nside; k++) {
    const int64_t count = wave->rows * wave->side[k].stride + LANES;
    fm_real *psi = carve(wave, count), *zeta = carve(wave, count);

    state->psi_x[k] = psi ? psi + LANES : NULL;
    state->zeta_x[k] = zeta ? zeta + LANES : NULL;
  }
}

static void carve_all(fm_wave2d *wave) {
  wave->arena_count = 0;
  carve_state(wave, &wave->forward);
  wave->v = carve_field(wave);
  wave->buffer = carve(wave, FM_WAVE2D_BLOCK * wave->width);
  wave->buffer2 = carve(wave, FM_WAVE2D_BLOCK * wave->width);
  carve_state(wave, &wave->adjoint);
  wave->image = carve_field(wave);
  wave->dv = carve_field(wave);
  wave->record = carve(wave, wave->rows * wave->width);
  if (wave->spec.time_order == 4) {
    wave->w.at = carve_field(wave);
    wave->h.at = carve_field(wave);
  }
}

/* Fields that have halos, with their tags. */
static int list_fields(fm_wave2d *wave, wave2d_field **field) {
  wave2d_field *const all[] = {&wave->forward.u[0],
                               &wave->forward.u[1],
                               &wave->adjoint.u[0],
                               &wave->adjoint.u[1],
                               &wave->w,
                               &wave->h};
  const int n = wave->spec.time_order == 4 ? 6 : 4;

  for (int k = 0; k < n; k++) field[k] = all[k];
  return n;
}

PetscErrorCode fm_wave2d_memory_create(fm_wave2d *wave) {
  wave2d_field *field[6];
  int n;

  PetscFunctionBegin;
  carve_all(wave);
  PetscCall(fm_calloc(wave->arena_count + LINE, &wave->arena));
  carve_all(wave);
  PetscCall(fm_calloc(wave->rows * wave->columns, &wave->c));
  n = list_fields(wave, field);
  for (int k = 0; k < n; k++)
    PetscCall(
        fm_halo_create(&wave->strip, field[k]->at, wave->stride, HALO, k, &field[k]->halo));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_memory_destroy(fm_wave2d *wave) {
  wave2d_field *field[6];
  const int n = list_fields(wave, field);

  PetscFunctionBegin;
  for (int k = 0; k < n; k++) PetscCall(fm_halo_destroy(&field[k]->halo));
  PetscCall(PetscFree(wave->arena));
  PetscCall(PetscFree(wave->c));
  PetscFunctionReturn(0);
}

/* ---- a state ---- */

static void zero(fm_real *from, int64_t count) {
  memset(from, 0, (size_t)count * sizeof(fm_real));
}

void fm_wave2d_zero(const fm_wave2d *wave, wave2d_state *state) {
  for (int k = 0; k < 2; k++)
    zero(state->u[k].at - HALO * wave->stride, (wave->rows + 2 * HALO) * wave->stride);
  zero(state->psi_z, wave->slots * wave->width);
  zero(state->zeta_z, wave->slots * wave->width);
  for (int k = 0; k < wave->nside; k++) {
    zero(state->psi_x[k], wave->rows * wave->side[k].stride);
    zero(state->zeta_x[k], wave->rows * wave->side[k].stride);
  }
  state->now = 0;
}

typedef enum { COUNT, SAVE, RESTORE } direction;

/* A checkpoint on its way: `at` numbers are done. */
typedef struct parcel {
  direction what;
  fm_real *memory;
  int64_t at;
} parcel;

/* rows of `count` numbers, `stride` from one to the next. */
static void pack(parcel *p, fm_real *from, int64_t rows, int64_t count, int64_t stride) {
  const size_t bytes = (size_t)count * sizeof(fm_real);

  for (int64_t r = 0; r < rows; r++, p->at += count) {
    if (p->what == SAVE) memcpy(p->memory + p->at, from + r * stride, bytes);
    if (p->what == RESTORE) memcpy(from + r * stride, p->memory + p->at, bytes);
  }
}

/* Own rows, own columns, and of the layers what is not zero. Returns the numbers. */
static int64_t pack_state(const fm_wave2d *wave, const wave2d_state *state, direction what,
                          fm_real *memory) {
  parcel p = {what, memory, 0};

  pack(&p, state->u[state->now].at, wave->rows, wave->columns, wave->stride);
  pack(&p, state->u[!state->now].at, wave->rows, wave->columns, wave->stride);
  for (int k = 0; k < wave->nband; k++) {
    const wave2d_band *band = &wave->band[k];
    const int64_t at = band->slot * wave->width;

    pack(&p, state->psi_z + at, band->count, wave->columns, wave->width);
    pack(&p, state->zeta_z + at, band->count, wave->columns, wave->width);
  }
  for (int k = 0; k < wave->nside; k++) {
    const fm_layer_columns *side = &wave->side[k];

    pack(&p, state->psi_x[k] + side->used, wave->rows, side->nused, side->stride);
    pack(&p, state->zeta_x[k] + side->used, wave->rows, side->nused, side->stride);
  }
  return p.at;
}

int64_t fm_wave2d_checkpoint_bytes(const fm_wave2d *wave) {
  return pack_state(wave, &wave->forward, COUNT, NULL) * (int64_t)sizeof(fm_real);
}

void fm_wave2d_save(const fm_wave2d *wave, const wave2d_state *state, void *checkpoint) {
  pack_state(wave, state, SAVE, (fm_real *)checkpoint);
}

PetscErrorCode fm_wave2d_restore(const fm_wave2d *wave, wave2d_state *state,
                                 const void *checkpoint) {
  wave2d_field *now = &state->u[state->now];

  PetscFunctionBegin;
  pack_state(wave, state, RESTORE, (fm_real *)(uintptr_t)checkpoint);
  PetscCall(fm_halo_start(&now->halo));
  PetscCall(fm_wave2d_complete(wave, now));
  PetscFunctionReturn(0);
}

/* ---- beside a strip's ends ---- */

static void mirror(const fm_wave2d *wave, fm_real *u) {
  for (int k = 1; k <= HALO; k++)
    for (int64_t i = 0; i < wave->columns; i++)
      u[i - k * wave->stride] = -u[i + k * wave->stride];
}

PetscErrorCode fm_wave2d_complete(const fm_wave2d *wave, wave2d_field *field) {
  PetscFunctionBegin;
  PetscCall(fm_halo_wait(&field->halo));
  if (wave->spec.free_surface && wave->strip.above == MPI_PROC_NULL) mirror(wave, field->at);
  PetscFunctionReturn(0);
}
