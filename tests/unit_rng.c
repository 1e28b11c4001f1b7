/* Random numbers by name: Philox against its published known answers, names and nothing but
   names decide, and the numbers are what they are said to be. */
#include "fm_test.h"
#include "fathom/rng.h"
#include <Random123/philox.h>

#define MANY 100000

static const fm_rng rng = {20210403, FM_STREAM_CHECK};

/* kat_vectors of Random123, philox4x32 10. */
static void philox_known_answers(void **state) {
  static const uint32_t kat[][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1}};

  for (int k = 0; k < 3; k++) {
    const philox4x32_ctr_t c = {{kat[k][0], kat[k][1], kat[k][2], kat[k][3]}};
    const philox4x32_key_t key = {{kat[k][4], kat[k][5]}};
    const philox4x32_ctr_t r = philox4x32(c, key);

    for (int i = 0; i < 4; i++) assert_int_equal(r.v[i], kat[k][6 + i]);
  }
}

/* The counter as it is written down once for all: block, index, step, stream and high bits. A
   change would change every seed's meaning. */
static void names_are_frozen(void **state) {
  const uint64_t seed = 0x123456789abcdef0u, step = 0x3210fedcba9u, index = 0x76543210123u;
  const philox4x32_key_t key = {{0x9abcdef0u, 0x12345678u}};
  const uint32_t high = 0x321u | 0x765u << 12;
  const philox4x32_ctr_t c = {{1, 0x43210123u, 0x0fedcba9u, (high & 0xffffffu) | 7u << 24}};
  const philox4x32_ctr_t r = philox4x32(c, key);
  double u[4];

  fm_rng_uniform((fm_rng){seed, FM_STREAM_SAMPLE}, step, index, 4, u);
  for (int k = 0; k < 2; k++) {
    const uint64_t bits = ((uint64_t)r.v[2 * k] << 32 | r.v[2 * k + 1]) >> 12;

    assert_true(u[2 + k] == ((double)bits + 0.5) / 4503599627370496.);
  }
}

/* Order of calls and length of a call do not matter: a shorter call is the beginning of a
   longer one. */
static void a_pure_function_of_the_name(void **state) {
  fm_real whole[33], again[33];
  double u[33], v[33];

  fm_rng_normal(rng, 3, 5, 33, whole);
  fm_rng_uniform(rng, 3, 5, 33, u);
  for (size_t n = 1; n <= 33; n++) {
    memset(again, 0, sizeof(again));
    memset(v, 0, sizeof(v));
    fm_rng_normal(rng, 4, n, n, again);
    fm_rng_uniform(rng, 4, n, n, v);
    fm_rng_normal(rng, 3, 5, n, again);
    fm_rng_uniform(rng, 3, 5, n, v);
    assert_memory_equal(whole, again, n * sizeof(*whole));
    assert_memory_equal(u, v, n * sizeof(*u));
  }
}

/* Both precisions see the same draws: the double's number, rounded. */
static void normal_is_box_muller_of_the_uniforms(void **state) {
  double u[64];
  fm_real z[64];

  fm_rng_uniform(rng, 1, 2, 64, u);
  fm_rng_normal(rng, 1, 2, 64, z);
  for (int i = 0; i < 64; i += 2) {
    const double r = sqrt(-2 * log(u[i])), angle = 2 * PETSC_PI * u[i + 1];

    fm_near(z[i], r * cos(angle), 4 * FM_EPSILON);
    fm_near(z[i + 1], r * sin(angle), 4 * FM_EPSILON);
  }
}

/* Every part of the name counts, the highest bits of step and index too. */
static void names_differ(void **state) {
  static const struct {
    uint64_t seed;
    uint32_t stream;
    uint64_t step, index;
  } name[] = {{1, 4, 0, 0},          {2, 4, 0, 0},          {1ull << 32, 4, 0, 0},
              {1, 5, 0, 0},          {1, 4, 1, 0},          {1, 4, 0, 1},
              {1, 4, 1ull << 32, 0}, {1, 4, 0, 1ull << 32}, {1, 4, 1ull << 43, 0},
              {1, 4, 0, 1ull << 43}, {1, 4, 1, 1},          {1, 255, 0, 0}};
  const int n = (int)(sizeof(name) / sizeof(name[0]));
  double u[16][8];

  for (int a = 0; a < n; a++) {
    fm_rng_uniform((fm_rng){name[a].seed, name[a].stream}, name[a].step, name[a].index, 8,
                   u[a]);
    for (int b = 0; b < a; b++)
      for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) assert_true(u[a][i] != u[b][j]);
  }
}

/* ---- distributions ---- */

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* sqrt(n) times the largest distance between the empirical distribution of u and the uniform
   one. Sorts u. */
static double kolmogorov(size_t n, double *u) {
  double most = 0;

  qsort(u, n, sizeof(*u), ascending);
  for (size_t i = 0; i < n; i++)
    most = fmax(most, fmax(u[i] - (double)i / (double)n, (double)(i + 1) / (double)n - u[i]));
  return sqrt((double)n) * most;
}

static double normal_below(double z) { return 0.5 * erfc(-z / sqrt(2.)); }

/* 1.95: p = 0.001. Along one name and across names, even and odd places apart. */
static void kolmogorov_smirnov(void **state) {
  double *u;
  fm_real *z;

  fm_ok(PetscMalloc2(MANY, &u, MANY, &z));
  fm_rng_uniform(rng, 0, 0, MANY, u);
  for (int i = 0; i < MANY; i++) assert_true(u[i] > 0 && u[i] < 1);
  assert_true(kolmogorov(MANY, u) < 1.95);
  fm_rng_normal(rng, 0, 1, MANY, z);
  for (int i = 0; i < MANY; i++) u[i] = normal_below((double)z[i]);
  assert_true(kolmogorov(MANY, u) < 1.95);
  for (int place = 0; place < 2; place++) {
    for (int i = 0; i < MANY; i++) {
      fm_rng_normal(rng, 7, (uint64_t)i, 2, z);
      u[i] = normal_below((double)z[place]);
    }
    assert_true(kolmogorov(MANY, u) < 1.95);
  }
  fm_ok(PetscFree2(u, z));
}

typedef struct {
  int seed, stream, step, index, place;
} neighbour;

/* Standard errors of the mean product of numbers with neighbouring names. */
static double correlation(neighbour d) {
  double sum = 0;
  fm_real a[2], b[2];

  for (int i = 0; i < MANY; i++) {
    const fm_rng other = {rng.seed + (uint64_t)d.seed, rng.stream + (uint32_t)d.stream};

    fm_rng_normal(rng, (uint64_t)(i % 317), (uint64_t)(i / 317), 2, a);
    fm_rng_normal(other, (uint64_t)(i % 317 + d.step), (uint64_t)(i / 317 + d.index), 2, b);
    sum += (double)a[0] * (double)b[d.place];
  }
  return sum / sqrt((double)MANY);
}

static void neighbours_are_uncorrelated(void **state) {
  static const neighbour to[] = {{1, 0, 0, 0, 0}, {0, 1, 0, 0, 0}, {0, 0, 1, 0, 0},
                                 {0, 0, 0, 1, 0}, {0, 0, 0, 0, 1}, {0, 0, 1, 1, 1}};

  for (size_t k = 0; k < sizeof(to) / sizeof(to[0]); k++)
    if (!(fabs(correlation(to[k])) < 4))
      fail_msg("neighbour %zu: correlation of %.2f standard errors", k, correlation(to[k]));
}

/* ---- permutations ---- */

static void permutation_is_one(void **state) {
  int64_t order[1000], again[1000], moved = 0;

  for (int64_t n = 1; n <= 1000; n += 111) {
    PetscBool seen[1000] = {PETSC_FALSE};

    fm_rng_permutation(rng, 9, n, order);
    for (int64_t i = 0; i < n; i++) {
      assert_in_range(order[i], 0, n - 1);
      assert_false(seen[order[i]]);
      seen[order[i]] = PETSC_TRUE;
    }
  }
  fm_rng_permutation(rng, 9, 1000, order);
  fm_rng_permutation(rng, 9, 1000, again);
  assert_memory_equal(order, again, sizeof(order));
  fm_rng_permutation(rng, 10, 1000, again);
  for (int i = 0; i < 1000; i++) moved += order[i] != again[i];
  assert_true(moved > 900);
}

/* All 24 orders of four things equally often: chi^2 with 23 degrees of freedom, 49.7 at
   p = 0.001. */
static void permutation_is_uniform(void **state) {
  const int draws = 48000;
  int count[256] = {0};
  double chi2 = 0, seen = 0;

  for (int s = 0; s < draws; s++) {
    int64_t o[4];

    fm_rng_permutation(rng, (uint64_t)s, 4, o);
    count[o[0] << 6 | o[1] << 4 | o[2] << 2 | o[3]]++;
  }
  for (int k = 0; k < 256; k++) {
    const double expected = draws / 24.;

    if (!count[k]) continue;
    chi2 += (count[k] - expected) * (count[k] - expected) / expected;
    seen++;
  }
  fm_near(seen, 24, 0);
  assert_true(chi2 < 49.7);
}

FM_TEST_MAIN(cmocka_unit_test(philox_known_answers), cmocka_unit_test(names_are_frozen),
             cmocka_unit_test(a_pure_function_of_the_name),
             cmocka_unit_test(normal_is_box_muller_of_the_uniforms),
             cmocka_unit_test(names_differ), cmocka_unit_test(kolmogorov_smirnov),
             cmocka_unit_test(neighbours_are_uncorrelated),
             cmocka_unit_test(permutation_is_one), cmocka_unit_test(permutation_is_uniform))
