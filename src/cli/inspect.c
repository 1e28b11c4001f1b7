/* inspect - what is in a checkpoint or data file; FILE:/dataset prints its numbers, a row a
   line, FILE:/dataset[ROW] one row. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"

static PetscErrorCode show_attributes(fm_store *store, const char *object, int indent) {
  char **names, **values;
  int n, n_values;

  PetscFunctionBegin;
  PetscCall(fm_store_list_attributes(store, object, &n, &names, &values));
  n_values = n;
  for (int i = 0; i < n; i++) fm_log("%*s%s = %s", indent, "", names[i], values[i]);
  PetscCall(fm_store_free_texts(n, &names));
  PetscCall(fm_store_free_texts(n_values, &values));
  PetscFunctionReturn(0);
}

static PetscErrorCode show_dataset(fm_store *store, const char *path, const char *name,
                                   int indent) {
  int64_t shape[FM_STORE_NDIM];
  char text[128] = "a number";
  fm_content content;
  size_t used = 0;
  int ndim = 0;

  PetscFunctionBegin;
  PetscCall(fm_store_content(store, path, &content));
  if (content == FM_CONTENT_NUMBERS) PetscCall(fm_store_shape(store, path, &ndim, shape));
  for (int d = 0; d < ndim; d++)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "[%lld]", (long long)shape[d]);
  fm_log("%*s%-40s %s", indent, "", name,
         content == FM_CONTENT_NUMBERS ? text
         : content == FM_CONTENT_TEXT  ? "text"
                                       : "neither numbers nor text");
  PetscFunctionReturn(0);
}

/* Groups that repeat the tensors of /theta are counted, not listed. */
static PetscBool repeats_theta(const char *name) {
  static const char *const copies[] = {"theta_average", "theta_best", "adam_m", "adam_v"};

  for (int i = 0; i < 4; i++)
    if (!strcmp(name, copies[i])) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* A group may hold itself: so deep nobody looks. */
#define DEEPEST 16

static PetscErrorCode show_group(fm_store *store, const char *group, int indent) {
  PetscBool *is_group;
  char **names;
  int n;

  PetscFunctionBegin;
  if (indent > 2 * DEEPEST) {
    fm_log("%*s... (deeper groups are not listed)", indent, "");
    PetscFunctionReturn(0);
  }
  PetscCall(show_attributes(store, group, indent));
  PetscCall(fm_store_list(store, group, &n, &names, &is_group));
  for (int i = 0; i < n; i++) {
    char path[512];

    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", group[1] ? group : "", names[i]));
    if (!is_group[i]) {
      PetscCall(show_dataset(store, path, names[i], indent));
      continue;
    }
    fm_log("%*s%s/%s", indent, "", names[i], repeats_theta(names[i]) ? "  as theta/" : "");
    if (!repeats_theta(names[i])) PetscCall(show_group(store, path, indent + 2));
  }
  PetscCall(fm_store_free_list(n, &names, &is_group));
  PetscFunctionReturn(0);
}

/* All rows, or the one (from 0) that is asked for. */
static PetscErrorCode print_rows(fm_store *store, const char *name, int64_t row) {
  int64_t shape[FM_STORE_NDIM], width = 1, count;
  double *data;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_shape(store, name, &ndim, shape));
  for (int d = 1; d < ndim; d++) width *= shape[d];
  fm_check(row < 0 || (ndim && row < shape[0]), PETSC_COMM_WORLD, PETSC_ERR_USER,
           "row %lld of %s is asked for, but it has %lld rows (the first is 0)", (long long)row,
           name, (long long)(ndim ? shape[0] : 0));
  count = row < 0 && ndim ? width * shape[0] : width;
  PetscCall(fm_calloc(count, &data));
  if (row < 0)
    PetscCall(fm_store_read(store, name, FM_FLOAT64, count, data));
  else
    PetscCall(fm_store_read_rows(store, name, FM_FLOAT64, row, 1, data));
  for (int64_t i = 0; i < count; i++)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%.17g%c", data[i], (i + 1) % width ? '\t' : '\n'));
  PetscCall(PetscFree(data));
  PetscFunctionReturn(0);
}

static PetscErrorCode print_dataset(fm_store *store, char *name) {
  fm_content content;
  int64_t row;
  char *text;

  PetscFunctionBegin;
  PetscCall(fm_store_split_row(PETSC_COMM_WORLD, store, name, &row));
  PetscCall(fm_store_content(store, name, &content));
  if (content != FM_CONTENT_TEXT) PetscCall(print_rows(store, name, row));
  if (content != FM_CONTENT_TEXT) PetscFunctionReturn(0);
  PetscCall(fm_store_read_text(store, name, &text));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s\n", text));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(0);
}

/* The layers of the network that the checkpoint holds. */
static PetscErrorCode show_layer(const fm_layer_facts *layer, void *context) {
  double *flop = (double *)context;
  char shape[64];

  PetscFunctionBegin;
  *flop += layer->flop;
  fm_run_shape_text(layer->shape, shape, sizeof(shape));
  fm_log("  %-24s %-12s %-4s %12s %10lld %12.4g", layer->name, layer->kind,
         layer->lane == FM_LANE_X ? "x" : "y", shape, (long long)layer->nparameter,
         layer->flop);
  PetscFunctionReturn(0);
}

static PetscErrorCode show_network(const fm_run *run, const char *path) {
  fm_transport *transport;
  fm_real *theta;
  double flop = 0;

  PetscFunctionBegin;
  PetscCall(fm_checkpoint_load(run->comm.world, path, FM_WEIGHTS_LAST, &transport, &theta));
  fm_log(
      "network, in normalizing order (FLOP: of one sample's pass; a training step takes about "
      "three or, recomputing, four times as many):\n  %-24s %-12s %-4s %12s %10s %12s",
      "layer", "kind", "lane", "shape", "parameters", "FLOP");
  PetscCall(fm_flow_visit_layers(transport->flow, show_layer, &flop));
  fm_log("  %-24s %-12s %-4s %12s %10lld %12.4g", "all", "", "", "",
         (long long)fm_flow_layout(transport->flow)->size, flop);
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&transport));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_inspect(fm_run *run) {
  char path[PETSC_MAX_PATH_LEN];
  PetscBool checkpoint;
  fm_store *store;
  char *name;

  PetscFunctionBegin;
  fm_check(run->argument[0], run->comm.world, PETSC_ERR_USER,
           "name a file: fathom inspect FILE, FILE:/dataset or FILE:/dataset[ROW]");
  PetscCall(PetscStrncpy(path, run->argument, sizeof(path)));
  if ((name = strstr(path, ":/"))) *name++ = 0;
  PetscCall(fm_store_open(run->comm.world, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "schema_version", &checkpoint));
  if (name)
    PetscCall(print_dataset(store, name));
  else
    PetscCall(show_group(store, "/", 0));
  PetscCall(fm_store_close(&store));
  if (!name && checkpoint) PetscCall(show_network(run, path));
  PetscFunctionReturn(0);
}
