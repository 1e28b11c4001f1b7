/* What the files of wave2d share. */
#ifndef FATHOM_WAVE2D_IMPL_H
#define FATHOM_WAVE2D_IMPL_H

#include "pml.h"
#include "strip.h"
#include "tape.h"
#include "wave2d.h"
#include "wave2d_kernels.h"

/* A field of this rank's rows and HALO rows on both sides. */
typedef struct wave2d_field {
  fm_real *at; /* row 0, column 0 */
  fm_halo halo;
} wave2d_field;

/* Rows of the layer above or below, with the HALO rows beside it that a difference of its zeta
   reaches. */
typedef struct wave2d_band {
  int64_t first, count; /* local rows */
  int64_t used, nused;  /* rows with psi or zeta that are not 0, counted from the first */
  int64_t slot;         /* of the first in psi_z, zeta_z; HALO rows of zeros on both sides */
  fm_layer_coefficients *row; /* [count] */
} wave2d_band;

/* Rows that are done together: at most FM_WAVE2D_BLOCK, all in one band or in none. */
typedef struct wave2d_block {
  int64_t first;
  int count;
} wave2d_block;

/* A wave: u^n is u[now], u^{n-1} is u[!now] until it becomes u^{n+1}; psi and zeta are what its
   layers remember. */
typedef struct wave2d_state {
  wave2d_field u[2];
  int now;
  fm_real *psi_z, *zeta_z;       /* [slots][width] */
  fm_real *psi_x[2], *zeta_x[2]; /* [rows][stride] of the columns */
} wave2d_state;

/* A source or receiver on this rank. */
typedef struct wave2d_node {
  int64_t at;        /* of its first node, from a field's `at` */
  int64_t row;       /* of that node; may be another rank's */
  int64_t low, high; /* rows low .. high-1 of its support are own rows */
  int nz, nx;
  PetscBool mine; /* this rank has the central row, and sums */
  fm_real wz[FM_WAVE2D_SUPPORT], wx[FM_WAVE2D_SUPPORT];
} wave2d_node;

/* One pass over all rows, which makes `out`: rows() does a block, knowing the one that follows;
   then sources times weight and source, or the residuals of step n, are added. */
typedef struct wave2d_pass wave2d_pass;
typedef void (*wave2d_rows)(const fm_wave2d *, const wave2d_pass *, wave2d_block block,
                            wave2d_block following);
struct wave2d_pass {
  wave2d_rows rows;
  wave2d_field *out;
  int64_t n;
  wave2d_state *state;
  fm_real *record;       /* [rows][width] or NULL */
  const fm_real *weight; /* field; NULL: no sources */
  double source;
  PetscBool residual;
};

struct fm_wave2d {
  fm_wave2d_spec spec;
  fm_strip strip;
  int64_t rows, columns; /* of this rank, layers included */
  int64_t width, stride; /* of a row: what is computed, and from one to the next */
  fm_stencil stencil;
  int nband, nside;
  wave2d_band band[2];
  fm_layer_columns side[2];
  int64_t slots;                 /* rows of psi_z and zeta_z */
  int64_t low, high;             /* rows that no neighbour needs */
  int64_t nblock;                /* these in blocks, downwards for even steps and upwards for */
  wave2d_block *order[2];        /* odd ones, so that what caches hold is used first */
  wave2d_state forward, adjoint; /* adjoint is the perturbation in Born, too */
  wave2d_field w, h;             /* order 4 in time: V a and its like; not there in order 2 */
  fm_real *v;                    /* field; c^2 dt^2, 0 where u stays 0 */
  fm_real *image;                /* field; sum of q a */
  fm_real *record;               /* [rows][width] of the step at hand, in Born */
  fm_real *buffer, *buffer2;     /* [FM_WAVE2D_BLOCK][width] */
  fm_real *dv;                   /* field; of Born */
  double *c;                     /* [rows][columns] m/s */
  fm_real *arena;                /* holds all of the above but c */
  int64_t arena_count;
  fm_tape *tape;
  const fm_wave2d_shot *shot; /* the one at hand, and its points */
  wave2d_node *source, *receiver;
  fm_real *trace;
  const fm_real *residual;
};

/* ---- wave2d.c ---- */

/* fm_wave2d_tape_create - unless there is one. Collective on comm. */
PetscErrorCode fm_wave2d_tape_create(fm_wave2d *wave);
/* fm_wave2d_model_node - node of the model that local row z, column x repeats. */
int64_t fm_wave2d_model_node(const fm_wave2d *wave, int64_t z, int64_t x);
/* fm_wave2d_perturbation - dv = 2 c dt^2 dc, a field. */
void fm_wave2d_perturbation(const fm_wave2d *wave, const double *dc, fm_real *dv);

/* ---- wave2d_layers.c ---- */

PetscErrorCode fm_wave2d_layers_create(fm_wave2d *wave);
PetscErrorCode fm_wave2d_layers_destroy(fm_wave2d *wave);
/* fm_wave2d_differences - out = L u, or L^T u, in a block; moves the layers' memory on, so each
   row once a step. out [block.count][width]. */
void fm_wave2d_differences(const fm_wave2d *wave, wave2d_state *state, const fm_real *u,
                           wave2d_block block, fm_real *out);
void fm_wave2d_differences_transposed(const fm_wave2d *wave, wave2d_state *state,
                                      const fm_real *u, wave2d_block block, fm_real *out);
/* fm_wave2d_plain - out = L0 u, without the layers. */
void fm_wave2d_plain(const fm_wave2d *wave, const fm_real *u, wave2d_block block, fm_real *out);

/* ---- wave2d_state.c ---- */

/* fm_wave2d_memory_create - all fields, from one allocation. */
PetscErrorCode fm_wave2d_memory_create(fm_wave2d *wave);
PetscErrorCode fm_wave2d_memory_destroy(fm_wave2d *wave);
void fm_wave2d_zero(const fm_wave2d *wave, wave2d_state *state);
int64_t fm_wave2d_checkpoint_bytes(const fm_wave2d *wave);
void fm_wave2d_save(const fm_wave2d *wave, const wave2d_state *state, void *checkpoint);
PetscErrorCode fm_wave2d_restore(const fm_wave2d *wave, wave2d_state *state,
                                 const void *checkpoint);
/* fm_wave2d_complete - rows of the neighbours, which are under way, have arrived; above a free
   surface there are mirrored ones. */
PetscErrorCode fm_wave2d_complete(const fm_wave2d *wave, wave2d_field *field);

/* ---- wave2d_points.c ---- */

PetscErrorCode fm_wave2d_points_create(const fm_wave2d *wave, int64_t n,
                                       const fm_wave2d_point *point, wave2d_node **node);
/* fm_wave2d_add - field += weight value at a point's nodes in the rows low .. high-1. */
void fm_wave2d_add(const fm_wave2d *wave, const wave2d_node *node, const fm_real *weight,
                   fm_real value, int64_t low, int64_t high, fm_real *field);
/* fm_wave2d_sample - trace[i] = u at receiver i, where it is mine. */
void fm_wave2d_sample(const fm_wave2d *wave, const fm_real *u, fm_real *trace);

/* ---- wave2d_pass.c ---- */

PetscErrorCode fm_wave2d_order_create(fm_wave2d *wave);
PetscErrorCode fm_wave2d_order_destroy(fm_wave2d *wave);
/* fm_wave2d_source - f^n of s^n, and what order 4 in time adds to it: dt^2 f_tt/12. */
double fm_wave2d_source(const fm_wave2d *wave, int64_t n);
double fm_wave2d_source_change(const fm_wave2d *wave, int64_t n);
/* fm_wave2d_add_sources - field += weight f sum_s a_s delta_s, in the rows low .. high-1. */
void fm_wave2d_add_sources(const fm_wave2d *wave, double f, const fm_real *weight, int64_t low,
                           int64_t high, fm_real *field);
/* fm_wave2d_add_residuals - field += V R^T r^n. */
void fm_wave2d_add_residuals(const fm_wave2d *wave, int64_t n, int64_t low, int64_t high,
                             fm_real *field);
/* fm_wave2d_run - a pass. What neighbours need is made and sent first. */
PetscErrorCode fm_wave2d_run(const fm_wave2d *wave, const wave2d_pass *pass);

/* ---- wave2d_step.c ---- */

/* fm_wave2d_step - u^n to u^{n+1}; record NULL: none is kept. */
PetscErrorCode fm_wave2d_step(fm_wave2d *wave, int64_t n, fm_real *record);
/* fm_wave2d_step_born - the background's step and the perturbation's. */
PetscErrorCode fm_wave2d_step_born(fm_wave2d *wave, int64_t n);
/* fm_wave2d_start_back - q^{N-1} = V R^T r^{N-1}, N the steps. */
PetscErrorCode fm_wave2d_start_back(fm_wave2d *wave);
/* fm_wave2d_step_back - the image of step n, then q^{n+1} to q^n. */
PetscErrorCode fm_wave2d_step_back(fm_wave2d *wave, int64_t n, const fm_real *record);

#endif
