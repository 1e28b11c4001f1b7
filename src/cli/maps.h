/* Maps of mean and standard deviation of samples, and how they compare with a known truth. */
#ifndef FATHOM_MAPS_H
#define FATHOM_MAPS_H

#include "fathom/command.h"

/* fm_maps - mean and std of the samples x [count][n] of all sample ranks (`total` in all), in
   the
   shape of the unknown: OUT/maps.h5:/mean /std; of up to 16 unknowns also as results mean_K,
   std_K. With -truth also /truth, and the results

       snr             -20 log10(|truth - mean| / |truth|), dB
       coverage_2std   share of the unknowns within 2 std of the mean (of a Gaussian .954)
       std_rms         root mean square of std;  error_rms  of truth - mean

   truth   in   [n], fm_maps_truth, or NULL

   Collective on world. */
PetscErrorCode fm_maps(fm_run *run, const fm_transport *transport, const double *truth,
                       int64_t total, int64_t count, const fm_real *x);

/* fm_maps_truth - -truth, to be freed with PetscFree; NULL where it is not given. Refused
   where it does not fit the unknown's size, shape or divisor. */
PetscErrorCode fm_maps_truth(const fm_run *run, const fm_transport *t, double **truth);

#endif
