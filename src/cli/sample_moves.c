#include "cli/sample_moves.h"
#include "cli/solves.h"
#include "fathom/log.h"
#include "fathom/moves.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <math.h>

#define TARGET 0.75 /* mean acceptance */
#define LEAVE 5.    /* seconds for the file */
#define SAVE 60.    /* seconds between files */
#define TOGETHER 8  /* samples of a rank between two words, where these take less than */
#define QUICK 2.    /* seconds; else each */
#define MOVING 3.   /* standard errors of the last round's change that are a warning */
#define REJECTED 0.3

typedef struct {
  fm_run *run;
  fm_moves_inputs in;
  fm_moves *m;
  char path[PETSC_MAX_PATH_LEN];
  int64_t rounds;
  double report, began, took; /* took: seconds of the last samples */
  double first;               /* moves of this rank's samples where this job began */
  fm_target *target;
  int64_t together, before[2]; /* samples between two words; solves of earlier jobs */
  PetscBool resumed, saved;
} moving;

/* ---- from latents or a file ---- */

void fm_sample_latents(uint64_t seed, int64_t n, int64_t first, int64_t count, fm_real *z) {
  for (int64_t s = 0; s < count; s++)
    fm_rng_normal((fm_rng){seed, FM_STREAM_SAMPLE}, 0, (uint64_t)(first + s), (size_t)n,
                  z + s * n);
}

static PetscErrorCode begin(moving *v, int64_t n) {
  char found[PETSC_MAX_PATH_LEN] = "";
  PetscBool resume;
  fm_real *z;

  PetscFunctionBegin;
  PetscCall(fm_run_path(v->run, "moves.h5", v->path));
  PetscCall(fm_option_flag("resume", &resume));
  if (resume) PetscCall(fm_store_newest(v->run->comm.world, v->path, found));
  if (resume && !found[0]) fm_log("-resume: no file '%s': starting fresh", v->path);
  if (found[0]) {
    PetscCall(fm_moves_resume(&v->in, found, &v->m));
    fm_check(
        v->m->round <= v->rounds, v->run->comm.world, PETSC_ERR_USER,
        "the samples of '%s' have made %lld moves, more than -moves %lld: leave out -resume",
        found, (long long)v->m->round, (long long)v->rounds);
    fm_log("resumed '%s' after %lld whole moves", found, (long long)v->m->round);
    PetscCall(PetscArraycpy(v->before, v->m->solves, 2));
    v->resumed = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  PetscCall(fm_calloc(v->in.count * n, &z));
  fm_sample_latents(v->in.seed, n, v->in.first, v->in.count, z);
  PetscCall(fm_moves_create(&v->in, z, &v->m));
  PetscCall(PetscFree(z));
  PetscFunctionReturn(0);
}

/* ---- rounds ---- */

static void progress(const moving *v, double part) {
  const double left = ((double)v->rounds - part) * (MPI_Wtime() - v->began) / (part - v->first);
  char acceptance[16] = "-";

  if (v->m->acceptance >= 0) snprintf(acceptance, sizeof(acceptance), "%.2f", v->m->acceptance);
  fm_progress(v->report, part >= (double)v->rounds ? PETSC_TRUE : PETSC_FALSE,
              "move %.2f/%lld of %lld samples  acceptance %s  %.0f s left", part,
              (long long)v->rounds, (long long)v->in.total, acceptance, left);
}

/* Some samples a rank, then a word among all of them: whether one wants to stop, whether one is
   slow, whether a file is due. */
static PetscErrorCode some(moving *v, double saved, PetscBool *ended, PetscBool *stop,
                           PetscBool *due) {
  const double at = MPI_Wtime();
  double moved = 0;
  int word[3];

  PetscFunctionBegin;
  PetscCall(fm_moves_some(v->m, v->together, ended));
  v->took = MPI_Wtime() - at;
  for (int64_t s = 0; s < v->in.count; s++) moved += v->m->made[s];
  progress(v, v->in.count ? moved / (double)v->in.count : (double)v->m->round);
  word[0] = fm_stop_wanted(v->took);
  word[1] = v->took * TOGETHER > QUICK * (double)v->together;
  word[2] = MPI_Wtime() - saved > SAVE;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, word, 3, MPI_INT, MPI_MAX, v->run->comm.world));
  v->together = word[1] ? 1 : TOGETHER;
  *stop = word[0] ? PETSC_TRUE : PETSC_FALSE;
  *due = word[0] || word[2] || *ended ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* An older file of a run that is not gone on with is kept aside. */
static PetscErrorCode save(moving *v) {
  char aside[PETSC_MAX_PATH_LEN];
  fm_keep keep = {.files = 2};
  fm_ledger all;

  PetscFunctionBegin;
  PetscCall(fm_run_solves(v->run, v->target->op, &all));
  v->m->solves[0] = v->before[0] + all.count[FM_USEFUL][FM_SOLVE_F];
  v->m->solves[1] = v->before[1] + all.count[FM_USEFUL][FM_SOLVE_JT];
  PetscCall(fm_run_path(v->run, "moves.replaced.h5", aside));
  if (!v->resumed && !v->saved) keep.aside = aside;
  PetscCall(fm_moves_save(v->m, v->path, &keep));
  v->saved = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode rounds(moving *v) {
  PetscBool stop = PETSC_FALSE, ended, due;
  double saved = MPI_Wtime();

  PetscFunctionBegin;
  v->together = 1;
  while (v->m->round < v->rounds && !stop) {
    PetscCall(some(v, saved, &ended, &stop, &due));
    if (!due) continue;
    PetscCall(save(v));
    saved = MPI_Wtime();
  }
  v->run->stopped = v->m->round < v->rounds ? PETSC_TRUE : PETSC_FALSE;
  if (v->run->stopped)
    fm_log("stopped by %s in move %lld of %lld: continue with -resume", fm_stop_reason(),
           (long long)v->m->round + 1, (long long)v->rounds);
  fm_stop_over(v->run->stopped);
  PetscFunctionReturn(0);
}

/* ---- results ---- */

static PetscErrorCode warn(const moving *v, const fm_moved *told) {
  PetscFunctionBegin;
  if (told->last_se > 0 && fabs(told->last) > MOVING * told->last_se)
    fm_warn("the samples still move: in the last of %lld moves -log density changed by %.3g "
            "+- %.2g nats; ask for more -moves",
            (long long)v->m->round, told->last, told->last_se);
  if (v->m->acceptance < REJECTED)
    fm_warn("only %.2g of the last move's trajectories were accepted: samples of the flow may "
            "have stayed; ask for more -moves",
            v->m->acceptance);
  if (told->failed)
    fm_warn("%lld samples could not be moved: the operator failed there",
            (long long)told->failed);
  PetscFunctionReturn(0);
}

static PetscErrorCode say(const moving *v) {
  fm_results *r = v->run->results;
  fm_moved told;

  PetscFunctionBegin;
  PetscCall(fm_moves_tell(v->m, &told));
  PetscCall(fm_result(r, "moves", (double)v->m->round, "1"));
  PetscCall(fm_result(r, "moves_failed", (double)told.failed, "1"));
  PetscCall(fm_result(r, "moves_acceptance", v->m->acceptance, "1"));
  PetscCall(fm_result(r, "moves_leapfrogs",
                      (double)v->m->leapfrogs / (double)(v->m->round * v->in.total), "1"));
  PetscCall(fm_result(r, "moves_change", told.change, "nats"));
  PetscCall(fm_result(r, "moves_change_se", told.se, "nats"));
  PetscCall(fm_result(r, "moves_last_change", told.last, "nats"));
  PetscCall(fm_result(r, "moves_last_change_se", told.last_se, "nats"));
  PetscCall(fm_result(r, "moves_latent_square", told.latent, "1"));
  PetscCall(fm_result(r, "moves_seconds", MPI_Wtime() - v->began, "s"));
  PetscCall(fm_result(r, "solves_F", (double)v->m->solves[0], "solves"));
  PetscCall(fm_result(r, "solves_JT", (double)v->m->solves[1], "solves"));
  PetscCall(warn(v, &told));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_sample_moves(fm_run *run, fm_target *target, fm_transport *transport,
                               const fm_real *theta, int64_t moves, int64_t total,
                               int64_t first, int64_t count, fm_real *x) {
  moving v = {.run = run, .rounds = moves, .began = MPI_Wtime(), .target = target};
  fm_potential *potential;

  PetscFunctionBegin;
  PetscCall(fm_option_real_in("report_seconds", 0., 1e9, &v.report));
  PetscCall(fm_run_time(run));
  fm_stop_set_spare(LEAVE);
  PetscCall(fm_potential_of_target(target, transport, theta, &potential));
  v.in = (fm_moves_inputs){.comm = &run->comm,
                           .potential = potential,
                           .seed = run->seed,
                           .trajectory = PETSC_PI / 2,
                           .target = TARGET,
                           .total = total,
                           .first = first,
                           .count = count};
  PetscCall(begin(&v, transport->n));
  for (int64_t s = 0; s < count; s++) v.first += v.m->made[s] / (double)count;
  PetscCall(rounds(&v));
  PetscCall(PetscArraycpy(x, v.m->x, count * transport->n));
  if (!run->stopped) PetscCall(say(&v));
  PetscCall(fm_moves_destroy(&v.m));
  PetscCall(fm_potential_destroy(&potential));
  PetscFunctionReturn(0);
}
