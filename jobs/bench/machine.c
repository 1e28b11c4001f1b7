#include "machine.h"
#include <time.h>

static double seconds_of(clockid_t clock) {
  struct timespec t;

  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_seconds(void) { return seconds_of(CLOCK_MONOTONIC); }
double bench_cpu_seconds(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

/* ---- floating point ---- */

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define CHAINS 12 /* independent, to hide the latency; they and two factors fit 16 registers */
typedef float lanes __attribute__((vector_size(4 * LANES)));

static float multiply_add(int64_t rounds, float factor, float term) {
  lanes chain[CHAINS], a, b;
  float sum = 0;

  for (int i = 0; i < LANES; i++) a[i] = factor, b[i] = term;
  for (int k = 0; k < CHAINS; k++) chain[k] = b * (float)k;
  for (int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 12
    for (int k = 0; k < CHAINS; k++) chain[k] = chain[k] * a + b;
  }
  for (int k = 0; k < CHAINS; k++)
    for (int i = 0; i < LANES; i++) sum += chain[k][i];
  return sum;
}

double bench_peak(void) {
  const int64_t rounds = 20000000;
  const double flops = 2. * LANES * CHAINS * (double)rounds;
  volatile float factor = 0.5F, term = 1.F, sum;
  double best = 0;

  for (int k = 0; k < 5; k++) {
    const double begin = bench_seconds();

    sum = multiply_add(rounds, factor, term);
    best = PetscMax(best, flops / (bench_seconds() - begin));
  }
  (void)sum;
  return best;
}

/* ---- memory ---- */

static void triad(int64_t n, float factor, const float *restrict b, const float *restrict c,
                  float *restrict a) {
  for (int64_t i = 0; i < n; i++) a[i] = b[i] + factor * c[i];
}

PetscErrorCode bench_bandwidth(double *bytes_a_second) {
  const int64_t n = 32 << 20;
  volatile float factor = 3;
  float *a, *b, *c;

  PetscFunctionBegin;
  *bytes_a_second = 0;
  PetscCall(PetscMalloc3(n, &a, n, &b, n, &c));
  for (int64_t i = 0; i < n; i++) a[i] = 0, b[i] = (float)i, c[i] = 1;
  for (int k = 0; k < 10; k++) {
    const double begin = bench_seconds();

    factor = a[k];
    triad(n, factor, b, c, a);
    *bytes_a_second = PetscMax(*bytes_a_second, 12. * (double)n / (bench_seconds() - begin));
  }
  PetscCall(PetscFree3(a, b, c));
  PetscFunctionReturn(0);
}
