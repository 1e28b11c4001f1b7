/* Preloaded, it makes rank 0 of a Slurm step a second late to leave, after all that the program
   itself does: the others have ended by then. */
#include <stdlib.h>
#include <unistd.h>

static void be_late(void) {
  for (int i = 0; i < 100; i++) usleep(10000); /* a signal ends one of them */
}

__attribute__((constructor)) static void prepare(void) {
  const char *rank = getenv("SLURM_PROCID");

  if (rank && rank[0] == '0' && !rank[1]) atexit(be_late);
}
