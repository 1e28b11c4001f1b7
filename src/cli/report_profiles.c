/* Lines through the model, and the marginals of unknowns that are no image. */
#include "cli/report.h"
#include <math.h>

#define P10 1.2815515655446004 /* standard deviations to the 10th percentile of a Gaussian */

/* ---- profiles ---- */

/* low and high edge of a band at each depth, as one closed line: down along low, up along high
 */
static PetscErrorCode band(fm_text *s, const char *name, int which, int64_t n, const double *z,
                           const double *low, const double *high) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "$%s%d << EOD\n", name, which));
  for (int64_t i = 0; i < 2 * n; i++) {
    const int64_t k = i < n ? i : 2 * n - 1 - i;

    if (isfinite(low[k]) && isfinite(high[k]))
      PetscCall(fm_text_print(s, "%.9g %.9g\n", i < n ? low[k] : high[k], z[k]));
  }
  PetscCall(fm_text_print(s, "EOD\n"));
  PetscFunctionReturn(0);
}

enum { DEPTH, TRUTH, MEAN, LOW, HIGH, PRIOR, PRIOR_LOW, PRIOR_HIGH, PROFILE };

static double at_or_nan(const report_array *a, int64_t i) {
  return a->count ? a->v[i] : (double)NAN;
}

static PetscErrorCode profile_tables(fm_text *s, const report_maps *m, const report_frame *f,
                                     int which, int64_t column, double range[2]) {
  double *all, *c[PROFILE];
  const char name[] = {'p', (char)('0' + which), 0};

  PetscFunctionBegin;
  PetscCall(fm_calloc(PROFILE * m->rows, &all));
  for (int k = 0; k < PROFILE; k++) c[k] = all + k * m->rows;
  for (int64_t i = 0; i < m->rows; i++) {
    const int64_t at = i * m->columns + column;
    const double spread = P10 * at_or_nan(&m->std, at);
    const double wide = P10 * at_or_nan(&m->prior_std, at);

    c[DEPTH][i] = (double)i * m->dz / f->length;
    c[TRUTH][i] = at_or_nan(&m->truth, at) / f->value;
    c[MEAN][i] = m->mean.v[at] / f->value;
    c[LOW][i] = (m->p10.count ? m->p10.v[at] : m->mean.v[at] - spread) / f->value;
    c[HIGH][i] = (m->p90.count ? m->p90.v[at] : m->mean.v[at] + spread) / f->value;
    c[PRIOR][i] = at_or_nan(&m->prior_mean, at) / f->value;
    c[PRIOR_LOW][i] = c[PRIOR][i] - wide / f->value;
    c[PRIOR_HIGH][i] = c[PRIOR][i] + wide / f->value;
  }
  PetscCall(fm_plot_table(s, name, m->rows, PROFILE, (const double *const *)c));
  PetscCall(band(s, "post", which, m->rows, c[DEPTH], c[LOW], c[HIGH]));
  PetscCall(band(s, "prior", which, m->rows, c[DEPTH], c[PRIOR_LOW], c[PRIOR_HIGH]));
  PetscCall(fm_report_range((PROFILE - 1) * m->rows, all + m->rows, 0, range));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* Bands and lines of column k, or their names for the legend: of data that there are. */
static PetscErrorCode profile_layers(fm_text *s, const report_maps *m, int k,
                                     PetscBool legend) {
  const PetscBool prior = m->prior_mean.count ? PETSC_TRUE : PETSC_FALSE;
  const struct {
    PetscBool there;
    const char *table, *using, *look, *title;
  } layer[] = {
      {prior && m->prior_std.count, "prior", "1:2",
       "filledcurves closed fs solid noborder lc rgb '#e0e0e0'", "prior P10-P90"},
      {PETSC_TRUE, "post", "1:2", "filledcurves closed fs solid noborder lc rgb '#a8c4e6'",
       "posterior P10-P90"},
      {prior, "p", "6:1", "lines dt 2 lw 1.2 lc rgb '" FM_PLOT_GREY "'", "prior mean"},
      {PETSC_TRUE, "p", "3:1", "lines lw 1.4 lc rgb '" FM_PLOT_BLUE "'", "posterior mean"},
      {m->truth.count > 0, "p", "2:1", "lines lw 1.2 lc rgb '" FM_PLOT_TRUTH "'", "truth"}};
  const char *join = "plot ";

  PetscFunctionBegin;
  for (int i = 0; i < 5; i++) {
    if (!layer[i].there) continue;
    if (legend)
      PetscCall(fm_text_print(
          s, "%sNaN with %s%s title '%s'", join, i < 2 ? "filledcurves y1=0 " : "",
          layer[i].look + (i < 2 ? strlen("filledcurves closed ") : 0), layer[i].title));
    else
      PetscCall(fm_text_print(s, "%s$%s%d using %s with %s", join, layer[i].table, k,
                              layer[i].using, layer[i].look));
    join = ", ";
  }
  PetscCall(fm_text_print(s, "\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode profile_frame(fm_text *s, const report_maps *m, const report_frame *f,
                                    const double range[2]) {
  const double room = 0.04 * PetscMax(range[1] - range[0], 1e-6 + 1e-6 * fabs(range[1]));
  const char *what = strstr(m->unit, "/s") ? "velocity" : "model";
  char label[96];

  PetscFunctionBegin;
  PetscCall(
      PetscSNPrintf(label, sizeof(label), f->unit[0] ? "%s [%s]" : "%s%s", what, f->unit));
  PetscCall(fm_text_print(s,
                          "set grid lc rgb '#dddddd' lw 0.5\nset yrange [%.9g:0]\nset xrange "
                          "[%.9g:%.9g]\nset ylabel 'depth [%s]'\nset xlabel ",
                          ((double)m->rows - 1) * m->dz / f->length, range[0] - room,
                          range[1] + room, f->length_unit));
  PetscCall(fm_plot_words(s, label));
  PetscCall(fm_text_print(s, "\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode profile_panels(fm_text *s, const report_maps *m, const report_frame *f,
                                     const int64_t column[3], const double range[2]) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "set multiplot\n"));
  PetscCall(fm_plot_legend(s, PETSC_TRUE));
  PetscCall(profile_layers(s, m, 0, PETSC_TRUE));
  PetscCall(fm_plot_legend(s, PETSC_FALSE));
  PetscCall(profile_frame(s, m, f, range));
  for (int k = 0; k < 3; k++) {
    PetscCall(fm_plot_margins(s, 0.085 + 0.305 * k, 0.37 + 0.305 * k, 0.12, 0.84));
    PetscCall(fm_text_print(s, "set title 'x = %.4g %s'\n",
                            (double)column[k] * m->dx / f->length, f->length_unit));
    PetscCall(profile_layers(s, m, k, PETSC_FALSE));
    PetscCall(fm_text_print(s, "unset ylabel; set format y ''\n"));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_profiles(report *r) {
  const report_maps *m = &r->maps;
  const report_frame f = fm_report_frame(m);
  double range[2] = {INFINITY, -INFINITY};
  int64_t column[3];
  fm_text s = {0};

  PetscFunctionBegin;
  if (!m->std.count && !(m->p10.count && m->p90.count)) PetscFunctionReturn(0);
  fm_report_section(r, "Vertical profiles");
  PetscCall(fm_plot_begin(&s, 1600, 800));
  for (int k = 0; k < 3; k++) column[k] = (k + 1) * (m->columns - 1) / 4;
  for (int k = 0; k < 3; k++) PetscCall(profile_tables(&s, m, &f, k, column[k], range));
  PetscCall(profile_panels(&s, m, &f, column, range));
  PetscCall(fm_report_figure(
      r, &s, "profiles", "vertical profiles with bands",
      "The model along three vertical lines: eight of ten models that fit the data lie in the "
      "blue band, eight of ten of the prior in the grey one%s; where blue is as wide as grey, "
      "the data say nothing.%s",
      m->truth.count ? ", and so should the red truth, at eight depths of ten" : "",
      m->p10.count && m->p90.count ? ""
                                   : " The bands are 1.28 standard deviations about the "
                                     "mean, as of a Gaussian."));
  PetscFunctionReturn(0);
}

/* ---- marginals ---- */

#define BINS 40

static PetscErrorCode histogram(fm_text *s, const report_array *x, int64_t i, double range[2]) {
  const int64_t n = x->shape[0], stride = x->shape[1];
  double *v, centre[BINS], share[BINS] = {0}, width;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n, &v));
  for (int64_t k = 0; k < n; k++) v[k] = x->v[k * stride + i];
  range[0] = INFINITY;
  range[1] = -INFINITY;
  PetscCall(fm_report_range(n, v, 0.002, range));
  if (!(range[1] > range[0])) range[0] -= 0.5, range[1] = range[0] + 1;
  width = (range[1] - range[0]) / BINS;
  for (int64_t k = 0; k < n; k++) {
    const double at = floor((v[k] - range[0]) / width);

    if (at >= 0 && at < BINS) share[(int)at] += 1 / ((double)n * width);
  }
  for (int k = 0; k < BINS; k++) centre[k] = range[0] + (k + 0.5) * width;
  PetscCall(fm_text_print(s, "w = %.9g\n", width));
  PetscCall(fm_plot_table(s, "h", BINS, 2, (const double *const[]){centre, share}));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode marginal_panel(fm_text *s, const report *r, int64_t i) {
  const report_array *truth = &r->maps.truth;
  double range[2];

  PetscFunctionBegin;
  PetscCall(histogram(s, &r->x, i, range));
  if (truth->count == r->x.shape[1]) {
    range[0] = PetscMin(range[0], truth->v[i]);
    range[1] = PetscMax(range[1], truth->v[i]);
    PetscCall(
        fm_text_print(s,
                      "set arrow 1 from first %.9g, graph 0 to first %.9g, graph 1 nohead "
                      "lw 1.2 lc rgb '" FM_PLOT_TRUTH "' front\n",
                      truth->v[i], truth->v[i]));
  }
  PetscCall(fm_text_print(s,
                          "set xlabel 'unknown %lld'; set xtics %.9g\nset xrange "
                          "[%.9g:%.9g]\n"
                          "plot $h using 1:2:(w) with boxes fs solid 0.75 noborder lc rgb "
                          "'" FM_PLOT_BLUE "'\n",
                          (long long)i + 1, fm_plot_mark(range[1] - range[0], 350, 85),
                          range[0] - 0.02 * (range[1] - range[0]),
                          range[1] + 0.02 * (range[1] - range[0])));
  PetscFunctionReturn(0);
}

static PetscErrorCode scatter(report *r) {
  const int64_t n = PetscMin(4000, r->x.shape[0]), stride = r->x.shape[1];
  const report_array *truth = &r->maps.truth;
  double *a, *b;
  fm_text s = {0};

  PetscFunctionBegin;
  if (stride < 2) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(n, &a, n, &b));
  for (int64_t k = 0; k < n; k++) {
    a[k] = r->x.v[k * stride];
    b[k] = r->x.v[k * stride + 1];
  }
  PetscCall(fm_plot_begin(&s, 1000, 760));
  PetscCall(fm_plot_table(&s, "x", n, 2, (const double *const[]){a, b}));
  PetscCall(PetscFree2(a, b));
  PetscCall(fm_text_print(&s, "set grid lc rgb '#dddddd' lw 0.5; set xlabel 'unknown 1'; set "
                              "ylabel 'unknown 2'\nplot $x using 1:2 with points pt 7 ps 0.5 "
                              "lc rgb '#801f5fa8'"));
  if (truth->count == stride)
    PetscCall(fm_text_print(&s,
                            ", '+' using (%.9g):(%.9g) every ::0::0 with points pt 2 ps 2 lw 2 "
                            "lc rgb '" FM_PLOT_TRUTH "' title 'truth'",
                            truth->v[0], truth->v[1]));
  PetscCall(fm_text_print(&s, "\n"));
  PetscCall(
      fm_report_figure(r, &s, "pair", "samples of the first two unknowns",
                       "The first two unknowns of %lld posterior samples, each a point: a "
                       "slope is a trade-off that the data do not resolve.",
                       (long long)n));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_marginals(report *r) {
  const int64_t n = r->x.count ? r->x.shape[1] : 0;
  const int across = n <= 4 ? (int)n : 4, down = n ? (int)((n + across - 1) / across) : 0;
  fm_text s = {0};

  PetscFunctionBegin;
  if (!n) PetscFunctionReturn(0);
  fm_report_section(r, "Marginals of the posterior");
  PetscCall(fm_plot_begin(&s, n == 1 ? 1000 : 1600, 120 + 400 * down));
  PetscCall(fm_text_print(
      &s, "set multiplot layout %d,%d\nset border 1; unset ytics\nset yrange [0:*]\n", down,
      across));
  for (int64_t i = 0; i < n; i++) PetscCall(marginal_panel(&s, r, i));
  PetscCall(fm_report_figure(
      r, &s, "marginals", "histograms of the unknowns",
      "Histograms of %lld posterior samples, an unknown a panel%s.", (long long)r->x.shape[0],
      r->maps.truth.count == n ? "; the red line is the truth, which should lie where there "
                                 "are samples"
                               : ", in its own unit"));
  PetscCall(scatter(r));
  PetscFunctionReturn(0);
}
