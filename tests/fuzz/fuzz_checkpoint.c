/* A checkpoint: loaded for its weights, and resumed by a run of the same settings. The checksum
   line hides what lies behind it: three of four mutated inputs get a right one.

   FUZZ_SEED=FILE: writes a checkpoint that this program can resume and ends. */
#include "alone.h"
#include "../../io/h5.h"
#include "fathom/checkpoint.h"
#include "infer_cases.h"

#define LINE "fathom crc32 "

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

static infer_fixture fixture;
static fm_trainer *trainer;

/* ---- mutation ---- */

/* The bytes before the checksum line. */
static size_t body_of(const uint8_t *data, size_t size) {
  const size_t from = size > 64 ? size - 64 : 0;
  const uint8_t *line = memmem(data + from, size - from, LINE, strlen(LINE));

  return line ? (size_t)(line - data) : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed) {
  char line[64];

  if (seed % 4 == 0 || most < 128) return LLVMFuzzerMutate(data, size, most);
  size = LLVMFuzzerMutate(data, PetscMin(body_of(data, size), most - 64), most - 64);
  fm_trailer_text(data, size, line);
  memcpy(data + size, line, strlen(line));
  return size + strlen(line);
}

/* ---- a run ---- */

static void open_run(void) {
  fm_flow_spec spec = triangular_spec(&toy);
  fm_trainer_inputs in;

  spec.y = fm_shape_vector(toy.m);
  infer_open(&fixture, &toy, PETSC_COMM_SELF, 1, spec);
  infer_posterior(&fixture, FM_ESTIMATOR_PATH, 0, 10);
  in = infer_trainer_inputs(&fixture, 4);
  trainer = infer_trainer(&in, fixture.theta);
}

static void close_run(void) {
  fuzz_ok(fm_trainer_destroy(&trainer));
  infer_close(&fixture);
}

static void write_seed(const char *path) {
  infer_steps(trainer, 3);
  fuzz_ok(fm_checkpoint_save(trainer, path, &(fm_keep){.files = 1}));
  exit(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_begin();
  fuzz_share();
  H5open();
  open_run(); /* once, for what is declared and kept from then on */
  if (getenv("FUZZ_SEED")) write_seed(getenv("FUZZ_SEED"));
  close_run();
  return 0;
}

/* ---- one input ---- */

static void load(const char *path, fm_weights weights) {
  fm_transport *transport;
  fm_real *theta;

  if (fm_checkpoint_load(PETSC_COMM_SELF, path, weights, &transport, &theta)) return;
  fuzz_ok(PetscFree(theta));
  fuzz_ok(fm_transport_destroy(&transport));
}

static void one(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(data, size);
  const fuzz_before before = fuzz_note();
  char found[PETSC_MAX_PATH_LEN];

  load(path, FM_WEIGHTS_AUTO);
  load(path, FM_WEIGHTS_LAST);
  (void)!fm_store_newest(PETSC_COMM_SELF, path, found);
  open_run();
  (void)!fm_checkpoint_resume(trainer, path);
  close_run();
  fuzz_compare(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_alone(one, data, size);
  return 0;
}
