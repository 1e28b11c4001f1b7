/* layers - velocity models in m/s that look like geology, for simulate: layers folded,
   faulted and cut by unconformities (layers.h), and on them a small Gaussian texture,

       v = S(S'(layers) + texture),   texture a Matern field of std -layers_texture,

   where S' keeps layers 4 texture stds inside -layers_velocity_min and -layers_velocity_max
   and S the sum inside these, both by fm_layers_squash: smooth, strictly increasing, and S
   the identity within 3 stds of the layers. A node is the mean of squared slowness over its
   cell, so that dipping boundaries have no staircase. Lengths are multiples of the mean
   thickness of a layer; models of one extent are the same geology at any spacing, but for
   their texture. Where an operator is given, x is the unknown whose model this is, and
   nodes that it keeps (a water layer) are its own, with depths of burial counted from
   there. No density. */
#include "fathom/energy_impl.h"
#include "fathom/matern.h"
#include "fathom/store.h"
#include "layers.h"
#include <math.h>

#define GEOLOGIES "basin|thrust"
#define FINE 3 /* points a side in the cell of a node */

const fm_option fm_energy_layers_options[] = {
    {"layers_geology", FM_OPTION_TEXT, "basin", FM_COMMANDS_PHYSICS,
     "basin (gently folded, few normal faults) or thrust (steep, folded and faulted, strong "
     "contrasts): " GEOLOGIES},
    {"layers_shape", FM_OPTION_TEXT, "", FM_COMMANDS_PHYSICS,
     "nodes of a generated velocity model, NZxNX; default: the operator's"},
    {"layers_spacing", FM_OPTION_ARRAY, "", FM_COMMANDS_PHYSICS,
     "distance of its nodes in m, H or DZ,DX; default: the operator's"},
    {"layers_thickness", FM_OPTION_REAL, "0", FM_COMMANDS_PHYSICS,
     "mean thickness of a layer in m, to which all lengths are in proportion; 0: the model's "
     "depth over 11 (basin) or 13 (thrust)"},
    {"layers_velocity_min", FM_OPTION_REAL, "1500", FM_COMMANDS_PHYSICS,
     "velocities lie above this, m/s"},
    {"layers_velocity_max", FM_OPTION_REAL, "4500", FM_COMMANDS_PHYSICS,
     "velocities lie below this, m/s"},
    {"layers_texture", FM_OPTION_REAL, "25", FM_COMMANDS_PHYSICS,
     "standard deviation in m/s of the Gaussian texture; at 0 the models have no density that "
     "a flow could learn"},
    {"layers_texture_correlation", FM_OPTION_REAL, "3", FM_COMMANDS_PHYSICS,
     "its correlation length in nodes, as -matern_correlation"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct {
  fm_operator *op; /* borrowed; NULL: x is the velocity */
  fm_layers *layers;
  fm_matern *matern; /* NULL: no texture */
  int64_t rows, columns, nodes;
  double spacing[2], thickness, low, high, texture;
  double *u, *model, *x, *w; /* [number], [nodes], [n], [nodes] */
  double *kept, *floor;      /* [nodes], NaN where not kept; [columns] depth of the sea floor */
  fm_real *normal;           /* [nodes] */
} velocities;

/* ---- a model ---- */

static double bounded(const velocities *v, double share) {
  const double low = v->low + 4 * v->texture, high = v->high - 4 * v->texture;

  return fm_layers_squash(low + (high - low) * share, low, high, 0.12 * (high - low));
}

/* the mean of squared slowness over the cell, as a velocity */
static double cell(const velocities *v, int64_t row, int64_t column) {
  double sum = 0;

  for (int i = 0; i < FINE * FINE; i++) {
    const double z = ((double)row + (i / FINE + 0.5) / FINE) * v->spacing[0];
    const double x =
        ((double)(column - v->columns / 2) + (i % FINE + 0.5) / FINE) * v->spacing[1];
    const double buried = PetscMax(0., z - v->floor[column]);
    const double c = bounded(
        v, fm_layers_at(v->layers, z / v->thickness, x / v->thickness, buried / v->thickness));

    sum += 1 / (c * c);
  }
  return sqrt(FINE * FINE / sum);
}

static PetscErrorCode draw(velocities *v, fm_rng rng, int64_t index) {
  PetscFunctionBegin;
  fm_rng_uniform(rng, 0, (uint64_t)index, (size_t)v->layers->number, v->u);
  fm_layers_read(v->layers, v->u);
  if (v->matern) {
    fm_rng_normal(rng, 1, (uint64_t)index, (size_t)v->nodes, v->normal);
    for (int64_t i = 0; i < v->nodes; i++) v->w[i] = (double)v->normal[i];
    PetscCall(fm_matern_colour(v->matern, v->w, v->w));
  }
  for (int64_t i = 0; i < v->nodes; i++) {
    const double c = cell(v, i / v->columns, i % v->columns) + v->texture * v->w[i];

    v->model[i] =
        isnan(v->kept[i]) ? fm_layers_squash(c, v->low, v->high, v->texture) : v->kept[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode layers_sample(fm_energy *e, fm_rng rng, int64_t first, int64_t nb,
                                    fm_real *x) {
  velocities *v = (velocities *)e->data;

  PetscFunctionBegin;
  for (int64_t s = 0; s < nb; s++) {
    const double *from = v->op ? v->x : v->model;

    PetscCall(draw(v, rng, first + s));
    if (v->op) PetscCall(fm_operator_unknown(v->op, v->model, v->x));
    for (int64_t i = 0; i < e->n; i++) x[s * e->n + i] = (fm_real)from[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode layers_evaluate(fm_energy *e, fm_key key, int64_t nb, const fm_real *x,
                                      double *value, fm_real *x_bar, PetscBool *ok) {
  PetscFunctionBegin;
  SETERRQ(
      PETSC_COMM_WORLD, PETSC_ERR_SUP,
      "layers has no density: it is for simulate; as the prior of an inversion train a flow "
      "on its models (pretrain -flow_conditional false) and give -prior flow");
}

static PetscErrorCode layers_destroy(fm_energy *e) {
  velocities *v = (velocities *)e->data;

  PetscFunctionBegin;
  PetscCall(fm_layers_destroy(&v->layers));
  PetscCall(fm_matern_destroy(&v->matern));
  PetscCall(PetscFree4(v->u, v->model, v->x, v->w));
  PetscCall(PetscFree3(v->kept, v->floor, v->normal));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static const fm_energy_ops layers_ops = {
    .evaluate = layers_evaluate, .sample = layers_sample, .destroy = layers_destroy};

/* ---- set-up ---- */

static PetscErrorCode read_spacing(MPI_Comm comm, const fm_model_grid *grid, velocities *v) {
  int64_t shape[FM_STORE_NDIM];
  double *given;
  int ndim;

  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) v->spacing[k] = grid->rows ? grid->spacing[k] : 0;
  PetscCall(fm_store_option_array(comm, "layers_spacing", &ndim, shape, &given));
  for (int k = 0; k < 2 && ndim == 1 && shape[0] <= 2; k++)
    v->spacing[k] = given[shape[0] == 2 ? k : 0];
  PetscCall(PetscFree(given));
  fm_check(!ndim || (ndim == 1 && shape[0] <= 2), comm, PETSC_ERR_USER,
           "-layers_spacing takes H or DZ,DX in m, %lld numbers are given",
           (long long)(ndim ? shape[0] : 0));
  fm_check(v->spacing[0] > 0 && v->spacing[1] > 0, comm, PETSC_ERR_USER,
           "the prior layers needs a positive -layers_spacing in m, such as 20: it is %g,%g",
           v->spacing[0], v->spacing[1]);
  PetscFunctionReturn(0);
}

/* The grid: the operator's, or the options'. */
static PetscErrorCode read_grid(MPI_Comm comm, velocities *v) {
  fm_model_grid grid = {0};
  int64_t shape[2];
  PetscBool given;

  PetscFunctionBegin;
  if (v->op) grid = fm_operator_model_grid(v->op);
  if (!grid.rows) v->op = NULL;
  shape[0] = grid.rows;
  shape[1] = grid.columns;
  PetscCall(fm_option_given("layers_shape", &given));
  if (given) PetscCall(fm_option_shape("layers_shape", "nodes of the model as NZxNX", shape));
  fm_check(shape[0], comm, PETSC_ERR_USER,
           "the prior layers needs -layers_shape NZxNX, such as 96x192: no operator says the "
           "grid of its models");
  fm_check(shape[0] >= 2 && shape[1] >= 2 && shape[0] <= 8192 && shape[1] <= 8192, comm,
           PETSC_ERR_USER, "-layers_shape %lldx%lld: 2 to 8192 a side are possible",
           (long long)shape[0], (long long)shape[1]);
  fm_check(
      !grid.rows || (shape[0] == grid.rows && shape[1] == grid.columns), comm, PETSC_ERR_USER,
      "-layers_shape is %lldx%lld, but a model of the operator is %lldx%lld",
      (long long)shape[0], (long long)shape[1], (long long)grid.rows, (long long)grid.columns);
  v->rows = shape[0];
  v->columns = shape[1];
  v->nodes = shape[0] * shape[1];
  PetscCall(read_spacing(comm, &grid, v));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_velocities(MPI_Comm comm, velocities *v) {
  PetscFunctionBegin;
  PetscCall(fm_option_real_in("layers_velocity_min", 1, 1e5, &v->low));
  PetscCall(fm_option_real_in("layers_velocity_max", 1, 1e5, &v->high));
  PetscCall(fm_option_real_in("layers_texture", 0, 1e4, &v->texture));
  fm_check(v->low < v->high, comm, PETSC_ERR_USER,
           "-layers_velocity_min %g is not below -layers_velocity_max %g", v->low, v->high);
  fm_check(16 * v->texture <= v->high - v->low, comm, PETSC_ERR_USER,
           "-layers_texture %g m/s is too large for velocities from %g to %g: %g at most",
           v->texture, v->low, v->high, (v->high - v->low) / 16);
  PetscFunctionReturn(0);
}

static PetscErrorCode make_texture(MPI_Comm comm, velocities *v) {
  double length;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("layers_texture_correlation", 0.1, 1000, &length));
  if (v->texture > 0)
    PetscCall(fm_matern_create(comm, v->rows, v->columns, (const double[]){length, length},
                               &v->matern));
  PetscFunctionReturn(0);
}

static PetscErrorCode make_layers(velocities *v) {
  const double depth = (double)v->rows * v->spacing[0];
  const double width = (double)v->columns * v->spacing[1];
  int which;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("layers_geology", GEOLOGIES, &which));
  PetscCall(fm_option_real_in("layers_thickness", 0, 1e6, &v->thickness));
  if (v->thickness == 0) v->thickness = depth / fm_geologies[which].layers;
  fm_check(depth / v->thickness <= 1000 && width / v->thickness <= 10000, PETSC_COMM_WORLD,
           PETSC_ERR_USER, "-layers_thickness %g m: %g m at least for a model of %g x %g m",
           v->thickness, PetscMax(depth / 1000, width / 10000), depth, width);
  PetscCall(fm_layers_create(which, depth / v->thickness, width / v->thickness, &v->layers));
  PetscFunctionReturn(0);
}

/* Nodes whose velocity the unknown does not move: two models tell, that differ everywhere. The
   sea floor lies below those at the top. */
static PetscErrorCode find_kept(velocities *v) {
  const double level[2] = {v->low + 0.01 * (v->high - v->low),
                           v->high - 0.01 * (v->high - v->low)};
  double *other = v->w;

  PetscFunctionBegin;
  for (int64_t i = 0; i < v->nodes; i++) v->kept[i] = (double)NAN;
  for (int k = 0; k < 2 && v->op; k++) {
    for (int64_t i = 0; i < v->nodes; i++) v->model[i] = level[k];
    PetscCall(fm_operator_unknown(v->op, v->model, v->x));
    PetscCall(fm_operator_model(v->op, v->x, k ? v->model : other));
  }
  for (int64_t i = 0; v->op && i < v->nodes; i++)
    if (fabs(v->model[i] - other[i]) < 0.5 * (level[1] - level[0])) v->kept[i] = other[i];
  PetscCall(PetscArrayzero(v->w, (size_t)v->nodes));
  for (int64_t k = 0; k < v->columns; k++) {
    int64_t row = 0;

    while (row < v->rows && !isnan(v->kept[row * v->columns + k])) row++;
    v->floor[k] = (double)row * v->spacing[0];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare(MPI_Comm comm, velocities *v, int64_t n) {
  PetscFunctionBegin;
  PetscCall(read_velocities(comm, v));
  PetscCall(make_layers(v));
  PetscCall(make_texture(comm, v));
  PetscCall(
      PetscMalloc4(v->layers->number, &v->u, v->nodes, &v->model, n, &v->x, v->nodes, &v->w));
  PetscCall(PetscMalloc3(v->nodes, &v->kept, v->columns, &v->floor, v->nodes, &v->normal));
  PetscCall(find_kept(v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_energy_layers_create(const fm_energy_inputs *inputs, fm_energy *e) {
  const MPI_Comm comm = inputs->comm->world;
  const char *geology;
  velocities *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  e->data = v;
  e->ops = &layers_ops;
  v->op = inputs->op;
  PetscCall(read_grid(comm, v));
  e->n = v->nodes;
  if (v->op) {
    int64_t m;

    PetscCall(fm_operator_sizes(v->op, &e->n, &m));
    fm_check(
        e->n == v->nodes, comm, PETSC_ERR_USER,
        "the prior layers draws models of %lld nodes, which %lld unknowns do not have all: "
        "choose coordinates that are nodes or matern, not modes",
        (long long)v->nodes, (long long)e->n);
  }
  fm_check(!inputs->n || inputs->n == e->n, comm, PETSC_ERR_USER,
           "the prior layers draws %lld numbers, the operator takes %lld", (long long)e->n,
           (long long)inputs->n);
  PetscCall(prepare(comm, v, e->n));
  PetscCall(fm_option_text("layers_geology", &geology));
  PetscCall(PetscSNPrintf(e->description, sizeof(e->description),
                          "layers of a %s, %lld x %lld nodes, %g to %g m/s, texture %g m/s",
                          geology, (long long)v->rows, (long long)v->columns, v->low, v->high,
                          v->texture));
  PetscFunctionReturn(0);
}
