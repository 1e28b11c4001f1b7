#include "fathom/rng.h"
#include <math.h>
#include <Random123/philox.h>

/* The counter names the number: block of the position, sample index, step, stream and the high
   bits of both. */
static philox4x32_ctr_t draw(fm_rng rng, uint64_t step, uint64_t index, uint32_t block) {
  const philox4x32_key_t key = {{(uint32_t)rng.seed, (uint32_t)(rng.seed >> 32)}};
  const uint32_t high = (uint32_t)((step >> 32) & 0xfff) | (uint32_t)((index >> 32) & 0xfff)
                                                               << 12;
  const philox4x32_ctr_t counter = {
      {block, (uint32_t)index, (uint32_t)step, high | rng.stream << 24}};

  return philox4x32(counter, key);
}

/* 53 random bits, centred: never 0 and never 1. */
static double to_unit(uint32_t a, uint32_t b) {
  const uint64_t bits = ((uint64_t)a << 32 | b) >> 12; /* 52 bits */

  return ((double)bits + 0.5) * 0x1p-52;
}

void fm_rng_normal(fm_rng rng, uint64_t step, uint64_t index, size_t n, fm_real *out) {
  for (size_t i = 0; i < n; i += 2) {
    const philox4x32_ctr_t r = draw(rng, step, index, (uint32_t)(i / 2));
    const double radius = sqrt(-2. * log(to_unit(r.v[0], r.v[1])));
    const double angle = 2. * PETSC_PI * to_unit(r.v[2], r.v[3]);

    out[i] = (fm_real)(radius * cos(angle));
    if (i + 1 < n) out[i + 1] = (fm_real)(radius * sin(angle));
  }
}

void fm_rng_uniform(fm_rng rng, uint64_t step, uint64_t index, size_t n, double *out) {
  for (size_t i = 0; i < n; i += 2) {
    const philox4x32_ctr_t r = draw(rng, step, index, (uint32_t)(i / 2));

    out[i] = to_unit(r.v[0], r.v[1]);
    if (i + 1 < n) out[i + 1] = to_unit(r.v[2], r.v[3]);
  }
}

void fm_rng_permutation(fm_rng rng, uint64_t step, int64_t n, int64_t *order) {
  for (int64_t i = 0; i < n; i++) order[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    double u;
    int64_t j, swap;

    fm_rng_uniform(rng, step, (uint64_t)i, 1, &u);
    j = (int64_t)(u * (double)(i + 1));
    swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
}
