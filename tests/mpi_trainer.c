/* Training over ranks: after 30 steps theta, moments and history are those of one rank alone,
   byte for byte; a continuation on another count too. Every rank runs the serial twin itself.
   */
#include "fathom/checkpoint.h"
#include "infer_cases.h"
#include "io_test.h"

#define STEPS 30

typedef struct setting {
  PetscBool pairs;
  fm_estimator estimator;
  fm_trained train;
  int64_t latents, batch, micro_batch; /* batches end in a short micro-batch */
  int window;                          /* to begin with */
} setting;

static const setting settings[] = {
    {PETSC_TRUE, 0, FM_TRAIN_XLANE, 0, 37, 8, FM_SHARE_WINDOW},
    {PETSC_FALSE, FM_ESTIMATOR_PATH, FM_TRAIN_XLANE, 0, 21, 4, FM_SHARE_WINDOW},
    {PETSC_FALSE, FM_ESTIMATOR_TOTAL, FM_TRAIN_ALL, 50, 21, 4, FM_SHARE_WINDOW},
    {PETSC_FALSE, FM_ESTIMATOR_TOTAL, FM_TRAIN_XLANE, 0, 6, 4, 46}, /* idle ranks, too narrow */
    {PETSC_FALSE, FM_ESTIMATOR_PATH, FM_TRAIN_LATENT, 0, 21, 4, FM_SHARE_WINDOW}};

typedef struct training {
  infer_fixture f;
  fm_dataset *data;
  int64_t row[100];
  fm_trainer *t;
} training;

/* From now on a latent correction of the flow is trained. */
static void correct(infer_fixture *f) {
  fm_real *start;

  fm_ok(fm_calloc(2 * f->p->n, &start));
  fm_ok(fm_transport_freeze(f->transport, f->theta, start));
  fm_ok(PetscFree(f->theta));
  f->theta = start;
  f->size = 2 * f->p->n;
}

static void begin(training *r, const setting *s, MPI_Comm world, PetscMPIInt ranks_per_sample) {
  fm_trainer_inputs in;

  r->data = NULL;
  infer_open(&r->f, &toy, world, ranks_per_sample, hint_spec(&toy, 2, 8));
  r->f.transport->train = s->train;
  if (s->pairs) {
    fm_ok(fm_dataset_open(world, in_folder("pairs.h5"), &r->data));
    for (int k = 0; k < 100; k++) r->row[k] = k;
    const fm_pairs_inputs pairs = {r->f.transport, r->data, 100, r->row, 5, s->batch};
    fm_ok(fm_pairs_create(&pairs, &r->f.objective));
  } else {
    if (s->train == FM_TRAIN_LATENT) r->f.tempering = (fm_tempering){30, STEPS - 5};
    infer_posterior(&r->f, s->estimator, s->latents, s->batch);
  }
  fm_ok(fm_objective_start(r->f.objective, r->f.theta));
  if (s->train == FM_TRAIN_LATENT) correct(&r->f);
  in = infer_trainer_inputs(&r->f, s->micro_batch);
  r->t = infer_trainer(&in, r->f.theta);
  r->t->window = s->window;
}

static void end(training *r) {
  fm_ok(fm_trainer_destroy(&r->t));
  fm_ok(fm_dataset_close(&r->data));
  infer_close(&r->f);
}

static void write_pairs(void) {
  infer_write_pairs(PETSC_COMM_WORLD, in_folder("pairs.h5"), 100);
}

/* The same training on two communicators. */
static void compare(const setting *s, MPI_Comm one, MPI_Comm other,
                    PetscMPIInt ranks_per_sample) {
  training a, b;

  begin(&a, s, one, ranks_per_sample);
  begin(&b, s, other, ranks_per_sample);
  infer_steps(a.t, STEPS);
  infer_steps(b.t, STEPS);
  same_trainer(a.t, b.t);
  assert_true(memcmp(a.t->theta, a.f.theta, (size_t)a.f.size * sizeof(fm_real)) != 0);
  assert_int_equal(a.t->step, STEPS);
  assert_true(s->window == FM_SHARE_WINDOW ? a.t->window == s->window
                                           : a.t->window < s->window);
  fm_ok(fm_trainer_replicas_agree(a.t));
  end(&a);
  end(&b);
}

static void any_rank_count_gives_the_same_bytes(void **state) {
  write_pairs();
  for (size_t k = 0; k < sizeof(settings) / sizeof(settings[0]); k++)
    compare(&settings[k], PETSC_COMM_WORLD, PETSC_COMM_SELF, 1);
}

/* At two ranks a sample: all of them against each couple alone. */
static void two_ranks_a_sample(void **state) {
  PetscMPIInt size;
  MPI_Comm couple;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  if (size % 2) return;
  MPI_Comm_split(PETSC_COMM_WORLD, test_rank() / 2, test_rank(), &couple);
  compare(&settings[1], PETSC_COMM_WORLD, couple, 2);
  MPI_Comm_free(&couple);
}

/* Saved by all, taken up by each alone. */
static void resumed_on_another_count(void **state) {
  training all, alone;

  write_pairs();
  for (int k = 0; k < 5; k++) {
    if (k == 3) continue;
    begin(&all, &settings[k], PETSC_COMM_WORLD, 1);
    infer_steps(all.t, 5);
    fm_ok(fm_checkpoint_save(all.t, in_folder("checkpoint.h5"), &(fm_keep){.files = 2}));
    MPI_Barrier(PETSC_COMM_WORLD);
    begin(&alone, &settings[k], PETSC_COMM_SELF, 1);
    infer_steps(alone.t, 2); /* on the way to somewhere else */
    fm_ok(fm_trainer_destroy(&alone.t));
    const fm_trainer_inputs in = infer_trainer_inputs(&alone.f, settings[k].micro_batch);
    alone.t = infer_trainer(&in, alone.f.theta);
    fm_ok(fm_checkpoint_resume(alone.t, in_folder("checkpoint.h5")));
    same_trainer(all.t, alone.t);
    infer_steps(all.t, 4);
    infer_steps(alone.t, 4);
    same_trainer(all.t, alone.t);
    end(&all);
    end(&alone);
  }
}

/* KL, moments and loss of the evaluation do not depend on the ranks either. */
static void evaluations_agree(void **state) {
  fm_diagnosis all, alone;
  double nll[2], se[2], nll_y[2];
  training a, b;

  write_pairs();
  begin(&a, &settings[0], PETSC_COMM_WORLD, 1);
  begin(&b, &settings[0], PETSC_COMM_SELF, 1);
  fm_ok(fm_diagnose(a.f.target, a.f.transport, a.f.theta, 5, FM_STREAM_EVALUATE, 300,
                    TOY_EVIDENCE, PETSC_FALSE, &all));
  fm_ok(fm_diagnose(b.f.target, b.f.transport, b.f.theta, 5, FM_STREAM_EVALUATE, 300,
                    TOY_EVIDENCE, PETSC_FALSE, &alone));
  assert_int_equal(all.count, 300);
  assert_memory_equal(&all, &alone, sizeof(all));
  fm_ok(fm_pairs_loss(&a.f.comm, a.f.transport, a.f.theta, a.data, 100, a.row, &nll[0], &se[0],
                      &nll_y[0]));
  fm_ok(fm_pairs_loss(&b.f.comm, b.f.transport, b.f.theta, b.data, 100, b.row, &nll[1], &se[1],
                      &nll_y[1]));
  assert_true(nll[0] == nll[1] && se[0] == se[1] && nll_y[0] == nll_y[1]);
  end(&a);
  end(&b);
}

/* An epoch takes every pair once; the next one takes them in another order, wherever one
   asks. */
static void epochs_are_permutations(void **state) {
  int64_t order[2][100], again[100];
  training a;

  write_pairs();
  begin(&a, &settings[0], PETSC_COMM_WORLD, 1);
  assert_int_equal(fm_objective_steps_per_epoch(a.f.objective), 3);
  for (int epoch = 0; epoch < 2; epoch++) {
    PetscBool seen[100] = {PETSC_FALSE};
    int64_t *at = order[epoch];

    for (int64_t step = 3 * epoch; step < 3 * epoch + 3; step++) {
      const int64_t batch = fm_objective_batch(a.f.objective, step);

      fm_ok(fm_objective_items(a.f.objective, step, 0, batch, at));
      at += batch;
    }
    assert_true(at == order[epoch] + 100);
    for (int i = 0; i < 100; i++) seen[order[epoch][i]] = PETSC_TRUE;
    for (int i = 0; i < 100; i++) assert_true(seen[i]);
  }
  assert_true(memcmp(order[0], order[1], sizeof(again)) != 0);
  fm_ok(fm_objective_items(a.f.objective, 1, 5, 7, again)); /* back, and from the middle */
  assert_memory_equal(again, order[0] + 37 + 5, 7 * sizeof(int64_t));
  end(&a);
}

static void replicas_that_differ_are_noticed(void **state) {
  PetscMPIInt size;
  training a;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  begin(&a, &settings[1], PETSC_COMM_WORLD, 1);
  fm_ok(fm_trainer_replicas_agree(a.t));
  if (test_rank() == size - 1) a.t->theta[3] *= 1 + (fm_real)FM_EPSILON;
  if (size > 1)
    fm_expect_error(fm_trainer_replicas_agree(a.t), "the ranks hold different weights");
  end(&a);
}

FM_TEST_MAIN(io_test(any_rank_count_gives_the_same_bytes), io_test(two_ranks_a_sample),
             io_test(resumed_on_another_count), io_test(evaluations_agree),
             io_test(epochs_are_permutations), io_test(replicas_that_differ_are_noticed))
