/* Options to the structs that the library takes. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

PetscErrorCode fm_run_path(const fm_run *run, const char *name, char path[PETSC_MAX_PATH_LEN]) {
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", run->out, name));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_checkpoint(const fm_run *run, char path[PETSC_MAX_PATH_LEN]) {
  const char *warm;

  PetscFunctionBegin;
  PetscCall(fm_option_text("warm_start", &warm));
  if (warm[0])
    PetscCall(PetscStrncpy(path, warm, PETSC_MAX_PATH_LEN));
  else
    PetscCall(fm_run_path(run, "checkpoint.h5", path));
  PetscFunctionReturn(0);
}

static PetscErrorCode given_or(const char *name, PetscBool keep, PetscBool *read) {
  PetscFunctionBegin;
  *read = PETSC_TRUE;
  if (keep) PetscCall(fm_option_given(name, read));
  PetscFunctionReturn(0);
}

static PetscErrorCode spec_text(const char *name, PetscBool keep, char *field, size_t length) {
  const char *text;
  PetscBool read;

  PetscFunctionBegin;
  PetscCall(given_or(name, keep, &read));
  PetscCall(fm_option_text(name, &text));
  if (read) PetscCall(PetscStrncpy(field, text, length));
  PetscFunctionReturn(0);
}

static PetscErrorCode spec_integer(const char *name, PetscBool keep, int64_t low, int64_t high,
                                   int64_t *field) {
  int64_t value;
  PetscBool read;

  PetscFunctionBegin;
  PetscCall(given_or(name, keep, &read));
  PetscCall(fm_option_integer_in(name, low, high, &value));
  if (read) *field = value;
  PetscFunctionReturn(0);
}

static PetscErrorCode spec_real(const char *name, PetscBool keep, double low, double high,
                                double *field) {
  double value;
  PetscBool read;

  PetscFunctionBegin;
  PetscCall(given_or(name, keep, &read));
  PetscCall(fm_option_real_in(name, low, high, &value));
  if (read) *field = value;
  PetscFunctionReturn(0);
}

/* A text that must be one of the choices. */
static PetscErrorCode spec_choice(const char *name, const char *choices, PetscBool keep,
                                  char *field, size_t length) {
  int which;

  PetscFunctionBegin;
  PetscCall(fm_option_choice(name, choices, &which));
  PetscCall(spec_text(name, keep, field, length));
  PetscFunctionReturn(0);
}

static PetscErrorCode spec_precision(PetscBool keep, PetscBool *bf16) {
  PetscBool read;
  int which;

  PetscFunctionBegin;
  PetscCall(given_or("flow_precision", keep, &read));
  PetscCall(fm_option_choice("flow_precision", FM_PRECISION_CHOICES, &which));
  if (read) *bf16 = which ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static fm_shape image_or_vector(PetscBool image, int64_t rows, int64_t columns, int64_t size) {
  const fm_shape shape = {1, {rows, columns, 1}};

  return image && rows ? shape : fm_shape_vector(size);
}

PetscErrorCode fm_run_target_spec(const fm_target *target, fm_flow_spec *spec) {
  int64_t rows, columns, d_rows, d_columns, squeezes;
  PetscBool image;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(fm_option_integer_in("flow_squeezes", 0, 16, &squeezes));
  image = squeezes ? PETSC_TRUE : PETSC_FALSE;
  fm_operator_grid(target->op, &rows, &columns);
  fm_operator_data_grid(target->op, &d_rows, &d_columns);
  if (target->conditioning) fm_operator_grid(target->op, &d_rows, &d_columns);
  PetscCall(fm_run_flow_spec(image_or_vector(image, rows, columns, target->n),
                             image_or_vector(image, d_rows, d_columns, target->nseen),
                             PETSC_FALSE, spec));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_flow_memory(fm_transport *transport) {
  const PetscBool bf16 = fm_flow_get_spec(transport->flow)->bf16;
  int which;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("flow_memory", FM_MEMORY_CHOICES, &which));
  transport->store = which == 2 || (which == 0 && bf16) ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* The linear networks have no y lane. */
static PetscBool network_reads_y(const char *network) {
  return !strcmp(network, "hint") || !strcmp(network, "spline") ? PETSC_TRUE : PETSC_FALSE;
}

/* Who asks for a conditional flow gets one, or a sentence. */
static PetscErrorCode read_conditional(const char *network, fm_shape y,
                                       PetscBool *conditional) {
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_flag("flow_conditional", conditional));
  PetscCall(fm_option_given("flow_conditional", &given));
  if (!*conditional || !given) PetscFunctionReturn(0);
  fm_check(network_reads_y(network), PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-flow_conditional true, but -flow %s does not see data: take -flow hint or spline",
           network);
  fm_check(y.c, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "-flow_conditional true, but there is no /y in the pairs: leave it out, or give "
           "pairs with /y [n][...] (simulate)");
  PetscFunctionReturn(0);
}

/* Images that can be halved as often as is asked for. */
static PetscErrorCode check_sides(const fm_flow_spec *spec, const char *lane, fm_shape s) {
  const int64_t times = spec->squeezes + spec->scales - 1, unit = (int64_t)1 << times;
  char stored[96];

  PetscFunctionBegin;
  if (strcmp(spec->network, "hint") || !times || !s.c) PetscFunctionReturn(0);
  fm_run_shape_text(s, stored, sizeof(stored));
  fm_check(s.n[0] % unit == 0 && s.n[1] % unit == 0, PETSC_COMM_WORLD, PETSC_ERR_USER,
           "%s is %s, but -flow_squeezes %lld and -flow_scales %lld halve height and width "
           "%lld time%s: both must be multiples of %lld; cut or pad the images, or take fewer",
           lane, stored, (long long)spec->squeezes, (long long)spec->scales, (long long)times,
           times == 1 ? "" : "s", (long long)unit);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_flow_spec(fm_shape x, fm_shape y, PetscBool keep, fm_flow_spec *spec) {
  PetscBool conditional;

  PetscFunctionBegin;
  PetscCall(spec_text("flow", keep, spec->network, sizeof(spec->network)));
  PetscCall(spec_text("flow_variant", keep, spec->variant, sizeof(spec->variant)));
  PetscCall(spec_integer("flow_depth", keep, 1, 4096, &spec->depth));
  PetscCall(spec_integer("flow_hidden", keep, 1, 1 << 20, &spec->hidden));
  PetscCall(spec_integer("flow_bins", keep, 2, 64, &spec->bins));
  PetscCall(spec_real("flow_bound", keep, 0.01, 1e4, &spec->bound));
  PetscCall(spec_integer("flow_reflections", keep, 0, 1024, &spec->reflections));
  PetscCall(spec_integer("flow_squeezes", keep, 0, 16, &spec->squeezes));
  PetscCall(spec_integer("flow_scales", keep, 1, 16, &spec->scales));
  PetscCall(
      spec_choice("flow_linear", FM_LINEAR_CHOICES, keep, spec->linear, sizeof(spec->linear)));
  PetscCall(spec_precision(keep, &spec->bf16));
  if (keep) PetscCall(check_sides(spec, "x", x));
  if (keep) PetscCall(check_sides(spec, "y", y));
  if (keep) PetscFunctionReturn(0);
  PetscCall(read_conditional(spec->network, y, &conditional));
  spec->x = x;
  spec->y = y;
  if (!conditional || !network_reads_y(spec->network)) spec->y = (fm_shape){0, {1, 1, 1}};
  PetscCall(check_sides(spec, "x", spec->x));
  PetscCall(check_sides(spec, "y", spec->y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_micro_batch(const fm_run *run, const fm_transport *transport,
                                  int64_t batch, int64_t *micro_batch) {
  const fm_shape x = fm_flow_get_spec(transport->flow)->x;
  PetscMPIInt ranks;
  int64_t pieces;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("micro_batch", 0, 1 << 24, micro_batch));
  if (!*micro_batch) *micro_batch = fm_shape_pixels(x) > 1 ? 1 : 16;
  pieces = (batch + *micro_batch - 1) / *micro_batch;
  fm_check(pieces <= FM_SHARE_LIMIT, run->comm.world, PETSC_ERR_USER,
           "-batch_size %lld in pieces of -micro_batch %lld are %lld contributions, at most "
           "%d fit the exact "
           "sum: raise -micro_batch",
           (long long)batch, (long long)*micro_batch, (long long)pieces, FM_SHARE_LIMIT);
  PetscCallMPI(MPI_Comm_size(run->comm.sample, &ranks));
  if (ranks > pieces)
    fm_log("%d of %d sample ranks are idle: -batch_size %lld has "
           "only %lld piece(s) of -micro_batch %lld",
           (int)(ranks - pieces), ranks, (long long)batch, (long long)pieces,
           (long long)*micro_batch);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_load(const fm_run *run, fm_transport **transport, fm_real **theta) {
  char path[PETSC_MAX_PATH_LEN];
  int weights;

  PetscFunctionBegin;
  PetscCall(fm_run_checkpoint(run, path));
  PetscCall(fm_option_choice("weights", FM_WEIGHTS_CHOICES, &weights));
  PetscCall(fm_checkpoint_load(run->comm.world, path, (fm_weights)weights, transport, theta));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_log_evidence(double *value) {
  PetscBool given;

  PetscFunctionBegin;
  *value = (double)NAN;
  PetscCall(fm_option_given("log_evidence", &given));
  if (given) PetscCall(fm_option_real("log_evidence", value));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_observe(fm_transport *transport, const fm_real *theta, const double *y) {
  PetscFunctionBegin;
  if (fm_transport_sees(transport, y)) PetscFunctionReturn(0);
  if (transport->condition) fm_warn("the checkpoint was refined at other data than -observed");
  PetscCall(fm_transport_observe(transport, theta, y));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_whiten(fm_target *target, fm_transport *transport) {
  double *mean, *std, *y_std, square = 0.;
  PetscBool known;

  PetscFunctionBegin;
  PetscCall(fm_calloc(2 * target->n + transport->m, &mean));
  std = mean + target->n;
  y_std = std + target->n;
  PetscCall(fm_energy_moments(target->energy[1], mean, std, &known));
  for (int64_t i = 0; i < transport->m; i++) square += target->seen[i] * target->seen[i];
  for (int64_t i = 0; i < transport->m; i++)
    y_std[i] = square > 0. ? sqrt(square / (double)transport->m) : 1.;
  PetscCall(
      fm_transport_whiten(transport, known ? mean : NULL, known ? std : NULL, NULL, y_std));
  PetscCall(PetscFree(mean));
  PetscFunctionReturn(0);
}

static PetscErrorCode schedule(const fm_objective *objective, fm_schedule *s) {
  int64_t epochs;
  int decay;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("epochs", 0, INT64_MAX / (1 << 20), &epochs));
  PetscCall(fm_option_choice("learning_rate_decay", FM_DECAY_CHOICES, &decay));
  s->decay = (fm_decay)decay;
  PetscCall(fm_option_real_in("learning_rate", 0., 1e6, &s->rate));
  PetscCall(fm_option_real_in("learning_rate_factor", 0., 1., &s->factor));
  PetscCall(fm_option_real_in("learning_rate_last", 0., 1., &s->last));
  PetscCall(fm_option_integer_in("learning_rate_warmup", 0, INT64_MAX / 2, &s->warmup));
  s->steps_per_epoch = fm_objective_steps_per_epoch(objective);
  s->steps = epochs * s->steps_per_epoch;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_agree(const fm_run *run, int64_t index, const char *reason) {
  int64_t mine = reason[0] ? index : INT64_MAX, first;
  PetscMPIInt rank, size, speaker;
  char sentence[512];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(run->comm.world, &rank));
  PetscCallMPI(MPI_Comm_size(run->comm.world, &size));
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT64_T, MPI_MIN, run->comm.world));
  if (first == INT64_MAX) PetscFunctionReturn(0);
  if (mine != first) rank = size;
  PetscCallMPI(MPI_Allreduce(&rank, &speaker, 1, MPI_INT, MPI_MIN, run->comm.world));
  PetscCall(PetscStrncpy(sentence, reason, sizeof(sentence)));
  PetscCallMPI(
      MPI_Bcast(sentence, (PetscMPIInt)sizeof(sentence), MPI_CHAR, speaker, run->comm.world));
  SETERRQ(run->comm.world, PETSC_ERR_USER, "%s", sentence);
}

PetscErrorCode fm_run_all_shots(const fm_run *run) {
  static const char *const names[] = {"shots_per_sample", "shots_encode"};
  int64_t shots;

  PetscFunctionBegin;
  for (int k = 0; k < 2; k++) {
    PetscCall(fm_option_integer_in(names[k], 0, INT64_MAX, &shots));
    if (shots)
      fm_log("-%s is an estimate for training steps: %s uses all shots", names[k],
             run->command);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_run_trainer_inputs(const fm_run *run, fm_transport *transport,
                                     fm_objective *objective, const char *operator_text,
                                     fm_trainer_inputs *inputs) {
  PetscFunctionBegin;
  PetscCall(PetscMemzero(inputs, sizeof(*inputs)));
  inputs->comm = &run->comm;
  inputs->transport = transport;
  inputs->objective = objective;
  inputs->seed = run->seed;
  inputs->command = run->command;
  inputs->settings = run->settings;
  inputs->operator_text = operator_text;
  PetscCall(fm_run_micro_batch(run, transport, fm_objective_batch(objective, 0),
                               &inputs->micro_batch));
  PetscCall(fm_option_real_in("clip_norm", 0., 1e300, &inputs->clip));
  PetscCall(fm_option_real_in("average_power", 0., 1e6, &inputs->average_power));
  PetscCall(fm_option_real_in("max_failed_fraction", 0., 1., &inputs->max_failed_fraction));
  PetscCall(schedule(objective, &inputs->schedule));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_report_moments(fm_run *run, int64_t count, int64_t n, const double *x) {
  const double p[] = {0.05, 0.5, 0.95};
  double mean[16], cov[256], quantile[3];
  char name[64];

  PetscFunctionBegin;
  if (n > 16 || !x) PetscFunctionReturn(0);
  fm_samples_mean(count, n, x, NULL, mean);
  fm_samples_covariance(count, n, x, NULL, mean, cov);
  for (int i = 0; i < n; i++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "mean_%d", i + 1));
    PetscCall(fm_result(run->results, name, mean[i], "model"));
    PetscCall(PetscSNPrintf(name, sizeof(name), "std_%d", i + 1));
    PetscCall(fm_result(run->results, name, sqrt(cov[i * n + i]), "model"));
    PetscCall(fm_samples_quantiles(count, n, x, i, 3, p, quantile));
    for (int k = 0; k < 3; k++) {
      PetscCall(PetscSNPrintf(name, sizeof(name), "quantile_%02d_%d", (int)(100. * p[k] + 0.5),
                              i + 1));
      PetscCall(fm_result(run->results, name, quantile[k], "model"));
    }
    for (int k = i + 1; k < n; k++) {
      PetscCall(PetscSNPrintf(name, sizeof(name), "covariance_%d_%d", i + 1, k + 1));
      PetscCall(fm_result(run->results, name, cov[i * n + k], "model^2"));
    }
  }
  PetscFunctionReturn(0);
}
