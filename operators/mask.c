/* mask - d = m . x with m of 0 and 1, model and data one image [rows][columns]: pixels or whole
   traces (columns) that are measured. An orthogonal projection. */
#include "fathom/rng.h"
#include "fathom/store.h"
#include "projector.h"
#include <math.h>

const fm_option fm_mask_options[] = {
    {"mask_shape", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "image, ROWSxCOLUMNS; default: that of -mask_file"},
    {"mask_kind", FM_OPTION_TEXT, "pixels", FM_COMMANDS_PHYSICS,
     "what is kept or left out as one, traces are columns: pixels|traces"},
    {"mask_keep", FM_OPTION_REAL, "0.5", FM_COMMANDS_PHYSICS,
     "share of the pixels or traces that are kept, drawn at random"},
    {"mask_seed", FM_OPTION_INTEGER, "1", FM_COMMANDS_PHYSICS, "seed of that draw"},
    {"mask_file", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "the mask itself, 1 for what is kept and 0 for the rest: FILE:/dataset [rows][columns] or "
     "a list"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct mask {
  fm_projector projector;
  int64_t n;
  double *keep;    /* [rows][columns] 1 or 0 */
  char origin[64]; /* for the description */
} mask;

static void project(fm_projector *p, double *v) {
  const mask *s = (const mask *)p;

  for (int64_t i = 0; i < s->n; i++) v[i] = s->keep[i] == 1 ? v[i] : 0;
}

static PetscErrorCode mask_destroy(fm_operator *op) {
  mask *s = (mask *)op->data;

  PetscFunctionBegin;
  PetscCall(fm_projector_clear(&s->projector));
  PetscCall(PetscFree(s->keep));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

static const fm_operator_ops mask_ops = {.linearize = fm_projector_linearize,
                                         .jvp = fm_projector_apply,
                                         .vjp = fm_projector_apply,
                                         .create_vecs = fm_projector_create_vecs,
                                         .restrict_data = fm_projector_restrict,
                                         .destroy = mask_destroy};

/* ---- shape ---- */

/* A file [..][rows][columns] knows its shape; a list needs -mask_shape. */
static PetscErrorCode settle_shape(fm_operator *op, int ndim, const int64_t *given) {
  const int64_t *last = given + PetscMax(ndim - 2, 0);
  int64_t shape[2], count = 1;
  const char *text;

  PetscFunctionBegin;
  for (int d = 0; d < ndim; d++) count *= given[d];
  PetscCall(fm_option_text("mask_shape", &text));
  fm_check(text[0] || ndim >= 2, op->space, PETSC_ERR_USER,
           "the operator mask needs -mask_shape ROWSxCOLUMNS, such as 64x64, or -mask_file "
           "FILE:/dataset [rows][columns]");
  if (text[0])
    PetscCall(fm_option_shape("mask_shape", "rows and columns of the image", shape));
  else
    PetscCall(PetscArraycpy(shape, last, 2));
  PetscCall(fm_projector_shape(op, text[0] ? "mask_shape" : "mask_file", shape));
  if (ndim >= 2)
    fm_check(last[0] == shape[0] && last[1] == shape[1] && count == op->x_size, op->space,
             PETSC_ERR_USER,
             "-mask_file is %lld numbers, the last dimensions [%lld][%lld]: one image of "
             "[%lld][%lld] is needed",
             (long long)count, (long long)last[0], (long long)last[1], (long long)shape[0],
             (long long)shape[1]);
  else if (ndim == 1)
    fm_check(count == op->x_size, op->space, PETSC_ERR_USER,
             "-mask_file has %lld numbers, an image of -mask_shape %s has %lld",
             (long long)count, text, (long long)op->x_size);
  PetscFunctionReturn(0);
}

/* ---- what is kept ---- */

static PetscErrorCode take_file(fm_operator *op, mask *s, const double *given, int64_t *rank) {
  PetscFunctionBegin;
  *rank = 0;
  for (int64_t i = 0; i < s->n; i++) {
    fm_check(given[i] == 0 || given[i] == 1, op->space, PETSC_ERR_USER,
             "-mask_file takes 0 and 1: got %.6g at row %lld, column %lld", given[i],
             (long long)(i / op->x_columns), (long long)(i % op->x_columns));
    s->keep[i] = given[i];
    *rank += given[i] == 1;
  }
  fm_check(*rank, op->space, PETSC_ERR_USER, "-mask_file keeps none of the %lld pixels",
           (long long)s->n);
  PetscFunctionReturn(0);
}

/* The first ones of a random order of the pixels, or of the columns, are kept. */
static PetscErrorCode draw(fm_operator *op, mask *s, int64_t *rank) {
  int64_t seed, units, count, *order;
  double share;
  int traces;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("mask_keep", 0, 1, &share));
  PetscCall(fm_option_choice("mask_kind", "pixels|traces", &traces));
  PetscCall(fm_option_integer_in("mask_seed", 0, INT64_MAX, &seed));
  units = traces ? op->x_columns : s->n;
  count = llround(share * (double)units);
  fm_check(count, op->space, PETSC_ERR_USER, "-mask_keep %.6g keeps none of the %lld %s", share,
           (long long)units, traces ? "traces" : "pixels");
  PetscCall(fm_calloc(units, &order));
  fm_rng_permutation((fm_rng){(uint64_t)seed, FM_STREAM_MASK}, 0, units, order);
  for (int64_t k = 0; k < count; k++)
    for (int64_t i = order[k]; i < s->n; i += units) s->keep[i] = 1;
  PetscCall(PetscFree(order));
  *rank = count * (s->n / units);
  PetscCall(PetscSNPrintf(s->origin, sizeof(s->origin), "%s of seed %lld",
                          traces ? "traces" : "pixels", (long long)seed));
  PetscFunctionReturn(0);
}

static PetscErrorCode choose(fm_operator *op, mask *s, const double *given, int64_t *rank) {
  static const char *const others[] = {"mask_keep", "mask_kind", "mask_seed"};
  PetscBool both;

  PetscFunctionBegin;
  s->n = op->x_size;
  PetscCall(fm_calloc(s->n, &s->keep));
  for (int k = 0; given && k < 3; k++) {
    PetscCall(fm_option_given(others[k], &both));
    fm_check(!both, op->space, PETSC_ERR_USER,
             "-%s is for a mask that is drawn: leave it out, or -mask_file", others[k]);
  }
  PetscCall(PetscStrcpy(s->origin, "as given"));
  if (given)
    PetscCall(take_file(op, s, given, rank));
  else
    PetscCall(draw(op, s, rank));
  PetscFunctionReturn(0);
}

/* Shape and pixels, from -mask_file or drawn. */
static PetscErrorCode read_mask(fm_operator *op, mask *s, int64_t *rank) {
  int64_t shape[FM_STORE_NDIM];
  PetscErrorCode code;
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(op->space, "mask_file", &ndim, shape, &given));
  code = settle_shape(op, ndim, shape);
  if (!code) code = choose(op, s, given, rank);
  PetscCall(PetscFree(given));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_mask_create(fm_operator *op) {
  int64_t rank;
  mask *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  op->data = s;
  op->ops = &mask_ops;
  PetscCall(read_mask(op, s, &rank));
  PetscCall(fm_projector_setup(op, rank, project));
  PetscCall(PetscSNPrintf(op->description, sizeof(op->description),
                          "mask %lldx%lld, %lld of %lld pixels, %s", (long long)op->x_rows,
                          (long long)op->x_columns, (long long)rank, (long long)op->x_size,
                          s->origin));
  PetscFunctionReturn(0);
}
