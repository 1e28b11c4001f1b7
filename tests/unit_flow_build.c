/* How a flow is built: names, lanes and starting numbers of its tensors, conditions that keep
   their bits, and the sentences that a user's mistakes get. */
#include "fm_test.h"
#include "fathom/layer.h"

static fm_flow_spec spec_of(const char *network, int64_t n, int64_t m) {
  fm_flow_spec spec = {.variant = "default",
                       .depth = 3,
                       .hidden = 40,
                       .reflections = 3,
                       .x = fm_shape_vector(n),
                       .y = fm_shape_vector(m)};

  snprintf(spec.network, sizeof(spec.network), "%s", network);
  return spec;
}

static fm_flow *make(const char *network, int64_t n, int64_t m) {
  const fm_flow_spec spec = spec_of(network, n, m);
  fm_flow *flow;

  fm_ok(fm_flow_create(&spec, &flow));
  return flow;
}

static fm_real *initial(const fm_flow *flow, uint64_t seed) {
  fm_real *theta;

  fm_ok(fm_calloc(fm_flow_layout(flow)->size, &theta));
  for (int64_t i = 0; i < fm_flow_layout(flow)->size; i++) theta[i] = 99;
  fm_ok(fm_flow_initialize(flow, (fm_rng){seed, FM_STREAM_INITIAL}, theta));
  return theta;
}

/* ---- names ---- */

static void has(const fm_flow *flow, const char *name, fm_lane lane, int64_t rows,
                int64_t columns) {
  const fm_tensor *tensor = fm_layout_find(fm_flow_layout(flow), name);

  if (!tensor) fail_msg("no tensor %s", name);
  assert_int_equal(tensor->lane, lane);
  assert_int_equal(tensor->shape[0], rows);
  assert_int_equal(tensor->ndim, columns ? 2 : 1);
  if (columns) assert_int_equal(tensor->shape[1], columns);
}

static void test_names(void **state) {
  fm_flow *flow = make("hint", 8, 6);

  has(flow, "block1.x.actnorm.log_scale", FM_LANE_X, 8, 0);
  has(flow, "block1.y.actnorm.shift", FM_LANE_Y, 6, 0);
  has(flow, "block2.x.householder.vectors", FM_LANE_X, 3, 8);
  has(flow, "block3.x.hint.w1", FM_LANE_X, 4, 40);
  has(flow, "block3.x.hint.a.w2", FM_LANE_X, 40, 40);
  has(flow, "block3.x.hint.b.w3", FM_LANE_X, 4, 40);
  has(flow, "block3.y.hint.a.b1", FM_LANE_Y, 40, 0);
  has(flow, "block3.x.conditional.w1", FM_LANE_X, 6, 40);
  has(flow, "block3.x.conditional.w3", FM_LANE_X, 16, 40);
  assert_null(fm_layout_find(fm_flow_layout(flow), "block4.x.hint.w1"));
  fm_ok(fm_flow_destroy(&flow));
  flow = make("hint", 5, 4); /* more than four channels are split again */
  has(flow, "block1.x.hint.a.w1", FM_LANE_X, 1, 40);
  has(flow, "block1.x.hint.b.w3", FM_LANE_X, 4, 40);
  assert_null(fm_layout_find(fm_flow_layout(flow), "block1.y.hint.a.w1"));
  fm_ok(fm_flow_destroy(&flow));
  flow = make("hint", 1, 0); /* a conditioner without inputs has no w1 */
  assert_null(fm_layout_find(fm_flow_layout(flow), "block1.x.hint.w1"));
  has(flow, "block1.x.hint.b1", FM_LANE_X, 40, 0);
  fm_ok(fm_flow_destroy(&flow));
}

typedef struct tour {
  char text[2048];
  int64_t nparameter;
  double flop;
} tour;

static PetscErrorCode visit(const fm_layer_facts *layer, void *context) {
  tour *t = context;
  const size_t used = strlen(t->text);

  t->nparameter += layer->nparameter;
  t->flop += layer->flop;
  snprintf(t->text + used, sizeof(t->text) - used, "%s ", layer->name);
  assert_non_null(strstr(layer->name, layer->kind));
  assert_non_null(strstr(layer->name, layer->lane == FM_LANE_X ? "x." : "y."));
  return 0;
}

static PetscErrorCode visit_short(const fm_layer_facts *layer, void *context) {
  tour *t = context;

  t->text[0] = 0;
  return visit(layer, context);
}

static void test_order_of_layers(void **state) {
  fm_flow *flow = make("hint", 2, 2);
  tour t = {.nparameter = 0};

  fm_ok(fm_flow_visit_layers(flow, visit, &t));
  assert_int_equal(t.nparameter, fm_flow_layout(flow)->size);
  assert_non_null(strstr(
      t.text, "block1.x.actnorm block1.y.actnorm block1.x.householder block1.y.householder "
              "block1.x.hint block1.x.conditional block1.y.hint block2.x.actnorm"));
  fm_ok(fm_flow_destroy(&flow));
}

/* The paper's network at 4 x 32 x 32: method.md says 9.2 GFLOP a sample forward and backward.
   */
static void test_flop_of_image_network(void **state) {
  fm_flow_spec spec = spec_of("hint", 1, 1);
  fm_flow *flow;
  tour t = {.nparameter = 0};

  spec.x = spec.y = (fm_shape){1, {64, 64, 1}};
  spec.squeezes = 1;
  spec.depth = 12;
  spec.hidden = 64;
  fm_ok(fm_flow_create(&spec, &flow));
  fm_ok(fm_flow_visit_layers(flow, visit_short, &t));
  assert_int_equal(t.nparameter, fm_flow_layout(flow)->size);
  assert_true(fabs(3 * t.flop - 9.2e9) < .1e9);
  fm_ok(fm_flow_destroy(&flow));
}

/* ---- starting numbers ---- */

static double root_mean_square(const fm_flow *flow, const fm_real *theta, const char *name) {
  const fm_tensor *tensor = fm_layout_find(fm_flow_layout(flow), name);
  double sum = 0;

  for (int64_t i = 0; i < tensor->size; i++) sum += pow((double)theta[tensor->offset + i], 2);
  return sqrt(sum / (double)tensor->size);
}

static void test_initial_numbers(void **state) {
  fm_flow *flow = make("hint", 8, 6);
  const int64_t size = fm_flow_layout(flow)->size;
  fm_real *theta = initial(flow, 1), *same = initial(flow, 1), *other = initial(flow, 2);

  assert_memory_equal(theta, same, (size_t)size * sizeof(*theta));
  assert_true(memcmp(theta, other, (size_t)size * sizeof(*theta)) != 0);
  assert_true(root_mean_square(flow, theta, "block1.x.actnorm.log_scale") == 0);
  assert_true(root_mean_square(flow, theta, "block2.x.hint.b2") == 0);
  fm_near(root_mean_square(flow, theta, "block1.x.hint.w1"), sqrt(2. / 44), .03);
  fm_near(root_mean_square(flow, theta, "block1.x.hint.w2"), sqrt(1. / 40), .02);
  fm_near(root_mean_square(flow, theta, "block1.x.hint.w3"), .2 * sqrt(2. / 48), .01);
  fm_near(root_mean_square(flow, theta, "block2.x.householder.vectors"), 1, .4);
  assert_true(root_mean_square(flow, theta, "block1.x.hint.w2") !=
              root_mean_square(flow, theta, "block2.x.hint.w2"));
  fm_ok(PetscFree(theta));
  fm_ok(PetscFree(same));
  fm_ok(PetscFree(other));
  fm_ok(fm_flow_destroy(&flow));
}

/* The linear networks start as the identity, and leave a y alone. */
static void test_identity(void **state) {
  const char *network[] = {"triangular", "elementwise"};

  for (int i = 0; i < 2; i++) {
    fm_flow *flow = make(network[i], 3, 2);
    fm_real *theta = initial(flow, 1), x[] = {1, 2, 3}, y[] = {4, 5}, zx[3], zy[2], lx = 9,
            ly = 9;

    fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x, .y = y},
                        (fm_lanes){.x = zx, .y = zy}, (fm_logdet){&lx, &ly}));
    assert_memory_equal(x, zx, sizeof(x));
    assert_memory_equal(y, zy, sizeof(y));
    assert_true(lx == 0 && ly == 0);
    fm_ok(PetscFree(theta));
    fm_ok(fm_flow_destroy(&flow));
  }
}

/* ---- data-dependent start ---- */

/* A channel without variance gets scale 1; without a y the y lane keeps its identity start. */
static void test_start(void **state) {
  enum { NB = 6, N = 3, M = 2 };
  fm_flow *flow = make("hint", N, M);
  const fm_layout *layout = fm_flow_layout(flow);
  const fm_tensor *scale = fm_layout_find(layout, "block1.x.actnorm.log_scale");
  const fm_tensor *shift = fm_layout_find(layout, "block1.x.actnorm.shift");
  fm_real *theta = initial(flow, 1), x[NB * N];

  fm_rng_normal((fm_rng){1, FM_STREAM_START}, 0, 0, NB * N, x);
  for (int b = 0; b < NB; b++) x[b * N + 1] = (fm_real)0.3;
  fm_ok(fm_flow_start(flow, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x}));
  assert_true(theta[scale->offset + 1] == 0);
  fm_near(theta[shift->offset + 1], -.3, 4 * FM_EPSILON);
  assert_true(fabs((double)theta[scale->offset]) > 1e-3);
  for (int64_t t = 0; t < layout->ntensor; t++)
    if (strstr(layout->tensor[t].name, ".y.actnorm"))
      assert_true(root_mean_square(flow, theta, layout->tensor[t].name) == 0);
  assert_true(root_mean_square(flow, theta, "block3.x.actnorm.log_scale") > 1e-3);
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

/* With a condition the x lane is started as it sees that observation, and the y lane is left
   alone. */
static void test_start_with_condition(void **state) {
  enum { NB = 9 };
  fm_flow *flow = make("hint", 3, 2);
  fm_real *theta = initial(flow, 1), y[] = {(fm_real)1.4, (fm_real)-0.2}, z[NB * 3], x[NB * 3];
  fm_condition *condition;

  fm_ok(fm_flow_condition(flow, theta, y, &condition));
  fm_rng_normal((fm_rng){1, FM_STREAM_START}, 0, 0, NB * 3, z);
  fm_ok(
      fm_flow_start(flow, theta, FM_GENERATE, NB, (fm_lanes){.x = z, .condition = condition}));
  assert_true(root_mean_square(flow, theta, "block1.y.actnorm.log_scale") == 0);
  fm_ok(fm_flow_apply(flow, theta, FM_GENERATE, NB, (fm_lanes){.x = z, .condition = condition},
                      (fm_lanes){.x = x, .condition = condition}, (fm_logdet){NULL, NULL}));
  for (int c = 0; c < 3; c++) {
    double sum = 0, square = 0;

    for (int b = 0; b < NB; b++) {
      sum += (double)x[b * 3 + c] / NB;
      square += pow((double)x[b * 3 + c], 2) / NB;
    }
    fm_near(sum, 0, 1e3 * FM_EPSILON);
    fm_near(square, 1, 1e3 * FM_EPSILON);
  }
  fm_ok(fm_condition_destroy(&condition));
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

/* ---- conditions ---- */

static void generate(const fm_flow *flow, const fm_real *theta, const fm_condition *condition,
                     fm_real *x, fm_real *logdet) {
  fm_real z[] = {(fm_real)0.1, (fm_real)-0.7, (fm_real)0.4};

  fm_ok(fm_flow_apply(flow, theta, FM_GENERATE, 1, (fm_lanes){.x = z, .condition = condition},
                      (fm_lanes){.x = x, .condition = condition}, (fm_logdet){logdet, NULL}));
}

static void test_condition_keeps_its_bits(void **state) {
  fm_flow *flow = make("hint", 3, 2);
  fm_real *theta = initial(flow, 1), y[] = {(fm_real)0.3, (fm_real)1.7}, x[3], x2[3], logdet,
          logdet2;
  fm_condition *condition, *restored, *latent;
  const fm_real *values, *others;
  int64_t count, count2;

  fm_ok(fm_flow_condition(flow, theta, y, &condition));
  values = fm_condition_values(condition, &count);
  assert_int_equal(count, 2 * (1 + 3));
  assert_ptr_equal(values, fm_condition_latent(condition));
  fm_ok(fm_condition_restore(flow, count, values, &restored));
  others = fm_condition_values(restored, &count2);
  assert_int_equal(count, count2);
  assert_memory_equal(values, others, (size_t)count * sizeof(*values));
  generate(flow, theta, condition, x, &logdet);
  generate(flow, theta, restored, x2, &logdet2);
  assert_memory_equal(x, x2, sizeof(x));
  assert_true(logdet == logdet2);
  fm_ok(fm_condition_from_latent(flow, theta, fm_condition_latent(condition), &latent));
  others = fm_condition_values(latent, &count2);
  for (int64_t i = 0; i < count; i++) fm_near(values[i], others[i], 200 * FM_EPSILON);
  fm_expect_error(fm_condition_restore(flow, count - 1, values, &restored), "another depth");
  fm_ok(fm_condition_destroy(&condition));
  fm_ok(fm_condition_destroy(&restored));
  fm_ok(fm_condition_destroy(&latent));
  assert_null(latent);
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

/* ---- mistakes ---- */

static void test_wrong_specs(void **state) {
  fm_flow_spec spec = spec_of("hunt", 2, 2);
  fm_flow *flow = NULL;

  fm_expect_error(fm_flow_create(&spec, &flow),
                  "'hunt'; known: hint spline triangular elementwise");
  spec = spec_of("hint", 0, 2);
  fm_expect_error(fm_flow_create(&spec, &flow), "size 1 or more");
  spec = spec_of("hint", 2, -1);
  fm_expect_error(fm_flow_create(&spec, &flow), "size of y is -1");
  spec = spec_of("hint", 2, 2);
  spec.hidden = 0;
  fm_expect_error(fm_flow_create(&spec, &flow), "depth and hidden");
  spec = spec_of("hint", 2, 2);
  strcpy(spec.variant, "offical");
  fm_expect_error(fm_flow_create(&spec, &flow), "known: default official");
  assert_null(flow);
  spec = spec_of("hint", 2, 0);
  fm_expect_error(fm_flow_create_layer(&spec, "hunt", FM_LANE_X, &flow), "known: actnorm");
  fm_ok(fm_flow_destroy(&flow));
  fm_expect_error(fm_flow_create_layer(&spec, "conditional", FM_LANE_X, &flow), "needs a y");
  fm_ok(fm_flow_destroy(&flow));
  spec.x = (fm_shape){1, {8, 8, 1}};
  fm_expect_error(fm_flow_create(&spec, &flow), "-flow_squeezes 1");
  fm_ok(fm_flow_destroy(&flow));
  spec.squeezes = 4;
  fm_expect_error(fm_flow_create(&spec, &flow), "halves height and width");
  fm_ok(fm_flow_destroy(&flow));
  spec.squeezes = 1;
  spec.y = (fm_shape){1, {8, 6, 1}};
  fm_expect_error(fm_flow_create(&spec, &flow), "the same pixels");
  fm_ok(fm_flow_destroy(&flow));
}

/* Many images go a few at a time: each as alone, and their weight gradients add up. */
static void test_many_images(void **state) {
  enum { NB = 37, N = 16 };
  fm_flow_spec spec = spec_of("hint", 1, 1);
  fm_real x[NB * N], y[NB * N], many[NB * N], one[NB * N], logdet[NB], alone[NB], *theta;
  fm_flow *flow;

  spec.x = spec.y = (fm_shape){1, {4, 4, 1}};
  spec.squeezes = 1;
  fm_ok(fm_flow_create(&spec, &flow));
  theta = initial(flow, 3);
  fm_rng_normal((fm_rng){1, FM_STREAM_LATENT}, 0, 0, NB * N, x);
  fm_rng_normal((fm_rng){1, FM_STREAM_LATENT}, 0, 1, NB * N, y);
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = many}, (fm_logdet){logdet, NULL}));
  for (int b = 0; b < NB; b++)
    fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1,
                        (fm_lanes){.x = x + b * N, .y = y + b * N},
                        (fm_lanes){.x = one + b * N}, (fm_logdet){alone + b, NULL}));
  assert_memory_equal(many, one, sizeof(many));
  assert_memory_equal(logdet, alone, sizeof(logdet));
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

static void test_wrong_lanes(void **state) {
  fm_flow *flow = make("hint", 2, 2), *other = make("hint", 2, 3);
  fm_real *theta = initial(flow, 1), x[2] = {0}, y[2] = {0};
  fm_condition *condition;
  const fm_logdet none = {NULL, NULL};
  const fm_lanes alone = {.x = x};

  fm_ok(fm_flow_condition(flow, theta, y, &condition));
  fm_expect_error(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, alone, alone, none),
                  "neither a y nor");
  fm_expect_error(fm_flow_apply(flow, theta, FM_NORMALIZE, 1,
                                (fm_lanes){.x = x, .y = y, .condition = condition}, alone,
                                none),
                  "both a y and");
  fm_expect_error(fm_flow_apply(other, theta, FM_NORMALIZE, 1,
                                (fm_lanes){.x = x, .condition = condition}, alone, none),
                  "another flow");
  fm_expect_error(fm_flow_start(flow, theta, FM_NORMALIZE, 0, alone), "from no samples");
  fm_ok(fm_condition_destroy(&condition));
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
  fm_ok(fm_flow_destroy(&other));
}

FM_TEST_MAIN(cmocka_unit_test(test_names), cmocka_unit_test(test_order_of_layers),
             cmocka_unit_test(test_flop_of_image_network), cmocka_unit_test(test_many_images),
             cmocka_unit_test(test_initial_numbers), cmocka_unit_test(test_identity),
             cmocka_unit_test(test_start), cmocka_unit_test(test_start_with_condition),
             cmocka_unit_test(test_condition_keeps_its_bits),
             cmocka_unit_test(test_wrong_specs), cmocka_unit_test(test_wrong_lanes))
