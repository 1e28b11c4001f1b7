/* A target whose likelihood is tempered, for the steps of training. */
#ifndef FATHOM_TEMPERED_H
#define FATHOM_TEMPERED_H

#include "fathom/target.h"

/* fm_tempered_evaluate - as fm_target_evaluate, with the misfit of the likelihood, the first
   energy, divided by the temperature: value and x_bar are those of the tempered target, part
   [nenergy][nb] stays that of the target itself. At temperature 1 the same bits as
   fm_target_evaluate. part and x_bar may not be NULL. */
PetscErrorCode fm_tempered_evaluate(fm_target *target, double temperature, fm_key key,
                                    int64_t nb, const fm_real *x, double *value, double *part,
                                    fm_real *x_bar, PetscBool *ok);

#endif
