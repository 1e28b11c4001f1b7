/* The tape: every step's record comes back, last first, under every bound; the repeats are the
   published optimum. */
#include "fm_test.h"
#include "../operators/tape.h"

#define MOST 256 /* steps of a toy */

/* ---- a toy loop: the state is a hash of the steps made ---- */

typedef struct toy {
  fm_tape_spec spec;
  int64_t n;                       /* steps that the state has made; -1: was never reset */
  uint64_t state, truth[MOST + 1]; /* truth[n]: in front of step n */
  int64_t next;                    /* the step whose reverse comes next */
  int64_t forwards, again, saves, resets;
  const char *low, *high; /* what was written lies between */
} toy;

static uint64_t mix(uint64_t h, int64_t n) {
  h = (h ^ (uint64_t)(n + 1)) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

/* All bytes are used, so that overlapping is seen. */
static void write_bytes(toy *t, char *p, int64_t bytes, uint64_t seed) {
  assert_int_equal((uintptr_t)p % 64, 0);
  for (int64_t i = 0; i < bytes; i++) p[i] = (char)(mix(seed, i) >> 32);
  if (!t->low || p < t->low) t->low = p;
  if (p + bytes > t->high) t->high = p + bytes;
}

static void expect_bytes(const char *p, int64_t from, int64_t bytes, uint64_t seed) {
  for (int64_t i = from; i < bytes; i++)
    if (p[i] != (char)(mix(seed, i) >> 32)) fail_msg("byte %d is another", (int)i);
}

static PetscErrorCode toy_reset(void *context) {
  toy *t = context;

  t->resets++;
  t->n = 0;
  t->state = t->truth[0];
  return 0;
}

/* The step number is kept in front, so that restore knows which state this is. */
static PetscErrorCode toy_save(void *context, void *checkpoint) {
  toy *t = context;

  t->saves++;
  write_bytes(t, checkpoint, t->spec.checkpoint_bytes, ~t->state);
  memcpy(checkpoint, &t->n, sizeof(t->n));
  return 0;
}

static PetscErrorCode toy_restore(void *context, const void *checkpoint) {
  toy *t = context;

  memcpy(&t->n, checkpoint, sizeof(t->n));
  assert_in_range(t->n, 0, t->spec.steps - 1);
  t->state = t->truth[t->n];
  expect_bytes(checkpoint, sizeof(t->n), t->spec.checkpoint_bytes, ~t->state);
  return 0;
}

static PetscErrorCode toy_forward(void *context, int64_t n, void *record, PetscBool again) {
  toy *t = context;

  assert_int_equal(n, t->n);
  t->forwards++;
  t->again += again;
  if (record) write_bytes(t, record, t->spec.record_bytes, t->state);
  t->state = mix(t->state, n);
  t->n++;
  assert_true(t->state == t->truth[t->n]);
  return 0;
}

static PetscErrorCode toy_reverse(void *context, int64_t n, const void *record) {
  toy *t = context;

  assert_int_equal(n, t->next);
  expect_bytes(record, 0, t->spec.record_bytes, t->truth[n]);
  t->next--;
  return 0;
}

static fm_tape_loop toy_loop(toy *t) {
  return (fm_tape_loop){t, toy_reset, toy_save, toy_restore, toy_forward, toy_reverse};
}

static void toy_init(toy *t, int64_t steps, int64_t record, int64_t checkpoint, int64_t bytes) {
  *t = (toy){.n = -1, .truth = {42}};
  t->spec = (fm_tape_spec){steps, record, checkpoint, record, checkpoint, bytes, "tape_memory"};
  for (int64_t n = 0; n < steps; n++) t->truth[n + 1] = mix(t->truth[n], n);
}

/* The counts of a call begin anew. */
static void toy_begin(toy *t) {
  t->forwards = t->again = t->saves = t->resets = 0;
  t->next = t->spec.steps - 1;
}

/* ---- it comes back ---- */

static void forward_and_reverse(toy *t, fm_tape *tape) {
  const fm_tape_loop loop = toy_loop(t);

  toy_begin(t);
  fm_ok(fm_tape_forward(tape, &loop));
  assert_int_equal(t->n, t->spec.steps);
  assert_int_equal(t->forwards, t->spec.steps);
  assert_int_equal(t->again, 0);
  assert_int_equal(t->next, t->spec.steps - 1);
  fm_ok(fm_tape_reverse(tape, &loop));
  assert_int_equal(t->next, -1);
  assert_int_equal(t->again, fm_tape_repeats(tape));
  assert_int_equal(t->forwards, t->spec.steps + fm_tape_repeats(tape));
}

/* Without a forward in front: used up, or forgotten. */
static void reverse_alone(toy *t, fm_tape *tape, PetscBool sweeps) {
  const fm_tape_loop loop = toy_loop(t);
  const int64_t sweep = sweeps ? t->spec.steps : 0;

  toy_begin(t);
  fm_ok(fm_tape_reverse(tape, &loop));
  assert_int_equal(t->next, -1);
  assert_int_equal(t->again, sweep + fm_tape_repeats(tape));
  assert_int_equal(t->forwards, t->again);
}

static void check_toy(int64_t steps, int64_t record, int64_t checkpoint, int64_t bytes) {
  toy t;
  fm_tape *tape;

  toy_init(&t, steps, record, checkpoint, bytes);
  fm_ok(fm_tape_create(&t.spec, &tape));
  if (bytes)
    assert_in_range(fm_tape_bytes(tape), record, bytes);
  else
    assert_int_equal(fm_tape_bytes(tape), steps * ((record + 63) / 64 * 64));
  for (int round = 0; round < 2; round++) forward_and_reverse(&t, tape);
  reverse_alone(&t, tape, (PetscBool)(fm_tape_repeats(tape) > 0));
  fm_tape_forget(tape);
  reverse_alone(&t, tape, PETSC_TRUE);
  assert_in_range(t.high - t.low, record, fm_tape_bytes(tape));
  fm_ok(fm_tape_destroy(&tape));
  assert_null(tape);
}

static void every_record_comes_back(void **state) {
  const int64_t steps[] = {1, 2, 3, 7, 16, 61, 256}, record[] = {64, 128, 320},
                checkpoint[] = {64, 192, 704};

  for (int s = 0; s < 7; s++)
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 3; c++) {
        const int64_t least = record[r] + checkpoint[c], all = steps[s] * record[r];

        check_toy(steps[s], record[r], checkpoint[c], 0);
        check_toy(steps[s], record[r], checkpoint[c], all);
        check_toy(steps[s], record[r], checkpoint[c], 2 * all);
        for (int64_t bytes = least; bytes < all; bytes += (all - least) / 9 + 1)
          check_toy(steps[s], record[r], checkpoint[c], bytes);
      }
}

/* Sizes of no whole cache lines are rounded up, not the addresses down. */
static void any_size_is_aligned(void **state) {
  for (int64_t bytes = 128 + 192; bytes < 40 * 128; bytes += 177) check_toy(40, 65, 131, bytes);
  check_toy(3, 8, 8, 0);
}

/* A failure within the loop leaves a tape that sweeps again. */
static PetscErrorCode broken_forward(void *context, int64_t n, void *record, PetscBool again) {
  return n == 20 ? PETSC_ERR_LIB : toy_forward(context, n, record, again);
}

static void a_broken_sweep_is_not_used(void **state) {
  toy t;
  fm_tape *tape;
  fm_tape_loop loop = toy_loop(&t);

  toy_init(&t, 30, 64, 192, 0);
  fm_ok(fm_tape_create(&t.spec, &tape));
  forward_and_reverse(&t, tape);
  loop.forward = broken_forward;
  PetscPushErrorHandler(PetscReturnErrorHandler, NULL);
  assert_int_not_equal(fm_tape_forward(tape, &loop), 0);
  PetscPopErrorHandler();
  reverse_alone(&t, tape, PETSC_TRUE);
  fm_ok(fm_tape_destroy(&tape));
}

static void too_small_a_bound_is_refused(void **state) {
  fm_tape_spec spec = {100, 640, 1920, 640, 1920, 2559, "tape_memory"};
  fm_tape *tape;

  fm_expect_error(fm_tape_create(&spec, &tape), "-tape_memory 2559 ");
  fm_expect_error(fm_tape_create(&spec, &tape), " 2560 bytes");
  check_toy(100, 640, 1920, 2560);
  spec.steps = 2; /* both records are less than a record and a checkpoint */
  spec.bytes = 1279;
  fm_expect_error(fm_tape_create(&spec, &tape), " 1280 bytes");
  check_toy(2, 640, 1920, 1280);
  spec.bytes = -1;
  fm_expect_error(fm_tape_create(&spec, &tape), "-tape_memory -1 ");
}

/* Of a rank's share of the records it holds the bound's share; every rank makes one plan. */
static void ranks_share_the_bound(void **state) {
  fm_tape_spec spec = {1000, 640, 1920, 64000, 192000, 4000000, "tape_memory"};
  fm_tape *small, *large;

  fm_ok(fm_tape_create(&spec, &small));
  spec.record_bytes = 63360, spec.checkpoint_bytes = 190080;
  fm_ok(fm_tape_create(&spec, &large));
  assert_in_range(fm_tape_bytes(small), 38000, 40000);
  assert_int_equal(fm_tape_bytes(large), 99 * fm_tape_bytes(small));
  assert_int_equal(fm_tape_repeats(small), fm_tape_repeats(large));
  fm_ok(fm_tape_destroy(&small));
  fm_ok(fm_tape_destroy(&large));
}

/* ---- at the least number of repeats ---- */

static int64_t repeats(int64_t steps, int64_t record, int64_t checkpoint, int64_t bytes) {
  const fm_tape_spec spec = {steps, record, checkpoint, record, checkpoint, bytes, "x"};
  int64_t count;
  fm_tape *tape;

  fm_ok(fm_tape_create(&spec, &tape));
  assert_in_range(fm_tape_bytes(tape), 1, bytes);
  count = fm_tape_repeats(tape);
  fm_ok(fm_tape_destroy(&tape));
  return count;
}

static double binomial(int64_t n, int64_t k) {
  double b = 1;

  for (int64_t i = 1; i <= k; i++) b = b * (double)(n - k + i) / (double)i;
  return b;
}

/* Griewank and Walther (2000), theorem 6.1: t(c, l) = r l - beta(c + 1, r - 1),
   beta(c, r - 1) < l <= beta(c, r) = (c + r)! / (c! r!), with c states, the first included. */
static int64_t revolve(int64_t c, int64_t l) {
  int64_t r = 0;

  while (binomial(c + r, c) < (double)l) r++;
  return r ? r * l - (int64_t)binomial(c + r, r - 1) : 0;
}

/* A record so large that only one fits: the classical case. */
static void single_records_are_binomial(void **state) {
  for (int64_t steps = 1; steps <= 70; steps++)
    for (int64_t held = 1; held < 8; held++) {
      const int64_t r = 4096, c = 64, least = r + held * c < steps * r ? r + held * c : r;

      assert_int_equal(repeats(steps, r, c, least), steps == 1 ? 0 : revolve(held + 1, steps));
    }
  assert_int_equal(repeats(1000, 4096, 64, 4096 + 9 * 64), revolve(10, 1000));
}

/* All that can be done, for a few steps: the cheapest way through (state at, states saved,
   records kept, steps left to reverse), where going forward costs 1 and all else nothing. */
#define FEW 6
typedef struct search {
  int steps, record, checkpoint, bytes;
  short cost[FEW + 1][1 << FEW][1 << FEW][FEW + 1];
  int changed;
} search;

static void reach(search *s, int at, int saved, int kept, int left, int cost) {
  short *c = &s->cost[at][saved][kept][left];

  if (__builtin_popcount((unsigned)saved) * s->checkpoint +
          __builtin_popcount((unsigned)kept) * s->record >
      s->bytes)
    return;
  if (cost >= *c) return;
  *c = (short)cost;
  s->changed = 1;
}

static void spread(search *s, int at, int saved, int kept, int left) {
  const int cost = s->cost[at][saved][kept][left];

  for (int i = 0; i < s->steps; i++) {
    if (i == 0 || saved >> i & 1) reach(s, i, saved, kept, left, cost);
    reach(s, at, saved & ~(1 << i), kept, left, cost);
    reach(s, at, saved, kept & ~(1 << i), left, cost);
  }
  if (at < s->steps) {
    reach(s, at, saved | 1 << at, kept, left, cost);
    reach(s, at + 1, saved, kept, left, cost + 1);
    reach(s, at + 1, saved, kept | 1 << at, left, cost + 1);
  }
  if (left && kept >> (left - 1) & 1)
    reach(s, at, saved, kept & ~(1 << (left - 1)), left - 1, cost);
}

static int cheapest(search *s) {
  const int sets = 1 << s->steps;
  int best = 32767;

  memset(s->cost, 0x3f, sizeof(s->cost));
  s->cost[0][0][0][s->steps] = 0;
  for (s->changed = 1; s->changed;) {
    s->changed = 0;
    for (int left = s->steps; left >= 0; left--)
      for (int at = 0; at <= s->steps; at++)
        for (int saved = 0; saved < sets; saved++)
          for (int kept = 0; kept < sets; kept++)
            if (s->cost[at][saved][kept][left] < 0x3f3f) spread(s, at, saved, kept, left);
  }
  for (int at = 0; at <= s->steps; at++)
    best = s->cost[at][0][0][0] < best ? s->cost[at][0][0][0] : best;
  return best;
}

static void nothing_is_cheaper(void **state) {
  const int sizes[][2] = {{1, 1}, {1, 3}, {2, 1}, {3, 8}, {10, 27}, {9, 2}};
  search *s;

  fm_ok(PetscNew(&s));
  for (int k = 0; k < 6; k++)
    for (s->steps = 2; s->steps <= FEW; s->steps++) {
      s->record = sizes[k][0];
      s->checkpoint = sizes[k][1];
      for (s->bytes = s->record + s->checkpoint; s->bytes < s->steps * s->record; s->bytes++)
        assert_int_equal(repeats(s->steps, 64 * s->record, 64 * s->checkpoint, 64 * s->bytes) +
                             s->steps,
                         cheapest(s));
    }
  fm_ok(PetscFree(s));
}

/* What the acoustic operator needs: a checkpoint is 2.7 records. */
static void a_thousand_steps(void **state) {
  const int64_t r = 640, c = 1728;

  assert_int_equal(repeats(1000, r, c, 1000 * r), 0);
  assert_int_equal(repeats(1000, r, c, 800 * r), 200);
  assert_int_equal(repeats(1000, r, c, 120 * r), 899);
  assert_int_equal(repeats(1000, r, c, 50 * r), 1494);
  assert_in_range(repeats(1000, r, c, 20 * r), 1000, 3000);
  /* many steps are planned in units: 20 times as many, 20 times as short */
  assert_int_equal(repeats(20000, 64, 54 * 64, 1000 * 64), 1494 * 20);
  assert_in_range(repeats(20479, 64, 54 * 64, 1000 * 64), 1494 * 20, 1494 * 21);
}

FM_TEST_MAIN(cmocka_unit_test(every_record_comes_back), cmocka_unit_test(any_size_is_aligned),
             cmocka_unit_test(a_broken_sweep_is_not_used),
             cmocka_unit_test(too_small_a_bound_is_refused),
             cmocka_unit_test(ranks_share_the_bound), cmocka_unit_test(a_thousand_steps),
             cmocka_unit_test(single_records_are_binomial),
             cmocka_unit_test(nothing_is_cheaper))
