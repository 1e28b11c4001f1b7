/* Shots shared out over ranks, drawn at random and encoded: same bits on any number of ranks,
   unbiased sums, refusals. */
#include "fathom/energy.h"
#include "fathom/gather.h"
#include "infer/shots.h"
#include "shots_toy.h"

static const double tight = sizeof(fm_real) == 4 ? 2e-5 : 1e-12;
static const fm_real model[3] = {(fm_real)0.5, -1, (fm_real)0.25};

typedef struct fixture {
  fm_comm comm;
  fm_operator op;
  fm_energy *e;
  toy t;
} fixture;

static const double y[2 * SHOTS] = {0.3, -0.7, 1.1, 2.2, -0.4, 0.9,
                                    1.3, 0.2,  -1,  0.6, 0.8,  -0.1};

static PetscErrorCode make(fixture *f, MPI_Comm space, const char *option, const char *value,
                           const char *noise) {
  PetscErrorCode code;
  PetscMPIInt size;

  memset(f, 0, sizeof(*f));
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  MPI_Comm_size(space, &size);
  fm_ok(fm_comm_create(space, size, &f->comm));
  f->op = toy_operator(&f->t, f->comm.space);
  fm_ok(PetscOptionsSetValue(NULL, "-noise_std", noise));
  if (option) fm_ok(PetscOptionsSetValue(NULL, option, value));
  const fm_energy_inputs in = {&f->comm, 3, &f->op, 2 * SHOTS, y};
  code = fm_energy_create("likelihood", &in, &f->e);
  if (option) fm_ok(PetscOptionsClearValue(NULL, option));
  fm_ok(PetscOptionsClearValue(NULL, "-noise_std"));
  return code;
}

static void end(fixture *f) {
  fm_ok(fm_energy_destroy(&f->e));
  fm_ok(fm_comm_destroy(&f->comm));
}

static PetscBool evaluate(fixture *f, const uint64_t *seed, uint64_t step, uint64_t sample,
                          double *value, fm_real x_bar[3]) {
  PetscBool ok = PETSC_TRUE;

  memset(x_bar, 0, 3 * sizeof(*x_bar));
  fm_ok(fm_energy_evaluate(f->e, (fm_key){step, &sample, seed}, 1, model, value, x_bar, &ok));
  return ok;
}

/* ---- shared out over the ranks ---- */

static void compare(const char *option, const char *number) {
  const uint64_t seed = 5;
  fm_real a_bar[3], b_bar[3];
  double a, b;
  fixture together, alone;

  fm_ok(make(&together, PETSC_COMM_WORLD, option, number, "0.5"));
  fm_ok(make(&alone, PETSC_COMM_SELF, option, number, "0.5"));
  for (uint64_t sample = 0; sample < 5; sample++) {
    assert_true(evaluate(&together, &seed, 2, sample, &a, a_bar));
    assert_true(evaluate(&alone, &seed, 2, sample, &b, b_bar));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_equal(a_bar, b_bar, sizeof(a_bar));
  }
  end(&together);
  end(&alone);
}

static void same_bits_on_any_number_of_ranks(void **state) {
  compare(NULL, NULL);
  compare("-shots_per_sample", "4");
  compare("-shots_encode", "3");
}

static void forward_gathers_what_ranks_made(void **state) {
  const double x[3] = {0.5, -1, 0.25};
  double d[2 * SHOTS];
  fm_ledger ledger;
  PetscBool ok;
  fixture f;

  fm_ok(make(&f, PETSC_COMM_WORLD, NULL, NULL, "0.5"));
  fm_ok(fm_operator_forward(&f.op, model, d, &ok));
  assert_true(ok);
  for (int i = 0; i < 2 * SHOTS; i++) fm_near(d[i], datum(x, i / 2, i % 2), 1e-15);
  fm_ok(fm_operator_ledger(&f.op, &ledger));
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], SHOTS);
  f.t.fails = 4;
  fm_ok(fm_operator_forward(&f.op, model, d, &ok));
  assert_false(ok);
  assert_string_equal(fm_operator_reason(&f.op), "the toy was told to fail");
  for (int i = 0; i < 2 * SHOTS; i++) assert_int_equal(isnan(d[i]) ? 1 : 0, i >= 8);
  end(&f);
}

/* One rank's shot fails: the sample does, everywhere. */
static void a_failed_shot_fails_the_sample(void **state) {
  fm_real x_bar[3];
  double value;
  fixture f;

  fm_ok(make(&f, PETSC_COMM_WORLD, NULL, NULL, "0.5"));
  for (f.t.fails = 0; f.t.fails < SHOTS; f.t.fails++) {
    assert_false(evaluate(&f, NULL, 0, 0, &value, x_bar));
    assert_true(isnan(value));
    for (int i = 0; i < 3; i++) assert_true(x_bar[i] == 0);
  }
  end(&f);
}

/* ---- drawn ---- */

/* K divides N: the samples of one permutation see every shot once, so that their mean is the
   full misfit. Without a seed all shots are used, whatever the option says. */
static void drawn_shots_add_up_to_all(void **state) {
  const uint64_t seed = 11;
  double value = 0, bar[3] = {0, 0, 0};
  fm_real all_bar[3], one_bar[3];
  double all, one;
  fixture f;

  fm_ok(make(&f, PETSC_COMM_WORLD, "-shots_per_sample", "2", "0.5"));
  assert_true(evaluate(&f, NULL, 3, 0, &all, all_bar));
  for (uint64_t sample = 3; sample < 6; sample++) {
    assert_true(evaluate(&f, &seed, 3, sample, &one, one_bar));
    assert_true(fabs((double)one - (double)all) > 1e-3); /* an estimate, not the sum */
    value += (double)one / 3;
    for (int i = 0; i < 3; i++) bar[i] += (double)one_bar[i] / 3;
  }
  fm_near(value, all, tight);
  for (int i = 0; i < 3; i++) fm_near(bar[i], all_bar[i], tight);
  end(&f);
}

static void drawn_without_replacement(void **state) {
  const uint64_t seed = 3;
  int seen[SHOTS], steps_differ = 0;
  int64_t before[2] = {-1, -1};
  fm_shots *s;

  fm_ok(fm_energies_declare_options());
  fm_ok(PetscOptionsSetValue(NULL, "-shots_per_sample", "2"));
  fm_ok(fm_shots_create(PETSC_COMM_WORLD, SHOTS, &s));
  fm_ok(PetscOptionsClearValue(NULL, "-shots_per_sample"));
  for (uint64_t step = 0; step < 50; step++) {
    memset(seen, 0, sizeof(seen));
    for (uint64_t sample = 0; sample < 9; sample++) {
      fm_ok(fm_shots_plan(s, &seed, step, sample));
      assert_int_equal(s->count, 2);
      for (int i = 0; i < 2; i++) seen[s->part[i]]++;
    }
    for (int p = 0; p < SHOTS; p++) assert_int_equal(seen[p], 3);
    steps_differ += s->part[0] != before[0] || s->part[1] != before[1];
    memcpy(before, s->part, sizeof(before));
  }
  assert_true(steps_differ > 40);
  fm_ok(fm_shots_destroy(&s));
}

/* ---- encoded ---- */

/* The mean over many draws of the signs is the full misfit and its gradient. */
static void encoded_shots_are_unbiased(void **state) {
  const uint64_t seed = 17, draws = 20000;
  double sum[4] = {0, 0, 0, 0}, square[4] = {0, 0, 0, 0};
  fm_real all_bar[3], one_bar[3];
  double all, one;
  fixture f;

  fm_ok(make(&f, PETSC_COMM_SELF, "-shots_encode", "2", "0.5"));
  assert_true(evaluate(&f, NULL, 3, 0, &all, all_bar));
  for (uint64_t sample = 0; sample < draws; sample++) {
    assert_true(evaluate(&f, &seed, 3, sample, &one, one_bar));
    for (int i = 0; i < 4; i++) {
      const double v = i ? (double)one_bar[i - 1] : (double)one;

      sum[i] += v;
      square[i] += v * v;
    }
  }
  for (int i = 0; i < 4; i++) {
    const double n = (double)draws, mean = sum[i] / n,
                 exact = (double)(i ? all_bar[i - 1] : all);
    const double deviation = sqrt(square[i] / n - mean * mean);

    if (deviation < 1e-6 * fabs(exact)) continue; /* x_1 of a sum of squares that has none */
    if (!(fabs(mean - exact) < 4.5 * deviation / sqrt(n)))
      fail_msg("entry %d: mean %g, exact %g, deviation %g", i, mean, exact, deviation);
  }
  end(&f);
}

/* ---- refusals ---- */

static void bad_numbers_are_refused(void **state) {
  fixture f;

  fm_expect_error(make(&f, PETSC_COMM_WORLD, "-shots_per_sample", "7", "0.5"), "7");
  fm_ok(fm_comm_destroy(&f.comm));
  fm_ok(PetscOptionsClearValue(NULL, "-noise_std"));
  fm_expect_error(make(&f, PETSC_COMM_WORLD, "-shots_encode", "2", "1,1,1,1,1,1,1,1,2,1,1,1"),
                  "shot 4 differs from shot 0 at its datum 0");
  fm_ok(fm_comm_destroy(&f.comm));
}

FM_TEST_MAIN(cmocka_unit_test(same_bits_on_any_number_of_ranks),
             cmocka_unit_test(forward_gathers_what_ranks_made),
             cmocka_unit_test(a_failed_shot_fails_the_sample),
             cmocka_unit_test(drawn_shots_add_up_to_all),
             cmocka_unit_test(drawn_without_replacement),
             cmocka_unit_test(encoded_shots_are_unbiased),
             cmocka_unit_test(bad_numbers_are_refused))
