#include "infer/shots.h"
#include "fathom/options.h"

/* Permutations of one step are named step * MOST_BLOCKS + block. */
#define MOST_BLOCKS ((uint64_t)1 << 20)

PetscErrorCode fm_shots_create(MPI_Comm comm, int64_t nparts, fm_shots **shots) {
  int64_t drawn, encoded;
  fm_shots *s;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("shots_per_sample", 0, INT64_MAX, &drawn));
  PetscCall(fm_option_integer_in("shots_encode", 0, nparts, &encoded));
  fm_check(!(drawn && encoded), comm, PETSC_ERR_USER,
           "-shots_per_sample and -shots_encode are two ways to estimate one misfit: give one");
  PetscCall(PetscNew(&s));
  *shots = s;
  s->nparts = nparts;
  s->drawn = drawn;
  s->encoded = encoded;
  fm_check(s->drawn <= nparts, comm, PETSC_ERR_USER,
           "-shots_per_sample %lld is more shots than there are, %lld: leave it out for all",
           (long long)s->drawn, (long long)nparts);
  PetscCall(fm_calloc(nparts, &s->part));
  PetscCall(fm_calloc(nparts, &s->order));
  PetscCall(fm_calloc(s->encoded * nparts, &s->sign));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_shots_destroy(fm_shots **shots) {
  PetscFunctionBegin;
  if (!*shots) PetscFunctionReturn(0);
  PetscCall(PetscFree((*shots)->part));
  PetscCall(PetscFree((*shots)->order));
  PetscCall(PetscFree((*shots)->sign));
  PetscCall(PetscFree(*shots));
  PetscFunctionReturn(0);
}

static void draw(fm_shots *s, uint64_t seed, uint64_t step, uint64_t sample) {
  const uint64_t each = (uint64_t)(s->nparts / s->drawn), block = sample / each;
  const int64_t first = (int64_t)(sample % each) * s->drawn;

  fm_rng_permutation((fm_rng){seed, FM_STREAM_SHOTS}, step * MOST_BLOCKS + block, s->nparts,
                     s->order);
  for (int64_t i = 0; i < s->drawn; i++) s->part[i] = s->order[first + i];
  s->count = s->drawn;
  s->scale = (double)s->nparts / (double)s->drawn;
}

static void encode(fm_shots *s, uint64_t seed, uint64_t step, uint64_t sample) {
  const int64_t n = s->encoded * s->nparts;

  fm_rng_uniform((fm_rng){seed, FM_STREAM_ENCODING}, step, sample, (size_t)n, s->sign);
  for (int64_t i = 0; i < n; i++) s->sign[i] = s->sign[i] < 0.5 ? -1 : 1;
  for (int64_t i = 0; i < s->encoded; i++) s->part[i] = i;
  s->count = s->encoded;
  s->scale = 1 / (double)s->encoded;
  s->encoding = PETSC_TRUE;
}

PetscErrorCode fm_shots_plan(fm_shots *s, const uint64_t *seed, uint64_t step,
                             uint64_t sample) {
  PetscFunctionBegin;
  s->encoding = PETSC_FALSE;
  if (seed && s->drawn) {
    draw(s, *seed, step, sample);
  } else if (seed && s->encoded) {
    encode(s, *seed, step, sample);
  } else {
    for (int64_t i = 0; i < s->nparts; i++) s->part[i] = i;
    s->count = s->nparts;
    s->scale = 1;
  }
  PetscFunctionReturn(0);
}
