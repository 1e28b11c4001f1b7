/* fathom COMMAND -options_file_yaml FILE [-option value ...] */
#include "fathom/command.h"

int main(int argc, char **argv) {
  int status;

  if (MPI_Init(&argc, &argv)) return 1;
  status = fm_main(argc, argv);
  MPI_Finalize();
  return status;
}
