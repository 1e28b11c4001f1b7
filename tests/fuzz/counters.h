#ifndef FUZZ_COUNTERS_H
#define FUZZ_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

/* fuzz_counters - the program's 8-bit counters of libFuzzer, a byte an edge. */
uint8_t *fuzz_counters(size_t *count);

#endif
