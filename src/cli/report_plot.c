#include "cli/report_plot.h"
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- running gnuplot ---- */

/* 0: ended well; -1: there is no such program; else something went wrong */
static int spawn(const char *const *argument, FILE *in, FILE *out, FILE *error) {
  posix_spawn_file_actions_t actions;
  int failed, status = 0;
  pid_t child;

  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(out), 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(error), 2);
  failed = posix_spawnp(&child, argument[0], &actions, NULL, (char *const *)argument, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return failed == ENOENT ? -1 : failed;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return status;
}

/* What gnuplot complained of, its last sentence: "... line 12: words". */
static void complaint(FILE *error, char words[256]) {
  char all[4096], *at = all, *next;
  size_t n;

  rewind(error);
  n = fread(all, 1, sizeof(all) - 1, error);
  all[n] = 0;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)all[i] < 0x20) all[i] = ' ';
  while (n && (next = strstr(at + 1, " line "))) at = next;
  snprintf(words, 256, "%.250s", n ? at : "");
}

static PetscBool is_png(const fm_text *png) {
  return png->used > 100 && !memcmp(png->v, "\x89PNG\r\n\x1a\n", 8) &&
                 !memcmp(png->v + png->used - 8, "IEND", 4)
             ? PETSC_TRUE
             : PETSC_FALSE;
}

static PetscErrorCode read_all(FILE *file, fm_text *text) {
  char block[4096];
  size_t got;

  PetscFunctionBegin;
  rewind(file);
  PetscCall(fm_text_add(text, 0, ""));
  while ((got = fread(block, 1, sizeof(block), file)) > 0)
    PetscCall(fm_text_add(text, got, block));
  PetscFunctionReturn(0);
}

/* a picture that gnuplot says nothing against, to its place */
static fm_plot_outcome keep(FILE *out, int status, const char *path, char words[256]) {
  fm_plot_outcome outcome = FM_PLOT_FAILED;
  fm_text png = {0};
  int error = 0;

  if (read_all(out, &png) || status || !is_png(&png)) {
    if (!words[0]) snprintf(words, 256, "gnuplot ended with status %d", status);
  } else if (path && (error = fm_text_save(path, png.used, png.v)))
    snprintf(words, 256, "cannot write '%.180s': %s", path, strerror(error));
  else
    outcome = FM_PLOT_DRAWN;
  (void)fm_text_clear(&png);
  return outcome;
}

static fm_plot_outcome draw(const fm_text *script, FILE *in, FILE *out, FILE *error,
                            const char *path, char words[256]) {
  static const char *const gnuplot[] = {"gnuplot", "-d", NULL}; /* -d: nobody's own settings */
  int status;

  if (fwrite(script->v, 1, script->used, in) != script->used || fflush(in)) {
    snprintf(words, 256, "cannot write a temporary file: %s", strerror(errno));
    return FM_PLOT_FAILED;
  }
  rewind(in);
  status = spawn(gnuplot, in, out, error);
  if (status == -1) return FM_PLOT_NO_GNUPLOT;
  complaint(error, words);
  return keep(out, status, path, words);
}

fm_plot_outcome fm_plot_run(const fm_text *script, const char *path, char words[256]) {
  FILE *file[3] = {tmpfile(), tmpfile(), tmpfile()};
  fm_plot_outcome outcome = FM_PLOT_FAILED;

  words[0] = 0;
  if (file[0] && file[1] && file[2])
    outcome = draw(script, file[0], file[1], file[2], path, words);
  else
    snprintf(words, 256, "cannot make a temporary file: %s", strerror(errno));
  for (int i = 0; i < 3; i++)
    if (file[i]) fclose(file[i]);
  return outcome;
}

fm_plot_outcome fm_plot_there(void) {
  fm_plot_outcome outcome = FM_PLOT_FAILED;
  fm_text script = {0};
  char words[256];

  if (!fm_plot_begin(&script, 100, 100) && !fm_text_print(&script, "plot 0\n"))
    outcome = fm_plot_run(&script, NULL, words);
  (void)fm_text_clear(&script);
  return outcome;
}

/* ---- scripts ---- */

PetscErrorCode fm_plot_begin(fm_text *s, int width, int height) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s,
                          "set terminal pngcairo size %d,%d font 'Sans,19' linewidth 2 "
                          "background '#ffffff'\n",
                          width, height));
  PetscCall(fm_text_print(s, "set border lw 0.6 lc rgb '#555555'; set tics nomirror out scale "
                             "0.5; set key noautotitle samplen 1.6 spacing 1.1\n"
                             "set datafile missing 'nan'; set format '%%g'\n"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_plot_palette(fm_text *s, fm_palette palette) {
  static const char *const colours[] = {
      /* viridis, inferno and cividis of matplotlib (CC0) at ten places; ColorBrewer's RdBu */
      "#440154 #482878 #3e4989 #31688e #26828e #1f9e89 #35b779 #6ece58 #b5de2b #fde725",
      "#000004 #1b0c41 #4a0c6b #781c6d #a52c60 #cf4446 #ed6925 #fb9b06 #f7d13d #fcffa4",
      "#00224e #123570 #3b496c #575d6d #707173 #8a8678 #a59c74 #c3b369 #e1cc55 #fee838",
      "#053061 #2166ac #4393c3 #92c5de #d1e5f0 #f7f7f7 #fddbc7 #f4a582 #d6604d #b2182b #67001f",
      "#000000 #808080 #ffffff"};
  const char *c = colours[palette];

  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "set palette defined ("));
  for (int i = 0; *c; i++) {
    PetscCall(fm_text_print(s, "%s%d '%.7s'", i ? ", " : "", i, c));
    c += c[7] ? 8 : 7;
  }
  PetscCall(fm_text_print(s, ")\n"));
  PetscFunctionReturn(0);
}

double fm_plot_mark(double extent, double pixels, double each) {
  const double parts = floor(pixels / each), least = extent / PetscMax(2, parts);
  const double ten = pow(10, floor(log10(least)));
  const double times = least / ten;

  if (times > 2 && 5 * ten >= extent) return 2 * ten; /* rather too many than one */
  return ten * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

PetscErrorCode fm_plot_margins(fm_text *s, double left, double right, double bottom,
                               double top) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s,
                          "set lmargin at screen %.6f; set rmargin at screen %.6f\n"
                          "set bmargin at screen %.6f; set tmargin at screen %.6f\n",
                          left, right, bottom, top));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_plot_legend(fm_text *s, PetscBool begin) {
  PetscFunctionBegin;
  if (!begin) {
    PetscCall(fm_text_print(s, "unset key; set border 31 lw 0.6 lc rgb '#555555'\n"
                               "set tics out scale 0.5; set xtics nomirror; set ytics "
                               "nomirror\n"));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_plot_margins(s, 0.02, 0.98, 0.915, 0.99));
  PetscCall(fm_text_print(s, "unset border; unset tics; set xrange [0:1]; set yrange [0:1]\n"
                             "set key horizontal center center maxcols 8\n"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_plot_words(fm_text *s, const char *words) {
  PetscFunctionBegin;
  PetscCall(fm_text_add(s, 1, "'"));
  for (const char *c = words; *c; c++) {
    const PetscBool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                                    strchr("0123456789 .,:;+-*/()=[]<>", *c)
                                ? PETSC_TRUE
                                : PETSC_FALSE;

    PetscCall(fm_text_add(s, 1, plain ? c : "?"));
  }
  PetscCall(fm_text_add(s, 1, "'"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_plot_table(fm_text *s, const char *name, int64_t n, int columns,
                             const double *const *column) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "$%s << EOD\n", name));
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < columns; k++) {
      const char end = k == columns - 1 ? '\n' : ' ';

      if (isfinite(column[k][i]))
        PetscCall(fm_text_print(s, "%.9g%c", column[k][i], end));
      else
        PetscCall(fm_text_print(s, "nan%c", end));
    }
  PetscCall(fm_text_print(s, "EOD\n"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_plot_image(fm_text *s, int64_t rows, int64_t columns, double x0, double y0,
                             double dx, double dy, const double *v) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s,
                          "plot '-' binary array=(%lld,%lld) format='%%float64' "
                          "origin=(%.9g,%.9g) dx=%.9g dy=%.9g with image\n",
                          (long long)columns, (long long)rows, x0, y0, dx, dy));
  PetscCall(fm_text_add(s, (size_t)(rows * columns) * sizeof(double), v));
  PetscCall(fm_text_print(s, "\n"));
  PetscFunctionReturn(0);
}
