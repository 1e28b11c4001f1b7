/* The operators acoustic and born from their options. */
#include "acoustic.h"
#include "fathom/ricker.h"
#include "fathom/store.h"
#include <math.h>
#include <unistd.h>

/* ---- the wavelet ---- */

static PetscErrorCode make_ricker(MPI_Comm comm, fm_acoustic *a, double *wavelet) {
  PetscBool given;
  double delay;

  PetscFunctionBegin;
  PetscCall(fm_option_given("acoustic_wavelet_frequency", &given));
  fm_check(given, comm, PETSC_ERR_USER,
           "the operator acoustic needs a wavelet: -acoustic_wavelet_frequency, the peak of a "
           "Ricker wavelet in Hz, or -acoustic_wavelet FILE:/dataset");
  PetscCall(fm_option_real_in("acoustic_wavelet_frequency", 1e-9, 1e12, &a->peak));
  PetscCall(fm_option_given("acoustic_wavelet_delay", &given));
  delay = FM_RICKER_DELAY / a->peak;
  if (given) PetscCall(fm_option_real("acoustic_wavelet_delay", &delay));
  fm_ricker(a->peak, delay, a->spec.dt, a->steps, wavelet);
  a->max_frequency = FM_RICKER_MAXIMUM * a->peak;
  PetscFunctionReturn(0);
}

static PetscErrorCode take_wavelet(MPI_Comm comm, fm_acoustic *a, int ndim,
                                   const int64_t *shape, const double *given, double *wavelet) {
  int64_t count = 1;
  PetscBool ricker;

  PetscFunctionBegin;
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(count == a->steps, comm, PETSC_ERR_USER,
           "-acoustic_wavelet has %lld samples, -acoustic_steps is %lld: one for each step is "
           "needed",
           (long long)count, (long long)a->steps);
  PetscCall(fm_option_given("acoustic_wavelet_frequency", &ricker));
  fm_check(!ricker, comm, PETSC_ERR_USER,
           "-acoustic_wavelet and -acoustic_wavelet_frequency exclude each other");
  PetscCall(PetscArraycpy(wavelet, given, (size_t)count));
  a->max_frequency = fm_wavelet_maximum(a->spec.dt, count, wavelet);
  fm_check(a->max_frequency > 0, comm, PETSC_ERR_USER,
           "-acoustic_wavelet is zero everywhere: it has nothing to send");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_wavelet(MPI_Comm comm, fm_acoustic *a, double *wavelet) {
  int64_t shape[FM_STORE_NDIM];
  PetscErrorCode code;
  PetscBool given;
  double *values;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(comm, "acoustic_wavelet", &ndim, shape, &values));
  if (ndim)
    code = take_wavelet(comm, a, ndim, shape, values, wavelet);
  else
    code = make_ricker(comm, a, wavelet);
  PetscCall(PetscFree(values));
  PetscCall(code);
  PetscCall(fm_option_given("acoustic_max_frequency", &given));
  if (given)
    PetscCall(fm_option_real_in("acoustic_max_frequency", 1e-9, 1e12, &a->max_frequency));
  if (a->peak == 0) a->peak = a->max_frequency / FM_RICKER_MAXIMUM;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_dispersion(MPI_Comm comm, fm_acoustic *a) {
  fm_dispersion_spec spec = {PETSC_FALSE, a->steps, a->every, a->spec.dt, a->max_frequency};
  PetscBool transform, given;

  PetscFunctionBegin;
  PetscCall(fm_option_flag("acoustic_time_dispersion", &transform));
  PetscCall(fm_option_given("acoustic_time_dispersion", &given));
  fm_check(a->spec.time_order == 2 || !transform || !given, comm, PETSC_ERR_USER,
           "-acoustic_time_dispersion is for -acoustic_time_order 2: leave one of them out");
  spec.transform = a->spec.time_order == 2 && transform ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fm_dispersion_create(&spec, &a->dispersion));
  a->spec.steps = fm_dispersion_steps(a->dispersion);
  a->samples = fm_dispersion_samples(a->dispersion);
  PetscFunctionReturn(0);
}

/* The wavelet for the time loop, its largest sample between 1/2 and 1. */
static PetscErrorCode create_wavelet(MPI_Comm comm, fm_acoustic *a) {
  PetscErrorCode code;
  double *wavelet, most = 0;
  int exponent;

  PetscFunctionBegin;
  PetscCall(fm_calloc(a->steps, &wavelet));
  code = read_wavelet(comm, a, wavelet);
  if (!code) code = create_dispersion(comm, a);
  if (!code) code = fm_calloc(a->spec.steps, &a->wavelet);
  if (!code) fm_dispersion_wavelet(a->dispersion, wavelet, a->wavelet);
  PetscCall(PetscFree(wavelet));
  PetscCall(code);
  for (int64_t n = 0; n < a->spec.steps; n++) most = fmax(most, fabs(a->wavelet[n]));
  frexp(most, &exponent);
  a->unit = ldexp(1, exponent);
  for (int64_t n = 0; n < a->spec.steps; n++) a->wavelet[n] /= a->unit;
  PetscFunctionReturn(0);
}

/* ---- which ranks share what ---- */

/* Bytes that a gradient of one shot keeps on all its ranks, nearly. */
static double tape_of(const fm_wave2d_spec *spec) {
  const double rows = (double)(spec->nz + spec->layer[FM_TOP] + spec->layer[FM_BOTTOM]);
  const double columns = (double)(spec->nx + spec->layer[FM_LEFT] + spec->layer[FM_RIGHT]);
  const double all = rows * columns * (double)spec->steps * (double)sizeof(fm_real);

  return spec->tape_bytes ? fmin(all, (double)spec->tape_bytes) : all;
}

static double machine_memory(void) {
  return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

static PetscErrorCode check_memory(MPI_Comm comm, const fm_acoustic *a) {
  const double tape = tape_of(&a->spec), machine = machine_memory();

  PetscFunctionBegin;
  fm_check(tape < machine, comm, PETSC_ERR_USER,
           "a gradient of one shot keeps %.3g GiB, this machine has %.3g: bound it with "
           "-tape_memory",
           ldexp(tape, -30), ldexp(machine, -30));
  PetscFunctionReturn(0);
}

/* auto: the shots, where there is one for each rank and half of the memory holds a tape for
   each; else the rows, as far as there are enough. */
static PetscErrorCode choose_split(MPI_Comm space, fm_acoustic *a) {
  const int64_t most = fm_wave2d_most_ranks(&a->spec);
  PetscMPIInt size;
  PetscBool fits;
  int choice;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(space, &size));
  PetscCall(fm_option_choice("acoustic_split", "auto|domain|shots", &choice));
  fm_check(choice != 1 || size <= most, space, PETSC_ERR_USER,
           "-acoustic_split domain: %d ranks of a sample cannot share %lld rows, at most %lld "
           "can: take -acoustic_split shots or fewer -ranks_per_sample",
           size, (long long)(a->spec.nz + a->spec.layer[FM_TOP] + a->spec.layer[FM_BOTTOM]),
           (long long)most);
  fits = size * tape_of(&a->spec) < machine_memory() / 2;
  a->split_shots =
      choice == 2 || (choice == 0 && ((a->survey->nshot >= size && fits) || size > most));
  if (size == 1) a->split_shots = PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* ---- all of it ---- */

/* Layers for a velocity that nobody named are made for 0.7 of the largest stable one. */
static void set_layers(fm_acoustic *a) {
  a->spec.layer_velocity =
      a->velocity->high > 0 ? a->velocity->high : 0.7 * fm_wave2d_limit(&a->spec) / a->spec.dt;
  a->spec.layer_frequency = a->peak;
}

/* A field about 0 is added to a background. */
static PetscErrorCode check_coordinates(MPI_Comm comm, const fm_acoustic *a) {
  const fm_velocity *v = a->velocity;

  PetscFunctionBegin;
  fm_check(a->coordinates->kind == FM_COORDINATES_NODES ||
               (v->background && v->scale && v->unknown >= FM_UNKNOWN_SCALED),
           comm, PETSC_ERR_USER,
           "-acoustic_coordinates matern and modes describe a field about a background: give "
           "-acoustic_unknown scaled or bounded, -acoustic_background and -acoustic_scale");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(MPI_Comm space, fm_acoustic *a) {
  PetscFunctionBegin;
  PetscCall(fm_acoustic_read_grid(space, a));
  PetscCall(fm_acoustic_read_tape_memory(space, &a->spec.tape_bytes));
  PetscCall(
      fm_velocity_create(space, a->nz, a->nx, a->spec.dz / (double)a->coarsen, &a->velocity));
  PetscCall(fm_coordinates_create(space, a->nz, a->nx, &a->coordinates));
  PetscCall(check_coordinates(space, a));
  PetscCall(create_wavelet(space, a));
  PetscCall(fm_survey_create(space, &a->spec, &a->survey));
  PetscCall(fm_acoustic_preflight(space, a));
  PetscCall(check_memory(space, a));
  set_layers(a);
  PetscFunctionReturn(0);
}

static PetscErrorCode set_sizes(fm_operator *op, const fm_acoustic *a) {
  const int64_t of_shot = a->samples * a->survey->nreceiver;

  PetscFunctionBegin;
  fm_check(of_shot <= PETSC_MAX_INT, op->space, PETSC_ERR_USER,
           "%lld receivers of %lld samples are %lld data a shot, %lld are the most: record "
           "fewer samples (-acoustic_record_every) or receivers",
           (long long)a->survey->nreceiver, (long long)a->samples, (long long)of_shot,
           (long long)PETSC_MAX_INT);
  op->x_rows = a->coordinates->kind == FM_COORDINATES_MODES ? 0 : a->nz;
  op->x_columns = op->x_rows ? a->nx : 0;
  op->x_size = a->coordinates->size;
  op->model_rows = a->nz;
  op->model_columns = a->nx;
  op->model_spacing[0] = a->spec.dz / (double)a->coarsen;
  op->model_spacing[1] = a->spec.dx / (double)a->coarsen;
  op->model_unit = "m/s";
  if (a->velocity->unknown == FM_UNKNOWN_BOUNDED) op->model_low = a->velocity->low;
  if (a->velocity->unknown == FM_UNKNOWN_BOUNDED) op->model_high = a->velocity->high;
  op->d_size = a->survey->nshot * of_shot;
  op->nparts = (PetscInt)a->survey->nshot;
  op->d_samples = a->samples;
  op->d_dt = a->spec.dt * (double)a->every;
  op->d_frequency = a->peak;
  op->x_background = a->velocity->background && a->velocity->unknown >= FM_UNKNOWN_SCALED;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_arrays(fm_operator *op, fm_acoustic *a) {
  const int64_t nodes = a->nz * a->nx, nr = a->survey->nreceiver;
  const int64_t grid = a->spec.nz * a->spec.nx;
  Vec x, d;

  PetscFunctionBegin;
  PetscCall(PetscCalloc6(nodes, &a->c, nodes, &a->next, nodes, &a->slope, nodes, &a->node,
                         nodes, &a->field, op->x_size, &a->unknown));
  PetscCall(PetscCalloc2(grid, &a->coarse, grid, &a->grid));
  PetscCall(PetscCalloc2(a->spec.steps * nr, &a->trace, a->samples * nr, &a->data));
  PetscCall(fm_acoustic_create_vecs(op, 0, &x, &d));
  PetscCall(fm_gather_create(x, &a->of_x));
  PetscCall(fm_gather_create(d, &a->of_d));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&d));
  PetscFunctionReturn(0);
}

/* The same for any number of ranks: it goes into checkpoints. */
static PetscErrorCode describe(fm_operator *op, const fm_acoustic *a) {
  static const char *const unknown[] = {"velocity", "squared slowness", "scaled velocity",
                                        "bounded velocity"};
  static const char *const coordinates[] = {"nodes", "matern coordinates", "modes"};
  const double k = (double)a->coarsen;
  char coarse[64] = "", modes[64] = "";

  PetscFunctionBegin;
  if (a->coarsen > 1)
    PetscCall(PetscSNPrintf(coarse, sizeof(coarse), " solved on %lldx%lld",
                            (long long)a->spec.nz, (long long)a->spec.nx));
  if (a->coordinates->kind)
    PetscCall(PetscSNPrintf(modes, sizeof(modes), " in %lld %s%s",
                            (long long)a->coordinates->size, coordinates[a->coordinates->kind],
                            a->coordinates->informed ? ", informed" : ""));
  PetscCall(PetscSNPrintf(
      op->description, sizeof(op->description),
      "%s, %lldx%lld nodes of %.6gx%.6g m%s, order %d, %d in time, %lld steps of %.6g s, "
      "%s%lld shots of %lld receivers, %s%s",
      op->name, (long long)a->nz, (long long)a->nx, a->spec.dz / k, a->spec.dx / k, coarse,
      a->spec.order, a->spec.time_order, (long long)a->steps, a->spec.dt,
      a->spec.free_surface ? "free surface, " : "", (long long)a->survey->nshot,
      (long long)a->survey->nreceiver, unknown[a->velocity->unknown], modes));
  PetscFunctionReturn(0);
}

/* Where the background lies, if x = 0 is another model. */
static PetscErrorCode set_home(fm_operator *op, fm_acoustic *a) {
  PetscFunctionBegin;
  if (!a->velocity->home) PetscFunctionReturn(0);
  fm_check(a->coordinates->kind != FM_COORDINATES_MODES, op->space, PETSC_ERR_USER,
           "-acoustic_linearize_at: not every model is a sum of -acoustic_modes; take "
           "-acoustic_coordinates nodes or matern");
  PetscCall(fm_calloc(op->x_size, &op->x_home));
  PetscCall(fm_coordinates_inverse(a->coordinates, a->velocity->home, op->x_home));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_setup(fm_operator *op) {
  fm_acoustic *a;

  PetscFunctionBegin;
  PetscCall(PetscNew(&a));
  op->data = a;
  PetscCall(read_all(op->space, a));
  PetscCall(set_sizes(op, a));
  PetscCall(set_home(op, a));
  PetscCall(choose_split(op->space, a));
  if (a->split_shots) op->group = PETSC_COMM_SELF;
  a->spec.comm = op->group;
  PetscCall(fm_wave2d_create(&a->spec, &a->wave));
  PetscCall(create_arrays(op, a));
  PetscCall(describe(op, a));
  fm_acoustic_say(op, a);
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy_born(fm_acoustic *a, PetscInt nshot) {
  PetscFunctionBegin;
  for (PetscInt p = 0; a->born_base && p < nshot; p++) PetscCall(VecDestroy(&a->born_base[p]));
  PetscCall(VecDestroy(&a->born_step));
  PetscCall(PetscFree(a->born_base));
  PetscCall(PetscFree(a->born_centre));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_destroy(fm_operator *op) {
  fm_acoustic *a = (fm_acoustic *)op->data;

  PetscFunctionBegin;
  if (!a) PetscFunctionReturn(0);
  PetscCall(destroy_born(a, op->nparts));
  PetscCall(fm_gather_destroy(&a->of_x));
  PetscCall(fm_gather_destroy(&a->of_d));
  PetscCall(fm_wave2d_destroy(&a->wave));
  PetscCall(fm_survey_destroy(&a->survey));
  PetscCall(fm_velocity_destroy(&a->velocity));
  PetscCall(fm_coordinates_destroy(&a->coordinates));
  PetscCall(fm_dispersion_destroy(&a->dispersion));
  PetscCall(PetscFree(a->wavelet));
  PetscCall(PetscFree(a->sign));
  PetscCall(PetscFree6(a->c, a->next, a->slope, a->node, a->field, a->unknown));
  PetscCall(PetscFree2(a->coarse, a->grid));
  PetscCall(PetscFree2(a->trace, a->data));
  PetscCall(PetscFree(a));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d) {
  const PetscInt count = (PetscInt)(op->d_size / op->nparts);

  PetscFunctionBegin;
  PetscCall(VecCreateMPI(op->group, PETSC_DECIDE, (PetscInt)op->x_size, x));
  PetscCall(VecCreateMPI(op->group, PETSC_DECIDE, count, d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_acoustic_part_range(fm_operator *op, PetscInt part, int64_t *first,
                                      int64_t *count) {
  PetscFunctionBegin;
  *count = op->d_size / op->nparts;
  *first = part * *count;
  PetscFunctionReturn(0);
}
