/* The convolutional network of couplings on images: every implementation against plain loops in
   double, the derivative against differences, and what may not change a bit. */
#include "convnet_cases.h"
#include "flow/convnet_blocked.h"
#include "flow/convnet_impl.h"
#ifdef FM_SINGLE
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <sys/wait.h>
#endif

#ifdef FM_SINGLE
#define ONEDNN 1
#else
#define ONEDNN 0
#endif

/* ---- against the plain loops ---- */

/* |a - b| in norm, over the norm of b. */
static double distance(int64_t count, const fm_real *a, const double *b) {
  double difference = 0, norm = 0;

  for (int64_t i = 0; i < count; i++) {
    difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return sqrt(difference) / fmax(sqrt(norm), 1e-30);
}

static void near(const fixture *f, const char *what, double got, double limit) {
  static const char *const implementation[] = {", native", ", oneDNN", ", im2col"};
  const fm_convnet_spec *s = &f->spec;

  if (!(got <= limit))
    fail_msg("%s of %d-%d-%d at %d x %d%s%s: relative distance %.3g above %.3g", what,
             (int)s->nin, (int)s->hidden, (int)s->nout, (int)s->height, (int)s->width,
             implementation[s->implementation], s->bf16 ? ", bf16" : "", got, limit);
}

/* Each image's out and in_bar, the theta_bar of all, and the gaps between images untouched. */
static void against_loops(fm_convnet_spec spec, double limit, double limit_bar,
                          void (*prepare)(fixture *f)) {
  fm_convnet_tensor t[FM_CONVNET_TENSORS];
  reference r;
  fixture f;

  setup(&f, spec);
  if (prepare) prepare(&f);
  fm_convnet_layout(&spec, t);
  reference_setup(&f, &r);
  for (int64_t i = 0; i < IMAGES * f.out.stride; i++) f.out.p[i] = 7;
  run(&f);
  for (int64_t b = 0; b < IMAGES; b++) {
    widen(f.nin, f.in.p + b * f.in.stride, r.in);
    widen(f.nout, f.out_bar.p + b * f.out_bar.stride, r.out_bar);
    reference_apply(&f, t, &r);
    reference_vjp(&f, t, &r);
    near(&f, "out", distance(f.nout, f.out.p + b * f.out.stride, r.out), limit);
    near(&f, "in_bar", distance(f.nin, f.in_bar.p + b * f.in_bar.stride, r.in_bar), limit_bar);
    for (int k = 0; k < GAP; k++) {
      assert_true(f.out.p[b * f.out.stride + f.nout + k] == 7);
      assert_true(f.in_bar.p[b * f.in_bar.stride + f.nin + k] == 0);
    }
  }
  for (int k = 0; k < FM_CONVNET_TENSORS; k++)
    near(&f, t[k].name,
         distance((k < 4 ? t[k + 1].first : f.ntheta) - t[k].first, f.theta_bar + t[k].first,
                  r.theta_bar + t[k].first),
         limit_bar);
  reference_teardown(&r);
  teardown(&f);
}

static fm_convnet_spec by(int size, fm_convnet_implementation implementation, PetscBool bf16) {
  fm_convnet_spec spec = sizes[size];

  spec.implementation = implementation;
  spec.bf16 = bf16;
  return spec;
}

static int is_native(int size) { return sizes[size].hidden % fm_convnet_lanes() == 0; }

static void test_loops(void **state) {
  const double limit = ONEDNN ? 2e-6 : 2e-14;

  for (int k = 0; k < SIZES; k++) {
    against_loops(by(k, FM_CONVNET_IM2COL, PETSC_FALSE), limit, limit, NULL);
    if (is_native(k))
      against_loops(by(k, FM_CONVNET_NATIVE, PETSC_FALSE), 2 * limit, 2 * limit, NULL);
    if (ONEDNN) against_loops(by(k, FM_CONVNET_ONEDNN, PETSC_FALSE), 5e-6, 5e-6, NULL);
  }
}

/* ---- derivatives ---- */

static double inner(int64_t count, const fm_real *a, const fm_real *b) {
  double sum = 0;

  for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* <out_bar, out> with v moved by step times d. */
static double moved(fixture *f, int64_t count, fm_real *v, const fm_real *d, double step) {
  double sum = 0;

  for (int64_t i = 0; i < count; i++) v[i] += (fm_real)step * d[i];
  fm_convnet_apply(f->net, f->theta, f->in, f->out, f->activations, f->work);
  for (int64_t i = 0; i < count; i++) v[i] -= (fm_real)step * d[i];
  for (int64_t b = 0; b < IMAGES; b++)
    sum += inner(f->nout, f->out.p + b * f->out.stride, f->out_bar.p + b * f->out_bar.stride);
  return sum;
}

static void difference(fixture *f, int64_t count, fm_real *v, const fm_real *v_bar) {
  const double step = 1e-6;
  fm_real *d;

  fm_ok(fm_calloc(count, &d));
  for (uint64_t k = 0; k < 3; k++) {
    fill(d, 20 + k, count, 1 / sqrt((double)count));
    fm_near(inner(count, v_bar, d),
            (moved(f, count, v, d, step) - moved(f, count, v, d, -step)) / (2 * step), 1e-7);
  }
  fm_ok(PetscFree(d));
}

static void test_differences(void **state) {
  if (ONEDNN) return; /* float has no digits for it */
  for (int k = 0; k < 8; k++) {
    fixture f;

    setup(&f, sizes[k]);
    run(&f);
    difference(&f, f.ntheta, f.theta, f.theta_bar);
    difference(&f, IMAGES * f.in.stride, f.in.p, f.in_bar.p);
    teardown(&f);
  }
}

/* <columns(v), c> = <v, fold(c)> at opposite signs; small integers, so to the last bit. */
static void test_adjoint(void **state) {
  for (int k = 0; k < SIZES; k++)
    for (int sign = -1; sign <= 1; sign += 2) {
      const int64_t n = sizes[k].nin * sizes[k].height * sizes[k].width;
      fm_real *v, *c, *columns, *sum;
      double left;

      fm_ok(PetscCalloc4(n, &v, 9 * n, &c, 9 * n, &columns, n, &sum));
      fill(v, 30, n, 4), fill(c, 31, 9 * n, 4);
      for (int64_t i = 0; i < n; i++) v[i] = (fm_real)rint((double)v[i]);
      for (int64_t i = 0; i < 9 * n; i++) c[i] = (fm_real)rint((double)c[i]);
      fm_convnet_columns(&sizes[k], sizes[k].nin, sign, v, columns);
      left = inner(9 * n, columns, c);
      fm_convnet_fold(&sizes[k], sizes[k].nin, -sign, c, sum);
      assert_true(left == inner(n, v, sum));
      if (n > 1) assert_true(left != 0);
      fm_ok(PetscFree4(v, c, columns, sum));
    }
}

/* ---- bits ---- */

typedef struct result {
  fm_real *out, *in_bar, *theta_bar;
} result;

/* Run, with 1 in in_bar and theta_bar before, and keep what came out. */
static result kept(fixture *f, void (*how)(fixture *f)) {
  const size_t nout = (size_t)(IMAGES * f->out.stride) * sizeof(fm_real);
  const size_t nin = (size_t)(IMAGES * f->in.stride) * sizeof(fm_real);
  result r;

  for (int64_t i = 0; i < f->ntheta; i++) f->theta_bar[i] = 1;
  for (int64_t i = 0; i < IMAGES * f->in_bar.stride; i++) f->in_bar.p[i] = 1;
  memset(f->out.p, 0, nout);
  how(f);
  fm_ok(PetscMalloc3(IMAGES * f->out.stride, &r.out, IMAGES * f->in.stride, &r.in_bar,
                     f->ntheta, &r.theta_bar));
  memcpy(r.out, f->out.p, nout);
  memcpy(r.in_bar, f->in_bar.p, nin);
  memcpy(r.theta_bar, f->theta_bar, (size_t)f->ntheta * sizeof(fm_real));
  return r;
}

static void same(fixture *f, result *a, void (*how)(fixture *f)) {
  result b = kept(f, how);

  assert_memory_equal(a->out, b.out, (size_t)(IMAGES * f->out.stride) * sizeof(fm_real));
  assert_memory_equal(a->in_bar, b.in_bar, (size_t)(IMAGES * f->in.stride) * sizeof(fm_real));
  assert_memory_equal(a->theta_bar, b.theta_bar, (size_t)f->ntheta * sizeof(fm_real));
  fm_ok(PetscFree3(b.out, b.in_bar, b.theta_bar));
}

/* One image after the other, each with the same small memory: recompute. */
static void one_by_one(fixture *f) {
  for (int64_t b = 0; b < IMAGES; b++) {
    const fm_rows in = image(f->in, b, 1);

    fm_convnet_apply(f->net, f->theta, in, image(f->out, b, 1), f->activations, f->work);
    fm_convnet_vjp(f->net, f->theta, in, f->activations, image(f->out_bar, b, 1),
                   image(f->in_bar, b, 1), f->theta_bar, f->work);
  }
}

/* Kept activations survive other work in the same scratch, and nothing old is read. */
static void dirty(fixture *f) {
  for (int64_t i = 0; i < f->nactivation; i++) f->activations[i] = NAN;
  for (int64_t i = 0; i < f->nwork; i++) f->work[i] = NAN;
  fm_convnet_apply(f->net, f->theta, f->in, f->out, f->activations, f->work);
  for (int64_t i = 0; i < f->nwork; i++) f->work[i] = NAN;
  fm_convnet_vjp(f->net, f->theta, f->in, f->activations, f->out_bar, f->in_bar, f->theta_bar,
                 f->work);
}

/* in_bar and theta_bar each alone. */
static void apart(fixture *f) {
  const fm_rows nothing = {NULL, IMAGES, 0};

  fm_convnet_apply(f->net, f->theta, f->in, f->out, f->activations, f->work);
  fm_convnet_vjp(f->net, f->theta, f->in, f->activations, f->out_bar, nothing, f->theta_bar,
                 f->work);
  fm_convnet_vjp(f->net, f->theta, f->in, f->activations, f->out_bar, f->in_bar, NULL, f->work);
  fm_convnet_vjp(f->net, f->theta, f->in, f->activations, f->out_bar, nothing, NULL, f->work);
}

/* Memory that begins anywhere. */
static void shifted(fixture *f) {
  fm_real *activations = f->activations, *work = f->work;
  char *a, *w;

  fm_ok(PetscMalloc2((size_t)f->nactivation * sizeof(fm_real) + 64, &a,
                     (size_t)f->nwork * sizeof(fm_real) + 64, &w));
  f->activations = (fm_real *)(a + 24), f->work = (fm_real *)(w + 40);
  run(f);
  f->activations = activations, f->work = work;
  fm_ok(PetscFree2(a, w));
}

#ifdef FM_SINGLE
static void three_threads(fixture *f) {
  const int before = omp_get_max_threads();
  fm_convnet *net = f->net;

  omp_set_num_threads(3);
  run(f);
  fm_ok(fm_convnet_create(&f->spec, &f->net)); /* and one that was made so */
  assert_true(fm_convnet_work(f->net) == f->nwork);
  assert_int_equal(omp_get_max_threads(), 3);
  omp_set_num_threads(before);
  fm_ok(fm_convnet_destroy(&f->net));
  f->net = net;
}
#endif

static void bits(fm_convnet_spec spec) {
  fixture f;
  result r;

  setup(&f, spec);
  r = kept(&f, run);
  same(&f, &r, one_by_one);
  same(&f, &r, dirty);
  same(&f, &r, apart);
  same(&f, &r, shifted);
#ifdef FM_SINGLE
  same(&f, &r, three_threads);
#endif
  fm_ok(PetscFree3(r.out, r.in_bar, r.theta_bar));
  teardown(&f);
}

static void test_bits(void **state) {
  for (int k = 0; k < SIZES; k++) {
    bits(by(k, FM_CONVNET_IM2COL, PETSC_FALSE));
    if (is_native(k)) bits(by(k, FM_CONVNET_NATIVE, PETSC_FALSE));
    if (ONEDNN) bits(by(k, FM_CONVNET_ONEDNN, PETSC_FALSE));
  }
}

/* ---- bfloat16 ---- */

#ifdef FM_SINGLE
static int has_bf16(void) {
  return ((int)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
         dnnl_cpu_isa_avx512_core_bf16;
}

/* Whole numbers, few and small enough that bfloat16 holds every intermediate one. */
static void whole(fixture *f) {
  fill(f->theta, 40, f->ntheta, 1);
  for (int64_t i = 0; i < f->ntheta; i++)
    f->theta[i] = (fm_real)((f->theta[i] > 1.9F) - (f->theta[i] < -1.9F));
  for (int64_t i = 0; i < IMAGES * f->in.stride; i++) f->in.p[i] = rintf(f->in.p[i]);
  for (int64_t i = 0; i < IMAGES * f->out_bar.stride; i++)
    f->out_bar.p[i] = (fm_real)((f->out_bar.p[i] > 1) - (f->out_bar.p[i] < -1));
}

/* Biases far from 0, of either sign, so that rounding turns no ReLU. */
static void decided(fixture *f) {
  fm_convnet_tensor t[FM_CONVNET_TENSORS];

  fm_convnet_layout(&f->spec, t);
  for (int64_t k = 0; k < f->spec.hidden; k++) {
    f->theta[t[1].first + k] = k % 3 == 1 ? -8 : 8;
    f->theta[t[3].first + k] = k % 3 == 2 ? -60 : 60;
  }
}

/* Exact where nothing is rounded, and so is float; near where it is: a number passes at most
   six roundings, each of at most 1/256 (the few terms of the smaller nets cancel to less than
   their error). */
static void test_bf16(void **state) {
  /* more rows than are taken through a gradient at a time */
  const fm_convnet_spec bands = {1, 16, 2, 40, 301, FM_CONVNET_ONEDNN, PETSC_TRUE};

  for (int k = 0; k < SIZES; k++) {
    if (k < 8) against_loops(by(k, FM_CONVNET_ONEDNN, PETSC_FALSE), 0, 0, whole);
    if (!has_bf16()) continue;
    against_loops(by(k, FM_CONVNET_ONEDNN, PETSC_TRUE), 0, 0, whole);
    if (k >= 6) against_loops(by(k, FM_CONVNET_ONEDNN, PETSC_TRUE), .01, .01, decided);
    bits(by(k, FM_CONVNET_ONEDNN, PETSC_TRUE));
  }
  if (!has_bf16()) return;
  against_loops(bands, 0, 0, whole);
  bits(bands);
}

/* h1_bar = (1 + w2) out_bar through 1x1 pixels, rounded to the nearest, ties to even; and not a
   number stays so. */
static void test_bf16_rounding(void **state) {
  const double cases[][3] = {{256, 1, 256}, {258, 1, 260}, {258, -1, -260}, {256, 3, 772}};
  fixture f;

  if (!has_bf16()) return;
  setup(&f, by(0, FM_CONVNET_ONEDNN, PETSC_TRUE));
  for (int k = 0; k < 5; k++) {
    const float out_bar = k < 4 ? (float)cases[k][1] : NAN;

    for (int64_t i = 0; i < f.ntheta; i++) f.theta[i] = 1, f.theta_bar[i] = 0;
    f.theta[10 + 4] = k < 4 ? (float)cases[k][0] : 1; /* the middle of w2, after w1 and b1 */
    for (int b = 0; b < IMAGES; b++) {
      f.in.p[b * f.in.stride] = 1;
      f.out_bar.p[b * f.out_bar.stride] = b ? 0 : out_bar;
    }
    run(&f);
    if (k < 4) fm_near(f.theta_bar[9], cases[k][2], 0); /* b1 */
    if (k == 4) assert_true(isnan(f.theta_bar[9]));
  }
  teardown(&f);
}

typedef struct copied {
  dnnl_data_type_t type[2];
  dnnl_format_tag_t tag[2];
  int sum, image; /* added to what is there; of images, not of weights */
  fm_blocked_copy *copy;
} copied;

/* What oneDNN's reorder makes of `from`, in `to`. */
static void reorder(const copied *c, const dnnl_memory_desc_t layout[2], void *from, void *to) {
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, NULL}, {DNNL_ARG_TO, NULL}};
  dnnl_primitive_desc_t description;
  dnnl_primitive_attr_t attributes;
  dnnl_primitive_t primitive;
  dnnl_post_ops_t after;
  dnnl_engine_t engine;
  dnnl_stream_t stream;

  assert_false(dnnl_engine_create(&engine, dnnl_cpu, 0) ||
               dnnl_stream_create(&stream, engine, 0));
  assert_false(dnnl_primitive_attr_create(&attributes) || dnnl_post_ops_create(&after));
  if (c->sum) assert_false(dnnl_post_ops_append_sum(after, 1));
  assert_false(dnnl_primitive_attr_set_post_ops(attributes, after));
  assert_false(dnnl_memory_create(&arguments[0].memory, &layout[0], engine, from) ||
               dnnl_memory_create(&arguments[1].memory, &layout[1], engine, to));
  assert_false(dnnl_reorder_primitive_desc_create(&description, &layout[0], engine, &layout[1],
                                                  engine, attributes) ||
               dnnl_primitive_create(&primitive, description) ||
               dnnl_primitive_execute(primitive, stream, 2, arguments));
  for (int k = 0; k < 2; k++) dnnl_memory_destroy(arguments[k].memory);
  dnnl_primitive_destroy(primitive), dnnl_primitive_desc_destroy(description);
  dnnl_primitive_attr_destroy(attributes), dnnl_post_ops_destroy(after);
  dnnl_stream_destroy(stream), dnnl_engine_destroy(engine);
}

/* Normal numbers and ties of the rounding; not a number in bf16 alone, whose bits are told. */
static void like_reorder(const copied *c, const dnnl_dims_t n) {
  const uint32_t nan[] = {0x7f800001, 0xffffffff}; /* rounding would carry both away */
  dnnl_memory_desc_t layout[2];
  int64_t size[2];
  fm_real *from, *to[2];

  for (int k = 0; k < 2; k++) {
    assert_false(dnnl_memory_desc_init_by_tag(&layout[k], 4, n, c->type[k], c->tag[k]));
    size[k] = (int64_t)(dnnl_memory_desc_get_size(&layout[k]) + 3) / 4;
  }
  fm_ok(fm_calloc(size[0], &from));
  fill(from, 50, size[0], 1);
  for (int64_t i = 0; i < size[0]; i += 5) from[i] = (i % 2 ? 258 : -262) + (fm_real)(i % 3);
  if (c->type[1] == dnnl_bf16) memcpy(from + size[0] / 2, &nan[n[1] % 2], sizeof(*nan));
  for (int k = 0; k < 2; k++) {
    fm_ok(fm_calloc(size[1], &to[k]));
    fill(to[k], 51, size[1], 1);
  }
  reorder(c, layout, from, to[0]);
  c->copy(n, from, to[1]);
  assert_memory_equal(to[0], to[1], dnnl_memory_desc_get_size(&layout[1]));
  fm_ok(PetscFree(from));
  for (int k = 0; k < 2; k++) fm_ok(PetscFree(to[k]));
}

static void test_copies(void **state) {
  const copied all[] = {
      {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_aBcd16b}, 0, 1, fm_blocked_image},
      {{dnnl_f32, dnnl_f32}, {dnnl_aBcd16b, dnnl_abcd}, 0, 1, fm_blocked_image_plain},
      {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_ABcd8b16a2b}, 0, 0, fm_blocked_forward},
      {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_ABcd8a16b2a}, 0, 0, fm_blocked_backward},
      {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_BAcd8a16b2a}, 0, 0, fm_blocked_backward_turned},
      {{dnnl_f32, dnnl_f32}, {dnnl_ABcd16b16a, dnnl_abcd}, 1, 0, fm_blocked_gradient_add}};
  const dnnl_dims_t images[] = {{1, 36, 9, 11}, {2, 17, 3, 5}, {1, 1, 1, 1}, {3, 32, 4, 16}};
  const dnnl_dims_t weights[] = {{64, 48, 3, 3}, {36, 64, 1, 1}, {17, 5, 3, 3}, {1, 1, 1, 1}};

  for (int c = 0; c < 6; c++)
    for (int k = 0; has_bf16() && k < 4; k++)
      like_reorder(&all[c], all[c].image ? images[k] : weights[k]);
}

/* A CPU without bfloat16, as oneDNN sees it; in a process of its own, for it asks but once. */
static void test_no_bf16(void **state) {
  const fm_convnet_spec spec = by(6, FM_CONVNET_ONEDNN, PETSC_TRUE);
  fm_convnet *net;
  int status = -1;
  pid_t child = fork();

  if (!child) {
    dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core);
    PetscPushErrorHandler(fm_test_keep, NULL);
    _exit(fm_convnet_create(&spec, &net) && strstr(fm_test_message, "no bfloat16") ? 0 : 1);
  }
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
}
#endif

/* ---- sizes and refusals ---- */

static void test_layout(void **state) {
  const fm_convnet_spec spec = {2, 64, 4, 32, 32, FM_CONVNET_IM2COL, PETSC_FALSE};
  fm_convnet_tensor t[FM_CONVNET_TENSORS];

  assert_true(fm_convnet_layout(&spec, t) == 64 * 18 + 64 + 64 * 64 * 9 + 64 + 4 * 9 * 64);
  assert_string_equal(t[4].name, "w3");
  assert_true(t[4].shape[0] == 4 && t[4].shape[1] == 3 && t[4].shape[3] == 64);
  assert_true(t[0].first == 0 && t[2].first == 64 * 19 && t[2].shape[1] == 64);
  /* 82.6 MFLOP */
  fm_near(fm_convnet_flops(&spec), 2. * 9 * 1024 * (2 * 64 + 64 * 64 + 64 * 4), 1e-15);
}

static void test_refusals(void **state) {
  fm_convnet_spec spec = sizes[1];
  fm_convnet *net = NULL;

  spec.hidden = 0;
  fm_expect_error(fm_convnet_create(&spec, &net), "0 hidden");
  spec.hidden = (int64_t)1 << 40;
  fm_expect_error(fm_convnet_create(&spec, &net), "1099511627776 hidden");
  spec = sizes[1], spec.width = -3;
  fm_expect_error(fm_convnet_create(&spec, &net), "3 x -3");
  spec = sizes[1], spec.bf16 = PETSC_TRUE;
  fm_expect_error(fm_convnet_create(&spec, &net), "bf16 needs");
  spec = by(1, FM_CONVNET_NATIVE, PETSC_FALSE);
  fm_expect_error(fm_convnet_create(&spec, &net), "multiples of");
  spec.bf16 = PETSC_TRUE;
  fm_expect_error(fm_convnet_create(&spec, &net), "bf16 needs");
  if (!ONEDNN) {
    spec = by(1, FM_CONVNET_ONEDNN, PETSC_FALSE);
    fm_expect_error(fm_convnet_create(&spec, &net), "im2col");
  }
  assert_null(net);
}

#ifdef FM_SINGLE /* the first one, before oneDNN has looked at the CPU */
#define FLOAT_FIRST cmocka_unit_test(test_no_bf16),
#define FLOAT_LAST                                                                             \
  , cmocka_unit_test(test_bf16), cmocka_unit_test(test_bf16_rounding),                         \
      cmocka_unit_test(test_copies)
#else
#define FLOAT_FIRST
#define FLOAT_LAST
#endif
FM_TEST_MAIN(FLOAT_FIRST cmocka_unit_test(test_loops), cmocka_unit_test(test_differences),
             cmocka_unit_test(test_adjoint), cmocka_unit_test(test_bits),
             cmocka_unit_test(test_layout), cmocka_unit_test(test_refusals) FLOAT_LAST)
