/* reference - the posterior by Hamiltonian Monte Carlo: from draws of the prior in the user's
   units, or in the latent space of a trained flow, whose errors it corrects exactly. */
#include "reference.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <math.h>

#define LEAVE 5. /* seconds for the last file */
#define BLOCK 10 /* iterations between two words to the other ranks */

typedef struct {
  fm_run *run;
  fm_target *target;
  fm_transport *transport; /* NULL: in the user's units */
  fm_real *theta;
  fm_potential *potential;
  fm_sampler *sampler;
  int64_t first, last, checkpoint_every; /* iterations: begin of this job, its end, interval */
  double report, begin, took;            /* took: seconds of the last iterations */
  PetscBool saved;                       /* once */
} reference;

/* ---- set-up ---- */

static PetscErrorCode load_flow(reference *r, const char *path) {
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("weights", FM_WEIGHTS_CHOICES, &weights));
  PetscCall(fm_checkpoint_load(r->run->comm.world, path, (fm_weights)weights, &r->transport,
                               &r->theta));
  fm_log("in the latent space of '%s'", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode build_target(reference *r) {
  fm_transport *t = r->transport;
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_given("observed", &given));
  PetscCall(fm_target_create(&r->run->comm, t ? t->n : 0, t ? t->m : 0,
                             t && !given ? t->y : NULL, &r->target));
  if (t) PetscCall(fm_run_target_fits(r->run, t, r->target));
  if (t) PetscCall(fm_run_prior_fits(r->run, t));
  if (t && t->m) PetscCall(fm_run_observe(t, r->theta, r->target->seen));
  PetscCall(fm_potential_of_target(r->target, t, r->theta, &r->potential));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_tilt(const reference *r, int64_t tilt) {
  int expectation;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("expectation", "none|exp", &expectation));
  fm_check(!tilt || !r->transport, r->run->comm.world, PETSC_ERR_USER,
           "-tilt %lld is for chains in the user's units: leave out -latent", (long long)tilt);
  fm_check(!tilt || expectation, r->run->comm.world, PETSC_ERR_USER,
           "-tilt %lld is for the means of exp(x): give -expectation exp", (long long)tilt);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_hmc(const reference *r, fm_hmc *hmc) {
  PetscFunctionBegin;
  hmc->seed = r->run->seed;
  PetscCall(fm_option_integer_in("warmup", 0, INT32_MAX, &hmc->warmup));
  PetscCall(fm_option_integer_in("tilt", 0, INT32_MAX, &hmc->tilt));
  PetscCall(check_tilt(r, hmc->tilt));
  PetscCall(fm_option_real_in("target_accept", 0.05, 0.999, &hmc->target_accept));
  PetscCall(fm_option_real_in("trajectory", 1e-6, 1e6, &hmc->trajectory));
  PetscCall(fm_option_real_in("trajectory_jitter", 0., 1., &hmc->jitter));
  PetscCall(fm_option_integer_in("leapfrog_steps", 0, INT32_MAX, &hmc->leapfrogs));
  PetscCall(fm_option_integer_in("max_leapfrog_steps", 1, INT32_MAX, &hmc->most));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_size(const reference *r, const fm_sampler_inputs *in) {
  const double bytes = (double)in->chains * (double)in->iterations * (double)r->potential->n *
                       (double)sizeof(fm_real);
  PetscMPIInt ranks;

  PetscFunctionBegin;
  fm_check(bytes <= 0x1p31, r->run->comm.world, PETSC_ERR_USER,
           "%lld chains x %lld draws x %lld unknowns are %.1f GiB, at most 2 are kept: ask for "
           "fewer -iterations, with -thin from as long a run",
           (long long)in->chains, (long long)in->iterations, (long long)r->potential->n,
           bytes / 0x1p30);
  PetscCallMPI(MPI_Comm_size(r->run->comm.sample, &ranks));
  if (ranks > in->chains)
    fm_log("%d of %d sample ranks are idle: there are only %lld -chains",
           (int)(ranks - in->chains), ranks, (long long)in->chains);
  PetscFunctionReturn(0);
}

static PetscErrorCode build_sampler(reference *r) {
  fm_sampler_inputs in = {.comm = &r->run->comm,
                          .potential = r->potential,
                          .op = r->target->op,
                          .settings = r->run->settings,
                          .operator_text = fm_operator_describe(r->target->op)};

  PetscFunctionBegin;
  PetscCall(read_hmc(r, &in.hmc));
  PetscCall(fm_option_integer_in("chains", 1, 1 << 20, &in.chains));
  PetscCall(fm_option_integer_in("iterations", 4, INT32_MAX, &in.iterations));
  PetscCall(fm_option_integer_in("thin", 1, INT32_MAX, &in.thin));
  PetscCall(check_size(r, &in));
  PetscCall(fm_sampler_create(&in, &r->sampler));
  PetscFunctionReturn(0);
}

/* ---- sampling ---- */

static PetscErrorCode begin(reference *r, const char *path) {
  char found[PETSC_MAX_PATH_LEN] = "";
  PetscBool resume;
  int64_t noted[6];

  PetscFunctionBegin;
  PetscCall(fm_option_flag("resume", &resume));
  if (resume) PetscCall(fm_store_newest(r->run->comm.world, path, found));
  if (resume && !found[0]) fm_log("-resume: no file '%s': starting fresh", path);
  if (!found[0]) {
    PetscCall(fm_sampler_start(r->sampler));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_sampler_resume(r->sampler, found));
  PetscCall(fm_lock_noted(r->run->lock, noted));
  for (int k = 0; k < FM_SOLVE_KINDS; k++)
    r->sampler->spent_before[k] = PetscMax(r->sampler->spent_before[k], noted[k]);
  fm_log("resumed '%s' at iteration %lld", found, (long long)r->sampler->iteration);
  r->run->resumed = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare_loop(reference *r) {
  int64_t stop;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("stop_after", 0, INT64_MAX / 2, &stop));
  PetscCall(fm_option_integer_in("checkpoint_every", 1, INT64_MAX / 2, &r->checkpoint_every));
  PetscCall(fm_option_real_in("report_seconds", 0., 1e9, &r->report));
  r->first = r->sampler->iteration;
  r->last = fm_sampler_total(r->sampler);
  if (stop) r->last = PetscMin(r->last, r->first + stop);
  r->begin = MPI_Wtime();
  PetscCall(fm_run_time(r->run));
  fm_stop_set_spare(LEAVE);
  PetscFunctionReturn(0);
}

/* What rank 0 knows of its first chain stands for all. */
static void progress(const reference *r, PetscBool last) {
  const fm_sampler *s = r->sampler;
  const double made = (double)(s->iteration - r->first), spent = MPI_Wtime() - r->begin;
  const double left = (double)(r->last - s->iteration) * spent / PetscMax(1., made);

  fm_progress(r->report, last,
              "iteration %lld/%lld%s  step %.3g  %.1f iterations/s, %.0f s left, %lld F solves",
              (long long)s->iteration, (long long)fm_sampler_total(s),
              s->iteration < s->in.hmc.warmup                    ? " (warm-up)"
              : s->iteration < s->in.hmc.warmup + s->in.hmc.tilt ? " (tilt)"
                                                                 : "",
              s->count ? fm_chain_scalars(s->chain)[FM_CHAIN_STEP] : 0., made / spent, left,
              (long long)s->ledger[FM_SOLVE_F]);
}

/* Words to the other ranks come often enough to stop in time: where iterations are slow after
   each. Ranks of one space know the same. */
static int64_t block_of(const reference *r) {
  PetscMPIInt ranks;

  MPI_Comm_size(r->run->comm.sample, &ranks);
  return r->took <= 0. || r->sampler->all[1] > 1000 * (int64_t)ranks ? 1 : BLOCK;
}

static PetscErrorCode iterate(reference *r, int64_t count) {
  const double begin = MPI_Wtime();
  fm_sampler *s = r->sampler;
  int wish[2];

  PetscFunctionBegin;
  wish[0] = fm_stop_wanted(r->took);
  wish[1] = (int)PetscMin(1000. * r->took, 1e9);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, wish, 2, MPI_INT, MPI_MAX, r->run->comm.space));
  s->mine[0] = wish[0];
  s->mine[1] = wish[1];
  PetscCall(fm_sampler_run(s, count));
  r->took = MPI_Wtime() - begin;
  PetscFunctionReturn(0);
}

static PetscErrorCode save(reference *r, const char *path) {
  char aside[PETSC_MAX_PATH_LEN];
  fm_keep keep = {0};

  PetscFunctionBegin;
  PetscCall(fm_run_path(r->run, "chains.replaced.h5", aside));
  PetscCall(fm_option_integer_in("checkpoint_keep", 1, 99, &keep.files));
  if (!r->run->resumed && !r->saved) keep.aside = aside;
  PetscCall(fm_sampler_save(r->sampler, path, &keep));
  r->saved = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode sample(reference *r) {
  fm_sampler *s = r->sampler;
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(fm_run_path(r->run, "chains.h5", path));
  PetscCall(begin(r, path));
  PetscCall(prepare_loop(r));
  while (s->iteration < r->last && !s->all[0]) {
    const int64_t next = (s->iteration / r->checkpoint_every + 1) * r->checkpoint_every;
    const int64_t stop = PetscMin(r->last, PetscMin(next, s->iteration + block_of(r)));
    int64_t noted[6] = {0};

    PetscCall(iterate(r, stop - s->iteration));
    for (int k = 0; k < FM_SOLVE_KINDS; k++) noted[k] = s->ledger_spent[k];
    PetscCall(fm_lock_note(r->run->lock, noted));
    progress(r, PETSC_FALSE);
    if (s->iteration == next && next < r->last) PetscCall(save(r, path));
  }
  if (s->iteration > r->first) progress(r, PETSC_TRUE);
  PetscCall(save(r, path));
  r->run->stopped = s->all[0] ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode finish(reference *r) {
  const int64_t total = fm_sampler_total(r->sampler);
  int expectation;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("expectation", "none|exp", &expectation));
  if (r->run->stopped)
    fm_log("stopped by %s at iteration %lld of %lld: continue with -resume", fm_stop_reason(),
           (long long)r->sampler->iteration, (long long)total);
  else if (r->sampler->iteration < total)
    fm_log("stopped at iteration %lld of %lld: continue with -resume",
           (long long)r->sampler->iteration, (long long)total);
  fm_stop_over(r->run->stopped);
  if (r->run->stopped) PetscFunctionReturn(0);
  PetscCall(fm_reference_report(r->run, r->sampler, expectation ? PETSC_TRUE : PETSC_FALSE));
  PetscCall(fm_result(r->run->results, "seconds", MPI_Wtime() - r->begin, "s"));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_reference(fm_run *run) {
  reference r = {.run = run};
  const char *latent;

  PetscFunctionBegin;
  fm_stop_watch();
  PetscCall(fm_run_all_shots(run));
  PetscCall(fm_option_text("latent", &latent));
  if (latent[0]) PetscCall(load_flow(&r, latent));
  PetscCall(build_target(&r));
  PetscCall(build_sampler(&r));
  PetscCall(sample(&r));
  PetscCall(finish(&r));
  PetscCall(fm_sampler_destroy(&r.sampler));
  PetscCall(fm_potential_destroy(&r.potential));
  PetscCall(fm_target_destroy(&r.target));
  PetscCall(PetscFree(r.theta));
  PetscCall(fm_transport_destroy(&r.transport));
  PetscFunctionReturn(0);
}
