#include "wave2d_impl.h"

#define HALO FM_WAVE2D_HALO

/* ---- set-up ---- */

static fm_pml profile(const fm_wave2d_spec *spec, int before, int behind, int64_t model,
                      double spacing) {
  return (fm_pml){.velocity = spec->layer_velocity,
                  .frequency = spec->layer_frequency,
                  .dt = spec->dt,
                  .spacing = spacing,
                  .nodes = model + spec->layer[before] + spec->layer[behind],
                  .before = spec->layer[before],
                  .behind = spec->layer[behind]};
}

/* Rows `first` .. first+count-1, in which psi or zeta of the rows used .. used+nused-1 are felt
   through a difference. */
static PetscErrorCode create_band(fm_wave2d *wave, const fm_pml *pml, int64_t first,
                                  int64_t count, int64_t used, int64_t nused) {
  wave2d_band *band = &wave->band[wave->nband++];

  PetscFunctionBegin;
  band->first = first - wave->strip.first;
  band->count = count;
  band->used = used - first;
  band->nused = nused;
  band->slot = wave->slots + HALO;
  wave->slots += count + 2 * HALO;
  PetscCall(PetscMalloc1((size_t)count, &band->row));
  for (int64_t k = 0; k < count; k++) {
    const fm_pml_point p = fm_pml_at(pml, first + k);

    band->row[k] = (fm_layer_coefficients){(fm_real)p.a, (fm_real)p.b, (fm_real)p.half_a,
                                           (fm_real)p.half_b};
  }
  PetscFunctionReturn(0);
}

static int64_t whole(int64_t n) {
  return (n + FM_WAVE2D_LANES - 1) / FM_WAVE2D_LANES * FM_WAVE2D_LANES;
}

static int64_t begin_of(int64_t first) {
  return PetscMax(first - HALO, 0) / FM_WAVE2D_LANES * FM_WAVE2D_LANES;
}

/* Columns first .. first+used-1 have psi or zeta; differences reach HALO columns further. */
static PetscErrorCode create_side(fm_wave2d *wave, const fm_pml *pml, int64_t first,
                                  int64_t used) {
  fm_layer_columns *side = &wave->side[wave->nside++];
  const int64_t begin = begin_of(first), end = PetscMin(first + used + HALO, wave->columns);

  PetscFunctionBegin;
  side->first = begin;
  side->width = whole(end - begin);
  side->stride = side->width + FM_WAVE2D_LANES;
  side->used = first - begin;
  side->nused = used;
  PetscCall(PetscCalloc4((size_t)side->width, &side->a, (size_t)side->width, &side->b,
                         (size_t)side->width, &side->half_a, (size_t)side->width,
                         &side->half_b));
  for (int64_t k = 0; k < side->width; k++) {
    const fm_pml_point p = fm_pml_at(pml, begin + k);

    side->a[k] = (fm_real)p.a;
    side->b[k] = (fm_real)p.b;
    side->half_a[k] = (fm_real)p.half_a;
    side->half_b[k] = (fm_real)p.half_b;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create_sides(fm_wave2d *wave) {
  const fm_wave2d_spec *spec = &wave->spec;
  const fm_pml pml = profile(spec, FM_LEFT, FM_RIGHT, spec->nx, spec->dx);
  const int64_t left = pml.before ? pml.before + 1 : 0;
  const int64_t right = pml.behind ? pml.behind + 1 : 0;

  PetscFunctionBegin;
  if (left && right && whole(left + HALO) > begin_of(wave->columns - right)) {
    PetscCall(create_side(wave, &pml, 0, wave->columns)); /* they would meet */
  } else {
    if (left) PetscCall(create_side(wave, &pml, 0, left));
    if (right) PetscCall(create_side(wave, &pml, wave->columns - right, right));
  }
  PetscFunctionReturn(0);
}

/* No strip ends within a layer or 8 rows beside it: psi and zeta need no messages. */
PetscErrorCode fm_wave2d_layers_create(fm_wave2d *wave) {
  const fm_wave2d_spec *spec = &wave->spec;
  const fm_pml pml = profile(spec, FM_TOP, FM_BOTTOM, spec->nz, spec->dz);
  const int64_t below = pml.nodes - pml.behind - HALO;

  PetscFunctionBegin;
  if (pml.before && wave->strip.above == MPI_PROC_NULL)
    PetscCall(create_band(wave, &pml, 0, pml.before + HALO, 0, pml.before));
  if (pml.behind && wave->strip.below == MPI_PROC_NULL)
    PetscCall(create_band(wave, &pml, below, pml.nodes - below, pml.nodes - 1 - pml.behind,
                          pml.behind + 1));
  PetscCall(create_sides(wave));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_layers_destroy(fm_wave2d *wave) {
  PetscFunctionBegin;
  for (int k = 0; k < wave->nband; k++) PetscCall(PetscFree(wave->band[k].row));
  for (int k = 0; k < wave->nside; k++) {
    fm_layer_columns *side = &wave->side[k];

    PetscCall(PetscFree4(side->a, side->b, side->half_a, side->half_b));
  }
  PetscFunctionReturn(0);
}

/* ---- differences ---- */

/* Band that local row z is in, or NULL. */
static const wave2d_band *band_of(const fm_wave2d *wave, int64_t z) {
  for (int k = 0; k < wave->nband; k++)
    if (z >= wave->band[k].first && z < wave->band[k].first + wave->band[k].count)
      return &wave->band[k];
  return NULL;
}

static void list_rows(const fm_wave2d *wave, const fm_real *u, wave2d_block block,
                      const fm_real **row) {
  for (int k = 0; k < block.count + 2 * FM_WAVE2D_HALO; k++)
    row[k] = u + (block.first + k - FM_WAVE2D_HALO) * wave->stride;
}

void fm_wave2d_plain(const fm_wave2d *wave, const fm_real *u, wave2d_block block,
                     fm_real *out) {
  const fm_real *row[FM_WAVE2D_BLOCK + 2 * FM_WAVE2D_HALO];

  list_rows(wave, u, block, row);
  fm_rows_laplace(&wave->stencil, row + FM_WAVE2D_HALO, block.count, wave->width, out);
}

static void add_band(const fm_wave2d *wave, wave2d_state *state, const fm_real *u,
                     wave2d_block block, fm_real *out) {
  const wave2d_band *band = band_of(wave, block.first);
  const int64_t width = wave->width;

  for (int r = 0; band && r < block.count; r++) {
    const int64_t b = block.first + r - band->first, at = (band->slot + b) * width;
    fm_real *psi = state->psi_z + at;

    fm_layer_row(&band->row[b], &wave->stencil, width, wave->stride,
                 u + (block.first + r) * wave->stride, psi - width, psi, state->zeta_z + at,
                 out + r * width);
  }
}

static void filter_band(const fm_wave2d *wave, const wave2d_band *band, wave2d_state *state,
                        const fm_real *u) {
  for (int64_t b = 0; b < band->count; b++)
    fm_layer_row_filter(&band->row[b], wave->width, u + (band->first + b) * wave->stride,
                        state->zeta_z + (band->slot + b) * wave->width);
}

static void add_band_transposed(const fm_wave2d *wave, wave2d_state *state, const fm_real *u,
                                wave2d_block block, fm_real *out) {
  const wave2d_band *band = band_of(wave, block.first);
  const int64_t width = wave->width;

  if (band && block.first == band->first) filter_band(wave, band, state, u);
  for (int r = 0; band && r < block.count; r++) {
    const int64_t b = block.first + r - band->first, at = (band->slot + b) * width;
    fm_real *psi = state->psi_z + at;

    fm_layer_row_transposed(&band->row[b], &wave->stencil, width, wave->stride,
                            u + (block.first + r) * wave->stride, psi - width, psi,
                            state->zeta_z + at, out + r * width);
  }
}

void fm_wave2d_differences(const fm_wave2d *wave, wave2d_state *state, const fm_real *u,
                           wave2d_block block, fm_real *out) {
  fm_wave2d_plain(wave, u, block, out);
  add_band(wave, state, u, block, out);
  for (int k = 0; k < wave->nside; k++) {
    const fm_layer_columns *side = &wave->side[k];
    const int64_t at = block.first * side->stride;

    fm_columns_add(side, &wave->stencil, block.count,
                   u + block.first * wave->stride + side->first, wave->stride,
                   state->psi_x[k] + at, state->zeta_x[k] + at, out + side->first, wave->width);
  }
}

void fm_wave2d_differences_transposed(const fm_wave2d *wave, wave2d_state *state,
                                      const fm_real *u, wave2d_block block, fm_real *out) {
  fm_wave2d_plain(wave, u, block, out);
  add_band_transposed(wave, state, u, block, out);
  for (int k = 0; k < wave->nside; k++) {
    const fm_layer_columns *side = &wave->side[k];
    const int64_t at = block.first * side->stride;

    fm_columns_add_transposed(side, &wave->stencil, block.count,
                              u + block.first * wave->stride + side->first, wave->stride,
                              state->psi_x[k] + at, state->zeta_x[k] + at, out + side->first,
                              wave->width);
  }
}
