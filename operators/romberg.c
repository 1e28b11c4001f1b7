/* romberg - compressed sensing: A = (R M)^T (R M), M the random convolution of mixing.h over
   the flattened image [rows][columns] and R the choice of ceil(n/s) random rows of n. R M has
   orthonormal rows, so that A is an orthogonal projection; its data are images, the adjoint of
   the measurements R M x, and say as much about x as these. The signs of M do not matter for A:
   on a kept row they meet themselves.
   Source: section 4.2 of Siahkoohi et al. (AABI 2021); Romberg (2009). */
#include "mixing.h"
#include "fathom/rng.h"
#include "projector.h"
#include <math.h>

const fm_option fm_romberg_options[] = {
    {"romberg_shape", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS, "image, ROWSxCOLUMNS"},
    {"romberg_subsampling", FM_OPTION_REAL, "2", FM_COMMANDS_PHYSICS,
     "one of so many rows of the random convolution is measured, at least 1"},
    {"romberg_seed", FM_OPTION_INTEGER, "1", FM_COMMANDS_PHYSICS,
     "seed of the random convolution and of the rows that are measured"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct romberg {
  fm_projector projector;
  fm_mixing mixing;
  double *row; /* [n] 1 where it is measured, else 0 */
} romberg;

static void project(fm_projector *p, double *v) {
  const romberg *s = (const romberg *)p;

  fm_mixing_apply(&s->mixing, v);
  for (int64_t i = 0; i < s->mixing.n; i++) v[i] *= s->row[i];
  fm_mixing_transpose(&s->mixing, v);
}

/* The first `count` of a random order are measured. */
static PetscErrorCode draw_rows(romberg *s, uint64_t seed, int64_t n, int64_t count) {
  int64_t *order;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &order));
  PetscCall(fm_calloc(n, &s->row));
  fm_rng_permutation((fm_rng){seed, FM_STREAM_ROMBERG}, FM_MIXING_STEPS, n, order);
  for (int64_t i = 0; i < count; i++) s->row[order[i]] = 1;
  PetscCall(PetscFree(order));
  PetscFunctionReturn(0);
}

static PetscErrorCode romberg_destroy(fm_operator *op) {
  romberg *s = (romberg *)op->data;

  PetscFunctionBegin;
  PetscCall(fm_projector_clear(&s->projector));
  PetscCall(fm_mixing_clear(&s->mixing));
  PetscCall(PetscFree(s->row));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

static const fm_operator_ops romberg_ops = {.linearize = fm_projector_linearize,
                                            .jvp = fm_projector_apply,
                                            .vjp = fm_projector_apply,
                                            .create_vecs = fm_projector_create_vecs,
                                            .restrict_data = fm_projector_restrict,
                                            .destroy = romberg_destroy};

static PetscErrorCode read_options(fm_operator *op, double *subsampling, int64_t *seed) {
  const char *text;
  int64_t shape[2];

  PetscFunctionBegin;
  PetscCall(fm_option_text("romberg_shape", &text));
  fm_check(text[0], op->space, PETSC_ERR_USER,
           "the operator romberg needs -romberg_shape ROWSxCOLUMNS, such as 64x64");
  PetscCall(fm_option_shape("romberg_shape", "rows and columns of the image", shape));
  PetscCall(fm_projector_shape(op, "romberg_shape", shape));
  PetscCall(fm_option_real("romberg_subsampling", subsampling));
  fm_check(*subsampling >= 1 && *subsampling <= (double)op->x_size, op->space, PETSC_ERR_USER,
           "-romberg_subsampling %.6g: one of S rows is measured, S from 1 to the %lld pixels",
           *subsampling, (long long)op->x_size);
  PetscCall(fm_option_integer_in("romberg_seed", 0, INT64_MAX, seed));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_romberg_create(fm_operator *op) {
  double subsampling;
  int64_t seed, count;
  romberg *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  op->data = s;
  op->ops = &romberg_ops;
  PetscCall(read_options(op, &subsampling, &seed));
  count = (int64_t)ceil((double)op->x_size / subsampling);
  PetscCall(fm_mixing_create(op->x_size, (uint64_t)seed, &s->mixing));
  PetscCall(draw_rows(s, (uint64_t)seed, op->x_size, count));
  PetscCall(fm_projector_setup(op, count, project));
  PetscCall(PetscSNPrintf(op->description, sizeof(op->description),
                          "romberg %lldx%lld, %lld of %lld rows, seed %lld",
                          (long long)op->x_rows, (long long)op->x_columns, (long long)count,
                          (long long)op->x_size, (long long)seed));
  PetscFunctionReturn(0);
}
