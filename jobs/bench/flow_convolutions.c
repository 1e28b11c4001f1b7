/* The conditioners of a flow under training, alone: as often, on as many different weights and
   activations as a step has. */
#include "flow/convnet.h"
#include "flow_clock.h"
#include "machine.h"
#include "report.h"

/* Of a block two of 2 to 4 channels and one of 4 to 8. */
typedef struct conditioners {
  fm_convnet *net[2];
  int64_t depth, batch;
  int64_t numbers[2], kept[2]; /* of theta and of activations */
  fm_rows in[2], in_bar[2], out[2];
  fm_real *theta, *theta_bar, *memory, *work;
} conditioners;

static int64_t of_block(const int64_t each[2]) { return 2 * each[0] + each[1]; }

static PetscErrorCode create_net(int64_t side, int k, conditioners *c) {
  const fm_convnet_spec spec = {.nin = k ? 4 : 2,
                                .hidden = 64,
                                .nout = k ? 8 : 4,
                                .height = side,
                                .width = side,
                                .implementation = FM_CONVNET_NATIVE};
  fm_convnet_tensor tensor[FM_CONVNET_TENSORS];

  PetscFunctionBegin;
  PetscCall(fm_convnet_create(&spec, &c->net[k]));
  c->numbers[k] = fm_convnet_layout(&spec, tensor);
  c->kept[k] = fm_convnet_activations(c->net[k], 1);
  c->in[k] = c->in_bar[k] = (fm_rows){NULL, 1, spec.nin * side * side};
  c->out[k] = (fm_rows){NULL, 1, spec.nout * side * side};
  PetscCall(fm_calloc(c->in[k].stride, &c->in[k].p));
  PetscCall(fm_calloc(c->in[k].stride, &c->in_bar[k].p));
  PetscCall(fm_calloc(c->out[k].stride, &c->out[k].p));
  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 1, 0, (size_t)c->in[k].stride, c->in[k].p);
  PetscFunctionReturn(0);
}

static PetscErrorCode create(int64_t side, int64_t depth, int64_t batch, conditioners *c) {
  int64_t numbers;

  PetscFunctionBegin;
  *c = (conditioners){.depth = depth, .batch = batch};
  for (int k = 0; k < 2; k++) PetscCall(create_net(side, k, c));
  numbers = depth * of_block(c->numbers);
  PetscCall(fm_calloc(numbers, &c->theta));
  PetscCall(fm_calloc(numbers, &c->theta_bar));
  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 0, (size_t)numbers, c->theta);
  for (int64_t i = 0; i < numbers; i++) c->theta[i] *= (fm_real)(1 / 24.);
  PetscCall(fm_calloc(depth * of_block(c->kept), &c->memory));
  PetscCall(
      fm_calloc(PetscMax(fm_convnet_work(c->net[0]), fm_convnet_work(c->net[1])), &c->work));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(conditioners *c) {
  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_convnet_destroy(&c->net[k]));
    PetscCall(PetscFree3(c->in[k].p, c->in_bar[k].p, c->out[k].p));
  }
  PetscCall(PetscFree4(c->theta, c->theta_bar, c->memory, c->work));
  PetscFunctionReturn(0);
}

/* One conditioner of all, there or back. */
static void call(const conditioners *c, int64_t which, int back) {
  const int64_t block = which / 3, place = which % 3;
  const int k = place == 2;
  const int64_t at = block * of_block(c->numbers) + place * c->numbers[0];
  fm_real *kept = c->memory + block * of_block(c->kept) + place * c->kept[0];

  if (back)
    fm_convnet_vjp(c->net[k], c->theta + at, c->in[k], kept, c->out[k], c->in_bar[k],
                   c->theta_bar + at, c->work);
  else
    fm_convnet_apply(c->net[k], c->theta + at, c->in[k], c->out[k], kept, c->work);
}

static double clock_all(const conditioners *c) {
  const double begin = bench_seconds();

  for (int64_t b = 0; b < c->batch; b++) {
    for (int64_t i = 0; i < 3 * c->depth; i++) call(c, i, 0);
    for (int64_t i = 3 * c->depth - 1; i >= 0; i--) call(c, i, 1);
  }
  return bench_seconds() - begin;
}

PetscErrorCode bench_convolutions(const fm_comm *comm, fm_dataset *data, int64_t depth,
                                  int64_t batch) {
  double alone[BENCH_ROUNDS], step[BENCH_ROUNDS], share[BENCH_ROUNDS];
  bench_subject s;
  conditioners c;

  PetscFunctionBegin;
  PetscCall(bench_subject_create(comm, data, depth, batch, BENCH_STORE, &s));
  PetscCall(create(fm_dataset_shape_x(data).n[0] / 2, depth, batch, &c));
  PetscCall(fm_trainer_step(s.trainer));
  (void)clock_all(&c);
  for (int k = 0; k < BENCH_ROUNDS; k++) {
    double begin = bench_seconds();

    PetscCall(fm_trainer_step(s.trainer));
    step[k] = bench_seconds() - begin;
    alone[k] = clock_all(&c);
  }
  bench_ratios(alone, step, share);
  bench_result("flow_convolution_share", share, "1");
  PetscCall(destroy(&c));
  PetscCall(bench_subject_destroy(&s));
  PetscFunctionReturn(0);
}
