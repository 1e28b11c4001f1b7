/* The options of the operators acoustic and born, and what they say of the grid. */
#include "acoustic.h"
#include "fathom/store.h"
#include <ctype.h>
#include <math.h>

#define LEAST_NODES (2 * FM_WAVE2D_HALO) /* a side */
#define MOST_NODES 1000000
#define MOST_LAYER 1000

#define PHYSICS FM_COMMANDS_PHYSICS " shots export"
const fm_option fm_acoustic_options[] = {
    {"acoustic_shape", FM_OPTION_TEXT, "", PHYSICS, "nodes of the model, NZxNX"},
    {"acoustic_spacing", FM_OPTION_ARRAY, "", PHYSICS,
     "distance of the nodes in m, H or DZ,DX"},
    {"acoustic_coarsen", FM_OPTION_INTEGER, "1", PHYSICS,
     "solve on every so many-th node of the model, squared slowness averaged around it and "
     "continued beyond the last node: a low-fidelity twin of the same unknowns and data"},
    {"acoustic_dt", FM_OPTION_REAL, "", PHYSICS, "time step in s"},
    {"acoustic_steps", FM_OPTION_INTEGER, "", PHYSICS,
     "samples of the time loop, t = 0 included"},
    {"acoustic_record_every", FM_OPTION_INTEGER, "1", PHYSICS,
     "every so many samples one becomes a datum"},
    {"acoustic_order", FM_OPTION_TEXT, "8", PHYSICS,
     "order of the differences in space: 2|4|6|8"},
    {"acoustic_time_order", FM_OPTION_TEXT, "2", PHYSICS, "order in time: 2|4"},
    {"acoustic_time_dispersion", FM_OPTION_FLAG, "true", PHYSICS,
     "with order 2 in time: transform wavelet and traces so that no time dispersion is left"},
    {"acoustic_layers", FM_OPTION_ARRAY, "20", PHYSICS,
     "nodes of the absorbing layers around the model: a number, or top,bottom,left,right; 0: "
     "the edge reflects"},
    {"acoustic_free_surface", FM_OPTION_FLAG, "false", PHYSICS,
     "u = 0 on the top row, in place of a layer"},
    {"acoustic_wavelet_frequency", FM_OPTION_REAL, "", PHYSICS,
     "peak frequency of a Ricker wavelet in Hz"},
    {"acoustic_wavelet_delay", FM_OPTION_REAL, "", PHYSICS,
     "time of the Ricker wavelet's peak in s; default: 1.5 / frequency"},
    {"acoustic_wavelet", FM_OPTION_ARRAY, "", PHYSICS,
     "another wavelet, a sample for each step: a list or FILE:/dataset"},
    {"acoustic_max_frequency", FM_OPTION_REAL, "", PHYSICS,
     "the wavelet's highest frequency in Hz; default: where its spectrum has fallen to 1/30, "
     "which for Ricker's is 2.5 times the peak"},
    {"acoustic_sources", FM_OPTION_ARRAY, "", PHYSICS,
     "a source a shot, (z, x) in m from the first node: z,x,z,x,... or FILE:/dataset [n][2]"},
    {"acoustic_sources_line", FM_OPTION_ARRAY, "", PHYSICS,
     "in place of -acoustic_sources COUNT,Z,FIRST,LAST: so many at depth Z, evenly from x = "
     "FIRST to LAST"},
    {"acoustic_receivers_line", FM_OPTION_ARRAY, "", PHYSICS,
     "receivers likewise, in place of -acoustic_receivers"},
    {"acoustic_receivers", FM_OPTION_ARRAY, "", PHYSICS,
     "receivers likewise, [n][2], or [shots][n][2] where they differ by shot"},
    {"acoustic_unknown", FM_OPTION_TEXT, "velocity", PHYSICS,
     "the unknown of a node, velocity in m/s, squared slowness in s^2/m^2, background + scale "
     "x, or a logistic map to between velocity_min and velocity_max: " FM_UNKNOWNS},
    {"acoustic_background", FM_OPTION_ARRAY, "", PHYSICS,
     "velocity in m/s for `scaled`, with -acoustic_scale the centre of `bounded`, and where "
     "the operator born is linearised: a number or FILE:/dataset"},
    {"acoustic_linearize_at", FM_OPTION_ARRAY, "", PHYSICS,
     "model in m/s, FILE:/dataset, in place of the background where the operator born, `fathom "
     "informed` and -condition migration linearise; the prior stays about "
     "-acoustic_background (-prior informed, or a flow of models)"},
    {"acoustic_background_gradient", FM_OPTION_REAL, "0", PHYSICS,
     "m/s that are added to the background for each m of depth"},
    {"acoustic_scale", FM_OPTION_ARRAY, "", PHYSICS,
     "m/s per unit of the unknown for `scaled`, and for `bounded` with a background there: a "
     "number or FILE:/dataset"},
    {"acoustic_scale_gradient", FM_OPTION_REAL, "0", PHYSICS,
     "what is added to the scale for each m of depth"},
    {"acoustic_frozen", FM_OPTION_ARRAY, "", PHYSICS,
     "1 for nodes that keep the background's velocity (a water layer), 0 for others: "
     "FILE:/dataset [nz][nx]"},
    {"acoustic_coordinates", FM_OPTION_TEXT, "nodes", PHYSICS,
     "what the unknown is: the field at the nodes, white noise that the factor of the Matern "
     "covariance -matern_correlation colours, or coefficients of its leading "
     "modes: " FM_COORDINATES},
    {"acoustic_modes", FM_OPTION_INTEGER, "16", PHYSICS,
     "Karhunen-Loeve modes for -acoustic_coordinates modes"},
    {"acoustic_informed", FM_OPTION_TEXT, "", PHYSICS,
     "file of `fathom informed`: coordinates (of matern or modes) in which the posterior of "
     "nearly linear data is white (with -prior informed)"},
    {"acoustic_velocity_min", FM_OPTION_REAL, "", PHYSICS,
     "lower bound for `bounded`; else the least velocity to expect, for the checks; default: "
     "that of the background"},
    {"acoustic_velocity_max", FM_OPTION_REAL, "", PHYSICS,
     "upper bound for `bounded`; else the largest velocity to expect, for the checks and the "
     "absorbing layers; default: that of the background"},
    {"acoustic_split", FM_OPTION_TEXT, "auto", PHYSICS,
     "what the ranks of a sample share, the rows of the grid or the shots: auto|domain|shots"},
    {"acoustic_allow_dispersion", FM_OPTION_FLAG, "false", PHYSICS,
     "let a grid pass that is too coarse for the wavelet"},
    {"tape_memory", FM_OPTION_TEXT, "0", PHYSICS,
     "most bytes that the gradient of a shot keeps, with K, M or G for powers of 1024; 0: no "
     "limit"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

/* ---- options of the grid ---- */

static PetscErrorCode read_shape(MPI_Comm comm, fm_acoustic *a) {
  const char *text;
  int64_t shape[2];

  PetscFunctionBegin;
  PetscCall(fm_option_text("acoustic_shape", &text));
  PetscCall(fm_option_shape("acoustic_shape", "the nodes of the model as NZxNX", shape));
  a->nz = shape[0];
  a->nx = shape[1];
  fm_check(
      a->nz >= LEAST_NODES && a->nx >= LEAST_NODES && a->nz <= MOST_NODES &&
          a->nx <= MOST_NODES && a->nz * a->nx <= PETSC_MAX_INT,
      comm, PETSC_ERR_USER,
      "-acoustic_shape %s: %d to %d nodes a side and fewer than 2^31 together are possible",
      text, LEAST_NODES, MOST_NODES);
  PetscFunctionReturn(0);
}

/* The grid that is solved on; it reaches the model's end, or beyond. */
static PetscErrorCode coarsen(MPI_Comm comm, fm_acoustic *a) {
  fm_wave2d_spec *spec = &a->spec;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("acoustic_coarsen", 1, MOST_NODES, &a->coarsen));
  spec->depth = (double)(a->nz - 1) * spec->dz;
  spec->width = (double)(a->nx - 1) * spec->dx;
  spec->nz = (a->nz - 2 + a->coarsen) / a->coarsen + 1;
  spec->nx = (a->nx - 2 + a->coarsen) / a->coarsen + 1;
  fm_check(
      PetscMin(spec->nz, spec->nx) >= LEAST_NODES, comm, PETSC_ERR_USER,
      "-acoustic_coarsen %lld leaves %lldx%lld of %lldx%lld nodes: %d a side are the least",
      (long long)a->coarsen, (long long)spec->nz, (long long)spec->nx, (long long)a->nz,
      (long long)a->nx, LEAST_NODES);
  spec->dz *= (double)a->coarsen;
  spec->dx *= (double)a->coarsen;
  a->amplitude = 1 / (spec->dz * spec->dx);
  PetscFunctionReturn(0);
}

/* The numbers of an array option, of which one counts for all `most`. */
static PetscErrorCode read_few(MPI_Comm comm, const char *option, const char *form, int most,
                               double *out) {
  int64_t shape[FM_STORE_NDIM];
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, option, &ndim, shape, &given));
  for (int k = 0; k < most && ndim == 1; k++) out[k] = given[shape[0] == most ? k : 0];
  PetscCall(PetscFree(given));
  fm_check(ndim == 1 && (shape[0] == 1 || shape[0] == most), comm, PETSC_ERR_USER,
           "-%s takes %s, %lld numbers are given", option, form,
           (long long)(ndim ? shape[0] : 0));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_layers(MPI_Comm comm, fm_wave2d_spec *spec) {
  double layer[FM_SIDES];

  PetscFunctionBegin;
  PetscCall(fm_option_flag("acoustic_free_surface", &spec->free_surface));
  PetscCall(read_few(comm, "acoustic_layers", "one number, or top,bottom,left,right", FM_SIDES,
                     layer));
  for (int side = 0; side < FM_SIDES; side++) {
    fm_check(layer[side] >= 0 && layer[side] <= MOST_LAYER && layer[side] == floor(layer[side]),
             comm, PETSC_ERR_USER, "-acoustic_layers: %.6g is no number of nodes from 0 to %d",
             layer[side], MOST_LAYER);
    spec->layer[side] = (int64_t)layer[side];
  }
  fm_check(!spec->free_surface || spec->layer[FM_TOP] == 0 ||
               (layer[FM_TOP] == layer[FM_BOTTOM] && layer[FM_TOP] == layer[FM_LEFT]),
           comm, PETSC_ERR_USER,
           "-acoustic_free_surface and a layer of %lld nodes on top exclude each other: give "
           "-acoustic_layers 0,bottom,left,right",
           (long long)spec->layer[FM_TOP]);
  if (spec->free_surface) spec->layer[FM_TOP] = 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode need(MPI_Comm comm, const char *option) {
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_given(option, &given));
  fm_check(given, comm, PETSC_ERR_USER, "the operator acoustic needs -%s", option);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_read_grid(MPI_Comm comm, fm_acoustic *a) {
  static const char *const needed[] = {"acoustic_shape", "acoustic_spacing", "acoustic_dt",
                                       "acoustic_steps"};
  fm_wave2d_spec *spec = &a->spec;
  double spacing[2];
  int order, time_order;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++) PetscCall(need(comm, needed[k]));
  PetscCall(read_shape(comm, a));
  PetscCall(read_few(comm, "acoustic_spacing", "H or DZ,DX", 2, spacing));
  spec->dz = spacing[0];
  spec->dx = spacing[1];
  fm_check(spec->dz > 0 && spec->dx > 0, comm, PETSC_ERR_USER,
           "-acoustic_spacing must be positive: it is %.6g,%.6g m", spec->dz, spec->dx);
  PetscCall(coarsen(comm, a));
  PetscCall(fm_option_real_in("acoustic_dt", 1e-12, 1e6, &spec->dt));
  PetscCall(fm_option_integer_in("acoustic_steps", 2, 100000000, &a->steps));
  PetscCall(fm_option_integer_in("acoustic_record_every", 1, a->steps, &a->every));
  PetscCall(fm_option_choice("acoustic_order", "2|4|6|8", &order));
  PetscCall(fm_option_choice("acoustic_time_order", "2|4", &time_order));
  PetscCall(fm_option_flag("acoustic_allow_dispersion", &a->allow_dispersion));
  spec->order = 2 * (order + 1);
  spec->time_order = 2 * (time_order + 1);
  PetscCall(read_layers(comm, spec));
  PetscFunctionReturn(0);
}

/* "500M": bytes. */
PetscErrorCode fm_acoustic_read_tape_memory(MPI_Comm comm, int64_t *bytes) {
  static const char suffixes[] = "KMGT";
  const char *text, *suffix;
  double value;
  char *end;

  PetscFunctionBegin;
  PetscCall(fm_option_text("tape_memory", &text));
  value = strtod(text, &end);
  suffix = end != text && *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
  if (suffix) {
    value = ldexp(value, 10 * (int)(suffix - suffixes + 1));
    end++;
  }
  fm_check(end != text && !*end && value >= 0 && value < 1e18, comm, PETSC_ERR_USER,
           "-tape_memory takes a number of bytes, such as 2000000, 500M or 1.5G, not '%s'",
           text);
  *bytes = (int64_t)value;
  PetscFunctionReturn(0);
}
