#include "checkpoint_parts.h"
#include "fathom/typical.h"

/* ---- architecture ---- */

static PetscErrorCode write_spec(const fm_flow_spec *spec, fm_store *store) {
  const int64_t four = 4;
  const int64_t x[] = {spec->x.c, spec->x.n[0], spec->x.n[1], spec->x.n[2]};
  const int64_t y[] = {spec->y.c, spec->y.n[0], spec->y.n[1], spec->y.n[2]};

  PetscFunctionBegin;
  PetscCall(fm_store_set_text(store, "/architecture", "network", spec->network));
  PetscCall(fm_store_set_text(store, "/architecture", "variant", spec->variant));
  PetscCall(fm_store_set_integer(store, "/architecture", "depth", spec->depth));
  PetscCall(fm_store_set_integer(store, "/architecture", "hidden", spec->hidden));
  PetscCall(fm_store_set_integer(store, "/architecture", "bins", spec->bins));
  PetscCall(fm_store_set_real(store, "/architecture", "bound", spec->bound));
  PetscCall(fm_store_set_integer(store, "/architecture", "reflections", spec->reflections));
  PetscCall(fm_store_set_integer(store, "/architecture", "squeezes", spec->squeezes));
  PetscCall(fm_store_set_integer(store, "/architecture", "scales", spec->scales));
  PetscCall(fm_store_set_text(store, "/architecture", "linear",
                              spec->linear[0] ? spec->linear : "none"));
  PetscCall(
      fm_store_set_text(store, "/architecture", "precision", spec->bf16 ? "bf16" : "full"));
  PetscCall(fm_store_write(store, "/architecture/x_shape", FM_INT64, 1, &four, x));
  PetscCall(fm_store_write(store, "/architecture/y_shape", FM_INT64, 1, &four, y));
  PetscFunctionReturn(0);
}

/* Checkpoints of before the splines have neither. */
static PetscErrorCode read_spline(fm_store *store, fm_flow_spec *spec) {
  PetscBool has;

  PetscFunctionBegin;
  spec->bins = 8;
  spec->bound = 4;
  PetscCall(fm_store_has_attribute(store, "/architecture", "bins", &has));
  if (has) PetscCall(fm_store_get_integer(store, "/architecture", "bins", &spec->bins));
  if (has) PetscCall(fm_store_get_real(store, "/architecture", "bound", &spec->bound));
  PetscFunctionReturn(0);
}

/* Checkpoints of before the images have none. */
static PetscErrorCode read_image(fm_store *store, fm_flow_spec *spec) {
  char precision[16];
  PetscBool has;

  PetscFunctionBegin;
  spec->squeezes = 0;
  spec->scales = 1;
  PetscCall(PetscStrncpy(spec->linear, "none", sizeof(spec->linear)));
  PetscCall(fm_store_has_attribute(store, "/architecture", "squeezes", &has));
  if (has) PetscCall(fm_store_get_integer(store, "/architecture", "squeezes", &spec->squeezes));
  PetscCall(fm_store_has_attribute(store, "/architecture", "scales", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_get_integer(store, "/architecture", "scales", &spec->scales));
  PetscCall(
      fm_store_get_text(store, "/architecture", "linear", spec->linear, sizeof(spec->linear)));
  PetscCall(
      fm_store_get_text(store, "/architecture", "precision", precision, sizeof(precision)));
#ifdef FM_SINGLE /* in double, for verification, nothing is rounded */
  spec->bf16 = strcmp(precision, "bf16") ? PETSC_FALSE : PETSC_TRUE;
#endif
  PetscFunctionReturn(0);
}

static PetscErrorCode read_spec(fm_store *store, fm_flow_spec *spec) {
  int64_t x[4], y[4];

  PetscFunctionBegin;
  PetscCall(fm_store_get_text(store, "/architecture", "network", spec->network,
                              sizeof(spec->network)));
  PetscCall(fm_store_get_text(store, "/architecture", "variant", spec->variant,
                              sizeof(spec->variant)));
  PetscCall(fm_store_get_integer(store, "/architecture", "depth", &spec->depth));
  PetscCall(fm_store_get_integer(store, "/architecture", "hidden", &spec->hidden));
  PetscCall(read_spline(store, spec));
  PetscCall(read_image(store, spec));
  PetscCall(fm_store_get_integer(store, "/architecture", "reflections", &spec->reflections));
  PetscCall(fm_store_read(store, "/architecture/x_shape", FM_INT64, 4, x));
  PetscCall(fm_store_read(store, "/architecture/y_shape", FM_INT64, 4, y));
  spec->x = (fm_shape){x[0], {x[1], x[2], x[3]}};
  spec->y = (fm_shape){y[0], {y[1], y[2], y[3]}};
  PetscFunctionReturn(0);
}

/* ---- does the architecture fit the file? ---- */

static double shape_numbers(fm_shape s) {
  double n = (double)PetscMax(s.c, -1);

  for (int i = 0; i < 3; i++) n *= s.n[i] < 1 ? -1 : (double)s.n[i];
  return n;
}

/* a lane of n numbers has n means */
static PetscErrorCode check_lane(fm_store *store, const char *means, const char *name,
                                 fm_shape lane) {
  int64_t shape[FM_STORE_NDIM];
  PetscBool has;
  int ndim = 0;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, means, &has));
  if (has) PetscCall(fm_store_shape(store, means, &ndim, shape));
  fm_check(shape_numbers(lane) == (has && ndim == 1 ? (double)shape[0] : 0), PETSC_COMM_SELF,
           PETSC_ERR_FILE_UNEXPECTED,
           "the checkpoint is damaged: %s is [%lld][%lld][%lld][%lld] but %s has %lld numbers",
           name, (long long)lane.c, (long long)lane.n[0], (long long)lane.n[1],
           (long long)lane.n[2], means, (long long)(has && ndim ? shape[0] : 0));
  PetscFunctionReturn(0);
}

/* The linear networks have one layer, whatever their depth. */
static PetscBool has_blocks(const fm_flow_spec *s) {
  return !strcmp(s->network, "hint") || !strcmp(s->network, "spline") ? PETSC_TRUE
                                                                      : PETSC_FALSE;
}

/* The ranges of the options, and no more blocks than there are tensors: nobody shall build a
   network without end for a header that is wrong. */
static PetscErrorCode check_spec(fm_store *store, const fm_flow_spec *s) {
  const int spline = !strcmp(s->network, "spline");
  PetscBool *is_group, good, has, frozen;
  const char *group;
  char **names;
  int n = INT_MAX; /* where weights are not asked for */

  PetscFunctionBegin;
  PetscCall(check_lane(store, "/whitening/x_mean", "x_shape", s->x));
  PetscCall(check_lane(store, "/whitening/y_mean", "y_shape", s->y));
  PetscCall(fm_store_has(store, "/frozen", &frozen));
  group = frozen ? "/frozen" : "/theta";
  PetscCall(fm_store_has(store, group, &has));
  if (has) {
    PetscCall(fm_store_list(store, group, &n, &names, &is_group));
    PetscCall(fm_store_free_list(n, &names, &is_group));
  }
  good = s->depth >= 1 && (s->depth <= n || !has_blocks(s)) && s->hidden >= 1 &&
         s->hidden <= 1 << 20 && s->bins >= (spline ? 2 : 0) && s->bins <= 64 &&
         (s->bound > 0 || !spline) && s->reflections >= 0 && s->reflections <= 1024 &&
         s->squeezes >= 0 && s->squeezes <= 16 && s->scales >= 0 && s->scales <= 16;
  fm_check(good, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED,
           "the checkpoint is damaged: a network of depth %lld, hidden %lld, bins %lld, bound "
           "%g, reflections %lld, squeezes %lld, scales %lld in %d tensors",
           (long long)s->depth, (long long)s->hidden, (long long)s->bins, s->bound,
           (long long)s->reflections, (long long)s->squeezes, (long long)s->scales, n);
  PetscFunctionReturn(0);
}

/* ---- the latent correction ---- */

static const char *const latent_part[] = {"/latent/log_scale", "/latent/shift"};

/* One that is kept, or the frozen flow of one that is trained: theta is then the correction. */
static PetscErrorCode write_latent(const fm_transport *t, fm_store *store) {
  PetscFunctionBegin;
  if (t->train == FM_TRAIN_LATENT) {
    PetscCall(fm_parts_write_theta(fm_flow_layout(t->flow), "/frozen", t->frozen, store));
    PetscFunctionReturn(0);
  }
  for (int k = 0; t->latent && k < 2; k++)
    PetscCall(
        fm_store_write(store, latent_part[k], FM_TYPE_REAL, 1, &t->n, t->latent + k * t->n));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_kept(fm_store *store, fm_transport *t) {
  PetscErrorCode error = 0;
  fm_real *correction;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * t->n, &correction));
  for (int k = 0; k < 2 && !error; k++)
    error = fm_store_read(store, latent_part[k], FM_TYPE_REAL, t->n, correction + k * t->n);
  if (!error) error = fm_transport_keep(t, correction);
  PetscCall(PetscFree(correction));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_read_latent(MPI_Comm comm, const char *path, fm_store *store,
                                    fm_transport *t) {
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, "/latent", &has));
  if (has)
    PetscCall(read_kept(store, t));
  else
    PetscCall(fm_transport_keep(t, NULL));
  if (t->train == FM_TRAIN_LATENT && t->frozen)
    PetscCall(
        fm_parts_read_theta(comm, path, fm_flow_layout(t->flow), "/frozen", store, t->frozen));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_settle_latent(MPI_Comm comm, const char *path, const char *group,
                                      fm_store *store, fm_transport *t) {
  PetscErrorCode error;
  fm_real *correction;
  fm_layout *layout;

  PetscFunctionBegin;
  PetscCall(fm_latent_layout(t->n, &layout));
  PetscCall(fm_calloc(2 * t->n, &correction));
  error = fm_parts_read_theta(comm, path, layout, group, store, correction);
  if (!error) error = fm_transport_keep(t, correction);
  PetscCall(fm_layout_destroy(&layout));
  PetscCall(PetscFree(correction));
  PetscCall(error);
  t->train = FM_TRAIN_XLANE;
  PetscFunctionReturn(0);
}

/* ---- whitening and observation ---- */

static PetscErrorCode write_vector(fm_store *store, const char *name, fm_type type, int64_t n,
                                   const void *data) {
  PetscFunctionBegin;
  if (n && data) PetscCall(fm_store_write(store, name, type, 1, &n, data));
  PetscFunctionReturn(0);
}

static const char *const trained[] = {"xlane", "all", "latent"};

static PetscErrorCode write_observation(const fm_transport *t, fm_store *store) {
  const fm_real *values;
  int64_t count;

  PetscFunctionBegin;
  PetscCall(fm_store_set_text(store, "/observation", "train", trained[t->train]));
  PetscCall(write_vector(store, "/observation/y", FM_FLOAT64, t->m, t->y));
  if (!t->condition) PetscFunctionReturn(0);
  values = fm_condition_values(t->condition, &count);
  PetscCall(write_vector(store, "/observation/z_y", FM_TYPE_REAL, t->m,
                         fm_condition_latent(t->condition)));
  PetscCall(write_vector(store, "/observation/condition", FM_TYPE_REAL, count, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_prior(const fm_transport *t, fm_store *store) {
  PetscFunctionBegin;
  if (t->prior[0]) {
    PetscCall(fm_store_set_text(store, "/", "pairs_prior", t->prior));
    PetscCall(fm_store_set_text(store, "/", "pairs_prior_print", t->prior_print));
  }
  if (t->prior_mismatch[0])
    PetscCall(fm_store_set_text(store, "/", "prior_mismatch", t->prior_mismatch));
  PetscFunctionReturn(0);
}

/* Whether another prior is refined with is for that run to find out. */
static PetscErrorCode read_prior(fm_store *store, fm_transport *t) {
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, "/", "pairs_prior", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_get_text(store, "/", "pairs_prior", t->prior, sizeof(t->prior)));
  PetscCall(fm_store_get_text(store, "/", "pairs_prior_print", t->prior_print,
                              sizeof(t->prior_print)));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_write_transport(const fm_transport *t, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(write_spec(fm_flow_get_spec(t->flow), store));
  PetscCall(write_prior(t, store));
  PetscCall(write_vector(store, "/whitening/x_mean", FM_FLOAT64, t->n, t->x_mean));
  PetscCall(write_vector(store, "/whitening/x_std", FM_FLOAT64, t->n, t->x_std));
  PetscCall(write_vector(store, "/whitening/y_mean", FM_FLOAT64, t->m, t->y_mean));
  PetscCall(write_vector(store, "/whitening/y_std", FM_FLOAT64, t->m, t->y_std));
  PetscCall(fm_store_set_real(store, "/whitening", "scale", t->scale));
  if (t->unit[0]) PetscCall(fm_store_set_text(store, "/whitening", "unit", t->unit));
  PetscCall(fm_typical_write(t, store));
  PetscCall(write_observation(t, store));
  PetscCall(write_latent(t, store));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_read_whitening(fm_store *store, fm_transport *t) {
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_read(store, "/whitening/x_mean", FM_FLOAT64, t->n, t->x_mean));
  PetscCall(fm_store_read(store, "/whitening/x_std", FM_FLOAT64, t->n, t->x_std));
  if (t->m) PetscCall(fm_store_read(store, "/whitening/y_mean", FM_FLOAT64, t->m, t->y_mean));
  if (t->m) PetscCall(fm_store_read(store, "/whitening/y_std", FM_FLOAT64, t->m, t->y_std));
  PetscCall(fm_store_has_attribute(store, "/whitening", "scale", &has));
  if (has) PetscCall(fm_store_get_real(store, "/whitening", "scale", &t->scale));
  PetscCall(fm_store_has_attribute(store, "/whitening", "unit", &has));
  if (has) PetscCall(fm_store_get_text(store, "/whitening", "unit", t->unit, sizeof(t->unit)));
  PetscCall(fm_typical_read(store, t));
  PetscCall(read_prior(store, t));
  PetscCall(fm_transport_whiten(t, NULL, NULL, NULL, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_condition(fm_store *store, fm_transport *t, const double *y) {
  int64_t shape[FM_STORE_NDIM];
  PetscErrorCode error;
  fm_real *values;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, "/observation/condition", &ndim, shape));
  PetscCall(fm_calloc(shape[0], &values));
  error = fm_store_read(store, "/observation/condition", FM_TYPE_REAL, shape[0], values);
  if (!error) error = fm_transport_restore(t, y, shape[0], values);
  PetscCall(PetscFree(values));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_read_observation(fm_store *store, fm_transport *t) {
  PetscErrorCode error = 0;
  PetscBool has, has_y;
  double *y = NULL;
  char train[16];

  PetscFunctionBegin;
  PetscCall(fm_store_get_text(store, "/observation", "train", train, sizeof(train)));
  t->train = FM_TRAIN_XLANE;
  for (int k = 0; k < 3; k++)
    if (!strcmp(train, trained[k])) t->train = (fm_trained)k;
  PetscCall(fm_store_has(store, "/observation/condition", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_has(store, "/observation/y", &has_y));
  if (has_y) PetscCall(fm_calloc(t->m, &y));
  if (has_y) error = fm_store_read(store, "/observation/y", FM_FLOAT64, t->m, y);
  if (!error) error = read_condition(store, t, y);
  PetscCall(PetscFree(y));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_read_transport(fm_store *store, fm_transport **transport) {
  fm_flow_spec spec;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&spec, sizeof(spec)));
  PetscCall(read_spec(store, &spec));
  PetscCall(check_spec(store, &spec));
  PetscCall(fm_transport_create(&spec, transport));
  PetscCall(fm_parts_read_whitening(store, *transport));
  PetscCall(fm_parts_read_observation(store, *transport));
  PetscFunctionReturn(0);
}

/* ---- tensors by name ---- */

PetscErrorCode fm_parts_write_theta(const fm_layout *layout, const char *group,
                                    const fm_real *theta, fm_store *store) {
  char path[FM_NAME_MAX + 32];

  PetscFunctionBegin;
  for (int64_t i = 0; i < layout->ntensor; i++) {
    const fm_tensor *tensor = &layout->tensor[i];

    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", group, tensor->name));
    PetscCall(fm_store_write(store, path, FM_TYPE_REAL, tensor->ndim, tensor->shape,
                             theta + tensor->offset));
  }
  PetscFunctionReturn(0);
}

typedef struct {
  int64_t count;
  char text[1024];
} differences;

static void differ(differences *d, const char *format, ...) {
  const size_t used = strlen(d->text);
  va_list words;

  if (d->count++ >= 4) return;
  va_start(words, format);
  vsnprintf(d->text + used, sizeof(d->text) - used, format, words);
  va_end(words);
}

static PetscErrorCode compare_tensor(const fm_tensor *tensor, const char *path, fm_store *store,
                                     differences *d) {
  fm_tensor theirs = *tensor;
  char mine_text[96], their_text[96];
  PetscBool has, same;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, path, &has));
  if (!has) {
    differ(d, "\n  %s%s: not in the checkpoint", tensor->name,
           fm_tensor_shape_text(tensor, mine_text, sizeof(mine_text)));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_store_shape(store, path, &theirs.ndim, theirs.shape));
  same = theirs.ndim == tensor->ndim ? PETSC_TRUE : PETSC_FALSE;
  for (int k = 0; same && k < tensor->ndim; k++)
    if (theirs.shape[k] != tensor->shape[k]) same = PETSC_FALSE;
  if (!same)
    differ(d, "\n  %s: %s in the checkpoint, %s here", tensor->name,
           fm_tensor_shape_text(&theirs, their_text, sizeof(their_text)),
           fm_tensor_shape_text(tensor, mine_text, sizeof(mine_text)));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_unknown(const fm_layout *layout, const char *group,
                                      fm_store *store, differences *d) {
  PetscBool *is_group;
  char **names;
  int n;

  PetscFunctionBegin;
  PetscCall(fm_store_list(store, group, &n, &names, &is_group));
  for (int i = 0; i < n; i++)
    if (!fm_layout_find(layout, names[i]))
      differ(d, "\n  %s: only in the checkpoint", names[i]);
  PetscCall(fm_store_free_list(n, &names, &is_group));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(const fm_layout *layout, const char *group, fm_store *store,
                              differences *d) {
  char path[FM_NAME_MAX + 32];

  PetscFunctionBegin;
  for (int64_t i = 0; i < layout->ntensor; i++) {
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", group, layout->tensor[i].name));
    PetscCall(compare_tensor(&layout->tensor[i], path, store, d));
  }
  PetscCall(compare_unknown(layout, group, store, d));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_fit_theta(MPI_Comm comm, const char *path, const fm_layout *layout,
                                  const char *group, fm_store *store) {
  differences d = {0, ""};
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, group, &has));
  fm_check(has, comm, PETSC_ERR_USER, "'%s' has no weights under %s", path, group);
  PetscCall(compare(layout, group, store, &d));
  fm_check(
      !d.count, comm, PETSC_ERR_USER,
      "the weights of '%s' do not fit this network (-flow, -flow_depth, -flow_hidden, ...), "
      "%lld differences:%s%s",
      path, (long long)d.count, d.text, d.count > 4 ? "\n  ..." : "");
  PetscFunctionReturn(0);
}

PetscErrorCode fm_parts_read_theta(MPI_Comm comm, const char *path, const fm_layout *layout,
                                   const char *group, fm_store *store, fm_real *theta) {
  char name[FM_NAME_MAX + 32];

  PetscFunctionBegin;
  PetscCall(fm_parts_fit_theta(comm, path, layout, group, store));
  for (int64_t i = 0; i < layout->ntensor; i++) {
    const fm_tensor *tensor = &layout->tensor[i];

    PetscCall(PetscSNPrintf(name, sizeof(name), "%s/%s", group, tensor->name));
    PetscCall(fm_store_read(store, name, FM_TYPE_REAL, tensor->size, theta + tensor->offset));
  }
  PetscFunctionReturn(0);
}
