/* Between the files of the command evaluate. */
#ifndef FM_CLI_EVALUATE_H
#define FM_CLI_EVALUATE_H

#include "fathom/command.h"
#include "fathom/trust.h"

#define FM_BANDS 8

/* chi^2 of one posterior sample by octaves, the lowest first and down to 0 Hz. */
typedef struct fm_bands {
  int64_t samples; /* of a trace; 0: the data are no traces */
  int bands;
  double top[FM_BANDS];  /* Hz, the upper end */
  double chi2[FM_BANDS]; /* 1 where the noise is as white as it is said to be */
  double data[FM_BANDS]; /* degrees of freedom */
} fm_bands;

/* chi^2 of the data that count, 1 where the model explains them to the noise, by parts (shots)
   and over all: mean over posterior samples, and of the mean of the samples as one model. */
typedef struct fm_fit {
  int64_t parts;
  double *data;               /* [parts] data that count */
  double *chi2, *chi2_mean;   /* [parts] */
  double *predicted;          /* [m] of the mean model; NaN: its solve failed */
  double all_data, all, mean; /* over all parts */
  double excess_of_truth;     /* 1/2 (chi^2 of samples - of the truth) in nats; NaN: unknown */
  fm_bands octaves;
} fm_fit;

/* The true unknown where it is known. */
typedef struct fm_truth {
  double *x; /* [n]; NULL: not known */
  double *z; /* [n] (x - mean) / std of the samples; NULL: fewer than 4 */
} fm_truth;

/* Samples of -moved: what is left in them of the flow's draws. */
typedef struct fm_correction {
  int64_t count, moves;     /* samples, moves of each; 0: none were given */
  int64_t failed;           /* samples that could not be moved */
  double correlation;       /* of samples and their starts, in the modes of trust */
  double acceptance;        /* of the last move */
  double change, change_se; /* of -log density by the last move, nats */
} fm_correction;

/* What an evaluation at an observation has found out. */
typedef struct fm_evaluation {
  fm_run *run;
  fm_target *target;
  fm_transport *t;
  const fm_real *theta;
  double log_evidence; /* NaN: not known */
  fm_diagnosis d;
  fm_trust trust;
  fm_correction moved;
  fm_fit fit;
  fm_truth truth;
  double prior_above; /* stds by which -log p_prior of samples is above its own draws'; NaN */
  char verdict[32];   /* verified | consistent | not trusted */
  char reasons[4096]; /* clauses, each with value and limit */
} fm_evaluation;

/* fm_weights_write - posterior means by Pareto smoothed self-normalised importance weights:
   /weighted/mean and its standard error mean_se, [n], into `store`, and with -expectation exp
   those of exp(x) and the Pareto shape of their terms w exp(x_i), /weighted/exp/... Rank 0
   computes. Collective on world. */
PetscErrorCode fm_weights_write(fm_run *run, int64_t n, const fm_diagnosis *d, fm_store *store);

/* fm_evaluation_truth - e->truth.x of -truth, or of -truth_model, a physical model (velocities
   in m/s): its size, sides, unit and spacing must be the operator's, and it must have an
   unknown (fm_operator_unknown: a velocity beyond the bounds has none, a model of modes has
   none); what the unknown does not keep of it is the result truth_model_lost. Collective on
   world. No solve. */
PetscErrorCode fm_evaluation_truth(fm_evaluation *e);
/* fm_evaluation_place_truth - results truth_z_rms, truth_minus_log_q beside the samples', and a
   warning where the truth is none of them; e->truth.z. Nothing where it is not known.
   Collective on world. Cost: a pass of the flow for each of at most 256 samples. */
PetscErrorCode fm_evaluation_place_truth(fm_evaluation *e);

/* fm_evaluation_trust - trust and fit of e->d's samples, as results. Collective on world.
   Cost, diagnostic solves of every part: -trust_latents F and adjoints, -trust_draws F, one F
   for the mean model, one for the octaves of traces and one for the truth. */
PetscErrorCode fm_evaluation_trust(fm_evaluation *e);
/* fm_evaluation_moved - e->moved of -moved, as results; nothing where it is not given or no
   modes were found. A file of another flow or problem is a user error. After
   fm_evaluation_trust. Collective on world. Cost, diagnostic: an F and an adjoint. */
PetscErrorCode fm_evaluation_moved(fm_evaluation *e);
/* fm_evaluation_judge - verdict and reasons, said in one line. Collective on world. */
PetscErrorCode fm_evaluation_judge(fm_evaluation *e);
/* fm_evaluation_write - all of it into `store`. Collective on world. */
PetscErrorCode fm_evaluation_write(const fm_evaluation *e, fm_store *store);
PetscErrorCode fm_evaluation_clear(fm_evaluation *e);

/* fm_fit_measure - e->fit, after e->trust. Collective on world. */
PetscErrorCode fm_fit_measure(fm_evaluation *e);

/* fm_bands_measure - e->fit.octaves of predicted data d [m]; sigma and counts, [m], are those
   of the likelihood. No solve. */
PetscErrorCode fm_bands_measure(fm_evaluation *e, const double *d, const double *sigma,
                                const PetscBool *counts);

/* fm_trust_grid - the rows (depths) of an unknown that is a grid; one row of all else. */
void fm_trust_grid(const fm_evaluation *e, int64_t *rows, int64_t *columns);

#endif
