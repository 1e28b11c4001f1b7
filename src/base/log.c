#include "fathom/log.h"
#include <stdarg.h>
#include <unistd.h>

static PetscBool pending; /* an unfinished progress line stands on the terminal */

static PetscBool speaks(void) {
  PetscMPIInt rank = 0;
  int up = 0;

  MPI_Initialized(&up);
  if (up) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank ? PETSC_FALSE : PETSC_TRUE;
}

static void end_pending(void) {
  if (pending) fputc('\n', stdout);
  pending = PETSC_FALSE;
}

static void say(FILE *out, const char *prefix, const char *format, va_list words) {
  if (!speaks()) return;
  end_pending();
  fputs(prefix, out);
  vfprintf(out, format, words);
  fputc('\n', out);
  fflush(out);
}

void fm_log(const char *format, ...) {
  va_list words;

  va_start(words, format);
  say(stdout, "", format, words);
  va_end(words);
}

void fm_warn(const char *format, ...) {
  va_list words;

  va_start(words, format);
  say(stderr, "warning: ", format, words);
  va_end(words);
}

void fm_progress(double interval, PetscBool last, const char *format, ...) {
  static double before = -1e300;
  const PetscBool terminal = isatty(STDOUT_FILENO) ? PETSC_TRUE : PETSC_FALSE;
  const double now = MPI_Wtime(), wait = terminal ? 0.1 : interval;
  va_list words;

  if (!speaks() || (!last && now - before < wait)) return;
  before = now;
  va_start(words, format);
  if (terminal) fputs("\r\033[K", stdout);
  vprintf(format, words);
  va_end(words);
  pending = terminal;
  if (!terminal || last) fputc('\n', stdout);
  if (last) pending = PETSC_FALSE;
  fflush(stdout);
}
