/* evaluate - how good is q: on pairs, and at one observation. */
#include "evaluate.h"
#include "cli/mismatch.h"
#include "cli/solves.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

#define COVARIANCE 1024 /* unknowns up to which the whole covariance is written */

static PetscErrorCode on_pairs(fm_run *run, fm_transport *t, const fm_real *theta,
                               const char *path) {
  fm_dataset *data;
  int64_t count, *row;
  double nll, se, nll_y;

  PetscFunctionBegin;
  PetscCall(fm_dataset_open(run->comm.world, path, &data));
  count = fm_dataset_count(data);
  PetscCall(fm_run_pairs_fit(run, t, data, path));
  PetscCall(fm_calloc(count, &row));
  for (int64_t i = 0; i < count; i++) row[i] = i;
  PetscCall(fm_pairs_loss(&run->comm, t, theta, data, count, row, &nll, &se, &nll_y));
  if (isinf(nll))
    fm_warn(
        "the flow gives some pairs of '%s' no finite likelihood: they are unlike what it was "
        "trained on (in other units?)",
        path);
  PetscCall(fm_result(run->results, "nll", nll, "nats"));
  PetscCall(fm_result(run->results, "nll_se", se, "nats"));
  PetscCall(fm_result(run->results, "nll_x_given_y", isinf(nll) ? nll : nll - nll_y, "nats"));
  PetscCall(PetscFree(row));
  PetscCall(fm_dataset_close(&data));
  PetscFunctionReturn(0);
}

/* J and KL with all their digits, moments and weights as arrays: OUT/evaluation.h5. */
static PetscErrorCode write_moments(int64_t n, const fm_diagnosis *d, fm_store *store) {
  const double p[] = {0.05, 0.5, 0.95};
  const int64_t one[] = {n}, two[] = {n, n}, three[] = {n, 3};
  const int64_t ncov = n <= COVARIANCE ? n * n : 0;
  double *mean, *std, *cov, *quantile;

  PetscFunctionBegin;
  PetscCall(PetscCalloc4(n, &mean, n, &std, ncov, &cov, 3 * n, &quantile));
  if (d->x) {
    fm_samples_mean(d->count, n, d->x, NULL, mean);
    if (ncov) fm_samples_covariance(d->count, n, d->x, NULL, mean, cov);
    fm_samples_std(d->count, n, d->x, NULL, mean, std);
    for (int64_t i = 0; i < n; i++)
      PetscCall(fm_samples_quantiles(d->count, n, d->x, i, 3, p, quantile + 3 * i));
  }
  PetscCall(fm_store_write(store, "/mean", FM_FLOAT64, 1, one, mean));
  PetscCall(fm_store_write(store, "/std", FM_FLOAT64, 1, one, std));
  if (ncov) PetscCall(fm_store_write(store, "/covariance", FM_FLOAT64, 2, two, cov));
  PetscCall(fm_store_write(store, "/quantiles_05_50_95", FM_FLOAT64, 2, three, quantile));
  PetscCall(PetscFree4(mean, std, cov, quantile));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_arrays(const fm_evaluation *e) {
  const fm_diagnosis *d = &e->d;
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  PetscCall(fm_run_path(e->run, "evaluation.h5", path));
  PetscCall(fm_store_create(e->run->comm.world, path, &store));
  PetscCall(fm_store_write(store, "/j", FM_FLOAT64, 0, NULL, &d->objective));
  PetscCall(fm_store_write(store, isnan(e->log_evidence) ? "/minus_elbo" : "/kl", FM_FLOAT64, 0,
                           NULL, &d->kl));
  PetscCall(fm_store_write(store, "/kl_se", FM_FLOAT64, 0, NULL, &d->kl_se));
  PetscCall(write_moments(e->t->n, d, store));
  PetscCall(fm_store_write(store, "/log_weight", FM_FLOAT64, 1, &d->count, d->log_weight));
  PetscCall(fm_weights_write(e->run, e->t->n, d, store));
  PetscCall(fm_evaluation_write(e, store));
  PetscCall(fm_store_commit(&store, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode report(fm_run *run, const fm_diagnosis *d, double log_evidence) {
  fm_results *r = run->results;

  PetscFunctionBegin;
  PetscCall(fm_result(r, "evaluation_latents", (double)d->count, "1"));
  PetscCall(fm_result(r, "failed", (double)d->failed, "1"));
  PetscCall(
      fm_result(r, "failed_fraction", (double)d->failed / (double)(d->count + d->failed), "1"));
  PetscCall(fm_result(r, "j", d->objective, "nats"));
  PetscCall(fm_result(r, "j_se", d->objective_se, "nats"));
  PetscCall(fm_result(r, isnan(log_evidence) ? "minus_elbo" : "kl", d->kl, "nats"));
  if (isnan(log_evidence)) PetscCall(fm_result(r, "minus_elbo_se", d->kl_se, "nats"));
  PetscCall(fm_result(r, "kl_se", d->kl_se, "nats"));
  PetscCall(fm_result(r, "ess_fraction", d->ess_fraction, "1"));
  PetscCall(fm_result(r, "k_hat", d->k_hat, "1"));
  PetscCall(fm_result(r, "log_evidence", d->log_evidence, "nats"));
  PetscFunctionReturn(0);
}

/* The problem, and the flow at its data. */
static PetscErrorCode set_up(fm_evaluation *e) {
  fm_run *run = e->run;
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_run_all_shots(run));
  PetscCall(fm_run_log_evidence(&e->log_evidence));
  PetscCall(fm_option_given("observed", &given));
  PetscCall(fm_target_create(&run->comm, e->t->n, e->t->m, given ? NULL : e->t->y, &e->target));
  PetscCall(fm_run_target_fits(run, e->t, e->target));
  PetscCall(fm_run_prior_fits(run, e->t));
  PetscCall(fm_evaluation_truth(e));
  if (e->t->m) PetscCall(fm_run_observe(e->t, e->theta, e->target->seen));
  PetscFunctionReturn(0);
}

/* J, KL and weights. */
static PetscErrorCode diagnose(fm_evaluation *e) {
  const double log_evidence = isnan(e->log_evidence) ? 0. : e->log_evidence;
  const char *reason;
  fm_ledger solves;
  int64_t latents;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("evaluation_latents", 2, 1 << 30, &latents));
  PetscCall(fm_diagnose(e->target, e->t, e->theta, e->run->seed, FM_STREAM_EVALUATE, latents,
                        log_evidence, PETSC_TRUE, &e->d));
  reason = fm_operator_reason(e->target->op);
  fm_check(e->d.count, e->run->comm.world, PETSC_ERR_USER,
           "all %lld samples failed or are not finite%s%s%s: was the flow trained for this "
           "problem, in these units?",
           (long long)latents, reason[0] ? " (the last: " : "", reason, reason[0] ? ")" : "");
  PetscCall(report(e->run, &e->d, e->log_evidence));
  PetscCall(fm_run_solves(e->run, e->target->op, &solves));
  PetscCall(fm_result(e->run->results, "diagnostic_F",
                      (double)solves.count[FM_DIAGNOSTIC][FM_SOLVE_F], "solves"));
  PetscFunctionReturn(0);
}

static PetscErrorCode at_observation(fm_run *run, fm_transport *t, const fm_real *theta) {
  fm_evaluation e = {.run = run, .t = t, .theta = theta};

  PetscFunctionBegin;
  PetscCall(set_up(&e));
  PetscCall(diagnose(&e));
  PetscCall(fm_evaluation_trust(&e));
  PetscCall(fm_evaluation_moved(&e));
  PetscCall(fm_evaluation_place_truth(&e));
  PetscCall(fm_judge_data(run, e.target, t));
  PetscCall(fm_judge_prior_by(run, e.target, t, theta, &e.prior_above));
  PetscCall(fm_report_moments(run, e.d.count, t->n, e.d.x));
  PetscCall(fm_evaluation_judge(&e));
  PetscCall(write_arrays(&e));
  PetscCall(fm_evaluation_clear(&e));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_evaluate(fm_run *run) {
  const char *pairs, *op;
  fm_transport *t;
  fm_real *theta;

  PetscFunctionBegin;
  PetscCall(fm_option_text("pairs", &pairs));
  PetscCall(fm_option_text("operator", &op));
  fm_check(pairs[0] || op[0], run->comm.world, PETSC_ERR_USER,
           "nothing to evaluate on: give -pairs FILE.h5, or "
           "-operator, -prior, -noise_std and -observed");
  PetscCall(fm_run_load(run, &t, &theta));
  if (pairs[0]) PetscCall(on_pairs(run, t, theta, pairs));
  if (op[0]) PetscCall(at_observation(run, t, theta));
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&t));
  PetscFunctionReturn(0);
}
