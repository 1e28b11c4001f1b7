#include "wave2d_impl.h"

#define EACH_ROW(z, block)                                                                     \
  for (int64_t z = (block).first; z < (block).first + (block).count; z++)

static fm_real *row_of(const fm_wave2d *wave, const fm_real *field, int64_t z) {
  return (fm_real *)(uintptr_t)field + z * wave->stride;
}

/* Row z in a buffer that holds a block. */
static fm_real *of_block(const fm_wave2d *wave, wave2d_block block, int64_t z,
                         fm_real *buffer) {
  return buffer + (z - block.first) * wave->width;
}

static const fm_real *now_of(const wave2d_state *state) { return state->u[state->now].at; }
static wave2d_field *next_of(wave2d_state *state) { return &state->u[!state->now]; }

/* ---- forward ---- */

/* u^{n+1} = 2 u^n - u^{n-1} + V a^n. */
static void rows_second(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                        wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_differences(wave, pass->state, now, block, wave->buffer);
  EACH_ROW(z, block) {
    const fm_real *a = of_block(wave, block, z, wave->buffer);
    const fm_real *v = row_of(wave, wave->v, z), *u = row_of(wave, now, z);
    fm_real *next = row_of(wave, pass->out->at, z);

    if (pass->record)
      fm_row_step_record(wave->width, u, v, a, next, pass->record + z * wave->width);
    else
      fm_row_step(wave->width, u, v, a, next);
  }
}

/* w = V a^n. */
static void rows_w(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                   wave2d_block following) {
  fm_wave2d_differences(wave, pass->state, now_of(pass->state), block, wave->buffer);
  EACH_ROW(z, block) {
    const fm_real *a = of_block(wave, block, z, wave->buffer);

    fm_row_multiply(wave->width, row_of(wave, wave->v, z), a, row_of(wave, pass->out->at, z));
    if (pass->record) fm_row_store(wave->width, a, pass->record + z * wave->width);
  }
}

/* u^{n+1} = 2 u^n - u^{n-1} + w + V L0 w/12. */
static void rows_fourth(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                        wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_plain(wave, wave->w.at, block, wave->buffer);
  EACH_ROW(z, block)
  fm_row_step_fourth(wave->width, row_of(wave, now, z), row_of(wave, wave->v, z),
                     row_of(wave, wave->w.at, z), of_block(wave, block, z, wave->buffer),
                     row_of(wave, pass->out->at, z));
}

/* One step of pass.state: with rows[0] in second order; in fourth with rows[1], which make
   `middle`, and rows[2]. */
static PetscErrorCode advance(fm_wave2d *wave, const wave2d_rows rows[3], wave2d_field *middle,
                              wave2d_pass pass) {
  PetscFunctionBegin;
  pass.rows = rows[0];
  pass.source = fm_wave2d_source(wave, pass.n);
  if (wave->spec.time_order == 4) {
    pass.rows = rows[1];
    pass.out = middle;
    PetscCall(fm_wave2d_run(wave, &pass));
    pass.rows = rows[2];
    pass.source = fm_wave2d_source_change(wave, pass.n);
  }
  pass.out = next_of(pass.state);
  PetscCall(fm_wave2d_run(wave, &pass));
  pass.state->now = !pass.state->now;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_step(fm_wave2d *wave, int64_t n, fm_real *record) {
  static const wave2d_rows rows[] = {rows_second, rows_w, rows_fourth};
  const wave2d_pass pass = {
      .n = n, .state = &wave->forward, .record = record, .weight = wave->v};

  PetscFunctionBegin;
  PetscCall(advance(wave, rows, &wave->w, pass));
  PetscFunctionReturn(0);
}

/* ---- Born ---- */

/* du^{n+1} = 2 du^n - du^{n-1} + V L du^n + dV a^n. */
static void rows_born_second(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                             wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_differences(wave, pass->state, now, block, wave->buffer);
  EACH_ROW(z, block) {
    fm_real *next = row_of(wave, pass->out->at, z);

    fm_row_step(wave->width, row_of(wave, now, z), row_of(wave, wave->v, z),
                of_block(wave, block, z, wave->buffer), next);
    fm_row_multiply_add(wave->width, row_of(wave, wave->dv, z), pass->record + z * wave->width,
                        next);
  }
}

/* h = dw = V L du^n + dV a^n. */
static void rows_dw(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                    wave2d_block following) {
  fm_wave2d_differences(wave, pass->state, now_of(pass->state), block, wave->buffer);
  EACH_ROW(z, block) {
    fm_real *h = row_of(wave, pass->out->at, z);

    fm_row_multiply(wave->width, row_of(wave, wave->v, z),
                    of_block(wave, block, z, wave->buffer), h);
    fm_row_multiply_add(wave->width, row_of(wave, wave->dv, z), pass->record + z * wave->width,
                        h);
  }
}

/* du^{n+1} = 2 du^n - du^{n-1} + dw + V L0 dw/12 + dV L0 w/12; w is the background's still. */
static void rows_born_fourth(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                             wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_plain(wave, wave->h.at, block, wave->buffer);
  fm_wave2d_plain(wave, wave->w.at, block, wave->buffer2);
  EACH_ROW(z, block) {
    fm_real *next = row_of(wave, pass->out->at, z);

    fm_row_step_fourth(wave->width, row_of(wave, now, z), row_of(wave, wave->v, z),
                       row_of(wave, wave->h.at, z), of_block(wave, block, z, wave->buffer),
                       next);
    fm_row_multiply_add_12th(wave->width, row_of(wave, wave->dv, z),
                             of_block(wave, block, z, wave->buffer2), next);
  }
}

PetscErrorCode fm_wave2d_step_born(fm_wave2d *wave, int64_t n) {
  static const wave2d_rows rows[] = {rows_born_second, rows_dw, rows_born_fourth};
  const wave2d_pass pass = {
      .n = n, .state = &wave->adjoint, .record = wave->record, .weight = wave->dv};

  PetscFunctionBegin;
  PetscCall(fm_wave2d_step(wave, n, wave->record));
  PetscCall(advance(wave, rows, &wave->h, pass));
  PetscFunctionReturn(0);
}

/* ---- adjoint ---- */

/* One half of the records that the following block needs: they come from memory while this one
   computes. In halves it was faster than at once or spread evenly. */
static void fetch(const fm_wave2d *wave, wave2d_block block, const fm_real *record, int half) {
  const int64_t line = 64 / (int64_t)sizeof(fm_real), n = block.count * wave->width / 2;
  const fm_real *first = record + block.first * wave->width + half * n;

  for (int64_t i = 0; i < n; i += line) __builtin_prefetch(first + i);
}

/* q^n = 2 q^{n+1} - q^{n+2} + V L^T q^{n+1}, and image += q^{n+1} a^n. */
static void rows_back_second(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                             wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fetch(wave, following, pass->record, 0);
  fm_wave2d_differences_transposed(wave, pass->state, now, block, wave->buffer);
  fetch(wave, following, pass->record, 1);
  EACH_ROW(z, block)
  fm_row_step_back(wave->width, row_of(wave, now, z), row_of(wave, wave->v, z),
                   of_block(wave, block, z, wave->buffer), pass->record + z * wave->width,
                   row_of(wave, wave->image, z), row_of(wave, pass->out->at, z));
}

/* w = V a^n of a record. */
static void rows_back_w(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                        wave2d_block following) {
  EACH_ROW(z, block)
  fm_row_multiply(wave->width, row_of(wave, wave->v, z), pass->record + z * wave->width,
                  row_of(wave, pass->out->at, z));
}

/* h = q + V L0 q/12, and image += q (a + L0 w/12) + w L0 q/12. */
static void rows_back_h(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                        wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_plain(wave, now, block, wave->buffer);
  fm_wave2d_plain(wave, wave->w.at, block, wave->buffer2);
  EACH_ROW(z, block) {
    const fm_real *q = row_of(wave, now, z), *y = of_block(wave, block, z, wave->buffer);
    fm_real *image = row_of(wave, wave->image, z), *h = row_of(wave, pass->out->at, z);

    fm_row_multiply_add(wave->width, q, pass->record + z * wave->width, image);
    fm_row_multiply_add_12th(wave->width, q, of_block(wave, block, z, wave->buffer2), image);
    fm_row_multiply_add_12th(wave->width, row_of(wave, wave->w.at, z), y, image);
    fm_row_copy(wave->width, q, h);
    fm_row_multiply_add_12th(wave->width, row_of(wave, wave->v, z), y, h);
  }
}

/* q^n = 2 q^{n+1} - q^{n+2} + V L^T h. */
static void rows_back_fourth(const fm_wave2d *wave, const wave2d_pass *pass, wave2d_block block,
                             wave2d_block following) {
  const fm_real *now = now_of(pass->state);

  fm_wave2d_differences_transposed(wave, pass->state, wave->h.at, block, wave->buffer);
  EACH_ROW(z, block)
  fm_row_step(wave->width, row_of(wave, now, z), row_of(wave, wave->v, z),
              of_block(wave, block, z, wave->buffer), row_of(wave, pass->out->at, z));
}

/* Fourth order: w and h, complete. */
static PetscErrorCode prepare_back(fm_wave2d *wave, wave2d_pass pass) {
  PetscFunctionBegin;
  pass.rows = rows_back_w;
  pass.out = &wave->w;
  pass.weight = wave->v;
  pass.source = fm_wave2d_source(wave, pass.n);
  PetscCall(fm_wave2d_run(wave, &pass));
  pass.rows = rows_back_h;
  pass.out = &wave->h;
  pass.weight = NULL;
  PetscCall(fm_wave2d_run(wave, &pass));
  PetscFunctionReturn(0);
}

/* image += q^{n+1} s^n: the sources' part of a^n is not in the record. */
static void image_sources(fm_wave2d *wave, int64_t n) {
  const PetscBool second = wave->spec.time_order == 2 ? PETSC_TRUE : PETSC_FALSE;
  const double f = fm_wave2d_source(wave, n) + (second ? 0 : fm_wave2d_source_change(wave, n));

  fm_wave2d_add_sources(wave, f, now_of(&wave->adjoint), 0, wave->rows, wave->image);
}

PetscErrorCode fm_wave2d_start_back(fm_wave2d *wave) {
  wave2d_field *q = &wave->adjoint.u[0];

  PetscFunctionBegin;
  fm_wave2d_zero(wave, &wave->adjoint); /* now is 0 */
  fm_wave2d_add_residuals(wave, wave->spec.steps - 1, 0, wave->rows, q->at);
  PetscCall(fm_halo_start(&q->halo));
  PetscCall(fm_wave2d_complete(wave, q));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_step_back(fm_wave2d *wave, int64_t n, const fm_real *record) {
  wave2d_state *state = &wave->adjoint;
  wave2d_pass pass = {.n = n, .state = state, .record = (fm_real *)(uintptr_t)record};

  PetscFunctionBegin;
  image_sources(wave, n);
  if (wave->spec.time_order == 4) PetscCall(prepare_back(wave, pass));
  pass.rows = wave->spec.time_order == 2 ? rows_back_second : rows_back_fourth;
  pass.out = next_of(state);
  pass.residual = PETSC_TRUE;
  PetscCall(fm_wave2d_run(wave, &pass));
  state->now = !state->now;
  PetscFunctionReturn(0);
}
