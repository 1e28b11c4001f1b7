#include "cli/options.h"
#include "fathom/checkpoint.h"
#include "fathom/dataset.h"

#define TRAINING "pretrain refine check" /* check -at repeats steps of a run */
#define READING "sample evaluate"
#define RESUMING TRAINING " reference"
#define PHYSICS FM_COMMANDS_PHYSICS

const fm_option fm_cli_options[] = {
    /* everywhere */
    {"out", FM_OPTION_TEXT, "out", "", "output folder"},
    {"seed", FM_OPTION_INTEGER, "1", "", "seed of every random number"},
    {"ranks_per_sample", FM_OPTION_INTEGER, "1", "",
     "ranks that share one operator (space communicator)"},
    {"report_seconds", FM_OPTION_REAL, "10", RESUMING " sample",
     "interval of progress lines where the output is a file"},
    /* the problem */
    {"operator", FM_OPTION_TEXT, "", PHYSICS, "forward operator (help operators)"},
    {"observed", FM_OPTION_ARRAY, "", PHYSICS,
     "observed data: y1,y2,..., FILE:/dataset or FILE:/dataset[ROW]"},
    {"prior", FM_OPTION_TEXT, "", PHYSICS, "prior (help priors)"},
    {"log_evidence", FM_OPTION_TEXT, "", "refine evaluate",
     "log p(y) where it is known: turns J into KL; without it kl and kl_se of a history are of "
     "-ELBO = KL - log p(y)"},
    /* data */
    {"pairs", FM_OPTION_TEXT, "", "pretrain evaluate judge",
     "HDF5 file with /x [n][...] and /y [n][...]"},
    {"pairs_count", FM_OPTION_INTEGER, "5000", "simulate",
     "number of pairs; with -models, where it is not given: all"},
    {"pairs_first", FM_OPTION_INTEGER, "0", "simulate",
     "index of the first pair, which names its noise and its draw or row of -models"},
    {"models_physical", FM_OPTION_FLAG, "", "simulate",
     "-models are physical models (velocities in m/s), to be turned into unknowns"},
    {"pairs_model", FM_OPTION_FLAG, "", "simulate",
     "also write the models that the unknowns mean (velocities in m/s) as /model"},
    {"pairs_noise_inflation", FM_OPTION_TEXT, "", "simulate",
     "FINE.h5:/y,COARSE.h5:/y, data of forward by a finer operator and by this one of the same "
     "20 or more -models: a Gaussian of their differences' mean and covariance is added to "
     "the noise"},
    {"models", FM_OPTION_ARRAY, "", "forward simulate smooth",
     "models [count][...]: FILE:/dataset, or one as a list (forward); simulate takes them in "
     "place of -prior, smooth one: FILE:/dataset[ROW]"},
    {"smooth_length", FM_OPTION_REAL, "0", "smooth",
     "standard deviation in m of the Gaussian that the model's slowness is convolved with; its "
     "full width at half maximum is 2.35 times that"},
    {"smooth_spacing", FM_OPTION_ARRAY, "", "smooth",
     "distance of the model's nodes in m, H or DZ,DX; default: attributes spacing_z and "
     "spacing_x of the dataset"},
    {"smooth_keep", FM_OPTION_INTEGER, "0", "smooth",
     "rows at the top, such as a water layer's, that stay as they are and are not seen below"},
    {"smooth_onto", FM_OPTION_REAL, "", "smooth",
     "m/s: of each of many -models [count][...][rows][columns] what is left of it, "
     "(v / smoothed v)^contrast times this velocity, + texture"},
    {"smooth_onto_gradient", FM_OPTION_REAL, "0", "smooth",
     "m/s that are added to -smooth_onto for each m of depth"},
    {"smooth_contrast", FM_OPTION_REAL, "1", "smooth", "power of what is left"},
    {"smooth_texture", FM_OPTION_REAL, "0", "smooth",
     "standard deviation in m/s of a Gaussian texture, as -layers_texture"},
    {"smooth_texture_correlation", FM_OPTION_REAL, "3", "smooth",
     "its correlation length in nodes, as -matern_correlation"},
    {"smooth_first", FM_OPTION_INTEGER, "0", "smooth",
     "number that names the first model's texture; those of held-out models must be others"},
    {"informed_rank", FM_OPTION_INTEGER, "100", "informed", "eigenpairs to find"},
    {"informed_passes", FM_OPTION_INTEGER, "1", "informed",
     "products of the Hessian with all vectors before the last one: more are more accurate"},
    {"at", FM_OPTION_TEXT, "", "check",
     "STEP,SAMPLE of a training run to examine, with that run's other options"},
    {"run", FM_OPTION_TEXT, "", "check", "-at: the -out folder of that run"},
    {"gradient", FM_OPTION_FLAG, "", "forward",
     "also the misfit to -observed and its gradient"},
    /* images of field data */
    {"segy", FM_OPTION_TEXT, "", "patches", "SEG-Y section: big-endian, format 1, 3 or 5"},
    {"section", FM_OPTION_ARRAY, "", "patches",
     "a model or image [rows][columns] in place of -segy, its rows called samples and its "
     "columns traces: FILE:/dataset, or FILE:/dataset[ROW]"},
    {"section_spacing", FM_OPTION_ARRAY, "", "patches",
     "distance of its nodes in m, H or DZ,DX; default: attributes spacing_z and spacing_x of "
     "the dataset"},
    {"patch_every", FM_OPTION_INTEGER, "1", "patches",
     "keep every so many-th node of -section, from the first, averaged around it"},
    {"patch_spacing", FM_OPTION_REAL, "0", "patches",
     "resample -section to nodes so many m apart: smoothed by a Gaussian of standard deviation "
     "half that, then linear interpolation; 0: not"},
    {"patch_average", FM_OPTION_TEXT, "slowness2", "patches",
     "what these average, squared slowness of velocities or the numbers: slowness2|plain"},
    {"patch_exclude", FM_OPTION_TEXT, "", "patches",
     "traces that no patch may come from, FIRST:END as -patch_traces: a truth's, held out of "
     "training"},
    {"patch_mirror", FM_OPTION_FLAG, "false", "patches",
     "also mirror images, left for right: each regular patch twice, random ones by a coin"},
    {"patch_divide", FM_OPTION_FLAG, "true", "patches",
     "divide by the root mean square; false: the numbers stay, as velocities should"},
    {"patch_shape", FM_OPTION_TEXT, "64x64", "patches",
     "samples and traces of a patch, as NTxNX"},
    {"patch_traces", FM_OPTION_TEXT, "", "patches",
     "traces of the window, FIRST:END counted from 0, END not among them; of a cube those of "
     "one line; default: all"},
    {"patch_samples", FM_OPTION_TEXT, "", "patches",
     "samples of the window, FIRST:END counted from 0; default: all"},
    {"patch_count", FM_OPTION_INTEGER, "0", "patches",
     "patches at random places of the window; 0: on a regular stride"},
    {"patch_stride", FM_OPTION_TEXT, "", "patches",
     "samples and traces from patch to patch, as NTxNX; default: those of a patch"},
    {"patch_scale_from", FM_OPTION_TEXT, "", "patches",
     "patches whose scale to divide by (unknowns: that of the training set); default: the root "
     "mean square of these patches"},
    {"images", FM_OPTION_ARRAY, "", "export",
     "images [...][time][trace] to write as SEG-Y: FILE:/dataset, or one: FILE:/dataset[ROW]"},
    {"segy_format", FM_OPTION_TEXT, "ibm", "export", "numbers of the SEG-Y file: ibm|ieee"},
    {"segy_dt", FM_OPTION_REAL, "0.004", "export", "its sample interval in seconds"},
    {"segy_factor", FM_OPTION_REAL, "1", "export",
     "what the images are multiplied by (of patches: their attribute scale)"},
    {"export_spacing", FM_OPTION_ARRAY, "", "export",
     "the images are in depth, with nodes every H or DZ,DX m; default: attributes spacing_z "
     "and spacing_x of the dataset; without either they are in time"},
    {"export_origin", FM_OPTION_ARRAY, "0,0", "export",
     "Z,X in m of their first node, as -shots_origin"},
    {"export_images", FM_OPTION_INTEGER, "0", "export",
     "of several images the first so many; 0: all"},
    {"export_shots", FM_OPTION_FLAG, "false", "export",
     "-images are data of the operator acoustic, with -acoustic_sources and "
     "-acoustic_receivers: OUT/shots.sgy"},
    /* the flow */
    {"flow", FM_OPTION_TEXT, "hint", TRAINING, "network: hint|spline|triangular|elementwise"},
    {"flow_variant", FM_OPTION_TEXT, "default", TRAINING,
     "scales of a coupling: default (2 sigmoid), official (ReLU, sigmoid) or bounded "
     "(exp(2 tanh), for images)"},
    {"flow_depth", FM_OPTION_INTEGER, "8", TRAINING, "blocks"},
    {"flow_hidden", FM_OPTION_INTEGER, "64", TRAINING,
     "width of a conditioner's hidden layers"},
    {"flow_bins", FM_OPTION_INTEGER, "8", TRAINING, "bins of a spline (-flow spline)"},
    {"flow_bound", FM_OPTION_REAL, "4", TRAINING,
     "a spline is the identity outside [-bound, bound]"},
    {"flow_reflections", FM_OPTION_INTEGER, "3", TRAINING,
     "Householder reflections a block and lane"},
    {"flow_squeezes", FM_OPTION_INTEGER, "0", TRAINING,
     "Haar squeezes of images before the first block (-flow hint); 0: x is a vector"},
    {"flow_scales", FM_OPTION_INTEGER, "1", TRAINING,
     "scales that the blocks are shared out to: before each further one half of the channels "
     "are finished and the others squeezed again"},
    {"flow_linear", FM_OPTION_TEXT, "none", TRAINING,
     "a linear layer at the model's end of x: " FM_LINEAR_CHOICES},
    {"flow_precision", FM_OPTION_TEXT, "full", TRAINING,
     "what convolutional conditioners compute with: " FM_PRECISION_CHOICES
     " (bf16: on a CPU that has it; scales, shifts and log-determinants stay in float)"},
    {"flow_memory", FM_OPTION_TEXT, "auto", TRAINING,
     "activations for the backward pass: " FM_MEMORY_CHOICES
     " (recompute: memory does not grow with the depth; auto: store with bf16)"},
    {"flow_conditional", FM_OPTION_FLAG, "true", TRAINING,
     "whether the flow sees the data; false: a flow of x alone"},
    /* training */
    {"warm_start", FM_OPTION_TEXT, "", TRAINING " sample evaluate judge",
     "checkpoint whose weights to begin with (training) or to use (sample, evaluate; "
     "default OUT/checkpoint.h5)"},
    {"weights", FM_OPTION_TEXT, "auto", RESUMING " sample evaluate judge",
     "which weights of a checkpoint: " FM_WEIGHTS_CHOICES
     " (auto: best, else average, else last)"},
    {"resume", FM_OPTION_FLAG, "", RESUMING " sample",
     "go on from OUT/checkpoint.h5 (reference: OUT/chains.h5, sample with -moves: "
     "OUT/moves.h5) where there is one"},
    {"train", FM_OPTION_TEXT, "xlane", "refine check",
     "what is trained: xlane (y lane frozen and cached), all, or latent (of -warm_start: two "
     "numbers an unknown, s and b of x = T(s z + b), the flow frozen)"},
    {"prior_mismatch_ok", FM_OPTION_FLAG, "false", "refine check sample",
     "go on where -prior is not the distribution of the models that the flow was pretrained "
     "on; the checkpoint and the verdict of evaluate say so"},
    {"tempering_first", FM_OPTION_REAL, "1", "refine check",
     "temperature of step 0, by which the misfit is divided; it falls to 1 geometrically. "
     "Evaluations are not tempered; 1: none"},
    {"tempering_epochs", FM_OPTION_INTEGER, "0", "refine check",
     "epochs until the temperature is 1; 0: half of -epochs"},
    {"estimator", FM_OPTION_TEXT, "path", "refine check", "gradient estimator: total|path"},
    {"latents", FM_OPTION_INTEGER, "0", "refine check",
     "a fixed set of so many latents (with -estimator total); 0: fresh"},
    {"batch_size", FM_OPTION_INTEGER, "64", TRAINING, "samples a step"},
    {"micro_batch", FM_OPTION_INTEGER, "0", TRAINING,
     "samples a piece of work; results do not depend on the ranks; 0: 16 vectors, 1 image"},
    {"epochs", FM_OPTION_INTEGER, "25", TRAINING,
     "passes over the pairs, the fixed latents or -steps_per_epoch"},
    {"steps_per_epoch", FM_OPTION_INTEGER, "16", "refine check",
     "steps of an epoch of fresh latents"},
    {"stop_after", FM_OPTION_INTEGER, "0", RESUMING,
     "leave with a checkpoint after so many steps (reference: iterations) of this job; "
     "0: never"},
    {"learning_rate", FM_OPTION_REAL, "1e-3", TRAINING, "Adam's rate at the first step"},
    {"learning_rate_decay", FM_OPTION_TEXT, "constant", TRAINING,
     "schedule: " FM_DECAY_CHOICES},
    {"learning_rate_factor", FM_OPTION_REAL, "0.9", TRAINING, "exponential: factor an epoch"},
    {"learning_rate_last", FM_OPTION_REAL, "0.01", TRAINING,
     "cosine: last rate as a fraction of the first"},
    {"learning_rate_warmup", FM_OPTION_INTEGER, "0", TRAINING,
     "steps over which the rate rises linearly from zero"},
    {"clip_norm", FM_OPTION_REAL, "0", TRAINING,
     "largest global norm of the gradient; 0: no clipping"},
    {"average_power", FM_OPTION_REAL, "8", TRAINING,
     "weight averaging: the last 1/(power+1) of the steps dominate the average"},
    {"max_failed_fraction", FM_OPTION_REAL, "0", TRAINING,
     "share of samples that may fail in a step"},
    {"validation_fraction", FM_OPTION_REAL, "0.1", "pretrain",
     "share of the pairs kept to choose the best weights"},
    {"time_limit", FM_OPTION_TEXT, "", RESUMING " sample",
     "wall time of this job, seconds or [DAYS-]HOURS:MINUTES:SECONDS: leave in time with a "
     "checkpoint (sample: moves.h5) and status 75; default: Slurm's"},
    {"checkpoint_minutes", FM_OPTION_REAL, "10", RESUMING,
     "minutes between checkpoints, besides -checkpoint_every; 0: steps alone decide"},
    {"checkpoint_keep", FM_OPTION_INTEGER, "2", RESUMING,
     "newest checkpoints to keep (checkpoint.h5, checkpoint.previous.h5, .previous2.h5, ...)"},
    {"checkpoint_every", FM_OPTION_INTEGER, "500", RESUMING,
     "steps (reference: iterations) between checkpoints; one is always written at the end"},
    {"evaluate_every", FM_OPTION_INTEGER, "0", "refine",
     "steps between KL evaluations; 0: at the start and the end"},
    {"evaluation_latents", FM_OPTION_INTEGER, "8192", "refine evaluate",
     "latents of a KL evaluation, each a solve of every part of the operator; refine makes one "
     "at the start and, of last and averaged weights, two at the end and at -evaluate_every"},
    {"kl_target", FM_OPTION_REAL, "0.1", "refine",
     "KL whose first and lasting crossing is reported in solves of F"},
    /* reference */
    {"chains", FM_OPTION_INTEGER, "4", "reference", "chains, shared over the ranks"},
    {"warmup", FM_OPTION_INTEGER, "1000", "reference",
     "iterations of a chain that adapt step size and scales and are not kept"},
    {"iterations", FM_OPTION_INTEGER, "1000", "reference", "draws kept of each chain"},
    {"thin", FM_OPTION_INTEGER, "1", "reference", "iterations for one draw that is kept"},
    {"latent", FM_OPTION_TEXT, "", "reference",
     "checkpoint of a trained flow in whose latent space the chains move; default: the user's "
     "units, from draws of the prior"},
    {"target_accept", FM_OPTION_REAL, "0.65", "reference",
     "mean acceptance that the step size is adapted to"},
    {"trajectory", FM_OPTION_REAL, "2.5", "reference",
     "mean length of a trajectory in standard deviations of the draws"},
    {"trajectory_jitter", FM_OPTION_REAL, "1", "reference",
     "its length is uniform within this share of the mean"},
    {"leapfrog_steps", FM_OPTION_INTEGER, "0", "reference",
     "mean steps of a trajectory instead of -trajectory; 0: as its length asks"},
    {"max_leapfrog_steps", FM_OPTION_INTEGER, "1000", "reference",
     "most steps of a trajectory"},
    {"tilt", FM_OPTION_INTEGER, "0", "reference",
     "iterations after the warm-up that learn a mixture of tempered posteriors and such as are "
     "tilted to large values of each unknown; the draws then have weights: for means of "
     "exp(x), which rare values make"},
    {"expectation", FM_OPTION_TEXT, "none", "reference evaluate",
     "also the mean of a function of each unknown: none|exp"},
    /* trust */
    {"trust_latents", FM_OPTION_INTEGER, "64", "evaluate",
     "posterior samples at which the gradient of the posterior is held against the flow's, "
     "each a solve and an adjoint of every part of the operator; at most -evaluation_latents; "
     "0: none, and no verdict"},
    {"trust_modes", FM_OPTION_INTEGER, "16", "evaluate",
     "directions, those that the data inform most, in which importance weights are judged"},
    {"trust_draws", FM_OPTION_INTEGER, "256", "evaluate",
     "draws in these directions, each a solve of every part; at most -evaluation_latents"},
    {"moved", FM_OPTION_TEXT, "", "evaluate",
     "moves.h5 of `sample -moves` from this checkpoint: whether its samples have forgotten the "
     "flow's in these directions, in place of the weights"},
    {"calibration", FM_OPTION_TEXT, "", "evaluate report",
     "calibration.h5 of `calibrate` for this problem: what a verdict `verified` needs besides"},
    {"calibrate", FM_OPTION_TEXT, "", "calibrate",
     "text file, a line for each held-out model: SAMPLES.h5:/x TRUTH.h5:/x[ROW] and, where "
     "there is no -prior, PRIOR.h5:/x or MEAN/STD"},
    {"calibrate_mixed_ok", FM_OPTION_FLAG, "false", "calibrate",
     "let models of different problems (operator, noise, prior) through, with a warning"},
    {"calibrate_prior_draws", FM_OPTION_INTEGER, "256", "calibrate",
     "draws of -prior that a model's CRPS is compared with"},
    /* reading */
    {"samples", FM_OPTION_INTEGER, "1000", "sample", "posterior samples to draw"},
    {"moves", FM_OPTION_INTEGER, "0", "sample",
     "moves of each sample from the flow on to the posterior itself: Hamiltonian Monte Carlo "
     "in its latent space, with operator, data and prior, of which 4 are usual; kept in "
     "OUT/moves.h5 for -resume; 0: the flow's own samples"},
    {"truth", FM_OPTION_ARRAY, "", "sample evaluate report judge",
     "the true model where it is known, a list or FILE:/dataset[ROW]: SNR and coverage; "
     "evaluate: the true unknown, for its misfit"},
    {"truth_model", FM_OPTION_ARRAY, "", "sample evaluate report judge",
     "the true model of the operator acoustic where it is known, in m/s: FILE:/dataset[ROW]"},
    {"judge_training", FM_OPTION_TEXT, "", "judge",
     "pairs that the flow was trained on: two Gaussians are fitted to their models, without "
     "and with correlations, and their NLL stands beside the flow's"},
    /* the page of a finished chain */
    {"report_title", FM_OPTION_TEXT, "", "report", "its title: the case's name"},
    {"report_simulate", FM_OPTION_TEXT, "", "report", "-out folder of simulate"},
    {"report_pretrain", FM_OPTION_TEXT, "", "report", "-out folder of pretrain"},
    {"report_refine", FM_OPTION_TEXT, "", "report", "-out folder of refine"},
    {"report_scratch", FM_OPTION_TEXT, "", "report",
     "-out folder of refine from random weights, to compare with"},
    {"report_samples", FM_OPTION_TEXT, "", "report", "-out folder of sample"},
    {"report_evaluate", FM_OPTION_TEXT, "", "report", "-out folder of evaluate"},
    {"report_calibrate", FM_OPTION_TEXT, "", "report", "-out folder of calibrate"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

PetscErrorCode fm_cli_declare(void) {
  PetscFunctionBegin;
  PetscCall(fm_options_declare(fm_cli_options));
  PetscCall(fm_options_declare(fm_shots_options));
  PetscCall(fm_options_declare(fm_dataset_options));
  PetscCall(fm_operators_declare_options());
  PetscCall(fm_energies_declare_options());
  PetscFunctionReturn(0);
}

/* ---- settings ---- */

/* Is -option one of the operator's or prior's of that name: -NAME_...? */
static PetscBool belongs(const char *option, const char *name) {
  const size_t length = strlen(name);

  return !strncmp(option, name, length) && option[length] == '_' ? PETSC_TRUE : PETSC_FALSE;
}

/* An operator's, where it is not the one in use; born is acoustic, too. */
static PetscBool of_another_operator(const char *option, const char *op) {
  if (!strcmp(op, "born") && belongs(option, "acoustic")) return PETSC_FALSE;
  for (int i = 0; i < fm_operator_count(); i++)
    if (strcmp(op, fm_operator_name(i)) && belongs(option, fm_operator_name(i)))
      return PETSC_TRUE;
  return PETSC_FALSE;
}

/* -flow_... are the network's, -prior_flow_... of a flow as prior. */
static PetscBool of_another_prior(const char *option, const char *prior) {
  if (belongs(option, "prior_flow"))
    return strcmp(prior, "flow") && strcmp(prior, "prior_low_posterior") ? PETSC_TRUE
                                                                         : PETSC_FALSE;
  for (int i = 0; i < fm_energy_count(); i++)
    if (strcmp("flow", fm_energy_name(i)) && strcmp(prior, fm_energy_name(i)) &&
        belongs(option, fm_energy_name(i)))
      return PETSC_TRUE;
  return PETSC_FALSE;
}

/* Defaults of what is not in use are no settings of this run; what the user gave is. */
static PetscErrorCode matters(const char *line, PetscBool *keep) {
  const char *op, *prior;
  char option[128];

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_text("prior", &prior));
  PetscCall(PetscStrncpy(option, line + 1, sizeof(option)));
  option[strcspn(option, " ")] = 0;
  *keep = PETSC_TRUE;
  if (of_another_operator(option, op) || of_another_prior(option, prior))
    PetscCall(fm_option_given(option, keep));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_cli_settings(const char *command, char **block) {
  char *to;

  PetscFunctionBegin;
  PetscCall(fm_options_settings(command, block));
  to = *block;
  for (const char *line = *block; *line;) {
    const size_t length = strcspn(line, "\n") + 1;
    PetscBool keep;

    PetscCall(matters(line, &keep));
    if (keep) memmove(to, line, length);
    if (keep) to += length;
    line += length;
  }
  *to = 0;
  PetscFunctionReturn(0);
}
