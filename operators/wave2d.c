#include "wave2d_impl.h"
#include <math.h>

#define LANES FM_WAVE2D_LANES

/* ---- create ---- */

/* Rows with their layers, of all ranks. */
static int64_t rows_of(const fm_wave2d_spec *spec) {
  return spec->nz + spec->layer[FM_TOP] + spec->layer[FM_BOTTOM];
}

int64_t fm_wave2d_most_ranks(const fm_wave2d_spec *spec) {
  const int64_t least =
      PetscMax(spec->layer[FM_TOP], spec->layer[FM_BOTTOM]) + 2 * FM_WAVE2D_HALO;

  return PetscMax(1, rows_of(spec) / least);
}

double fm_wave2d_limit(const fm_wave2d_spec *spec) {
  const double radius = fm_stencil_spectral_radius(spec->order, spec->dz, spec->dx);

  return sqrt((spec->time_order == 4 ? 12 : 4) / radius);
}

static PetscErrorCode check_spec(const fm_wave2d_spec *spec) {
  const int64_t most = fm_wave2d_most_ranks(spec);
  const int least = 2 * FM_WAVE2D_HALO; /* layers and a free surface do not feel each other */
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscAssert((spec->order == 2 || spec->order == 4 || spec->order == 6 || spec->order == 8) &&
                  (spec->time_order == 2 || spec->time_order == 4) && spec->steps > 0 &&
                  !(spec->free_surface && spec->layer[FM_TOP]),
              spec->comm, PETSC_ERR_PLIB, "a wave2d of no such order");
  fm_check(PetscMin(spec->nz, spec->nx) >= least, spec->comm, PETSC_ERR_USER,
           "a model of %" PRId64 "x%" PRId64 " nodes is too small; it takes %d a side",
           spec->nz, spec->nx, least);
  fm_check(spec->nz <= INT32_MAX / spec->nx, spec->comm, PETSC_ERR_USER,
           "a model of %" PRId64 "x%" PRId64 " nodes is too large; %d nodes are the most",
           spec->nz, spec->nx, INT32_MAX);
  PetscCallMPI(MPI_Comm_size(spec->comm, &size));
  fm_check(size <= most, spec->comm, PETSC_ERR_USER,
           "%d ranks cannot share the %" PRId64
           " rows of a shot: a strip has a layer and 8 rows, so that %" PRId64
           " is the most; take fewer ranks a sample, or split the shots",
           size, rows_of(spec), most);
  PetscFunctionReturn(0);
}

static void set_shape(fm_wave2d *wave) {
  const fm_wave2d_spec *spec = &wave->spec;

  wave->rows = wave->strip.count;
  wave->columns = spec->nx + spec->layer[FM_LEFT] + spec->layer[FM_RIGHT];
  wave->width = (wave->columns + LANES - 1) / LANES * LANES;
  wave->stride = wave->width + LANES;
  if (wave->stride / LANES % 2 == 0) wave->stride += LANES; /* rows meet in no cache set */
  fm_stencil_set(&wave->stencil, spec->order, spec->dz, spec->dx);
}

/* The plan is made of what all ranks hold together: the rank whose layers make its checkpoints
   largest, for its records, counts for all. */
PetscErrorCode fm_wave2d_tape_create(fm_wave2d *wave) {
  const fm_wave2d_spec *spec = &wave->spec;
  const int64_t rows = rows_of(spec);
  fm_tape_spec tape = {.steps = spec->steps - 1,
                       .record_bytes = wave->rows * wave->width * (int64_t)sizeof(fm_real),
                       .total_record_bytes = rows * wave->width * (int64_t)sizeof(fm_real),
                       .checkpoint_bytes = fm_wave2d_checkpoint_bytes(wave),
                       .bytes = spec->tape_bytes,
                       .option = "tape_memory"};
  const int64_t all = (tape.checkpoint_bytes * rows + wave->rows - 1) / wave->rows;

  PetscFunctionBegin;
  if (wave->tape || spec->steps < 2) PetscFunctionReturn(0);
  PetscCallMPI(
      MPI_Allreduce(&all, &tape.total_checkpoint_bytes, 1, MPI_INT64_T, MPI_MAX, spec->comm));
  PetscCall(fm_tape_create(&tape, &wave->tape));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_create(const fm_wave2d_spec *spec, fm_wave2d **out) {
  const int64_t rows = rows_of(spec);
  PetscErrorCode code;
  fm_wave2d *wave;

  PetscFunctionBegin;
  PetscCall(check_spec(spec));
  PetscCall(PetscNew(&wave));
  wave->spec = *spec;
  PetscCall(fm_strip_create(spec->comm, rows, &wave->strip));
  set_shape(wave);
  code = fm_wave2d_layers_create(wave);
  if (!code) code = fm_wave2d_order_create(wave);
  if (!code) code = fm_wave2d_memory_create(wave);
  if (!code && spec->tape_bytes) code = fm_wave2d_tape_create(wave);
  if (code) (void)fm_wave2d_destroy(&wave);
  PetscCall(code);
  *out = wave;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_wave2d_destroy(fm_wave2d **wave) {
  PetscFunctionBegin;
  if (!*wave) PetscFunctionReturn(0);
  PetscCall(fm_tape_destroy(&(*wave)->tape));
  PetscCall(fm_wave2d_memory_destroy(*wave));
  PetscCall(fm_wave2d_order_destroy(*wave));
  PetscCall(fm_wave2d_layers_destroy(*wave));
  PetscCall(PetscFree(*wave));
  PetscFunctionReturn(0);
}

void fm_wave2d_memory(const fm_wave2d *wave, int64_t *fields, int64_t *tape) {
  *fields = wave->arena_count * (int64_t)sizeof(fm_real) +
            wave->rows * wave->columns * (int64_t)sizeof(double);
  *tape = wave->tape
              ? fm_tape_bytes(wave->tape)
              : (wave->spec.steps - 1) * wave->rows * wave->width * (int64_t)sizeof(fm_real);
}

/* ---- the model ---- */

static int64_t clip(int64_t i, int64_t n) { return i < 0 ? 0 : i < n ? i : n - 1; }

int64_t fm_wave2d_model_node(const fm_wave2d *wave, int64_t z, int64_t x) {
  const fm_wave2d_spec *spec = &wave->spec;
  const int64_t row = clip(wave->strip.first + z - spec->layer[FM_TOP], spec->nz);

  return row * spec->nx + clip(x - spec->layer[FM_LEFT], spec->nx);
}

/* u stays 0 where this is true. */
static PetscBool is_surface(const fm_wave2d *wave, int64_t z) {
  return wave->spec.free_surface && wave->strip.first + z == 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fm_wave2d_set_velocity(fm_wave2d *wave, const double *c) {
  const double dt = wave->spec.dt;

  PetscFunctionBegin;
  for (int64_t z = 0; z < wave->rows; z++)
    for (int64_t x = 0; x < wave->columns; x++) {
      const double here = c[fm_wave2d_model_node(wave, z, x)];

      wave->c[z * wave->columns + x] = here;
      wave->v[z * wave->stride + x] =
          is_surface(wave, z) ? 0 : (fm_real)(here * here * dt * dt);
    }
  if (wave->tape) fm_tape_forget(wave->tape);
  PetscFunctionReturn(0);
}

void fm_wave2d_perturbation(const fm_wave2d *wave, const double *dc, fm_real *dv) {
  const double dt = wave->spec.dt;

  for (int64_t z = 0; z < wave->rows; z++)
    for (int64_t x = 0; x < wave->columns; x++)
      dv[z * wave->stride + x] = is_surface(wave, z)
                                     ? 0
                                     : (fm_real)(2 * wave->c[z * wave->columns + x] * dt * dt *
                                                 dc[fm_wave2d_model_node(wave, z, x)]);
}
