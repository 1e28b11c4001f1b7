#include "flow_subject.h"
#include <math.h>

const char *const bench_memory_name[BENCH_MODES] = {"store", "recompute", "bf16"};

static fm_flow_spec spec_of(fm_dataset *data, int64_t depth, bench_memory memory) {
  return (fm_flow_spec){.network = "hint",
                        .variant = "default",
                        .depth = depth,
                        .hidden = 64,
                        .bins = 8,
                        .bound = 4,
                        .reflections = 3,
                        .squeezes = 1,
                        .scales = 1,
                        .linear = "none",
                        .bf16 = memory == BENCH_BF16 ? PETSC_TRUE : PETSC_FALSE,
                        .x = fm_dataset_shape_x(data),
                        .y = fm_dataset_shape_y(data)};
}

static PetscErrorCode create_trainer(bench_subject *s) {
  const fm_trainer_inputs inputs = {
      .comm = s->comm,
      .transport = s->transport,
      .objective = s->objective,
      .schedule = {.rate = 1e-3, .factor = 1, .last = 1, .steps = 1000, .steps_per_epoch = 1},
      .micro_batch = 1,
      .average_power = 8,
      .seed = 1,
      .command = "bench",
      .settings = "",
      .operator_text = "none"};

  PetscFunctionBegin;
  PetscCall(fm_trainer_create(&inputs, &s->trainer));
  PetscCall(fm_flow_initialize(s->transport->flow, (fm_rng){1, FM_STREAM_INITIAL},
                               s->trainer->theta));
  PetscCall(fm_objective_start(s->objective, s->trainer->theta));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_subject_create(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                    int64_t batch, bench_memory memory, bench_subject *s) {
  const fm_flow_spec spec = spec_of(data, depth, memory);
  fm_pairs_inputs pairs = {.data = data, .nrow = batch, .seed = 1, .batch = batch};

  PetscFunctionBegin;
  *s = (bench_subject){.comm = comm, .data = data, .batch = batch};
  PetscCall(fm_transport_create(&spec, &s->transport));
  s->transport->store = memory == BENCH_RECOMPUTE ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(fm_calloc(batch, &s->row));
  for (int64_t i = 0; i < batch; i++) s->row[i] = i;
  pairs.transport = s->transport;
  pairs.row = s->row;
  PetscCall(fm_pairs_create(&pairs, &s->objective));
  PetscCall(create_trainer(s));
  PetscFunctionReturn(0);
}

PetscErrorCode bench_subject_destroy(bench_subject *s) {
  PetscFunctionBegin;
  PetscCall(fm_trainer_destroy(&s->trainer));
  if (s->objective) PetscCall(fm_objective_destroy(&s->objective));
  PetscCall(fm_transport_destroy(&s->transport));
  PetscCall(PetscFree(s->row));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_flops(const fm_layer_facts *layer, void *context) {
  *(double *)context += layer->flop;
  return 0;
}

PetscErrorCode bench_subject_flops(const bench_subject *s, double *flops) {
  PetscFunctionBegin;
  *flops = 0;
  PetscCall(fm_flow_visit_layers(s->transport->flow, add_flops, flops));
  *flops *= 3. * (double)s->batch;
  PetscFunctionReturn(0);
}

int64_t bench_subject_bytes(const bench_subject *s) {
  return s->trainer->layout->size * (int64_t)(9 * sizeof(fm_real) + 2 * sizeof(int64_t));
}

/* ---- pairs ---- */

/* Each pixel the mean of its 3 x 3 neighbours, edges repeated, times 3: of variance 1 again. */
static void smooth(int64_t side, const fm_real *v, fm_real *out) {
  for (int64_t i = 0; i < side; i++)
    for (int64_t j = 0; j < side; j++) {
      double sum = 0;

      for (int64_t k = -1; k <= 1; k++)
        for (int64_t l = -1; l <= 1; l++)
          sum += v[PetscMin(PetscMax(i + k, 0), side - 1) * side +
                   PetscMin(PetscMax(j + l, 0), side - 1)];
      out[i * side + j] = (fm_real)(sum / 3);
    }
}

PetscErrorCode bench_pairs_write(const char *path, int64_t side, int64_t count) {
  const int64_t size = side * side;
  const fm_field field[] = {{"/x", FM_TYPE_REAL, 3, {1, side, side}},
                            {"/y", FM_TYPE_REAL, 3, {1, side, side}}};
  fm_store *store;
  fm_real *v, *x;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(size, &v, size, &x));
  PetscCall(fm_store_create_rows(PETSC_COMM_SELF, path, 2, field, count, &store));
  for (int64_t s = 0; s < count; s++) {
    fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, (uint64_t)s, (size_t)size, v);
    smooth(side, v, x);
    PetscCall(fm_store_write_rows(store, "/x", s, 1, x));
    fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 1, (uint64_t)s, (size_t)size, v);
    for (int64_t i = 0; i < size; i++) x[i] += (fm_real)0.3 * v[i];
    PetscCall(fm_store_write_rows(store, "/y", s, 1, x));
  }
  PetscCall(fm_store_commit(&store, NULL));
  PetscCall(PetscFree2(v, x));
  PetscFunctionReturn(0);
}
