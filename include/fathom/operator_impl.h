/* To implement an operator: one file that includes this, and one line in operators.def.

   operators/foo.c defines
       const fm_option fm_foo_options[];                     ends with a NULL name; may hold the
       end alone
       PetscErrorCode  fm_foo_create(fm_operator *op);       reads its options, fills the fields
       below
   and operators.def gets   FM_OPERATOR(foo, "one help sentence")   */
#ifndef FATHOM_OPERATOR_IMPL_H
#define FATHOM_OPERATOR_IMPL_H

#include "fathom/operator.h"
#include "fathom/options.h"

typedef struct fm_operator_ops {
  /* d = F(x) of a part; keep the tape; *ok false where the solve failed. */
  PetscErrorCode (*linearize)(fm_operator *op, PetscInt part, Vec x, Vec d, PetscBool *ok);
  PetscErrorCode (*jvp)(fm_operator *op, PetscInt part, Vec dx, Vec dd);
  PetscErrorCode (*vjp)(fm_operator *op, PetscInt part, Vec dd, Vec gx);
  PetscErrorCode (*create_vecs)(fm_operator *op, PetscInt part, Vec *x, Vec *d);
  PetscErrorCode (*part_range)(fm_operator *op, PetscInt part, int64_t *first,
                               int64_t *count); /* NULL: one part, all of d */
  /* see fm_operator_encode; NULL: it cannot. Refuses with a sentence where the parts' data do
     not have one layout. */
  PetscErrorCode (*encode)(fm_operator *op, const double *sign);
  /* see fm_operator_restrict; NULL: the data lie anywhere. Goes with `rank`. */
  PetscErrorCode (*restrict_data)(fm_operator *op, double *d);
  /* see fm_operator_model; NULL: the unknown is the model. Goes with model_rows and so on. */
  PetscErrorCode (*model)(fm_operator *op, const double *x, double *model);
  /* see fm_operator_unknown; NULL: it cannot */
  PetscErrorCode (*unknown)(fm_operator *op, const double *model, double *x);
  /* see fm_operator_model_density; NULL: it cannot */
  PetscErrorCode (*model_density)(fm_operator *op, const double *x, const double *model_bar,
                                  double *x_bar, double *log_det);
  PetscErrorCode (*destroy)(fm_operator *op); /* frees op->data */
} fm_operator_ops;

struct fm_operator {
  const fm_operator_ops *ops;
  void *data;
  MPI_Comm space; /* borrowed */
  int64_t x_size, d_size;
  int64_t x_rows, x_columns; /* of an x that is a grid; 0 */
  int64_t d_rows, d_columns; /* of a d that is an image; 0 */
  int64_t d_samples;         /* of a trace, where a part's d is [receiver][time]; 0 */
  double d_dt;               /* s, between them */
  double d_frequency;        /* Hz, the dominant one of the sources; 0: not known */
  PetscBool x_background;    /* x = 0 is the background */
  double *x_home;            /* [x_size] see fm_operator_home; NULL: 0. Freed by operator.c */
  int64_t model_rows, model_columns; /* of the physical model, where ops->model is given */
  double model_spacing[2];           /* m, between its rows and columns */
  const char *model_unit;            /* "m/s" */
  double model_low, model_high;      /* what its numbers lie between; both 0: anything */
  int64_t rank;                      /* of the subspace of restrict_data; unused without */
  PetscInt nparts;
  char name[32], description[256];
  /* The ranks that make one part's solves together, and on which the Vecs lie: space, unless
     create() replaces it by PETSC_COMM_SELF; then each rank of space makes any part alone, and
     callers share the parts out. */
  MPI_Comm group;
  /* whether a jvp or vjp may follow the next linearize: keep a tape (but both must work after
     any linearize) */
  PetscBool taped;
  char reason[256]; /* why the last solve failed, one clause for a sentence; "" where unknown */
  /* kept by operator.c */
  PetscInt linearized; /* part of the last linearize, -1: none */
  fm_purpose purpose;
  fm_ledger ledger;
};

/* fm_operator_unused - in list[size], "" where there are none, the options -PREFIXfoo that
   nothing has read so far: neither the operator nor PETSc's solver with that prefix. Not
   collective; every rank sees the same. */
PetscErrorCode fm_operator_unused(const char *prefix, char *list, size_t size);

#endif
