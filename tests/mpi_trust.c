/* Trust on any number of ranks: the bytes of one rank alone. Every rank runs the serial twin
   itself. */
#include "trust_cases.h"

static void same(size_t bytes, const void *a, const void *b) {
  if (memcmp(a, b, bytes)) fail_msg("other numbers than on one rank");
}

static void compare(const fm_trust *a, const fm_trust *b) {
  const size_t n = (size_t)a->n * sizeof(double);

  assert_int_equal(a->count, b->count);
  assert_int_equal(a->failed, b->failed);
  assert_int_equal(a->modes, b->modes);
  assert_int_equal(a->draws, b->draws);
  assert_int_equal(a->failed_draws, b->failed_draws);
  same(sizeof(double), &a->fisher, &b->fisher);
  same(sizeof(double), &a->fisher_se, &b->fisher_se);
  same(sizeof(double), &a->n_eff, &b->n_eff);
  same(sizeof(double), &a->misfit, &b->misfit);
  same(sizeof(double), &a->ess_fraction, &b->ess_fraction);
  same(sizeof(double), &a->ess_least, &b->ess_least);
  same(n, a->bias, b->bias);
  same(n, a->bias_se, b->bias_se);
  same(n, a->scale, b->scale);
  same(n, a->scale_se, b->scale_se);
  same((size_t)a->modes * sizeof(double), a->informed, b->informed);
  same((size_t)a->parts * sizeof(double), a->part_misfit, b->part_misfit);
}

/* 700 latents and 600 draws: blocks of 128, the last one short. */
static void run(const infer_problem *problem, PetscMPIInt ranks_per_sample) {
  infer_fixture alone, shared;
  fm_trust a, b;

  infer_open(&alone, problem, PETSC_COMM_SELF, 1, hint_spec(problem, 2, 8));
  infer_open(&shared, problem, PETSC_COMM_WORLD, ranks_per_sample, hint_spec(problem, 2, 8));
  a = trust_measure(&alone, 700, 4, 600);
  b = trust_measure(&shared, 700, 4, 600);
  assert_true(a.count > 100 && a.fisher > 0.01);
  compare(&a, &b);
  fm_ok(fm_trust_clear(&a));
  fm_ok(fm_trust_clear(&b));
  infer_close(&shared);
  infer_close(&alone);
}

static void ranks_are_not_seen(void **state) { run(&linear_gaussian, 1); }

static void nor_failures(void **state) { run(&cliff, 1); }

static void nor_shared_operators(void **state) {
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  run(&toy, size % 2 ? 1 : 2);
}

FM_TEST_MAIN(cmocka_unit_test(ranks_are_not_seen), cmocka_unit_test(nor_failures),
             cmocka_unit_test(nor_shared_operators))
