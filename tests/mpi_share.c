/* Sums over ranks: the same bits whatever rank holds which number, and one rank's fault is
   everybody's. */
#include "fm_test.h"
#include "fathom/comm.h"
#include "fathom/rng.h"
#include "fathom/share.h"

#define MANY 512
#define NTHETA 33

static PetscMPIInt rank_of(MPI_Comm comm) {
  PetscMPIInt rank;

  MPI_Comm_rank(comm, &rank);
  return rank;
}

static PetscMPIInt size_of(MPI_Comm comm) {
  PetscMPIInt size;

  MPI_Comm_size(comm, &size);
  return size;
}

static void contribute(fm_share *share, int64_t s) {
  fm_real g[NTHETA];

  fm_rng_normal((fm_rng){5, FM_STREAM_CHECK}, 0, (uint64_t)s, NTHETA, g);
  for (int i = 0; i < NTHETA; i++)
    fm_share_scratch(share)[i] += (fm_real)(ldexp(1, (int)(s % 40) - 20) * (double)g[i]);
  fm_share_add_gradient(share);
  fm_share_add_term(share, 1, 1e3 * (double)g[0]);
  fm_share_add_count(share, 2, s);
}

/* Who holds number s: blocks, in turn, all on the last, backwards in odd lumps. */
static int owner(int way, int64_t s, int size) {
  if (way == 0) return (int)(s * size / MANY);
  if (way == 1) return (int)(s % size);
  if (way == 2) return size - 1;
  return (int)((MANY - 1 - s) / 7 % size);
}

static void the_same_bits_on_any_ranks(void **state) {
  MPI_Comm world = PETSC_COMM_WORLD;
  fm_real alone[NTHETA], grad[NTHETA];
  fm_share *share;
  double term;

  fm_ok(fm_share_create(NTHETA, &share));
  fm_share_begin(share, 20);
  for (int64_t s = 0; s < MANY; s++) contribute(share, s);
  fm_ok(fm_share_reduce(share, PETSC_COMM_SELF));
  fm_ok(fm_share_gradient(share, 1. / MANY, alone));
  term = fm_share_term(share, 1);
  for (int way = 0; way < 4; way++) {
    fm_share_begin(share, 20);
    for (int64_t s = MANY - 1; s >= 0; s--)
      if (owner(way, s, size_of(world)) == rank_of(world)) contribute(share, s);
    fm_ok(fm_share_reduce(share, world));
    fm_ok(fm_share_gradient(share, 1. / MANY, grad));
    assert_memory_equal(grad, alone, sizeof(grad));
    assert_true(fm_share_term(share, 1) == term);
    assert_int_equal(fm_share_count(share, 2), MANY * (MANY - 1) / 2);
    assert_int_equal(fm_share_verdict(share), FM_SHARE_GOOD);
  }
  fm_ok(fm_share_destroy(&share));
}

/* So many that they go in blocks, whose number no number of ranks divides, and the most that go
   with the terms: against sums of one rank, which tests/unit_share.c holds to exact ones. */
static void add_many(fm_share *share, int64_t n, int64_t s) {
  double *g;

  fm_ok(PetscMalloc1(n, &g));
  fm_rng_uniform((fm_rng){7, FM_STREAM_CHECK}, 0, (uint64_t)s, (size_t)n, g);
  for (int64_t i = 0; i < n; i++)
    fm_share_scratch(share)[i] += (fm_real)((g[i] - .5) * ldexp(1, (int)((i + s) % 40) - 20));
  fm_share_add_gradient(share);
  fm_share_add_term(share, 0, g[0]);
  fm_share_add_count(share, 1, 1);
  fm_ok(PetscFree(g));
}

static void sum_many(fm_share *share, int64_t n, MPI_Comm comm, fm_real *grad) {
  fm_share_begin(share, 20);
  for (int64_t s = 0; s < 6; s++)
    if (s * size_of(comm) / 6 == rank_of(comm)) add_many(share, n, s);
  fm_ok(fm_share_reduce(share, comm));
  assert_int_equal(fm_share_verdict(share), FM_SHARE_GOOD);
  assert_int_equal(fm_share_count(share, 1), 6);
  memset(grad, 0xff, (size_t)n * sizeof(fm_real));
  fm_ok(fm_share_gradient(share, 1. / 6, grad));
}

static void many_parameters(void **state) {
  static const int64_t many[] = {4096, 4097, 65536, 2 * 65536 + 7};
  fm_real *alone, *grad;
  fm_share *share;

  for (int k = 0; k < 4; k++) {
    const int64_t n = many[k];

    fm_ok(PetscMalloc2(n, &alone, n, &grad));
    fm_ok(fm_share_create(n, &share));
    sum_many(share, n, PETSC_COMM_SELF, alone);
    sum_many(share, n, PETSC_COMM_WORLD, grad);
    assert_memory_equal(grad, alone, (size_t)n * sizeof(fm_real));
    sum_many(share, n, PETSC_COMM_SELF, grad); /* and no longer with the others */
    assert_memory_equal(grad, alone, (size_t)n * sizeof(fm_real));
    fm_ok(fm_share_destroy(&share));
    fm_ok(PetscFree2(alone, grad));
  }
}

/* The largest sum counts in whichever part, hence rank, it is: 2^24 is too large for a finer
   window, half of it is not. */
static void spare_everywhere_alike(void **state) {
  static const int64_t n = 70001, where[] = {0, 69999, 70000, 33333, -1};
  fm_share *share;
  fm_real *grad;

  fm_ok(PetscMalloc1(n, &grad));
  fm_ok(fm_share_create(n, &share));
  for (int k = 0; k < 10; k++) {
    const int64_t i = where[k / 2];
    PetscBool spare;

    fm_share_begin(share, 0);
    if (i >= 0 && rank_of(PETSC_COMM_WORLD) == k % size_of(PETSC_COMM_WORLD))
      fm_share_scratch(share)[i] = -(fm_real)ldexp(1, 24 - k % 2);
    fm_share_add_gradient(share);
    fm_ok(fm_share_reduce(share, PETSC_COMM_WORLD));
    fm_ok(fm_share_gradient(share, 1, grad));
    fm_ok(fm_share_spare(share, &spare));
    assert_int_equal(spare, i < 0 || k % 2);
  }
  fm_ok(fm_share_destroy(&share));
  fm_ok(PetscFree(grad));
}

/* A bad number on the last rank alone. */
static void one_rank_speaks_for_all(void **state) {
  static const struct {
    double g;
    fm_share_state verdict;
  } kind[] = {{1, FM_SHARE_GOOD}, {0x1p30, FM_SHARE_OUTSIDE}, {NAN, FM_SHARE_NONFINITE}};
  MPI_Comm world = PETSC_COMM_WORLD;
  fm_share *share;

  fm_ok(fm_share_create(1, &share));
  for (int k = 0; k < 3; k++) {
    fm_share_begin(share, 20);
    if (rank_of(world) == size_of(world) - 1) fm_share_scratch(share)[0] = (fm_real)kind[k].g;
    fm_share_add_gradient(share);
    fm_ok(fm_share_reduce(share, world));
    assert_int_equal(fm_share_verdict(share), kind[k].verdict);
  }
  fm_share_begin(share, 20);
  if (!rank_of(world)) fm_share_flag(share);
  fm_ok(fm_share_reduce(share, world));
  assert_int_equal(fm_share_verdict(share), FM_SHARE_NONFINITE);
  fm_ok(fm_share_destroy(&share));
}

static void exact_numbers_over_ranks(void **state) {
  MPI_Comm world = PETSC_COMM_WORLD;
  fm_exact alone[2] = {{0, 0}}, mine[2] = {{0, 0}};

  for (int64_t s = 0; s < MANY; s++) {
    double u;

    fm_rng_uniform((fm_rng){6, FM_STREAM_CHECK}, 0, (uint64_t)s, 1, &u);
    u = (u - 0.5) * ldexp(1, (int)(s % 40));
    fm_exact_add(&alone[s % 2], u);
    if (owner(1, s, size_of(world)) == rank_of(world)) fm_exact_add(&mine[s % 2], u);
  }
  fm_ok(fm_exact_reduce(mine, 2, world));
  assert_memory_equal(mine, alone, sizeof(mine));
}

/* ---- who does what ---- */

/* Blocks follow one another, cover everything once and differ by at most one. */
static void shares_cover_everything(void **state) {
  fm_comm comm;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  assert_int_equal(size_of(comm.space), 1);
  assert_int_equal(rank_of(comm.sample), rank_of(PETSC_COMM_WORLD));
  for (int64_t total = 0; total < 12; total++) {
    const int64_t each = total / size_of(comm.sample);
    int64_t first, count, before = 0, sum;

    fm_ok(fm_comm_share(&comm, total, &first, &count));
    assert_true(count == each || count == each + 1);
    MPI_Exscan(&count, &before, 1, MPI_INT64_T, MPI_SUM, comm.sample);
    if (rank_of(comm.sample)) assert_int_equal(first, before);
    MPI_Allreduce(&count, &sum, 1, MPI_INT64_T, MPI_SUM, comm.sample);
    assert_int_equal(sum, total);
  }
  fm_ok(fm_comm_destroy(&comm));
}

static void neighbours_share_a_sample(void **state) {
  const PetscMPIInt size = size_of(PETSC_COMM_WORLD), rank = rank_of(PETSC_COMM_WORLD);
  fm_comm comm;
  int worst;

  for (PetscMPIInt each = 1; each <= size; each++) {
    int64_t first, count;

    if (size % each) {
      fm_expect_error(fm_comm_create(PETSC_COMM_WORLD, each, &comm), "-ranks_per_sample");
      continue;
    }
    fm_ok(fm_comm_create(PETSC_COMM_WORLD, each, &comm));
    assert_int_equal(size_of(comm.space), each);
    assert_int_equal(size_of(comm.sample), size / each);
    assert_int_equal(rank_of(comm.space), rank % each);
    assert_int_equal(rank_of(comm.sample), rank / each);
    fm_ok(fm_comm_share(&comm, size / each, &first, &count));
    assert_int_equal(first, rank / each);
    fm_ok(fm_comm_destroy(&comm));
  }
  fm_expect_error(fm_comm_create(PETSC_COMM_WORLD, 0, &comm), "-ranks_per_sample 0");
  fm_ok(fm_comm_agree(PETSC_COMM_WORLD, 7 * (rank == size - 1), &worst));
  assert_int_equal(worst, 7);
}

FM_TEST_MAIN(cmocka_unit_test(the_same_bits_on_any_ranks), cmocka_unit_test(many_parameters),
             cmocka_unit_test(spare_everywhere_alike),
             cmocka_unit_test(one_rank_speaks_for_all),
             cmocka_unit_test(exact_numbers_over_ranks),
             cmocka_unit_test(shares_cover_everything),
             cmocka_unit_test(neighbours_share_a_sample))
