/* The journal of solves between ranks: what any number of them wrote, any other finds; and the
   likelihood on top of it: a solve that is recalled gives the bits of the solve, in groups of
   one rank, in one group of several, with drawn and with encoded shots. */
#include "energy_cases.h"
#include "fathom/likelihood.h"
#include "io_test.h"
#include "shots_toy.h"

static const fm_journal_limits all = {0., 1e9, 1e9};

static int ranks(void) {
  int size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  return size;
}

/* The first `count` ranks, or MPI_COMM_NULL. */
static MPI_Comm first_ranks(int count) {
  MPI_Comm some;

  MPI_Comm_split(PETSC_COMM_WORLD, test_rank() < count ? 0 : MPI_UNDEFINED, 0, &some);
  return some;
}

static fm_journal *open_journal(MPI_Comm comm, PetscBool keep) {
  const int muted = fm_test_mute(stdout);
  fm_journal *j;

  fm_ok(fm_journal_open(comm, in_folder("journal"), keep, &all, &j));
  fm_test_unmute(stdout, muted);
  return j;
}

static void close_journal(fm_journal **j, PetscBool remove) {
  const int muted = fm_test_mute(stdout);

  fm_ok(fm_journal_close(j, remove));
  fm_test_unmute(stdout, muted);
}

/* ---- files ---- */

/* Record r of a job: each is found by its data. */
static void keep(fm_journal *j, uint64_t job, uint64_t r) {
  const fm_journal_key key = {1, 5, r, job, 99};
  const double data[2] = {(double)job, (double)r};

  fm_ok(fm_journal_keep(j, &key, 1., 2, (fm_exact){(int64_t)r, (int64_t)job}, data));
}

static void finds(fm_journal *j, uint64_t job, uint64_t r) {
  const fm_journal_key key = {1, 5, r, job, 99};
  fm_exact misfit;
  double data[2];
  PetscBool found;

  fm_ok(fm_journal_find(j, &key, 2, &misfit, data, &found));
  assert_true(found);
  assert_true(data[0] == (double)job && data[1] == (double)r);
  assert_true(misfit.hi == (int64_t)r && misfit.lo == (int64_t)job);
}

/* Jobs on 1, 2, ... ranks one after another, killed each: every rank of the last finds all. */
static void any_number_finds_what_any_number_wrote(void **state) {
  for (int last = 1; last <= ranks(); last++) {
    MPI_Comm some;

    for (int job = ranks(); job >= 1; job--) {
      some = first_ranks(job);
      if (some != MPI_COMM_NULL) {
        fm_journal *j = open_journal(some, job == ranks() ? PETSC_FALSE : PETSC_TRUE);

        for (uint64_t r = 0; r < 3; r++) keep(j, (uint64_t)job, 3 * (uint64_t)test_rank() + r);
        close_journal(&j, PETSC_FALSE);
        MPI_Comm_free(&some);
      }
      MPI_Barrier(PETSC_COMM_WORLD);
    }
    some = first_ranks(last);
    if (some != MPI_COMM_NULL) {
      fm_journal *j = open_journal(some, PETSC_TRUE);

      for (int job = 1; job <= ranks(); job++)
        for (uint64_t r = 0; r < 3 * (uint64_t)job; r++) finds(j, (uint64_t)job, r);
      assert_int_equal(fm_journal_count(j).found, 3 * ranks() * (ranks() + 1) / 2);
      close_journal(&j, PETSC_TRUE);
      MPI_Comm_free(&some);
    }
    assert_true(gone(in_folder("journal")));
  }
}

/* One rank forgets for those that are no more. */
static void files_of_ranks_that_are_no_more_go(void **state) {
  fm_journal *j = open_journal(PETSC_COMM_WORLD, PETSC_FALSE);
  char name[64];

  keep(j, 0, (uint64_t)test_rank());
  close_journal(&j, PETSC_FALSE);
  snprintf(name, sizeof(name), "journal/rank-%05d-00001", test_rank());
  assert_true(exists(in_folder(name)));
  MPI_Barrier(PETSC_COMM_WORLD);
  if (!test_rank()) {
    j = open_journal(PETSC_COMM_SELF, PETSC_TRUE);
    fm_ok(fm_journal_forget(j, 5));
    assert_true(exists(in_folder(name)));
    fm_ok(fm_journal_forget(j, 6));
    close_journal(&j, PETSC_FALSE);
  }
  assert_true(gone(in_folder(name)));
}

/* Each rank has an equal share of the room. */
static void shares_of_the_room(void **state) {
  const int muted = fm_test_mute(stderr);
  fm_journal_limits limits = all;
  fm_journal *j;

  limits.bytes = 2.5 * 96 * ranks();
  fm_ok(fm_journal_open(PETSC_COMM_WORLD, in_folder("journal"), PETSC_FALSE, &limits, &j));
  for (uint64_t r = 0; r < 5; r++) keep(j, (uint64_t)test_rank(), r);
  assert_int_equal(fm_journal_count(j).kept, 2);
  close_journal(&j, PETSC_TRUE);
  fm_test_unmute(stderr, muted);
}

/* ---- solves, of a toy whose ranks make shots by themselves ---- */

typedef struct fixture {
  fm_comm comm;
  fm_operator op;
  fm_energy *e;
  toy t;
  double y[2 * SHOTS];
} fixture;

static void make(fixture *f, MPI_Comm space, const char *option, const char *noise) {
  PetscMPIInt size;

  memset(f, 0, sizeof(*f));
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  MPI_Comm_size(space, &size);
  fm_ok(fm_comm_create(space, size, &f->comm));
  for (int i = 0; i < 2 * SHOTS; i++) f->y[i] = 0.3 * i - 1;
  f->op = toy_operator(&f->t, f->comm.space);
  fm_ok(PetscOptionsSetValue(NULL, "-noise_std", noise));
  if (option) fm_ok(PetscOptionsSetValue(NULL, option, "3"));
  const fm_energy_inputs in = {&f->comm, 3, &f->op, 2 * SHOTS, f->y};
  fm_ok(fm_energy_create("likelihood", &in, &f->e));
  if (option) fm_ok(PetscOptionsClearValue(NULL, option));
  fm_ok(PetscOptionsClearValue(NULL, "-noise_std"));
}

static void end(fixture *f) {
  fm_ok(fm_energy_destroy(&f->e));
  fm_ok(fm_comm_destroy(&f->comm));
}

/* Value and gradient of four samples of a step; the solves that were made and recalled for
   them. */
typedef struct outcome {
  double value[4];
  fm_real x_bar[4][7];
  int64_t F, JT, recalled;
} outcome;

static void evaluate(fm_energy *e, fm_operator *op, const uint64_t *seed, uint64_t step,
                     fm_real shift, outcome *o) {
  const uint64_t sample[4] = {3, 9, 2, 11};
  const int64_t n = fm_energy_size(e);
  fm_real x[4 * 7], x_bar[4 * 7] = {0};
  PetscBool ok[4] = {PETSC_TRUE, PETSC_TRUE, PETSC_TRUE, PETSC_TRUE};
  fm_ledger before, after;

  memset(o, 0, sizeof(*o));
  for (int64_t i = 0; i < 4 * n; i++) x[i] = (fm_real)(0.1 * (double)i - 0.7);
  x[n] += shift;
  fm_ok(fm_operator_ledger(op, &before));
  fm_ok(fm_energy_evaluate(e, (fm_key){step, sample, seed}, 4, x, o->value, x_bar, ok));
  fm_ok(fm_operator_ledger(op, &after));
  fm_ok(fm_likelihood_recalled(e, &o->recalled));
  for (int s = 0; s < 4; s++) {
    assert_true(ok[s]);
    memcpy(o->x_bar[s], x_bar + s * n, (size_t)n * sizeof(*x_bar));
  }
  o->F = after.count[FM_USEFUL][FM_SOLVE_F] - before.count[FM_USEFUL][FM_SOLVE_F];
  o->JT = after.count[FM_USEFUL][FM_SOLVE_JT] - before.count[FM_USEFUL][FM_SOLVE_JT];
}

static void same_bits(const outcome *a, const outcome *b) {
  assert_memory_equal(a->value, b->value, sizeof(a->value));
  assert_memory_equal(a->x_bar, b->x_bar, sizeof(a->x_bar));
}

static void solves(const outcome *o, int64_t made, int64_t recalled) {
  assert_int_equal(o->F, made);
  assert_int_equal(o->JT, made);
  assert_int_equal(o->recalled, recalled);
}

/* ---- what is recalled is what was solved ---- */

/* Without a journal, with an empty one, with a full one, without again: the same bits; the
   diagnostics ask nothing of it. */
static void recall(fm_energy *e, fm_operator *op, int64_t count, int64_t parts) {
  const uint64_t seed = 5;
  outcome plain, first, again, other;
  fm_journal *j = open_journal(PETSC_COMM_WORLD, PETSC_FALSE);

  evaluate(e, op, &seed, 2, 0, &plain);
  solves(&plain, 4 * count, 0);
  fm_ok(fm_likelihood_attach(e, j));
  evaluate(e, op, &seed, 2, 0, &first);
  solves(&first, 4 * count, 0);
  same_bits(&first, &plain);
  evaluate(e, op, NULL, 2, 0, &other);
  solves(&other, 4 * parts, 0);
  fm_ok(fm_likelihood_attach(e, NULL));
  close_journal(&j, PETSC_FALSE);
  j = open_journal(PETSC_COMM_WORLD, PETSC_TRUE);
  assert_int_equal(fm_journal_count(j).found, 4 * count);
  fm_ok(fm_likelihood_attach(e, j));
  evaluate(e, op, &seed, 2, 0, &again);
  solves(&again, 0, 4 * count);
  same_bits(&again, &plain);
  evaluate(e, op, NULL, 2, 0, &other);
  solves(&other, 4 * parts, 0);
  evaluate(e, op, &seed, 2, (fm_real)1e-3, &other); /* of another model: one sample of four */
  solves(&other, count, 3 * count);
  evaluate(e, op, &seed, 3, 0, &other);
  solves(&other, 4 * count, 0);
  evaluate(e, op, &(uint64_t){6}, 2, 0, &other);
  solves(&other, 4 * count, 0);
  fm_ok(fm_likelihood_attach(e, NULL));
  evaluate(e, op, &seed, 2, 0, &again);
  solves(&again, 4 * count, 0);
  same_bits(&again, &plain);
  close_journal(&j, PETSC_TRUE);
}

static void recalled_in_groups_of_one_rank(void **state) {
  static const char *const option[] = {NULL, "-shots_per_sample", "-shots_encode"};

  for (int k = 0; k < 3; k++) {
    fixture f;

    make(&f, PETSC_COMM_WORLD, option[k], "0.5");
    recall(f.e, &f.op, k ? 3 : SHOTS, SHOTS);
    end(&f);
  }
}

static void recalled_in_a_group_of_several(void **state) {
  for (int k = 0; k < 2; k++) {
    energy_fixture f;

    case_open(&f, &energy_cases[k], PETSC_COMM_WORLD, ranks());
    recall(f.energy, f.op, 1, 1);
    case_close(&f);
  }
}

/* Some solves are recalled and some made, in the same rounds, by ranks that did not write them:
   the journal of a run whose last rank lost its file. */
static void mixed_with_new_ones(void **state) {
  const uint64_t seed = 5;
  outcome plain, mixed;
  int64_t lost;
  fixture f;
  fm_journal *j = open_journal(PETSC_COMM_WORLD, PETSC_FALSE);
  char name[64];

  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  fm_ok(fm_likelihood_attach(f.e, j));
  evaluate(f.e, &f.op, &seed, 2, 0, &plain);
  lost = fm_journal_count(j).kept; /* of the last rank */
  MPI_Bcast(&lost, 1, MPI_INT64_T, ranks() - 1, PETSC_COMM_WORLD);
  assert_true(lost > 0 || ranks() > SHOTS);
  close_journal(&j, PETSC_FALSE);
  snprintf(name, sizeof(name), "journal/rank-%05d-00001", ranks() - 1);
  if (!test_rank()) unlink(in_folder(name));
  j = open_journal(PETSC_COMM_WORLD, PETSC_TRUE);
  fm_ok(fm_likelihood_attach(f.e, j));
  evaluate(f.e, &f.op, &seed, 2, 0, &mixed);
  solves(&mixed, lost, 4 * SHOTS - lost);
  same_bits(&mixed, &plain);
  close_journal(&j, PETSC_TRUE);
  end(&f);
}

/* ---- what is not the same is not recalled ---- */

/* A journal of four samples of f's likelihood, as it was made first. */
static void write_all(void) {
  const uint64_t seed = 5;
  fm_journal *j = open_journal(PETSC_COMM_WORLD, PETSC_FALSE);
  outcome o;
  fixture f;

  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  fm_ok(fm_likelihood_attach(f.e, j));
  evaluate(f.e, &f.op, &seed, 2, 0, &o);
  close_journal(&j, PETSC_FALSE);
  end(&f);
}

/* Solves that a likelihood which was made otherwise finds there: what it does find is right. */
static int64_t found_by(fixture *other) {
  const uint64_t seed = 5;
  outcome plain, o;
  fm_journal *j;

  evaluate(other->e, &other->op, &seed, 2, 0, &plain);
  j = open_journal(PETSC_COMM_WORLD, PETSC_TRUE);
  fm_ok(fm_likelihood_attach(other->e, j));
  evaluate(other->e, &other->op, &seed, 2, 0, &o);
  fm_ok(fm_likelihood_attach(other->e, NULL));
  close_journal(&j, PETSC_FALSE);
  same_bits(&plain, &o);
  return o.recalled;
}

/* One option more or less when the journal is attached. */
static int64_t found_with(const char *option, const char *value) {
  int64_t found;
  fixture f;

  write_all();
  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  if (option) fm_ok(PetscOptionsSetValue(NULL, option, value));
  found = found_by(&f);
  if (option) fm_ok(PetscOptionsClearValue(NULL, option));
  end(&f);
  return found;
}

/* One option more when the likelihood is made. */
static int64_t found_made_with(MPI_Comm space, const char *option, const char *noise) {
  int64_t found;
  fixture f;

  write_all();
  make(&f, space, option, noise);
  found = found_by(&f);
  end(&f);
  return found;
}

static void other_settings_find_nothing(void **state) {
  assert_int_equal(found_with(NULL, NULL), 4 * SHOTS);
  assert_int_equal(found_with("-laplace_cells", "17"), 0);
  assert_int_equal(found_with("-laplace_ksp_rtol", "1e-3"), 0);
  assert_int_equal(found_with("-acoustic_ksp", "1"), 4 * SHOTS); /* nobody's option */
  assert_int_equal(found_with("-log_view_memory", NULL), 4 * SHOTS);
  assert_int_equal(found_made_with(PETSC_COMM_WORLD, NULL, "0.50000000000000011"), 0);
  assert_int_equal(found_made_with(PETSC_COMM_WORLD, "-shots_encode", "0.5"), 0);
  assert_true(found_made_with(PETSC_COMM_WORLD, "-shots_per_sample", "0.5") < 4 * 3);
  if (ranks() > 1) assert_int_equal(found_made_with(PETSC_COMM_SELF, NULL, "0.5"), 0);
}

static void other_data_find_nothing(void **state) {
  fixture f;

  write_all();
  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  f.y[2 * SHOTS - 1] = nextafter(f.y[2 * SHOTS - 1], 9);
  assert_int_equal(found_by(&f), 0);
  end(&f);
  write_all();
  fm_ok(PetscOptionsSetValue(NULL, "-data_mask", "1,1,1,1,1,1,1,1,1,1,1,0"));
  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  fm_ok(PetscOptionsClearValue(NULL, "-data_mask"));
  assert_int_equal(found_by(&f), 0);
  end(&f);
  write_all();
  make(&f, PETSC_COMM_WORLD, NULL, "0.5");
  strcpy(f.op.description, "another operator");
  assert_int_equal(found_by(&f), 0);
  end(&f);
}

FM_TEST_MAIN(io_test(any_number_finds_what_any_number_wrote),
             io_test(files_of_ranks_that_are_no_more_go), io_test(shares_of_the_room),
             io_test(recalled_in_groups_of_one_rank), io_test(recalled_in_a_group_of_several),
             io_test(mixed_with_new_ones), io_test(other_settings_find_nothing),
             io_test(other_data_find_nothing))
