#include "wave2d_impl.h"

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

/* The layer above is rows 0 .. layer, the one below rows-1-layer .. rows-1: with the row beside
   it, where D- psi is not 0. */
static PetscErrorCode add_band(fm_wave2d *wave, const fm_pml *pml, int64_t first,
                               int64_t count) {
  wave2d_band *band = &wave->band[wave->nband++];

  PetscFunctionBegin;
  band->first = first - wave->strip.first;
  band->count = count;
  band->slot = wave->slots + 1;
  wave->slots += count + 2;
  PetscCall(PetscMalloc1((size_t)(count + 1), &band->row));
  for (int64_t k = 0; k <= count; k++) {
    const fm_pml_point p = fm_pml_at(pml, first + k);

    band->row[k] = (fm_layer_coefficients){(fm_real)p.a, (fm_real)p.b, (fm_real)p.half_a,
                                           (fm_real)p.half_b};
  }
  PetscFunctionReturn(0);
}

static int64_t whole(int64_t n) {
  return (n + FM_WAVE2D_LANES - 1) / FM_WAVE2D_LANES * FM_WAVE2D_LANES;
}

/* Columns first .. first+used-1 have psi or zeta; differences reach 4 columns further. */
static PetscErrorCode add_side(fm_wave2d *wave, const fm_pml *pml, int64_t first,
                               int64_t used) {
  fm_layer_columns *side = &wave->side[wave->nside++];
  const int64_t begin = PetscMax(first - 1, 0) / FM_WAVE2D_LANES * FM_WAVE2D_LANES;
  const int64_t end = PetscMin(first + used + 1, wave->columns);

  PetscFunctionBegin;
  side->first = begin;
  side->width = whole(end - begin);
  side->stride = side->width + FM_WAVE2D_LANES;
  side->used = first - begin;
  side->nused = used;
  side->scale = (fm_real)(1 / (pml->spacing * pml->spacing));
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
  if (left && right &&
      whole(left + FM_WAVE2D_HALO) > wave->columns - right - FM_WAVE2D_HALO - FM_WAVE2D_LANES) {
    PetscCall(add_side(wave, &pml, 0, wave->columns));
  } else {
    if (left) PetscCall(add_side(wave, &pml, 0, left));
    if (right) PetscCall(add_side(wave, &pml, wave->columns - right, right));
  }
  PetscFunctionReturn(0);
}

static int64_t add_blocks(wave2d_block *block, int64_t n, int64_t low, int64_t high) {
  for (int64_t z = low; z < high; z += FM_WAVE2D_BLOCK)
    block[n++] = (wave2d_block){z, (int)PetscMin(FM_WAVE2D_BLOCK, high - z)};
  return n;
}

/* psi goes from row to row in a band: bands are done downwards always. */
static PetscErrorCode create_order(fm_wave2d *wave) {
  int64_t low = 0, high = wave->rows, top = 0, n = 0;

  PetscFunctionBegin;
  for (int k = 0; k < wave->nband; k++)
    if (wave->band[k].first == 0)
      low = wave->band[k].count;
    else
      high = wave->band[k].first;
  PetscCall(PetscMalloc2(wave->rows, &wave->order[0], wave->rows, &wave->order[1]));
  top = add_blocks(wave->order[0], 0, 0, low);
  n = add_blocks(wave->order[0], top, low, high);
  wave->nblock = add_blocks(wave->order[0], n, high, wave->rows);
  int64_t m = 0;
  for (int64_t k = n; k < wave->nblock; k++) wave->order[1][m++] = wave->order[0][k];
  for (int64_t k = n - 1; k >= top; k--) wave->order[1][m++] = wave->order[0][k];
  for (int64_t k = 0; k < top; k++) wave->order[1][m++] = wave->order[0][k];
  PetscFunctionReturn(0);
}

/* No strip ends within a layer or 8 rows beside it: psi and zeta need no messages. */
PetscErrorCode fm_wave2d_layers_create(fm_wave2d *wave) {
  const fm_wave2d_spec *spec = &wave->spec;
  const fm_pml pml = profile(spec, FM_TOP, FM_BOTTOM, spec->nz, spec->dz);

  PetscFunctionBegin;
  if (pml.before && wave->strip.above == MPI_PROC_NULL)
    PetscCall(add_band(wave, &pml, 0, pml.before + 1));
  if (pml.behind && wave->strip.below == MPI_PROC_NULL)
    PetscCall(add_band(wave, &pml, pml.nodes - 1 - pml.behind, pml.behind + 1));
  PetscCall(create_sides(wave));
  PetscCall(create_order(wave));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_layers_destroy(fm_wave2d *wave) {
  PetscFunctionBegin;
  PetscCall(PetscFree2(wave->order[0], wave->order[1]));
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

static void list_rows(const fm_wave2d *wave, const fm_real *u, int64_t z, int n,
                      const fm_real **row) {
  for (int k = 0; k < n + 2 * FM_WAVE2D_HALO; k++)
    row[k] = u + (z + k - FM_WAVE2D_HALO) * wave->stride;
}

void fm_wave2d_plain(const fm_wave2d *wave, const fm_real *u, int64_t z, int n, fm_real *out) {
  const fm_real *row[FM_WAVE2D_BLOCK + 2 * FM_WAVE2D_HALO];

  list_rows(wave, u, z, n, row);
  fm_rows_laplace(&wave->stencil, row + FM_WAVE2D_HALO, n, wave->width, out);
}

static void band_rows(const fm_wave2d *wave, const wave2d_band *band, PetscBool transposed,
                      wave2d_state *state, const fm_real *const *row, int64_t z, int n,
                      fm_real *out) {
  const int64_t width = wave->width;

  for (int r = 0; r < n; r++) {
    const int64_t b = z + r - band->first, at = (band->slot + b) * width;
    fm_real *psi = state->psi_z + at, *zeta = state->zeta_z + at;

    if (transposed) {
      if (b == 0) fm_layer_row_filter(&band->row[0], width, row[0], zeta);
      fm_layer_row_transposed(&band->row[b], wave->scale_z, width, row + r, psi - width, psi,
                              zeta, out + r * width);
    } else {
      fm_layer_row(&band->row[b], wave->scale_z, width, row + r, psi - width, psi, zeta,
                   out + r * width);
    }
  }
}

static void differences(const fm_wave2d *wave, PetscBool transposed, wave2d_state *state,
                        const fm_real *u, int64_t z, int n, fm_real *out) {
  const wave2d_band *band = band_of(wave, z);
  const fm_real *row[FM_WAVE2D_BLOCK + 2 * FM_WAVE2D_HALO], **centre = row + FM_WAVE2D_HALO;

  list_rows(wave, u, z, n, row);
  fm_rows_laplace(&wave->stencil, centre, n, wave->width, out);
  if (band) band_rows(wave, band, transposed, state, centre, z, n, out);
  for (int k = 0; k < wave->nside; k++) {
    const fm_layer_columns *side = &wave->side[k];

    (transposed ? fm_columns_add_transposed : fm_columns_add)(
        side, n, u + z * wave->stride + side->first, wave->stride,
        state->psi_x[k] + z * side->stride, state->zeta_x[k] + z * side->stride,
        out + side->first, wave->width);
  }
}

void fm_wave2d_differences(const fm_wave2d *wave, wave2d_state *state, const fm_real *u,
                           int64_t z, int n, fm_real *out) {
  differences(wave, PETSC_FALSE, state, u, z, n, out);
}

void fm_wave2d_differences_transposed(const fm_wave2d *wave, wave2d_state *state,
                                      const fm_real *u, int64_t z, int n, fm_real *out) {
  differences(wave, PETSC_TRUE, state, u, z, n, out);
}
