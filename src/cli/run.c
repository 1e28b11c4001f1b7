/* From argv to a command and back: everything that all commands share. */
#include "cli/arguments.h"
#include "cli/leave.h"
#include "cli/options.h"
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/stop.h"
#include <math.h>
#include <signal.h>
#include <time.h>

#define FM_COMMAND(name, writes, help) PetscErrorCode fm_command_##name(fm_run *);
#include "commands.def"
#undef FM_COMMAND

typedef struct {
  const char *name;
  fm_command run;
  PetscBool writes;
} command_entry;
#define FM_COMMAND(name, writes, help)                                                         \
  {#name, fm_command_##name, writes ? PETSC_TRUE : PETSC_FALSE},
static const command_entry commands[] = {
#include "commands.def"
};
#undef FM_COMMAND
#define FM_COMMAND(name, writes, help) #name,
static const char *const names[] = {
#include "commands.def"
};
#undef FM_COMMAND
enum { NCOMMAND = sizeof(commands) / sizeof(commands[0]) };

void openblas_set_num_threads(int);

/* One BLAS thread a rank, unless the user asked for more: sums must not depend on a machine's
   core count. */
static void set_threads(void) {
  if (!getenv("OPENBLAS_NUM_THREADS") && !getenv("OMP_NUM_THREADS"))
    openblas_set_num_threads(1);
}

static PetscErrorCode find_command(const char *name, const command_entry **entry) {
  const char *nearest;

  PetscFunctionBegin;
  *entry = NULL;
  for (int i = 0; i < NCOMMAND; i++)
    if (!strcmp(commands[i].name, name)) *entry = &commands[i];
  if (*entry) PetscFunctionReturn(0);
  nearest = fm_name_nearest(name, NCOMMAND, names);
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_USER, "unknown command '%s'%s%s%s (see: fathom help)",
          name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static PetscErrorCode announce(const fm_run *run) {
  PetscMPIInt ranks, space;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(run->comm.world, &ranks));
  PetscCallMPI(MPI_Comm_size(run->comm.space, &space));
  fm_log("fathom %s %s (%s), %d rank%s = %d sample x %d space", FM_VERSION, run->command,
         FM_PRECISION, ranks, ranks == 1 ? "" : "s", ranks / space, space);
  fm_log("settings:\n%s", run->settings);
  PetscFunctionReturn(0);
}

static PetscErrorCode open_run(fm_run *run, const command_entry *entry) {
  int64_t ranks_per_sample, seed;

  PetscFunctionBegin;
  fm_check(!entry->writes || !run->argument[0], PETSC_COMM_WORLD, PETSC_ERR_USER,
           "unexpected word '%s': options begin with a dash", run->argument);
  PetscCall(fm_options_check(run->command));
  PetscCall(fm_option_integer_in("ranks_per_sample", 1, 1 << 20, &ranks_per_sample));
  PetscCall(fm_option_integer_in("seed", 0, INT64_MAX, &seed));
  PetscCall(fm_option_text("out", &run->out));
  run->seed = (uint64_t)seed;
  PetscCall(fm_comm_create(PETSC_COMM_WORLD, (PetscMPIInt)ranks_per_sample, &run->comm));
  PetscCall(fm_cli_settings(run->command, &run->settings));
  PetscCall(fm_results_create(&run->results));
  if (!entry->writes) PetscFunctionReturn(0);
  PetscCall(announce(run));
  PetscCall(fm_store_make_folder(run->comm.world, run->out));
  PetscCall(fm_lock_take(run->comm.world, run->out, 10., &run->lock));
  PetscFunctionReturn(0);
}

static PetscErrorCode close_run(fm_run *run, const command_entry *entry) {
  PetscFunctionBegin;
  if (entry->writes) PetscCall(fm_results_write(run->results, run->comm.world, run->out));
  if (run->lock) PetscCall(fm_lock_release(&run->lock));
  PetscCall(fm_results_destroy(&run->results));
  PetscCall(PetscFree(run->settings));
  PetscCall(fm_comm_destroy(&run->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_command(const fm_arguments *a, double begin, PetscBool *stopped) {
  const command_entry *entry;
  fm_run run;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&run, sizeof(run)));
  PetscCall(fm_cli_declare());
  run.begin = begin;
  run.command = a->command[0] ? a->command : "help";
  run.argument = a->argument;
  PetscCall(find_command(run.command, &entry));
  PetscCall(open_run(&run, entry));
  PetscCall(entry->run(&run));
  PetscCall(close_run(&run, entry));
  *stopped = run.stopped;
  fm_options_forget();
  PetscFunctionReturn(0);
}

/* Our error handler comes before PETSc, so that what PETSc refuses is one sentence too. */
static PetscErrorCode start_petsc(fm_arguments *a) {
  PetscFunctionBegin;
  PetscCall(fm_leave_prepare(MPI_COMM_WORLD));
  PetscCall(PetscInitialize(&a->argc, &a->argv, NULL, NULL));
  signal(SIGPIPE, SIG_DFL); /* fathom inspect FILE | head: no trace */
  signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a sentence */
  PetscFunctionReturn(0);
}

/* What PETSc does about signals ends before the rest of it: it takes our SIGTERM along, and a
   rank that has left with FM_STOP_STATUS may bring one to those that are still leaving (srun
   --kill-on-bad-exit). */
static PetscErrorCode end_petsc(void) {
  PetscFunctionBegin;
  PetscCall(PetscPopSignalHandler());
  if (fm_stop_watched()) fm_stop_watch();
  PetscFunctionReturn(PetscFinalize());
}

int fm_main(int argc, char **argv) {
  const double begin = (double)time(NULL);
  PetscBool stopped = PETSC_FALSE;
  const char *sentence;
  fm_arguments a;
  int failed;

  set_threads();
  failed = fm_arguments_read(argc, argv, &a, &sentence);
  if (!failed) failed = (sentence = fm_arguments_check_yaml(&a)) != NULL;
  if (failed) {
    a.argc = 1; /* PETSc must not read the options that are wrong */
    fm_leave_say(sentence);
  }
  if (start_petsc(&a) || failed || run_command(&a, begin, &stopped) || end_petsc())
    return fm_leave_with();
  fm_arguments_free(&a);
  return stopped ? FM_STOP_STATUS : 0;
}
