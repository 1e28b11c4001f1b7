#include "laplace_mesh.h"

/* Stiffness of a square cell for a = 1, nodes counter-clockwise. */
static const double unit[16] = {2. / 3,  -1. / 6, -1. / 3, -1. / 6, -1. / 6, 2. / 3,
                                -1. / 6, -1. / 3, -1. / 3, -1. / 6, 2. / 3,  -1. / 6,
                                -1. / 6, -1. / 3, -1. / 6, 2. / 3};

/* ---- sums over this rank's cells ---- */

/* w = unit stiffness of a cell times u at its nodes. */
static void apply_unit(const PetscInt *node, const double *u, double w[4]) {
  for (int i = 0; i < 4; i++) {
    w[i] = 0;
    for (int j = 0; j < 4; j++) w[i] += unit[4 * i + j] * u[node[j]];
  }
}

void fm_laplace_mesh_apply(const fm_laplace_mesh *mesh, const double *c, const double *u,
                           double *r) {
  double w[4];

  for (PetscInt e = 0; e < mesh->ncell; e++) {
    apply_unit(mesh->node[e], u, w);
    for (int i = 0; i < 4; i++) r[mesh->node[e][i]] -= c[mesh->block[e]] * w[i];
  }
}

void fm_laplace_mesh_products(const fm_laplace_mesh *mesh, const double *lambda,
                              const double *u, double *g) {
  double w[4];

  for (PetscInt e = 0; e < mesh->ncell; e++) {
    apply_unit(mesh->node[e], u, w);
    for (int i = 0; i < 4; i++) g[mesh->block[e]] -= lambda[mesh->node[e][i]] * w[i];
  }
}

/* ---- mesh ---- */

static PetscErrorCode mark_inside(fm_laplace_mesh *mesh) {
  const PetscInt n = mesh->cells;
  PetscInt x, y, nx, ny;
  double **inside;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(mesh->dm, &mesh->inside));
  PetscCall(DMDAGetCorners(mesh->dm, &x, &y, NULL, &nx, &ny, NULL));
  PetscCall(DMDAVecGetArray(mesh->dm, mesh->inside, &inside));
  for (PetscInt j = y; j < y + ny; j++)
    for (PetscInt i = x; i < x + nx; i++) inside[j][i] = i > 0 && i < n && j > 0 && j < n;
  PetscCall(DMDAVecRestoreArray(mesh->dm, mesh->inside, &inside));
  PetscFunctionReturn(0);
}

/* The block along one side that holds the centre of cell i. */
static PetscInt block_of(const fm_laplace_mesh *mesh, int side, PetscInt i) {
  return (PetscInt)((2 * (int64_t)i + 1) * mesh->blocks[side] / (2 * (int64_t)mesh->cells));
}

static PetscErrorCode list_cells(fm_laplace_mesh *mesh) {
  PetscInt x, y, nx, ny, count, corners;
  const PetscInt *nodes;

  PetscFunctionBegin;
  PetscCall(DMDAGetElementsCorners(mesh->dm, &x, &y, NULL));
  PetscCall(DMDAGetElementsSizes(mesh->dm, &nx, &ny, NULL));
  PetscCall(DMDAGetElements(mesh->dm, &count, &corners, &nodes));
  mesh->ncell = count;
  PetscCall(PetscMalloc1(mesh->ncell + 1, &mesh->node)); /* a rank may have no cell */
  PetscCall(PetscMalloc1(mesh->ncell + 1, &mesh->block));
  PetscCall(PetscMalloc1(mesh->ncell + 1, &mesh->entry));
  PetscCall(PetscArraycpy(mesh->node[0], nodes, 4 * (size_t)mesh->ncell));
  PetscCall(DMDARestoreElements(mesh->dm, &count, &corners, &nodes));
  for (PetscInt e = 0; e < nx * ny; e++)
    mesh->block[e] =
        block_of(mesh, 0, x + e % nx) + mesh->blocks[0] * block_of(mesh, 1, y + e / nx);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_laplace_mesh_create(MPI_Comm comm, PetscInt cells, const PetscInt blocks[2],
                                      fm_laplace_mesh *mesh) {
  PetscFunctionBegin;
  mesh->comm = comm;
  mesh->cells = cells;
  for (int k = 0; k < 2; k++) mesh->blocks[k] = blocks[k];
  PetscCall(DMDACreate2d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, cells + 1,
                         cells + 1, PETSC_DECIDE, PETSC_DECIDE, 1, 1, NULL, NULL, &mesh->dm));
  PetscCall(DMDASetElementType(mesh->dm, DMDA_ELEMENT_Q1));
  PetscCall(DMSetUp(mesh->dm));
  PetscCall(mark_inside(mesh));
  PetscCall(list_cells(mesh));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_laplace_mesh_destroy(fm_laplace_mesh *mesh) {
  PetscFunctionBegin;
  PetscCall(VecDestroy(&mesh->inside));
  PetscCall(DMDestroy(&mesh->dm));
  PetscCall(PetscFree(mesh->node));
  PetscCall(PetscFree(mesh->block));
  PetscCall(PetscFree(mesh->entry));
  PetscFunctionReturn(0);
}

/* ---- stiffness ---- */

/* Rows and columns [ncell][16], local numbers, of the entries of each cell; what couples to a
   node on the boundary goes nowhere (-1). */
static PetscErrorCode place_entries(const fm_laplace_mesh *mesh, PetscInt *row,
                                    PetscInt *column) {
  const double *inside;
  Vec local;

  PetscFunctionBegin;
  PetscCall(DMGetLocalVector(mesh->dm, &local));
  PetscCall(DMGlobalToLocal(mesh->dm, mesh->inside, INSERT_VALUES, local));
  PetscCall(VecGetArrayRead(local, &inside));
  for (PetscCount k = 0; k < 16 * (PetscCount)mesh->ncell; k++) {
    const PetscInt *node = mesh->node[k / 16], i = node[k % 16 / 4], j = node[k % 4];
    const int counts = i == j || (inside[i] > 0 && inside[j] > 0);

    row[k] = counts ? i : -1;
    column[k] = counts ? j : -1;
  }
  PetscCall(VecRestoreArrayRead(local, &inside));
  PetscCall(DMRestoreLocalVector(mesh->dm, &local));
  PetscFunctionReturn(0);
}

static PetscErrorCode preallocate(const fm_laplace_mesh *mesh, Mat k) {
  const PetscCount n = 16 * (PetscCount)mesh->ncell;
  PetscInt *row, *column;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &row, n, &column));
  PetscCall(place_entries(mesh, row, column));
  PetscCall(MatSetPreallocationCOOLocal(k, n, row, column));
  PetscCall(PetscFree2(row, column));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_laplace_mesh_stiffness(fm_laplace_mesh *mesh, const char *prefix, Mat *k) {
  ISLocalToGlobalMapping map;
  PetscInt mine;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(mesh->inside, &mine));
  PetscCall(DMGetLocalToGlobalMapping(mesh->dm, &map));
  PetscCall(MatCreate(mesh->comm, k));
  PetscCall(MatSetSizes(*k, mine, mine, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetOptionsPrefix(*k, prefix));
  PetscCall(MatSetType(*k, MATAIJ));
  PetscCall(MatSetFromOptions(*k));
  PetscCall(MatSetLocalToGlobalMapping(*k, map, map));
  PetscCall(preallocate(mesh, *k));
  PetscCall(MatSetOption(*k, MAT_SPD, PETSC_TRUE));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_laplace_mesh_assemble(fm_laplace_mesh *mesh, const double *a, Mat k) {
  PetscFunctionBegin;
  for (PetscInt e = 0; e < mesh->ncell; e++)
    for (int i = 0; i < 16; i++) mesh->entry[e][i] = a[mesh->block[e]] * unit[i];
  PetscCall(MatSetValuesCOO(k, mesh->entry[0], INSERT_VALUES));
  PetscFunctionReturn(0);
}

/* ---- measurement ---- */

/* One row of B; ao renumbers nodes from x + (cells + 1) y to those of the Vecs. Positions are
   kept in units of 1/(cells (points + 1)): integers, so that none falls into a wrong cell. */
static PetscErrorCode set_point(const fm_laplace_mesh *mesh, PetscInt points, AO ao,
                                PetscInt row, Mat b) {
  const PetscInt n = mesh->cells;
  const int64_t step = points + 1, x = (int64_t)(row / points + 1) * n,
                y = (int64_t)(row % points + 1) * n;
  const double fx = (double)(x % step) / (double)step, fy = (double)(y % step) / (double)step;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++) {
    const PetscInt i = (PetscInt)(x / step) + k % 2, j = (PetscInt)(y / step) + k / 2;
    const double weight = (k % 2 ? fx : 1 - fx) * (k / 2 ? fy : 1 - fy);
    PetscInt column = i + (n + 1) * j;

    if (i == 0 || i == n || j == 0 || j == n) continue;
    PetscCall(AOApplicationToPetsc(ao, 1, &column));
    PetscCall(MatSetValue(b, row, column, weight, INSERT_VALUES));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_laplace_mesh_measure(fm_laplace_mesh *mesh, PetscInt points, Mat *b) {
  PetscInt mine, low, high;
  AO ao;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(mesh->inside, &mine));
  PetscCall(MatCreateAIJ(mesh->comm, PETSC_DECIDE, mine, points * points, PETSC_DETERMINE, 4,
                         NULL, 4, NULL, b));
  PetscCall(MatGetOwnershipRange(*b, &low, &high));
  PetscCall(DMDAGetAO(mesh->dm, &ao));
  for (PetscInt row = low; row < high; row++) PetscCall(set_point(mesh, points, ao, row, *b));
  PetscCall(MatAssemblyBegin(*b, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*b, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}
