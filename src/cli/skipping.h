/* What a refinement says of cycle skipping (cycles.h). */
#ifndef FM_CLI_SKIPPING_H
#define FM_CLI_SKIPPING_H

#include "fathom/command.h"

/* fm_skipping_note - into the history, where the operator's data are traces: the share of those
   that skip a cycle at the mean model of the flow (`cycle_skipped`), before step 0 also at the
   background (`cycle_skipped_background`), where x = 0 is that. Warns where it is too large.
   Collective on world. Cost: a diagnostic F a part, or two. */
PetscErrorCode fm_skipping_note(fm_target *target, fm_transport *transport,
                                const fm_real *theta, uint64_t seed, PetscBool first,
                                fm_history *history);
/* fm_skipping_report - results cycle_skipped_share_start, _end and _background. */
PetscErrorCode fm_skipping_report(fm_results *results, const fm_history *history);

#endif
