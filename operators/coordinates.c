#include "coordinates.h"
#include "fathom/options.h"
#include <math.h>

PetscErrorCode fm_coordinates_map(fm_coordinates *c, const double *x, double *s) {
  const int64_t nodes = c->nz * c->nx;

  PetscFunctionBegin;
  if (c->informed) {
    fm_informed_power(c->informed, -0.5, x, c->work);
    x = c->work;
  }
  if (c->kind == FM_COORDINATES_NODES) PetscCall(PetscArraycpy(s, x, (size_t)nodes));
  if (c->kind == FM_COORDINATES_MATERN) PetscCall(fm_matern_colour(c->matern, x, s));
  if (c->kind != FM_COORDINATES_MODES) PetscFunctionReturn(0);
  PetscCall(PetscArrayzero(s, (size_t)nodes));
  for (int64_t k = 0; k < c->size; k++)
    for (int64_t i = 0; i < nodes; i++) s[i] += x[k] * c->modes[k * nodes + i];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_coordinates_transpose(fm_coordinates *c, const double *s_bar, double *x_bar) {
  const int64_t nodes = c->nz * c->nx;

  PetscFunctionBegin;
  if (c->kind == FM_COORDINATES_NODES) PetscCall(PetscArraycpy(x_bar, s_bar, (size_t)nodes));
  if (c->kind == FM_COORDINATES_MATERN)
    PetscCall(fm_matern_colour_transpose(c->matern, s_bar, x_bar));
  for (int64_t k = 0; c->kind == FM_COORDINATES_MODES && k < c->size; k++) {
    double sum = 0;

    for (int64_t i = 0; i < nodes; i++) sum += s_bar[i] * c->modes[k * nodes + i];
    x_bar[k] = sum;
  }
  if (c->informed) fm_informed_power(c->informed, -0.5, x_bar, x_bar);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_coordinates_inverse(fm_coordinates *c, const double *s, double *x) {
  const int64_t nodes = c->nz * c->nx;
  double most = 0;

  PetscFunctionBegin;
  if (c->kind == FM_COORDINATES_NODES) PetscCall(PetscArraycpy(x, s, (size_t)nodes));
  if (c->kind == FM_COORDINATES_MATERN) {
    PetscCall(fm_matern_whiten(c->matern, s, x));
    if (c->informed) fm_informed_power(c->informed, 0.5, x, x);
  }
  if (c->kind != FM_COORDINATES_MODES) PetscFunctionReturn(0);
  for (int64_t i = 0; i < nodes; i++) most = fmax(most, fabs(s[i]));
  PetscCheck(most == 0, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "a field of %g is not among the modes: only 0 has coordinates", most);
  PetscCall(PetscArrayzero(x, (size_t)c->size));
  PetscFunctionReturn(0);
}

/* ---- from options ---- */

static PetscErrorCode make_modes(MPI_Comm comm, fm_coordinates *c) {
  const int64_t nodes = c->nz * c->nx;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("acoustic_modes", 1, 4096, &c->size));
  fm_check(c->size <= nodes / 4, comm, PETSC_ERR_USER,
           "-acoustic_modes %lld of %lld nodes: at most a quarter, take -acoustic_coordinates "
           "matern",
           (long long)c->size, (long long)nodes);
  PetscCall(fm_calloc(c->size * nodes, &c->modes));
  PetscCall(fm_matern_modes(c->matern, c->size, c->modes, &c->share));
  PetscFunctionReturn(0);
}

static PetscErrorCode load_informed(MPI_Comm comm, fm_coordinates *c) {
  const char *file;

  PetscFunctionBegin;
  PetscCall(fm_option_text("acoustic_informed", &file));
  if (!file[0]) PetscFunctionReturn(0);
  fm_check(c->kind != FM_COORDINATES_NODES, comm, PETSC_ERR_USER,
           "-acoustic_informed is for coordinates whose prior is white: -acoustic_coordinates "
           "matern or modes");
  PetscCall(fm_informed_load(comm, file, c->size, &c->informed));
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(MPI_Comm comm, fm_coordinates *c) {
  int kind;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("acoustic_coordinates", FM_COORDINATES, &kind));
  c->kind = (fm_coordinate_kind)kind;
  c->size = c->nz * c->nx;
  if (c->kind != FM_COORDINATES_NODES)
    PetscCall(fm_matern_read(comm, c->nz, c->nx, &c->matern));
  if (c->kind == FM_COORDINATES_MODES) PetscCall(make_modes(comm, c));
  PetscCall(load_informed(comm, c));
  PetscCall(fm_calloc(c->size, &c->work));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_coordinates_create(MPI_Comm comm, int64_t nz, int64_t nx,
                                     fm_coordinates **out) {
  PetscErrorCode code;
  fm_coordinates *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  c->nz = nz;
  c->nx = nx;
  code = fill(comm, c);
  if (code) PetscCall(fm_coordinates_destroy(&c));
  PetscCall(code);
  *out = c;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_coordinates_destroy(fm_coordinates **out) {
  fm_coordinates *c = *out;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(0);
  PetscCall(fm_matern_destroy(&c->matern));
  PetscCall(fm_informed_destroy(&c->informed));
  PetscCall(PetscFree(c->modes));
  PetscCall(PetscFree(c->work));
  PetscCall(PetscFree(*out));
  PetscFunctionReturn(0);
}
