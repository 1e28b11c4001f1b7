/* fm_trust - how good q is where importance weights have stopped (method.md section 7): by
   gradients of log p at samples of q, by the data's misfit, and by weights in the few
   directions that the data inform most.

   At latents z ~ N(0, I), x = T(z), with d = grad log q - grad log p (the posterior with every
   part of the operator and without tempering), J = dx/dz, E_l the misfit:

       fisher    D = 1/2 E |J^T d|^2, nats; 0 where q = p. An affine q whose stds are all a
                 factor s too large has D = n (s^2 - 1)^2 / 2, one that is shifted by delta
                 stds in each unknown n delta^2 / 2.
       bias_i    E[d/dx_i log p] = -E[d_i], times the std that unknown i has in the posterior
                 with the others held, 1 / std(d/dx_i log p): 0 where q = p, -delta for
                 independent unknowns that are shifted by delta stds.
       scale_i   -E[(x_i - mu_i) d/dx_i log p] = 1 + cov(x_i, d_i): 1 where q = p, s^2 for
                 stds that are a factor s too large.
       n_eff     E[z . g], g = J^T grad E_l less its mean: the mean trace of the misfit's
                 Hessian in latent coordinates (Stein's lemma), for a linear operator and q = p
                 sum lambda / (1 + lambda) over the eigenvalues of the prior-preconditioned
                 Hessian: the number of directions that the data inform.
   The means use E_q[grad log q] = 0 and -E_q[(x - mu) grad log q] = 1, which are exact: an
   exact q gives 0 and 1 with no Monte Carlo error.

   Modes: the leading eigenvectors V of the covariance of g over the samples, for a linear
   operator those of the square of the Hessian above. For each of a few fresh base latents all
   coordinates but V^T z are held, V^T z is drawn anew from N(0, I), and the weights p/q of
   these draws give an ESS fraction: 1 where q's conditional in the modes is p's. It sees
   errors of location, spread and shape within the modes, and coupling of the modes to the held
   coordinates as far as the bases differ; it cannot see errors in other directions, nor a
   second mode of p that is far away. */
#ifndef FATHOM_TRUST_H
#define FATHOM_TRUST_H

#include "fathom/target.h"
#include "fathom/transport.h"

typedef struct fm_trust_inputs {
  uint64_t seed;
  int64_t latents; /* gradients, at least 2; latents 0, 1, ... of FM_STREAM_EVALUATE */
  int64_t modes;   /* directions that weights are looked at in, at most; 0: none */
  int64_t draws;   /* of the modes, over all bases */
} fm_trust_inputs;

typedef struct fm_trust {
  int64_t n, parts;
  int64_t count, failed;          /* samples with a gradient, samples without */
  double fisher, fisher_se;       /* nats */
  double n_eff, n_eff_se;         /* directions */
  double misfit;                  /* 1/2 sum r^2 / sigma^2, mean over the samples, nats */
  double *part_misfit;            /* [parts], its parts */
  double *bias, *bias_se;         /* [n], conditional stds of the posterior */
  double *scale, *scale_se;       /* [n] */
  int64_t modes, bases, draws;    /* found and used */
  int64_t failed_draws;           /* whose solve failed */
  double ess_fraction, ess_least; /* in the modes: mean and least over the bases; NaN: none */
  double *informed;               /* [modes] sqrt of the eigenvalues: lambda / (1 + lambda) */
  double *direction;              /* [modes][n] the modes V, in latent space, of length 1 */
} fm_trust;

/* fm_trust_measure - the same numbers on every rank and on any number of ranks; arrays are the
   caller's to clear. Fewer than two good samples leave NaN. Collective on world.
   Cost, counted as diagnostic: latents F and adjoints and draws F, of every part; of the flow
   12 passes a latent. Memory on rank 0: four fm_real an unknown and latent. */
PetscErrorCode fm_trust_measure(fm_target *target, fm_transport *transport,
                                const fm_real *theta, const fm_trust_inputs *inputs,
                                fm_trust *trust);
PetscErrorCode fm_trust_clear(fm_trust *trust);

/* fm_trust_rms_bias - root of the mean square of `count` biases from `first` with that of their
   standard errors taken off; 0 where these explain it. fm_trust_mean_scale - mean of theirs. */
double fm_trust_rms_bias(const fm_trust *trust, int64_t first, int64_t count);
double fm_trust_mean_scale(const fm_trust *trust, int64_t first, int64_t count);

#endif
