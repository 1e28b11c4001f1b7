#include "fathom/checkpoint.h"
#include "fathom/log.h"
#include "checkpoint_parts.h"
#include <cblas.h>
#include <math.h>
#include <unistd.h>

/* ---- what the run is: attributes of / and /state ---- */

static void processor_name(char *text, size_t length) {
  FILE *info = fopen("/proc/cpuinfo", "r");
  char line[256];

  snprintf(text, length, "unknown");
  while (info && fgets(line, sizeof(line), info))
    if (sscanf(line, "model name : %127[^\n]", text) == 1) break;
  if (info) fclose(info);
}

/* Of the last step. */
static double temperature(const fm_trainer *t) {
  return t->step ? fm_objective_temperature(t->in.objective, t->step - 1) : 1.;
}

static PetscErrorCode write_identity(const fm_trainer *t, fm_store *store) {
  char cpu[128];
  PetscMPIInt space;

  PetscFunctionBegin;
  processor_name(cpu, sizeof(cpu));
  PetscCallMPI(MPI_Comm_size(t->in.comm->space, &space));
  PetscCall(fm_store_set_integer(store, "/", "schema_version", FM_SCHEMA_VERSION));
  PetscCall(fm_store_set_text(store, "/", "program", "fathom"));
  PetscCall(fm_store_set_text(store, "/", "program_version", FM_VERSION));
  PetscCall(fm_store_set_text(store, "/", "precision", FM_PRECISION));
  PetscCall(fm_store_set_text(store, "/", "command", t->in.command));
  PetscCall(fm_store_set_text(store, "/", "objective", fm_objective_name(t->in.objective)));
  if (t->in.objective->tempering.first > 1)
    PetscCall(fm_store_set_real(store, "/", "tempering", temperature(t)));
  PetscCall(fm_store_write_text(store, "/settings", t->in.settings));
  PetscCall(fm_store_write_text(store, "/operator", t->in.operator_text));
  PetscCall(fm_store_set_integer(store, "/state", "step", t->step));
  PetscCall(fm_store_set_text(store, "/state", "cpu", cpu));
  PetscCall(fm_store_set_text(store, "/state", "blas", openblas_get_config()));
  PetscCall(fm_store_set_integer(store, "/state", "ranks_per_sample", space));
  PetscCall(fm_store_set_integer(store, "/state", "micro_batch", t->in.micro_batch));
  PetscCall(fm_store_set_integer(store, "/state", "batch", t->in.objective->batch));
  PetscCall(fm_store_set_integer(store, "/state", "samples", t->in.objective->total));
  PetscCall(fm_store_set_integer(store, "/state", "data_crc32", t->in.objective->data_crc32));
  PetscCall(fm_store_set_integer(store, "/state", "seed", (int64_t)t->in.seed));
  PetscCall(fm_store_set_text(store, "/state", "streams", FM_STREAM_TEXT));
  PetscCall(fm_store_set_integer(store, "/state", "window", t->window));
  if (isfinite(t->best_value))
    PetscCall(fm_store_set_real(store, "/state", "best_value", t->best_value));
  if (isfinite(t->best_objective))
    PetscCall(fm_store_set_real(store, "/state", "best_objective", t->best_objective));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_schedule(const fm_schedule *s, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_integer(store, "/schedule", "decay", s->decay));
  PetscCall(fm_store_set_real(store, "/schedule", "learning_rate", s->rate));
  PetscCall(fm_store_set_real(store, "/schedule", "factor", s->factor));
  PetscCall(fm_store_set_real(store, "/schedule", "last", s->last));
  PetscCall(fm_store_set_integer(store, "/schedule", "steps", s->steps));
  PetscCall(fm_store_set_integer(store, "/schedule", "steps_per_epoch", s->steps_per_epoch));
  PetscCall(fm_store_set_integer(store, "/schedule", "warmup", s->warmup));
  PetscFunctionReturn(0);
}

static const char *const ledger_name[] = {"useful_F",     "useful_J",     "useful_JT",
                                          "diagnostic_F", "diagnostic_J", "diagnostic_JT"};
static const char *const spent_name[] = {"spent_F", "spent_J", "spent_JT"};

static PetscErrorCode write_ledger(const fm_trainer *t, fm_store *store) {
  PetscFunctionBegin;
  for (int k = 0; k < 6; k++)
    PetscCall(fm_store_set_integer(store, "/ledger", ledger_name[k], t->ledger[k]));
  for (int k = 0; k < 3; k++)
    PetscCall(fm_store_set_integer(store, "/ledger", spent_name[k], t->ledger_spent[k]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_begin(const fm_trainer *t, const char *path, const fm_keep *keep,
                                   fm_writer **writer) {
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_store_create(t->in.comm->world, path, &store));
  PetscCall(write_identity(t, store));
  PetscCall(write_schedule(&t->in.schedule, store));
  PetscCall(write_ledger(t, store));
  PetscCall(fm_parts_write_transport(t->in.transport, store));
  PetscCall(fm_parts_write_theta(t->layout, "/theta", t->theta, store));
  PetscCall(fm_parts_write_theta(t->layout, "/theta_average", t->average, store));
  if (t->best) PetscCall(fm_parts_write_theta(t->layout, "/theta_best", t->best, store));
  PetscCall(fm_parts_write_theta(t->layout, "/adam_m", t->optimizer->m, store));
  PetscCall(fm_parts_write_theta(t->layout, "/adam_v", t->optimizer->v, store));
  PetscCall(fm_history_write(t->history, store, "/history"));
  PetscCall(fm_history_write(t->timing, store, "/timing"));
  PetscCall(fm_store_commit_begin(&store, keep, writer));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_save(const fm_trainer *t, const char *path, const fm_keep *keep) {
  fm_writer *writer;

  PetscFunctionBegin;
  PetscCall(fm_checkpoint_begin(t, path, keep, &writer));
  PetscCall(fm_writer_finish(&writer, NULL));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_exists(MPI_Comm comm, const char *path, PetscBool *exists) {
  int found = 0;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) found = access(path, F_OK) == 0;
  PetscCallMPI(MPI_Bcast(&found, 1, MPI_INT, 0, comm));
  *exists = found ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* ---- reading ---- */

static PetscErrorCode check_schema(MPI_Comm comm, fm_store *store, const char *path) {
  PetscBool has;
  int64_t schema;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, "/", "schema_version", &has));
  fm_check(has, comm, PETSC_ERR_USER,
           "'%s' is an HDF5 file but no fathom checkpoint (no schema_version)", path);
  PetscCall(fm_store_get_integer(store, "/", "schema_version", &schema));
  fm_check(schema <= FM_SCHEMA_VERSION, comm, PETSC_ERR_USER,
           "'%s' has checkpoint schema %lld, this program reads up to %d: use a newer fathom",
           path, (long long)schema, FM_SCHEMA_VERSION);
  PetscFunctionReturn(0);
}

static PetscErrorCode open_checkpoint(MPI_Comm comm, const char *path, fm_store **store) {
  PetscErrorCode error;

  PetscFunctionBegin;
  PetscCall(fm_store_open(comm, path, store));
  error = check_schema(comm, *store, path);
  if (error) PetscCall(fm_store_close(store));
  PetscCall(error);
  PetscFunctionReturn(0);
}

static PetscErrorCode group_of(fm_store *store, fm_weights weights, const char **group) {
  static const char *const name[] = {"", "/theta", "/theta_average", "/theta_best"};
  PetscBool best, average;

  PetscFunctionBegin;
  *group = name[weights];
  if (weights != FM_WEIGHTS_AUTO) PetscFunctionReturn(0);
  PetscCall(fm_store_has(store, "/theta_best", &best));
  PetscCall(fm_store_has(store, "/theta_average", &average));
  *group = best      ? name[FM_WEIGHTS_BEST]
           : average ? name[FM_WEIGHTS_AVERAGE]
                     : name[FM_WEIGHTS_LAST];
  PetscFunctionReturn(0);
}

/* Weights alone are not all there is to a flow with a latent correction. */
static PetscErrorCode refuse_latent(MPI_Comm comm, const char *path, fm_store *store) {
  PetscBool kept, frozen;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, "/latent", &kept));
  PetscCall(fm_store_has(store, "/frozen", &frozen));
  fm_check(!kept && !frozen, comm, PETSC_ERR_USER,
           "'%s' has a latent correction (-train latent), which belongs to its observation and "
           "its network and would be lost here: begin with the checkpoint before it, or "
           "refine it with the network as it is",
           path);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_weights(MPI_Comm comm, const char *path, fm_weights weights,
                                   const fm_layout *layout, fm_store *store, fm_real *theta) {
  const char *group;

  PetscFunctionBegin;
  PetscCall(refuse_latent(comm, path, store));
  PetscCall(group_of(store, weights, &group));
  PetscCall(fm_parts_read_theta(comm, path, layout, group, store, theta));
  PetscFunctionReturn(0);
}

static PetscErrorCode load(MPI_Comm comm, const char *path, fm_weights weights, fm_store *store,
                           fm_transport **transport, fm_real **theta) {
  const fm_layout *layout;
  const char *group;

  PetscFunctionBegin;
  PetscCall(fm_parts_read_transport(store, transport));
  layout = fm_flow_layout((*transport)->flow);
  PetscCall(group_of(store, weights, &group));
  if ((*transport)->train == FM_TRAIN_LATENT) {
    PetscCall(fm_parts_settle_latent(comm, path, group, store, *transport));
    group = "/frozen";
  } else
    PetscCall(fm_parts_read_latent(comm, path, store, *transport));
  PetscCall(
      fm_parts_fit_theta(comm, path, layout, group, store)); /* before memory is asked for */
  PetscCall(fm_calloc(layout->size, theta));
  PetscCall(fm_parts_read_theta(comm, path, layout, group, store, *theta));
  PetscCall(fm_transport_refresh(*transport, *theta));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_load(MPI_Comm comm, const char *path, fm_weights weights,
                                  fm_transport **transport, fm_real **theta) {
  PetscErrorCode error;
  fm_store *store;

  PetscFunctionBegin;
  *transport = NULL;
  *theta = NULL;
  PetscCall(open_checkpoint(comm, path, &store));
  error = load(comm, path, weights, store, transport, theta);
  PetscCall(fm_store_close(&store));
  if (!error) PetscFunctionReturn(0);
  PetscCall(fm_transport_destroy(transport));
  PetscCall(PetscFree(*theta));
  PetscCall(error);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_warm_start(MPI_Comm comm, const char *path, fm_weights weights,
                                        const fm_layout *layout, fm_real *theta) {
  PetscErrorCode error;
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(open_checkpoint(comm, path, &store));
  error = read_weights(comm, path, weights, layout, store, theta);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}

/* ---- resume ---- */

static PetscErrorCode same_text(const fm_trainer *t, fm_store *store, const char *object,
                                const char *name, const char *mine, PetscBool fatal) {
  char theirs[512];

  PetscFunctionBegin;
  PetscCall(fm_store_get_text(store, object, name, theirs, sizeof(theirs)));
  if (!strcmp(theirs, mine)) PetscFunctionReturn(0);
  fm_check(!fatal, t->in.comm->world, PETSC_ERR_USER,
           "cannot resume: %s was '%s' in the checkpoint and is '%s' now (to change it, begin "
           "a new run "
           "with -warm_start)",
           name, theirs, mine);
  fm_warn("%s was '%s' in the checkpoint and is '%s' now: the "
          "continuation may differ in its last bits",
          name, theirs, mine);
  PetscFunctionReturn(0);
}

static PetscErrorCode same_integer(const fm_trainer *t, fm_store *store, const char *name,
                                   int64_t mine) {
  int64_t theirs;

  PetscFunctionBegin;
  PetscCall(fm_store_get_integer(store, "/state", name, &theirs));
  fm_check(theirs == mine, t->in.comm->world, PETSC_ERR_USER,
           "cannot resume: %s was %lld in the checkpoint and is %lld now (to change it, begin "
           "a new run "
           "with -warm_start)",
           name, (long long)theirs, (long long)mine);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_same_run(const fm_trainer *t, fm_store *store) {
  const fm_flow_spec *spec = fm_flow_get_spec(t->in.transport->flow);
  char cpu[128];
  PetscMPIInt space;

  PetscFunctionBegin;
  processor_name(cpu, sizeof(cpu));
  PetscCallMPI(MPI_Comm_size(t->in.comm->space, &space));
  PetscCall(same_text(t, store, "/", "precision", FM_PRECISION, PETSC_TRUE));
  PetscCall(same_text(t, store, "/architecture", "network", spec->network, PETSC_TRUE));
  PetscCall(same_text(t, store, "/architecture", "variant", spec->variant, PETSC_TRUE));
  PetscCall(
      same_text(t, store, "/", "objective", fm_objective_name(t->in.objective), PETSC_TRUE));
  PetscCall(same_integer(t, store, "seed", (int64_t)t->in.seed));
  PetscCall(same_integer(t, store, "data_crc32", t->in.objective->data_crc32));
  PetscCall(same_integer(t, store, "batch", t->in.objective->batch));
  PetscCall(same_integer(t, store, "samples", t->in.objective->total));
  PetscCall(same_integer(t, store, "micro_batch", t->in.micro_batch));
  PetscCall(same_integer(t, store, "ranks_per_sample", space));
  PetscCall(same_text(t, store, "/", "program_version", FM_VERSION, PETSC_FALSE));
  PetscCall(same_text(t, store, "/state", "cpu", cpu, PETSC_FALSE));
  PetscCall(same_text(t, store, "/state", "blas", openblas_get_config(), PETSC_FALSE));
  PetscFunctionReturn(0);
}

/* Settings that may differ between the jobs of one run. */
static PetscBool may_differ(const char *line) {
  static const char *const names[] = {"-out ",
                                      "-resume ",
                                      "-stop_after ",
                                      "-report_seconds ",
                                      "-checkpoint_every ",
                                      "-checkpoint_minutes ",
                                      "-checkpoint_keep ",
                                      "-time_limit ",
                                      "-journal_",
                                      "-warm_start ",
                                      "-pairs ",
                                      "-at ",
                                      "-run "};

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (!strncmp(line, names[i], strlen(names[i]))) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* Is `line` [length] one of the lines of `block`? */
static PetscBool has_line(const char *block, const char *line, size_t length) {
  for (const char *at = block; *at; at += strcspn(at, "\n"), at += *at == '\n')
    if (strcspn(at, "\n") == length && !strncmp(at, line, length)) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* Says which settings are not those of the checkpoint: the run goes on with the new ones. */
static PetscErrorCode compare_settings(const fm_trainer *t, fm_store *store) {
  char *theirs;

  PetscFunctionBegin;
  PetscCall(fm_store_read_text(store, "/settings", &theirs));
  for (const char *at = t->in.settings; *at;) {
    const size_t length = strcspn(at, "\n");

    if (!may_differ(at) && !has_line(theirs, at, length))
      fm_warn("resuming with another setting than the checkpoint's: %.*s", (int)length, at);
    at += length + (at[length] == '\n');
  }
  PetscCall(PetscFree(theirs));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_state(fm_trainer *t, fm_store *store) {
  int64_t window;
  PetscBool best;

  PetscFunctionBegin;
  PetscCall(fm_store_get_integer(store, "/state", "step", &t->step));
  PetscCall(fm_store_get_integer(store, "/state", "window", &window));
  t->window = (int)window;
  PetscCall(fm_store_has_attribute(store, "/state", "best_value", &best));
  if (best) PetscCall(fm_store_get_real(store, "/state", "best_value", &t->best_value));
  PetscCall(fm_store_has_attribute(store, "/state", "best_objective", &best));
  if (best) PetscCall(fm_store_get_real(store, "/state", "best_objective", &t->best_objective));
  for (int k = 0; k < 6; k++)
    PetscCall(fm_store_get_integer(store, "/ledger", ledger_name[k], &t->ledger[k]));
  for (int k = 0; k < 3; k++)
    PetscCall(fm_store_get_integer(store, "/ledger", spent_name[k], &t->ledger_spent[k]));
  PetscCall(fm_history_read(t->history, store, "/history"));
  PetscCall(fm_history_read(t->timing, store, "/timing"));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_tensors(fm_trainer *t, const char *path, fm_store *store) {
  MPI_Comm world = t->in.comm->world;
  PetscBool best;

  PetscFunctionBegin;
  PetscCall(fm_parts_read_theta(world, path, t->layout, "/theta", store, t->theta));
  PetscCall(fm_parts_read_theta(world, path, t->layout, "/theta_average", store, t->average));
  PetscCall(fm_parts_read_theta(world, path, t->layout, "/adam_m", store, t->optimizer->m));
  PetscCall(fm_parts_read_theta(world, path, t->layout, "/adam_v", store, t->optimizer->v));
  PetscCall(fm_store_has(store, "/theta_best", &best));
  if (!best) PetscFunctionReturn(0);
  if (!t->best) PetscCall(fm_calloc(t->layout->size, &t->best));
  PetscCall(fm_parts_read_theta(world, path, t->layout, "/theta_best", store, t->best));
  PetscFunctionReturn(0);
}

/* A correction of few numbers and a flow are not each other's continuation. */
static PetscErrorCode same_trained(const fm_trainer *t, fm_store *store) {
  const PetscBool latent = t->in.transport->train == FM_TRAIN_LATENT ? PETSC_TRUE : PETSC_FALSE;
  PetscBool frozen;

  PetscFunctionBegin;
  PetscCall(fm_store_has(store, "/frozen", &frozen));
  fm_check(frozen == latent, t->in.comm->world, PETSC_ERR_USER,
           "cannot resume: -train was %s in the checkpoint and is %s now (to change it, begin "
           "a new run with -warm_start)",
           frozen ? "latent" : "not latent", latent ? "latent" : "another");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(fm_trainer *t, const char *path, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(check_schema(t->in.comm->world, store, path));
  PetscCall(check_same_run(t, store));
  PetscCall(compare_settings(t, store));
  PetscCall(same_trained(t, store));
  PetscCall(read_tensors(t, path, store));
  PetscCall(read_state(t, store));
  PetscCall(fm_parts_read_whitening(store, t->in.transport));
  PetscCall(fm_parts_read_observation(store, t->in.transport));
  PetscCall(fm_parts_read_latent(t->in.comm->world, path, store, t->in.transport));
  PetscCall(fm_transport_refresh(t->in.transport, t->theta));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_checkpoint_resume(fm_trainer *t, const char *path) {
  fm_store *store;
  PetscErrorCode error;

  PetscFunctionBegin;
  PetscCall(fm_store_open(t->in.comm->world, path, &store));
  error = read_all(t, path, store);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  PetscFunctionReturn(0);
}
