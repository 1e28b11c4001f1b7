/* The operators acoustic and born on any number of ranks: data, derivatives and gradients have
   the bits of one rank alone, whether the ranks share the rows or the shots. */
#include "acoustic_cases.h"

#define SHOTS 3
#define DATA (SHOTS * 3 * 20)
#define NODES (46 * 15)

#define SURVEY                                                                                 \
  "-acoustic_shape 46x15 -acoustic_spacing 10,12 -acoustic_dt 0.0015 -acoustic_steps 60 "      \
  "-acoustic_record_every 3 -acoustic_wavelet_frequency 20 -acoustic_allow_dispersion "        \
  "-acoustic_sources 153,91.5,318,48,240.7,60 -acoustic_receivers "                            \
  "113,24,229.7,140,341,155.5 "

/* Results of all parts, on every rank: data, J dx and, one after the other, J^T w. */
typedef struct results {
  double d[DATA], jdx[DATA], g[SHOTS][NODES];
} results;

static void keep(Vec v, double *out) {
  fm_gather *gather;
  const double *all;
  PetscInt n;

  fm_ok(VecGetSize(v, &n));
  fm_ok(fm_gather_create(v, &gather));
  fm_ok(fm_gather_read(gather, v, &all));
  memcpy(out, all, (size_t)n * sizeof(double));
  fm_ok(fm_gather_destroy(&gather));
}

static void one_part(fm_operator *op, PetscInt part, double centre, double scale, results *r) {
  Vec x, dx, d, dd;
  int64_t first, count;
  PetscBool ok;

  fm_ok(fm_operator_part_range(op, part, &first, &count));
  fm_ok(fm_operator_create_vecs(op, part, &x, &d));
  fm_ok(VecDuplicate(x, &dx));
  fm_ok(VecDuplicate(d, &dd));
  acoustic_fill(x, 1, centre, scale);
  acoustic_fill(dx, 2, 0, scale);
  acoustic_fill(dd, 3, 0, 1);
  fm_ok(fm_operator_linearize(op, part, x, d, &ok));
  assert_true(ok);
  keep(d, r->d + first);
  fm_ok(fm_operator_jvp(op, part, dx, d));
  keep(d, r->jdx + first);
  fm_ok(fm_operator_vjp(op, part, dd, dx));
  keep(dx, r->g[part]);
  for (Vec *all[] = {&x, &dx, &d, &dd}, **v = all; v < all + 4; v++) fm_ok(VecDestroy(*v));
}

/* What this rank's group makes of the parts, the rest from the others. */
static void compute(MPI_Comm space, const char *name, const char *options, double centre,
                    double scale, results *r) {
  fm_operator *op = acoustic_make(space, name, SURVEY "%s", options);
  PetscInt groups, mine;

  fm_ok(fm_operator_groups(op, &groups, &mine));
  memset(r, 0, sizeof(*r));
  for (PetscInt part = mine; part < SHOTS; part += groups) one_part(op, part, centre, scale, r);
  if (groups > 1)
    MPI_Allreduce(MPI_IN_PLACE, r, (int)(sizeof(*r) / sizeof(uint64_t)), MPI_UINT64_T, MPI_BOR,
                  space);
  fm_ok(fm_operator_destroy(&op));
}

static void compare(const char *name, const char *options, double centre, double scale) {
  static const char *const split[] = {"domain", "shots", "auto"};
  static results alone, together;

  compute(PETSC_COMM_SELF, name, options, centre, scale, &alone);
  assert_true(alone.d[30] != 0 && alone.jdx[30] != 0 && alone.g[1][200] != 0);
  for (int k = 0; k < 3; k++) {
    char text[512];

    snprintf(text, sizeof(text), "%s -acoustic_split %s", options, split[k]);
    compute(PETSC_COMM_WORLD, name, text, centre, scale, &together);
    if (memcmp(together.d, alone.d, sizeof(alone.d))) fail_msg("data differ: %s", text);
    if (memcmp(together.jdx, alone.jdx, sizeof(alone.d))) fail_msg("J differs: %s", text);
    if (memcmp(together.g, alone.g, sizeof(alone.g))) fail_msg("J^T differs: %s", text);
  }
}

static void same_bits(void **state) { compare("acoustic", "-acoustic_layers 3", 2000, 80); }
static void same_bits_fourth_order(void **state) {
  compare("acoustic", "-acoustic_layers 3 -acoustic_time_order 4 -acoustic_free_surface", 2000,
          80);
}
static void same_bits_bounded_tape(void **state) {
  compare("acoustic",
          "-acoustic_layers 2 -tape_memory 200K -acoustic_unknown scaled -acoustic_background "
          "2000 -acoustic_scale 80",
          0, 1);
}
static void same_bits_born(void **state) {
  compare("born", "-acoustic_layers 3 -acoustic_background 2100", 2000, 80);
  compare("born", "-acoustic_layers 3 -acoustic_background 2100 -born_data total", 2000, 80);
}

/* The bound on the tape changes nothing. */
static void any_bound(void **state) {
  static results free_of, bounded;

  compute(PETSC_COMM_WORLD, "acoustic", "-acoustic_split domain -acoustic_layers 3", 2000, 80,
          &free_of);
  compute(PETSC_COMM_WORLD, "acoustic",
          "-acoustic_split domain -acoustic_layers 3 -tape_memory 250K", 2000, 80, &bounded);
  assert_memory_equal(&free_of, &bounded, sizeof(bounded));
}

/* Data of all shots on every rank by fm_operator_forward. */
static void forward_everywhere(void **state) {
  static double alone[DATA], together[DATA];
  static fm_real x[NODES];
  PetscBool ok;

  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 1, NODES, x);
  for (int i = 0; i < NODES; i++) x[i] = 2000 + 80 * x[i];
  for (int k = 0; k < 3; k++) {
    fm_operator *op = acoustic_make(k ? PETSC_COMM_WORLD : PETSC_COMM_SELF, "acoustic",
                                    SURVEY "-acoustic_layers 3 -acoustic_split %s",
                                    k == 1 ? "domain" : "shots");

    fm_ok(fm_operator_forward(op, x, k ? together : alone, &ok));
    assert_true(ok);
    if (k) assert_memory_equal(alone, together, sizeof(alone));
    fm_ok(fm_operator_destroy(&op));
  }
}

/* Every rank hears of a failed solve, and why. */
static void failures_are_shared(void **state) {
  static fm_real x[NODES];
  static double d[DATA];
  PetscBool ok;

  for (int i = 0; i < NODES; i++) x[i] = 2000;
  x[5 * 15 + 4] = -1;
  for (int k = 0; k < 2; k++) {
    fm_operator *op =
        acoustic_make(PETSC_COMM_WORLD, "acoustic",
                      SURVEY "-acoustic_layers 3 -acoustic_split %s", k ? "domain" : "shots");

    fm_ok(fm_operator_forward(op, x, d, &ok));
    assert_false(ok);
    assert_string_equal(fm_operator_reason(op),
                        "velocity -1 m/s at node [5][4] is not positive");
    fm_ok(fm_operator_destroy(&op));
  }
}

/* More ranks than strips: refused for the domain, the shots in `auto`. */
static void too_many_ranks(void **state) {
  static const char flat[] =
      "-acoustic_shape 12x60 -acoustic_spacing 10 -acoustic_dt 0.0015 -acoustic_steps 10 "
      "-acoustic_wavelet_frequency 20 -acoustic_sources 50,50 -acoustic_receivers 20,20 "
      "-acoustic_allow_dispersion -acoustic_layers 2";
  PetscInt groups, mine;
  PetscMPIInt size;
  char text[512];
  fm_operator *op;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  op = acoustic_make(PETSC_COMM_WORLD, "acoustic", "%s", flat);
  fm_ok(fm_operator_groups(op, &groups, &mine));
  assert_int_equal(groups, size > 1 ? size : 1); /* 16 rows are no two strips of 10 */
  fm_ok(fm_operator_destroy(&op));
  if (size == 1) return;
  snprintf(text, sizeof(text), "%s -acoustic_split domain", flat);
  fm_expect_error(acoustic_try(PETSC_COMM_WORLD, "acoustic", text, &op),
                  "cannot share 16 rows, at most 1 can: take -acoustic_split shots");
}

FM_TEST_MAIN(cmocka_unit_test(same_bits), cmocka_unit_test(same_bits_fourth_order),
             cmocka_unit_test(same_bits_bounded_tape), cmocka_unit_test(same_bits_born),
             cmocka_unit_test(any_bound), cmocka_unit_test(forward_everywhere),
             cmocka_unit_test(failures_are_shared), cmocka_unit_test(too_many_ranks))
