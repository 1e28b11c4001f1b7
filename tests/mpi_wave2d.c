/* Traces, J dc and gradients have the same bits on any number of ranks; too many ranks. */
#include "wave2d_cases.h"

/* Strips of 16 to 70 rows; points lie across their ends. */
static const wave_case tall[] = {
    {"no layers", 66, 37, {0, 0, 0, 0}, PETSC_FALSE},
    {"layers", 61, 45, {8, 8, 8, 8}, PETSC_FALSE},
    {"free surface", 67, 29, {0, 9, 6, 6}, PETSC_TRUE},
    {"uneven layers", 63, 36, {5, 9, 14, 7}, PETSC_FALSE},
};

static void compute(wave_fixture *f, const wave_case *c, MPI_Comm comm, int order,
                    int time_order, int64_t tape_bytes) {
  wave_begin(f, c, comm, order, time_order, 120, tape_bytes);
  /* receivers on both sides of all ends of strips, sources on some */
  for (int k = 0; k < 7; k++) f->receiver[k].z += k % 2; /* another owner, the same support */
  fm_ok(fm_wave2d_born(f->wave, &f->shot, f->dc, f->dtrace));
  fm_ok(fm_wave2d_forward(f->wave, &f->shot, PETSC_TRUE, f->trace));
  fm_ok(fm_wave2d_adjoint(f->wave, &f->shot, f->other, f->g));
}

static void same(const char *name, const char *what, int64_t n, size_t size, const void *a,
                 const void *b) {
  const char *p = (const char *)a, *q = (const char *)b;

  for (int64_t i = 0; i < n; i++)
    if (memcmp(p + (size_t)i * size, q + (size_t)i * size, size))
      fail_msg("%s: %s number %d differs", name, what, (int)i);
}

static void compare(const wave_case *c, int order, int time_order, int64_t tape_bytes) {
  wave_fixture all, one;

  compute(&all, c, PETSC_COMM_WORLD, order, time_order, tape_bytes);
  compute(&one, c, PETSC_COMM_SELF, order, time_order, 0);
  same(c->name, "trace", one.ntrace, sizeof(fm_real), all.trace, one.trace);
  same(c->name, "J dc", one.ntrace, sizeof(fm_real), all.dtrace, one.dtrace);
  same(c->name, "gradient", one.nmodel, sizeof(double), all.g, one.g);
  assert_true(wave_dot(one.ntrace, one.trace, one.trace) > 0);
  wave_end(&all);
  wave_end(&one);
}

static void same_bits_on_any_number_of_ranks(void **state) {
  for (int k = 0; k < (int)(sizeof(tall) / sizeof(tall[0])); k++)
    for (int order = 2; order <= 8; order += 2)
      for (int time_order = 2; time_order <= 4; time_order += 2)
        compare(&tall[k], order, time_order, 0);
}

static void same_bits_with_little_tape(void **state) {
  compare(&tall[1], 8, 2, 400000);
  compare(&tall[2], 8, 4, 400000);
}

static void too_many_ranks_are_refused(void **state) {
  fm_wave2d_spec s = wave_spec(&wave_cases[1], PETSC_COMM_WORLD, 8, 2, 10);
  PetscMPIInt size;
  fm_wave2d *wave;

  fm_ok(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  s.nz = 15; /* 31 rows, strips of 16 */
  assert_int_equal(fm_wave2d_most_ranks(&s), 1);
  if (size > 1) {
    fm_expect_error(fm_wave2d_create(&s, &wave), "1 is the most");
  } else {
    fm_ok(fm_wave2d_create(&s, &wave));
    fm_ok(fm_wave2d_destroy(&wave));
  }
  s.nz = 16;
  assert_int_equal(fm_wave2d_most_ranks(&s), 2);
}

FM_TEST_MAIN(cmocka_unit_test(same_bits_on_any_number_of_ranks),
             cmocka_unit_test(same_bits_with_little_tape),
             cmocka_unit_test(too_many_ranks_are_refused))
