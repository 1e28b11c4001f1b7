/* Data: observed against predicted shots, traces, chi^2 a shot. */
#include "cli/report.h"
#include <math.h>

/* ---- a shot ---- */

/* [receiver][time] of shot k to [time][receiver] */
static void turn(const report_fit *f, const double *shot, double factor, double *image) {
  for (int64_t i = 0; i < f->receivers; i++)
    for (int64_t t = 0; t < f->samples; t++)
      image[t * f->receivers + i] = factor * shot[i * f->samples + t];
}

static PetscErrorCode panel(fm_text *s, const report_fit *f, const char *title,
                            const double *image) {
  const double dt = f->dt > 0 ? f->dt : 1;

  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "set title '%s'\n", title));
  PetscCall(fm_plot_image(s, f->samples, f->receivers, 1, 0, 1, dt, image));
  PetscCall(fm_text_print(s, "unset ylabel; set format y ''\n"));
  PetscFunctionReturn(0);
}

/* The share of its energy that the prediction leaves of a shot. */
static double left_over(const double *observed, const double *predicted, int64_t n) {
  double all = 0, left = 0;

  for (int64_t i = 0; i < n; i++) {
    const double e = observed[i] - predicted[i];

    all += observed[i] * observed[i];
    left += e * e;
  }
  return all > 0 ? left / all : (double)NAN;
}

/* One gain: what 99 % of the observed numbers stay below is full black or white. */
static PetscErrorCode gain_of(const double *v, int64_t n, double *factor) {
  double range[2] = {0, 0}, most;

  PetscFunctionBegin;
  PetscCall(fm_report_range(n, v, 0.01, range));
  most = PetscMax(range[1], -range[0]);
  if (!(most > 0)) {
    PetscCall(fm_report_range(n, v, 0, range));
    most = PetscMax(range[1], -range[0]);
  }
  *factor = most > 0 ? 1 / most : 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode shot_panels(fm_text *s, const report_fit *f, const double *observed,
                                  const double *predicted) {
  const int64_t size = f->receivers * f->samples;
  double *a, *b, factor, dt = f->dt > 0 ? f->dt : 1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(size, &a, size, &b));
  PetscCall(gain_of(observed, size, &factor));
  PetscCall(fm_plot_begin(s, 1600, 860));
  PetscCall(fm_plot_palette(s, FM_PALETTE_SEISMIC));
  PetscCall(fm_text_print(s,
                          "set multiplot layout 1,3 margins 0.085,0.985,0.115,0.92 spacing "
                          "0.02,0\nset cbrange [-1:1]; unset colorbox\nset xrange "
                          "[0.5:%.9g]\nset yrange [%.9g:0]\nset xlabel 'receiver'\nset ylabel "
                          "'%s'\n",
                          (double)f->receivers + 0.5, ((double)f->samples - 0.5) * dt,
                          f->dt > 0 ? "time [s]" : "sample"));
  turn(f, observed, factor, a);
  PetscCall(panel(s, f, "observed", a));
  turn(f, predicted, factor, b);
  PetscCall(panel(s, f, "predicted by the posterior mean", b));
  for (int64_t i = 0; i < size; i++) a[i] -= b[i];
  PetscCall(panel(s, f, "observed - predicted", a));
  PetscCall(PetscFree2(a, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode shot_figure(report *r, int64_t shot) {
  const report_fit *f = &r->fit;
  const int64_t size = f->receivers * f->samples;
  const double *observed = f->observed.v + shot * size;
  const double *predicted = f->predicted.v + shot * size;
  fm_text s = {0};

  PetscFunctionBegin;
  PetscCall(shot_panels(&s, f, observed, predicted));
  PetscCall(fm_report_figure(
      r, &s, "shot", "observed and predicted shot",
      "Shot %lld of %lld as observed, as predicted by the mean of the posterior, and their "
      "difference, with one gain (grey is 0): what is left, %.1f %% of the energy, should look "
      "like noise without arrivals.",
      (long long)shot + 1, (long long)f->shots, 100 * left_over(observed, predicted, size)));
  PetscFunctionReturn(0);
}

/* ---- traces ---- */

/* Near the source it is loudest; the far one is the receiver farthest from there that is not
   silent. */
static void near_and_far(const report_fit *f, const double *shot, int64_t pick[2]) {
  double most = -1;

  pick[0] = pick[1] = 0;
  for (int64_t i = 0; i < f->receivers; i++) {
    double energy = 0;

    for (int64_t t = 0; t < f->samples; t++)
      energy += shot[i * f->samples + t] * shot[i * f->samples + t];
    if (energy <= most) continue;
    most = energy;
    pick[0] = i;
  }
  pick[1] = pick[0] < f->receivers / 2 ? f->receivers - 1 : 0;
}

static PetscErrorCode trace_panel(fm_text *s, const report_fit *f, int64_t shot, int64_t trace,
                                  const char *where) {
  const double *o = f->observed.v + (shot * f->receivers + trace) * f->samples;
  const double *p = f->predicted.v + (shot * f->receivers + trace) * f->samples;
  double *c[4], *all, most = 0;

  PetscFunctionBegin;
  PetscCall(fm_calloc(4 * f->samples, &all));
  for (int k = 0; k < 4; k++) c[k] = all + k * f->samples;
  for (int64_t t = 0; t < f->samples; t++) most = PetscMax(most, fabs(o[t]));
  for (int64_t t = 0; t < f->samples; t++) {
    c[0][t] = (double)t * (f->dt > 0 ? f->dt : 1);
    c[1][t] = o[t] / (most > 0 ? most : 1);
    c[2][t] = p[t] / (most > 0 ? most : 1);
  }
  PetscCall(fm_plot_table(s, "t", f->samples, 3, (const double *const *)c));
  PetscCall(
      fm_text_print(s,
                    "set title '%s trace, receiver %lld'\nplot $t using 1:2 with lines lw "
                    "1.6 lc rgb '#333333' title 'observed', $t using 1:3 with lines lw 1 "
                    "lc rgb '" FM_PLOT_ORANGE "' title 'predicted'\nunset key\n",
                    where, (long long)trace + 1));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode trace_figure(report *r, int64_t shot) {
  const report_fit *f = &r->fit;
  int64_t pick[2];
  fm_text s = {0};

  PetscFunctionBegin;
  near_and_far(f, f->observed.v + shot * f->receivers * f->samples, pick);
  PetscCall(fm_plot_begin(&s, 1600, f->receivers > 1 ? 860 : 470));
  PetscCall(fm_text_print(&s,
                          "set multiplot layout %d,1 margins 0.085,0.985,%s,0.93 spacing "
                          "0,0.19\nset grid lc rgb '#dddddd' lw 0.5; set border 3\nset xrange "
                          "[0:%.9g]\nset xlabel '%s'; set ylabel 'amplitude'\n",
                          f->receivers > 1 ? 2 : 1, f->receivers > 1 ? "0.11" : "0.19",
                          (double)(f->samples - 1) * (f->dt > 0 ? f->dt : 1),
                          f->dt > 0 ? "time [s]" : "sample"));
  PetscCall(trace_panel(&s, f, shot, pick[0], "near"));
  if (f->receivers > 1) PetscCall(trace_panel(&s, f, shot, pick[1], "far"));
  PetscCall(fm_report_figure(
      r, &s, "traces", "observed and predicted traces",
      "The loudest trace of shot %lld and the one farthest from it, observed and predicted, "
      "each divided by its observed maximum: arrivals that are off by more than half a period "
      "are skipped cycles.",
      (long long)shot + 1));
  PetscFunctionReturn(0);
}

/* ---- chi^2 ---- */

/* columns: shot, chi^2 of the samples, of the mean model, half width of what noise does */
static PetscErrorCode chi2_table(fm_text *s, const report_fit *f, int64_t n) {
  double *all, *c[4];

  PetscFunctionBegin;
  PetscCall(fm_calloc(4 * n, &all));
  for (int k = 0; k < 4; k++) c[k] = all + k * n;
  for (int64_t i = 0; i < n; i++) {
    c[0][i] = (double)i + 1;
    c[1][i] = f->chi2.count == n ? f->chi2.v[i] : (double)NAN;
    c[2][i] = f->chi2_mean_model.count == n ? f->chi2_mean_model.v[i] : (double)NAN;
    c[3][i] = f->chi2_data.count == n ? 3 * sqrt(2 / f->chi2_data.v[i]) : 0;
  }
  PetscCall(fm_plot_table(s, "c", n, 4, (const double *const *)c));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode chi2_script(fm_text *s, const report_fit *f, int64_t n) {
  double top = 1.2;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    if (f->chi2.count == n && isfinite(f->chi2.v[i])) top = PetscMax(top, 1.1 * f->chi2.v[i]);
    if (f->chi2_mean_model.count == n && isfinite(f->chi2_mean_model.v[i]))
      top = PetscMax(top, 1.1 * f->chi2_mean_model.v[i]);
  }
  PetscCall(fm_plot_begin(s, 1000, 600));
  PetscCall(chi2_table(s, f, n));
  PetscCall(fm_plot_margins(s, 0.15, 0.96, 0.165, 0.88));
  PetscCall(
      fm_text_print(s,
                    "set grid y lc rgb '#dddddd' lw 0.5; set border 3\nset xrange "
                    "[0.4:%.9g]; set yrange [0:%.9g]; set xtics 1,%d\nset xlabel 'shot'; set "
                    "ylabel '\xcf\x87\xc2\xb2 / data'\nset key at graph 1, graph 1.14 "
                    "right top maxrows 1\nset arrow 1 from graph 0, first 1 to graph 1, "
                    "first 1 nohead lw 1 lc rgb '" FM_PLOT_TRUTH "' front\n",
                    (double)n + 0.6, top, (int)((n + 11) / 12)));
  PetscCall(fm_text_print(s, "plot $c using 1:2:(0.7) with boxes fs solid 0.8 noborder lc rgb "
                             "'" FM_PLOT_BLUE "' title 'samples'"));
  if (f->chi2_data.count == n)
    PetscCall(fm_text_print(s, ", $c using 1:(1):(0.5):4 with boxxyerror fs transparent solid "
                               "0.25 noborder lc rgb '" FM_PLOT_TRUTH "'"));
  if (f->chi2_mean_model.count == n)
    PetscCall(fm_text_print(s, ", $c using 1:3 with points pt 7 ps 1.1 lc rgb '" FM_PLOT_ORANGE
                               "' title 'posterior mean'"));
  PetscCall(fm_text_print(s, "\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode chi2_figure(report *r) {
  const report_fit *f = &r->fit;
  const int64_t n = f->chi2.count ? f->chi2.count : f->chi2_mean_model.count;
  fm_text s = {0};

  PetscFunctionBegin;
  if (n < 2) PetscFunctionReturn(0); /* one number stands among the key results */
  PetscCall(chi2_script(&s, f, n));
  PetscCall(fm_report_figure(
      r, &s, "chi2", "chi-squared a shot",
      "\xcf\x87\xc2\xb2 of each shot over its number of data, bars the mean over posterior "
      "samples: 1 (red) is a misfit as large as the noise that was assumed%s; well above it "
      "the model or the noise level is wrong, well below it the noise was fitted.",
      f->chi2_data.count == n ? ", pale red three standard deviations of what noise does"
                              : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_fit_figures(report *r) {
  const int64_t shot = r->fit.shots / 2;

  PetscFunctionBegin;
  fm_report_section(r, "Fit of the data");
  if (r->fit.shots && r->fit.samples > 1) {
    if (r->fit.receivers > 1) PetscCall(shot_figure(r, shot));
    PetscCall(trace_figure(r, shot));
  }
  PetscCall(chi2_figure(r));
  PetscFunctionReturn(0);
}
