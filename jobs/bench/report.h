/* report - result lines of several rounds. */
#ifndef FATHOM_BENCH_REPORT_H
#define FATHOM_BENCH_REPORT_H

#define BENCH_ROUNDS 7

/* bench_result - "result NAME VALUE UNIT" with the median, and how far the rounds lie apart.
   Rank 0 speaks. value  in  [BENCH_ROUNDS] */
void bench_result(const char *name, const double *value, const char *unit);
void bench_result_once(const char *name, double value, const char *unit);
/* bench_ratios - round by round: what disturbs a round disturbs both. */
void bench_ratios(const double *a, const double *b, double *ratio);
/* bench_rates - millions of pieces of work a second. */
void bench_rates(double work, const double *seconds, double *rate);

#endif
