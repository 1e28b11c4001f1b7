/* fm_operator - the physics: d = F(x), a list of parts (shots, frequencies; a dense matrix has
   one).

   forward means the PDE only. Vec is PETSc's, always double, laid out on the operator's space
   communicator. */
#ifndef FATHOM_OPERATOR_H
#define FATHOM_OPERATOR_H

#include "fathom/types.h"
#include <petscvec.h>

typedef struct fm_operator fm_operator;

/* Solves counted in parts. useful: what the method asked for; spent: repeats after a kill
   included; diagnostic: evaluation. */
typedef enum fm_solve {
  FM_SOLVE_F = 0,
  FM_SOLVE_J = 1,
  FM_SOLVE_JT = 2,
  FM_SOLVE_KINDS = 3
} fm_solve;
typedef enum fm_purpose { FM_USEFUL = 0, FM_DIAGNOSTIC = 1, FM_PURPOSES = 2 } fm_purpose;
typedef struct fm_ledger {
  int64_t count[FM_PURPOSES][FM_SOLVE_KINDS];
} fm_ledger;

/* fm_operator_create - an operator by its name in operators.def; it reads its own options
   (declared in its file).
   Collective on space. Fails on an unknown name (names the known ones) and on options that do
   not fit. */
PetscErrorCode fm_operator_create(MPI_Comm space, const char *name, fm_operator **op);
PetscErrorCode fm_operator_destroy(fm_operator **op);

/* fm_operator_home - the unknown [x_size] of the model that priors are about, where x = 0 is
   another one that the operator is linearised at; NULL: that is x = 0. Borrowed. */
const double *fm_operator_home(const fm_operator *op);
PetscErrorCode fm_operator_sizes(fm_operator *op, int64_t *x_size, int64_t *d_size);
/* fm_operator_grid - x is [rows][columns]; 0 and 0: a plain vector. */
void fm_operator_grid(const fm_operator *op, int64_t *rows, int64_t *columns);
/* fm_operator_data_grid - d is an image [rows][columns]; 0 and 0: it is not. */
void fm_operator_data_grid(const fm_operator *op, int64_t *rows, int64_t *columns);

/* fm_operator_traces - d of every part is [receiver][time], *samples of them *dt seconds apart;
   0 and 0: it is not. */
void fm_operator_traces(const fm_operator *op, int64_t *samples, double *dt);

/* fm_operator_wavelet - the dominant frequency of what the sources send, Hz; 0: not known. And
   whether x = 0 is the background model. */
void fm_operator_wavelet(const fm_operator *op, double *frequency, PetscBool *background);

/* What an unknown means. */
typedef struct fm_model_grid {
  int64_t rows,
      columns;       /* of the physical model; 0 and 0: the unknown itself is all there is */
  double spacing[2]; /* m, between rows and columns */
  const char *unit;  /* "m/s" */
  double low, high;  /* what its numbers lie between, and none reaches; both 0: anything */
} fm_model_grid;

/* fm_operator_model_grid - the grid of the physical model. */
fm_model_grid fm_operator_model_grid(const fm_operator *op);
/* fm_operator_model - the physical model of an unknown: for acoustic waves the velocity at the
   nodes. Not collective.
   x      in   [x_size]
   model  out  [rows][columns] of fm_operator_model_grid
   Fails with PETSC_ERR_SUP where that has no rows. Cost: no solve. */
PetscErrorCode fm_operator_model(fm_operator *op, const double *x, double *model);

/* fm_operator_unknown - the unknown x [x_size] whose physical model is model [rows][columns]:
   the inverse of fm_operator_model. Not collective. Fails with PETSC_ERR_SUP where models have
   no unknown (modes), and (user error, on one rank) where this one has none: a velocity beyond
   the bounds of `bounded`. */
PetscErrorCode fm_operator_unknown(fm_operator *op, const double *model, double *x);

/* fm_operator_model_density - what turns a density p(c) of physical models c into one of the
   unknown, p(c(x)) |det dc/dx|.
   log_det    out  log |det dc/dx| at x; not finite where there is none: a model that has not as
                   many free nodes as x has numbers (modes, frozen nodes)
   model_bar  in   [rows][columns] d log p / dc at c(x); not read where x_bar is NULL
   x_bar      out  [x_size] d (log p(c(x)) + log |det dc/dx|) / dx; NULL: not wanted
   Not collective. Fails with PETSC_ERR_SUP where the operator has no model. Cost: no solve. */
PetscErrorCode fm_operator_model_density(fm_operator *op, const double *x,
                                         const double *model_bar, double *x_bar,
                                         double *log_det);

/* fm_operator_model_fits - refuse (user error, on comm) images of other sides than the models
   of op; `what` names them in the sentence. Where op is NULL or has no grid everything fits. */
PetscErrorCode fm_operator_model_fits(fm_operator *op, MPI_Comm comm, const char *what,
                                      const int64_t shape[2]);

/* fm_operator_restrict - d = P d, the orthogonal projection onto the subspace where the data
   lie: F(x) = P F(x) for every x. Noise is P e; of observed data what P removes says nothing
   about x. Without such a subspace P is the identity. Not collective.
   d   in, out   [d_size], all of it on every rank
   Cost: as the operator says, at most one solve's; not counted in the ledger. */
PetscErrorCode fm_operator_restrict(fm_operator *op, double *d);
/* fm_operator_rank - the dimension of that subspace, that is the number of data that a
   likelihood counts; d_size where there is none. */
int64_t fm_operator_rank(const fm_operator *op);

/* fm_operator_parts - number of parts; a part's d has fm_operator_part_size entries, which
   follow one another in y. */
PetscErrorCode fm_operator_parts(fm_operator *op, PetscInt *n);
PetscErrorCode fm_operator_part_range(fm_operator *op, PetscInt part, int64_t *first,
                                      int64_t *count);

/* fm_operator_groups - the ranks of space form *count groups, which may make different parts at
   the same time; this rank is in group *mine. A solve is collective on its group: where count
   is 1 that is space, otherwise one rank. Callers share the parts out. */
PetscErrorCode fm_operator_groups(fm_operator *op, PetscInt *count, PetscInt *mine);

/* fm_operator_create_vecs - a model vector and a data vector of one part, with the operator's
   layout; x or d may be NULL. Entry i of a Vec is entry i of its copy on every rank (gather.h),
   and x has one layout for all parts. The caller destroys. */
PetscErrorCode fm_operator_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d);

/* fm_operator_linearize - d = F(x) of one part, and keep what jvp and vjp need (the tape).
   Collective on the group. Cost: one forward solve. A solve that fails returns with *ok false:
   the sample is dropped, not the run; fm_operator_reason may say why. */
PetscErrorCode fm_operator_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                     PetscBool *ok);
/* fm_operator_jvp - dd = F'(x) dx at the x of the last linearize. Fails with PETSC_ERR_ORDER
   when nothing was linearized.
   Collective on the group. Cost: one linearised solve. */
PetscErrorCode fm_operator_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd);
/* fm_operator_vjp - gx = F'(x)^T dd at the x of the last linearize; gx is overwritten.
   Collective on the group.
   Fails with PETSC_ERR_ORDER when nothing was linearized. Cost: one adjoint solve. */

/* fm_operator_set_taped - whether a jvp or vjp may follow the next linearize (the default);
   without, a linearize need not keep a tape. They stay right either way. */
void fm_operator_set_taped(fm_operator *op, PetscBool taped);
/* fm_operator_reason - why the last solve that failed did so, one clause; "" where unknown.
   Borrowed; of this rank's group. */
const char *fm_operator_reason(fm_operator *op);

/* fm_operator_encode - from now on a solve of any part is one of the supershot
   d = sum_p sign_p F_p(x), with the layout of that part's data, and counts as one solve;
   sign NULL: single parts again. The supershots' misfits with random signs of mean 0 have the
   mean of the sum of all parts' misfits where the parts share noise and mask.
   sign   in   [nparts], +-1; copied
   Fails (user error) where the operator cannot, or where its parts differ in receivers or
   times.
   Source: Krebs et al., "Fast full-wavefield seismic inversion using encoded sources",
   Geophysics 74 (2009). */
PetscErrorCode fm_operator_encode(fm_operator *op, const double *sign);
PetscErrorCode fm_operator_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx);

/* fm_operator_set_purpose - what the following solves are counted as. Returns the old purpose
   in *old (may be NULL). */
PetscErrorCode fm_operator_set_purpose(fm_operator *op, fm_purpose purpose, fm_purpose *old);
/* fm_operator_ledger - solves that the ranks of space made since creation; one shared by
   several ranks counts once. Collective on space. */
PetscErrorCode fm_operator_ledger(fm_operator *op, fm_ledger *ledger);

/* fm_operator_describe - one line for people and the checkpoint, e.g. "dense 2x2". Borrowed. */
const char *fm_operator_describe(fm_operator *op);

/* fm_operator_dot_test - *error = |<J dx, dd> - <dx, J^T dd>| / (|J dx| |dd|) of one part, for
   random dx and dd of N(0, 1) entries, named by `seed`. Collective on space.
   model   in   [x_size], the same on all ranks: where J is taken
   Fails where the solve at the model does. Cost: one F, one J, one J^T. */
PetscErrorCode fm_operator_dot_test(fm_operator *op, PetscInt part, const fm_real *model,
                                    uint64_t seed, double *error);

/* The names in operators.def, for help and for sentences. */
int fm_operator_count(void);
const char *fm_operator_name(int i);
const char *fm_operator_help(int i);
/* fm_operators_declare_options - declare the option tables of all operators. */
PetscErrorCode fm_operators_declare_options(void);

#endif
