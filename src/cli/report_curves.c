/* J against wave solves and the losses of pretraining. */
#include "cli/report.h"
#include <math.h>

typedef struct {
  int64_t n;
  double *solves, *j, *se, *gap;
  const char *title;
} curve;

/* ---- J ---- */

/* Per unknown; a point at 0 solves is drawn where a logarithm has a place for it. */
static PetscErrorCode make_curve(const report_run *run, curve *c) {
  const int64_t n = PetscMin(run->solves.count, run->kl.count);
  const double unknowns = (double)PetscMax(1, run->unknowns);

  PetscFunctionBegin;
  c->n = run->trained && n >= 2 ? n : 0;
  PetscCall(PetscMalloc4(n, &c->solves, n, &c->j, n, &c->se, n, &c->gap));
  for (int64_t i = 0; i < c->n; i++) {
    c->solves[i] = run->solves.v[i];
    c->j[i] = run->kl.v[i] / unknowns;
    c->se[i] = i < run->kl_se.count ? run->kl_se.v[i] / unknowns : 0;
    c->gap[i] = 0;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode clear_curve(curve *c) {
  PetscFunctionBegin;
  PetscCall(PetscFree4(c->solves, c->j, c->se, c->gap));
  PetscFunctionReturn(0);
}

/* The smallest J of all, and so the gaps; NaN where it is not above 0. */
static double best_of(curve c[2]) {
  double best = INFINITY;

  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < c[k].n; i++)
      if (c[k].j[i] < best) best = c[k].j[i];
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < c[k].n; i++)
      c[k].gap[i] = c[k].j[i] - best > 0 ? c[k].j[i] - best : (double)NAN;
  return best;
}

/* Where solves span decades the axis is a logarithm's, and 0 stands at half of the least. */
static PetscBool spread_solves(curve c[2], double solves[2]) {
  solves[0] = INFINITY;
  solves[1] = 0;
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < c[k].n; i++) {
      if (c[k].solves[i] > 0) solves[0] = PetscMin(solves[0], c[k].solves[i]);
      solves[1] = PetscMax(solves[1], c[k].solves[i]);
    }
  if (!(solves[1] > 30 * solves[0])) return PETSC_FALSE;
  solves[0] /= 2;
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < c[k].n; i++)
      if (c[k].solves[i] <= 0) c[k].solves[i] = solves[0];
  return PETSC_TRUE;
}

/* The last of each curve must be seen with its error, whatever the first was. */
static void view_of(const curve c[2], double best, double view[2]) {
  double top = best, low = best, room;

  for (int k = 0; k < 2; k++)
    for (int64_t i = c[k].n / 3; i < c[k].n; i++) {
      if (!isfinite(c[k].j[i])) continue;
      top = PetscMax(top, c[k].j[i] + c[k].se[i]);
      low = PetscMin(low, c[k].j[i] - c[k].se[i]);
    }
  for (int k = 0; k < 2; k++)
    if (c[k].n && isfinite(c[k].j[0]) && c[k].j[0] < low + 8 * (top - low))
      top = PetscMax(top, c[k].j[0] + c[k].se[0]);
  if (!(top > low)) top = low + 1e-3 + fabs(low) * 1e-3;
  room = 0.06 * (top - low);
  view[0] = low - room;
  view[1] = top + room;
}

/* using "": for the legend */
static PetscErrorCode plot_both(fm_text *s, const curve c[2], const char *using,
                                const char *with) {
  static const char *const colour[] = {FM_PLOT_BLUE, FM_PLOT_ORANGE};
  const char *join = "plot ";

  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) {
    if (!c[k].n) continue;
    if (using[0])
      PetscCall(fm_text_print(s, "%s$c%d using %s", join, k, using));
    else
      PetscCall(fm_text_print(s, "%sNaN title '%s'", join, c[k].title));
    PetscCall(fm_text_print(s, " with %s pt 7 ps 0.9 lw 1.2 lc rgb '%s'", with, colour[k]));
    join = ", ";
  }
  PetscCall(fm_text_print(s, "\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode gap_panel(fm_text *s, const curve c[2]) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(s, "set logscale y; set format y '10^{%%T}'; set yrange [5e-4:*]\n"
                             "set title 'Gap to the best'; set ylabel 'gap per unknown "
                             "[nats]'\n"
                             "set arrow 1 from graph 0, first 0.02 to graph 1, first 0.02 "
                             "nohead dt 2 lw 0.8 lc rgb '#777777'\n"
                             "set label 1 '0.02' at graph 0.01, first 0.02 left offset 0,-0.7 "
                             "tc rgb '#777777'\n"));
  PetscCall(plot_both(s, c, "1:4", "linespoints"));
  PetscFunctionReturn(0);
}

/* J itself: of a KL that is known its logarithm, as for the gap */
static PetscErrorCode j_panel(fm_text *s, const curve c[2], const char *label, double best) {
  double view[2];

  PetscFunctionBegin;
  PetscCall(
      fm_text_print(s, "set ylabel '%s per unknown [nats]'; set title '%s'\n", label, label));
  view_of(c, best, view);
  if (strcmp(label, "KL") || best <= 0)
    PetscCall(fm_text_print(s, "set yrange [%.9g:%.9g]\n", view[0], view[1]));
  else
    PetscCall(fm_text_print(s, "set logscale y; set format y '10^{%%T}'; set yrange [*:*]\n"));
  PetscCall(plot_both(s, c, "1:2:3", "yerrorlines"));
  PetscFunctionReturn(0);
}

static PetscErrorCode script_j(fm_text *s, curve c[2], const char *label) {
  const double best = best_of(c);
  double solves[2];
  const PetscBool logarithm = spread_solves(c, solves);

  PetscFunctionBegin;
  PetscCall(fm_plot_begin(s, 1600, 720));
  for (int k = 0; k < 2; k++) {
    const double *const column[] = {c[k].solves, c[k].j, c[k].se, c[k].gap};
    const char name[] = {'c', (char)('0' + k), 0};

    PetscCall(fm_plot_table(s, name, c[k].n, 4, column));
  }
  PetscCall(fm_text_print(s, "set multiplot\n"));
  PetscCall(fm_plot_legend(s, PETSC_TRUE));
  PetscCall(plot_both(s, c, "", "linespoints"));
  PetscCall(fm_plot_legend(s, PETSC_FALSE));
  PetscCall(fm_text_print(s, "set grid lc rgb '#dddddd' lw 0.5; set border 3\nset xlabel "
                             "'useful forward solves F'; set xrange [0:*]\n"));
  if (logarithm)
    PetscCall(fm_text_print(s,
                            "set logscale x; set format x '10^{%%T}'; set xrange "
                            "[%.9g:%.9g]\n",
                            0.8 * solves[0], 1.25 * solves[1]));
  PetscCall(fm_plot_margins(s, 0.13, 0.49, 0.15, 0.84));
  PetscCall(j_panel(s, c, label, best));
  PetscCall(fm_plot_margins(s, 0.615, 0.975, 0.15, 0.84));
  PetscCall(gap_panel(s, c));
  PetscFunctionReturn(0);
}

static PetscErrorCode figure_j(report *r) {
  const report_run *refine = &r->from[REPORT_REFINE];
  const PetscBool elbo =
      isnan(fm_report_result(r, REPORT_REFINE, "minus_elbo")) ? PETSC_FALSE : PETSC_TRUE;
  const char *label = elbo ? "\xe2\x88\x92"
                             "ELBO"
                           : "KL";
  curve c[2];
  fm_text s = {0};

  PetscFunctionBegin;
  PetscCall(make_curve(refine, &c[0]));
  PetscCall(make_curve(&r->from[REPORT_SCRATCH], &c[1]));
  c[0].title = r->from[REPORT_PRETRAIN].folder[0] ? "from pretrained weights" : "refinement";
  c[1].title = "from scratch";
  if (c[0].n + c[1].n) {
    PetscCall(script_j(&s, c, label));
    PetscCall(fm_report_figure(
        r, &s, "j", "objective against wave solves",
        "%s per unknown (%lld unknowns) of the averaged weights against the forward solves "
        "that the refinement asked for, with standard errors; lower is better, and the "
        "horizontal distance between two curves is what a warm start saves. Right: the same as "
        "the gap above the smallest value of all runs shown (from 0.0005 up); below the dashed "
        "line a run is within 0.02 nats per unknown of it. %s",
        label, (long long)refine->unknowns,
        elbo ? "The evidence is not known, so that only differences have a meaning." : ""));
  }
  PetscCall(clear_curve(&c[0]));
  PetscCall(clear_curve(&c[1]));
  PetscFunctionReturn(0);
}

/* ---- losses of pretraining ---- */

/* Means of neighbours, so that a value a step is a curve. */
static PetscErrorCode thin(const report_array *a, int64_t *n, double **step, double **value) {
  const int64_t block = PetscMax(1, a->count / 300);

  PetscFunctionBegin;
  *n = a->count / block;
  PetscCall(PetscMalloc2(*n, step, *n, value));
  for (int64_t i = 0; i < *n; i++) {
    double sum = 0;

    for (int64_t k = i * block; k < (i + 1) * block; k++) sum += a->v[k];
    (*step)[i] = (double)(i * block) + 0.5 * (double)block;
    (*value)[i] = sum / (double)block;
  }
  PetscFunctionReturn(0);
}

/* What comes after the first tenth decides what is seen of a loss that falls from afar. */
static PetscErrorCode loss_view(fm_text *s, const report_run *run, int64_t n, const double *v) {
  const report_array *a = &run->validation;
  double view[2] = {INFINITY, -INFINITY};

  PetscFunctionBegin;
  PetscCall(fm_report_range(n - n / 10, v + n / 10, 0.01, view));
  if (a->count > 1) PetscCall(fm_report_range(a->count - 1, a->v + 1, 0, view));
  if (view[1] > view[0])
    PetscCall(fm_text_print(s, "set yrange [%.9g:%.9g]\n", view[0] - 0.05 * (view[1] - view[0]),
                            view[1] + 0.15 * (view[1] - view[0])));
  PetscFunctionReturn(0);
}

static PetscErrorCode figure_loss(report *r) {
  const report_run *run = &r->from[REPORT_PRETRAIN];
  const int64_t held = PetscMin(run->validation.count, run->step.count);
  const double *const points[] = {run->step.v, run->validation.v, run->validation_se.v};
  const int columns = run->validation_se.count >= held ? 3 : 2;
  double *step, *value;
  fm_text s = {0};
  int64_t n;

  PetscFunctionBegin;
  if (run->objective.count < 2) PetscFunctionReturn(0);
  PetscCall(thin(&run->objective, &n, &step, &value));
  PetscCall(fm_plot_begin(&s, 1000, 620));
  PetscCall(fm_plot_table(&s, "train", n, 2, (const double *const[]){step, value}));
  if (held) PetscCall(fm_plot_table(&s, "held", held, columns, points));
  PetscCall(fm_text_print(&s, "set grid lc rgb '#dddddd' lw 0.5; set border 3\n"
                              "set xlabel 'step'; set ylabel 'loss [nats a pair]'\n"));
  PetscCall(fm_plot_margins(&s, 0.18, 0.95, 0.16, 0.95));
  PetscCall(loss_view(&s, run, n, value));
  PetscCall(fm_text_print(&s,
                          "plot $train using 1:2 with lines lw 1 lc rgb '#9dbbe0' title "
                          "'training'%s%s\n",
                          held ? ", $held using " : "",
                          !held          ? ""
                          : columns == 3 ? "1:2:3 with yerrorlines pt 7 ps 0.8 lw 1.2 lc rgb "
                                           "'" FM_PLOT_BLUE "' title 'held-out pairs'"
                                         : "1:2 with linespoints pt 7 ps 0.8 lw 1.2 lc rgb "
                                           "'" FM_PLOT_BLUE "' title 'held-out pairs'"));
  PetscCall(fm_report_figure(
      r, &s, "pretraining", "loss of pretraining",
      "Loss of pretraining (forward KL on pairs) on the pairs trained on and on pairs held "
      "out; a held-out curve that rises while the other falls means that there are too few "
      "pairs. The beginning may lie above the frame."));
  PetscCall(PetscFree2(step, value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_curves(report *r) {
  PetscFunctionBegin;
  fm_report_section(r, "Refinement: what the wave solves bought");
  PetscCall(figure_j(r));
  fm_report_section(r, "Pretraining");
  PetscCall(figure_loss(r));
  PetscFunctionReturn(0);
}
