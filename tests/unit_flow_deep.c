/* Deep flows of images in float: what the rounding of many blocks makes of the round trip, of
   the gradient, and of bf16 conditioners with stored and with rebuilt inputs. */
#include "fm_test.h"
#include "fathom/optimizer.h"
#include "fathom/transport.h"
#ifdef FM_SINGLE
#include <oneapi/dnnl/dnnl.h>
#endif

typedef struct subject {
  fm_flow *flow;
  fm_kept *kept;
  fm_real *theta, *theta_bar;
  int64_t side, size, ntheta;
} subject;

static void make(int64_t side, int64_t depth, int64_t hidden, PetscBool bf16, subject *s) {
  const fm_shape image = {1, {side, side, 1}};
  const fm_flow_spec spec = {.network = "hint",
                             .variant = "default",
                             .depth = depth,
                             .hidden = hidden,
                             .reflections = 3,
                             .squeezes = 1,
                             .scales = 1,
                             .linear = "none",
                             .bf16 = bf16,
                             .x = image,
                             .y = image};

  fm_ok(fm_flow_create(&spec, &s->flow));
  fm_ok(fm_kept_create(s->flow, &s->kept));
  s->side = side;
  s->size = side * side;
  s->ntheta = fm_flow_layout(s->flow)->size;
  fm_ok(fm_calloc(s->ntheta, &s->theta));
  fm_ok(fm_calloc(s->ntheta, &s->theta_bar));
}

static void drop(subject *s) {
  fm_ok(fm_flow_destroy(&s->flow));
  fm_ok(fm_kept_destroy(&s->kept));
  fm_ok(PetscFree(s->theta));
  fm_ok(PetscFree(s->theta_bar));
}

/* Pairs of images and their latents, [nb][size] each. */
typedef struct batch {
  int64_t nb, numbers;
  fm_real *x, *y, *z_x, *z_y, *bar_x, *bar_y, *logdet;
} batch;

static batch make_batch(const subject *s, int64_t nb) {
  const int64_t n = nb * s->size;
  batch b = {.nb = nb, .numbers = n};

  fm_ok(PetscMalloc7(n, &b.x, n, &b.y, n, &b.z_x, n, &b.z_y, n, &b.bar_x, n, &b.bar_y, 2 * nb,
                     &b.logdet));
  return b;
}

static void drop_batch(batch *b) {
  fm_ok(PetscFree7(b->x, b->y, b->z_x, b->z_y, b->bar_x, b->bar_y, b->logdet));
}

/* An integer of 20 bits from a counter (Steele, Lea and Flood 2014, "SplitMix"). */
static double bits20(uint64_t counter) {
  uint64_t v = (counter + 1) * 0x9e3779b97f4a7c15;

  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9;
  v = (v ^ (v >> 27)) * 0x94d049bb133111eb;
  return (double)((v ^ (v >> 31)) >> 44);
}

/* Numbers of mean 0 and standard deviation 1, the same in both precisions. */
static double exact(uint64_t stream, uint64_t counter) {
  return (float)((bits20((stream << 40) + counter) - 524287.5) * 0x1p-18 * 0.8660254037844386);
}

/* Smooth images x, waves of a random length and phase, and y = x with noise. */
static void draw(const subject *s, uint64_t step, batch *b) {
  for (int64_t i = 0; i < b->nb; i++)
    for (int64_t p = 0; p < s->size; p++) {
      const uint64_t image = step * 4096 + (uint64_t)i, pixel = image * 65536 + (uint64_t)p;
      const double k = 0.35 + 0.2 * exact(20, image), l = 0.35 * exact(21, image);
      const double phase = 3 * exact(22, image);
      const double v = sin(k * (double)(p / s->side) + l * (double)(p % s->side) + phase);

      b->x[i * s->size + p] = (float)(v + 0.05 * exact(23, pixel));
      b->y[i * s->size + p] = (float)(v + 0.2 * exact(24, pixel));
    }
}

static fm_lanes lanes_of(fm_real *x, fm_real *y, fm_kept *kept) {
  return (fm_lanes){.x = x, .y = y, .kept = kept};
}

/* theta_bar of the mean NLL; the rebuilt input is left in z_x, z_y. */
static void gradient(subject *s, batch *b, int store) {
  const fm_lanes v = lanes_of(b->z_x, b->z_y, store ? s->kept : NULL),
                 bar = lanes_of(b->bar_x, b->bar_y, NULL);
  const fm_logdet logdet = {b->logdet, b->logdet + b->nb};

  memset(s->theta_bar, 0, (size_t)s->ntheta * sizeof(fm_real));
  fm_ok(fm_flow_apply(s->flow, s->theta, FM_NORMALIZE, b->nb, lanes_of(b->x, b->y, NULL), v,
                      logdet));
  for (int64_t i = 0; i < b->numbers; i++) {
    b->bar_x[i] = b->z_x[i] / (fm_real)b->nb;
    b->bar_y[i] = b->z_y[i] / (fm_real)b->nb;
  }
  for (int64_t i = 0; i < 2 * b->nb; i++) b->logdet[i] = -1 / (fm_real)b->nb;
  fm_ok(fm_flow_vjp(s->flow, s->theta, FM_NORMALIZE, b->nb, v, bar, logdet,
                    lanes_of(b->z_x, b->z_y, NULL), bar, s->theta_bar));
}

static void below(const char *what, double value, double bar) {
  print_message("%s: %.3g (bar %.3g)\n", what, value, bar);
  if (!(value <= bar)) fail_msg("%s is %.3g, more than %.3g", what, value, bar);
}

/* ---- the gradient in float and in double ---- */

enum { PROJECTIONS = 24 };

/* g . v_k, v_k of normal-like numbers: the mean square of the projections of an error is its
   square norm. */
static double project(int64_t n, const fm_real *g, uint64_t k) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += (double)g[i] * exact(100 + k, (uint64_t)i);
  return sum;
}

/* Of the double library's gradient below (whose own gradients are held to finite differences by
   contract.layer). */
static const double gold[PROJECTIONS] = {
#include "golds/flow_deep_gradient.inc"
};

/* -log q of a pair a pixel and lane, in nats. */
static double nll(const subject *s, batch *b) {
  double sum = 0;

  fm_ok(fm_flow_apply(s->flow, s->theta, FM_NORMALIZE, b->nb, lanes_of(b->x, b->y, NULL),
                      lanes_of(b->z_x, b->z_y, NULL),
                      (fm_logdet){b->logdet, b->logdet + b->nb}));
  for (int64_t i = 0; i < b->nb; i++)
    sum -= fm_log_normal(s->size, b->z_x + i * s->size) + (double)b->logdet[i] +
           fm_log_normal(s->size, b->z_y + i * s->size) + (double)b->logdet[b->nb + i];
  return sum / (2. * (double)b->numbers);
}

static void test_gradient(void **state) {
  double error = 0, norm = 0;
  subject s;
  batch b;

  make(32, 12, 64, PETSC_FALSE, &s);
  b = make_batch(&s, 2);
  draw(&s, 0, &b);
  for (int64_t i = 0; i < s.ntheta; i++) s.theta[i] = (fm_real)(0x1p-5 * exact(1, (uint64_t)i));
  gradient(&s, &b, 0);
  for (uint64_t k = 0; k < PROJECTIONS; k++) {
    const double value = project(s.ntheta, s.theta_bar, k);

    if (getenv("FM_GOLD_PRINT")) print_message("    %.17g,\n", value);
    error += (value - gold[k]) * (value - gold[k]);
    norm += gold[k] * gold[k];
  }
  below("gradient of depth 12, from the double library's", sqrt(error / norm),
        sizeof(fm_real) == sizeof(float) ? 1e-4 : 1e-10);
  drop_batch(&b);
  drop(&s);
}

#ifdef FM_DOUBLE
/* The loss of large images against its gradient, along a direction: the vjp never sees the
   log-determinant that an apply returns. */
static void test_loss(void **state) {
  const double step = 1e-8;
  double slope = 0, loss[2];
  subject s;
  batch b;

  make(32, 2, 16, PETSC_FALSE, &s);
  b = make_batch(&s, 2);
  draw(&s, 0, &b);
  for (int64_t i = 0; i < s.ntheta; i++) s.theta[i] = 0x1p-3 * exact(1, (uint64_t)i);
  gradient(&s, &b, 0);
  for (int64_t i = 0; i < s.ntheta; i++) slope += s.theta_bar[i] * exact(2, (uint64_t)i);
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < s.ntheta; i++)
      s.theta[i] += (k ? -2 : 1) * step * exact(2, (uint64_t)i);
    loss[k] = nll(&s, &b) * 2. * (double)s.size;
  }
  fm_near((loss[0] - loss[1]) / (2 * step) / slope, 1, 1e-5);
  drop_batch(&b);
  drop(&s);
}
#define DOUBLE_ALONE , cmocka_unit_test(test_loss)
#else
#define DOUBLE_ALONE
#endif

#ifdef FM_SINGLE
/* ---- trained networks ---- */

/* |a - b| / |b| */
static double relative(int64_t n, const fm_real *a, const fm_real *b) {
  double difference = 0, norm = 0;

  for (int64_t i = 0; i < n; i++) {
    difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  return sqrt(difference / norm);
}

enum { WARMUP = 50 };

static void train(subject *s, int64_t nb, int64_t steps) {
  fm_optimizer *optimizer;
  double norm;
  batch b = make_batch(s, 8 * nb);

  fm_ok(fm_flow_initialize(s->flow, (fm_rng){3, FM_STREAM_INITIAL}, s->theta));
  draw(s, 0, &b);
  fm_ok(fm_flow_start(s->flow, s->theta, FM_NORMALIZE, b.nb, lanes_of(b.x, b.y, NULL)));
  b.nb = nb;
  b.numbers = nb * s->size;
  fm_ok(fm_optimizer_create(s->ntheta, 100, &optimizer));
  for (int64_t k = 0; k < steps; k++) {
    draw(s, 1 + (uint64_t)k, &b);
    gradient(s, &b, 1);
    fm_ok(fm_optimizer_step(optimizer, k, 1e-3 * fmin(1, (double)(k + 1) / WARMUP),
                            s->theta_bar, s->theta, &norm));
    assert_true(isfinite(norm));
  }
  fm_ok(fm_optimizer_destroy(&optimizer));
  drop_batch(&b);
}

/* Normalizing and generating; the network has learned: white noise of the images' variance
   would have .5 log(2 pi e var) = 1.07 nats. */
static void test_round_trip(void **state) {
  subject s;
  batch b;

  make(16, 64, 16, PETSC_FALSE, &s);
  train(&s, 4, 300);
  b = make_batch(&s, 4);
  draw(&s, 5000, &b);
  below("nll of depth 64, trained, nats a number", nll(&s, &b), 0.6);
  fm_ok(fm_flow_apply(s.flow, s.theta, FM_GENERATE, b.nb, lanes_of(b.z_x, b.z_y, NULL),
                      lanes_of(b.bar_x, b.bar_y, NULL), (fm_logdet){NULL, NULL}));
  below("round trip of depth 64, trained", relative(b.numbers, b.bar_x, b.x), 1e-4);
  below("round trip of y", relative(b.numbers, b.bar_y, b.y), 1e-4);
  drop_batch(&b);
  drop(&s);
}

/* ---- bf16 ---- */

static double cosine(int64_t n, const fm_real *a, const fm_real *b) {
  double ab = 0, aa = 0, bb = 0;

  for (int64_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return ab / sqrt(aa * bb);
}

static int has_bf16(void) {
  const int needed = dnnl_cpu_isa_avx512_core_bf16;

  return ((int)dnnl_get_effective_cpu_isa() & needed) == needed;
}

static void test_bf16(void **state) {
  subject full, half;
  batch b;

  if (!has_bf16()) {
    print_message("skipped: this CPU has no bfloat16 instructions\n");
    skip();
  }
  make(32, 12, 64, PETSC_FALSE, &full);
  make(32, 12, 64, PETSC_TRUE, &half);
  train(&full, 4, 100);
  memcpy(half.theta, full.theta, (size_t)full.ntheta * sizeof(fm_real));
  b = make_batch(&full, 8);
  draw(&full, 5000, &b);
  gradient(&full, &b, 0);
  for (int store = 0; store < 2; store++) {
    gradient(&half, &b, store);
    below(store ? "bf16: 1 - cosine of gradients, stored"
                : "bf16: 1 - cosine of gradients, recomputed",
          1 - cosine(full.ntheta, half.theta_bar, full.theta_bar), 1e-3);
    below("bf16: error of the rebuilt input", relative(b.numbers, b.z_x, b.x), 1e-3);
  }
  drop_batch(&b);
  drop(&full);
  drop(&half);
}
#define FLOAT_ALONE , cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bf16)
#else
#define FLOAT_ALONE
#endif

FM_TEST_MAIN(cmocka_unit_test(test_gradient) DOUBLE_ALONE FLOAT_ALONE)
