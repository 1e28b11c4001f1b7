/* Random numbers by name: every number is a pure function of (seed, stream, step, index,
   position).

   Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32-10
   of Random123. */
#ifndef FATHOM_RNG_H
#define FATHOM_RNG_H

#include "fathom/types.h"

/* One stream a purpose; never renumber: checkpoints and users' seeds depend on the values. */
typedef enum fm_stream {
  FM_STREAM_INITIAL = 1,  /* initial weights; step: tensor number */
  FM_STREAM_START = 2,    /* the batch that ActNorm starts from */
  FM_STREAM_SHUFFLE = 3,  /* order of pairs or fixed latents in an epoch; step: epoch */
  FM_STREAM_LATENT = 4,   /* fresh latents of training; step, sample */
  FM_STREAM_FIXED = 5,    /* fixed latents of training; step 0, sample */
  FM_STREAM_EVALUATE = 6, /* latents of the history and of `evaluate` */
  FM_STREAM_SAMPLE = 7,   /* latents of `sample` */
  FM_STREAM_MODEL = 8,    /* models of `simulate` */
  FM_STREAM_NOISE = 9,    /* noise of `simulate` */
  FM_STREAM_SPLIT = 10,   /* training and validation pairs */
  FM_STREAM_CHECK = 11,   /* directions of `check` and of tests */
  FM_STREAM_BOOTSTRAP = 12,
  FM_STREAM_MOMENTUM = 13,    /* of `reference`; step: iteration, sample: chain */
  FM_STREAM_ACCEPT = 14,      /* its Metropolis test and jitter; the same */
  FM_STREAM_CHAIN = 15,       /* where a chain begins */
  FM_STREAM_SHOTS = 16,       /* -shots_per_sample; step */
  FM_STREAM_ENCODING = 17,    /* -shots_encode; step, sample */
  FM_STREAM_ROMBERG = 18,     /* -romberg_seed; step: phases, signs, rows */
  FM_STREAM_MASK = 19,        /* -mask_seed */
  FM_STREAM_DISCREPANCY = 20, /* -pairs_noise_inflation of `simulate`; sample */
  FM_STREAM_HESSIAN = 21      /* the block that `informed` begins with; sample: column */
} fm_stream;

typedef struct fm_rng {
  uint64_t seed;
  uint32_t stream; /* below 256 */
} fm_rng;          /* a value: nothing to free */

/* fm_rng_normal - n independent N(0, 1) numbers named (rng, step, index): Box-Muller in double,
   rounded to fm_real, so
   that both precisions see the same draws. step and index below 2^44. Cost: about 15 ns a
   number. */
void fm_rng_normal(fm_rng rng, uint64_t step, uint64_t index, size_t n, fm_real *out);

/* fm_rng_uniform - n independent numbers in (0, 1), 53 bits. */
void fm_rng_uniform(fm_rng rng, uint64_t step, uint64_t index, size_t n, double *out);

/* fm_rng_permutation - a uniform permutation of 0..n-1 named (rng, step), by Fisher and Yates.
   */
void fm_rng_permutation(fm_rng rng, uint64_t step, int64_t n, int64_t *order);

#endif
