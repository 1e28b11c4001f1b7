/* The spline layers and the network of them: where they start, that they are densities, what a
   checkpoint keeps of them, and the sentences that wrong sizes get. */
#include "infer/checkpoint_parts.h"
#include "fathom/layer.h"
#include "io_test.h"

static fm_flow_spec spec_of(int64_t n, int64_t m) {
  return (fm_flow_spec){.network = "spline",
                        .variant = "default",
                        .depth = 3,
                        .hidden = 32,
                        .bins = 8,
                        .bound = 4,
                        .reflections = 3,
                        .x = fm_shape_vector(n),
                        .y = fm_shape_vector(m)};
}

/* With its starting weights a spline layer moves nothing by much. */
static void test_starts_near_the_identity(void **state) {
  enum { NB = 32, N = 6, M = 3 };
  const fm_flow_spec spec = spec_of(N, M);
  fm_real x[NB * N], y[NB * M], z[NB * N], logdet[NB], *theta;
  double moved = 0, stretched = 0;
  fm_flow *flow;

  fm_ok(fm_flow_create_layer(&spec, "spline_conditional", FM_LANE_X, &flow));
  fm_ok(fm_calloc(fm_flow_layout(flow)->size, &theta));
  fm_ok(fm_flow_initialize(flow, (fm_rng){1, FM_STREAM_INITIAL}, theta));
  fm_rng_normal((fm_rng){2, FM_STREAM_CHECK}, 0, 0, NB * N, x);
  fm_rng_normal((fm_rng){2, FM_STREAM_CHECK}, 1, 0, NB * M, y);
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = z}, (fm_logdet){logdet, NULL}));
  for (int i = 0; i < NB * N; i++) moved += pow((double)(z[i] - x[i]), 2) / (NB * N);
  for (int b = 0; b < NB; b++) stretched += pow((double)logdet[b], 2) / NB;
  if (moved > 0.04 || stretched > 0.25)
    fail_msg("rms shift %g, rms logdet %g", sqrt(moved), sqrt(stretched));
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

/* q(x | y) integrates to 1 over a grid, with weights far from the start. */
static void test_integrates_to_one(void **state) {
  enum { SIDE = 500 };
  const fm_flow_spec spec = spec_of(2, 2);
  const double reach = 8, width = 2 * reach / SIDE;
  fm_real y[] = {(fm_real)0.7, (fm_real)-1.2}, x[2 * SIDE], logdet[SIDE], *theta;
  fm_condition *condition;
  fm_flow *flow;
  double sum = 0;

  fm_ok(fm_flow_create(&spec, &flow));
  fm_ok(fm_calloc(fm_flow_layout(flow)->size, &theta));
  fm_ok(fm_flow_initialize(flow, (fm_rng){1, FM_STREAM_INITIAL}, theta));
  for (int64_t t = 0; t < fm_flow_layout(flow)->ntensor; t++) {
    const fm_tensor *tensor = &fm_flow_layout(flow)->tensor[t];

    for (int64_t i = 0; strstr(tensor->name, "spline") && i < tensor->size; i++)
      theta[tensor->offset + i] *= 2;
  }
  fm_ok(fm_flow_condition(flow, theta, y, &condition));
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      x[2 * j] = (fm_real)(-reach + (i + .5) * width);
      x[2 * j + 1] = (fm_real)(-reach + (j + .5) * width);
    }
    fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, SIDE,
                        (fm_lanes){.x = x, .condition = condition},
                        (fm_lanes){.x = x, .condition = condition}, (fm_logdet){logdet, NULL}));
    for (int j = 0; j < SIDE; j++)
      sum += exp(-.5 * (pow((double)x[2 * j], 2) + pow((double)x[2 * j + 1], 2)) +
                 (double)logdet[j]);
  }
  fm_near(sum * width * width / (2 * PETSC_PI), 1, 1e-3);
  fm_ok(fm_condition_destroy(&condition));
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

static void test_wrong_specs(void **state) {
  fm_flow_spec spec = spec_of(2, 0);
  fm_flow *flow;

  spec.bins = 1;
  fm_expect_error(fm_flow_create(&spec, &flow), "2 to 64 bins, not 1");
  fm_ok(fm_flow_destroy(&flow));
  spec.bins = 65;
  fm_expect_error(fm_flow_create(&spec, &flow), "not 65");
  fm_ok(fm_flow_destroy(&flow));
  spec = spec_of(2, 0);
  spec.bound = 0;
  fm_expect_error(fm_flow_create(&spec, &flow), "bound must be positive");
  fm_ok(fm_flow_destroy(&flow));
}

/* ---- checkpoints ---- */

static void read_back(const char *name, int64_t bins, double bound) {
  fm_transport *t;
  fm_store *store;

  fm_ok(fm_store_open(PETSC_COMM_SELF, in_folder(name), &store));
  fm_ok(fm_parts_read_transport(store, &t));
  assert_int_equal(fm_flow_get_spec(t->flow)->bins, bins);
  assert_true(fm_flow_get_spec(t->flow)->bound == bound);
  assert_int_equal(t->n, 2);
  fm_ok(fm_transport_destroy(&t));
  fm_ok(fm_store_close(&store));
}

static void test_checkpoint_keeps_the_spec(void **state) {
  fm_flow_spec spec = spec_of(2, 1);
  fm_transport *t;
  fm_store *store;

  spec.bins = 11;
  spec.bound = 2.75;
  fm_ok(fm_transport_create(&spec, &t));
  fm_ok(fm_store_create(PETSC_COMM_SELF, in_folder("new.h5"), &store));
  fm_ok(fm_parts_write_transport(t, store));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(fm_transport_destroy(&t));
  read_back("new.h5", 11, 2.75);
}

/* Checkpoints of version 0.1.0 name neither bins nor bound. */
static void test_old_checkpoint(void **state) {
  const int64_t two = 2, one = 1, four = 4, x[] = {2, 1, 1, 1}, y[] = {1, 1, 1, 1};
  const double zero[] = {0, 0}, unit[] = {1, 1};
  const char *at = "/architecture";
  fm_store *store;

  fm_ok(fm_store_create(PETSC_COMM_SELF, in_folder("old.h5"), &store));
  fm_ok(fm_store_set_text(store, at, "network", "hint"));
  fm_ok(fm_store_set_text(store, at, "variant", "default"));
  fm_ok(fm_store_set_integer(store, at, "depth", 2));
  fm_ok(fm_store_set_integer(store, at, "hidden", 4));
  fm_ok(fm_store_set_integer(store, at, "reflections", 3));
  fm_ok(fm_store_write(store, "/architecture/x_shape", FM_INT64, 1, &four, x));
  fm_ok(fm_store_write(store, "/architecture/y_shape", FM_INT64, 1, &four, y));
  fm_ok(fm_store_write(store, "/whitening/x_mean", FM_FLOAT64, 1, &two, zero));
  fm_ok(fm_store_write(store, "/whitening/x_std", FM_FLOAT64, 1, &two, unit));
  fm_ok(fm_store_write(store, "/whitening/y_mean", FM_FLOAT64, 1, &one, zero));
  fm_ok(fm_store_write(store, "/whitening/y_std", FM_FLOAT64, 1, &one, unit));
  fm_ok(fm_store_set_text(store, "/observation", "train", "xlane"));
  fm_ok(fm_store_commit(&store, NULL));
  read_back("old.h5", 8, 4);
}

FM_TEST_MAIN(cmocka_unit_test(test_starts_near_the_identity),
             cmocka_unit_test(test_integrates_to_one), cmocka_unit_test(test_wrong_specs),
             io_test(test_checkpoint_keeps_the_spec), io_test(test_old_checkpoint))
