#include "tape.h"
#include "tape_plan.h"
#include <sys/mman.h>

#define LINE 64                 /* bytes that records and checkpoints are aligned to */
#define PAGE 4096               /* smallest page of the machines in question */
#define HUGE ((int64_t)2 << 20) /* page that is asked for where memory is large */

struct fm_tape {
  int64_t record, checkpoint; /* bytes, whole lines */
  int64_t bytes;
  char *memory, *block; /* the same, aligned: checkpoints from below, records from above */
  fm_tape_plan plan;
  PetscBool ready; /* the first sweep's last records and checkpoints are there */
};

static int64_t whole_lines(int64_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

/* In large pages where the system has them: sweeps through a tape miss far fewer addresses. */
static PetscErrorCode allocate(fm_tape *tape) {
  const int64_t align = tape->bytes < HUGE ? LINE : HUGE;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(tape->bytes + align), &tape->memory));
  tape->block = tape->memory + (align - (int64_t)((uintptr_t)tape->memory % (size_t)align));
#ifdef MADV_HUGEPAGE
  if (align == HUGE) (void)madvise(tape->block, (size_t)tape->bytes, MADV_HUGEPAGE);
#endif
  for (int64_t i = 0; i < tape->bytes; i += PAGE) tape->block[i] = 0;
  PetscFunctionReturn(0);
}

/* The bound, over all ranks, that the plan is made for. */
static PetscErrorCode find_bound(const fm_tape_spec *spec, int64_t record, int64_t checkpoint,
                                 int64_t *bytes) {
  const int64_t all = spec->steps * record, least = PetscMin(all, record + checkpoint);

  PetscFunctionBegin;
  fm_check(!spec->bytes || spec->bytes >= least, PETSC_COMM_SELF, PETSC_ERR_USER,
           "-%s %" PRId64 " is too little: a gradient keeps at least %" PRId64
           " bytes (%" PRId64 " spare all repeats, 0 is no limit)",
           spec->option, spec->bytes, least, all);
  *bytes = spec->bytes ? spec->bytes : all;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_create(const fm_tape_spec *spec, fm_tape **tape) {
  const int64_t record = whole_lines(spec->total_record_bytes),
                checkpoint = whole_lines(spec->total_checkpoint_bytes);
  PetscErrorCode code;
  int64_t bytes;

  PetscFunctionBegin;
  PetscAssert(spec->steps > 0 && spec->record_bytes > 0 && record >= spec->record_bytes &&
                  checkpoint >= spec->checkpoint_bytes,
              PETSC_COMM_SELF, PETSC_ERR_PLIB, "a tape of no steps or of wrong sizes");
  PetscCall(find_bound(spec, record, checkpoint, &bytes));
  PetscCall(PetscNew(tape));
  (*tape)->record = whole_lines(spec->record_bytes);
  (*tape)->checkpoint = whole_lines(spec->checkpoint_bytes);
  PetscCall(fm_tape_plan_create(spec->steps, record, checkpoint, bytes, &(*tape)->plan));
  (*tape)->bytes = fm_tape_plan_bytes(&(*tape)->plan, (*tape)->record, (*tape)->checkpoint);
  code = allocate(*tape);
  if (code) (void)fm_tape_destroy(tape);
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_destroy(fm_tape **tape) {
  PetscFunctionBegin;
  if (!*tape) PetscFunctionReturn(0);
  PetscCall(fm_tape_plan_destroy(&(*tape)->plan));
  PetscCall(PetscFree((*tape)->memory));
  PetscCall(PetscFree(*tape));
  PetscFunctionReturn(0);
}

/* The last step of a leaf lies topmost. */
static void *record_of(const fm_tape *tape, const fm_tape_move *leaf, int64_t step) {
  return tape->block + tape->bytes - (leaf->to - step) * tape->record;
}

static PetscErrorCode forward_steps(fm_tape *tape, const fm_tape_loop *loop,
                                    const fm_tape_move *m, PetscBool again) {
  const PetscBool keep = (PetscBool)(m->verb == FM_TAPE_KEEP);

  PetscFunctionBegin;
  for (int64_t n = m->from; n < m->to; n++)
    PetscCall(loop->forward(loop->context, n, keep ? record_of(tape, m, n) : NULL, again));
  PetscFunctionReturn(0);
}

static PetscErrorCode reverse_steps(fm_tape *tape, const fm_tape_loop *loop,
                                    const fm_tape_move *m) {
  PetscFunctionBegin;
  for (int64_t n = m->to - 1; n >= m->from; n--)
    PetscCall(loop->reverse(loop->context, n, record_of(tape, m, n)));
  PetscFunctionReturn(0);
}

static PetscErrorCode make_moves(fm_tape *tape, const fm_tape_loop *loop, int64_t begin,
                                 int64_t end, PetscBool again) {
  PetscFunctionBegin;
  for (int64_t k = begin; k < end; k++) {
    const fm_tape_move *m = &tape->plan.move[k];
    char *slot = tape->block + m->slot * tape->checkpoint;

    switch (m->verb) {
    case FM_TAPE_RESET: PetscCall(loop->reset(loop->context)); break;
    case FM_TAPE_SAVE: PetscCall(loop->save(loop->context, slot)); break;
    case FM_TAPE_RESTORE: PetscCall(loop->restore(loop->context, slot)); break;
    case FM_TAPE_REVERSE: PetscCall(reverse_steps(tape, loop, m)); break;
    default: PetscCall(forward_steps(tape, loop, m, again));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode first_sweep(fm_tape *tape, const fm_tape_loop *loop, PetscBool again) {
  PetscFunctionBegin;
  tape->ready = PETSC_FALSE;
  PetscCall(loop->reset(loop->context));
  PetscCall(make_moves(tape, loop, 0, tape->plan.first, again));
  tape->ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_forward(fm_tape *tape, const fm_tape_loop *loop) {
  PetscFunctionBegin;
  PetscCall(first_sweep(tape, loop, PETSC_FALSE));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_tape_reverse(fm_tape *tape, const fm_tape_loop *loop) {
  const PetscBool all = (PetscBool)(tape->plan.repeats == 0);

  PetscFunctionBegin;
  if (!tape->ready) PetscCall(first_sweep(tape, loop, PETSC_TRUE));
  tape->ready = all; /* a second reverse needs no sweep where everything is kept */
  PetscCall(make_moves(tape, loop, tape->plan.first, tape->plan.count, PETSC_TRUE));
  PetscFunctionReturn(0);
}

void fm_tape_forget(fm_tape *tape) { tape->ready = PETSC_FALSE; }

int64_t fm_tape_bytes(const fm_tape *tape) { return tape->bytes; }

int64_t fm_tape_repeats(const fm_tape *tape) { return tape->plan.repeats; }
