/* laplace - -div(a grad u) = f on the unit square, u = 0 on its boundary, measured at points.

   f is constant; a is constant on each of bx x by blocks, a = theta_k on block (i, j) with
   k = i + bx j. The unknown is phi = log theta (or theta itself). Q1 elements on a uniform mesh
   of square cells, the load f h^2 at each interior node. A cell lies in the block that holds
   its centre, so that a coarse mesh, whose cells may straddle blocks, is the low-fidelity twin
   of a fine one. Datum (a-1) p + (b-1) is u(a/(p+1), b/(p+1)), a, b = 1..p, by bilinear
   interpolation.

       K(theta) u = f h^2,  d = B u
       F'  dphi = -B K^-1 sum_k da_k K_k u          K_k: the stiffness of block k for a = 1
       F'^T dd  = -da_k lambda^T K_k u,             K lambda = B^T dd

   exactly the derivatives of the discrete F. One factorisation serves all three.

   Nodes on the boundary stay in the matrix with their diagonal alone; u, lambda and the columns
   of B are zero there. Redundant (default): each rank of space holds mesh and matrix and solves
   by PETSc's own sequential Cholesky, so that the numbers have the same bits on any number of
   ranks. Otherwise mesh and matrix are spread over space, and the default is CG with PETSc's
   algebraic multigrid. The options of PETSc's solver have the prefix laplace_:
   -laplace_ksp_type, -laplace_pc_type, -laplace_pc_factor_mat_solver_type and all others.

   Source of the benchmark (32 cells, 8 blocks, 13 points): D. Aristoff and W. Bangerth, "A
   benchmark for the Bayesian inversion of coefficients in partial differential equations",
   SIAM Review 65 (2023), arXiv 2102.07263. */
#include "fathom/gather.h"
#include "fathom/operator_impl.h"
#include "laplace_mesh.h"
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <petscksp.h>

#define PREFIX "laplace_"
#define MOST_CELLS 8192 /* entries of the cells are numbered in 32 bits */
#define MOST_POINTS 4096

const fm_option fm_laplace_options[] = {
    {"laplace_cells", FM_OPTION_INTEGER, "32", FM_COMMANDS_PHYSICS,
     "square cells of the mesh a side; fewer make a low-fidelity twin"},
    {"laplace_blocks", FM_OPTION_TEXT, "8", FM_COMMANDS_PHYSICS,
     "blocks of constant coefficient: so many a side, or BXxBY"},
    {"laplace_points", FM_OPTION_INTEGER, "13", FM_COMMANDS_PHYSICS,
     "points a side at which the solution is measured"},
    {"laplace_source", FM_OPTION_REAL, "10", FM_COMMANDS_PHYSICS,
     "right-hand side, constant on the square"},
    {"laplace_unknown", FM_OPTION_TEXT, "log", FM_COMMANDS_PHYSICS,
     "unknown of a block, the logarithm of the coefficient or the coefficient: log|value"},
    {"laplace_redundant", FM_OPTION_FLAG, "true", FM_COMMANDS_PHYSICS,
     "every rank of a sample solves on its own, with the same bits on any number of ranks; "
     "false: mesh and matrix are spread over them"},
    {PREFIX, FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "before an option of PETSc's solver: -laplace_ksp_type cg, -laplace_pc_type gamg, ..."},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct laplace {
  PetscInt points;
  double source;
  PetscBool log_unknown, redundant;
  fm_laplace_mesh mesh; /* on space, or on this rank alone */
  Mat stiffness, measure;
  KSP ksp;
  double *a, *da, *sums; /* [x_size] coefficient, its derivative by the unknown, scratch */
  Vec rhs, solution;     /* nodes, global */
  Vec u, lambda;         /* nodes, local; u is the tape */
  Vec data;
  fm_gather *of_x, *of_d, *of_data;
} laplace;

/* ---- solves ---- */

/* out = in, whatever their layouts: each rank fills what it owns. */
static PetscErrorCode copy(fm_gather *of_in, Vec in, Vec out) {
  const double *all;
  PetscInt low, high;
  double *mine;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(of_in, in, &all));
  PetscCall(VecGetOwnershipRange(out, &low, &high));
  PetscCall(VecGetArrayWrite(out, &mine));
  PetscCall(PetscArraycpy(mine, all + low, (size_t)(high - low)));
  PetscCall(VecRestoreArrayWrite(out, &mine));
  PetscFunctionReturn(0);
}

/* solution = K^-1 rhs; *ok false where that failed. The verdict is one for all ranks
   of space, unlike as their processors may be. */
static PetscErrorCode solve(fm_operator *op, PetscBool *ok) {
  laplace *s = (laplace *)op->data;
  KSPConvergedReason reason;
  PetscReal norm;
  int good;

  PetscFunctionBegin;
  PetscCall(KSPSolve(s->ksp, s->rhs, s->solution));
  PetscCall(KSPGetConvergedReason(s->ksp, &reason));
  PetscCall(VecNorm(s->solution, NORM_2, &norm));
  good = reason > 0 && isfinite(norm);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_MIN, op->space));
  *ok = good ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* d = B solution; NaN where the solve failed. */
static PetscErrorCode measure(laplace *s, PetscBool ok, Vec d) {
  PetscFunctionBegin;
  if (ok) {
    PetscCall(MatMult(s->measure, s->solution, s->data));
    PetscCall(copy(s->of_data, s->data, d));
  } else {
    PetscCall(VecSet(d, NAN));
  }
  PetscFunctionReturn(0);
}

/* a and da of the unknowns x; *ok false where a coefficient is not positive and finite. Every
   rank has all of them and comes to the same verdict. */
static PetscErrorCode set_coefficient(fm_operator *op, Vec x, PetscBool *ok) {
  laplace *s = (laplace *)op->data;
  const double *all;
  PetscInt n;

  PetscFunctionBegin;
  PetscCall(VecGetSize(x, &n));
  PetscCall(fm_gather_read(s->of_x, x, &all));
  for (PetscInt k = 0; k < n; k++) {
    s->a[k] = s->log_unknown ? exp(all[k]) : all[k];
    s->da[k] = s->log_unknown ? s->a[k] : 1;
    if (s->a[k] >= DBL_MIN && s->a[k] <= DBL_MAX) continue;
    *ok = PETSC_FALSE;
    PetscCall(PetscSNPrintf(op->reason, sizeof(op->reason),
                            "the coefficient of block %" PetscInt_FMT
                            " is %.6g: it must be positive and finite",
                            k, s->a[k]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode laplace_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                        PetscBool *ok) {
  laplace *s = (laplace *)op->data;
  const double load = s->source / ((double)s->mesh.cells * (double)s->mesh.cells);

  PetscFunctionBegin;
  PetscCall(set_coefficient(op, x, ok));
  if (*ok) {
    PetscCall(fm_laplace_mesh_assemble(&s->mesh, s->a, s->stiffness));
    PetscCall(KSPSetOperators(s->ksp, s->stiffness, s->stiffness));
    PetscCall(VecAXPBY(s->rhs, load, 0, s->mesh.inside));
    PetscCall(solve(op, ok));
    if (!*ok) PetscCall(PetscStrcpy(op->reason, "the linear solver failed"));
    PetscCall(DMGlobalToLocal(s->mesh.dm, s->solution, INSERT_VALUES, s->u));
  }
  PetscCall(measure(s, *ok, d));
  PetscFunctionReturn(0);
}

/* What is left on the boundary of rhs and solution couples to nothing and is not measured. */
static PetscErrorCode laplace_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd) {
  laplace *s = (laplace *)op->data;
  const double *all, *u;
  PetscBool ok;
  double *r;

  PetscFunctionBegin;
  PetscCall(fm_gather_read(s->of_x, dx, &all));
  for (int64_t k = 0; k < op->x_size; k++) s->sums[k] = s->da[k] * all[k];
  PetscCall(VecSet(s->lambda, 0));
  PetscCall(VecGetArrayRead(s->u, &u));
  PetscCall(VecGetArray(s->lambda, &r));
  fm_laplace_mesh_apply(&s->mesh, s->sums, u, r);
  PetscCall(VecRestoreArray(s->lambda, &r));
  PetscCall(VecRestoreArrayRead(s->u, &u));
  PetscCall(VecSet(s->rhs, 0));
  PetscCall(DMLocalToGlobal(s->mesh.dm, s->lambda, ADD_VALUES, s->rhs));
  PetscCall(solve(op, &ok));
  PetscCall(measure(s, ok, dd));
  PetscFunctionReturn(0);
}

/* sums_k = -lambda^T K_k u over the cells of all ranks of the mesh. */
static PetscErrorCode sum_products(fm_operator *op) {
  laplace *s = (laplace *)op->data;
  const double *u, *lambda;
  PetscMPIInt n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)op->x_size, &n));
  PetscCall(PetscArrayzero(s->sums, n));
  PetscCall(VecGetArrayRead(s->u, &u));
  PetscCall(VecGetArrayRead(s->lambda, &lambda));
  fm_laplace_mesh_products(&s->mesh, lambda, u, s->sums);
  PetscCall(VecRestoreArrayRead(s->lambda, &lambda));
  PetscCall(VecRestoreArrayRead(s->u, &u));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, s->sums, n, MPI_DOUBLE, MPI_SUM, s->mesh.comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode laplace_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  laplace *s = (laplace *)op->data;
  PetscInt low, high;
  PetscBool ok;
  double *g;

  PetscFunctionBegin;
  PetscCall(copy(s->of_d, dd, s->data));
  PetscCall(MatMultTranspose(s->measure, s->data, s->rhs));
  PetscCall(solve(op, &ok));
  PetscCall(DMGlobalToLocal(s->mesh.dm, s->solution, INSERT_VALUES, s->lambda));
  PetscCall(sum_products(op));
  PetscCall(VecGetOwnershipRange(gx, &low, &high));
  PetscCall(VecGetArrayWrite(gx, &g));
  for (PetscInt k = low; k < high; k++) g[k - low] = ok ? s->da[k] * s->sums[k] : NAN;
  PetscCall(VecRestoreArrayWrite(gx, &g));
  PetscFunctionReturn(0);
}

/* ---- options ---- */

/* "8" or "8x4". */
static PetscBool read_blocks(const char *text, int64_t blocks[2]) {
  char *end;

  blocks[0] = blocks[1] = strtoll(text, &end, 10);
  if (*end == 'x' && isdigit((unsigned char)end[1])) blocks[1] = strtoll(end + 1, &end, 10);
  return end != text && !*end && blocks[0] > 0 && blocks[1] > 0 ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode read_mesh(MPI_Comm space, laplace *s) {
  int64_t cells, blocks[2];
  const char *text;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("laplace_cells", 2, MOST_CELLS, &cells));
  PetscCall(fm_option_text("laplace_blocks", &text));
  fm_check(
      read_blocks(text, blocks), space, PETSC_ERR_USER,
      "-laplace_blocks takes a number of blocks a side or BXxBY, such as 8 or 8x4, not '%s'",
      text);
  fm_check(
      PetscMax(blocks[0], blocks[1]) <= cells, space, PETSC_ERR_USER,
      "-laplace_cells %lld is fewer than the %lld blocks a side of -laplace_blocks %s: some "
      "would hold no cell; take at least as many cells",
      (long long)cells, (long long)PetscMax(blocks[0], blocks[1]), text);
  PetscCall(fm_laplace_mesh_create(s->redundant ? PETSC_COMM_SELF : space, (PetscInt)cells,
                                   (PetscInt[]){(PetscInt)blocks[0], (PetscInt)blocks[1]},
                                   &s->mesh));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(MPI_Comm space, laplace *s) {
  int64_t points;
  int unknown;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("laplace_points", 1, MOST_POINTS, &points));
  PetscCall(fm_option_real("laplace_source", &s->source));
  PetscCall(fm_option_choice("laplace_unknown", "log|value", &unknown));
  PetscCall(fm_option_flag("laplace_redundant", &s->redundant));
  s->points = (PetscInt)points;
  s->log_unknown = unknown == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(read_mesh(space, s));
  PetscFunctionReturn(0);
}

/* ---- set-up ---- */

static PetscErrorCode create_vecs_of_mesh(laplace *s) {
  PetscFunctionBegin;
  PetscCall(MatCreateVecs(s->measure, NULL, &s->data));
  PetscCall(DMCreateGlobalVector(s->mesh.dm, &s->rhs));
  PetscCall(VecDuplicate(s->rhs, &s->solution));
  PetscCall(DMCreateLocalVector(s->mesh.dm, &s->u));
  PetscCall(VecDuplicate(s->u, &s->lambda));
  PetscFunctionReturn(0);
}

/* The defaults, then what the user says. The derivatives are as exact as the solves: iterative
   ones go to 1e-12. */
static PetscErrorCode create_solver(laplace *s) {
  PC pc;

  PetscFunctionBegin;
  PetscCall(KSPCreate(s->mesh.comm, &s->ksp));
  PetscCall(KSPSetOptionsPrefix(s->ksp, PREFIX));
  PetscCall(KSPSetDM(s->ksp, s->mesh.dm)); /* for multigrid; the matrix is ours */
  PetscCall(KSPSetDMActive(s->ksp, PETSC_FALSE));
  PetscCall(KSPSetOperators(s->ksp, s->stiffness, s->stiffness));
  PetscCall(KSPSetTolerances(s->ksp, 1e-12, DBL_MIN, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetType(s->ksp, s->redundant ? KSPPREONLY : KSPCG));
  PetscCall(KSPGetPC(s->ksp, &pc));
  PetscCall(PCSetType(pc, s->redundant ? PCCHOLESKY : PCGAMG));
  if (s->redundant) {
    PetscCall(PCFactorSetMatOrderingType(pc, MATORDERINGND));
    PetscCall(PCFactorSetZeroPivot(pc, DBL_MIN)); /* small coefficients are no zero pivots */
  }
  PetscCall(KSPSetFromOptions(s->ksp));
  PetscFunctionReturn(0);
}

/* K u = 0 for a coefficient of 1, by a solver that is made anew afterwards. */
static PetscErrorCode try_solver(fm_operator *op, laplace *s) {
  PetscFunctionBegin;
  for (int64_t k = 0; k < op->x_size; k++) s->a[k] = 1;
  PetscCall(fm_laplace_mesh_assemble(&s->mesh, s->a, s->stiffness));
  PetscCall(KSPSetOperators(s->ksp, s->stiffness, s->stiffness));
  PetscCall(VecSet(s->rhs, 0));
  PetscCall(KSPSolve(s->ksp, s->rhs, s->solution));
  PetscCall(KSPDestroy(&s->ksp));
  PetscCall(create_solver(s));
  PetscFunctionReturn(0);
}

/* Some options are asked for by the solver's parts, or at a solve: refused is what nobody has
   asked for after one. */
static PetscErrorCode check_solver(fm_operator *op, laplace *s) {
  char unused[256];
  KSPType ksp_type;
  PCType pc_type;
  PC pc;

  PetscFunctionBegin;
  PetscCall(fm_operator_unused(PREFIX, unused, sizeof(unused)));
  if (!unused[0]) PetscFunctionReturn(0);
  PetscCall(try_solver(op, s));
  PetscCall(fm_operator_unused(PREFIX, unused, sizeof(unused)));
  PetscCall(KSPGetPC(s->ksp, &pc));
  PetscCall(KSPGetType(s->ksp, &ksp_type));
  PetscCall(PCGetType(pc, &pc_type));
  fm_check(!unused[0], op->space, PETSC_ERR_USER,
           "PETSc's solver as it is set up, %s with %s, has no option %s", ksp_type, pc_type,
           unused);
  PetscFunctionReturn(0);
}

static PetscErrorCode laplace_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d) {
  PetscFunctionBegin;
  PetscCall(VecCreateMPI(op->space, PETSC_DECIDE, (PetscInt)op->x_size, x));
  PetscCall(VecCreateMPI(op->space, PETSC_DECIDE, (PetscInt)op->d_size, d));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_gathers(fm_operator *op, laplace *s) {
  Vec x, d;

  PetscFunctionBegin;
  PetscCall(laplace_create_vecs(op, 0, &x, &d));
  PetscCall(fm_gather_create(x, &s->of_x));
  PetscCall(fm_gather_create(d, &s->of_d));
  PetscCall(fm_gather_create(s->data, &s->of_data));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&d));
  PetscFunctionReturn(0);
}

static PetscErrorCode describe(fm_operator *op, laplace *s) {
  const fm_laplace_mesh *mesh = &s->mesh;
  KSPType ksp_type;
  PCType pc_type;
  PC pc;

  PetscFunctionBegin;
  PetscCall(KSPGetPC(s->ksp, &pc));
  PetscCall(KSPGetType(s->ksp, &ksp_type));
  PetscCall(PCGetType(pc, &pc_type));
  PetscCall(PetscSNPrintf(op->description, sizeof(op->description),
                          "laplace, %" PetscInt_FMT "x%" PetscInt_FMT " cells, %" PetscInt_FMT
                          "x%" PetscInt_FMT " blocks (%s), %" PetscInt_FMT "x%" PetscInt_FMT
                          " points, source %.17g, %s with %s, %s",
                          mesh->cells, mesh->cells, mesh->blocks[0], mesh->blocks[1],
                          s->log_unknown ? "log" : "value", s->points, s->points, s->source,
                          ksp_type, pc_type, s->redundant ? "redundant" : "spread"));
  PetscFunctionReturn(0);
}

static PetscErrorCode laplace_destroy(fm_operator *op) {
  laplace *s = (laplace *)op->data;
  fm_gather **gathers[] = {&s->of_x, &s->of_d, &s->of_data};
  Vec *vecs[] = {&s->rhs, &s->solution, &s->u, &s->lambda, &s->data};

  PetscFunctionBegin;
  for (int k = 0; k < 3; k++) PetscCall(fm_gather_destroy(gathers[k]));
  for (int k = 0; k < 5; k++) PetscCall(VecDestroy(vecs[k]));
  PetscCall(KSPDestroy(&s->ksp));
  PetscCall(MatDestroy(&s->stiffness));
  PetscCall(MatDestroy(&s->measure));
  PetscCall(fm_laplace_mesh_destroy(&s->mesh));
  PetscCall(PetscFree3(s->a, s->da, s->sums));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

static const fm_operator_ops laplace_ops = {.linearize = laplace_linearize,
                                            .jvp = laplace_jvp,
                                            .vjp = laplace_vjp,
                                            .create_vecs = laplace_create_vecs,
                                            .destroy = laplace_destroy};

PetscErrorCode fm_laplace_create(fm_operator *op) {
  laplace *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  op->data = s;
  op->ops = &laplace_ops;
  PetscCall(read_options(op->space, s));
  op->x_size = (int64_t)s->mesh.blocks[0] * s->mesh.blocks[1];
  op->d_size = (int64_t)s->points * s->points;
  PetscCall(PetscMalloc3(op->x_size, &s->a, op->x_size, &s->da, op->x_size, &s->sums));
  PetscCall(fm_laplace_mesh_stiffness(&s->mesh, PREFIX, &s->stiffness));
  PetscCall(fm_laplace_mesh_measure(&s->mesh, s->points, &s->measure));
  PetscCall(create_vecs_of_mesh(s));
  PetscCall(create_solver(s));
  PetscCall(check_solver(op, s));
  PetscCall(create_gathers(op, s));
  PetscCall(describe(op, s));
  PetscFunctionReturn(0);
}
