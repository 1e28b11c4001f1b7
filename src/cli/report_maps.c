/* Maps on the model's grid: truth, prior, posterior, and what the data say. */
#include "cli/report.h"
#include <math.h>

#define FRAME 690 /* pixels of a map's longer side at most */

/* ---- the frame that all maps have ---- */

report_frame fm_report_frame(const report_maps *m) {
  const double extent = PetscMax((double)m->rows * m->dz, (double)m->columns * m->dx);
  report_frame f = {.length = 1, .length_unit = "nodes", .value = 1};

  if (m->spaced && extent >= 2000) f.length = 1000;
  if (m->spaced) f.length_unit = f.length > 1 ? "km" : "m";
  snprintf(f.unit, sizeof(f.unit), "%s", m->unit);
  snprintf(f.unit_std, sizeof(f.unit_std), "%s", m->unit);
  if (!strcmp(m->unit, "m/s")) {
    f.value = 1000;
    snprintf(f.unit, sizeof(f.unit), "km/s");
  }
  return f;
}

static PetscErrorCode axes(fm_text *s, const report_maps *m, const report_frame *f, double wide,
                           double high) {
  const double x = (double)m->columns * m->dx / f->length;
  const double z = (double)m->rows * m->dz / f->length;
  const double scale = PetscMin(wide / x, high / z); /* pixels of a unit */

  PetscFunctionBegin;
  PetscCall(fm_text_print(s,
                          "set size ratio -1\nset xrange [%.9g:%.9g]\nset yrange "
                          "[%.9g:%.9g]\nset xlabel 'x [%s]'\nset ylabel 'depth [%s]'\n",
                          -0.5 * m->dx / f->length, x - 0.5 * m->dx / f->length,
                          z - 0.5 * m->dz / f->length, -0.5 * m->dz / f->length, f->length_unit,
                          f->length_unit));
  PetscCall(fm_text_print(s, "set xtics %.9g; set ytics %.9g\n", fm_plot_mark(x, x * scale, 85),
                          fm_plot_mark(z, z * scale, 45)));
  PetscFunctionReturn(0);
}

/* Canvas and margins so that a metre is as long down as it is across. */
static PetscErrorCode open_frame(fm_text *s, const report_maps *m, const report_frame *f,
                                 const double range[2]) {
  const double aspect =
      (double)m->rows * m->dz / ((double)m->columns * m->dx); /* height over width */
  const double wide = aspect > 1.2 ? PetscMax(FRAME * 1.2 / aspect, 220) : FRAME;
  const double high = PetscMax(PetscMin(wide * aspect, FRAME * 1.2), 130);
  const int width = (int)(wide + 315), height = (int)(high + 170);

  PetscFunctionBegin;
  PetscCall(fm_plot_begin(s, width, height));
  PetscCall(fm_plot_margins(s, 135. / width, (135 + wide) / width, 100. / height,
                            (100 + high) / height));
  PetscCall(axes(s, m, f, wide, high));
  PetscCall(fm_text_print(s,
                          "set colorbox user origin screen %.6f,%.6f size screen %.6f,%.6f "
                          "noborder\nset cbrange [%.9g:%.9g]; set cbtics %.9g\n",
                          (135 + wide + 22) / width, 100. / height, 24. / width, high / height,
                          range[0], range[1], fm_plot_mark(range[1] - range[0], high, 45)));
  PetscFunctionReturn(0);
}

typedef struct {
  const char *name, *title, *label, *unit, *caption;
  fm_palette palette;
  double range[2];
} look;

static PetscErrorCode draw_map(report *r, const double *v, double factor, const look *l) {
  const report_maps *m = &r->maps;
  const report_frame f = fm_report_frame(m);
  char label[128];
  double *scaled;
  fm_text s = {0};

  PetscFunctionBegin;
  PetscCall(fm_calloc(m->mean.count, &scaled));
  for (int64_t i = 0; i < m->mean.count; i++) scaled[i] = v[i] * factor;
  PetscCall(open_frame(&s, m, &f, l->range));
  PetscCall(fm_plot_palette(&s, l->palette));
  PetscCall(
      PetscSNPrintf(label, sizeof(label), l->unit[0] ? "%s [%s]" : "%s%s", l->label, l->unit));
  PetscCall(fm_text_print(&s, "set cblabel offset 1,0 "));
  PetscCall(fm_plot_words(&s, label));
  PetscCall(fm_text_print(&s, "\nset title '%s'\n", l->title));
  PetscCall(
      fm_plot_image(&s, m->rows, m->columns, 0, 0, m->dx / f.length, m->dz / f.length, scaled));
  PetscCall(PetscFree(scaled));
  PetscCall(fm_report_figure(r, &s, l->name, l->title, "%s", l->caption));
  PetscFunctionReturn(0);
}

/* ---- velocities ---- */

static void widen(double range[2]) {
  if (range[1] > range[0]) return;
  if (!isfinite(range[0])) range[0] = range[1] = 0;
  range[0] -= 0.5 * (fabs(range[0]) * 1e-3 + 1e-3);
  range[1] += 0.5 * (fabs(range[1]) * 1e-3 + 1e-3);
}

/* One scale for all that is a model. */
static PetscErrorCode model_range(const report_maps *m, double factor, double range[2]) {
  const report_array *const of[] = {&m->truth, &m->prior_mean, &m->mean, &m->samples};
  const double quantile[] = {0, 0, 0, 0.005};

  PetscFunctionBegin;
  range[0] = INFINITY;
  range[1] = -INFINITY;
  for (int k = 0; k < 4; k++)
    if (of[k]->count) PetscCall(fm_report_range(of[k]->count, of[k]->v, quantile[k], range));
  range[0] *= factor;
  range[1] *= factor;
  widen(range);
  PetscFunctionReturn(0);
}

static PetscErrorCode model_maps(report *r) {
  const report_maps *m = &r->maps;
  const report_frame f = fm_report_frame(m);
  const char *label = strstr(m->unit, "/s") ? "velocity" : "model";
  const struct {
    const report_array *array;
    look l;
  } map[] = {
      {&m->truth,
       {.name = "truth",
        .title = "Truth",
        .caption =
            "The true model; where the posterior's map differs from it by more than a few "
            "of its standard deviations, something is wrong."}},
      {&m->prior_mean,
       {.name = "prior_mean",
        .title = "Prior mean",
        .caption = "The mean of what was thought plausible before any data, the starting "
                   "point."}},
      {&m->mean,
       {.name = "mean",
        .title = "Posterior mean",
        .caption = "The mean of the posterior samples, on the same colours: what is common to "
                   "all models that fit the data."}}};
  double range[2];

  PetscFunctionBegin;
  PetscCall(model_range(m, 1 / f.value, range));
  PetscCall(fm_report_grid(r, PETSC_TRUE));
  for (int k = 0; k < 3; k++) {
    look l = map[k].l;

    if (!map[k].array->count) continue;
    l.label = label;
    l.unit = f.unit;
    l.palette = FM_PALETTE_VELOCITY;
    PetscCall(PetscArraycpy(l.range, range, 2));
    PetscCall(draw_map(r, map[k].array->v, 1 / f.value, &l));
  }
  PetscFunctionReturn(0);
}

/* ---- standard deviations ---- */

static PetscErrorCode std_maps(report *r) {
  const report_maps *m = &r->maps;
  const report_frame f = fm_report_frame(m);
  look l = {.label = "std", .unit = f.unit_std, .palette = FM_PALETTE_STD, .range = {0, 0}};

  PetscFunctionBegin;
  if (m->prior_std.count)
    PetscCall(fm_report_range(m->prior_std.count, m->prior_std.v, 0.005, l.range));
  if (m->std.count) PetscCall(fm_report_range(m->std.count, m->std.v, 0.005, l.range));
  widen(l.range);
  l.range[0] = 0;
  l.name = "prior_std";
  l.title = "Prior standard deviation";
  l.caption = "How far models spread at each point before the data, on the colours of the "
              "next map.";
  if (m->prior_std.count) PetscCall(draw_map(r, m->prior_std.v, 1, &l));
  l.name = "std";
  l.title = "Posterior standard deviation";
  l.caption = "How far the models that fit the data still spread: bright is uncertain, dark is "
              "known.";
  if (m->std.count) PetscCall(draw_map(r, m->std.v, 1, &l));
  PetscFunctionReturn(0);
}

/* What the data say. */
static PetscErrorCode share_map(report *r) {
  const report_maps *m = &r->maps;
  const look l = {
      .name = "data_share",
      .title = "What the data say",
      .unit = "",
      .label = "variance removed",
      .palette = FM_PALETTE_SHARE,
      .range = {0, 1},
      .caption =
          "The share of the prior variance that the data remove: 1 (bright) is known from "
          "the data, 0 (dark) is the prior alone, so that what one sees there in the mean "
          "was assumed."};
  double *share;

  PetscFunctionBegin;
  if (!m->std.count || !m->prior_std.count) PetscFunctionReturn(0);
  PetscCall(fm_calloc(m->std.count, &share));
  for (int64_t i = 0; i < m->std.count; i++) {
    const double ratio = m->std.v[i] / m->prior_std.v[i];

    share[i] = 1 - ratio * ratio; /* NaN at frozen nodes: left blank */
    if (share[i] < 0) share[i] = 0;
  }
  PetscCall(draw_map(r, share, 1, &l));
  PetscCall(PetscFree(share));
  PetscFunctionReturn(0);
}

static PetscErrorCode error_map(report *r) {
  const report_maps *m = &r->maps;
  look l = {.name = "error_over_std",
            .title = "Error over standard deviation",
            .unit = "",
            .label = "(mean - truth) / std",
            .palette = FM_PALETTE_SIGNED,
            .range = {-4, 4}};
  char caption[512];
  double *z, inside = 0, known = 0;

  PetscFunctionBegin;
  if (!m->std.count || !m->truth.count) PetscFunctionReturn(0);
  PetscCall(fm_calloc(m->std.count, &z));
  for (int64_t i = 0; i < m->std.count; i++) {
    z[i] = (m->mean.v[i] - m->truth.v[i]) / m->std.v[i];
    known += isfinite(z[i]);
    inside += isfinite(z[i]) && fabs(z[i]) <= 2;
  }
  PetscCall(
      PetscSNPrintf(caption, sizeof(caption),
                    "The error of the mean in posterior standard deviations: pale is an "
                    "error that the spread announces, strong colour (beyond 2) one that it "
                    "does not; %.1f %% of the nodes lie within 2, where a Gaussian has "
                    "95.4 %%.",
                    100 * inside / PetscMax(1, known)));
  l.caption = caption;
  PetscCall(draw_map(r, z, 1, &l));
  PetscCall(PetscFree(z));
  PetscFunctionReturn(0);
}

/* ---- samples ---- */

static PetscErrorCode sample_maps(report *r) {
  const report_maps *m = &r->maps;
  const report_frame f = fm_report_frame(m);
  look l = {.label = strstr(m->unit, "/s") ? "velocity" : "model",
            .unit = f.unit,
            .palette = FM_PALETTE_VELOCITY};
  char name[32], title[32];

  PetscFunctionBegin;
  if (!m->samples.count) PetscFunctionReturn(0);
  fm_report_section(r, "Posterior samples");
  PetscCall(model_range(m, 1 / f.value, l.range));
  PetscCall(fm_report_grid(r, PETSC_TRUE));
  for (int64_t k = 0; k < m->samples.shape[0]; k++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "sample_%d", (int)k + 1));
    PetscCall(PetscSNPrintf(title, sizeof(title), "Posterior sample %d", (int)k + 1));
    l.name = name;
    l.title = title;
    l.caption = k ? "Another of them."
                  : "One model out of the posterior, on the colours of the mean: what all "
                    "samples share is known, what differs between them is not.";
    PetscCall(draw_map(r, m->samples.v + k * m->mean.count, 1 / f.value, &l));
  }
  PetscCall(fm_report_grid(r, PETSC_FALSE));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_maps_figures(report *r) {
  PetscFunctionBegin;
  if (!r->maps.rows) PetscFunctionReturn(0);
  fm_report_section(r, "Maps");
  PetscCall(model_maps(r));
  PetscCall(std_maps(r));
  PetscCall(share_map(r));
  PetscCall(error_map(r));
  PetscCall(fm_report_grid(r, PETSC_FALSE));
  PetscCall(sample_maps(r));
  PetscCall(fm_report_profiles(r));
  PetscFunctionReturn(0);
}
