/* Chains over ranks: state and draws are those of one rank alone, byte for byte, at once and
   after a continuation on another count; what a continuation refuses. Every rank runs the
   serial twin itself. */
#include "hmc_cases.h"
#include "infer_cases.h"
#include "io_test.h"

#define CHAINS 3
#define DRAWS 25

typedef struct sampling {
  infer_fixture f;
  fm_potential *potential;
  fm_sampler *s;
} sampling;

/* The toy, in the user's units or (latent) through a flow. */
static void begin(sampling *r, PetscBool latent, MPI_Comm world, PetscMPIInt ranks_per_sample,
                  fm_hmc hmc, int64_t draws) {
  infer_open(&r->f, &toy, world, ranks_per_sample, hint_spec(&toy, 2, 8));
  fm_ok(fm_potential_of_target(r->f.target, latent ? r->f.transport : NULL, r->f.theta,
                               &r->potential));
  r->s = hmc_sampler(&r->f.comm, r->potential, r->f.target->op, hmc, CHAINS, draws, 2);
}

static void end(sampling *r) {
  fm_ok(fm_sampler_destroy(&r->s));
  fm_ok(fm_potential_destroy(&r->potential));
  infer_close(&r->f);
}

static void complete(sampling *r) {
  fm_ok(fm_sampler_run(r->s, fm_sampler_total(r->s) - r->s->iteration));
}

/* My chains of a, all of b's, and what is gathered from a. */
static void same_chains(const fm_sampler *a, const fm_sampler *b) {
  const size_t row = (size_t)(a->kept * a->n) * sizeof(fm_real);
  double sum[2];
  fm_real *x;

  assert_int_equal(b->count, CHAINS);
  assert_int_equal(a->iteration, b->iteration);
  assert_int_equal(a->kept, b->kept);
  for (int64_t c = 0; c < a->count; c++) {
    assert_memory_equal(a->chain[c].state, b->chain[a->first + c].state,
                        (size_t)a->chain[c].size * sizeof(double));
    assert_memory_equal(a->x + c * a->in.iterations * a->n,
                        b->x + (a->first + c) * b->in.iterations * a->n, row);
  }
  assert_memory_equal(a->ledger, b->ledger, 3 * sizeof(int64_t));
  if (a->tilt)
    assert_memory_equal(a->tilt->log_c, b->tilt->log_c,
                        (size_t)a->tilt->count * sizeof(double));
  fm_ok(fm_sampler_gather_x(a, &x));
  for (int64_t c = 0; x && c < CHAINS; c++)
    assert_memory_equal(x + c * a->kept * a->n, b->x + c * b->in.iterations * b->n, row);
  fm_ok(PetscFree(x));
  fm_ok(fm_sampler_sum(a, FM_CHAIN_ACCEPTANCE, &sum[0]));
  fm_ok(fm_sampler_sum(b, FM_CHAIN_ACCEPTANCE, &sum[1]));
  assert_true(sum[0] == sum[1] && sum[0] > 0);
}

static fm_hmc settings(PetscBool tilt) {
  fm_hmc hmc = hmc_settings(60);

  hmc.tilt = tilt ? 47 : 0;
  return hmc;
}

static void compare(PetscBool latent, PetscBool tilt, MPI_Comm other,
                    PetscMPIInt ranks_per_sample) {
  sampling a, b;

  begin(&a, latent, PETSC_COMM_WORLD, ranks_per_sample, settings(tilt), DRAWS);
  begin(&b, latent, other, ranks_per_sample, settings(tilt), DRAWS);
  fm_ok(fm_sampler_start(a.s));
  fm_ok(fm_sampler_start(b.s));
  complete(&a);
  complete(&b);
  same_chains(a.s, b.s);
  end(&a);
  end(&b);
}

static void any_rank_count_gives_the_same_bytes(void **state) {
  compare(PETSC_FALSE, PETSC_FALSE, PETSC_COMM_SELF, 1);
  compare(PETSC_TRUE, PETSC_FALSE, PETSC_COMM_SELF, 1);
  compare(PETSC_FALSE, PETSC_TRUE, PETSC_COMM_SELF, 1);
}

/* At two ranks a sample: all of them against each couple alone. */
static void two_ranks_a_sample(void **state) {
  PetscMPIInt size;
  MPI_Comm couple;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  if (size % 2) return;
  MPI_Comm_split(PETSC_COMM_WORLD, test_rank() / 2, test_rank(), &couple);
  compare(PETSC_FALSE, PETSC_TRUE, couple, 2);
  MPI_Comm_free(&couple);
}

/* Column i of all chains on the rank that asks for it. */
static void columns_arrive(void **state) {
  double column[CHAINS * DRAWS];
  PetscMPIInt size;
  sampling a, b;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  begin(&a, PETSC_FALSE, PETSC_COMM_WORLD, 1, hmc_settings(20), DRAWS);
  begin(&b, PETSC_FALSE, PETSC_COMM_SELF, 1, hmc_settings(20), DRAWS);
  fm_ok(fm_sampler_start(a.s));
  fm_ok(fm_sampler_start(b.s));
  complete(&a);
  complete(&b);
  for (int64_t i = 0; i <= 2; i++) {
    const PetscMPIInt root = (PetscMPIInt)(i % size);

    fm_ok(fm_sampler_column(a.s, i, root, column));
    if (test_rank() != root) continue;
    for (int64_t k = 0; k < CHAINS * DRAWS; k++)
      assert_true(column[k] == (i < 2 ? (double)b.s->x[2 * k + i] : b.s->energy[k]));
  }
  end(&a);
  end(&b);
}

/* Saved by all in the warm-up, at its end and later; taken up by each alone, and asked for more
   draws than before. */
static void resumed_on_another_count(void **state) {
  static const int64_t stops[] = {0, 31, 60, 83, 75};
  sampling all, alone;

  for (int k = 0; k < 5; k++) { /* the last while the tilt learns */
    const PetscBool latent = k % 2 ? PETSC_TRUE : PETSC_FALSE;
    const fm_hmc hmc = settings(k == 4 ? PETSC_TRUE : PETSC_FALSE);

    begin(&all, latent, PETSC_COMM_WORLD, 1, hmc, DRAWS);
    fm_ok(fm_sampler_start(all.s));
    fm_ok(fm_sampler_run(all.s, stops[k]));
    fm_ok(fm_sampler_save(all.s, in_folder("chains.h5"), &(fm_keep){.files = 2}));
    MPI_Barrier(PETSC_COMM_WORLD);
    begin(&alone, latent, PETSC_COMM_SELF, 1, hmc, DRAWS);
    fm_ok(fm_sampler_resume(alone.s, in_folder("chains.h5")));
    assert_int_equal(alone.s->iteration, stops[k]);
    assert_int_equal(alone.s->ledger[3], CHAINS); /* U at the chains' points, anew */
    complete(&all);
    complete(&alone);
    same_chains(all.s, alone.s);
    fm_ok(fm_sampler_save(all.s, in_folder("chains.h5"), &(fm_keep){.files = 2}));
    MPI_Barrier(PETSC_COMM_WORLD);
    end(&alone);
    begin(&alone, latent, PETSC_COMM_SELF, 1, hmc, DRAWS + 5);
    fm_ok(fm_sampler_resume(alone.s, in_folder("chains.h5")));
    assert_int_equal(alone.s->kept, DRAWS);
    complete(&alone);
    assert_int_equal(alone.s->kept, DRAWS + 5);
    end(&all);
    end(&alone);
  }
}

static void refuse(fm_hmc hmc, PetscBool latent, int64_t draws, const char *word) {
  sampling other;

  begin(&other, latent, PETSC_COMM_WORLD, 1, hmc, draws);
  fm_expect_error(fm_sampler_resume(other.s, in_folder("chains.h5")), word);
  same_sentence();
  end(&other);
}

static void another_run_is_refused(void **state) {
  fm_hmc hmc = hmc_settings(60), other = hmc;
  const int64_t four = 4;
  fm_store *store;
  sampling r;

  begin(&r, PETSC_FALSE, PETSC_COMM_WORLD, 1, hmc, DRAWS);
  fm_ok(fm_sampler_start(r.s));
  fm_ok(fm_sampler_run(r.s, 100));
  fm_ok(fm_sampler_save(r.s, in_folder("chains.h5"), &(fm_keep){.files = 2}));
  other.seed = 4;
  refuse(other, PETSC_FALSE, DRAWS, "seed was 3 in the file and is 4 now");
  other = hmc;
  other.warmup = 61;
  refuse(other, PETSC_FALSE, DRAWS, "warmup was 60 in the file and is 61 now");
  other = hmc;
  other.trajectory = 2;
  refuse(other, PETSC_FALSE, DRAWS, "trajectory was 1.6 in the file and is 2 now");
  refuse(hmc, PETSC_FALSE, 19, "20 draws a chain already, more than -iterations 19");
  refuse(hmc, PETSC_TRUE, DRAWS, "operator, data, noise, prior or flow are not those");
  fm_ok(fm_sampler_save(r.s, in_folder("chains.h5"),
                        &(fm_keep){.files = 2})); /* the old one is kept */
  fm_ok(fm_store_open(PETSC_COMM_WORLD, in_folder("chains.previous.h5"), &store));
  fm_ok(fm_store_close(&store));
  fm_ok(fm_store_create(PETSC_COMM_WORLD, in_folder("chains.h5"), &store));
  fm_ok(fm_store_write(store, "/a", FM_INT64, 1, &four, (int64_t[]){1, 2, 3, 4}));
  fm_ok(fm_store_commit(&store, NULL));
  refuse(hmc, PETSC_FALSE, DRAWS, "not from fathom reference");
  end(&r);
}

/* One rank's chain that cannot start is everybody's sentence. */
static PetscErrorCode fails_for_two(void *context, fm_key key, const double *q, double *value,
                                    double *gradient, fm_real *x, PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(gauss_evaluate(context, key, q, value, gradient, x, ok));
  if (key.sample && *key.sample == 2) *ok = PETSC_FALSE;
  PetscFunctionReturn(0);
}

static void a_chain_that_cannot_start(void **state) {
  fm_potential potential;
  fm_sampler *s;
  fm_comm comm;
  gauss g;

  fm_ok(fm_comm_create(PETSC_COMM_WORLD, 1, &comm));
  potential = gauss_potential(&g);
  potential.evaluate = fails_for_two;
  s = hmc_sampler(&comm, &potential, NULL, hmc_settings(20), CHAINS, DRAWS, 1);
  fm_expect_error(fm_sampler_start(s), "chain 2 cannot start");
  same_sentence();
  fm_ok(fm_sampler_destroy(&s));
  fm_ok(fm_comm_destroy(&comm));
}

FM_TEST_MAIN(io_test(any_rank_count_gives_the_same_bytes), io_test(two_ranks_a_sample),
             io_test(columns_arrive), io_test(resumed_on_another_count),
             io_test(another_run_is_refused), io_test(a_chain_that_cannot_start))
