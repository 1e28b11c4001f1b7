#include "cli/options.h"
#include "fathom/checkpoint.h"

#define TRAINING "pretrain refine"
#define READING "sample evaluate"
#define PHYSICS FM_COMMANDS_PHYSICS

const fm_option fm_cli_options[] = {
    /* everywhere */
    {"out", FM_OPTION_TEXT, "out", "", "output folder"},
    {"seed", FM_OPTION_INTEGER, "1", "", "seed of every random number"},
    {"ranks_per_sample", FM_OPTION_INTEGER, "1", "",
     "ranks that share one operator (space communicator)"},
    {"report_seconds", FM_OPTION_REAL, "10", TRAINING,
     "interval of progress lines where the output is a file"},
    /* the problem */
    {"operator", FM_OPTION_TEXT, "", PHYSICS, "forward operator (help operators)"},
    {"observed", FM_OPTION_ARRAY, "", PHYSICS " sample",
     "observed data: y1,y2,... or FILE:/dataset"},
    {"prior", FM_OPTION_TEXT, "", PHYSICS, "prior (help priors)"},
    {"log_evidence", FM_OPTION_TEXT, "", "refine evaluate",
     "log p(y) where it is known: turns J into KL"},
    /* data */
    {"pairs", FM_OPTION_TEXT, "", "pretrain evaluate",
     "HDF5 file with /x [n][...] and /y [n][...]"},
    {"pairs_count", FM_OPTION_INTEGER, "5000", "simulate", "number of pairs"},
    {"models", FM_OPTION_ARRAY, "", "forward",
     "models [count][...]: FILE:/dataset, or one as a list"},
    {"gradient", FM_OPTION_FLAG, "", "forward",
     "also the misfit to -observed and its gradient"},
    /* the flow */
    {"flow", FM_OPTION_TEXT, "hint", TRAINING " check", "network: hint|triangular|elementwise"},
    {"flow_variant", FM_OPTION_TEXT, "default", TRAINING " check",
     "conditioner output: default (2 sigmoid) or official (ReLU, sigmoid)"},
    {"flow_depth", FM_OPTION_INTEGER, "8", TRAINING " check", "blocks"},
    {"flow_hidden", FM_OPTION_INTEGER, "64", TRAINING " check",
     "width of a conditioner's hidden layers"},
    {"flow_reflections", FM_OPTION_INTEGER, "3", TRAINING " check",
     "Householder reflections a block and lane"},
    {"flow_conditional", FM_OPTION_FLAG, "true", TRAINING " check",
     "whether the flow sees the data; false: a flow of x alone"},
    /* training */
    {"warm_start", FM_OPTION_TEXT, "", TRAINING " sample evaluate",
     "checkpoint whose weights to begin with (training) or to use (sample, evaluate; "
     "default OUT/checkpoint.h5)"},
    {"weights", FM_OPTION_TEXT, "auto", TRAINING " sample evaluate",
     "which weights of a checkpoint: " FM_WEIGHTS_CHOICES
     " (auto: best, else average, else last)"},
    {"resume", FM_OPTION_FLAG, "", TRAINING, "go on from OUT/checkpoint.h5 where there is one"},
    {"train", FM_OPTION_TEXT, "xlane", "refine",
     "what is trained: xlane (y lane frozen and cached) or all"},
    {"estimator", FM_OPTION_TEXT, "path", "refine check", "gradient estimator: total|path"},
    {"latents", FM_OPTION_INTEGER, "0", "refine",
     "a fixed set of so many latents (with -estimator total); 0: fresh"},
    {"batch_size", FM_OPTION_INTEGER, "64", TRAINING, "samples a step"},
    {"micro_batch", FM_OPTION_INTEGER, "16", TRAINING,
     "samples a piece of work; results do not depend on the ranks"},
    {"epochs", FM_OPTION_INTEGER, "25", TRAINING,
     "passes over the pairs, the fixed latents or -steps_per_epoch"},
    {"steps_per_epoch", FM_OPTION_INTEGER, "16", "refine",
     "steps of an epoch of fresh latents"},
    {"stop_after", FM_OPTION_INTEGER, "0", TRAINING,
     "leave with a checkpoint after so many steps of this job; 0: never"},
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
    {"checkpoint_every", FM_OPTION_INTEGER, "500", TRAINING,
     "steps between checkpoints; one is always written at the end"},
    {"evaluate_every", FM_OPTION_INTEGER, "0", "refine",
     "steps between KL evaluations; 0: at the start and the end"},
    {"evaluation_latents", FM_OPTION_INTEGER, "8192", "refine evaluate",
     "latents of a KL evaluation"},
    {"kl_target", FM_OPTION_REAL, "0.1", "refine",
     "KL whose first and lasting crossing is reported in solves of F"},
    /* reading */
    {"samples", FM_OPTION_INTEGER, "1000", "sample", "posterior samples to draw"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

PetscErrorCode fm_cli_declare(void) {
  PetscFunctionBegin;
  PetscCall(fm_options_declare(fm_cli_options));
  PetscCall(fm_operators_declare_options());
  PetscCall(fm_energies_declare_options());
  PetscFunctionReturn(0);
}
