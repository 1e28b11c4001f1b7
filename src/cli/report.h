/* What `fathom report` has read, and the page that it writes. Reading is collective on world
   and gives every rank the same; drawing and writing is rank 0's alone. */
#ifndef FATHOM_REPORT_H
#define FATHOM_REPORT_H

#include "cli/report_plot.h"
#include "fathom/command.h"

/* numbers of a file; count 0: it has none */
typedef struct report_array {
  int ndim;
  int64_t shape[FM_STORE_NDIM], count;
  double *v;
} report_array;

/* the folders, in the order of a chain */
typedef enum report_from {
  REPORT_SIMULATE,
  REPORT_PRETRAIN,
  REPORT_SCRATCH,
  REPORT_REFINE,
  REPORT_SAMPLES,
  REPORT_EVALUATE,
  REPORT_CALIBRATE,
  REPORT_FOLDERS
} report_from;

#define REPORT_LEDGER 9 /* F, J, J^T: useful, diagnostic, spent */

/* one line of results.tsv */
typedef struct report_result {
  char name[64], unit[24];
  double value;
} report_result;

typedef struct report_run {
  const char *name, *folder; /* folder "": not given */
  fm_text settings, warnings;
  int nresult;
  report_result *result;
  PetscBool trained; /* it has a checkpoint, and so */
  int64_t unknowns, ledger[REPORT_LEDGER];
  report_array solves, kl, kl_se, step, objective, validation, validation_se;
} report_run;

/* the model of an unknown at the nodes of a grid */
typedef struct report_maps {
  int64_t rows, columns; /* 0: the unknown is no image */
  double dz, dx;         /* m; 1 where it is not said */
  PetscBool spaced;      /* it is said */
  char unit[32];
  report_array mean, std, p10, p50, p90, prior_mean, prior_std, truth;
  report_array samples; /* [few][rows][columns] */
} report_maps;

/* how the grid and its values are shown */
typedef struct report_frame {
  double length; /* metres (or nodes) of a unit of the axes */
  const char *length_unit;
  double value;      /* what values are divided by */
  char unit[40];     /* of values, divided so; "": not known */
  char unit_std[40]; /* a standard deviation is not divided */
} report_frame;

typedef struct report_fit {
  int64_t shots, receivers, samples; /* 0: not said */
  double dt;
  report_array observed, predicted, chi2, chi2_mean_model, chi2_data;
} report_fit;

/* of models whose truth is known, each refined */
typedef struct report_trust {
  report_array z, rank; /* [models][...] */
  double draws;         /* a rank is 0 .. draws; 0: not said */
  char problem[256];    /* that they are of, in a line; "": not said */
} report_trust;

typedef struct report {
  fm_run *run;
  report_run from[REPORT_FOLDERS];
  report_maps maps;
  report_array x; /* [samples][n] of few unknowns */
  report_fit fit;
  report_trust trust;
  fm_text verdict;
  /* the page */
  fm_text page, missing; /* missing: HTML list items */
  const char *section;   /* a heading that waits for its first content */
  fm_plot_outcome gnuplot;
  int figures;
  char fault[512]; /* a file that cannot be written; "": none */
} report;

/* ---- reading (report_read.c): collective on world ---- */

PetscErrorCode fm_report_read(report *r);
PetscErrorCode fm_report_clear(report *r);
/* fm_report_array_read - a dataset of numbers of 1 to 4 dimensions and at most `most` entries;
   none where there is no such thing. `rows` > 0: its first so many rows alone. */
PetscErrorCode fm_report_array_read(fm_store *store, const char *name, int64_t most,
                                    int64_t rows, report_array *array);
/* fm_report_real_read - an attribute, or `standard`. */
PetscErrorCode fm_report_real_read(fm_store *store, const char *object, const char *name,
                                   double standard, double *value);
PetscErrorCode fm_report_read_model(report *r);
PetscErrorCode fm_report_read_fit(report *r);
PetscErrorCode fm_report_read_trust(report *r); /* report_trust.c */
/* fm_report_missing - a sentence of what is not on the page. Not collective. */
PetscErrorCode fm_report_missing(report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* fm_report_open - NAME of a folder that is given, for reading; NULL: it is not there. */
PetscErrorCode fm_report_open(report *r, report_from from, const char *name, fm_store **store);
/* fm_report_result - a figure of results.tsv; NaN: none. Rank 0 alone. */
double fm_report_result(const report *r, report_from from, const char *name);

/* ---- the page: rank 0 alone ---- */

/* fm_report_section - a heading, which appears with its first content. */
void fm_report_section(report *r, const char *title);
/* fm_report_begin_content - write the heading that waits. */
PetscErrorCode fm_report_begin_content(report *r);
/* fm_report_figure - draw `script` to OUT/NAME.png and put it into the page; the script is
   cleared. `what` is for those who do not see it. */
PetscErrorCode fm_report_figure(report *r, fm_text *script, const char *name, const char *what,
                                const char *caption, ...) __attribute__((format(printf, 5, 6)));
PetscErrorCode fm_report_grid(report *r, PetscBool begin);
PetscErrorCode fm_report_write(report *r, const char *title);
PetscErrorCode fm_report_tables(report *r);
PetscErrorCode fm_report_key_results(report *r);
PetscErrorCode fm_report_warnings(report *r, fm_text *page);

PetscErrorCode fm_report_curves(report *r);       /* J against solves, losses */
PetscErrorCode fm_report_maps_figures(report *r); /* maps, samples, profiles */
PetscErrorCode fm_report_profiles(report *r);
report_frame fm_report_frame(const report_maps *maps);
PetscErrorCode fm_report_marginals(report *r);   /* unknowns that are no image */
PetscErrorCode fm_report_fit_figures(report *r); /* shots, traces, chi^2 */
PetscErrorCode fm_report_trust_figures(report *r);

/* ---- numbers ---- */

/* fm_report_range - [low, high] widened to the p and 1-p quantiles of the finite values. */
PetscErrorCode fm_report_range(int64_t n, const double *v, double p, double range[2]);

#endif
