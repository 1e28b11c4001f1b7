/* check -at STEP,SAMPLE - a sample of a training run once more: the weights of that step from
   the
   run's checkpoint, or from its start, and the steps between; then what training saw. */
#include "cli/check_at.h"
#include "cli/refinement.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>

typedef struct examination {
  fm_refinement set;
  int64_t step, sample;
  const char *folder; /* of the run */
} examination;

static PetscErrorCode check_folder(const fm_run *run, const char *folder) {
  struct stat status;
  PetscMPIInt rank;
  int absent = 0, worst;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(run->comm.world, &rank));
  if (!rank) absent = stat(folder, &status) || !S_ISDIR(status.st_mode);
  PetscCall(fm_comm_agree(run->comm.world, absent, &worst));
  fm_check(!worst, run->comm.world, PETSC_ERR_USER,
           "-run '%s': there is no such folder; give the -out of the run to look into", folder);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(fm_run *run, examination *e) {
  const char *at;
  char rest;

  PetscFunctionBegin;
  PetscCall(fm_option_text("at", &at));
  PetscCall(fm_option_text("run", &e->folder));
  fm_check(sscanf(at, "%" SCNd64 ",%" SCNd64 "%c", &e->step, &e->sample, &rest) == 2 &&
               e->step >= 0 && e->sample >= 0,
           run->comm.world, PETSC_ERR_USER, "-at takes STEP,SAMPLE such as 120,7, not '%s'",
           at);
  fm_check(e->folder[0] && strcmp(e->folder, run->out), run->comm.world, PETSC_ERR_USER,
           "-at needs -run FOLDER, the -out of the run to look into, and another -out for what "
           "this command writes (both are '%s')",
           run->out);
  PetscCall(check_folder(run, e->folder));
  PetscFunctionReturn(0);
}

/* ---- the settings of the run ---- */

typedef struct {
  const char *here, *there; /* blocks of settings: this command's, the run's */
} settings;

/* What says where and when, not what is computed. */
static PetscBool no_matter(const char *name) {
  static const char *const names[] = {"out",
                                      "run",
                                      "at",
                                      "resume",
                                      "stop_after",
                                      "report_seconds",
                                      "checkpoint_every",
                                      "ranks_per_sample"};

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (!strcmp(name, names[i])) return PETSC_TRUE;
  return PETSC_FALSE;
}

static PetscErrorCode compare_option(const fm_option *option, void *context) {
  const settings *s = (const settings *)context;
  const char *mine, *theirs;
  size_t n, m;

  PetscFunctionBegin;
  if (no_matter(option->name) || !fm_option_serves(option, "check") ||
      !fm_option_serves(option, "refine"))
    PetscFunctionReturn(0);
  mine = fm_settings_line(s->here, option->name, &n);
  theirs = fm_settings_line(s->there, option->name, &m);
  if (n == m && (!n || !strncmp(mine, theirs, n))) PetscFunctionReturn(0);
  if (!n)
    fm_warn("the run had %.*s, here it is not given", (int)m, theirs);
  else
    fm_warn("another setting than the run's: %.*s (the run: %.*s)", (int)n, mine,
            m ? (int)m : 9, m ? theirs : "not given");
  PetscFunctionReturn(0);
}

/* Warns of settings that are not those of the run's checkpoint. */
static PetscErrorCode compare_settings(const fm_run *run, const char *path) {
  settings s = {.here = run->settings};
  PetscErrorCode error;
  fm_store *store;
  char *text;

  PetscFunctionBegin;
  PetscCall(fm_store_open(run->comm.world, path, &store));
  error = fm_store_read_text(store, "/settings", &text);
  PetscCall(fm_store_close(&store));
  PetscCall(error);
  s.there = text;
  PetscCall(fm_options_visit(compare_option, &s));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(0);
}

/* ---- the weights of the step ---- */

/* The step of a checkpoint; -1 where there is none. */
static PetscErrorCode step_of(MPI_Comm world, const char *path, int64_t *step) {
  PetscBool exists;
  fm_store *store;

  PetscFunctionBegin;
  *step = -1;
  PetscCall(fm_checkpoint_exists(world, path, &exists));
  if (!exists) PetscFunctionReturn(0);
  PetscCall(fm_store_open(world, path, &store));
  PetscCall(fm_store_get_integer(store, "/state", "step", step));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* The later of the run's two checkpoints that is not after the step; without one the run's
   start. */
static PetscErrorCode restore(examination *e) {
  static const char *const names[] = {"checkpoint.h5", "checkpoint.previous.h5"};
  char path[PETSC_MAX_PATH_LEN];
  PetscBool compared = PETSC_FALSE;
  int64_t step;

  PetscFunctionBegin;
  PetscCall(fm_refinement_observe(&e->set));
  PetscCall(fm_refinement_begin(&e->set));
  for (int k = 0; k < 2; k++) {
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", e->folder, names[k]));
    PetscCall(step_of(e->set.run->comm.world, path, &step));
    if (step >= 0 && !compared) PetscCall(compare_settings(e->set.run, path));
    compared = compared || step >= 0 ? PETSC_TRUE : PETSC_FALSE;
    if (step < 0 || step > e->step) continue;
    e->set.trainer->in.settings = ""; /* compared already */
    PetscCall(fm_checkpoint_resume(e->set.trainer, path));
    fm_log("weights of step %lld from '%s'", (long long)step, path);
    PetscFunctionReturn(0);
  }
  fm_log("no checkpoint in '%s' is before step %lld: from the start of the run%s", e->folder,
         (long long)e->step, e->set.warm ? "" : ", from scratch");
  PetscFunctionReturn(0);
}

static PetscErrorCode repeat_steps(examination *e) {
  fm_trainer *t = e->set.trainer;
  const int64_t batch = fm_objective_batch(e->set.objective, e->step);

  PetscFunctionBegin;
  fm_check(e->step < t->in.schedule.steps, t->in.comm->world, PETSC_ERR_USER,
           "-at: step %lld is beyond the run's %lld steps (they count from 0)",
           (long long)e->step, (long long)t->in.schedule.steps);
  fm_check(e->sample < batch, t->in.comm->world, PETSC_ERR_USER,
           "-at: sample %lld is beyond the batch of %lld (they count from 0)",
           (long long)e->sample, (long long)batch);
  if (t->step < e->step)
    fm_log("making steps %lld to %lld again", (long long)t->step, (long long)e->step - 1);
  while (t->step < e->step) PetscCall(fm_trainer_step(t));
  PetscFunctionReturn(0);
}

/* ---- what training saw ---- */

static int64_t not_finite(int64_t n, const fm_real *v) {
  int64_t count = 0;

  for (int64_t i = 0; i < n; i++) count += !isfinite(v[i]);
  return count;
}

static PetscErrorCode write_arrays(examination *e, const fm_examined *seen) {
  const int64_t n = e->set.transport->n;
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(e->set.run, "examined.h5", path));
  PetscCall(fm_store_create(e->set.run->comm.world, path, &store));
  PetscCall(fm_store_write(store, "/z", FM_TYPE_REAL, 1, &n, seen->z));
  PetscCall(fm_store_write(store, "/x", FM_TYPE_REAL, 1, &n, seen->x));
  PetscCall(fm_store_write(store, "/gradient", FM_TYPE_REAL, 1, &n, seen->x_bar));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote latent, model and gradient to '%s' (fathom forward -models %s:/x)", path, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode say(examination *e, const fm_examined *seen) {
  const int64_t n = e->set.transport->n;
  fm_results *results = e->set.run->results;
  const char *reason = fm_operator_reason(e->set.target->op);
  double low = INFINITY, high = -INFINITY;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    low = fmin(low, (double)seen->x[i]);
    high = fmax(high, (double)seen->x[i]);
  }
  fm_log("step %lld, sample %lld: %s%s%s", (long long)e->step, (long long)e->sample,
         seen->ok ? "kept" : "dropped", reason[0] ? ": " : "", reason);
  PetscCall(fm_result(results, "kept", seen->ok, "1"));
  PetscCall(fm_result(results, "model_min", low, "model"));
  PetscCall(fm_result(results, "model_max", high, "model"));
  PetscCall(fm_result(results, "model_not_finite", (double)not_finite(n, seen->x), "1"));
  PetscCall(fm_result(results, "logdet", seen->logdet, "nats"));
  PetscCall(fm_result(results, "likelihood", seen->part[0], "nats"));
  PetscCall(fm_result(results, "prior", seen->part[1], "nats"));
  PetscCall(fm_result(results, "gradient_not_finite", (double)not_finite(n, seen->x_bar), "1"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_check_at(fm_run *run) {
  fm_examined seen;
  examination e;

  PetscFunctionBegin;
  PetscCall(read_options(run, &e));
  PetscCall(fm_refinement_create(run, &e.set));
  PetscCall(restore(&e));
  PetscCall(repeat_steps(&e));
  PetscCall(
      fm_posterior_examine(e.set.objective, e.set.trainer->theta, e.step, e.sample, &seen));
  PetscCall(say(&e, &seen));
  PetscCall(write_arrays(&e, &seen));
  PetscCall(fm_refinement_clear(&e.set));
  PetscFunctionReturn(0);
}
