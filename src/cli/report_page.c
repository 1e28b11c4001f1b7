/* The page: headings, figures and their places. XML as well as HTML, without scripts. */
#include "cli/report.h"
#include "fathom/log.h"
#include <stdarg.h>
#include <time.h>

static const char style[] =
    ":root{--ink:#222;--soft:#666;--line:#ddd;--back:#fff}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1080px;padding:16px;color:var(--ink);background:var(--back);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.7em;line-height:1.2;margin:.4em 0 .1em}\n"
    "h2{font-size:1.25em;margin:1.8em 0 .5em;padding-bottom:.2em;"
    "border-bottom:1px solid var(--line)}\n"
    "p{margin:.5em 0}.soft{color:var(--soft);margin-top:0}\n"
    ".verdict{border-left:8px solid;padding:.7em 1em;margin:1em 0;border-radius:4px}\n"
    ".verdict b{font-size:1.1em}.verdict ul{margin:.3em 0;padding-left:1.2em}\n"
    ".good{background:#e8f5e9;border-color:#2e7d32}.bad{background:#fdecea;border-color:"
    "#c62828}\n"
    ".open{background:#fff6e0;border-color:#ed9b00}.none{background:#f1f1f1;border-color:"
    "#888}\n"
    ".warnings{background:#fff6e0;border:1px solid #e8c872;border-radius:4px;padding:.5em 1em}"
    "\n"
    ".warnings ul{margin:.3em 0;padding-left:1.2em}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:.6em 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25em .9em .25em 0;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}\n"
    ".key td:last-child{color:var(--soft);font-size:.85em}\n"
    "td.n,th.n{text-align:right;white-space:nowrap}\n"
    "figure{margin:1em 0;break-inside:avoid}\n"
    "figure{max-width:680px}figure.wide{max-width:none}\n"
    "figure img{max-width:100%;height:auto;display:block}\n"
    "figcaption{font-size:.88em;color:#444;margin-top:.3em}\n"
    ".wide img{width:100%}\n"
    ".grid{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);"
    "gap:.2em 1.4em}\n"
    ".grid figure{margin:.4em 0;min-width:0}\n"
    "@media (max-width:760px){.grid{grid-template-columns:minmax(0,1fr)}}\n"
    "details{margin:.5em 0}summary{cursor:pointer}\n"
    "pre{font-size:.8em;line-height:1.35;overflow-x:auto;background:#f6f6f6;padding:.8em;"
    "border-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    "@media (max-width:640px){.wide .scroll img{width:auto;max-width:none;min-width:680px}"
    ".key td:last-child,.key th:last-child{display:none}}\n"
    "@media print{body{max-width:none;padding:0;font-size:10.5pt}"
    ".grid{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}h2{break-after:avoid}"
    ".verdict,.warnings{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n";

void fm_report_section(report *r, const char *title) { r->section = title; }

PetscErrorCode fm_report_begin_content(report *r) {
  PetscFunctionBegin;
  if (r->section) PetscCall(fm_text_print(&r->page, "<h2>%s</h2>\n", r->section));
  r->section = NULL;
  PetscFunctionReturn(0);
}

/* ---- figures ---- */

PetscErrorCode fm_report_grid(report *r, PetscBool begin) {
  PetscFunctionBegin;
  if (r->gnuplot != FM_PLOT_DRAWN) PetscFunctionReturn(0);
  if (begin) PetscCall(fm_report_begin_content(r));
  PetscCall(fm_text_print(&r->page, "%s\n", begin ? "<div class=\"grid\">" : "</div>"));
  PetscFunctionReturn(0);
}

/* Width and height lie in the first chunk, so that a reader leaves the right space. */
static unsigned big_endian(const char *c) {
  const unsigned char *b = (const unsigned char *)c;

  return (unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3];
}

static PetscErrorCode embed(report *r, const char *path, const char *what,
                            const char *caption) {
  fm_text png = {0};
  unsigned width;

  PetscFunctionBegin;
  PetscCall(fm_text_load(path, (size_t)1 << 26, &png));
  width = png.used > 24 ? big_endian(png.v + 16) : 0;
  PetscCall(fm_report_begin_content(r));
  PetscCall(fm_text_print(&r->page,
                          "<figure%s><div class=\"scroll\"><img width=\"%u\" height=\"%u\" "
                          "alt=\"",
                          width > 1200 ? " class=\"wide\"" : "", width,
                          png.used > 24 ? big_endian(png.v + 20) : 0));
  PetscCall(fm_text_html(&r->page, what));
  PetscCall(fm_text_print(&r->page, "\" src=\"data:image/png;base64,"));
  PetscCall(fm_text_base64(&r->page, png.used, png.v));
  PetscCall(fm_text_print(&r->page, "\"/></div><figcaption>"));
  PetscCall(fm_text_html(&r->page, caption));
  PetscCall(fm_text_print(&r->page, "</figcaption></figure>\n"));
  PetscCall(fm_text_clear(&png));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_figure(report *r, fm_text *script, const char *name, const char *what,
                                const char *caption, ...) {
  char path[PETSC_MAX_PATH_LEN], file[64], words[2048], said[256];
  fm_plot_outcome outcome = r->gnuplot;
  va_list arguments;

  PetscFunctionBegin;
  va_start(arguments, caption);
  vsnprintf(words, sizeof(words), caption, arguments);
  va_end(arguments);
  PetscCall(PetscSNPrintf(file, sizeof(file), "%s.png", name));
  PetscCall(fm_run_path(r->run, file, path));
  if (outcome == FM_PLOT_DRAWN) outcome = fm_plot_run(script, path, said);
  PetscCall(fm_text_clear(script));
  if (outcome == FM_PLOT_DRAWN) {
    PetscCall(embed(r, path, what, words));
    r->figures++;
  } else if (r->gnuplot == FM_PLOT_DRAWN) {
    fm_warn("the figure '%s' is left out: %s", name, said);
    PetscCall(fm_report_missing(r, "The figure %s could not be drawn: %s", name, said));
  }
  PetscFunctionReturn(0);
}

/* ---- the head ---- */

static PetscBool begins(const char *text, const char *word) {
  return !strncasecmp(text, word, strlen(word)) ? PETSC_TRUE : PETSC_FALSE;
}

/* green: verified; red: it is said not to be trusted; amber: anything between */
static const char *colour_of(const char *verdict) {
  if (!verdict) return "none";
  if (begins(verdict, "verified")) return "good";
  if (begins(verdict, "not verified")) return "open";
  if (begins(verdict, "not ") || begins(verdict, "fail") || begins(verdict, "wrong") ||
      begins(verdict, "do not") || begins(verdict, "reject"))
    return "bad";
  return "open";
}

/* The first line, or what comes before a colon or semicolon, is the verdict; the rest are its
   reasons. */
static PetscErrorCode verdict_box(report *r, fm_text *page) {
  const char *all = r->verdict.used ? r->verdict.v : NULL;
  size_t head = all ? strcspn(all, ":\n") : 0;
  fm_text words = {0};

  PetscFunctionBegin;
  PetscCall(fm_text_print(page, "<div class=\"verdict %s\"><b>", colour_of(all)));
  PetscCall(fm_text_add(&words, head, all ? all : ""));
  PetscCall(fm_text_html(page, all ? words.v : "No evaluation"));
  PetscCall(fm_text_print(page, "</b>"));
  if (!all)
    PetscCall(fm_text_print(page, " \xe2\x80\x93 there is no verdict of fathom evaluate, so "
                                  "nothing here says whether these samples can be trusted."));
  else
    all += head + (all[head] != 0);
  for (int i = 0; all && *all; i++) {
    head = strcspn(all, ";\n");
    words.used = 0;
    PetscCall(fm_text_add(&words, head, all));
    if (i == 0) PetscCall(fm_text_print(page, "<ul>"));
    PetscCall(fm_text_print(page, "<li>"));
    PetscCall(fm_text_html(page, words.v));
    PetscCall(fm_text_print(page, "</li>"));
    all += head + (all[head] != 0);
    if (!*all) PetscCall(fm_text_print(page, "</ul>"));
  }
  PetscCall(fm_text_print(page, "</div>\n"));
  PetscCall(fm_text_clear(&words));
  PetscFunctionReturn(0);
}

static PetscErrorCode head(report *r, const char *title, fm_text *page) {
  const time_t now = time(NULL);
  char date[64] = "";
  struct tm utc;

  PetscFunctionBegin;
  if (gmtime_r(&now, &utc)) strftime(date, sizeof(date), "%d %B %Y, %H:%M UTC", &utc);
  PetscCall(fm_text_print(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
                                "charset=\"utf-8\"/>\n<meta name=\"viewport\" "
                                "content=\"width=device-width, initial-scale=1\"/>\n<title>"));
  PetscCall(fm_text_html(page, title));
  PetscCall(fm_text_print(page, "</title>\n<style>\n%s</style></head>\n<body>\n<h1>", style));
  PetscCall(fm_text_html(page, title));
  PetscCall(fm_text_print(page, "</h1>\n<p class=\"soft\">%s \xc2\xb7 fathom %s</p>\n", date,
                          FM_VERSION));
  PetscCall(verdict_box(r, page));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(report *r) {
  PetscFunctionBegin;
  if (r->gnuplot != FM_PLOT_DRAWN)
    PetscCall(fm_report_missing(r, "There are no figures: gnuplot draws none here. Install the "
                                   "package gnuplot-nox and run fathom report again."));
  if (r->missing.used)
    PetscCall(
        fm_text_print(&r->page, "<h2>Not on this page</h2>\n<ul>\n%s</ul>\n", r->missing.v));
  PetscCall(fm_text_print(&r->page, "</body></html>\n"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_write(report *r, const char *title) {
  char path[PETSC_MAX_PATH_LEN];
  fm_text page = {0};
  int error;

  PetscFunctionBegin;
  PetscCall(end(r));
  PetscCall(head(r, title, &page));
  PetscCall(fm_report_warnings(r, &page));
  PetscCall(fm_text_add(&page, r->page.used, r->page.v));
  PetscCall(fm_run_path(r->run, "report.html", path));
  error = fm_text_save(path, page.used, page.v);
  if (error)
    snprintf(r->fault, sizeof(r->fault), "cannot write '%.300s': %s", path, strerror(error));
  else
    fm_log("wrote '%s' with %d figures", path, r->figures);
  PetscCall(fm_text_clear(&page));
  PetscFunctionReturn(0);
}
