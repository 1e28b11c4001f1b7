/* The parts of a checkpoint that describe a flow: its architecture, tensors, whitening and
   observation. */
#ifndef FM_CHECKPOINT_PARTS_H
#define FM_CHECKPOINT_PARTS_H

#include "fathom/store.h"
#include "fathom/transport.h"

#define FM_STREAM_TEXT                                                                         \
  "initial 1, start 2, shuffle 3, latent 4, fixed 5, evaluate 6, sample 7, "                   \
  "model 8, noise 9, split 10"

PetscErrorCode fm_parts_write_transport(const fm_transport *transport, fm_store *store);
PetscErrorCode fm_parts_read_transport(fm_store *store, fm_transport **transport);
PetscErrorCode fm_parts_read_whitening(fm_store *store, fm_transport *transport);
PetscErrorCode fm_parts_read_observation(fm_store *store, fm_transport *transport);

/* fm_parts_read_latent - for a resume: a correction that is kept, and the frozen flow of one
   that is trained. */
PetscErrorCode fm_parts_read_latent(MPI_Comm comm, const char *path, fm_store *store,
                                    fm_transport *transport);
/* fm_parts_settle_latent - of a correction that was trained, under `group`: it is kept from now
   on, and theta are the frozen weights. */
PetscErrorCode fm_parts_settle_latent(MPI_Comm comm, const char *path, const char *group,
                                      fm_store *store, fm_transport *transport);

PetscErrorCode fm_parts_write_theta(const fm_layout *layout, const char *group,
                                    const fm_real *theta, fm_store *store);
/* fm_parts_fit_theta - refuses, with the list of differences, a group that has not the tensors
   of the layout. */
PetscErrorCode fm_parts_fit_theta(MPI_Comm comm, const char *path, const fm_layout *layout,
                                  const char *group, fm_store *store);
/* fm_parts_read_theta - by name; refuses with the list of differences. `path` is for the
   sentence. */
PetscErrorCode fm_parts_read_theta(MPI_Comm comm, const char *path, const fm_layout *layout,
                                   const char *group, fm_store *store, fm_real *theta);

#endif
