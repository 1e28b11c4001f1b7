/* Where the coverage counters of the program are. In a file of its own without any: clang takes
   a declaration of these names beside its own for something else. */
#include "counters.h"

extern uint8_t __start___sancov_cntrs[], __stop___sancov_cntrs[];

__attribute__((no_sanitize("coverage"))) uint8_t *fuzz_counters(size_t *count) {
  *count = (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
  return __start___sancov_cntrs;
}
