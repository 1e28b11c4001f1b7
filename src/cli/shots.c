/* shots - recorded shots to what the inversion takes: sorted, filtered, at the operator's
   samples, muted, with the std of their noise and the wavelet that goes with them. */
#include "cli/shots.h"
#include "fathom/options.h"
#include "fathom/store.h"

/* What of the operator's options shots needs: the model's sides and the modelling's times. */
static PetscErrorCode read_modelling(fm_shots *s) {
  static const char *const needed[] = {"acoustic_shape", "acoustic_spacing", "acoustic_dt",
                                       "acoustic_steps"};
  int64_t nodes[2], shape[FM_STORE_NDIM];
  double *spacing;
  PetscBool given;
  int ndim;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++) {
    PetscCall(fm_option_given(needed[k], &given));
    fm_check(given, s->world, PETSC_ERR_USER,
             "shots needs -%s, as it is given to the operator acoustic", needed[k]);
  }
  PetscCall(fm_option_shape("acoustic_shape", "the nodes of the model as NZxNX", nodes));
  PetscCall(fm_store_option_array(s->world, "acoustic_spacing", &ndim, shape, &spacing));
  fm_check(ndim == 1 && shape[0] <= 2 && spacing[0] > 0 && spacing[shape[0] - 1] > 0, s->world,
           PETSC_ERR_USER, "-acoustic_spacing takes H or DZ,DX in m");
  s->dx = spacing[shape[0] - 1];
  s->depth = (double)(nodes[0] - 1) * spacing[0];
  s->width = (double)(nodes[1] - 1) * s->dx;
  PetscCall(PetscFree(spacing));
  PetscCall(fm_option_real_in("acoustic_dt", 1e-12, 1e6, &s->dt));
  PetscCall(fm_option_integer_in("acoustic_steps", 2, 100000000, &s->steps));
  PetscCall(fm_option_integer_in("acoustic_record_every", 1, s->steps, &s->every));
  s->interval = s->dt * (double)s->every;
  s->samples = (s->steps - 1) / s->every + 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode free_all(fm_shots *s) {
  PetscFunctionBegin;
  PetscCall(PetscFree(s->source));
  PetscCall(PetscFree(s->receiver));
  PetscCall(PetscFree(s->start));
  PetscCall(PetscFree(s->recorded));
  PetscCall(PetscFree(s->live));
  PetscCall(PetscFree(s->wavelet));
  PetscCall(PetscFree(s->y));
  PetscCall(PetscFree(s->mask));
  PetscCall(PetscFree(s->noise));
  PetscCall(PetscFree(s->trace_noise));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_shots(fm_run *run) {
  static const char *const input[] = {"shots",         "acoustic_sources", "acoustic_receivers",
                                      "shots_weights", "shots_wavelet",    "acoustic_wavelet"};
  fm_shots s = {.run = run, .world = run->comm.world};

  PetscFunctionBegin;
  for (int k = 0; k < 6; k++) PetscCall(fm_run_not_over(run, "shots.h5", input[k]));
  PetscCall(read_modelling(&s));
  PetscCall(fm_shots_read(&s));
  PetscCall(fm_shots_make_wavelet(&s));
  PetscCall(fm_shots_make_traces(&s));
  PetscCall(fm_shots_check_wavelet(&s));
  PetscCall(fm_shots_make_noise(&s));
  PetscCall(fm_shots_write(&s));
  PetscCall(free_all(&s));
  PetscFunctionReturn(0);
}
