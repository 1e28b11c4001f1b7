/* Tables of the page: key results, warnings, ledger, seconds, settings. */
#include "cli/report.h"
#include <math.h>

/* ---- key results ---- */

typedef struct {
  const char *name, *meaning;
} entry;

/* in this order; %s of a name stands for anything */
static const entry known[] = {
    {"minus_elbo", "\xe2\x88\x92"
                   "ELBO: KL up to the constant log p(y)"},
    {"kl", "KL(q || posterior)"},
    {"kl_se", "its standard error"},
    {"ess_fraction", "effective share of importance weights (1: exact)"},
    {"k_hat", "Pareto shape of the weights (good: below 0.7)"},
    {"log_evidence", "log p(y), by importance weights"},
    {"fisher_per_unknown", "latent Fisher divergence per unknown (0: exact)"},
    {"stein_bias_rms", "bias of the samples by Stein's identity (0: none)"},
    {"stein_scale_mean", "their spread, squared, by Stein's identity (1: right)"},
    {"n_eff", "directions that the data resolve"},
    {"modes_ess_fraction", "effective share of weights in the leading directions"},
    {"moved_correlation", "what moved samples keep of the flow's there (0: nothing)"},
    {"chi2", "chi\xc2\xb2 of the data over their number (1: as the noise says)"},
    {"coverage_50", "share of truths inside 50 % intervals"},
    {"coverage_95", "share of truths inside 95 % intervals"},
    {"rms_z", "root mean square z-score of the truths (1: right)"},
    {"crps_over_prior", "CRPS over that of the prior (smaller is better)"},
    {"snr", "distance of the mean to the truth"},
    {"coverage_2std", "share of nodes within 2 std of the truth (Gaussian: 0.954)"},
    {"error_rms", "root mean square error of the mean"},
    {"error_rms_prior_mean", "the same of the prior mean"},
    {"z_rms", "root mean square of error over std of the nodes (1: right)"},
    {"std_rms", "root mean square posterior std (should match the error)"},
    {"moves", "moves of each sample from the flow on to the posterior"},
    {"moves_acceptance", "share of the last move's trajectories that were accepted"},
    {"moves_change", "change of \xe2\x88\x92log density by all moves"},
    {"moves_last_change", "by the last one (0 within its standard error: settled)"},
    {"moves_last_change_se", "that standard error"},
    {"data_surprise", "how unlike the pretraining's data the observed ones are"},
    {"failed_fraction", "share of samples whose solve failed"},
    {"nll_validation", "pretraining: best validation loss"},
    {NULL, NULL}};

static PetscErrorCode cell(fm_text *page, const char *words) {
  PetscFunctionBegin;
  PetscCall(fm_text_print(page, "<td>"));
  PetscCall(fm_text_html(page, words));
  PetscCall(fm_text_print(page, "</td>"));
  PetscFunctionReturn(0);
}

static PetscErrorCode row(fm_text *page, const report_run *run, const report_result *one,
                          const char *meaning) {
  char name[128];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s: %s", run->name, one->name));
  PetscCall(fm_text_print(page, "<tr>"));
  PetscCall(cell(page, meaning ? meaning : one->name));
  PetscCall(fm_text_print(page, "<td class=\"n\">%.5g</td>", one->value));
  PetscCall(cell(page, strcmp(one->unit, "1") ? one->unit : ""));
  if (meaning) PetscCall(cell(page, name));
  PetscCall(fm_text_print(page, "</tr>\n"));
  PetscFunctionReturn(0);
}

static const report_result *find(const report_run *run, const char *name) {
  for (int i = 0; i < run->nresult; i++)
    if (!strcmp(run->result[i].name, name)) return &run->result[i];
  return NULL;
}

/* The latest command of the chain that has it says it. */
static PetscErrorCode key_row(report *r, const entry *e, PetscBool *begun) {
  PetscFunctionBegin;
  for (int f = REPORT_FOLDERS - 1; f >= 0; f--) {
    const report_result *one = find(&r->from[f], e->name);

    if (f == REPORT_SCRATCH || !one || isnan(one->value)) continue;
    if (!*begun) {
      PetscCall(fm_report_begin_content(r));
      PetscCall(fm_text_print(&r->page, "<div class=\"scroll\"><table class=\"key\"><tr><th>"
                                        "result</th><th class=\"n\">value</th><th>unit</th>"
                                        "<th>from</th></tr>\n"));
    }
    *begun = PETSC_TRUE;
    PetscCall(row(&r->page, &r->from[f], one, e->meaning));
    PetscFunctionReturn(0);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_key_results(report *r) {
  PetscBool begun = PETSC_FALSE;

  PetscFunctionBegin;
  fm_report_section(r, "Key results");
  for (const entry *e = known; e->name; e++) PetscCall(key_row(r, e, &begun));
  if (begun) PetscCall(fm_text_print(&r->page, "</table></div>\n"));
  PetscFunctionReturn(0);
}

/* ---- warnings ---- */

static PetscErrorCode item(fm_text *list, const char *from, size_t length, const char *words) {
  fm_text one = {0};

  PetscFunctionBegin;
  PetscCall(fm_text_add(&one, length, words));
  PetscCall(fm_text_print(list, "<li>%s: ", from));
  PetscCall(fm_text_html(list, one.v));
  PetscCall(fm_text_print(list, "</li>\n"));
  PetscCall(fm_text_clear(&one));
  PetscFunctionReturn(0);
}

static PetscErrorCode kept_warnings(const report_run *run, fm_text *list) {
  PetscFunctionBegin;
  for (const char *line = run->warnings.v; line && *line;) {
    const size_t length = strcspn(line, "\n");

    if (length) PetscCall(item(list, run->name, length, line));
    line += length + (line[length] == '\n');
  }
  PetscFunctionReturn(0);
}

/* What the numbers themselves say. */
static PetscErrorCode derived_warnings(const report *r, int f, fm_text *list) {
  const report_from from = (report_from)f;
  const double failed = fm_report_result(r, from, "failed_fraction");
  const double surprise = fm_report_result(r, from, "data_surprise");
  const double k_hat = fm_report_result(r, from, "k_hat");
  const double above = (fm_report_result(r, from, "prior_energy") -
                        fm_report_result(r, from, "prior_energy_typical")) /
                       fm_report_result(r, from, "prior_energy_std");
  char words[4][256] = {"", "", "", ""};

  PetscFunctionBegin;
  if (failed > 0)
    snprintf(words[0], 256,
             "%.3g %% of the samples were dropped because their solve failed: the result is "
             "conditional on models whose solve succeeds",
             100 * failed);
  if (surprise > 5)
    snprintf(words[1], 256,
             "the observed data lie %.3g standard deviations outside what the flow was "
             "pretrained on",
             surprise);
  if (k_hat > 0.7)
    snprintf(words[2], 256, "k-hat %.3g is above 0.7: importance weights are not reliable",
             k_hat);
  if (above > 5)
    snprintf(words[3], 256,
             "the samples are %.3g standard deviations less likely under the prior than its "
             "own draws are",
             above);
  for (int i = 0; i < 4; i++)
    if (words[i][0]) PetscCall(item(list, r->from[f].name, strlen(words[i]), words[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_warnings(report *r, fm_text *page) {
  fm_text list = {0};

  PetscFunctionBegin;
  for (int f = 0; f < REPORT_FOLDERS; f++) {
    PetscCall(kept_warnings(&r->from[f], &list));
    if (f != REPORT_SCRATCH && !r->from[f].warnings.used)
      PetscCall(derived_warnings(r, f, &list));
  }
  if (list.used)
    PetscCall(fm_text_print(page,
                            "<div class=\"warnings\"><b>Warnings</b>\n<ul>\n%s</ul>"
                            "</div>\n",
                            list.v));
  PetscCall(fm_text_clear(&list));
  PetscFunctionReturn(0);
}

/* ---- ledger and seconds ---- */

static PetscErrorCode ledger_row(fm_text *page, const report_run *run) {
  static const int order[REPORT_LEDGER] = {0, 1, 2, 6, 7, 8, 3, 4, 5};

  PetscFunctionBegin;
  PetscCall(fm_text_print(page, "<tr>"));
  PetscCall(cell(page, run->name));
  for (int k = 0; k < REPORT_LEDGER; k++)
    PetscCall(
        fm_text_print(page, "<td class=\"n\">%lld</td>", (long long)run->ledger[order[k]]));
  PetscCall(fm_text_print(page, "</tr>\n"));
  PetscFunctionReturn(0);
}

/* simulate, evaluate and calibrate keep theirs as results. */
static void ledger_of_results(report *r, int f) {
  static const char *const name[REPORT_LEDGER] = {
      "solves_F",      "solves_J", "solves_JT", "diagnostic_F", "diagnostic_J",
      "diagnostic_JT", "spent_F",  "spent_J",   "spent_JT"};
  report_run *run = &r->from[f];

  for (int k = 0; k < REPORT_LEDGER && !run->trained; k++) {
    const double value = fm_report_result(r, (report_from)f, name[k]);

    if (value > 0 && value < 1e18) run->ledger[k] = (int64_t)value;
  }
}

static PetscErrorCode ledger(report *r) {
  PetscBool begun = PETSC_FALSE;

  PetscFunctionBegin;
  fm_report_section(r, "Wave solves");
  for (int f = 0; f < REPORT_FOLDERS; f++) {
    int64_t all = 0;

    ledger_of_results(r, f);
    for (int k = 0; k < REPORT_LEDGER; k++) all += r->from[f].ledger[k];
    if (!all) continue;
    if (!begun) {
      PetscCall(fm_report_begin_content(r));
      PetscCall(fm_text_print(
          &r->page,
          "<p>F: forward solves; J, J\xe1\xb5\x80: derivatives and adjoints. Useful is what "
          "the method asked for, spent counts repeats after an interruption too, diagnostic is "
          "evaluation alone.</p>\n<div class=\"scroll\"><table><tr><th></th><th class=\"n\">"
          "useful F</th><th class=\"n\">J</th><th class=\"n\">J\xe1\xb5\x80</th><th "
          "class=\"n\">spent F</th><th class=\"n\">J</th><th class=\"n\">J\xe1\xb5\x80</th>"
          "<th class=\"n\">diagnostic F</th><th class=\"n\">J</th><th class=\"n\">"
          "J\xe1\xb5\x80</th></tr>\n"));
    }
    begun = PETSC_TRUE;
    PetscCall(ledger_row(&r->page, &r->from[f]));
  }
  if (begun) PetscCall(fm_text_print(&r->page, "</table></div>\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode time_row(fm_text *page, const report_run *run, double total) {
  PetscFunctionBegin;
  for (int i = 0; i < run->nresult; i++) {
    const report_result *one = &run->result[i];

    if (strncmp(one->name, "time_", 5)) continue;
    PetscCall(fm_text_print(page, "<tr>"));
    PetscCall(cell(page, run->name));
    PetscCall(cell(page, one->name + 5));
    PetscCall(fm_text_print(page,
                            "<td class=\"n\">%.4g</td><td class=\"n\">%.1f %%</td></tr>\n",
                            one->value, 100 * one->value / total));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode seconds(report *r) {
  PetscBool begun = PETSC_FALSE;

  PetscFunctionBegin;
  fm_report_section(r, "Where the time went");
  for (int f = 0; f < REPORT_FOLDERS; f++) {
    const report_run *run = &r->from[f];
    double total = 0;

    for (int i = 0; i < run->nresult; i++)
      if (!strncmp(run->result[i].name, "time_", 5) && strcmp(run->result[i].name, "time_all"))
        total += run->result[i].value;
    if (!(total > 0)) continue;
    PetscCall(fm_report_begin_content(r));
    if (!begun)
      PetscCall(fm_text_print(&r->page, "<div class=\"scroll\"><table><tr><th>run</th><th>in"
                                        "</th><th class=\"n\">seconds</th><th class=\"n\">"
                                        "share</th></tr>\n"));
    begun = PETSC_TRUE;
    PetscCall(time_row(&r->page, run, total));
  }
  if (begun) PetscCall(fm_text_print(&r->page, "</table></div>\n"));
  PetscFunctionReturn(0);
}

/* ---- what is folded ---- */

static PetscErrorCode all_results(report *r, const report_run *run) {
  PetscFunctionBegin;
  PetscCall(fm_report_begin_content(r));
  PetscCall(fm_text_print(&r->page,
                          "<details><summary>%s: all %d results</summary>\n<div "
                          "class=\"scroll\"><table><tr><th>result</th><th "
                          "class=\"n\">value</th><th>unit</th></tr>\n",
                          run->name, run->nresult));
  for (int i = 0; i < run->nresult; i++) PetscCall(row(&r->page, run, &run->result[i], NULL));
  PetscCall(fm_text_print(&r->page, "</table></div></details>\n"));
  PetscFunctionReturn(0);
}

static PetscErrorCode settings(report *r, const report_run *run) {
  PetscFunctionBegin;
  PetscCall(fm_report_begin_content(r));
  PetscCall(
      fm_text_print(&r->page, "<details><summary>%s: settings</summary>\n<pre>", run->name));
  PetscCall(fm_text_html(&r->page, run->settings.v));
  PetscCall(fm_text_print(&r->page, "</pre></details>\n"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_tables(report *r) {
  PetscFunctionBegin;
  PetscCall(ledger(r));
  PetscCall(seconds(r));
  fm_report_section(r, "Results and settings");
  for (int f = 0; f < REPORT_FOLDERS; f++) {
    const report_run *run = &r->from[f];

    if (!run->folder[0]) continue;
    if (run->nresult) PetscCall(all_results(r, run));
    if (run->settings.used) PetscCall(settings(r, run));
  }
  PetscFunctionReturn(0);
}
