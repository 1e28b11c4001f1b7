#include "wave2d_impl.h"

#define HALO FM_WAVE2D_HALO

/* ---- in which order rows are done ---- */

static int64_t add_blocks(wave2d_block *block, int64_t n, int64_t low, int64_t high) {
  for (int64_t z = low; z < high; z += FM_WAVE2D_BLOCK)
    block[n++] = (wave2d_block){z, (int)PetscMin(FM_WAVE2D_BLOCK, high - z)};
  return n;
}

/* The rows inside, from `first` to `last` of down[], upwards; psi goes from row to row in the
   layers above and below, which are done downwards always. */
static void turn_round(const wave2d_block *down, int64_t first, int64_t last, int64_t n,
                       wave2d_block *up) {
  int64_t m = 0;

  for (int64_t k = last; k < n; k++) up[m++] = down[k];
  for (int64_t k = last - 1; k >= first; k--) up[m++] = down[k];
  for (int64_t k = 0; k < first; k++) up[m++] = down[k];
}

/* What neighbours wait for is done first, then all other rows: layer above, inside, layer
   below. */
PetscErrorCode fm_wave2d_order_create(fm_wave2d *wave) {
  int64_t low = 0, high = wave->rows, first, last;

  PetscFunctionBegin;
  PetscCall(
      PetscMalloc2((size_t)wave->rows, &wave->order[0], (size_t)wave->rows, &wave->order[1]));
  wave->low = wave->strip.above == MPI_PROC_NULL ? 0 : HALO;
  wave->high = wave->rows - (wave->strip.below == MPI_PROC_NULL ? 0 : HALO);
  for (int k = 0; k < wave->nband; k++)
    if (wave->band[k].first)
      high = wave->band[k].first;
    else
      low = wave->band[k].count;
  low = PetscMax(low, wave->low);
  high = PetscMin(high, wave->high);
  first = add_blocks(wave->order[0], 0, wave->low, low);
  last = add_blocks(wave->order[0], first, low, high);
  wave->nblock = add_blocks(wave->order[0], last, high, wave->high);
  turn_round(wave->order[0], first, last, wave->nblock, wave->order[1]);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_order_destroy(fm_wave2d *wave) {
  PetscFunctionBegin;
  PetscCall(PetscFree2(wave->order[0], wave->order[1]));
  PetscFunctionReturn(0);
}

/* ---- sources and receivers ---- */

static double wavelet_at(const fm_wave2d *wave, int64_t n) {
  return n < 0 || n >= wave->spec.steps ? 0 : wave->shot->wavelet[n];
}

double fm_wave2d_source(const fm_wave2d *wave, int64_t n) { return wavelet_at(wave, n); }

double fm_wave2d_source_change(const fm_wave2d *wave, int64_t n) {
  return (wavelet_at(wave, n + 1) - 2 * wavelet_at(wave, n) + wavelet_at(wave, n - 1)) / 12;
}

void fm_wave2d_add_sources(const fm_wave2d *wave, double f, const fm_real *weight, int64_t low,
                           int64_t high, fm_real *field) {
  for (int64_t k = 0; k < wave->shot->nsource; k++)
    fm_wave2d_add(wave, &wave->source[k], weight, (fm_real)(wave->shot->amplitude[k] * f), low,
                  high, field);
}

void fm_wave2d_add_residuals(const fm_wave2d *wave, int64_t n, int64_t low, int64_t high,
                             fm_real *field) {
  const int64_t m = wave->shot->nreceiver;

  for (int64_t k = 0; k < m; k++)
    fm_wave2d_add(wave, &wave->receiver[k], wave->v, wave->residual[n * m + k], low, high,
                  field);
}

/* ---- a pass ---- */

static void add_points(const fm_wave2d *wave, const wave2d_pass *pass, int64_t low,
                       int64_t high) {
  if (pass->weight)
    fm_wave2d_add_sources(wave, pass->source, pass->weight, low, high, pass->out->at);
  if (pass->residual) fm_wave2d_add_residuals(wave, pass->n, low, high, pass->out->at);
}

/* The rows at an end of the strip that the neighbour there needs. */
static void run_end(const fm_wave2d *wave, const wave2d_pass *pass, int64_t low, int64_t high) {
  const wave2d_block block = {low, (int)(high - low)};

  if (low == high) return;
  pass->rows(wave, pass, block, block);
  add_points(wave, pass, low, high);
}

PetscErrorCode fm_wave2d_run(const fm_wave2d *wave, const wave2d_pass *pass) {
  const wave2d_block *block = wave->order[pass->n & 1];

  PetscFunctionBegin;
  run_end(wave, pass, 0, wave->low);
  run_end(wave, pass, wave->high, wave->rows);
  PetscCall(fm_halo_start(&pass->out->halo));
  for (int64_t k = 0; k < wave->nblock; k++)
    pass->rows(wave, pass, block[k], block[PetscMin(k + 1, wave->nblock - 1)]);
  add_points(wave, pass, wave->low, wave->high);
  PetscCall(fm_wave2d_complete(wave, pass->out));
  PetscFunctionReturn(0);
}
