/* What the folders of a chain hold; what is missing is left out and said. */
#include "cli/report.h"
#include "fathom/log.h"
#include <math.h>
#include <stdarg.h>
#include <unistd.h>

#define MOST ((int64_t)1 << 27) /* entries of an array that is read whole */
#define TEXT ((size_t)1 << 20)  /* bytes of results.tsv and warnings.txt */

PetscErrorCode fm_report_missing(report *r, const char *format, ...) {
  char words[1024];
  va_list arguments;

  fm_text item = {0};

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(words, sizeof(words), format, arguments);
  va_end(arguments);
  PetscCall(fm_text_print(&item, "<li>"));
  PetscCall(fm_text_html(&item, words));
  PetscCall(fm_text_print(&item, "</li>\n"));
  if (!r->missing.v || !strstr(r->missing.v, item.v)) /* said once */
    PetscCall(fm_text_add(&r->missing, item.used, item.v));
  PetscCall(fm_text_clear(&item));
  PetscFunctionReturn(0);
}

/* ---- files ---- */

static PetscErrorCode path_of(const report *r, report_from from, const char *name,
                              char path[PETSC_MAX_PATH_LEN]) {
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", r->from[from].folder, name));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_open(report *r, report_from from, const char *name, fm_store **store) {
  char path[PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;
  int there = 0;

  PetscFunctionBegin;
  *store = NULL;
  if (!r->from[from].folder[0]) PetscFunctionReturn(0);
  PetscCall(path_of(r, from, name, path));
  PetscCallMPI(MPI_Comm_rank(r->run->comm.world, &rank));
  if (!rank) there = access(path, F_OK) == 0;
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, r->run->comm.world));
  if (there)
    PetscCall(fm_store_open(r->run->comm.world, path, store));
  else
    PetscCall(
        fm_report_missing(r, "There is no %s in the folder of %s.", name, r->from[from].name));
  PetscFunctionReturn(0);
}

/* What an array is before it is read: numbers, of a size that one can draw. */
static PetscErrorCode measure(fm_store *store, const char *name, int64_t most, int64_t rows,
                              report_array *a) {
  fm_content content;
  PetscBool has;

  PetscFunctionBegin;
  *a = (report_array){0};
  PetscCall(fm_store_has(store, name, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_content(store, name, &content));
  if (content != FM_CONTENT_NUMBERS) PetscFunctionReturn(0);
  PetscCall(fm_store_shape(store, name, &a->ndim, a->shape));
  if (rows > 0 && a->ndim > 0) a->shape[0] = PetscMin(rows, a->shape[0]);
  a->count = a->ndim > 0;
  for (int d = 0; d < a->ndim && a->count; d++)
    a->count = a->shape[d] > most / a->count ? 0 : a->count * a->shape[d];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_array_read(fm_store *store, const char *name, int64_t most,
                                    int64_t rows, report_array *a) {
  PetscFunctionBegin;
  PetscCall(measure(store, name, most ? most : MOST, rows, a));
  if (!a->count) PetscFunctionReturn(0);
  PetscCall(fm_calloc(a->count, &a->v));
  if (rows > 0)
    PetscCall(fm_store_read_rows(store, name, FM_FLOAT64, 0, a->shape[0], a->v));
  else
    PetscCall(fm_store_read(store, name, FM_FLOAT64, a->count, a->v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_real_read(fm_store *store, const char *object, const char *name,
                                   double standard, double *value) {
  PetscBool has;
  char **names, **values, *end;
  int n, m;

  PetscFunctionBegin;
  *value = standard;
  PetscCall(fm_store_has(store, object, &has));
  if (!has && strcmp(object, "/")) PetscFunctionReturn(0);
  PetscCall(fm_store_list_attributes(store, object, &n, &names, &values));
  m = n;
  for (int i = 0; i < n; i++) {
    const double number = strtod(values[i], &end);

    if (!strcmp(names[i], name) && end != values[i] && isfinite(number)) *value = number;
  }
  PetscCall(fm_store_free_texts(n, &names));
  PetscCall(fm_store_free_texts(m, &values));
  PetscFunctionReturn(0);
}

/* A text: an attribute of "/", or a dataset. */
static PetscErrorCode read_words(fm_store *store, const char *name, fm_text *text) {
  char **names, **values, path[64], *words;
  fm_content content = FM_CONTENT_OTHER;
  PetscBool has;
  int n, m;

  PetscFunctionBegin;
  PetscCall(fm_store_list_attributes(store, "/", &n, &names, &values));
  m = n;
  for (int i = 0; i < n; i++)
    if (!strcmp(names[i], name)) PetscCall(fm_text_add(text, strlen(values[i]), values[i]));
  PetscCall(fm_store_free_texts(n, &names));
  PetscCall(fm_store_free_texts(m, &values));
  PetscCall(PetscSNPrintf(path, sizeof(path), "/%s", name));
  PetscCall(fm_store_has(store, path, &has));
  if (has) PetscCall(fm_store_content(store, path, &content));
  if (content != FM_CONTENT_TEXT) PetscFunctionReturn(0);
  PetscCall(fm_store_read_text(store, path, &words));
  PetscCall(fm_text_add(text, strlen(words), words));
  PetscCall(PetscFree(words));
  PetscFunctionReturn(0);
}

/* Settings and warnings, which any file of a run may hold. */
static PetscErrorCode read_texts(report_run *run, fm_store *store) {
  PetscFunctionBegin;
  if (!run->settings.used) PetscCall(read_words(store, "settings", &run->settings));
  PetscCall(read_words(store, "warnings", &run->warnings));
  if (run->warnings.used && run->warnings.v[run->warnings.used - 1] != '\n')
    PetscCall(fm_text_print(&run->warnings, "\n"));
  PetscFunctionReturn(0);
}

/* ---- checkpoints ---- */

static PetscErrorCode read_ledger(report_run *run, fm_store *store) {
  static const char *const name[REPORT_LEDGER] = {
      "useful_F",      "useful_J", "useful_JT", "diagnostic_F", "diagnostic_J",
      "diagnostic_JT", "spent_F",  "spent_J",   "spent_JT"};
  double value;

  PetscFunctionBegin;
  for (int k = 0; k < REPORT_LEDGER; k++) {
    PetscCall(fm_report_real_read(store, "/ledger", name[k], 0, &value));
    run->ledger[k] = (int64_t)value;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_checkpoint(report *r, report_from from) {
  report_run *run = &r->from[from];
  report_array shape;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_report_open(r, from, "checkpoint.h5", &store));
  if (!store) PetscFunctionReturn(0);
  run->trained = PETSC_TRUE;
  PetscCall(read_texts(run, store));
  PetscCall(read_ledger(run, store));
  PetscCall(fm_report_array_read(store, "/history/evaluation_F", 0, 0, &run->solves));
  PetscCall(fm_report_array_read(store, "/history/kl", 0, 0, &run->kl));
  PetscCall(fm_report_array_read(store, "/history/kl_se", 0, 0, &run->kl_se));
  PetscCall(fm_report_array_read(store, "/history/evaluation_step", 0, 0, &run->step));
  PetscCall(fm_report_array_read(store, "/history/objective", 0, 0, &run->objective));
  PetscCall(fm_report_array_read(store, "/history/validation_nll", 0, 0, &run->validation));
  PetscCall(
      fm_report_array_read(store, "/history/validation_nll_se", 0, 0, &run->validation_se));
  PetscCall(fm_report_array_read(store, "/architecture/x_shape", 4, 0, &shape));
  run->unknowns = shape.count ? 1 : 0;
  for (int64_t i = 0; i < shape.count; i++)
    if (shape.v[i] >= 1 && shape.v[i] < 1e9) run->unknowns *= (int64_t)shape.v[i];
  PetscCall(PetscFree(shape.v));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* ---- results.tsv and warnings.txt: rank 0 ---- */

static PetscErrorCode parse_results(report_run *run, const fm_text *text) {
  int lines = 0;

  PetscFunctionBegin;
  for (const char *c = text->v; *c; c++) lines += *c == '\n';
  PetscCall(fm_calloc(lines + 1, &run->result));
  for (const char *line = text->v; *line;) {
    report_result *one = &run->result[run->nresult];
    const size_t length = strcspn(line, "\n");
    char value[64] = "", *end = value;

    one->unit[0] = 0;
    if (sscanf(line, "%63[^\t\n]\t%63[^\t\n]\t%23[^\t\n]", one->name, value, one->unit) >= 2)
      one->value = strtod(value, &end);
    if (end != value) run->nresult++; /* the head of the table has no number */
    line += length + (line[length] == '\n');
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_lines(report *r, report_from from) {
  char path[PETSC_MAX_PATH_LEN];
  fm_text text = {0};

  PetscFunctionBegin;
  PetscCall(path_of(r, from, "results.tsv", path));
  PetscCall(fm_text_load(path, TEXT, &text));
  PetscCall(parse_results(&r->from[from], &text));
  PetscCall(fm_text_clear(&text));
  PetscCall(path_of(r, from, "warnings.txt", path));
  PetscCall(fm_text_load(path, TEXT, &r->from[from].warnings));
  PetscFunctionReturn(0);
}

double fm_report_result(const report *r, report_from from, const char *name) {
  const report_run *run = &r->from[from];

  for (int i = 0; i < run->nresult; i++)
    if (!strcmp(run->result[i].name, name)) return run->result[i].value;
  return (double)NAN;
}

/* ---- all ---- */

static PetscErrorCode read_text_of(report *r, report_from from, const char *file) {
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_report_open(r, from, file, &store));
  if (!store) PetscFunctionReturn(0);
  PetscCall(read_texts(&r->from[from], store));
  if (from == REPORT_EVALUATE) PetscCall(read_words(store, "verdict", &r->verdict));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_read(report *r) {
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(r->run->comm.world, &rank));
  for (int f = 0; f < REPORT_FOLDERS && !rank; f++)
    if (r->from[f].folder[0]) PetscCall(read_lines(r, (report_from)f));
  PetscCall(read_checkpoint(r, REPORT_PRETRAIN));
  PetscCall(read_checkpoint(r, REPORT_SCRATCH));
  PetscCall(read_checkpoint(r, REPORT_REFINE));
  PetscCall(read_text_of(r, REPORT_SIMULATE, "pairs.h5"));
  PetscCall(read_text_of(r, REPORT_SAMPLES, "samples.h5"));
  PetscCall(read_text_of(r, REPORT_EVALUATE, "evaluation.h5"));
  PetscCall(fm_report_read_model(r));
  PetscCall(fm_report_read_fit(r));
  PetscCall(fm_report_read_trust(r));
  PetscFunctionReturn(0);
}

static PetscErrorCode clear_run(report_run *run) {
  PetscFunctionBegin;
  PetscCall(fm_text_clear(&run->settings));
  PetscCall(fm_text_clear(&run->warnings));
  PetscCall(PetscFree(run->result));
  PetscCall(PetscFree(run->solves.v));
  PetscCall(PetscFree(run->kl.v));
  PetscCall(PetscFree(run->kl_se.v));
  PetscCall(PetscFree(run->step.v));
  PetscCall(PetscFree(run->objective.v));
  PetscCall(PetscFree(run->validation.v));
  PetscCall(PetscFree(run->validation_se.v));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_clear(report *r) {
  report_maps *m = &r->maps;
  report_array *const arrays[] = {&m->mean,          &m->std,
                                  &m->p10,           &m->p50,
                                  &m->p90,           &m->prior_mean,
                                  &m->prior_std,     &m->truth,
                                  &m->samples,       &r->x,
                                  &r->fit.observed,  &r->fit.predicted,
                                  &r->fit.chi2,      &r->fit.chi2_mean_model,
                                  &r->fit.chi2_data, &r->trust.z,
                                  &r->trust.rank};

  PetscFunctionBegin;
  for (int f = 0; f < REPORT_FOLDERS; f++) PetscCall(clear_run(&r->from[f]));
  for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
    PetscCall(PetscFree(arrays[i]->v));
  PetscCall(fm_text_clear(&r->verdict));
  PetscCall(fm_text_clear(&r->page));
  PetscCall(fm_text_clear(&r->missing));
  PetscFunctionReturn(0);
}
