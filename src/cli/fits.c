/* What a run is given against what it is for: shapes, divisors, networks, files. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <stdarg.h>
#include <sys/stat.h>

/* ---- shapes and divisors ---- */

void fm_run_shape_text(fm_shape s, char *text, size_t length) {
  if (fm_shape_pixels(s) > 1)
    snprintf(text, length, "%lldx%lldx%lld", (long long)s.c, (long long)s.n[0],
             (long long)s.n[1]);
  else
    snprintf(text, length, "%lld", (long long)s.c);
}

static PetscErrorCode shape_fits(const fm_run *run, const char *lane, const char *path,
                                 fm_shape data, fm_shape flow) {
  char has[96], takes[96];

  PetscFunctionBegin;
  fm_run_shape_text(data, has, sizeof(has));
  fm_run_shape_text(flow, takes, sizeof(takes));
  fm_check(!memcmp(&data, &flow, sizeof(data)), run->comm.world, PETSC_ERR_USER,
           "a row of %s in '%s' is %s, the flow takes %s", lane, path, has, takes);
  PetscFunctionReturn(0);
}

static PetscErrorCode resumed_fits(const fm_run *run, const char *lane, const char *path,
                                   fm_shape now, fm_shape then) {
  char is[96], was[96];

  PetscFunctionBegin;
  fm_run_shape_text(now, is, sizeof(is));
  fm_run_shape_text(then, was, sizeof(was));
  fm_check(!memcmp(&now, &then, sizeof(now)), run->comm.world, PETSC_ERR_USER,
           "cannot resume '%s': %s was %s and is %s now: begin a new run with -warm_start",
           path, lane, was, is);
  PetscFunctionReturn(0);
}

/* An image of the flow against the operator's grid; rows 0: it has none. */
static PetscErrorCode grid_fits(const fm_run *run, const char *lane, fm_shape s, int64_t rows,
                                int64_t columns) {
  PetscFunctionBegin;
  fm_check(fm_shape_pixels(s) == 1 || !rows || (s.n[0] == rows && s.n[1] == columns),
           run->comm.world, PETSC_ERR_USER,
           "%s is an image of %lld x %lld for the flow and of %lld x %lld for the operator",
           lane, (long long)s.n[0], (long long)s.n[1], (long long)rows, (long long)columns);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_target_fits(const fm_run *run, const fm_transport *transport,
                                  const fm_target *target) {
  const fm_flow_spec *spec = fm_flow_get_spec(transport->flow);
  int64_t rows, columns;

  PetscFunctionBegin;
  fm_operator_grid(target->op, &rows, &columns);
  PetscCall(grid_fits(run, "x", spec->x, rows, columns));
  if (!target->conditioning) fm_operator_data_grid(target->op, &rows, &columns);
  PetscCall(grid_fits(run, "y", spec->y, rows, columns));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_pairs_fit(const fm_run *run, const fm_transport *transport,
                                const fm_dataset *data, const char *path) {
  const fm_flow_spec *spec = fm_flow_get_spec(transport->flow);
  const double scale = fm_dataset_scale(data);

  PetscFunctionBegin;
  fm_check(!transport->latent, run->comm.world, PETSC_ERR_USER,
           "this checkpoint has a latent correction (-train latent) for its one observation: "
           "pairs '%s' have others; take the checkpoint before it",
           path);
  PetscCall(shape_fits(run, "/x", path, fm_dataset_shape_x(data), spec->x));
  if (transport->m) PetscCall(shape_fits(run, "/y", path, fm_dataset_shape_y(data), spec->y));
  fm_check(scale == transport->scale, run->comm.world, PETSC_ERR_USER,
           "/x of '%s' was divided by %.9g, but the flow was trained on numbers divided by "
           "%.9g: cut the patches with -patch_scale_from the training set",
           path, scale, transport->scale);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_image_fits(const fm_run *run, const char *option, int ndim,
                                 const int64_t *shape, fm_shape image) {
  const PetscBool known = fm_shape_pixels(image) > 1 ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  fm_check(fm_store_image_fits(ndim, shape, known ? image.n[0] : 0, image.n[1]),
           run->comm.world, PETSC_ERR_USER,
           "the last dimensions of -%s are [%lld][%lld], expected an image [%lld][%lld], or a "
           "row of numbers",
           option, (long long)shape[ndim - 2], (long long)shape[ndim - 1],
           (long long)image.n[0], (long long)image.n[1]);
  PetscFunctionReturn(0);
}

/* Divisors of -option and of the flow's pairs; 0: not said, 1: perhaps not known. */
static PetscErrorCode divisors_fit(const fm_run *run, const char *option, double its,
                                   double flow) {
  PetscFunctionBegin;
  if (its == 0 || its == flow) PetscFunctionReturn(0);
  fm_check(its == 1 || flow == 1, run->comm.world, PETSC_ERR_USER,
           "-%s is of numbers divided by %.9g, but the flow was trained on numbers divided by "
           "%.9g: cut the patches with -patch_scale_from the training set",
           option, its, flow);
  fm_warn(
      "-%s is of numbers divided by %.9g, what the flow was trained on by %.9g: are these the "
      "same units?",
      option, its, flow);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_divisor_fits(const fm_run *run, const char *option,
                                   const fm_transport *transport) {
  double scale;

  PetscFunctionBegin;
  PetscCall(fm_store_option_scale(run->comm.world, option, &scale));
  PetscCall(divisors_fit(run, option, scale, transport->scale));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_prior_divisor(const fm_run *run, double *scale) {
  const char *prior, *path;
  PetscErrorCode code;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(fm_option_text("prior", &prior));
  PetscCall(fm_option_text("prior_flow", &path));
  if (strcmp(prior, "flow") && strcmp(prior, "prior_low_posterior")) PetscFunctionReturn(0);
  *scale = 1;
  PetscCall(fm_store_open(run->comm.world, path, &store));
  code = fm_store_has_attribute(store, "/whitening", "scale", &has);
  if (!code && has) code = fm_store_get_real(store, "/whitening", "scale", scale);
  PetscCall(fm_store_close(&store));
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_prior_fits(const fm_run *run, const fm_transport *transport) {
  double scale;

  PetscFunctionBegin;
  PetscCall(fm_run_prior_divisor(run, &scale));
  PetscCall(divisors_fit(run, "prior_flow", scale, transport->scale));
  PetscFunctionReturn(0);
}

/* ---- the network of weights ---- */

typedef struct {
  size_t used;
  char text[512];
} differences;

static void differ(differences *d, const char *format, ...) {
  va_list words;

  if (d->used && d->used < sizeof(d->text))
    d->used += (size_t)snprintf(d->text + d->used, sizeof(d->text) - d->used, "; ");
  if (d->used >= sizeof(d->text)) return;
  va_start(words, format);
  d->used += (size_t)vsnprintf(d->text + d->used, sizeof(d->text) - d->used, format, words);
  va_end(words);
}

static void differ_text(differences *d, const char *option, const char *trained,
                        const char *asked) {
  if (strcmp(trained, asked))
    differ(d, "-%s is %s, the checkpoint's is %s", option, asked, trained);
}

static void differ_real(differences *d, const char *option, double trained, double asked) {
  if (trained != asked)
    differ(d, "-%s is %.9g, the checkpoint's is %.9g", option, asked, trained);
}

/* Of the linear networks only the kind matters. */
static void compare_networks(const fm_flow_spec *trained, const fm_flow_spec *asked,
                             differences *d) {
  const PetscBool hint = !strcmp(asked->network, "hint") ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool spline = !strcmp(asked->network, "spline") ? PETSC_TRUE : PETSC_FALSE;

  differ_text(d, "flow", trained->network, asked->network);
  if (d->used || (!hint && !spline)) return;
  differ_text(d, "flow_variant", trained->variant, asked->variant);
  differ_real(d, "flow_depth", (double)trained->depth, (double)asked->depth);
  differ_real(d, "flow_hidden", (double)trained->hidden, (double)asked->hidden);
  differ_real(d, "flow_reflections", (double)trained->reflections, (double)asked->reflections);
  if (spline) differ_real(d, "flow_bins", (double)trained->bins, (double)asked->bins);
  if (spline) differ_real(d, "flow_bound", trained->bound, asked->bound);
  if (spline) return;
  differ_real(d, "flow_squeezes", (double)trained->squeezes, (double)asked->squeezes);
  differ_real(d, "flow_scales", (double)trained->scales, (double)asked->scales);
  differ_text(d, "flow_linear", trained->linear, asked->linear);
}

PetscErrorCode fm_run_network_fits(const fm_run *run, const char *path,
                                   const fm_flow_spec *trained, const fm_flow_spec *asked) {
  differences d = {0, ""};

  PetscFunctionBegin;
  compare_networks(trained, asked, &d);
  if (!d.used && trained->y.c && !asked->y.c)
    differ(&d, "-flow_conditional is false or there is no y, the checkpoint's is conditional");
  if (!d.used && !trained->y.c && asked->y.c)
    differ(&d, "-flow_conditional is true, the checkpoint's is false");
  fm_check(!d.used, run->comm.world, PETSC_ERR_USER,
           "the weights of '%s' do not fit this network: %s", path, d.text);
  PetscFunctionReturn(0);
}

/* ---- going on with a run ---- */

/* Does the checkpoint say the same about what decides the data and the weights? */
static PetscErrorCode same_beginning(const fm_trainer *t, fm_store *store, PetscBool *same) {
  char precision[32], objective[32];
  int64_t seed;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, "/", "schema_version", same));
  if (!*same) PetscFunctionReturn(0);
  PetscCall(fm_store_get_text(store, "/", "precision", precision, sizeof(precision)));
  PetscCall(fm_store_get_text(store, "/", "objective", objective, sizeof(objective)));
  PetscCall(fm_store_get_integer(store, "/state", "seed", &seed));
  *same = !strcmp(precision, FM_PRECISION) &&
                  !strcmp(objective, fm_objective_name(t->in.objective)) &&
                  seed == (int64_t)t->in.seed
              ? PETSC_TRUE
              : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode same_data(const fm_trainer *t, fm_store *store, const char *path) {
  const PetscBool pairs =
      !strcmp(fm_objective_name(t->in.objective), "pairs") ? PETSC_TRUE : PETSC_FALSE;
  int64_t crc32;

  PetscFunctionBegin;
  PetscCall(fm_store_get_integer(store, "/state", "data_crc32", &crc32));
  fm_check(crc32 == (int64_t)t->in.objective->data_crc32, t->in.comm->world, PETSC_ERR_USER,
           "cannot resume '%s': what is trained on has other numbers (data_crc32 %lld, now "
           "%lld): %s; to change it, begin a new run with -warm_start",
           path, (long long)crc32, (long long)t->in.objective->data_crc32,
           pairs
               ? "-pairs names another file, or one with other rows or in another order, or "
                 "-validation_fraction or -flow_conditional is another"
               : "-observed is another, or another row, or the operator projects it otherwise");
  PetscFunctionReturn(0);
}

static PetscErrorCode same_shapes(const fm_run *run, const fm_trainer *t, const char *path) {
  const fm_flow_spec *mine = fm_flow_get_spec(t->in.transport->flow), *spec;
  fm_transport *old;
  fm_real *theta;

  PetscFunctionBegin;
  PetscCall(fm_checkpoint_load(run->comm.world, path, FM_WEIGHTS_LAST, &old, &theta));
  spec = fm_flow_get_spec(old->flow);
  PetscCall(fm_run_network_fits(run, path, spec, mine));
  PetscCall(resumed_fits(run, "x", path, mine->x, spec->x));
  PetscCall(resumed_fits(run, "y", path, mine->y, spec->y));
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&old));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_resume_fits(const fm_run *run, const fm_trainer *trainer,
                                  const char *path) {
  PetscErrorCode error;
  fm_store *store;
  PetscBool same;

  PetscFunctionBegin;
  PetscCall(fm_store_open(run->comm.world, path, &store));
  error = same_beginning(trainer, store, &same);
  if (!error && same) error = same_data(trainer, store, path);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  if (same) PetscCall(same_shapes(run, trainer, path));
  PetscFunctionReturn(0);
}

/* ---- files ---- */

PetscErrorCode fm_run_not_over(const fm_run *run, const char *name, const char *option) {
  char mine[PETSC_MAX_PATH_LEN], file[PETSC_MAX_PATH_LEN];
  const char *text, *dataset;
  struct stat a, b;
  int same;

  PetscFunctionBegin;
  PetscCall(fm_option_text(option, &text));
  PetscCall(fm_store_split(run->comm.world, text, file, &dataset));
  if (!dataset) PetscCall(PetscStrncpy(file, text, sizeof(file)));
  PetscCall(fm_run_path(run, name, mine));
  same = !stat(mine, &a) && !stat(file, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
  fm_check(!same, run->comm.world, PETSC_ERR_USER,
           "-%s '%s' is the file that this run would write over ('%s'): give another -out%s",
           option, file, mine,
           strcmp(option, "warm_start") ? "" : " (or -resume to go on with that run)");
  PetscFunctionReturn(0);
}
