/* survey - sources, receivers and what is between traces of the time loop and data.

   A point between nodes touches 8 nodes a direction by Hicks's Kaiser-windowed sinc (b = 6.31,
   half-width 4); one on a node (within 1e-6 of the spacing) that node alone. Above a free
   surface nodes fold onto their mirror image with the opposite sign.
   Source: G. J. Hicks, "Arbitrary source and receiver positioning in finite-difference schemes
   using Kaiser windowed sinc functions", Geophysics 67 (2002), 156-166. */
#ifndef FATHOM_SURVEY_H
#define FATHOM_SURVEY_H

#include "wave2d.h"

typedef struct fm_survey {
  int64_t nshot, nreceiver; /* receivers a shot, the same number for all shots */
  PetscBool moving;         /* receivers differ between shots */
  double *source;           /* [nshot][2] (z, x) in m from the model's first node */
  double *receiver;         /* [nreceiver][2], or [nshot][nreceiver][2] where they move */
  fm_wave2d_point *source_point, *receiver_point; /* the same, on the grid */
} fm_survey;

/* fm_survey_point - (z, x) in m onto the grid of `spec`. Fails (user error) outside the model;
   `what` is "source 3" or the like. */
PetscErrorCode fm_survey_point(MPI_Comm comm, const fm_wave2d_spec *spec, const char *what,
                               double z, double x, fm_wave2d_point *point);

/* fm_survey_create - from -acoustic_sources and -acoustic_receivers; a warning where a receiver
   is nearer to its source than a node. Collective on comm. */
PetscErrorCode fm_survey_create(MPI_Comm comm, const fm_wave2d_spec *spec, fm_survey **survey);
PetscErrorCode fm_survey_destroy(fm_survey **survey);

/* fm_survey_shot - shot i as wave2d wants it; amplitude [1] and wavelet are the caller's. */
void fm_survey_shot(const fm_survey *survey, int64_t i, const double *amplitude,
                    const double *wavelet, fm_wave2d_shot *shot);

#endif
