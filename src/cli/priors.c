#include "cli/priors.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>
#include <zlib.h>

#define NO_PAIRS "none" /* print of a flow that never saw any */
#define GRID " grid "   /* what a print has before it */
#define OF_X "draws"
#define OF_MODELS "models of draws"
#define DRAWS 2
#define NUMBERS (2 * DRAWS)
#define SAME 1e-3 /* of the root mean square: what float and double differ by is far less */

/* ---- prints ---- */

/* Root mean square of x, and its projection on a direction that has no symmetry. */
static void numbers_of(int64_t n, const fm_real *x, double out[2]) {
  double square = 0, projection = 0;

  for (int64_t i = 0; i < n; i++) {
    square += (double)x[i] * (double)x[i];
    projection += (double)x[i] * cos(1. + (double)i);
  }
  out[0] = sqrt(square / (double)n);
  out[1] = projection / sqrt((double)n);
}

/* The models [DRAWS][nodes] of draws x [DRAWS][n]: half their difference, which does not know
   what the prior is about, and half their sum. */
static PetscErrorCode models_of(fm_operator *op, int64_t n, const fm_real *x, int64_t nodes,
                                fm_real *out) {
  double *unknown, *model;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &unknown, DRAWS * nodes, &model));
  for (int d = 0; d < DRAWS; d++) {
    for (int64_t i = 0; i < n; i++) unknown[i] = (double)x[d * n + i];
    PetscCall(fm_operator_model(op, unknown, model + d * nodes));
  }
  for (int64_t i = 0; i < nodes; i++) {
    out[i] = (fm_real)(0.5 * (model[i] - model[nodes + i]));
    out[nodes + i] = (fm_real)(0.5 * (model[i] + model[nodes + i]));
  }
  PetscCall(PetscFree2(unknown, model));
  PetscFunctionReturn(0);
}

/* Of a prior's draws, or with op of their models, which are the same whatever the coordinates
   of the unknown. "": the prior cannot be drawn from. */
static PetscErrorCode print_of_energy(fm_energy *prior, fm_operator *op, char *print,
                                      size_t size) {
  const fm_model_grid grid = op ? fm_operator_model_grid(op) : (fm_model_grid){0};
  const int64_t n = fm_energy_size(prior), nodes = grid.rows * grid.columns;
  double v[NUMBERS];
  fm_real *x, *models;

  PetscFunctionBegin;
  print[0] = 0;
  if (!fm_energy_can_sample(prior)) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(DRAWS * n, &x, DRAWS * nodes, &models));
  PetscCall(fm_energy_sample(prior, (fm_rng){1, FM_STREAM_CHECK}, 0, DRAWS, x));
  if (nodes) PetscCall(models_of(op, n, x, nodes, models));
  for (int d = 0; d < DRAWS; d++)
    numbers_of(nodes ? nodes : n, nodes ? models + d * nodes : x + d * n, v + 2 * d);
  PetscCall(PetscFree2(x, models));
  snprintf(print, size, "%s %.7g %.7g %.7g %.7g", nodes ? OF_MODELS : OF_X, v[0], v[1], v[2],
           v[3]);
  PetscFunctionReturn(0);
}

static PetscErrorCode row_crc(fm_store *store, const char *name, int64_t row, int64_t n,
                              double *x, uLong *crc) {
  PetscFunctionBegin;
  PetscCall(fm_store_read_rows(store, name, FM_FLOAT64, row, 1, x));
  *crc = crc32_z(*crc, (const unsigned char *)x, (size_t)n * sizeof(*x));
  PetscFunctionReturn(0);
}

static PetscErrorCode print_of_models(fm_store *store, const char *name, char *print,
                                      size_t size) {
  int64_t shape[FM_STORE_NDIM], n = 1;
  PetscErrorCode error;
  uLong crc = 0;
  double *x;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, name, &ndim, shape));
  for (int d = 1; d < ndim; d++) n *= shape[d];
  PetscCall(fm_calloc(n, &x));
  error = row_crc(store, name, 0, n, x, &crc);
  if (!error) error = row_crc(store, name, shape[0] - 1, n, x, &crc);
  PetscCall(PetscFree(x));
  PetscCall(error);
  snprintf(print, size, "models %lld x %lld crc %08lx", (long long)shape[0], (long long)n,
           (unsigned long)crc);
  PetscFunctionReturn(0);
}

static PetscBool numbers_agree(const double a[NUMBERS], const double b[NUMBERS]) {
  for (int k = 0; k < NUMBERS; k++) /* the projection is held against the same draw's size */
    if (!(fabs(a[k] - b[k]) <= SAME * fmax(a[k - k % 2], 1e-30))) return PETSC_FALSE;
  return PETSC_TRUE;
}

static size_t without_grid(const char *print) {
  const char *grid = strstr(print, GRID);

  return grid ? (size_t)(grid - print) : strlen(print);
}

static PetscBool same_print(const char *a, const char *b) {
  static const char *const formats[] = {OF_X " %lf %lf %lf %lf", OF_MODELS " %lf %lf %lf %lf"};
  const char *format = formats[!strncmp(a, OF_MODELS, strlen(OF_MODELS))];
  const size_t length = without_grid(a);
  double v[NUMBERS], w[NUMBERS];

  if (length && length == without_grid(b) && !strncmp(a, b, length)) return PETSC_TRUE;
  if (sscanf(a, format, v, v + 1, v + 2, v + 3) != NUMBERS) return PETSC_FALSE;
  if (sscanf(b, format, w, w + 1, w + 2, w + 3) != NUMBERS) return PETSC_FALSE;
  return numbers_agree(v, w);
}

/* ---- grids ---- */

/* print += rows, columns and the distances of nodes in m, where models have them. */
static void add_grid(const fm_operator *op, char *print, size_t size) {
  const fm_model_grid grid = fm_operator_model_grid(op);
  const size_t used = strlen(print);

  if (grid.rows)
    snprintf(print + used, size - used, GRID "%lld %lld %.6g %.6g", (long long)grid.rows,
             (long long)grid.columns, grid.spacing[0], grid.spacing[1]);
}

static void say_grid(const char *numbers, char *text, size_t size) {
  long long rows = 0, columns = 0;
  double dz = 0, dx = 0;

  (void)sscanf(numbers, "%lld %lld %lf %lf", &rows, &columns, &dz, &dx);
  snprintf(text, size, "%lldx%lld nodes of %.6gx%.6g m", rows, columns, dz, dx);
}

static PetscErrorCode judge_grid(const fm_run *run, const fm_operator *op, const char *print) {
  const char *theirs = strstr(print, GRID);
  char mine[96] = "", was[96], is[96];

  PetscFunctionBegin;
  add_grid(op, mine, sizeof(mine));
  if (!theirs || !mine[0] || !strcmp(theirs, mine)) PetscFunctionReturn(0);
  say_grid(theirs + strlen(GRID), was, sizeof(was));
  say_grid(mine + strlen(GRID), is, sizeof(is));
  fm_check(PETSC_FALSE, run->comm.world, PETSC_ERR_USER,
           "the flow of -warm_start was pretrained on models of %s, here they have %s: make "
           "pairs on this grid and pretrain on these, or take the grid of the pairs",
           was, is);
  PetscFunctionReturn(0);
}

/* ---- in files ---- */

PetscErrorCode fm_prior_note(fm_store *pairs, fm_energy *prior, fm_store *models,
                             const char *name, fm_operator *op) {
  char print[96] = "", text[256];
  const char *path;

  PetscFunctionBegin;
  PetscCall(fm_option_text("models", &path));
  if (prior)
    PetscCall(print_of_energy(prior, op, print, sizeof(print)));
  else
    PetscCall(print_of_models(models, name, print, sizeof(print)));
  if (print[0]) add_grid(op, print, sizeof(print));
  snprintf(text, sizeof(text), "%s%.200s", prior ? "" : "models ",
           prior ? fm_energy_describe(prior) : path);
  PetscCall(fm_store_set_text(pairs, "/", "prior", text));
  PetscCall(fm_store_set_text(pairs, "/", "prior_print", print));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_prior_of_pairs(MPI_Comm comm, const char *path, fm_transport *t) {
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_open(comm, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "prior_print", &has));
  if (has) {
    PetscCall(fm_store_get_text(store, "/", "prior", t->prior, sizeof(t->prior)));
    PetscCall(
        fm_store_get_text(store, "/", "prior_print", t->prior_print, sizeof(t->prior_print)));
  } else if (!t->m) {
    snprintf(t->prior, sizeof(t->prior), "models %.200s:/x", path);
    PetscCall(print_of_models(store, "/x", t->prior_print, sizeof(t->prior_print)));
  }
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

void fm_prior_no_pairs(fm_transport *t) {
  snprintf(t->prior, sizeof(t->prior), "no pairs");
  snprintf(t->prior_print, sizeof(t->prior_print), NO_PAIRS);
}

/* ---- refinement ---- */

/* What the flow that is the prior was trained on; "" where its checkpoint does not say, or the
   prior is no flow. */
static PetscErrorCode print_of_flow(const fm_run *run, PetscBool *is_flow, char *print,
                                    size_t size) {
  const char *prior, *path;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  print[0] = 0;
  PetscCall(fm_option_text("prior", &prior));
  PetscCall(fm_option_text("prior_flow", &path));
  *is_flow = !strcmp(prior, "flow") || !strcmp(prior, "prior_low_posterior");
  if (!*is_flow) PetscFunctionReturn(0);
  PetscCall(fm_store_open(run->comm.world, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "pairs_prior_print", &has));
  if (has) PetscCall(fm_store_get_text(store, "/", "pairs_prior_print", print, size));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* Is -prior what the pairs are of? *known false: nobody can say. */
static PetscErrorCode compare(const fm_run *run, fm_energy *prior, fm_operator *op,
                              const fm_transport *t, PetscBool *same, PetscBool *known) {
  const PetscBool old = strncmp(t->prior_print, OF_X, strlen(OF_X)) ? PETSC_FALSE : PETSC_TRUE;
  char mine[96], flow[96];
  PetscBool is_flow;

  PetscFunctionBegin;
  PetscCall(print_of_energy(prior, old ? NULL : op, mine, sizeof(mine)));
  PetscCall(print_of_flow(run, &is_flow, flow, sizeof(flow)));
  *same = same_print(t->prior_print, mine) || same_print(t->prior_print, flow);
  *known = t->prior_print[0] && (is_flow ? flow[0] : mine[0]) ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_prior_judge(const fm_run *run, fm_target *target, fm_transport *t) {
  fm_energy *prior = target->energy[target->nenergy - 1];
  PetscBool ok, same, known;

  PetscFunctionBegin;
  t->prior_mismatch[0] = 0;
  fm_check(
      !t->unit[0], run->comm.world, PETSC_ERR_USER,
      "the flow of -warm_start is of models in %s (-pairs_x), not of the unknown: it can be "
      "a prior (-prior flow -prior_flow), not what is refined",
      t->unit);
  PetscCall(judge_grid(run, target->op, t->prior_print));
  if (!strcmp(t->prior_print, NO_PAIRS)) PetscFunctionReturn(0);
  PetscCall(compare(run, prior, target->op, t, &same, &known));
  if (same) PetscFunctionReturn(0);
  if (!known) {
    fm_warn("%s: see to it that the pairs of -warm_start were drawn from -prior",
            t->prior_print[0]
                ? "it is not known which models the prior is of"
                : "the checkpoint does not say which prior its pairs were drawn from");
    PetscFunctionReturn(0);
  }
  snprintf(t->prior_mismatch, sizeof(t->prior_mismatch),
           "pretrained on models of '%.85s' and refined with the prior '%.85s'", t->prior,
           fm_energy_describe(prior));
  PetscCall(fm_option_flag("prior_mismatch_ok", &ok));
  fm_check(ok, run->comm.world, PETSC_ERR_USER,
           "two priors: the flow of -warm_start is %s, which is another distribution: give the "
           "prior of the pairs, or -prior_mismatch_ok true, which the verdict will name",
           t->prior_mismatch);
  fm_warn("two priors: the flow is %s", t->prior_mismatch);
  PetscFunctionReturn(0);
}
