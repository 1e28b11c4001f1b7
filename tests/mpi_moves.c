/* Moves over ranks: samples, step and what is told are those of one rank alone, byte for byte,
   at once and after a file; what a file is refused for. Every rank runs the serial twin. */
#include "io_test.h"
#include "moves_cases.h"

#define TOTAL 37

typedef struct moving {
  fm_comm comm;
  fm_potential potential;
  nearly p;
  fm_moves_inputs in;
  fm_real *z;
  fm_moves *m;
} moving;

static void begin(moving *v, MPI_Comm world, PetscMPIInt ranks_per_sample) {
  fm_ok(fm_comm_create(world, ranks_per_sample, &v->comm));
  v->potential = nearly_potential(&v->p);
  v->in = nearly_inputs(&v->comm, &v->potential, TOTAL, &v->z);
  v->m = NULL;
}

static void make(moving *v, int rounds) {
  if (!v->m) fm_ok(fm_moves_create(&v->in, v->z, &v->m));
  for (int k = 0; k < rounds; k++) round_of(v->m);
}

static void end(moving *v) {
  fm_ok(fm_moves_destroy(&v->m));
  fm_ok(PetscFree(v->z));
  fm_ok(fm_comm_destroy(&v->comm));
}

/* My samples of a, all of b's. */
static void same(const fm_moves *a, const fm_moves *b) {
  const size_t count = (size_t)(a->in.count * a->n);
  const int64_t at = a->in.first * a->n;
  fm_moved told[2];

  assert_int_equal(b->in.count, TOTAL);
  assert_int_equal(a->round, b->round);
  assert_memory_equal(a->z, b->z + at, count * sizeof(double));
  assert_memory_equal(a->x, b->x + at, count * sizeof(fm_real));
  assert_memory_equal(a->gradient, b->gradient + at, count * sizeof(double));
  assert_true(a->step == b->step && a->acceptance == b->acceptance);
  assert_int_equal(a->leapfrogs, b->leapfrogs);
  fm_ok(fm_moves_tell(a, &told[0]));
  fm_ok(fm_moves_tell(b, &told[1]));
  assert_memory_equal(&told[0], &told[1], sizeof(fm_moved));
}

static void any_rank_count_gives_the_same_bytes(void **state) {
  moving a, b;

  begin(&a, PETSC_COMM_WORLD, 1);
  begin(&b, PETSC_COMM_SELF, 1);
  make(&a, 3);
  make(&b, 3);
  same(a.m, b.m);
  end(&a);
  end(&b);
}

/* Two rounds, and of the third some samples of each rank. */
static void resumed(MPI_Comm from, MPI_Comm to) {
  moving a, b, whole;
  PetscBool ended;

  begin(&a, from, 1);
  make(&a, 2);
  fm_ok(fm_moves_some(a.m, 3, &ended));
  assert_false(ended);
  if (from == PETSC_COMM_WORLD || !test_rank())
    fm_ok(fm_moves_save(a.m, in_folder("moves.h5"), &(fm_keep){.files = 2}));
  MPI_Barrier(PETSC_COMM_WORLD);
  begin(&b, to, 1);
  begin(&whole, PETSC_COMM_SELF, 1);
  fm_ok(fm_moves_resume(&b.in, in_folder("moves.h5"), &b.m));
  make(&b, 2);
  make(&whole, 4);
  same(b.m, whole.m);
  end(&a);
  end(&b);
  end(&whole);
}

static void resumed_on_another_count(void **state) {
  resumed(PETSC_COMM_WORLD, PETSC_COMM_SELF);
  resumed(PETSC_COMM_SELF, PETSC_COMM_WORLD);
}

static void another_run_is_refused(void **state) {
  moving v;

  begin(&v, PETSC_COMM_WORLD, 1);
  make(&v, 1);
  fm_ok(fm_moves_save(v.m, in_folder("moves.h5"), &(fm_keep){.files = 2}));
  fm_ok(fm_moves_destroy(&v.m));
  v.in.seed = 8;
  fm_expect_error(fm_moves_resume(&v.in, in_folder("moves.h5"), &v.m), "with -seed 7");
  v.in.seed = 7;
  v.in.total = TOTAL + 1;
  fm_expect_error(fm_moves_resume(&v.in, in_folder("moves.h5"), &v.m), "is of 37 samples");
  v.in.total = TOTAL;
  v.p.tilt = 1;
  fm_expect_error(fm_moves_resume(&v.in, in_folder("moves.h5"), &v.m), "another flow");
  end(&v);
}

FM_TEST_MAIN(io_test(any_rank_count_gives_the_same_bytes), io_test(resumed_on_another_count),
             io_test(another_run_is_refused))
