/* The door to implement a layer of a flow: one file src/flow/NAME.c that defines

       const fm_layer_ops fm_layer_NAME = {...};

   and one line in src/flow/layers.def. A layer is an invertible map of ONE lane and works in
   place on a batch v [nb][size]; with the direction FM_NORMALIZE it is v <- f(v), with
   FM_GENERATE v <- f^-1(v).

   apply, vjp and start are kernels: they return void, cannot fail, allocate nothing and know
   neither MPI nor PETSc. What a row becomes must not depend on the other rows or on their
   number. */
#ifndef FATHOM_LAYER_H
#define FATHOM_LAYER_H

#include "fathom/flow.h"

typedef struct fm_layer fm_layer;

/* `count` rows, each `stride` numbers after the one before. */
typedef struct fm_rows {
  fm_real *p;
  int64_t count, stride;
} fm_rows;

/* What every layer of one pass over the flow is given. */
typedef struct fm_pass {
  const fm_real *theta;   /* the whole theta; the layer's own numbers begin at layer->first */
  fm_real *theta_bar;     /* added to; NULL: frozen */
  fm_direction direction; /* of the apply that is done or differentiated */
  int64_t nb;             /* rows of v */
  fm_rows y;              /* what a layer with reads_y sees: nb rows, or one that all share */
  fm_rows y_bar;          /* added to; p NULL: not wanted */
  fm_real *work;          /* at least work(layer, nb) numbers, of no defined value */
  fm_real *kept;          /* keep(layer, nb) numbers that apply leaves to vjp; NULL: none */
} fm_pass;

typedef struct fm_layer_ops {
  PetscBool reads_y; /* acts on x and reads y */

  /* build - name the layer's tensors with fm_layer_tensor, one after the other. layer->data may
     be set to one PetscMalloc'ed block, which the flow frees. */
  PetscErrorCode (*build)(fm_layer *layer, fm_flow *flow);

  /* work - how many numbers of scratch apply and vjp need; NULL: none. */
  int64_t (*work)(const fm_layer *layer, int64_t nb);

  /* keep - how many numbers an apply can leave in pass->kept for the vjp of the same pass,
     which need then not compute them again; NULL: none, ever. */
  int64_t (*keep)(const fm_layer *layer, int64_t nb);

  /* flop - operations of one sample's apply, a multiply-add counted as two; NULL: two an
     element. */
  double (*flop)(const fm_layer *layer);

  /* apply - v is overwritten; logdet [nb] (NULL: not wanted) is added to. */
  void (*apply)(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet);

  /* vjp - on entry v is the output of apply and v_bar its cotangent; on exit v is the rebuilt
     input and v_bar the input's cotangent. logdet_bar [nb] or NULL. */
  void (*vjp)(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
              const fm_real *logdet_bar);

  /* start - set the layer's numbers from its input batch v; NULL: keeps its initial values. */
  void (*start)(const fm_layer *layer, fm_real *theta, fm_direction direction, int64_t nb,
                const fm_real *v);
} fm_layer_ops;

/* A line of layers.def. */
typedef struct fm_layer_kind {
  const char *name, *help;
  const fm_layer_ops *ops;
} fm_layer_kind;

struct fm_layer {
  const fm_layer_kind *kind;
  char name[FM_NAME_MAX]; /* block3.x.hint */
  fm_lane lane;           /* that it transforms */
  fm_shape shape, y;      /* of that lane here, and of the y lane */
  int64_t size, size_y;   /* numbers a sample: in `shape`, which may be part of the lane; in
                             the whole y lane */
  int64_t first, nparameter;
  int64_t reader; /* the how many-th of the layers that read y, in normalizing order */
  void *data;
};

/* fm_layer_tensor - name the next tensor of this layer: "a.w2" of layer block3.x.hint is
   block3.x.hint.a.w2. It starts as independent N(0, deviation^2) numbers; deviation 0: zeros. A
   tensor of no elements is left out. Returns where it begins in theta in *offset (which may be
   NULL). */
PetscErrorCode fm_layer_tensor(fm_flow *flow, fm_layer *layer, const char *name, int ndim,
                               const int64_t *shape, double deviation, int64_t *offset);

/* fm_layer_reshape - from its build: what this layer leaves of its lane has the shape `out` (of
   the same size) for all layers after it. */
PetscErrorCode fm_layer_reshape(fm_flow *flow, const fm_layer *layer, fm_shape out);

/* fm_layer_kinds - the lines of layers.def. */
const fm_layer_kind *fm_layer_kinds(int64_t *count);

/* fm_flow_add - append, in normalizing order, a layer of that kind; `block` ("block3", or "")
   begins its name. For networks. Fails on an unknown kind (names the known ones) and on a layer
   that reads y where there is none. */
PetscErrorCode fm_flow_add(fm_flow *flow, const char *block, fm_lane lane, const char *kind);

/* fm_flow_create_layer - a flow of one single layer, for tests. spec->network and depth are not
   used. */
PetscErrorCode fm_flow_create_layer(const fm_flow_spec *spec, const char *kind, fm_lane lane,
                                    fm_flow **flow);

#endif
