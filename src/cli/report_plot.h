/* Figures by gnuplot: a script with its data is its standard input, the PNG file its standard
   output. All functions are for one rank. */
#ifndef FATHOM_REPORT_PLOT_H
#define FATHOM_REPORT_PLOT_H

#include "cli/report_text.h"

typedef enum fm_plot_outcome {
  FM_PLOT_DRAWN,
  FM_PLOT_NO_GNUPLOT,
  FM_PLOT_FAILED
} fm_plot_outcome;

/* Colours of figures; the palettes are uniform to the eye. */
typedef enum fm_palette {
  FM_PALETTE_VELOCITY, /* viridis */
  FM_PALETTE_STD,      /* inferno */
  FM_PALETTE_SHARE,    /* cividis */
  FM_PALETTE_SIGNED,   /* blue, white, red */
  FM_PALETTE_SEISMIC   /* black, white */
} fm_palette;

#define FM_PLOT_BLUE "#1f5fa8"
#define FM_PLOT_ORANGE "#d95f02"
#define FM_PLOT_GREY "#777777"
#define FM_PLOT_TRUTH "#c00000"

/* fm_plot_there - can gnuplot draw PNG files here? */
fm_plot_outcome fm_plot_there(void);
/* fm_plot_begin - the head of a script: size in pixels, fonts, frame. */
PetscErrorCode fm_plot_begin(fm_text *script, int width, int height);
PetscErrorCode fm_plot_palette(fm_text *script, fm_palette palette);
/* fm_plot_mark - the step of an axis: 1, 2 or 5 times a power of ten, so that a mark has `each`
   of the axis' pixels at least, but for two marks. */
double fm_plot_mark(double extent, double pixels, double each);
/* fm_plot_margins - the frame of the next plot, in shares of the picture. */
PetscErrorCode fm_plot_margins(fm_text *script, double left, double right, double bottom,
                               double top);
/* fm_plot_legend - within a multiplot, a strip along the top for a plot that has nothing but
   names (of NaN), and its end. */
PetscErrorCode fm_plot_legend(fm_text *script, PetscBool begin);
/* fm_plot_words - words as a quoted string of gnuplot; of what a file says, characters that
   mean something to gnuplot become question marks. */
PetscErrorCode fm_plot_words(fm_text *script, const char *words);
/* fm_plot_table - the data block $NAME of `n` rows with the given columns. */
PetscErrorCode fm_plot_table(fm_text *script, const char *name, int64_t n, int columns,
                             const double *const *column);
/* fm_plot_image - the end of a plot command: 'plot ... ' has been written, or nothing; v
   [rows][columns], its first row on top, pixel [0][0] at (x0, y0), is plotted with image. */
PetscErrorCode fm_plot_image(fm_text *script, int64_t rows, int64_t columns, double x0,
                             double y0, double dx, double dy, const double *v);
/* fm_plot_run - draw it to `path`, whole or not at all; `words` says what gnuplot says. */
fm_plot_outcome fm_plot_run(const fm_text *script, const char *path, char words[256]);

#endif
