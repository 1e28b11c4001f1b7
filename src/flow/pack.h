/* exp and log of a pack of numbers in loops that a compiler turns into vector instructions; the
   C library's are called one number at a time. */
#ifndef FATHOM_FLOW_PACK_H
#define FATHOM_FLOW_PACK_H

#include "flow/rational_quadratic.h"

/* The bits of a float or double. ROUND + t, for |t| < 2^22 (2^51), holds rint(t) in its low
   bits. */
#ifdef FM_SINGLE
typedef int32_t fm_bits;
typedef uint32_t fm_ubits;
enum { FM_MANTISSA = 23, FM_BIAS = 127, FM_EXP_TERMS = 7, FM_LOG_TERMS = 5 };
static const fm_real FM_ROUND = 12582912, FM_EXP_LEAST = -87;
static const fm_real FM_LN2_HIGH = 0.693359375f, FM_LN2_LOW = -2.12194440e-4f;
#else
typedef int64_t fm_bits;
typedef uint64_t fm_ubits;
enum { FM_MANTISSA = 52, FM_BIAS = 1023, FM_EXP_TERMS = 13, FM_LOG_TERMS = 11 };
static const fm_real FM_ROUND = 6755399441055744, FM_EXP_LEAST = -708;
static const fm_real FM_LN2_HIGH = 0.693147180369123816490,
                     FM_LN2_LOW = 1.90821492927058770002e-10;
#endif

typedef union fm_word {
  fm_real real;
  fm_bits bits;
} fm_word;

/* fm_exp_pack - out = exp(v) for v <= 0, to 2 units in the last place; below FM_EXP_LEAST as
   there. exp(v) = 2^n exp(v - n log 2), the latter by its Taylor series. */
static inline void fm_exp_pack(const fm_real *v, fm_real *out) {
  static const fm_real inverse[] = {1,      1,      1. / 2, 1. / 3,  1. / 4,  1. / 5,  1. / 6,
                                    1. / 7, 1. / 8, 1. / 9, 1. / 10, 1. / 11, 1. / 12, 1. / 13};
  fm_real rest[FM_PACK], power[FM_PACK], sum[FM_PACK];

  for (int i = 0; i < FM_PACK; i++) {
    const fm_real x = v[i] < FM_EXP_LEAST ? FM_EXP_LEAST : v[i];
    fm_word w = {.real = x * (fm_real)1.44269504088896340736 + FM_ROUND};
    const fm_real n = w.real - FM_ROUND;

    rest[i] = (x - n * FM_LN2_HIGH) - n * FM_LN2_LOW;
    w.bits = (fm_bits)((fm_ubits)w.bits << FM_MANTISSA) + ((fm_bits)FM_BIAS << FM_MANTISSA);
    power[i] = w.real;
    sum[i] = 1;
  }
#pragma GCC unroll 16
  for (int k = FM_EXP_TERMS; k >= 1; k--)
    for (int i = 0; i < FM_PACK; i++) sum[i] = 1 + sum[i] * (rest[i] * inverse[k]);
  for (int i = 0; i < FM_PACK; i++) out[i] = sum[i] * power[i];
}

/* fm_log_pack - out = log(v) for normal v > 0, to 2 units in the last place of max(|out|, 1).
   With v = 2^n m, sqrt(1/2) <= m < sqrt(2), and s = (m - 1)/(m + 1): log m = 2 artanh s. */
static inline void fm_log_pack(const fm_real *v, fm_real *out) {
  const fm_word half = {.real = (fm_real)0.70710678118654752440};
  fm_real s[FM_PACK], square[FM_PACK], sum[FM_PACK], n[FM_PACK];

  for (int i = 0; i < FM_PACK; i++) {
    fm_word w = {.real = v[i]};
    const fm_bits shifted = w.bits - half.bits;
    const fm_bits exponent = shifted >> FM_MANTISSA;

    w.bits -= (fm_bits)((fm_ubits)exponent << FM_MANTISSA);
    n[i] = (fm_real)exponent;
    s[i] = (w.real - 1) / (w.real + 1);
    square[i] = s[i] * s[i];
    sum[i] = 0;
  }
#pragma GCC unroll 16
  for (int k = FM_LOG_TERMS; k >= 1; k--)
    for (int i = 0; i < FM_PACK; i++)
      sum[i] = (sum[i] + (fm_real)(1. / (2 * k + 1))) * square[i];
  for (int i = 0; i < FM_PACK; i++)
    out[i] = n[i] * FM_LN2_HIGH + (2 * s[i] + (2 * s[i] * sum[i] + n[i] * FM_LN2_LOW));
}

#endif
