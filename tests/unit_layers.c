/* Generated velocity models: bounds, texture, layer counts, dips, faults that move blocks as a
   whole, draws by name, nodes that an operator keeps. */
#include "image_cases.h"
#include "infer/layers.h"

#define ROWS 48
#define COLUMNS 96
#define NODES (ROWS * COLUMNS)
#define N 60

#define GRID "-layers_shape 48x96 -layers_spacing 40 "

static fm_energy *make(const char *text, const fm_comm *comm, fm_operator *op) {
  PetscOptions options = image_begin(text);
  fm_energy *e;

  fm_ok(fm_energy_create("layers", &(fm_energy_inputs){comm, 0, op, 0, NULL}, &e));
  image_end(&options);
  return e;
}

/* x [N][NODES] of one set of options */
static fm_real *ensemble(const char *text) {
  fm_real *x = malloc(sizeof(*x) * N * NODES);
  fm_comm comm;
  fm_energy *e;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  e = make(text, &comm, NULL);
  assert_int_equal(fm_energy_size(e), NODES);
  fm_ok(fm_energy_sample(e, (fm_rng){7, FM_STREAM_MODEL}, 0, N, x));
  fm_ok(fm_energy_destroy(&e));
  fm_ok(fm_comm_destroy(&comm));
  return x;
}

/* mean velocity of the top and bottom rows, rms lateral slope of velocity, share of nodes
   slower than the one above by 50 m/s */
static void figures(const fm_real *x, double out[4]) {
  memset(out, 0, 4 * sizeof(*out));
  for (int64_t i = 0; i < N * NODES; i++) {
    const int64_t row = i % NODES / COLUMNS, column = i % COLUMNS;
    const double v = (double)x[i];

    if (row == 0) out[0] += v / (N * COLUMNS);
    if (row == ROWS - 1) out[1] += v / (N * COLUMNS);
    if (column) out[2] += (v - (double)x[i - 1]) * (v - (double)x[i - 1]) / (N * NODES);
    if (row) out[3] += v < (double)x[i - COLUMNS] - 50 ? 1. / (N * NODES) : 0;
  }
  out[2] = sqrt(out[2]);
}

static void geologies_differ(void **state) {
  fm_real *basin = ensemble(GRID "-layers_geology basin -layers_texture 0");
  fm_real *thrust = ensemble(GRID "-layers_geology thrust -layers_texture 0");
  double b[4], t[4];

  figures(basin, b);
  figures(thrust, t);
  print_message("basin: %.0f to %.0f m/s, %.1f m/s a column, inversions %.4f\n", b[0], b[1],
                b[2], b[3]);
  print_message("thrust: %.0f to %.0f m/s, %.1f m/s a column, inversions %.4f\n", t[0], t[1],
                t[2], t[3]);
  assert_true(b[1] - b[0] > 1000 && b[1] - b[0] < 2200); /* grows with depth */
  assert_true(t[1] - t[0] > 800);
  assert_true(t[2] > 1.8 * b[2]); /* steeper, stronger, more broken */
  assert_true(b[3] > 0.02 && b[3] < 0.2 && t[3] > 1.5 * b[3]);
  free(basin);
  free(thrust);
}

static void velocities_are_inside(void **state) {
  const char *const text[] = {GRID "-layers_geology thrust -layers_velocity_min 1800 "
                                   "-layers_velocity_max 3000 -layers_texture 40",
                              GRID "-layers_geology basin -layers_velocity_min 1800 "
                                   "-layers_velocity_max 3000 -layers_texture 75"};

  for (int k = 0; k < 2; k++) {
    fm_real *x = ensemble(text[k]);
    int64_t near = 0;

    for (int64_t i = 0; i < N * NODES; i++) {
      assert_true(x[i] > 1800 && x[i] < 3000);
      near += x[i] < 1801 || x[i] > 2999;
    }
    assert_true(near < N * NODES / 500); /* not heaped up at the bounds */
    free(x);
  }
}

/* The same layers with and without: what differs has the declared std and correlation. */
static void texture_is_as_declared(void **state) {
  fm_real *with = ensemble(GRID "-layers_velocity_min 1000 -layers_velocity_max 5000 "
                                "-layers_texture 30 -layers_texture_correlation 4");
  fm_real *less = ensemble(GRID "-layers_velocity_min 1000 -layers_velocity_max 5000 "
                                "-layers_texture 15 -layers_texture_correlation 4");
  double sum = 0, square = 0, beside = 0;

  /* layers move by their bounds, 4 stds inside: by 2 (share - 1/2) 60 m/s, which is smooth */
  for (int64_t i = 0; i < N * NODES; i++) {
    if (i % COLUMNS < 4) continue;
    const double d = (double)with[i] - (double)less[i];
    const double e = (double)with[i - 4] - (double)less[i - 4];

    sum += d - e;
    square += (d - e) * (d - e);
    beside += 1;
  }
  /* var (d - e) = 2 15^2 (1 - rho(4)), rho at the correlation length .14 */
  print_message("texture's std from differences: %.2f\n",
                sqrt(square / beside / (2 * (1 - 0.14))));
  fm_near(sqrt(square / beside / (2 * (1 - 0.14))), 15, 0.04);
  free(with);
  free(less);
}

static void draws_are_named(void **state) {
  static fm_real all[8 * NODES], some[2 * NODES];
  fm_comm comm;
  fm_energy *e;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  e = make(GRID "-layers_geology thrust", &comm, NULL);
  fm_ok(fm_energy_sample(e, (fm_rng){7, FM_STREAM_MODEL}, 0, 8, all));
  fm_ok(fm_energy_sample(e, (fm_rng){7, FM_STREAM_MODEL}, 5, 2, some));
  assert_memory_equal(some, all + 5 * NODES, sizeof(some));
  assert_true(memcmp(all, all + NODES, NODES * sizeof(*all)) != 0);
  fm_ok(fm_energy_sample(e, (fm_rng){8, FM_STREAM_MODEL}, 5, 2, some));
  assert_true(memcmp(some, all + 5 * NODES, sizeof(some)) != 0);
  fm_ok(fm_energy_destroy(&e));
  fm_ok(fm_comm_destroy(&comm));
}

/* ---- structure ---- */

static void draw(fm_layers *l, uint64_t index) {
  double *u = malloc(sizeof(*u) * (size_t)l->number);

  fm_rng_uniform((fm_rng){3, FM_STREAM_CHECK}, 0, index, (size_t)l->number, u);
  fm_layers_read(l, u);
  free(u);
}

/* one layer a unit of depth on average; tops go down; enough of them */
static void layers_are_counted(void **state) {
  double count = 0, depth = 0;
  fm_layers *l;

  fm_ok(fm_layers_create(0, 11, 22, &l));
  for (uint64_t i = 0; i < 400; i++) {
    draw(l, i);
    for (int q = 0; q < FM_SEQUENCES; q++) {
      const fm_beds *b = &l->sequence[q].layers;

      assert_true(b->top[0] < -1 && b->top[b->most - 1] > 11 + 1);
      for (int64_t k = 0; k < b->most; k++) {
        if (k) assert_true(b->top[k] - b->top[k - 1] >= 0.3 - 1e-12);
        count += b->top[k] >= 0 && b->top[k] < 11;
      }
      depth += 11;
    }
  }
  print_message("layers a unit: %.4f\n", count / depth);
  fm_near(count / depth, 1, 0.02);
  fm_ok(fm_layers_destroy(&l));
}

/* Above the plane everything has moved by the slip, below nothing. */
static void a_fault_moves_its_block(void **state) {
  fm_layers *l;
  double u, v;

  fm_ok(fm_layers_create(1, 13, 26, &l));
  draw(l, 1);
  l->first = 1;
  l->sequences = 1;
  fm_sequence *s = &l->sequence[1];
  s->faults = 1;
  s->fault[0] = (fm_fault){.x = 0, .z = 5, .sine = 0.6, .cosine = 0.8, .slip = 2};
  /* dips to the right: (0, 5) + t (.8, .6); to its upper right the layers came down by it */
  assert_int_equal(fm_layers_where(l, 6, 5, &u), 1);
  fm_near(u, fm_fold_at(&s->fold, 6 - 1.2, 5 - 1.6), 1e-12);
  fm_layers_where(l, 9, 5, &u);
  fm_near(u, fm_fold_at(&s->fold, 9, 5), 1e-12);
  s->fault[0].cosine = -0.8;
  fm_layers_where(l, 6, -5, &v);
  fm_near(v, fm_fold_at(&s->fold, 6 - 1.2, -5 + 1.6), 1e-12);
  fm_ok(fm_layers_destroy(&l));
}

/* identity inside, increasing, slope 1 where the pieces meet, never beyond */
static void squash(void **state) {
  double before = -1e300;

  fm_near(fm_layers_squash(2, 1, 4, 0.5), 2, 0);
  for (double v = -1; v < 6; v += 0.01) {
    const double s = fm_layers_squash(v, 1, 4, 0.5);

    assert_true(s > before && s > 1 && s < 4);
    before = s;
  }
  fm_near((fm_layers_squash(3.501, 1, 4, 0.5) - 3.5) / 0.001, 1, 2e-3);
  fm_near((1.5 - fm_layers_squash(1.499, 1, 4, 0.5)) / 0.001, 1, 2e-3);
}

/* ---- with an operator ---- */

#define WAVES                                                                                  \
  "-acoustic_shape 24x30 -acoustic_spacing 20 -acoustic_steps 20 -acoustic_dt 0.001 "          \
  "-acoustic_wavelet_frequency 8 -acoustic_sources 40,40 -acoustic_receivers 40,80 "           \
  "-acoustic_velocity_min 1500 -acoustic_velocity_max 4500 -acoustic_allow_dispersion "

/* The unknown's model is the velocity model, but for the water, which is the background's. */
static void the_operator_keeps_its_water(void **state) {
  static double x[720], model[720], frozen[720];
  static fm_real plain[720], unknown[720];
  char text[8192] = WAVES "-acoustic_unknown scaled -acoustic_background 1480 -acoustic_scale "
                          "300 -acoustic_frozen ";
  fm_operator *op;
  fm_energy *e;
  fm_comm comm;

  for (int i = 0; i < 720; i++) frozen[i] = i < 90;
  for (int i = 0; i < 720; i++)
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i ? "," : "",
             (int)frozen[i]);
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  op = image_operator("acoustic", text);
  e = make("", &comm, op);
  fm_ok(fm_energy_sample(e, (fm_rng){7, FM_STREAM_MODEL}, 0, 1, unknown));
  fm_ok(fm_energy_destroy(&e));
  for (int i = 0; i < 720; i++) x[i] = (double)unknown[i];
  fm_ok(fm_operator_model(op, x, model));
  for (int i = 0; i < 720; i++) {
    if (i < 90) fm_near(x[i], 0, 1e-12);
    if (i < 90) fm_near(model[i], 1480, 1e-12);
    assert_true(model[i] > (i < 90 ? 1400 : 1500) && model[i] < 4500);
    fm_near(model[i], 1480 + 300 * x[i], 1e-6);
  }
  fm_ok(fm_operator_destroy(&op));
  op = image_operator("acoustic", WAVES);
  e = make("", &comm, op);
  fm_ok(fm_energy_sample(e, (fm_rng){7, FM_STREAM_MODEL}, 0, 1, plain));
  fm_ok(fm_energy_destroy(&e));
  assert_true(plain[0] > 1500 && plain[719] < 4500); /* the velocity itself */
  fm_ok(fm_operator_destroy(&op));
  fm_ok(fm_comm_destroy(&comm));
}

static void refused(const char *text, const char *sentence) {
  PetscOptions options = image_begin(text);
  fm_energy *e = NULL;
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  fm_expect_error(fm_energy_create("layers", &(fm_energy_inputs){&comm, 0, NULL, 0, NULL}, &e),
                  sentence);
  fm_ok(fm_comm_destroy(&comm));
  image_end(&options);
}

static void bad_input(void **state) {
  uint64_t sample = 0;
  PetscBool ok = PETSC_TRUE;
  fm_real x[4] = {0};
  fm_comm comm;
  fm_energy *e;
  double value;

  refused("", "needs -layers_shape NZxNX");
  refused("-layers_shape 48x96", "needs a positive -layers_spacing");
  refused("-layers_shape 1x96 -layers_spacing 20", "2 to 8192");
  refused("-layers_shape 48x96 -layers_spacing 1,2,3", "3 numbers are given");
  refused(GRID "-layers_velocity_min 4600", "is not below -layers_velocity_max");
  refused(GRID "-layers_texture 200", "is too large for velocities from 1500");
  refused(GRID "-layers_thickness 0.1", "-layers_thickness 0.1 m");
  refused(GRID "-layers_geology karst", "'karst' is not one of basin|thrust");
  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  e = make("-layers_shape 2x2 -layers_spacing 20", &comm, NULL);
  fm_expect_error(fm_energy_evaluate(e, (fm_key){0, &sample, NULL}, 1, x, &value, NULL, &ok),
                  "layers has no density");
  fm_ok(fm_energy_destroy(&e));
  fm_ok(fm_comm_destroy(&comm));
}

FM_TEST_MAIN(cmocka_unit_test(geologies_differ), cmocka_unit_test(velocities_are_inside),
             cmocka_unit_test(texture_is_as_declared), cmocka_unit_test(draws_are_named),
             cmocka_unit_test(layers_are_counted), cmocka_unit_test(a_fault_moves_its_block),
             cmocka_unit_test(squash), cmocka_unit_test(the_operator_keeps_its_water),
             cmocka_unit_test(bad_input))
