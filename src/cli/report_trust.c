/* Calibration: z-scores, ranks and coverage over models whose truth is known. */
#include "cli/report.h"
#include <math.h>

#define Z_BINS 32 /* of [-4, 4] */
#define RANK_BINS 20
#define LEVELS 41 /* of coverage, 0 to 1 */
#define MODELS 64 /* whose own coverage is drawn */

PetscErrorCode fm_report_read_trust(report *r) {
  report_trust *t = &r->trust;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_report_open(r, REPORT_CALIBRATE, "calibration.h5", &store));
  if (!store) PetscFunctionReturn(0);
  PetscCall(fm_report_array_read(store, "/z", 0, 0, &t->z));
  PetscCall(fm_report_array_read(store, "/rank", 0, 0, &t->rank));
  if (t->rank.count) PetscCall(fm_report_real_read(store, "/rank", "draws", 0, &t->draws));
  if (t->rank.ndim != 2 || !(t->draws >= 1)) t->rank.count = 0;
  if (t->z.ndim != 2) t->z.count = 0;
  PetscCall(fm_store_has_attribute(store, "/", "problem", &has));
  if (has) PetscCall(fm_store_get_text(store, "/", "problem", t->problem, sizeof(t->problem)));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* Densities of numbers in equal bins of [low, high]; those outside count for the whole alone.
 */
static void density(const report_array *a, double scale, double shift, double low, double high,
                    int bins, double *centre, double *share) {
  const double width = (high - low) / bins;
  double known = 0;

  for (int k = 0; k < bins; k++) {
    centre[k] = low + (k + 0.5) * width;
    share[k] = 0;
  }
  for (int64_t i = 0; i < a->count; i++) {
    const double at = floor(((a->v[i] + shift) * scale - low) / width);

    known += isfinite(a->v[i]);
    if (at >= 0 && at < bins) share[(int)at] += 1 / width;
  }
  for (int k = 0; k < bins; k++) share[k] /= PetscMax(1, known);
}

/* The share of the truths in [first, last) that lie in the central interval p. */
static double covered(const report_trust *t, int64_t first, int64_t last, double p) {
  double inside = 0, known = 0;

  for (int64_t i = first; i < last; i++) {
    const double u = (t->rank.v[i] + 0.5) / (t->draws + 1);

    known += isfinite(u);
    inside += fabs(u - 0.5) <= 0.5 * p;
  }
  return known > 0 ? inside / known : (double)NAN;
}

static PetscErrorCode coverage_table(fm_text *s, const report_trust *t) {
  const int64_t models = PetscMin(MODELS, t->rank.shape[0]), n = t->rank.shape[1];
  double *all, **c;

  PetscFunctionBegin;
  PetscCall(fm_calloc((models + 2) * LEVELS, &all));
  PetscCall(fm_calloc(models + 2, &c));
  for (int64_t k = 0; k < models + 2; k++) c[k] = all + k * LEVELS;
  for (int i = 0; i < LEVELS; i++) {
    c[0][i] = (double)i / (LEVELS - 1);
    c[1][i] = covered(t, 0, t->rank.count, c[0][i]);
    for (int64_t k = 0; k < models; k++) c[k + 2][i] = covered(t, k * n, (k + 1) * n, c[0][i]);
  }
  PetscCall(fm_plot_table(s, "coverage", LEVELS, (int)models + 2, (const double *const *)c));
  PetscCall(PetscFree(c));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode panel(fm_text *s, int k, const char *title, const char *label) {
  PetscFunctionBegin;
  PetscCall(fm_plot_margins(s, 0.07 + 0.325 * k, 0.32 + 0.325 * k, 0.16, 0.9));
  PetscCall(fm_text_print(s, "set title '%s'; set xlabel '%s'\n", title, label));
  PetscFunctionReturn(0);
}

static PetscErrorCode z_panel(fm_text *s, const report_trust *t) {
  double centre[Z_BINS], share[Z_BINS];

  PetscFunctionBegin;
  density(&t->z, 1, 0, -4, 4, Z_BINS, centre, share);
  PetscCall(fm_plot_table(s, "z", Z_BINS, 2, (const double *const[]){centre, share}));
  PetscCall(panel(s, 0, "z-scores", "(truth - mean) / std"));
  PetscCall(fm_text_print(s, "set xrange [-4:4]; set yrange [0:*]; set xtics 2\nplot $z using "
                             "1:2:(0.25) with boxes fs solid 0.75 noborder lc rgb "
                             "'" FM_PLOT_BLUE "', exp(-x*x/2)/sqrt(2*pi) with lines lw 1.4 lc "
                             "rgb '" FM_PLOT_TRUTH "'\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode rank_panels(fm_text *s, const report_trust *t) {
  const int64_t models = PetscMin(MODELS, t->rank.shape[0]);
  double centre[RANK_BINS], share[RANK_BINS];

  PetscFunctionBegin;
  density(&t->rank, 1 / (t->draws + 1), 0.5, 0, 1, RANK_BINS, centre, share);
  PetscCall(fm_plot_table(s, "rank", RANK_BINS, 2, (const double *const[]){centre, share}));
  PetscCall(coverage_table(s, t));
  PetscCall(panel(s, 1, "ranks", "rank of the truth / draws"));
  PetscCall(fm_text_print(s, "set xrange [0:1]; set yrange [0:*]; set xtics 0.25\nplot $rank "
                             "using 1:2:(0.05) with boxes fs solid 0.75 noborder lc rgb "
                             "'" FM_PLOT_BLUE "', 1 with lines lw 1.4 lc rgb '" FM_PLOT_TRUTH
                             "'\n"));
  PetscCall(panel(s, 2, "coverage", "central interval"));
  PetscCall(fm_text_print(s,
                          "set yrange [0:1]; set ytics 0.25\nplot for [k=3:%d] $coverage using "
                          "1:k with lines lw 0.5 lc rgb '#c8c8c8', x with lines lw 1.2 lc rgb "
                          "'" FM_PLOT_TRUTH "', $coverage using 1:2 with lines lw 1.6 lc rgb "
                          "'" FM_PLOT_BLUE "'\n",
                          (int)models + 2));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_trust_figures(report *r) {
  const report_trust *t = &r->trust;
  fm_text s = {0};

  PetscFunctionBegin;
  if (!t->z.count && !t->rank.count) PetscFunctionReturn(0);
  fm_report_section(r, "Calibration");
  PetscCall(fm_plot_begin(&s, 1600, 600));
  PetscCall(fm_text_print(&s, "set multiplot\nset grid lc rgb '#dddddd' lw 0.5; set border 3; "
                              "set style fill noborder\n"));
  if (t->z.count) PetscCall(z_panel(&s, t));
  if (t->rank.count) PetscCall(rank_panels(&s, t));
  PetscCall(fm_report_figure(
      r, &s, "calibration", "z-scores, ranks and coverage of held-out models",
      "Over %lld models whose truth is known%s%s: z-scores should follow the red Gaussian, the "
      "ranks of the truths among the samples should be flat at the red line (a hump in the "
      "middle: the posterior is too wide; at the ends: too narrow), and coverage (blue all, "
      "grey each model) should lie on the diagonal.",
      (long long)(t->z.count ? t->z.shape[0] : t->rank.shape[0]), t->problem[0] ? ", of " : "",
      t->problem));
  PetscFunctionReturn(0);
}
