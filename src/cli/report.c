/* report - one page of HTML with its figures, from the folders of a finished chain of runs. */
#include "cli/report.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <errno.h>
#include <math.h>
#include <sys/stat.h>

static const char *const folder_names[REPORT_FOLDERS] = {
    "simulate", "pretrain", "scratch", "refine", "samples", "evaluate", "calibrate"};

/* ---- options ---- */

/* 0, an errno of the folder, or -1: it is OUT, whose results.tsv would be lost */
static int judge_folder(const char *folder, const char *out) {
  struct stat status, own;

  if (stat(folder, &status)) return errno;
  if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  if (!stat(out, &own) && own.st_dev == status.st_dev && own.st_ino == status.st_ino) return -1;
  return 0;
}

static PetscErrorCode read_folder(report *r, int from) {
  MPI_Comm world = r->run->comm.world;
  PetscMPIInt rank;
  char option[64];
  const char **folder = &r->from[from].folder;
  int bad = 0;

  PetscFunctionBegin;
  r->from[from].name = folder_names[from];
  PetscCall(PetscSNPrintf(option, sizeof(option), "report_%s", folder_names[from]));
  PetscCall(fm_option_text(option, folder));
  if (!(*folder)[0]) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(world, &rank));
  if (!rank) bad = judge_folder(*folder, r->run->out);
  PetscCallMPI(MPI_Bcast(&bad, 1, MPI_INT, 0, world));
  fm_check(bad != -1, world, PETSC_ERR_USER,
           "-%s and -out are the same folder '%s': choose another -out, so that the results "
           "of that run stay",
           option, *folder);
  fm_check(!bad, world, PETSC_ERR_USER,
           "-%s '%s': %s; it is the -out folder of the run to be shown", option, *folder,
           strerror(bad));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(report *r) {
  PetscFunctionBegin;
  for (int f = 0; f < REPORT_FOLDERS; f++) PetscCall(read_folder(r, f));
  fm_check(r->from[REPORT_REFINE].folder[0] || r->from[REPORT_SAMPLES].folder[0],
           r->run->comm.world, PETSC_ERR_USER,
           "nothing to report on: give -report_refine or -report_samples, the -out folder of "
           "such a run");
  PetscFunctionReturn(0);
}

/* A folder of something else is a mistake, not a report without figures. */
static PetscErrorCode check_content(const report *r) {
  fm_check(r->from[REPORT_REFINE].trained || r->maps.mean.count || r->x.count ||
               r->from[REPORT_SAMPLES].settings.used,
           r->run->comm.world, PETSC_ERR_USER,
           "neither a checkpoint.h5 in '%s' nor a samples.h5 or maps.h5 in '%s': "
           "-report_refine and -report_samples take the -out folders of those runs",
           r->from[REPORT_REFINE].folder, r->from[REPORT_SAMPLES].folder);
  return 0;
}

/* ---- numbers ---- */

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;

  return (left > right) - (left < right);
}

PetscErrorCode fm_report_range(int64_t n, const double *v, double p, double range[2]) {
  int64_t m = 0, skip;
  double *sorted;

  PetscFunctionBegin;
  PetscCall(fm_calloc(n + 1, &sorted));
  for (int64_t i = 0; i < n; i++)
    if (isfinite(v[i])) sorted[m++] = v[i];
  qsort(sorted, (size_t)m, sizeof(double), ascending);
  skip = (int64_t)(p * (double)m);
  if (m) range[0] = PetscMin(range[0], sorted[skip]);
  if (m) range[1] = PetscMax(range[1], sorted[m - 1 - skip]);
  PetscCall(PetscFree(sorted));
  PetscFunctionReturn(0);
}

/* ---- the command ---- */

static PetscErrorCode compose(report *r) {
  const char *title;

  PetscFunctionBegin;
  PetscCall(fm_option_text("report_title", &title));
  r->gnuplot = fm_plot_there();
  if (r->gnuplot != FM_PLOT_DRAWN)
    fm_warn("the report has tables and no figures: %s; install the package gnuplot-nox",
            r->gnuplot == FM_PLOT_NO_GNUPLOT ? "there is no program gnuplot"
                                             : "this gnuplot draws no PNG files (pngcairo)");
  PetscCall(fm_report_key_results(r));
  PetscCall(fm_report_curves(r));
  PetscCall(fm_report_maps_figures(r));
  PetscCall(fm_report_marginals(r));
  PetscCall(fm_report_fit_figures(r));
  PetscCall(fm_report_trust_figures(r));
  PetscCall(fm_report_tables(r));
  PetscCall(fm_report_write(r, title[0] ? title : "fathom"));
  PetscFunctionReturn(0);
}

static PetscErrorCode report_all(report *r) {
  MPI_Comm world = r->run->comm.world;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCall(read_options(r));
  PetscCall(fm_report_read(r));
  PetscCall(check_content(r));
  PetscCallMPI(MPI_Comm_rank(world, &rank));
  if (!rank) PetscCall(compose(r));
  PetscCallMPI(MPI_Bcast(r->fault, sizeof(r->fault), MPI_CHAR, 0, world));
  fm_check(!r->fault[0], world, PETSC_ERR_FILE_WRITE, "%s", r->fault);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_report(fm_run *run) {
  report *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  r->run = run;
  PetscCall(report_all(r));
  PetscCall(fm_result(run->results, "figures", (double)r->figures, "1"));
  PetscCall(fm_report_clear(r));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}
