/* layers - one velocity model as geology: up to SEQUENCES sequences of layers above each
   other, each with folds and faults of its own, unconformities between them. A node at (z,
   x) belongs to one sequence; undoing its faults, the youngest first, and then its folds
   gives the depth u at which it was laid down, and u the layer. Lengths here are in units
   of the mean thickness of a layer, from the middle of the model's top. */
#ifndef FM_LAYERS_H
#define FM_LAYERS_H

#include "strata.h"

#define FM_SEQUENCES 3
#define FM_FAULTS 10 /* of a sequence at most */

/* The law of a sequence. */
typedef struct fm_sequence_law {
  fm_fold_law fold;
  double faults;                /* at most; the number is uniform */
  double slip_low, slip_high;   /* along the plane; negative: a thrust */
  double steep_low, steep_high; /* angle of the plane with the horizontal, degrees */
  double drag;                  /* bending of layers towards a fault at most */
  double tip; /* faults end upwards within this share of the depth; 0: do not */
} fm_sequence_law;

typedef struct fm_geology {
  int layers;                        /* in the depth of the model, where not said otherwise */
  double cover, basement;            /* chance of a sequence above and below the main one */
  double cover_low, cover_high;      /* depth of its base, shares of the model's depth */
  double base_low, base_high;        /* likewise of the main sequence */
  fm_sequence_law law[FM_SEQUENCES]; /* cover, main, basement */
  /* velocities, shares of the range: */
  double start_low, start_high, growth_low, growth_high; /* at the top, and gained with depth */
  double strata;     /* share of the growth that follows the layers, not the depth */
  double contrast;   /* std of a layer's difference from the trend */
  double slow, fast; /* chances of a layer much slower, faster */
  double beds;       /* std of thin beds' differences inside a layer */
} fm_geology;

extern const fm_geology fm_geologies[]; /* basin, thrust */

typedef struct fm_fault {
  double x, z, sine,
      cosine; /* a point of the plane, which dips to the right where cosine > 0 */
  double slip, drag, tip, taper;
} fm_fault;

typedef struct fm_beds {
  int64_t most;
  double *top, *value; /* [most], from the top down; what each adds to the trend */
} fm_beds;

typedef struct fm_sequence {
  fm_fold top; /* of its upper surface, where it has one */
  double top_depth;
  fm_fold fold;
  int faults;
  fm_fault fault[FM_FAULTS];
  fm_beds layers, beds;
} fm_sequence;

typedef struct fm_layers {
  fm_geology g;
  double depth, width;  /* of the model */
  int64_t number;       /* of uniform numbers that a draw takes */
  int first, sequences; /* of this draw: first .. first + sequences - 1 are there */
  double start, growth;
  fm_sequence sequence[FM_SEQUENCES];
} fm_layers;

/* fm_layers_create - for models of that size. fm_layers_read: a draw from u[number]. */
PetscErrorCode fm_layers_create(int geology, double depth, double width, fm_layers **layers);
PetscErrorCode fm_layers_destroy(fm_layers **layers);
void fm_layers_read(fm_layers *l, const double *u);
/* fm_layers_at - velocity at (z, x), a share of the range, not bounded; `buried` is the depth
   below the sea floor. */
double fm_layers_at(const fm_layers *l, double z, double x, double buried);
/* fm_layers_where - the sequence that (z, x) lies in and the depth at which it was laid
   down. */
int fm_layers_where(const fm_layers *l, double z, double x, double *u);
/* fm_layers_squash - v where low + soft <= v <= high - soft, and beyond that smoothly and
   strictly increasing to low and high. */
double fm_layers_squash(double v, double low, double high, double soft);

#endif
