/* One chain of Hamiltonian Monte Carlo and its adaptation. */
#include "fathom/sampler.h"
#include <math.h>

#define MOST_STARTS 100
#define MOST_ERROR 1000. /* rise of H that makes a trajectory divergent, as Stan's */

/* Dual averaging, Hoffman and Gelman (2014), section 3.2.1. */
#define GAMMA 0.05
#define T0 10.
#define KAPPA 0.75

/* Windows of the warm-up, as Stan's: the step size alone, the scales, the step size alone; the
   last one longer, a fifth of the warm-up, since a step averaged over few iterations is too
   short. */
#define FIRST_BUFFER 75
#define LAST_BUFFER 50
#define FIRST_WINDOW 25

/* Steps a trajectory may have in the first of these: a start from the prior may lie 10^5 nats
   too high, which a long trajectory would turn into speed and be thrown far out; fresh momenta
   every few steps take it away. */
#define FIRST_STEPS 10

PetscErrorCode fm_chain_create(int64_t n, int64_t index, const fm_tilt *tilt, fm_chain *c) {
  const int64_t own = FM_CHAIN_SCALARS + FM_CHAIN_VECTORS * n;

  PetscFunctionBegin;
  c->n = n;
  c->index = index;
  c->tilt = tilt;
  c->tilted = PETSC_FALSE;
  c->size = own + (tilt ? 2 * tilt->count : 0);
  PetscCall(fm_calloc(c->size, &c->state));
  c->learnt = tilt ? c->state + own : NULL;
  PetscCall(fm_calloc(4 * n, &c->work));
  PetscCall(fm_calloc(n, &c->x));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_chain_destroy(fm_chain *c) {
  PetscFunctionBegin;
  PetscCall(PetscFree(c->state));
  PetscCall(PetscFree(c->work));
  PetscCall(PetscFree(c->x));
  PetscFunctionReturn(0);
}

double *fm_chain_scalars(const fm_chain *c) { return c->state; }
double *fm_chain_vector(const fm_chain *c, int vector) {
  return c->state + FM_CHAIN_SCALARS + vector * c->n;
}

double fm_chain_log_weight(const fm_chain *c) {
  const double value = fm_chain_scalars(c)[FM_CHAIN_VALUE];

  return c->tilted ? -fm_tilt_log(c->tilt, value, fm_chain_vector(c, FM_CHAIN_Q), NULL) : 0.;
}

/* ---- the leapfrog method ---- */

static double kinetic(int64_t n, const double *r) {
  double sum = 0.;

  for (int64_t i = 0; i < n; i++) sum += r[i] * r[i];
  return sum / 2.;
}

/* force = the gradient of U - log t; returns log t. */
static double biased_force(const fm_chain *c, double value, const double *q,
                           const double *gradient, double *force) {
  memcpy(force, gradient, (size_t)c->n * sizeof(*force));
  return c->tilted ? fm_tilt_log(c->tilt, value, q, force) : 0.;
}

PetscErrorCode fm_chain_leapfrog(fm_chain *c, fm_potential *potential, fm_key key, double step,
                                 int64_t count, double limit, double *q, double *r,
                                 double *gradient, double *value, PetscBool *ok) {
  const double *s = fm_chain_vector(c, FM_CHAIN_SCALE);
  double *force = c->work + 3 * c->n, log_t;

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  biased_force(c, *value, q, gradient, force);
  for (int64_t k = 0; k < count && *ok; k++) {
    for (int64_t i = 0; i < c->n; i++) {
      r[i] -= step / 2. * s[i] * force[i];
      q[i] += step * s[i] * r[i];
    }
    PetscCall(potential->evaluate(potential->context, key, q, value, gradient, c->x, ok));
    log_t = biased_force(c, *value, q, gradient, force);
    for (int64_t i = 0; i < c->n; i++) r[i] -= step / 2. * s[i] * force[i];
    if (!(*value - log_t + kinetic(c->n, r) <= limit)) *ok = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

/* A trajectory from the chain's point with momenta named (rng, name): its end in c->work (q, r,
   gradient) and c->x; *rise = H(end) - H(begin), infinite where it failed. */
static PetscErrorCode trajectory(fm_chain *c, fm_potential *potential, fm_rng rng,
                                 uint64_t name, double step, int64_t count, double *value,
                                 double *rise) {
  const uint64_t sample = (uint64_t)c->index;
  const fm_key key = {.step = name, .sample = &sample};
  double *q = c->work, *r = q + c->n, *gradient = r + c->n, begin, end;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(q, fm_chain_vector(c, FM_CHAIN_Q), c->n));
  PetscCall(PetscArraycpy(gradient, fm_chain_vector(c, FM_CHAIN_GRADIENT), c->n));
  fm_rng_normal(rng, name, sample, (size_t)c->n, c->x);
  for (int64_t i = 0; i < c->n; i++) r[i] = (double)c->x[i];
  *value = fm_chain_scalars(c)[FM_CHAIN_VALUE];
  begin = *value + fm_chain_log_weight(c) + kinetic(c->n, r);
  PetscCall(fm_chain_leapfrog(c, potential, key, step, count, begin + MOST_ERROR, q, r,
                              gradient, value, &ok));
  end = *value - (c->tilted ? fm_tilt_log(c->tilt, *value, q, NULL) : 0.) + kinetic(c->n, r);
  *rise = ok ? end - begin : INFINITY;
  PetscFunctionReturn(0);
}

/* The chain moves to c->work. */
static void move(fm_chain *c, double value) {
  double *x = fm_chain_vector(c, FM_CHAIN_X);

  memcpy(fm_chain_vector(c, FM_CHAIN_Q), c->work, (size_t)c->n * sizeof(double));
  memcpy(fm_chain_vector(c, FM_CHAIN_GRADIENT), c->work + 2 * c->n,
         (size_t)c->n * sizeof(double));
  for (int64_t i = 0; i < c->n; i++) x[i] = (double)c->x[i];
  fm_chain_scalars(c)[FM_CHAIN_VALUE] = value;
}

/* ---- step size ---- */

static void begin_averaging(double *state) {
  state[FM_CHAIN_MU] = log(10. * state[FM_CHAIN_STEP]);
  state[FM_CHAIN_STATISTIC] = state[FM_CHAIN_LOG_AVERAGE] = state[FM_CHAIN_ADAPTED] = 0.;
}

/* A step of about 80 % acceptance, by doubling or halving, and dual averaging from there
   (Hoffman and Gelman, algorithm 4). *found false: none between 2^-100 and 2^100 times. */
static PetscErrorCode find_step(fm_chain *c, const fm_hmc *hmc, fm_potential *potential,
                                uint64_t name, PetscBool *found) {
  const fm_rng rng = {hmc->seed, FM_STREAM_CHAIN};
  double *state = fm_chain_scalars(c), step = state[FM_CHAIN_STEP], value, rise;
  PetscBool up = PETSC_TRUE;

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  for (int k = 0; k < 100 && !*found; k++) {
    PetscBool good;

    PetscCall(trajectory(c, potential, rng, name, step, 1, &value, &rise));
    good = rise < -log(0.8) ? PETSC_TRUE : PETSC_FALSE;
    if (!k) up = good;
    if (good != up) *found = PETSC_TRUE;
    if (!*found) step *= up ? 2. : 0.5;
  }
  state[FM_CHAIN_STEP] = step;
  begin_averaging(state);
  PetscFunctionReturn(0);
}

static void adapt_step(const fm_hmc *hmc, double acceptance, double *state) {
  const double m = state[FM_CHAIN_ADAPTED] += 1.;
  const double weight = 1. / (m + T0), forget = pow(m, -KAPPA);
  double log_step;

  state[FM_CHAIN_STATISTIC] +=
      weight * (hmc->target_accept - acceptance - state[FM_CHAIN_STATISTIC]);
  log_step = state[FM_CHAIN_MU] - sqrt(m) / GAMMA * state[FM_CHAIN_STATISTIC];
  state[FM_CHAIN_LOG_AVERAGE] += forget * (log_step - state[FM_CHAIN_LOG_AVERAGE]);
  state[FM_CHAIN_STEP] = exp(log_step);
}

/* ---- scales ---- */

static PetscBool is_full(int64_t warmup) {
  return warmup >= FIRST_BUFFER + FIRST_WINDOW + LAST_BUFFER ? PETSC_TRUE : PETSC_FALSE;
}

/* The first iteration whose draw is collected. */
static int64_t window_begin(int64_t warmup) {
  return is_full(warmup) ? FIRST_BUFFER : 15 * warmup / 100;
}

void fm_hmc_window(int64_t warmup, int64_t iteration, PetscBool *collect, PetscBool *close) {
  const PetscBool full = is_full(warmup);
  const int64_t begin = window_begin(warmup);
  const int64_t end = warmup - (full ? PetscMax(LAST_BUFFER, warmup / 5) : warmup / 10);
  int64_t length = full ? FIRST_WINDOW : end - begin, last = begin;

  *collect = warmup >= 20 && iteration >= begin && iteration < end ? PETSC_TRUE : PETSC_FALSE;
  while (last <= iteration && last < end) {
    last += length;
    length *= 2;
    if (last + length > end) last = end; /* the next one would not fit: this one takes all */
  }
  *close = *collect && iteration == last - 1 ? PETSC_TRUE : PETSC_FALSE;
}

/* Running mean and squares (Welford). */
static void collect_draw(fm_chain *c) {
  const double count = fm_chain_scalars(c)[FM_CHAIN_WINDOW] += 1.;
  const double *q = fm_chain_vector(c, FM_CHAIN_Q);
  double *mean = fm_chain_vector(c, FM_CHAIN_MEAN);
  double *square = fm_chain_vector(c, FM_CHAIN_SQUARE);

  for (int64_t i = 0; i < c->n; i++) {
    const double d = q[i] - mean[i];

    mean[i] += d / count;
    square[i] += d * (q[i] - mean[i]);
  }
}

/* The window's variances, drawn a little to a thousandth of the first ones (as Stan does). */
static void close_window(fm_chain *c, const fm_potential *potential) {
  double *scale = fm_chain_vector(c, FM_CHAIN_SCALE);
  const double *square = fm_chain_vector(c, FM_CHAIN_SQUARE);
  const double count = fm_chain_scalars(c)[FM_CHAIN_WINDOW];

  for (int64_t i = 0; i < c->n; i++) {
    const double first = potential->scale ? potential->scale[i] : 1.;
    const double variance = square[i] / PetscMax(1., count - 1.);

    scale[i] = sqrt((count * variance + 5e-3 * first * first) / (count + 5.));
  }
  memset(fm_chain_vector(c, FM_CHAIN_MEAN), 0, 2 * (size_t)c->n * sizeof(double));
  fm_chain_scalars(c)[FM_CHAIN_WINDOW] = 0.;
}

static PetscErrorCode adapt(fm_chain *c, const fm_hmc *hmc, fm_potential *potential,
                            int64_t iteration, double acceptance) {
  double *state = fm_chain_scalars(c);
  PetscBool collect, close, found;

  PetscFunctionBegin;
  adapt_step(hmc, acceptance, state);
  fm_hmc_window(hmc->warmup, iteration, &collect, &close);
  if (collect) collect_draw(c);
  if (close) {
    close_window(c, potential);
    PetscCall(find_step(c, hmc, potential, (uint64_t)iteration + 2, &found));
  }
  if (iteration == hmc->warmup - 1 && state[FM_CHAIN_ADAPTED] > 0)
    state[FM_CHAIN_STEP] = exp(state[FM_CHAIN_LOG_AVERAGE]);
  PetscFunctionReturn(0);
}

/* ---- a chain's life ---- */

static PetscErrorCode draw_start(fm_chain *c, const fm_hmc *hmc, fm_potential *potential,
                                 int64_t attempt) {
  const fm_rng rng = {hmc->seed, FM_STREAM_CHAIN};

  PetscFunctionBegin;
  if (potential->start) {
    PetscCall(potential->start(potential->context, hmc->seed, c->index, attempt, c->work));
    PetscFunctionReturn(0);
  }
  fm_rng_normal(rng, 0, (uint64_t)c->index | (uint64_t)attempt << 32, (size_t)c->n, c->x);
  for (int64_t i = 0; i < c->n; i++) c->work[i] = (double)c->x[i];
  PetscFunctionReturn(0);
}

PetscErrorCode fm_chain_start(fm_chain *c, const fm_hmc *hmc, fm_potential *potential,
                              PetscBool *ok) {
  const uint64_t sample = (uint64_t)c->index;
  const fm_key key = {.step = 0, .sample = &sample};
  double *state = fm_chain_scalars(c), *scale = fm_chain_vector(c, FM_CHAIN_SCALE), value;

  PetscFunctionBegin;
  *ok = PETSC_FALSE;
  for (int64_t attempt = 0; attempt < MOST_STARTS && !*ok; attempt++) {
    PetscCall(draw_start(c, hmc, potential, attempt));
    PetscCall(potential->evaluate(potential->context, key, c->work, &value, c->work + 2 * c->n,
                                  c->x, ok));
  }
  if (!*ok) PetscFunctionReturn(0);
  move(c, value);
  for (int64_t i = 0; i < c->n; i++) scale[i] = potential->scale ? potential->scale[i] : 1.;
  state[FM_CHAIN_STEP] = 1.;
  PetscCall(find_step(c, hmc, potential, 1, ok));
  PetscFunctionReturn(0);
}

/* Steps of a trajectory; u uniform in (0, 1). */
static int64_t steps_of(const fm_hmc *hmc, int64_t iteration, double step, double u) {
  const double mean = hmc->leapfrogs ? (double)hmc->leapfrogs : hmc->trajectory / step;
  const double wanted = rint(mean * (1. + hmc->jitter * (2. * u - 1.)));
  const int64_t early = iteration < window_begin(hmc->warmup) ? FIRST_STEPS : hmc->most;

  return (int64_t)PetscMin((double)PetscMin(early, hmc->most), PetscMax(1., wanted));
}

/* Rate of the constants C: at first such that a draw in one component lifts it by less than
   one, then falling as 1/iteration. */
#define RATE 0.6
#define FULL_RATE 0.2 /* of the iterations that learn */

int64_t fm_hmc_tilted(const fm_hmc *hmc) {
  return hmc->tilt ? hmc->warmup + (hmc->tilt + 9) / 10 : INT64_MAX;
}

/* After the warm-up: averages over p itself give a first C. Under its tilt stochastic
   approximation pushes the chains about, and in the last two thirds weighted averages go along,
   which are the C to stay. The step goes on adapting. */
static void learn(fm_chain *c, const fm_hmc *hmc, int64_t since, double acceptance) {
  const double rate = RATE * PetscMin(1., FULL_RATE * (double)hmc->tilt / (double)(since + 1));
  const double *q = fm_chain_vector(c, FM_CHAIN_Q), log_weight = fm_chain_log_weight(c);
  const int64_t last = PetscMax(hmc->tilt / 3, fm_hmc_tilted(hmc) - hmc->warmup);
  double *state = fm_chain_scalars(c);

  if (!since) begin_averaging(state);
  adapt_step(hmc, acceptance, state);
  if (c->tilted) fm_tilt_learn(c->tilt, rate, state[FM_CHAIN_VALUE], q, c->learnt);
  if (!c->tilted || since >= last)
    fm_tilt_average(c->tilt, log_weight, state[FM_CHAIN_VALUE], q,
                    !since || since == last ? PETSC_TRUE : PETSC_FALSE,
                    c->learnt + c->tilt->count);
  if (since == hmc->tilt - 1) state[FM_CHAIN_STEP] = exp(state[FM_CHAIN_LOG_AVERAGE]);
}

PetscErrorCode fm_chain_iterate(fm_chain *c, const fm_hmc *hmc, fm_potential *potential,
                                int64_t iteration) {
  const fm_rng momentum = {hmc->seed, FM_STREAM_MOMENTUM}, test = {hmc->seed, FM_STREAM_ACCEPT};
  double *state = fm_chain_scalars(c), value, rise, u[2], acceptance;
  int64_t count;

  PetscFunctionBegin;
  c->tilted = iteration >= fm_hmc_tilted(hmc) ? PETSC_TRUE : PETSC_FALSE;
  fm_rng_uniform(test, (uint64_t)iteration, (uint64_t)c->index, 2, u);
  count = steps_of(hmc, iteration, state[FM_CHAIN_STEP], u[1]);
  PetscCall(trajectory(c, potential, momentum, (uint64_t)iteration, state[FM_CHAIN_STEP], count,
                       &value, &rise));
  acceptance = PetscMin(1., exp(-rise));
  if (u[0] < acceptance) move(c, value);
  if (iteration < hmc->warmup) {
    state[FM_CHAIN_UNSETTLED] += isinf(rise) ? 1. : 0.;
    PetscCall(adapt(c, hmc, potential, iteration, acceptance));
    PetscFunctionReturn(0);
  }
  if (iteration < hmc->warmup + hmc->tilt) {
    learn(c, hmc, iteration - hmc->warmup, acceptance);
    PetscFunctionReturn(0);
  }
  state[FM_CHAIN_ACCEPTANCE] += acceptance;
  state[FM_CHAIN_LEAPFROGS] += (double)count;
  state[FM_CHAIN_DIVERGENCES] += isinf(rise) ? 1. : 0.;
  PetscFunctionReturn(0);
}
