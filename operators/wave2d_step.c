#include "wave2d_impl.h"
#include <string.h>

#define BLOCK FM_WAVE2D_BLOCK

static fm_real *row_of(const fm_wave2d *wave, fm_real *field, int64_t z) {
  return field + z * wave->stride;
}

/* ---- sources and receivers ---- */

static double wavelet_at(const fm_wave2d *wave, int64_t n) {
  return n < 0 || n >= wave->spec.steps ? 0 : wave->shot->wavelet[n];
}

/* s^n of order 2, and what order 4 in time adds to it: dt^2 s_tt/12. */
static double source_at(const fm_wave2d *wave, int64_t n) { return wavelet_at(wave, n); }
static double source_change(const fm_wave2d *wave, int64_t n) {
  return (wavelet_at(wave, n + 1) - 2 * wavelet_at(wave, n) + wavelet_at(wave, n - 1)) / 12;
}

/* field += weight f s(x), all sources. */
static void add_sources(const fm_wave2d *wave, double f, const fm_real *weight,
                        fm_real *field) {
  for (int64_t k = 0; k < wave->shot->nsource; k++)
    fm_wave2d_add(wave, &wave->source[k], weight, (fm_real)(wave->shot->amplitude[k] * f),
                  field);
}

/* field += V R^T r^n. */
static void add_residuals(const fm_wave2d *wave, int64_t n, fm_real *field) {
  const int64_t m = wave->shot->nreceiver;

  for (int64_t k = 0; k < m; k++)
    fm_wave2d_add(wave, &wave->receiver[k], wave->v, wave->residual[n * m + k], field);
}

/* ---- forward ---- */

static void step_second(fm_wave2d *wave, int64_t n, fm_real *record) {
  wave2d_state *state = &wave->forward;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences(wave, state, now, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      const fm_real *a = wave->buffer + (z - b.first) * width;

      if (record)
        fm_row_step_record(width, row_of(wave, now, z), row_of(wave, wave->v, z), a,
                           row_of(wave, next, z), record + z * width);
      else
        fm_row_step(width, row_of(wave, now, z), row_of(wave, wave->v, z), a,
                    row_of(wave, next, z));
    }
  }
  add_sources(wave, source_at(wave, n), wave->v, next);
}

/* w = V (a + s); */
static PetscErrorCode step_fourth(fm_wave2d *wave, int64_t n, fm_real *record) {
  wave2d_state *state = &wave->forward;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  PetscFunctionBegin;
  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences(wave, state, now, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      const fm_real *a = wave->buffer + (z - b.first) * width;

      fm_row_multiply(width, row_of(wave, wave->v, z), a, row_of(wave, wave->w.at, z));
      if (record) fm_row_store(width, a, record + z * width);
    }
  }
  add_sources(wave, source_at(wave, n), wave->v, wave->w.at);
  PetscCall(fm_wave2d_exchange(wave, &wave->w));
  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_plain(wave, wave->w.at, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++)
      fm_row_step_fourth(width, row_of(wave, now, z), row_of(wave, wave->v, z),
                         row_of(wave, wave->w.at, z), wave->buffer + (z - b.first) * width,
                         row_of(wave, next, z));
  }
  add_sources(wave, source_change(wave, n), wave->v, next);
  PetscFunctionReturn(0);
}

/* u^{n+1} takes the place of u^{n-1} and is complete. */
static PetscErrorCode turn(fm_wave2d *wave, wave2d_state *state) {
  PetscFunctionBegin;
  state->now = !state->now;
  PetscCall(fm_wave2d_exchange(wave, &state->u[state->now]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_step(fm_wave2d *wave, int64_t n, fm_real *record) {
  PetscFunctionBegin;
  if (wave->spec.time_order == 2)
    step_second(wave, n, record);
  else
    PetscCall(step_fourth(wave, n, record));
  PetscCall(turn(wave, &wave->forward));
  PetscFunctionReturn(0);
}

/* ---- adjoint ---- */

/* What comes from memory next is asked for a block ahead. */
static void fetch(const fm_wave2d *wave, wave2d_block block, const fm_real *record) {
  const fm_real *first = record + block.first * wave->width;
  const int64_t line = 64 / (int64_t)sizeof(fm_real);

  for (int64_t i = 0; i < block.count * wave->width; i += line) __builtin_prefetch(first + i);
}

/* image += q^{n+1} a^n, q^n = 2 q^{n+1} - q^{n+2} + V L^T q^{n+1}. */
static void back_second(fm_wave2d *wave, int64_t n, const fm_real *record) {
  wave2d_state *state = &wave->adjoint;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences_transposed(wave, state, now, b.first, b.count, wave->buffer);
    if (k + 1 < wave->nblock) fetch(wave, wave->order[n & 1][k + 1], record);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      const fm_real *q = row_of(wave, now, z);

      fm_row_step_back(width, q, row_of(wave, wave->v, z), wave->buffer + (z - b.first) * width,
                       record + z * width, row_of(wave, wave->image, z), row_of(wave, next, z));
    }
  }
}

/* w = V a^n of a record, complete. */
static PetscErrorCode remake_w(fm_wave2d *wave, int64_t n, const fm_real *record) {
  PetscFunctionBegin;
  for (int64_t z = 0; z < wave->rows; z++)
    fm_row_multiply(wave->width, row_of(wave, wave->v, z), record + z * wave->width,
                    row_of(wave, wave->w.at, z));
  add_sources(wave, source_at(wave, n), wave->v, wave->w.at);
  PetscCall(fm_wave2d_exchange(wave, &wave->w));
  PetscFunctionReturn(0);
}

/* image += q (a + L0 w/12) + w L0 q/12, h = q + V L0 q/12. */
static void image_fourth(fm_wave2d *wave, int64_t n, const fm_real *record, fm_real *q) {
  const int64_t width = wave->width;

  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_plain(wave, q, b.first, b.count, wave->buffer);
    fm_wave2d_plain(wave, wave->w.at, b.first, b.count, wave->buffer2);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      const fm_real *q_row = row_of(wave, q, z), *y = wave->buffer + (z - b.first) * width;
      fm_real *image = row_of(wave, wave->image, z), *h = row_of(wave, wave->h.at, z);

      fm_row_multiply_add(width, q_row, record + z * width, image);
      fm_row_multiply_add_12th(width, q_row, wave->buffer2 + (z - b.first) * width, image);
      fm_row_multiply_add_12th(width, row_of(wave, wave->w.at, z), y, image);
      memcpy(h, q_row, (size_t)width * sizeof(fm_real));
      fm_row_multiply_add_12th(width, row_of(wave, wave->v, z), y, h);
    }
  }
}

/* q^n = 2 q^{n+1} - q^{n+2} + V L^T h. */
static PetscErrorCode back_fourth(fm_wave2d *wave, int64_t n, const fm_real *record) {
  wave2d_state *state = &wave->adjoint;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  PetscFunctionBegin;
  PetscCall(remake_w(wave, n, record));
  image_fourth(wave, n, record, now);
  PetscCall(fm_wave2d_exchange(wave, &wave->h));
  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences_transposed(wave, state, wave->h.at, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++)
      fm_row_step(width, row_of(wave, now, z), row_of(wave, wave->v, z),
                  wave->buffer + (z - b.first) * width, row_of(wave, next, z));
  }
  PetscFunctionReturn(0);
}

/* The source's part of a^n is not in the record: image += q^{n+1} s^n here. */
static void image_sources(fm_wave2d *wave, int64_t n, const fm_real *q) {
  const double f =
      source_at(wave, n) + (wave->spec.time_order == 4 ? source_change(wave, n) : 0);

  add_sources(wave, f, q, wave->image);
}

void fm_wave2d_start_back(fm_wave2d *wave) {
  add_residuals(wave, wave->spec.steps - 1, wave->adjoint.u[wave->adjoint.now].at);
}

PetscErrorCode fm_wave2d_step_back(fm_wave2d *wave, int64_t n, const fm_real *record) {
  wave2d_state *state = &wave->adjoint;

  PetscFunctionBegin;
  image_sources(wave, n, state->u[state->now].at);
  if (wave->spec.time_order == 2)
    back_second(wave, n, record);
  else
    PetscCall(back_fourth(wave, n, record));
  add_residuals(wave, n, state->u[!state->now].at);
  PetscCall(turn(wave, state));
  PetscFunctionReturn(0);
}

/* ---- Born ---- */

/* du^{n+1} = 2 du^n - du^{n-1} + V L du^n + dV (a^n + s^n). */
static void born_second(fm_wave2d *wave, int64_t n, const fm_real *record, const fm_real *dv) {
  wave2d_state *state = &wave->adjoint;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences(wave, state, now, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      fm_real *next_row = row_of(wave, next, z);

      fm_row_step(width, row_of(wave, now, z), row_of(wave, wave->v, z),
                  wave->buffer + (z - b.first) * width, next_row);
      fm_row_multiply_add(width, dv + z * wave->stride, record + z * width, next_row);
    }
  }
  add_sources(wave, source_at(wave, n), dv, next);
}

/* h = dw = V L du + dV (a + s), complete. */
static PetscErrorCode make_dw(fm_wave2d *wave, int64_t n, const fm_real *record,
                              const fm_real *dv) {
  wave2d_state *state = &wave->adjoint;
  const int64_t width = wave->width;

  PetscFunctionBegin;
  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_differences(wave, state, state->u[state->now].at, b.first, b.count, wave->buffer);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      fm_real *h = row_of(wave, wave->h.at, z);

      fm_row_multiply(width, row_of(wave, wave->v, z), wave->buffer + (z - b.first) * width, h);
      fm_row_multiply_add(width, dv + z * wave->stride, record + z * width, h);
    }
  }
  add_sources(wave, source_at(wave, n), dv, wave->h.at);
  PetscCall(fm_wave2d_exchange(wave, &wave->h));
  PetscFunctionReturn(0);
}

/* du^{n+1} = 2 du^n - du^{n-1} + dw + V L0 dw/12 + dV (L0 w/12 + dt^2 s_tt/12); w is still the
   background's. */
static PetscErrorCode born_fourth(fm_wave2d *wave, int64_t n, const fm_real *record,
                                  const fm_real *dv) {
  wave2d_state *state = &wave->adjoint;
  fm_real *now = state->u[state->now].at, *next = state->u[!state->now].at;
  const int64_t width = wave->width;

  PetscFunctionBegin;
  PetscCall(make_dw(wave, n, record, dv));
  for (int64_t k = 0; k < wave->nblock; k++) {
    const wave2d_block b = wave->order[n & 1][k];

    fm_wave2d_plain(wave, wave->h.at, b.first, b.count, wave->buffer);
    fm_wave2d_plain(wave, wave->w.at, b.first, b.count, wave->buffer2);
    for (int64_t z = b.first; z < b.first + b.count; z++) {
      fm_real *next_row = row_of(wave, next, z);

      fm_row_step_fourth(width, row_of(wave, now, z), row_of(wave, wave->v, z),
                         row_of(wave, wave->h.at, z), wave->buffer + (z - b.first) * width,
                         next_row);
      fm_row_multiply_add_12th(width, dv + z * wave->stride,
                               wave->buffer2 + (z - b.first) * width, next_row);
    }
  }
  add_sources(wave, source_change(wave, n), dv, next);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_step_born(fm_wave2d *wave, int64_t n, fm_real *record,
                                   const fm_real *dv) {
  PetscFunctionBegin;
  PetscCall(fm_wave2d_step(wave, n, record));
  if (wave->spec.time_order == 2)
    born_second(wave, n, record, dv);
  else
    PetscCall(born_fourth(wave, n, record, dv));
  PetscCall(turn(wave, &wave->adjoint));
  PetscFunctionReturn(0);
}
