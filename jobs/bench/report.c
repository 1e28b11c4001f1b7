#include "report.h"
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static int speaks(void) {
  int rank;

  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank == 0;
}

void bench_result(const char *name, const double *value, const char *unit) {
  double sorted[BENCH_ROUNDS];

  if (!speaks()) return;
  memcpy(sorted, value, sizeof(sorted));
  qsort(sorted, BENCH_ROUNDS, sizeof(*sorted), ascending);
  printf("result %s %.4g %s\n", name, sorted[BENCH_ROUNDS / 2], unit);
  printf("  %d rounds from %.4g to %.4g\n", BENCH_ROUNDS, sorted[0], sorted[BENCH_ROUNDS - 1]);
  fflush(stdout);
}

void bench_result_once(const char *name, double value, const char *unit) {
  if (speaks()) printf("result %s %.4g %s\n", name, value, unit);
}

void bench_ratios(const double *a, const double *b, double *ratio) {
  for (int k = 0; k < BENCH_ROUNDS; k++) ratio[k] = a[k] / b[k];
}

void bench_rates(double work, const double *seconds, double *rate) {
  for (int k = 0; k < BENCH_ROUNDS; k++) rate[k] = work / seconds[k] / 1e6;
}
