#include "fathom/log.h"
#include <errno.h>
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

void fm_progress_end(void) {
  if (pending) fputc('\n', stdout);
  pending = PETSC_FALSE;
  fflush(stdout);
}

/* Open MPI gives a rank a terminal of its own, wherever mpirun's output goes: there the parent
   is
   asked where its output goes. */
static PetscBool on_terminal(void) {
  char link[64], target[16] = "";

  if (!isatty(STDOUT_FILENO)) return PETSC_FALSE;
  if (!getenv("OMPI_COMM_WORLD_SIZE")) return PETSC_TRUE;
  snprintf(link, sizeof(link), "/proc/%ld/fd/1", (long)getppid());
  if (readlink(link, target, sizeof(target) - 1) < 0) return PETSC_FALSE;
  return !strncmp(target, "/dev/pts/", 9) || !strncmp(target, "/dev/tty", 8) ? PETSC_TRUE
                                                                             : PETSC_FALSE;
}

static void say(FILE *out, const char *prefix, const char *format, va_list words) {
  if (!speaks()) return;
  fm_progress_end();
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

static char kept[16384]; /* the warnings of this rank, one a line */

const char *fm_warnings(void) { return kept; }

static void keep(const char *format, va_list words) {
  const size_t used = strlen(kept), room = sizeof(kept) - used;
  const int length = vsnprintf(kept + used, room, format, words);

  if (length < 0 || (size_t)length + 2 > room)
    kept[used] = 0; /* no room: it is on the terminal alone */
  else
    strcat(kept, "\n");
}

void fm_warn(const char *format, ...) {
  va_list words;

  va_start(words, format);
  say(stderr, "warning: ", format, words);
  va_end(words);
  va_start(words, format);
  keep(format, words);
  va_end(words);
}

/* In one write, so that the ranks' lines do not tear each other. */
void fm_warn_anywhere(int most, const char *format, ...) {
  static int said = 0;
  char line[1024] = "warning: ";
  size_t used = strlen(line);
  const char *end;
  va_list words;

  if (said++ >= most) return;
  end = said == most ? " (further ones are counted only)\n" : "\n";
  va_start(words, format);
  vsnprintf(line + used, sizeof(line) - used - strlen(end), format, words);
  va_end(words);
  strcat(line, end);
  used = strlen(line);
  fm_progress_end();
  fflush(stderr);
  while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR) continue;
}

void fm_progress(double interval, PetscBool last, const char *format, ...) {
  static double before = -1e300;
  const double now = MPI_Wtime();
  PetscBool terminal;
  va_list words;

  if (!speaks() || (!last && now - before < PetscMin(0.1, interval))) return;
  terminal = on_terminal();
  if (!last && !terminal && now - before < interval) return;
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
