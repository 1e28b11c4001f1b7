#include "tape_plan.h"

#define FINE 1024 /* most units of steps that the split points are sought among */

/* Costs: forward steps first, then states saved and restored. */
#define STEP ((int64_t)1 << 24)
#define NEVER ((int64_t)1 << 60)

/* Level i: i checkpoints are below, the state in front of the steps can be had again. All
   counts in units. */
typedef struct table {
  int64_t unit, n;  /* steps a unit, units */
  int64_t levels;   /* 0 .. levels-1 */
  int64_t *leaf;    /* [levels] units that fit beside i checkpoints */
  int64_t **cost;   /* [levels + 1][n + 1] of steps that make no leaf */
  int64_t *on, *to; /* [n + 1] scratch: right and left parts of one level */
} table;

/* Steps in front of which the state is now, not saved: with i checkpoints below. */
static int64_t cost_on(const table *t, int64_t i, int64_t n) {
  return n <= t->leaf[i] ? n * STEP : 1 + t->cost[i + 1][n];
}

/* Longest leaf of which the state must be had again: its own checkpoint is free then. */
static int64_t leaf_again(const table *t, int64_t i) { return t->leaf[i ? i - 1 : 0]; }

static int64_t cost_again(const table *t, int64_t i, int64_t n) {
  return 1 + (n <= leaf_again(t, i) ? n * STEP : t->cost[i][n]);
}

static void fill_level(table *t, int64_t i) {
  int64_t *cost = t->cost[i];

  for (int64_t n = 0; n <= t->n; n++) t->on[n] = cost_on(t, i, n);
  for (int64_t n = 1; n <= t->n; n++) {
    int64_t best = NEVER;

    for (int64_t j = 1; j < n; j++) {
      const int64_t c = j * STEP + t->to[j] + t->on[n - j];

      best = c < best ? c : best;
    }
    cost[n] = best < NEVER ? best : NEVER;
    t->to[n] = cost_again(t, i, n);
  }
}

static int64_t best_split(const table *t, int64_t i, int64_t n) {
  for (int64_t j = n - 1; j > 0; j--)
    if (j * STEP + cost_again(t, i, j) + cost_on(t, i, n - j) == t->cost[i][n]) return j;
  return 0;
}

/* As many as leave room for a unit of records, but no more than one extra sweep needs. */
static int64_t count_levels(int64_t units, int64_t unit_bytes, int64_t checkpoint,
                            int64_t bytes) {
  int64_t levels = 0;

  for (int64_t reach = 0; bytes >= unit_bytes && reach < units; levels++) {
    reach += bytes / unit_bytes;
    bytes -= checkpoint;
  }
  return levels;
}

static PetscErrorCode table_create(int64_t steps, int64_t record, int64_t checkpoint,
                                   int64_t bytes, table *t) {
  PetscFunctionBegin;
  t->unit = PetscMax(1, PetscMin((steps + FINE - 1) / FINE, (bytes - checkpoint) / record / 4));
  t->n = (steps + t->unit - 1) / t->unit;
  t->levels = count_levels(t->n, t->unit * record, checkpoint, bytes);
  PetscCall(fm_calloc(t->levels, &t->leaf));
  PetscCall(fm_calloc(t->levels + 1, &t->cost));
  PetscCall(fm_calloc(t->n + 1, &t->on));
  PetscCall(fm_calloc(t->n + 1, &t->to));
  for (int64_t i = 0; i <= t->levels; i++) PetscCall(fm_calloc(t->n + 1, &t->cost[i]));
  for (int64_t n = 0; n <= t->n; n++) t->cost[t->levels][n] = NEVER;
  for (int64_t i = 0; i < t->levels; i++)
    t->leaf[i] = PetscMax(0, bytes - i * checkpoint) / (t->unit * record);
  for (int64_t i = t->levels - 1; i >= 0; i--) fill_level(t, i);
  PetscFunctionReturn(0);
}

static PetscErrorCode table_destroy(table *t) {
  PetscFunctionBegin;
  for (int64_t i = 0; i <= t->levels; i++) PetscCall(PetscFree(t->cost[i]));
  PetscCall(PetscFree(t->cost));
  PetscCall(PetscFree(t->leaf));
  PetscCall(PetscFree(t->on));
  PetscCall(PetscFree(t->to));
  PetscFunctionReturn(0);
}

/* ---- moves ---- */

static PetscErrorCode append(fm_tape_plan *plan, fm_tape_move move) {
  PetscFunctionBegin;
  if ((plan->count & (plan->count - 1)) == 0) /* full at every power of two */
    PetscCall(PetscRealloc(sizeof(move) * (size_t)PetscMax(2 * plan->count, 1), &plan->move));
  plan->move[plan->count++] = move;
  if (move.verb == FM_TAPE_KEEP && !plan->first) plan->first = plan->count;
  if (move.verb == FM_TAPE_RUN || move.verb == FM_TAPE_KEEP)
    plan->repeats += move.to - move.from;
  PetscFunctionReturn(0);
}

static PetscErrorCode append_steps(const table *t, fm_tape_plan *plan, fm_tape_verb verb,
                                   int64_t slots, int64_t from, int64_t to) {
  PetscFunctionBegin;
  PetscCall(append(plan, (fm_tape_move){verb, slots, PetscMin(from * t->unit, plan->steps),
                                        PetscMin(to * t->unit, plan->steps)}));
  PetscFunctionReturn(0);
}

static PetscErrorCode append_leaf(const table *t, fm_tape_plan *plan, int64_t slots, int64_t a,
                                  int64_t b) {
  PetscFunctionBegin;
  PetscCall(append_steps(t, plan, FM_TAPE_KEEP, slots, a, b));
  PetscCall(append_steps(t, plan, FM_TAPE_REVERSE, slots, a, b));
  PetscFunctionReturn(0);
}

/* Units a .. b-1 at level i, in a state in front of them that can be had again. */
static PetscErrorCode append_part(const table *t, fm_tape_plan *plan, int64_t i, int64_t a,
                                  int64_t b) {
  PetscFunctionBegin;
  while (b - a > leaf_again(t, i)) {
    const int64_t middle = a + best_split(t, i, b - a);

    PetscCall(append_steps(t, plan, FM_TAPE_RUN, i, a, middle));
    if (b - middle <= t->leaf[i]) {
      PetscCall(append_leaf(t, plan, i, middle, b));
    } else {
      PetscCall(append(plan, (fm_tape_move){FM_TAPE_SAVE, i, 0, 0}));
      PetscCall(append_part(t, plan, i + 1, middle, b));
    }
    PetscCall(
        append(plan, (fm_tape_move){i ? FM_TAPE_RESTORE : FM_TAPE_RESET, i ? i - 1 : 0, 0, 0}));
    b = middle;
  }
  PetscCall(append_leaf(t, plan, i ? i - 1 : 0, a, b));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_plan_create(int64_t steps, int64_t record, int64_t checkpoint,
                                   int64_t bytes, fm_tape_plan *plan) {
  table t = {0};

  PetscFunctionBegin;
  *plan = (fm_tape_plan){.steps = steps, .repeats = -steps};
  PetscCall(table_create(steps, record, checkpoint, bytes, &t));
  PetscCall(append_part(&t, plan, 0, 0, t.n));
  PetscCall(table_destroy(&t));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_plan_destroy(fm_tape_plan *plan) {
  PetscFunctionBegin;
  PetscCall(PetscFree(plan->move));
  PetscFunctionReturn(0);
}

int64_t fm_tape_plan_bytes(const fm_tape_plan *plan, int64_t record, int64_t checkpoint) {
  int64_t most = 0;

  for (int64_t k = 0; k < plan->count; k++) {
    const fm_tape_move m = plan->move[k];

    if (m.verb == FM_TAPE_KEEP)
      most = PetscMax(most, m.slot * checkpoint + (m.to - m.from) * record);
    if (m.verb == FM_TAPE_SAVE) most = PetscMax(most, (m.slot + 1) * checkpoint);
  }
  return most;
}
