/* fathom - uncertainty for inversions whose forward operator is expensive. The map: read this
   first.

   A conditional normalizing flow is pretrained on cheap pairs (forward KL); its weights go,
   through an HDF5 checkpoint, into
   a run that minimises the reverse KL to the posterior with the expensive operator in the loop.

       step -> which samples are mine (fm_comm_share)
            -> z by name (fm_rng_normal) -> flow generates x, logdet (fm_flow_apply)
            -> energies: operator linearize -> d -> misfit -> vjp; prior  => x_bar
            (fm_target_evaluate)
            -> flow vjp => theta_bar (fm_flow_vjp) -> one exact sum over all ranks
            (fm_share_reduce, fm_share_gradient)
            -> Adam, average (fm_optimizer_step) -> history        all in fm_trainer_step,
            src/infer/trainer.c

   What survives a kill: checkpoints that a thread writes (src/cli/saver.c, io/writer.c), solves
   that a journal keeps (io/journal.c), and the wish to end, which travels in the exact sum
   (stop.h).

   Six rooms; includes run one way, downwards (CTest style.layers):

              cli                 commands, options, results
               |
             infer                energies, objectives, trainer, optimizer, checkpoint,
             diagnostics
           /   |   \
       flow operators io          flow knows neither of the others; operators and infer may use
       io's store.h
           \   |   /
             base                 comm, rng, layout, exact sum, options, log, fft, stop

   To read the code in four files: src/infer/trainer.c, src/infer/posterior.c, src/flow/hint.c,
   operators/dense.c. */
#ifndef FATHOM_FATHOM_H
#define FATHOM_FATHOM_H

#include "fathom/checkpoint.h"
#include "fathom/command.h"
#include "fathom/diagnostics.h"
#include "fathom/flow.h"
#include "fathom/likelihood.h"
#include "fathom/operator.h"
#include "fathom/trainer.h"

#endif
