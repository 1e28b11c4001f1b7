/* Where the flow itself has no finite model, that is what a refused step says: no units, no
   operator. */
#include "infer_cases.h"

static void a_flow_without_models_is_named(void **state) {
  fm_trainer_inputs in;
  fm_trainer *t;
  infer_fixture f;

  infer_open(&f, &toy, PETSC_COMM_SELF, 1, hint_spec(&toy, 1, 4));
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 32);
  in = infer_trainer_inputs(&f, 32);
  t = infer_trainer(&in, f.theta);
  for (int64_t i = 0; i < f.size; i++) t->theta[i] = (fm_real)NAN;
  fm_expect_error(fm_trainer_step(t), "the flow's model is not finite before any solve");
  assert_int_equal(fm_share_count(t->share, FM_COUNT_NO_MODEL), 32);
  fm_ok(fm_trainer_destroy(&t));
  infer_close(&f);
}

/* Models that the operator cannot solve with are none of those. */
static void a_failed_solve_is_not(void **state) {
  infer_fixture f;

  infer_open(&f, &cliff, PETSC_COMM_SELF, 1, hint_spec(&cliff, 1, 4));
  infer_posterior(&f, FM_ESTIMATOR_TOTAL, 0, 64);
  infer_add(&f, f.theta, 2, 0, 64);
  assert_true(fm_share_count(f.share, FM_COUNT_FAILED) > 0);
  assert_int_equal(fm_share_count(f.share, FM_COUNT_NO_MODEL), 0);
  infer_close(&f);
}

FM_TEST_MAIN(cmocka_unit_test(a_flow_without_models_is_named),
             cmocka_unit_test(a_failed_solve_is_not))
