/* bench_convnet [CASE] - seconds of one convolutional conditioner (flow/convnet.h) an image: apply,
   and vjp to in_bar and theta_bar, by kernels of our own, by oneDNN in float and with bfloat16,
   and by im2col. Below each the rate, counting the multiply-adds of the 3x3 convolutions as two
   operations (Winograd's method does with a quarter of them, so its rate may pass the core's
   peak, which is printed first). CASE (0, 1, ...) times that one alone.

   The clock is the processor time of this process, so that on a machine that does other work the
   others' time is not counted; what they cost in caches and clock rate still is.
   convnet_torch.py times the same in PyTorch. */
#include "flow/convnet.h"
#include "fathom/rng.h"
#include "machine.h"
#include "report.h"
#include <math.h>

#define ROUNDS BENCH_ROUNDS

static const struct {
  int64_t nin, nout, side;
} cases[] = {{2, 4, 32}, {4, 8, 32}, {2, 4, 128}, {4, 8, 128}, {2, 4, 16}};
enum { CASES = sizeof(cases) / sizeof(cases[0]), HIDDEN = 64 };

enum { NATIVE, ONEDNN, BF16, IM2COL, KINDS };
static const char *const kind_name[KINDS] = {"native", "onednn", "onednn_bf16", "im2col"};

typedef struct subject {
  fm_convnet *net;
  fm_rows in, out, in_bar, out_bar;
  fm_real *theta, *theta_bar, *activations, *work;
  double apply[ROUNDS], vjp[ROUNDS]; /* seconds an image */
} subject;

/* ---- */

static PetscErrorCode normal(int64_t count, double scale, fm_real **p) {
  PetscFunctionBegin;
  PetscCall(fm_calloc(count, p));
  fm_rng_normal((fm_rng){1, FM_STREAM_CHECK}, 0, 0, (size_t)count, *p);
  for (int64_t i = 0; i < count; i++) (*p)[i] *= (fm_real)scale;
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const fm_convnet_spec *spec, subject *s) {
  fm_convnet_tensor tensor[FM_CONVNET_TENSORS];
  const int64_t pixels = spec->height * spec->width;
  const int64_t ntheta = fm_convnet_layout(spec, tensor);

  PetscFunctionBegin;
  PetscCall(fm_convnet_create(spec, &s->net));
  PetscCall(normal(ntheta, 1 / sqrt(9. * HIDDEN), &s->theta));
  PetscCall(normal(ntheta, 1, &s->theta_bar));
  s->in = s->in_bar = (fm_rows){NULL, 1, spec->nin * pixels};
  s->out = s->out_bar = (fm_rows){NULL, 1, spec->nout * pixels};
  PetscCall(normal(s->in.stride, 1, &s->in.p));
  PetscCall(normal(s->in.stride, 1, &s->in_bar.p));
  PetscCall(normal(s->out.stride, 1, &s->out.p));
  PetscCall(normal(s->out.stride, 1, &s->out_bar.p));
  PetscCall(fm_calloc(fm_convnet_activations(s->net, 1), &s->activations));
  PetscCall(fm_calloc(fm_convnet_work(s->net), &s->work));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(subject *s) {
  PetscFunctionBegin;
  if (!s->net) PetscFunctionReturn(0);
  PetscCall(fm_convnet_check(s->net));
  PetscCall(fm_convnet_destroy(&s->net));
  PetscCall(PetscFree2(s->theta, s->theta_bar));
  PetscCall(PetscFree4(s->in.p, s->in_bar.p, s->out.p, s->out_bar.p));
  PetscCall(PetscFree2(s->activations, s->work));
  PetscFunctionReturn(0);
}

static void clock_round(subject *s, int64_t repeat, int round) {
  double begin = bench_cpu_seconds();

  for (int64_t k = 0; k < repeat; k++)
    fm_convnet_apply(s->net, s->theta, s->in, s->out, s->activations, s->work);
  s->apply[round] = (bench_cpu_seconds() - begin) / (double)repeat;
  begin = bench_cpu_seconds();
  for (int64_t k = 0; k < repeat; k++)
    fm_convnet_vjp(s->net, s->theta, s->in, s->activations, s->out_bar, s->in_bar, s->theta_bar,
                   s->work);
  s->vjp[round] = (bench_cpu_seconds() - begin) / (double)repeat;
}

static PetscErrorCode report(const char *what, int kind, int which, double flops,
                             const double *seconds) {
  double us[ROUNDS], rate[ROUNDS];
  char name[96];

  PetscFunctionBegin;
  for (int k = 0; k < ROUNDS; k++) {
    us[k] = seconds[k] * 1e6;
    rate[k] = flops / seconds[k] / 1e9;
  }
  PetscCall(PetscSNPrintf(name, sizeof(name), "convnet_%s_%s_%dto%d_%d", what, kind_name[kind],
                          (int)cases[which].nin, (int)cases[which].nout,
                          (int)cases[which].side));
  bench_result(name, us, "us");
  bench_result(name, rate, "GFLOP/s");
  PetscFunctionReturn(0);
}

static PetscErrorCode bench_case(int which) {
  fm_convnet_spec spec = {.nin = cases[which].nin,
                          .hidden = HIDDEN,
                          .nout = cases[which].nout,
                          .height = cases[which].side,
                          .width = cases[which].side};
  const double flops = fm_convnet_flops(&spec);
  const int64_t repeat = 1 + (int64_t)(4e9 / flops);
  subject subjects[KINDS] = {{NULL}};

  PetscFunctionBegin;
  for (int k = 0; k < KINDS; k++) {
    spec.implementation = k == NATIVE   ? FM_CONVNET_NATIVE
                          : k == IM2COL ? FM_CONVNET_IM2COL
                                        : FM_CONVNET_ONEDNN;
    spec.bf16 = k == BF16 ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(create(&spec, &subjects[k]));
    clock_round(&subjects[k], 2, 0);
  }
  for (int i = 0; i < ROUNDS; i++)
    for (int k = 0; k < KINDS; k++) clock_round(&subjects[k], repeat, i);
  for (int k = 0; k < KINDS; k++) {
    PetscCall(report("apply", k, which, flops, subjects[k].apply));
    PetscCall(report("vjp", k, which, 2 * flops, subjects[k].vjp));
    PetscCall(destroy(&subjects[k]));
  }
  PetscFunctionReturn(0);
}

int main(int argc, char **argv) {
  double wall, cpu;

  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  bench_result_once("machine_multiply_add_peak", bench_peak() / 1e9, "GFLOP/s");
  wall = bench_seconds(), cpu = bench_cpu_seconds();
  for (int k = 0; k < CASES; k++)
    if (argc < 2 || atoi(argv[1]) == k) PetscCall(bench_case(k));
  bench_result_once("convnet_share_of_core",
                    (bench_cpu_seconds() - cpu) / (bench_seconds() - wall), "1");
  PetscCall(PetscFinalize());
  return 0;
}
