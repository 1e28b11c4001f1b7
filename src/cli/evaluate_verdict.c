/* One word about a posterior, with its reasons (method.md section 7).

   Limits, and where they come from:
       Fisher divergence   0.05 nats per unknown: every std 15 % too large is 0.052, 15 % too
                           small 0.039, and either is about 0.02 nats of KL per unknown
       Stein bias          0.2 conditional stds, rms of a depth: 0.02 nats of KL per unknown
       Stein scale         0.72 to 1.32, the squares of 0.85 and 1.15, mean of a depth
       ESS in the modes    0.3: 16 modes whose stds are all 15 % too small have 0.28; of 256
                           draws at least, for that of 64 is between .05 and .28 with the seed
                           where that of 2,048 is .1
       moved samples       in place of these weights: a correlation of 0.1 with their starts in
                           the modes, of which that much of the flow's error of location is
                           left, and its square of that of spread; acceptance 0.3; the last
                           move's change within 3 standard errors; 64 at least
       chi^2               1 +- 3 sqrt(2 / data), overall and of each shot, where 5 % of the
                           shots may be outside; of traces also each of up to 8 octaves, for one
                           posterior sample
       with a truth        1/2 (chi^2(samples) - chi^2(truth)) within +- 3 sqrt(n_eff): given
                           the data truth and sample have one distribution, so the mean is 0;
                           its variance is between n_eff/2 and n_eff for a linear operator
       ESS and k-hat       0.3 and 0.7, of at most 128 unknowns and at least 10^4 samples: no
                           reason either way otherwise
       prior energy        5 stds above that of the prior's own draws
       failed samples      1 % at most
       calibration         passed, on 16 models at least, of this problem */
#include "cli/problems.h"
#include "evaluate.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>
#include <stdarg.h>

#define FISHER 0.05
#define BIAS 0.2
#define SCALE_LEAST 0.72
#define SCALE_MOST 1.32
#define ESS 0.3
#define MODES_DRAWS 256
#define KEPT 0.1
#define ACCEPTED 0.3
#define MOVED 64
#define K_HAT 0.7
#define WEIGHTS_UNKNOWNS 128
#define WEIGHTS_SAMPLES 10000
#define PRIOR 5.
#define FAILED 0.01
#define SHOTS_OUTSIDE 0.05
#define MODELS 16 /* of a calibration */

typedef struct {
  char good[1500], bad[1500], lacking[900];
  char training[700]; /* of these, what every verdict says */
} clauses;

static void say(char *list, size_t size, const char *format, va_list arguments) {
  const size_t used = strlen(list);
  char *end = list + used;

  if (used) snprintf(end, size - used, "; ");
  vsnprintf(end + strlen(end), size - strlen(list), format, arguments);
}

/* A clause to the good or the bad ones. */
static void check(clauses *c, int good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void check(clauses *c, int good, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  say(good ? c->good : c->bad, sizeof(c->good), format, arguments);
  va_end(arguments);
}

/* A clause to what keeps it from being verified. */
static void lack(clauses *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void lack(clauses *c, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  say(c->lacking, sizeof(c->lacking), format, arguments);
  va_end(arguments);
}

static void lack_training(clauses *c, const char *text) {
  const size_t used = strlen(c->training);

  lack(c, "%s", text);
  snprintf(c->training + used, sizeof(c->training) - used, "; %s", text);
}

/* ---- what is held against limits ---- */

static void judge_stein(const fm_evaluation *e, clauses *c) {
  double bias = 0, least = INFINITY, most = -INFINITY;
  int64_t rows, columns;
  char where[32];

  fm_trust_grid(e, &rows, &columns);
  snprintf(where, sizeof(where), "%s", rows > 1 ? " of the worst depth" : "");
  for (int64_t k = 0; k < rows; k++) {
    const double row = fm_trust_rms_bias(&e->trust, k * columns, columns);
    const double scale = fm_trust_mean_scale(&e->trust, k * columns, columns);

    bias = isnan(row) ? row : fmax(bias, row);
    least = isnan(scale) ? scale : fmin(least, scale);
    most = isnan(scale) ? scale : fmax(most, scale);
  }
  check(c, bias <= BIAS, "Stein bias%s %.3g posterior std (at most %g)", where, bias, BIAS);
  if (rows > 1)
    check(c, least >= SCALE_LEAST && most <= SCALE_MOST,
          "Stein scale of the depths %.3g to %.3g (%g to %g)", least, most, SCALE_LEAST,
          SCALE_MOST);
  else
    check(c, least >= SCALE_LEAST && most <= SCALE_MOST, "Stein scale %.3g (%g to %g)", least,
          SCALE_LEAST, SCALE_MOST);
}

static void judge_fit(const fm_evaluation *e, clauses *c) {
  const fm_fit *f = &e->fit;
  const double limit = 3 * sqrt(2 / f->all_data), bound = 3 * sqrt(fmax(0, e->trust.n_eff));
  const double allowed = SHOTS_OUTSIDE * (double)f->parts;
  int64_t outside = 0;

  for (int64_t p = 0; p < f->parts; p++)
    outside += !(fabs(f->chi2[p] - 1) <= 3 * sqrt(2 / f->data[p]));
  if (isnan(f->excess_of_truth))
    check(c, fabs(f->all - 1) <= limit, "chi^2 of the data %.4g (1 +- %.2g)", f->all, limit);
  else
    check(c, fabs(f->excess_of_truth) <= bound,
          "chi^2 of samples above that of the truth by %.3g nats (0 +- %.3g)",
          f->excess_of_truth, bound);
  if (f->parts > 1 && isnan(f->excess_of_truth))
    check(c, (double)outside <= allowed,
          "chi^2 of %lld of %lld shots outside 1 +- 3 sqrt(2 / data) (at most %g)",
          (long long)outside, (long long)f->parts, floor(allowed));
}

/* The octave that is furthest out, in standard deviations. */
static void judge_octaves(const fm_evaluation *e, clauses *c) {
  const fm_bands *b = &e->fit.octaves;
  double worst = -1;
  int which = 0;

  for (int k = 0; k < b->bands; k++) {
    const double out = fabs(b->chi2[k] - 1) / sqrt(2 / b->data[k]);

    if (!(b->data[k] > 0) || out <= worst) continue;
    worst = out;
    which = k;
    if (isnan(out)) break;
  }
  if (b->bands && isnan(e->fit.excess_of_truth))
    check(c, worst <= 3, "chi^2 of the octave below %.3g Hz %.4g (1 +- %.2g)", b->top[which],
          b->chi2[which], 3 * sqrt(2 / b->data[which]));
}

static PetscBool weights_count(const fm_evaluation *e) {
  return e->target->n <= WEIGHTS_UNKNOWNS && e->d.count >= WEIGHTS_SAMPLES ? PETSC_TRUE
                                                                           : PETSC_FALSE;
}

static void judge_weights(const fm_evaluation *e, clauses *c) {
  if (weights_count(e)) {
    check(c, e->d.ess_fraction >= ESS, "ESS fraction %.3g (at least %g)", e->d.ess_fraction,
          ESS);
    check(c, e->d.k_hat <= K_HAT, "k-hat %.3g (at most %g)", e->d.k_hat, K_HAT);
  } else
    fm_log(
        "ess_fraction, k_hat and log_evidence are not to be relied on and take no part in the "
        "verdict: %lld unknowns (at most %d), %lld samples (at least %d)",
        (long long)e->target->n, WEIGHTS_UNKNOWNS, (long long)e->d.count, WEIGHTS_SAMPLES);
}

static void judge_failed(const fm_evaluation *e, clauses *c) {
  const int64_t failed = e->d.failed + e->trust.failed + e->trust.failed_draws;
  const int64_t all =
      e->d.count + e->d.failed + e->trust.count + e->trust.failed + e->trust.draws;
  const double share = (double)failed / (double)all;

  if (failed)
    check(c, share <= FAILED, "%.3g of the samples failed (at most %g)", share, FAILED);
  if (failed) lack(c, "%lld samples failed", (long long)failed);
}

/* Samples that have been moved away from where the flow put them. */
static void judge_moved(const fm_evaluation *e, clauses *c) {
  const fm_correction *m = &e->moved;

  check(
      c, fabs(m->correlation) <= KEPT,
      "%lld samples keep %.2g of their starts in the %lld leading modes after -moves %lld (at "
      "most %g)",
      (long long)m->count, m->correlation, (long long)e->trust.modes, (long long)m->moves,
      KEPT);
  check(c, m->acceptance >= ACCEPTED, "acceptance of the moves %.2g (at least %g)",
        m->acceptance, ACCEPTED);
  check(c, fabs(m->change) <= 3 * m->change_se,
        "-log density changed by %.2g nats in the last move (0 +- %.2g)", m->change,
        3 * m->change_se);
  if (m->failed) lack(c, "%lld samples could not be moved", (long long)m->failed);
  if (m->count < MOVED) lack(c, "%lld moved samples (at least %d)", (long long)m->count, MOVED);
}

static void judge_modes(const fm_evaluation *e, clauses *c) {
  const fm_trust *t = &e->trust;

  if (e->moved.count) {
    judge_moved(e, c);
    return;
  }
  if (isnan(t->ess_fraction)) {
    lack(c, "no weights in the leading modes");
    return;
  }
  check(c, t->ess_fraction >= ESS, "ESS fraction %.3g in the %lld leading modes (at least %g)",
        t->ess_fraction, (long long)t->modes, ESS);
  if (t->draws < MODES_DRAWS)
    lack(c, "that ESS fraction is of %lld draws (at least %d: -evaluation_latents)",
         (long long)t->draws, MODES_DRAWS);
}

/* ---- what comes from files ---- */

/* A calibration of another problem verifies nothing here; one that does not say is taken.
   moves: of its samples. */
static PetscErrorCode judge_its_problem(const fm_evaluation *e, fm_store *store, clauses *c,
                                        int64_t *moves) {
  fm_problem_difference other, otherwise;
  char mixed[600] = "";
  PetscErrorCode error;
  PetscBool has;
  char *text;

  PetscFunctionBegin;
  PetscCall(fm_store_has_attribute(store, "/", "problem_mixed", &has));
  if (has) PetscCall(fm_store_get_text(store, "/", "problem_mixed", mixed, sizeof(mixed)));
  if (mixed[0]) lack(c, "calibration on %s", mixed);
  PetscCall(fm_store_has(store, "/problem_settings", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fm_store_read_text(store, "/problem_settings", &text));
  error = fm_problem_compare(e->run->settings, text, &other, &otherwise);
  *moves = fm_problem_moves(text);
  PetscCall(PetscFree(text));
  PetscCall(error);
  if (e->moved.count && *moves != e->moved.moves)
    lack(c, "the calibration is of samples with -moves %lld, those of -moved made %lld",
         (long long)*moves, (long long)e->moved.moves);
  if (other.here[0])
    lack(c, "the calibration is of another problem: %s, here %s", other.there, other.here);
  PetscFunctionReturn(0);
}

static PetscErrorCode judge_calibration(const fm_evaluation *e, clauses *c) {
  char faults[512] = "", moved[48] = "";
  int64_t models, passed, moves = 0;
  const char *path;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_option_text("calibration", &path));
  if (!path[0]) lack(c, "no -calibration on held-out models");
  if (!path[0]) PetscFunctionReturn(0);
  PetscCall(fm_store_open(e->run->comm.world, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "calibration_passed", &has));
  fm_check(has, e->run->comm.world, PETSC_ERR_USER,
           "-calibration '%s' is not what calibrate writes: it has no calibration_passed",
           path);
  PetscCall(fm_store_get_integer(store, "/", "calibration_passed", &passed));
  PetscCall(fm_store_get_integer(store, "/", "models", &models));
  PetscCall(fm_store_get_text(store, "/", "calibration_faults", faults, sizeof(faults)));
  PetscCall(judge_its_problem(e, store, c, &moves));
  PetscCall(fm_store_close(&store));
  if (moves) snprintf(moved, sizeof(moved), ", samples with -moves %lld", (long long)moves);
  check(c, passed == 1, "calibration on %lld held-out models%s%s%s", (long long)models, moved,
        faults[0] ? ": " : "", faults);
  if (models < MODELS)
    lack(c, "calibration on %lld models (at least %d)", (long long)models, MODELS);
  PetscFunctionReturn(0);
}

/* How the checkpoint was trained, where it says so. */
static PetscErrorCode judge_training(const fm_evaluation *e, clauses *c) {
  char path[PETSC_MAX_PATH_LEN], mismatch[256] = "", tempered[64];
  double tempering = 1;
  fm_store *store;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fm_run_checkpoint(e->run, path));
  PetscCall(fm_store_open(e->run->comm.world, path, &store));
  PetscCall(fm_store_has_attribute(store, "/", "tempering", &has));
  if (has) PetscCall(fm_store_get_real(store, "/", "tempering", &tempering));
  PetscCall(fm_store_has_attribute(store, "/", "prior_mismatch", &has));
  if (has)
    PetscCall(fm_store_get_text(store, "/", "prior_mismatch", mismatch, sizeof(mismatch)));
  PetscCall(fm_store_close(&store));
  snprintf(tempered, sizeof(tempered), "trained at tempering %.3g (1)", tempering);
  if (tempering != 1) lack_training(c, tempered);
  if (mismatch[0]) lack_training(c, mismatch);
  PetscFunctionReturn(0);
}

/* ---- the verdict ---- */

static PetscErrorCode gather(const fm_evaluation *e, clauses *c) {
  PetscFunctionBegin;
  if (e->trust.bias) {
    const double fisher = e->trust.fisher / (double)e->trust.n;

    check(c, fisher <= FISHER, "Fisher divergence %.3g nats per unknown (at most %g)", fisher,
          FISHER);
    judge_stein(e, c);
    judge_modes(e, c);
    judge_fit(e, c);
    judge_octaves(e, c);
  } else
    check(c, 0, "nothing was measured: -trust_latents 0");
  judge_weights(e, c);
  judge_failed(e, c);
  if (!isnan(e->prior_above))
    check(c, e->prior_above <= PRIOR, "prior energy %.3g std above its own (at most %g)",
          e->prior_above, PRIOR);
  PetscCall(judge_calibration(e, c));
  PetscCall(judge_training(e, c));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_evaluation_judge(fm_evaluation *e) {
  clauses c = {"", "", "", ""};
  const char *word;

  PetscFunctionBegin;
  PetscCall(gather(e, &c));
  word = c.bad[0] ? "not trusted" : c.lacking[0] ? "consistent" : "verified";
  PetscCall(PetscStrncpy(e->verdict, word, sizeof(e->verdict)));
  if (c.bad[0])
    PetscCall(PetscSNPrintf(e->reasons, sizeof(e->reasons), "%s%s", c.bad, c.training));
  else
    PetscCall(PetscSNPrintf(e->reasons, sizeof(e->reasons), "%s%s%s", c.good,
                            c.lacking[0] ? "; not verified: " : "", c.lacking));
  fm_log("verdict: %s - %s", e->verdict, e->reasons);
  PetscCall(fm_result(e->run->results, "verdict",
                      c.bad[0]       ? 0.
                      : c.lacking[0] ? 1.
                                     : 2.,
                      "0 not trusted, 1 consistent, 2 verified"));
  PetscFunctionReturn(0);
}
