/* The same value and gradient, bit for bit, on any number of space ranks. */
#include "energy_cases.h"

#define NB 3

/* Value and gradient of every case on world = sample x space, against one rank alone. */
static void compare(const energy_case *c, PetscMPIInt ranks_per_sample) {
  fm_real x[NB * ENERGY_MOST], x_bar[2][NB * ENERGY_MOST] = {{0}};
  double value[2][NB];
  energy_fixture together, alone;

  case_open(&together, c, PETSC_COMM_WORLD, ranks_per_sample);
  case_open(&alone, c, PETSC_COMM_SELF, 1);
  for (uint64_t t = 0; t < 8; t++) {
    case_draw(t, NB * c->n, x);
    case_evaluate(&together, NB, x, value[0], x_bar[0]);
    case_evaluate(&alone, NB, x, value[1], x_bar[1]);
    assert_memory_equal(value[0], value[1], sizeof(value[0]));
    assert_memory_equal(x_bar[0], x_bar[1], sizeof(x_bar[0]));
  }
  case_close(&together);
  case_close(&alone);
}

/* Blocks of 1, 2, ... ranks share a sample, as far as they divide the world. A case with a file
   knows no space ranks. */
static void same_bits_on_any_number_of_space_ranks(void **state) {
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (PetscMPIInt per = 1; per <= size; per++)
    for (int k = 0; k < ENERGY_CASES && size % per == 0; k++)
      if (!energy_cases[k].flow) compare(&energy_cases[k], per);
}

/* Terms of very different size, whose sum in doubles would depend on the order. */
static void exact_sum_does_not_depend_on_the_cut(void **state) {
  energy_case c = energy_cases[1];
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  c.options[2][1] = "1e-5,0.7,3e-3,2.1,1e2";
  c.options[3][1] = "1,1,1,1,1";
  compare(&c, size);
}

/* The first datum leaves the window, the second is 0: all ranks learn of it from its owner. */
static void failure_is_agreed(void **state) {
  const uint64_t sample = 0;
  fm_real x[ENERGY_MOST] = {0}, x_bar[ENERGY_MOST] = {0};
  double value;
  PetscBool ok = PETSC_TRUE;
  PetscMPIInt size;
  energy_fixture f;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  case_open(&f, &energy_cases[0], PETSC_COMM_WORLD, size);
  x[0] = (fm_real)6e9;
  x[1] = (fm_real)1e9;
  fm_ok(fm_energy_evaluate(f.energy, (fm_key){0, &sample, NULL}, 1, x, &value, x_bar, &ok));
  assert_false(ok);
  case_close(&f);
}

/* One solve, whoever shares it. */
static void solves_are_counted_once(void **state) {
  fm_real x[ENERGY_MOST], x_bar[ENERGY_MOST];
  double value;
  energy_fixture f;
  fm_ledger ledger;
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  case_open(&f, &energy_cases[0], PETSC_COMM_WORLD, size);
  case_draw(1, f.c->n, x);
  case_evaluate(&f, 1, x, &value, x_bar);
  fm_ok(fm_operator_ledger(f.op, &ledger));
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_F], 1);
  assert_int_equal(ledger.count[FM_USEFUL][FM_SOLVE_JT], 1);
  case_close(&f);
}

FM_TEST_MAIN(cmocka_unit_test(same_bits_on_any_number_of_space_ranks),
             cmocka_unit_test(exact_sum_does_not_depend_on_the_cut),
             cmocka_unit_test(failure_is_agreed), cmocka_unit_test(solves_are_counted_once))
